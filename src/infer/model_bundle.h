// A chat model out of its folder: what it takes to ask it something.
#pragma once

#include <filesystem>
#include <string>

#include "data/prompt.h"
#include "infer/generation_config.h"
#include "infer/generator.h"
#include "model/lora.h"

namespace sdft {

struct ModelBundle {
  std::filesystem::path dir;
  ModelConfig config;
  Tokenizer tokenizer;
  ChatTemplate chat_template;
  GenerationDefaults defaults;  // of generation_config.json
  Formatter formatter;          // points into this object
  Model model;                  // no layers before load_weights()
  Adapter adapter;              // empty where there is none

  // Reads everything but the weights; a GGUF file may stand for a folder. Error(kInput), also where the
  // tokenizer has more tokens than the embedding has rows.
  explicit ModelBundle(const std::filesystem::path& dir);
  ModelBundle(const ModelBundle&) = delete;
  ModelBundle& operator=(const ModelBundle&) = delete;

  bool loaded() const { return !model.layers.empty(); }
  ModelView base() const { return model; }
  ModelView with_adapter() const { return {model, adapter.empty() ? nullptr : &adapter}; }
};

// The weights, and an adapter of that folder ("": none).
void load_weights(ModelBundle& bundle, const LoadOptions& options, const std::filesystem::path& adapter = "");

// How the model's makers want it to answer, with all its stop tokens: what flags, recipes and callers then
// change.
GenerateOptions generate_options(const ModelBundle& bundle);

// For prompts through the chat template, which the prompt template `needed_by` asks for. Error(kInput), with
// `otherwise` as the hint, where the folder has none or the tokenizer lacks a special token that it reads;
// warns of control tokens that the tokenizer takes apart.
void require_chat_template(const ModelBundle& bundle, const std::string& needed_by,
                           const std::string& otherwise);

}  // namespace sdft
