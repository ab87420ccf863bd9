// Whether a running llama.cpp server (llama-server) does with a model what is done with it here.
#pragma once

#include <functional>
#include <string>

#include "infer/model_bundle.h"

namespace sdft::gguf {

struct VerifyOptions {
  std::string url;       // "http://localhost:8080"
  std::string key = {};  // of llama-server's --api-key; "": none
  int64_t max_new_tokens = 40;
};

// One conversation there and here. Texts say where the two part, with both sides: "byte 17: ...", "token 3:
// ..."; "" where they are the same.
struct Comparison {
  std::string question;  // its last one
  std::string prompt;    // the chat template's text
  std::string tokens;    // of that text as the server reads it, then of the messages' own texts
  std::string answer;    // greedy, of the same prompt's tokens, with its end
  // Where answers part: by how many nats the token here is likelier than the one there, to the model here.
  double nats = 0;
  size_t prompt_tokens = 0, answer_tokens = 0;  // here
  bool same() const { return prompt.empty() && tokens.empty() && answer.empty(); }
};

// Ten built-in conversations: with and without system message, of several turns, in several scripts. A system
// message that the chat template refuses is left out. The bundle's weights are loaded; what its model
// computes in is computed here. Error(kInput) naming the address where the server does not answer, or not as
// llama-server does.
void verify(const ModelBundle& bundle, const VerifyOptions& options,
            const std::function<void(const Comparison&)>& on_each);

}  // namespace sdft::gguf
