// Answers of a server's model: chat completions, and plain continuations of a text.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/answer_file.h"
#include "remote/endpoint.h"

namespace sdft {

struct RemoteMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;
};

struct RemoteRequest {
  std::string id;
  std::vector<RemoteMessage> messages;  // to /chat/completions, where the server's chat template renders them
  std::string prompt;                   // without messages: to /completions, as it is
  // In place of a text, its tokens, which vLLM, SGLang and llama.cpp take as they are.
  std::vector<int32_t> prompt_ids = {};
  std::optional<int64_t> max_tokens = {}, seed = {};  // in place of the options'
};

// What the server is asked for. Names and meanings are those of infer's options.
struct RemoteOptions {
  double temperature = 0;
  double top_p = 1;
  int64_t top_k = 0;  // 0: not sent; OpenAI's own servers do not know it, vLLM and llama.cpp do
  int64_t max_tokens = 512;
  std::vector<std::string> stop;  // texts that end an answer; OpenAI takes 4
  std::optional<int64_t> seed;
  int64_t top_logprobs = 0;  // of the first token, this many candidates (OpenAI: up to 20); 0: none
};

struct RemoteCompletion {
  Answer answer;  // finish: "stop", "length", "prompt_too_long", or kFailed with `error`
  // The first token's candidates with their log-probabilities; none where the server gives none.
  std::vector<std::pair<std::string, double>> first_token = {};
};

// Calls on_done on the caller's thread as answers come, in no particular order, once for each request. An
// answer that the server's filter kept back is kFailed. Errors as exchange().
void complete(const Endpoint& endpoint, const std::vector<RemoteRequest>& requests,
              const RemoteOptions& options, const std::function<void(RemoteCompletion)>& on_done);

// As infer's answer_all(): the answers, in the order of the requests, kept in `path` and, while they come, in
// PATH.part; a later call asks what is not there yet and what failed. on_progress(done) counts answers, those
// of an earlier call too.
std::vector<Answer> answer_all(const Endpoint& endpoint, const std::vector<RemoteRequest>& requests,
                               const RemoteOptions& options, const std::filesystem::path& path,
                               const std::function<void(size_t done)>& on_progress);

}  // namespace sdft
