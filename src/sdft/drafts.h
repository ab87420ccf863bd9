// Drafts: what a model wrote, kept for whoever asks again. Other checks, another choice or number of
// candidates, other samples of the dataset generate nothing that is there already.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "infer/answers.h"

namespace sdft {

// Who answers: appends each answer to the file `part` as it comes, but for those that failed (kFailed), and
// passes all on, on the caller's thread. options.on_step is told how far it is.
using Writer =
    std::function<void(const std::vector<Request>&, const GenerateOptions&, const std::filesystem::path& part,
                       const std::function<void(Answer)>& on_answer)>;
// The model itself.
Writer writer_of(ModelView model, const Tokenizer& tokenizer);

// The answers to the requests, in their order. Those that `file` has are taken, the others written anew and
// put into it, kept one by one meanwhile; it is ordered by id, so that its bytes depend only on what was ever
// asked. An answer that failed is not kept. Who calls sees to it that a file is of one model, prompt template
// and sampling. on_progress counts answers, those that were there too; on_answer sees those that come now.
std::vector<Answer> draft(const Writer& writer, const std::vector<Request>& requests,
                          const GenerateOptions& options, const std::filesystem::path& file,
                          const AnswerProgress& on_progress,
                          const std::function<void(const Answer&)>& on_answer);

}  // namespace sdft
