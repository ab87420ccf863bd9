// Flags and files that the commands on one model share.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/engine/commands.h"
#include "cli/flags.h"
#include "infer/model_bundle.h"

namespace sdft::cli {

struct ModelFlags {
  std::string model, adapter;
  LoadOptions load;
  int64_t threads = 0;
};
// --adapter, --device, --dtype, --weights, --threads: of the commands that run the model.
void add_loading_flags(CLI::App* command, ModelFlags* flags);

// --template, --prompt_layout, --column, --max_samples, --skip_bad: how examples of a file become prompts.
struct PromptFlags : TemplateFlags {
  std::string prompt_template = "chat", layout = "chat";
  std::vector<std::string> columns;  // "query=question"
  size_t max_samples = 0;
  bool raw = false, skip_bad = false;
};
void add_prompt_flags(CLI::App* command, PromptFlags* flags);
Dataset read_examples(const std::string& path, const PromptFlags& flags, bool response_required);

// make(), whose Error(kInput) then names the example.
template <typename Make>
auto naming(const Example& example, Make make) -> decltype(make()) {
  try {
    return make();
  } catch (const Error& e) {
    if (e.code() != ExitCode::kInput) throw;
    fail_input("example '" + example.id + "'", e.what());
  }
}

// The model folder, its formatter set up as the flags say; no weights yet. Error(kInput) where it lacks what
// the prompt template needs.
std::unique_ptr<ModelBundle> open_bundle(const ModelFlags& flags, const PromptFlags& prompt);
void load_weights(ModelBundle& bundle, const ModelFlags& flags);

// As what a model's matrices are stored: f32, f16 or bf16; f16 where they are of few bits.
at::ScalarType stored_type(const std::string& model);

}  // namespace sdft::cli
