// Answers of a model to many prompts, kept in a JSONL file as they come (data/answer_file.h).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/answer_file.h"
#include "infer/answer_cache.h"
#include "infer/generator.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft {

using AnswerProgress = std::function<void(const Standing& answers)>;
// What an engine's steps say of it.
Standing standing_of(size_t done, const GenerateProgress& progress);

Answer answer_of(const Tokenizer& tokenizer, const Completion& completion);

// Generates, and appends each answer to the file `part` as it is finished. Answer::finish is
// name_of(FinishReason).
void answer_into(ModelView model, const Tokenizer& tokenizer, const std::vector<Request>& requests,
                 const GenerateOptions& options, const std::filesystem::path& part,
                 const std::function<void(Answer)>& on_answer);

// Lines of answers in `path`, in the order of the requests, whose ids must differ. While they
// are written each answer goes to PATH.part as it is finished; a call that goes on answers only what is not
// there yet. An answer does not depend on its neighbours, so that the file ends with the same bytes.
// Error(kInput) where the file belongs to other requests. on_progress counts answers, those of an earlier
// call too.
std::vector<Answer> answer_all(ModelView model, const Tokenizer& tokenizer,
                               const std::vector<Request>& requests, const GenerateOptions& options,
                               const std::filesystem::path& path, const AnswerProgress& on_progress);

// Who answers, and the file for it.
struct Answering {
  ModelView model;
  std::filesystem::path path;
  AnswerCache* cache = nullptr;  // of that model: asked before the model is, told what it said
};
// The same for several models over the same weights, in the same batches: answers[model][request].
std::vector<std::vector<Answer>> answer_all(const std::vector<Answering>& models, const Tokenizer& tokenizer,
                                            const std::vector<Request>& requests,
                                            const GenerateOptions& options,
                                            const AnswerProgress& on_progress);

// The completions themselves, in the order of the requests.
std::vector<Completion> completions_of(ModelView model, const std::vector<Request>& requests,
                                       const GenerateOptions& options, AnswerCache& cache);

}  // namespace sdft
