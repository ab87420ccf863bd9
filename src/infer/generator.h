// Text generation with continuous batching: a fixed number of slots decode together; a slot whose answer is
// finished takes the next prompt, whose tokens join the very next forward pass. Each request draws from a
// random stream of its own, Random(seed, id), so that neither batch size nor order decides what is sampled.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "infer/constraints.h"
#include "infer/sampler.h"
#include "model/model.h"

namespace sdft {

// Where generation stands, after each step.
struct GenerateProgress {
  size_t finished = 0;        // requests
  size_t requests = 0;        // of all
  int64_t running = 0;        // slots in use
  int64_t prompt_tokens = 0;  // read so far
  int64_t new_tokens = 0;     // written so far, stop tokens included
};

inline constexpr int64_t kMaxNewTokens = 512;  // of an answer, where nobody says another limit

struct GenerateOptions {
  SamplingOptions sampling;
  int64_t max_new_tokens = kMaxNewTokens;
  std::vector<int32_t>
      stop_ids;  // what data/turn_end.h's stop_ids() gives; none: only a limit ends an answer
  Constraints constraints;
  const Tokenizer* tokenizer = nullptr;  // not owned; for constraints.stop_strings, which need it
  uint64_t seed = 0;
  // Begin the prompts in their order, so that answers come about in it too; else the longest first, which
  // keeps the slots busy to the end. No answer depends on it.
  bool in_order = false;
  int64_t batch_size = 0;                   // slots; 0: as many as memory and the model's size make useful
  const std::atomic<bool>* stop = nullptr;  // looked at before each step: Error(kInterrupted) once it is true
  std::function<void(const GenerateProgress&)> on_step;
};

// What makes no sense whatever the model, each value with its name: the one check of sampling options and
// limits, of flags, recipes, generation_config.json and the library.
std::vector<std::string> problems_of(const GenerateOptions& options);

struct Request {
  std::string id;  // names the random stream: equal ids with equal prompts get equal answers
  std::vector<int32_t> prompt;
};

enum class FinishReason {
  kStop,          // a stop token or a stop string came
  kLength,        // max_new_tokens were written
  kContext,       // the model's context was full before that
  kPromptTooLong  // the prompt leaves no room for a single token: nothing was generated, nothing was cut
};
const char* name_of(FinishReason reason);  // "stop", "length", "context", "prompt_too_long"

struct Completion {
  std::string id;
  size_t index = 0;          // in the requests
  std::vector<int32_t> ids;  // without the stop token, with what completed a stop string
  FinishReason finish = FinishReason::kStop;
};

// Calls on_done on the caller's thread as answers finish, in no particular order, once for each request.
// Throws Error(kInput) for an empty prompt or a token id outside the vocabulary, Error(kUsage) for impossible
// options.
void generate(ModelView model, const std::vector<Request>& requests, const GenerateOptions& options,
              const std::function<void(Completion)>& on_done);
// All answers, in the order of the requests.
std::vector<Completion> generate(ModelView model, const std::vector<Request>& requests,
                                 const GenerateOptions& options);
// One answer, each token passed on as soon as it is there (not the stop token); on_token returning false ends
// it (kStop).
Completion generate_one(ModelView model, const Request& request, const GenerateOptions& options,
                        const std::function<bool(int32_t)>& on_token);

}  // namespace sdft
