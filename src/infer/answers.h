// Answers to many prompts, kept in a JSONL file as they come, so that a killed run goes on where it was.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "infer/generator.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft {

struct Answer {
  std::string id;
  std::string text;
  std::string finish;  // name_of(FinishReason)
  int64_t tokens = 0;  // that were written, without a stop token
};

// {"id", "text", "finish", "tokens"}
std::string line_of(const Answer& answer);

// Generates, and appends each answer to the file `part` as it is finished.
void answer_into(ModelView model, const Tokenizer& tokenizer, const std::vector<Request>& requests,
                 const GenerateOptions& options, const std::filesystem::path& part,
                 const std::function<void(Answer)>& on_answer);

// Lines of answers in `path`, in the order of the requests, whose ids must differ. While they
// are written each answer goes to PATH.part as it is finished; a call that goes on answers only what is not
// there yet. An answer does not depend on its neighbours, so that the file ends with the same bytes.
// Error(kInput) where the file belongs to other requests. on_progress(done) counts answers, those of an
// earlier call too.
std::vector<Answer> answer_all(ModelView model, const Tokenizer& tokenizer,
                               const std::vector<Request>& requests, const GenerateOptions& options,
                               const std::filesystem::path& path,
                               const std::function<void(size_t done)>& on_progress);

// The answers that answer_all() wrote to `path`.
std::vector<Answer> read_answers(const std::filesystem::path& path);

}  // namespace sdft
