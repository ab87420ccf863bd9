// What a client asks for: the bodies of OpenAI's HTTP interface (chat completions, completions, embeddings)
// as structs. Fields that would change an answer and are not supported are refused by name.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/example.h"
#include "infer/engine.h"

namespace sdft::serve {

// An answer that is none: its status, and OpenAI's {"error": {"message", "type", "param", "code"}}.
struct ApiError : std::runtime_error {
  ApiError(int http_status, const std::string& message, std::string about = "", std::string short_code = "")
      : std::runtime_error(message),
        status(http_status),
        param(std::move(about)),
        code(std::move(short_code)) {}
  Json body() const;

  int status;
  std::string param, code;
};

// What decides an answer; what is not given is the model's own (generation_config.json).
struct Wishes {
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<int64_t> top_k, max_tokens, seed;
  std::vector<std::string> stop;
  bool json_object = false;  // the answer is one; Service knows the tokens for it

  // Error-free: the values have been looked at.
  void apply(RequestOptions* options) const;
};

struct Ask {
  std::string model;  // "": the first one that is served
  bool chat = false;
  Example conversation;                         // of chat: messages and tools
  Json chat_template_kwargs;                    // of chat: null, or what the template is to read besides
  std::vector<std::string> texts;               // of completions, or
  std::vector<std::vector<int32_t>> token_ids;  // these
  Wishes wishes;
  int64_t n = 1;              // answers to each prompt
  int64_t top_logprobs = -1;  // likeliest tokens beside each one's log-probability; -1: neither
  bool echo = false;          // of completions: the prompt in front of the answer
  bool stream = false, include_usage = false;
};

// Throw ApiError (400) saying which field, and what was expected of it.
Ask read_chat(const Json& body);
Ask read_completion(const Json& body);

struct EmbeddingAsk {
  std::string model;
  std::vector<std::string> texts;
  bool base64 = false;  // the numbers as base64 of little-endian f32
};
EmbeddingAsk read_embedding(const Json& body);

}  // namespace sdft::serve
