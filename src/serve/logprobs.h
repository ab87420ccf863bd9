// Scores of tokens in the two forms that OpenAI's interface has for them.
#pragma once

#include <vector>

#include "base/json.h"
#include "infer/sampler.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft::serve {

// Of chat completions: {"content": [{"token", "logprob", "bytes", "top_logprobs"}], "refusal": null}.
Json chat_logprobs(const Tokenizer& tokenizer, const std::vector<TokenScore>& scores);
// Of completions: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}. first: a token in front that
// nothing was before, whose log-probability is null.
Json text_logprobs(const Tokenizer& tokenizer, const std::vector<TokenScore>& scores,
                   const std::vector<int32_t>& first = {});

}  // namespace sdft::serve
