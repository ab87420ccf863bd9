// Text generation with continuous batching. Requests, each with its own sampling, limit, stops and adapter,
// are submitted at any time; a fixed number of slots decode together; a slot whose answer is finished takes
// the next request, whose prompt joins the very next forward pass. A request draws from a random stream of
// its own, Random(seed, id): neither batch size, order nor neighbours decide what is sampled.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "infer/constraints.h"
#include "infer/sampler.h"
#include "model/model.h"

namespace sdft {

inline constexpr int64_t kMaxNewTokens = 512;  // of an answer, where nobody says another limit

struct Request {
  std::string id;  // names the random stream: equal ids with equal prompts get equal answers
  std::vector<int32_t> prompt;
};

// How a request is answered.
struct RequestOptions {
  SamplingOptions sampling;
  int64_t max_new_tokens = kMaxNewTokens;
  std::vector<int32_t> stop_ids;  // as generate_options() gives them; none: only a limit ends an answer
  Constraints constraints;
  uint64_t seed = 0;
  // So many of the likeliest tokens are scored beside each (on_score); -1: none is, and no token either.
  int64_t top_logprobs = -1;
  const Adapter* adapter = nullptr;  // not owned; null: the weights as they are
};
// What makes no sense whatever the model, each value with its name: the one check of sampling options and
// limits, of flags, recipes, generation_config.json and the library.
std::vector<std::string> problems_of(const RequestOptions& options);

enum class FinishReason {
  kStop,           // a stop token or a stop string came, or on_token said so
  kLength,         // max_new_tokens were written
  kContext,        // the model's context was full before that
  kPromptTooLong,  // the prompt leaves no room for a single token: nothing was generated, nothing was cut
  kCancelled       // Engine::cancel()
};
// "stop", "length", "context", "prompt_too_long", "cancelled"
const char* name_of(FinishReason reason);

struct Completion {
  std::string id;
  size_t index = 0;          // what submit() gave
  std::vector<int32_t> ids;  // without the stop token, with what completed a stop string
  FinishReason finish = FinishReason::kStop;
  int32_t stop_token = -1;                // the one of stop_ids that ended it, or -1
  std::vector<int32_t> written() const {  // all that the model wrote, the stop token too
    std::vector<int32_t> all = ids;
    if (stop_token >= 0) all.push_back(stop_token);
    return all;
  }
};

// Each may be empty.
struct RequestCallbacks {
  // Each token as soon as it is there, not the stop token; false ends the answer (kStop). Called on the
  // thread of the worker that runs the request, so for different requests on several at once.
  std::function<bool(int32_t)> on_token;
  // Once, on the thread that called run().
  std::function<void(Completion)> on_done;
  // Before on_token, and of a stop token too, where top_logprobs asks for it. On the same thread.
  std::function<void(const TokenScore&)> on_score = {};
};

// Where generation stands, after each step.
struct GenerateProgress {
  size_t finished = 0;        // requests
  size_t requests = 0;        // submitted so far
  int64_t running = 0;        // slots in use
  int64_t prompt_tokens = 0;  // read so far
  int64_t new_tokens = 0;     // written so far, stop tokens included
  double share = 0;  // of all the work, about: how long answers become is a guess from those that ended
};

struct EngineOptions {
  int64_t batch_size = 0;  // slots; 0: as many as memory and the model's size make useful
  // Of few answers at once, so many tokens at most are guessed from the prompt and checked in one pass
  // (lookup.h): the same answers to the last bit, sooner where they repeat it. 0: none.
  int64_t prompt_lookup_num_tokens = 7;
  // Begin the requests in their order, so that answers come about in it too; else the longest prompts first,
  // which keeps the slots busy to the end. No answer depends on it.
  bool in_order = false;
  const Tokenizer* tokenizer = nullptr;     // not owned; for constraints.stop_strings, which need it
  const std::atomic<bool>* stop = nullptr;  // looked at before each step: Error(kInterrupted) once it is true
  std::function<void(const GenerateProgress&)> on_step;  // on the thread that called run()
};

std::vector<std::string> problems_of(const EngineOptions& options);
// As many slots for sequences of so many tokens as a quarter of the memory holds and the model's size makes
// useful.
int64_t useful_batch_size(const Model& model, int64_t tokens);

struct EngineState;

// submit() and cancel() may be called from any thread and from callbacks, run() from one at a time.
class Engine {
 public:
  // The model must outlive it. Error(kUsage) for impossible options.
  Engine(const Model& model, const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Queues a request and returns its number, counted from 0. Error(kInput) for an empty prompt or a token id
  // outside the vocabulary, Error(kUsage) for impossible options.
  size_t submit(Request request, const RequestOptions& options, RequestCallbacks callbacks);
  // Ends a request with what it has so far, before the next forward pass; one that has ended stays as it is.
  void cancel(size_t index);
  // Works until every request has ended, those that are submitted meanwhile included. How many workers there
  // are is settled at the beginning, by the requests that wait then. After an Error the engine is spent.
  void run();

 private:
  std::unique_ptr<EngineState> state_;
};

}  // namespace sdft
