// What the stages of a run share: the one resident model, its tokenizer and chat template, the recipe, the
// wish to stop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "data/prompt.h"
#include "data/samples.h"
#include "infer/generator.h"
#include "run/recipe.h"

namespace sdft {

struct Session {
  Recipe recipe;
  Model model;
  Tokenizer tokenizer;
  ChatTemplate chat_template;
  Formatter formatter;  // points into this object
  const std::atomic<bool>* stop = nullptr;
  bool progress = true;  // bars on stderr

  Session(Recipe recipe, Model model, Tokenizer tokenizer, ChatTemplate chat_template);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  const PromptTemplate& training_template() const;
  GenerateOptions generation() const;  // with the recipe's sampling
};

// Loads the recipe's model folder and checks that tokenizer, embedding and templates fit together.
// Error(kInput).
std::unique_ptr<Session> open_session(const Recipe& recipe);

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
