// Log-likelihoods by a server: of servers whose /completions give log-probabilities of the prompt itself
// ("echo" with "logprobs": vLLM, TGI, OpenAI's base models; not llama.cpp's server, not chat completions).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "remote/endpoint.h"

namespace sdft {

struct RemoteScoreItem {
  std::string id;
  std::string context;       // not empty
  std::string continuation;  // not empty; with its leading white space
};

struct RemoteScore {
  double log_prob = 0;  // natural logarithm, summed over the continuation's tokens
  int64_t count = 0;    // of these tokens
  // Each of them is the likeliest one; nothing where the server gives no candidates.
  std::optional<bool> greedy;
  std::string error = {};  // why there is no score; "" where there is one
};

// In the order of the items; on_done as they come (place, score), on the caller's thread. The server
// tokenises context and continuation as one text. A token that belongs to both counts. Where its tokens do
// not spell out the text (bytes, SentencePiece) the context is sent alone as well, and what comes behind as
// many tokens counts, as in lm-evaluation-harness. No use is made of text_offset, which servers count in
// characters or bytes and with or without what stands for BOS. Error(kInput) naming the server and what it
// lacks; else as exchange().
std::vector<RemoteScore> score(const Endpoint& endpoint, const std::vector<RemoteScoreItem>& items,
                               const std::function<void(size_t place, const RemoteScore&)>& on_done = {});

}  // namespace sdft
