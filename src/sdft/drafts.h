// Drafts: what a model wrote, kept for whoever asks again. Other checks, another choice or number of
// candidates, other samples of the dataset generate nothing that is there already.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "infer/answers.h"

namespace sdft {

// The answers to the requests, in their order. Those that `file` has are taken, the others generated and put
// into it, kept one by one meanwhile; it is ordered by id, so that its bytes depend only on what was ever
// asked. Who calls sees to it that a file is of one model, prompt template and sampling.
// on_progress counts answers, those that were there too.
std::vector<Answer> draft(ModelView model, const Tokenizer& tokenizer, const std::vector<Request>& requests,
                          const GenerateOptions& options, const std::filesystem::path& file,
                          const AnswerProgress& on_progress);

}  // namespace sdft
