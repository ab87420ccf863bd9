// What the stages of a run share: the one resident model, its tokenizer and chat template, the recipe, the
// wish to stop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "data/prompt.h"
#include "data/samples.h"
#include "infer/generation_config.h"
#include "model/lora.h"
#include "run/recipe.h"

namespace sdft {

struct Session {
  Recipe recipe;
  ModelConfig config;
  Tokenizer tokenizer;
  ChatTemplate chat_template;
  Formatter formatter;          // points into this object
  GenerationDefaults defaults;  // the model's own; its sampling and limit give way to the recipe's
  Model model;                  // empty before load_weights()
  Adapter adapter;              // of adapter_name_or_path: part of the seed model
  const std::atomic<bool>* stop = nullptr;
  bool progress = true;  // bars on stderr

  Session(Recipe recipe, ModelConfig config, Tokenizer tokenizer, ChatTemplate chat_template);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  const PromptTemplate& training_template() const;
  GenerateOptions generation() const;  // with the recipe's sampling
  SampleSettings samples() const;      // of training
  ModelView seed() const { return {model, adapter.empty() ? nullptr : &adapter}; }
};

// Everything of the recipe's model folder but its weights; checks that tokenizer and embedding fit together.
// Error(kInput).
std::unique_ptr<Session> open_session(const Recipe& recipe);
// The weights and the seed's adapter, unless they are there.
void load_weights(Session& session);

// Error(kInput) where the tokenizer has more tokens than the embedding has rows.
void check_vocabulary(const std::filesystem::path& model_dir, const Tokenizer& tokenizer, int64_t rows);
// Says which control tokens of the chat template the tokenizer takes apart; Error(kInput) where it lacks a
// special token that the template reads.
void warn_of_control_tokens(const std::filesystem::path& model_dir, const ChatTemplate& chat_template,
                            const Tokenizer& tokenizer);

// The recipe's dataset; `response_required` false for prompts only.
Dataset open_dataset(const Recipe& recipe, const std::string& dataset, const Columns& columns, size_t limit,
                     bool response_required);

}  // namespace sdft
