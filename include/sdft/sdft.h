// sdft as a library: a chat model out of a folder, asked and scored with its adapter on or off, and whole
// runs out of a recipe. No header of another library is needed. Everything that fails throws sdft::Error.
// All of it is in sdft::api: the plain namespace sdft is the library's inside, whose names may change.
//
// Threads: any may call, one at a time; each call computes on as many as the options say. Signals: their
// handlers must not run on a thread that computes (oneDNN's code uses the stack register for something else),
// so that a program which handles some calls from a thread that blocks them, and interrupt() from another.
// Beside other programs that compute, set GOMP_SPINCOUNT=1000 before the program starts, as the commands do
// for themselves: OpenMP's threads otherwise wait for each other by keeping the cores busy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "sdft/error.h"

namespace sdft::api {

using sdft::Error;
using sdft::ExitCode;

struct ChatMessage {
  std::string role;  // "system" (the first one only), "user", "assistant", the last two in turn
  std::string content;
};
using Conversation = std::vector<ChatMessage>;

struct ChatModelOptions {
  std::string adapter;          // PEFT folder; "": none
  std::string device = "auto";  // auto, cpu or cuda
  std::string dtype = "auto";   // auto (f32 on a CPU, bf16 on a GPU), f32 or bf16
  int threads = 0;              // 0: all
  std::string weights =
      "auto";  // auto (as stored, computed in f32), f32, or with products in fewer bits: bf16, int8, q4
};

struct AnswerOptions {
  double temperature = 0;  // 0: greedy
  int64_t top_k = 0;       // 0: all tokens
  double top_p = 1;
  double repetition_penalty = 1;
  int64_t max_new_tokens = 512;
  uint64_t seed = 42;  // a conversation's answer depends on it and on the conversation's place in the list
};

struct Answer {
  std::string text;
  std::string finish;  // stop, length, context, prompt_too_long (then there is no text)
  size_t tokens = 0;
};

struct LogLikelihood {
  double log_prob = 0;  // natural logarithm, summed over the answer's tokens and the end of turn
  int64_t tokens = 0;
};

// One resident copy of the weights: the seed model, and with the adapter on the tuned one.
class SDFT_API ChatModel {
 public:
  // A Hugging Face model folder with a chat template.
  explicit ChatModel(const std::filesystem::path& dir, const ChatModelOptions& options = {});
  ~ChatModel();
  ChatModel(ChatModel&&) noexcept;
  ChatModel& operator=(ChatModel&&) noexcept;

  // On from the start where there is an adapter.
  void use_adapter(bool on);
  // Answers to conversations that end with a user's message, in their order; they are generated together.
  std::vector<Answer> answer(const std::vector<Conversation>& conversations,
                             const AnswerOptions& options = {}) const;
  // Of the last message, an assistant's, given those before it.
  std::vector<LogLikelihood> score(const std::vector<Conversation>& conversations) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What `sdft run` does: rewrite, train, evaluate, report, into the recipe's output_dir; goes on where it was
// stopped. settings: "key=value", which win over the file; recipe may be empty. Returns the report as text.
SDFT_API std::string run(const std::filesystem::path& recipe, const std::vector<std::string>& settings = {});

// on: what computes in this process throws Error(kInterrupted) soon, and so does what begins later; off: no
// longer. From any thread.
SDFT_API void interrupt(bool on = true);

}  // namespace sdft::api
