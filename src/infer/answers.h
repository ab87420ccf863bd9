// Answers to many prompts, kept in a JSONL file as they come, so that a killed run goes on where it was.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "infer/generator.h"
#include "text/tokenizer.h"

namespace sdft {

struct Answer {
  std::string id;
  std::string text;
  std::string finish;  // name_of(FinishReason)
};

// Lines {"id", "text", "finish"} in `path`, in the order of the requests. Requests are done in groups of
// `group`, and a group is written when it is complete: after a crash whole groups are kept and an unfinished
// one is done again with the same neighbours, so that the file ends with the same bytes. Error(kInput) where
// the file belongs to other requests. on_progress(done) counts answers, those of an earlier run too.
std::vector<Answer> answer_all(const Model& model, const Tokenizer& tokenizer,
                               const std::vector<Request>& requests, const GenerateOptions& options,
                               const std::filesystem::path& path, size_t group,
                               const std::function<void(size_t done)>& on_progress);

}  // namespace sdft
