// Requests that differ in everything, in one engine: each is answered as if it were alone.
#include "infer/engine.h"

#include <gmock/gmock.h>

#include <future>
#include <map>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "infer/small_model.h"
#include "model/lora.h"
#include "testing.h"

namespace sdft {
namespace {
using testing::random_prompts;
using testing::small_model;

Adapter adapter_of(Model& model, uint64_t seed) {
  LoraConfig config;
  config.target_modules = {"all-linear"};
  config.rank = 4;
  Adapter adapter = init_adapter(model, config, seed);
  Random random(seed);
  for (auto& [name, pair] : adapter.pairs)
    for (float *x = pair.b.data_ptr<float>(), *end = x + pair.b.numel(); x != end; ++x)
      *x = static_cast<float>(random.uniform() - 0.5);
  return adapter;
}

std::vector<Request> prompts(size_t count) {
  std::vector<Request> requests;
  for (const auto& prompt : random_prompts(count, 70, 3))
    requests.push_back({std::to_string(requests.size()), prompt});
  return requests;
}

// Every other one greedy, limits, stops, seeds and adapters in turn.
RequestOptions options_of(size_t i, const std::vector<const Adapter*>& adapters) {
  RequestOptions options;
  options.sampling.temperature = i % 2 ? 0.9 : 0.0;
  options.sampling.repetition_penalty = i % 5 == 0 ? 1.3 : 1.0;
  options.max_new_tokens = 5 + static_cast<int64_t>(i % 7) * 4;
  options.stop_ids = {static_cast<int32_t>(i % 11)};
  options.constraints.no_repeat_ngram_size = i % 3 == 0 ? 2 : 0;
  options.seed = i;
  options.adapter = adapters[i % adapters.size()];
  return options;
}

std::vector<int32_t> alone(const Model& model, const Request& request, const RequestOptions& options) {
  std::vector<int32_t> ids;
  Engine engine(model, {});
  engine.submit(request, options, {{}, [&](Completion completion) { ids = completion.ids; }});
  engine.run();
  return ids;
}

class EngineTest : public ::testing::Test {
 protected:
  Model model_ = small_model();
};

// The same answers to the last token with guesses and without, greedy and sampled, alone and beside others;
// of text that repeats itself they take fewer passes.
TEST_F(EngineTest, GuessesChangeNoAnswer) {
  const Adapter one = adapter_of(model_, 1);
  for (const size_t count : {1, 2, 3, 9})
    for (const double temperature : {0.0, 0.7}) {
      std::vector<Request> requests = prompts(count);
      for (Request& request : requests) {  // what was written twice is guessed a third time
        const std::vector<int32_t> once = request.prompt;
        for (int i = 0; i < 2; ++i) request.prompt.insert(request.prompt.end(), once.begin(), once.end());
        request.prompt.resize(std::min<size_t>(request.prompt.size(), 60));
      }
      std::map<size_t, std::vector<int32_t>> answers[2];
      int64_t passes[2] = {0, 0};
      for (const bool guess : {false, true}) {
        EngineOptions options;
        options.prompt_lookup_num_tokens = guess ? 7 : 0;
        options.on_step = [&](const GenerateProgress&) { ++passes[guess]; };
        Engine engine(model_, options);
        for (size_t i = 0; i < count; ++i) {
          RequestOptions own;
          own.sampling.temperature = temperature;
          own.max_new_tokens = 40 + static_cast<int64_t>(i);
          if (count == 9) own.stop_ids = {static_cast<int32_t>(i)};
          own.adapter = i % 2 ? &one : nullptr;
          engine.submit(requests[i], own, {{}, [&, guess](Completion completion) {
                                             answers[guess][completion.index] = completion.written();
                                           }});
        }
        engine.run();
      }
      EXPECT_EQ(answers[0], answers[1]) << count << " requests, temperature " << temperature;
      if (count == 1 && temperature == 0) {
        EXPECT_LT(passes[1] * 3, passes[0] * 2) << "it falls into a loop";
      }
    }
}

TEST_F(EngineTest, RequestsThatDifferInEverythingShareABatch) {
  const Adapter one = adapter_of(model_, 1), two = adapter_of(model_, 2);
  const std::vector<const Adapter*> adapters = {nullptr, &one, &two};
  const auto requests = prompts(30);
  std::map<size_t, std::vector<int32_t>> answers;
  Engine engine(model_, {});
  for (size_t i = 0; i < requests.size(); ++i)
    engine.submit(requests[i], options_of(i, adapters), {{}, [&](Completion completion) {
                                                           EXPECT_EQ(completion.id,
                                                                     std::to_string(completion.index));
                                                           answers[completion.index] = completion.ids;
                                                         }});
  engine.run();
  ASSERT_EQ(answers.size(), requests.size());
  for (size_t i = 0; i < requests.size(); ++i)
    EXPECT_EQ(answers[i], alone(model_, requests[i], options_of(i, adapters))) << i;
  // The adapters are not idle.
  RequestOptions seed = options_of(0, adapters), tuned = seed;
  tuned.adapter = &one;
  EXPECT_NE(alone(model_, requests[0], seed), alone(model_, requests[0], tuned));
}

// Prompts that begin alike, at any length: what one has read the others take over, to the same bits.
TEST_F(EngineTest, CommonBeginningsAreReadOnce) {
  Model model = small_model(1000);
  const Adapter one = adapter_of(model, 1);
  const std::vector<const Adapter*> adapters = {nullptr, &one};
  std::vector<int32_t> head(513), other(513);
  for (size_t t = 0; t < head.size(); ++t) {
    head[t] = static_cast<int32_t>(t * t % 59);
    other[t] = static_cast<int32_t>(t * t * t % 61);
  }
  for (const auto precision : {ops::MatmulPrecision::kFull, ops::MatmulPrecision::kBf16}) {
    model.precision = precision;
    std::vector<Request> requests = prompts(24);
    const int64_t shared[] = {15, 16, 17, 100, 254, 255, 256, 257, 300, 511, 512, 513};
    for (size_t i = 0; i < requests.size(); ++i) {
      auto& prompt = requests[i].prompt;
      if (i % 5 == 4) prompt.resize(1);
      const auto& from = i % 7 == 0 ? other : head;
      prompt.insert(prompt.begin(), from.begin(), from.begin() + shared[i % 12]);
    }
    std::map<size_t, std::vector<int32_t>> answers;
    int64_t read = 0, all = 0;
    EngineOptions engine_options;
    engine_options.on_step = [&](const GenerateProgress& progress) { read = progress.prompt_tokens; };
    Engine engine(model, engine_options);
    for (size_t i = 0; i < requests.size(); ++i) {
      engine.submit(requests[i], options_of(i, adapters),
                    {{}, [&](Completion completion) { answers[completion.index] = completion.ids; }});
      all += static_cast<int64_t>(requests[i].prompt.size());
    }
    engine.run();
    for (size_t i = 0; i < requests.size(); ++i)
      EXPECT_EQ(answers[i], alone(model, requests[i], options_of(i, adapters))) << i;
    EXPECT_LT(read, all * 2 / 3);
  }
}

TEST_F(EngineTest, TokensAreStreamedAndAnAnswerCanBeEnded) {
  const auto requests = prompts(12);
  RequestOptions options;
  options.max_new_tokens = 20;
  std::vector<std::vector<int32_t>> streamed(requests.size());
  std::map<size_t, Completion> done;
  Engine engine(model_, {});
  for (size_t i = 0; i < requests.size(); ++i) {
    RequestCallbacks callbacks;
    callbacks.on_token = [&streamed, i](int32_t id) {
      streamed[i].push_back(id);
      return i != 4 || streamed[i].size() < 3;
    };
    callbacks.on_done = [&](Completion completion) { done[completion.index] = std::move(completion); };
    engine.submit(requests[i], options, callbacks);
  }
  engine.run();
  for (size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(done[i].ids, streamed[i]) << i;
  EXPECT_EQ(done[4].ids.size(), 3u);
  EXPECT_EQ(done[4].finish, FinishReason::kStop);
}

TEST_F(EngineTest, CancelEndsWhatWaitsAndWhatRuns) {
  set_num_threads(1);  // one worker: of two, one could do all while the other waits for its core
  RequestOptions options;
  options.sampling.temperature = 0;
  options.max_new_tokens = 60;
  EngineOptions engine_options;
  engine_options.batch_size = 2;
  engine_options.in_order = true;
  Engine engine(model_, engine_options);
  std::map<size_t, Completion> done;
  auto on_done = [&](Completion completion) { done[completion.index] = std::move(completion); };
  const auto requests = prompts(6);
  size_t tokens = 0;
  engine.submit(requests[0], options,
                {[&](int32_t) {
                   if (++tokens == 1) engine.cancel(5);
                   if (tokens == 5) engine.cancel(0);
                   return true;
                 },
                 on_done});
  for (size_t i = 1; i < requests.size(); ++i) engine.submit(requests[i], options, {{}, on_done});
  engine.cancel(3);
  engine.run();
  ASSERT_EQ(done.size(), requests.size());
  EXPECT_EQ(done[3].finish, FinishReason::kCancelled);
  EXPECT_TRUE(done[3].ids.empty());
  EXPECT_EQ(done[0].finish, FinishReason::kCancelled);
  EXPECT_EQ(done[0].ids.size(), 5u);
  EXPECT_EQ(done[5].finish, FinishReason::kCancelled);
  for (size_t i : {1, 2, 4}) EXPECT_EQ(done[i].ids, alone(model_, requests[i], options)) << i;
  set_num_threads(0);
  engine.cancel(1);    // has ended
  engine.cancel(100);  // was never there
}

TEST_F(EngineTest, RequestsComeWhileItWorks) {
  const auto requests = prompts(8);
  RequestOptions options;
  options.sampling.temperature = 0;
  options.max_new_tokens = 30;
  std::map<std::string, std::vector<int32_t>> answers;
  Engine engine(model_, {});
  // Each answer asks the next question; one comes from another thread while the first is answered.
  std::promise<void> begun;
  std::function<void(size_t)> ask = [&](size_t i) {
    RequestCallbacks callbacks;
    callbacks.on_token = [&, i, first = true](int32_t) mutable {
      if (i == 0 && first) begun.set_value();
      first = false;
      return true;
    };
    callbacks.on_done = [&, i](Completion completion) {
      answers[completion.id] = completion.ids;
      if (i + 1 < 7) ask(i + 1);
    };
    engine.submit(requests[i], options, callbacks);
  };
  ask(0);
  std::thread other([&] {
    begun.get_future().wait();
    engine.submit(requests[7], options,
                  {{}, [&](Completion completion) { answers[completion.id] = completion.ids; }});
  });
  engine.run();
  other.join();
  engine.run();  // where it came after the last answer
  ASSERT_EQ(answers.size(), requests.size());
  for (const Request& request : requests) EXPECT_EQ(answers[request.id], alone(model_, request, options));
}

TEST_F(EngineTest, WhatCannotBeAskedIsSaidAtOnce) {
  Engine engine(model_, {});
  RequestOptions options;
  EXPECT_THROW(engine.submit({"a", {}}, options, {}), Error);
  EXPECT_THROW(engine.submit({"a", {1000000}}, options, {}), Error);
  options.max_new_tokens = 0;
  EXPECT_THROW(engine.submit({"a", {1}}, options, {}), Error);
  options = {};
  options.constraints.stop_strings = {"x"};  // and no tokenizer
  EXPECT_THROW(engine.submit({"a", {1}}, options, {}), Error);
  engine.run();
  EngineOptions impossible;
  impossible.batch_size = -1;
  EXPECT_THROW(Engine(model_, impossible), Error);
}

// Known from the first pass on, before an answer ends, and whole at the end, prompts that are copied
// included.
TEST_F(EngineTest, SaysItsShareOfTheWork) {
  set_num_threads(1);  // one worker, whose steps are all told
  EngineOptions engine_options;
  engine_options.batch_size = 3;
  engine_options.prompt_lookup_num_tokens = 0;  // many steps
  std::vector<GenerateProgress> steps;
  engine_options.on_step = [&](const GenerateProgress& progress) { steps.push_back(progress); };
  Engine engine(model_, engine_options);
  const std::vector<int32_t> beginning = random_prompts(1, 60, 9)[0];
  for (size_t i = 0; i < 8; ++i) {
    RequestOptions options;
    options.max_new_tokens = 4 + static_cast<int64_t>(i);
    std::vector<int32_t> prompt = beginning;
    prompt.push_back(static_cast<int32_t>(i));
    engine.submit({std::to_string(i), prompt}, options, {});
  }
  engine.run();
  set_num_threads(0);
  ASSERT_GT(steps.size(), 3u);
  bool early = false;
  for (const GenerateProgress& step : steps) {
    EXPECT_GE(step.share, 0.0);
    EXPECT_LE(step.share, 1.0);
    early |= step.finished == 0 && step.share > 0;
  }
  EXPECT_TRUE(early);
  EXPECT_DOUBLE_EQ(steps.back().share, 1.0);
}

}  // namespace
}  // namespace sdft
