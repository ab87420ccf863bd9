// The mini seed model with what its prompts need.
#pragma once

#include "data/prompt.h"
#include "data/turn_end.h"
#include "model/model.h"
#include "testing.h"

namespace sdft::testing {

struct MiniSeed {
  const std::filesystem::path assets = std::filesystem::path(SDFT_SOURCE_DIR) / "assets";
  Model model = load_model(assets / "mini-seed", {"cpu", "f32"});
  Tokenizer tokenizer = Tokenizer::load(assets / "mini-seed");
  ChatTemplate chat = ChatTemplate::load(assets / "mini-seed");
  Formatter formatter{&tokenizer, &chat};
};

}  // namespace sdft::testing
