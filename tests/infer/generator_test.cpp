#include "infer/generator.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <thread>

#include "base/error.h"
#include "infer/cache.h"
#include "infer/small_model.h"
#include "testing.h"

namespace sdft {
namespace {
using ::testing::HasSubstr;
using testing::random_prompts;
using testing::small_model;

std::vector<Request> requests_of(const std::vector<std::vector<int32_t>>& prompts) {
  std::vector<Request> requests;
  for (size_t i = 0; i < prompts.size(); ++i)
    requests.push_back({"request-" + std::to_string(i), prompts[i]});
  return requests;
}

GenerateOptions greedy(int64_t max_new_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_new_tokens = max_new_tokens;
  return options;
}

GenerateOptions sampled(int64_t max_new_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0.95;
  options.sampling.top_k = 50;
  options.sampling.top_p = 0.7;
  options.max_new_tokens = max_new_tokens;
  options.seed = 17;
  return options;
}

// The textbook way: the whole sequence through the model for every token, no cache, no batch.
std::vector<int32_t> without_cache(const Model& model, const Request& request,
                                   const GenerateOptions& options) {
  at::NoGradGuard no_grad;
  std::vector<int32_t> ids = request.prompt, answer;
  Random random(options.seed, request.id);
  while (static_cast<int64_t>(answer.size()) < options.max_new_tokens &&
         static_cast<int64_t>(ids.size()) < model.config.max_position_embeddings) {
    const Tensor hidden = forward(model, pack({ids}, at::kCPU));
    const Tensor row = logits(model, hidden.narrow(0, hidden.size(0) - 1, 1)).contiguous();
    const int32_t token = sample_token(row.data_ptr<float>(), row.size(1), options.sampling, random);
    if (std::count(options.stop_ids.begin(), options.stop_ids.end(), token)) break;
    answer.push_back(token);
    ids.push_back(token);
  }
  return answer;
}

std::vector<std::vector<int32_t>> ids_of(const std::vector<Completion>& completions) {
  std::vector<std::vector<int32_t>> ids;
  for (const Completion& completion : completions) ids.push_back(completion.ids);
  return ids;
}

TEST(Generator, CacheChangesNothing) {
  const Model model = small_model();
  const auto requests = requests_of(random_prompts(12, 40, 1));
  for (GenerateOptions options : {greedy(30), sampled(30)}) {
    options.stop_ids = {7};
    const auto completions = generate(model, requests, options);
    for (size_t i = 0; i < requests.size(); ++i)
      EXPECT_EQ(completions[i].ids, without_cache(model, requests[i], options)) << i;
  }
}

// Every number of a sequence is computed in an order that depends on that sequence only: equal, not nearly
// equal.
TEST(Generator, BatchSizeChangesNothing) {
  const Model model = small_model();
  const auto requests = requests_of(random_prompts(40, 60, 2));
  for (GenerateOptions options : {greedy(36), sampled(36)}) {
    options.batch_size = 1;
    const auto alone = ids_of(generate(model, requests, options));
    for (int64_t batch_size : {0, 2, 3, 7, 16, 40, 1000}) {
      options.batch_size = batch_size;
      EXPECT_EQ(ids_of(generate(model, requests, options)), alone) << batch_size;
    }
  }
}

TEST(Generator, ThreadsChangeNothing) {
  const Model model = small_model();
  const auto requests = requests_of(random_prompts(20, 30, 3));
  const auto wanted = ids_of(generate(model, requests, sampled(20)));
  for (int threads : {1, 2, 5}) {
    set_num_threads(threads);
    EXPECT_EQ(ids_of(generate(model, requests, sampled(20))), wanted) << threads;
  }
  set_num_threads(0);
}

TEST(Generator, OrderOfRequestsChangesNothing) {
  const Model model = small_model();
  auto requests = requests_of(random_prompts(25, 30, 4));
  const auto before = generate(model, requests, sampled(20));
  std::reverse(requests.begin(), requests.end());
  std::swap(requests[3], requests[11]);
  for (const Completion& after : generate(model, requests, sampled(20))) {
    EXPECT_EQ(after.id, requests[after.index].id);
    const auto same =
        std::find_if(before.begin(), before.end(), [&](const Completion& c) { return c.id == after.id; });
    EXPECT_EQ(same->ids, after.ids);
  }
}

TEST(Generator, SeedAndIdDecideWhatIsSampled) {
  const Model model = small_model();
  std::vector<Request> requests(3, Request{"a", {1, 2, 3}});
  requests[2].id = "b";
  GenerateOptions options = sampled(40);
  options.sampling = SamplingOptions();
  const auto first = generate(model, requests, options);
  EXPECT_EQ(first[0].ids, first[1].ids);
  EXPECT_NE(first[0].ids, first[2].ids);
  options.seed++;
  EXPECT_NE(generate(model, requests, options)[0].ids, first[0].ids);
}

TEST(Generator, LongPromptsAreReadInPieces) {
  const Model model = small_model(1200);
  auto prompts = random_prompts(5, 30, 5);
  for (size_t length : {256u, 257u, 511u, 513u, 1190u}) {
    prompts.push_back(random_prompts(1, 1, length)[0]);
    prompts.back().resize(length, static_cast<int32_t>(length % 61));
    for (size_t i = 0; i < length; ++i) prompts.back()[i] = static_cast<int32_t>((i * i + length) % 61);
  }
  const auto requests = requests_of(prompts);
  const auto together = generate(model, requests, greedy(8));
  for (size_t i = 0; i < requests.size(); ++i)
    EXPECT_EQ(together[i].ids, without_cache(model, requests[i], greedy(8))) << prompts[i].size();
}

TEST(Generator, StopTokensEndAnAnswerAndAreLeftOut) {
  const Model model = small_model();
  const auto requests = requests_of(random_prompts(20, 20, 6));
  const auto free = generate(model, requests, greedy(40));
  GenerateOptions options = greedy(40);
  options.stop_ids = {free[0].ids[5], free[1].ids[2], 100000, -4};  // ids outside the vocabulary never come
  const std::set<int32_t> stops(options.stop_ids.begin(), options.stop_ids.end());
  size_t stopped = 0;
  for (const Completion& completion : generate(model, requests, options)) {
    const auto& all = free[completion.index].ids;
    const auto cut = std::find_if(all.begin(), all.end(), [&](int32_t id) { return stops.count(id) > 0; });
    EXPECT_EQ(completion.ids, std::vector<int32_t>(all.begin(), cut));
    EXPECT_EQ(completion.finish, cut == all.end() ? FinishReason::kLength : FinishReason::kStop);
    stopped += completion.finish == FinishReason::kStop;
  }
  EXPECT_GE(stopped, 2u);
}

TEST(Generator, LimitsAreKeptAndNamed) {
  const Model model = small_model(32);
  std::vector<Request> requests;
  for (size_t length : {1u, 20u, 31u, 32u, 50u})
    requests.push_back({std::to_string(length), std::vector<int32_t>(length, 9)});
  const auto completions = generate(model, requests, greedy(10));
  auto expect = [&](size_t index, size_t tokens, const std::string& finish) {
    EXPECT_EQ(completions[index].index, index);
    EXPECT_EQ(completions[index].id, requests[index].id);
    EXPECT_EQ(completions[index].ids.size(), tokens) << index;
    EXPECT_EQ(name_of(completions[index].finish), finish) << index;
  };
  expect(0, 10, "length");
  expect(1, 10, "length");
  expect(2, 1, "context");
  expect(3, 0, "prompt_too_long");
  expect(4, 0, "prompt_too_long");
}

TEST(Generator, EachAnswerComesOnceOnTheCallersThread) {
  const Model model = small_model();
  const auto requests = requests_of(random_prompts(100, 20, 8));
  std::multiset<size_t> seen;
  GenerateProgress last;
  GenerateOptions options = sampled(15);
  options.batch_size = 9;
  const auto self = std::this_thread::get_id();
  options.on_step = [&](const GenerateProgress& progress) {
    EXPECT_EQ(std::this_thread::get_id(), self);
    EXPECT_GE(progress.new_tokens, last.new_tokens);
    EXPECT_LE(progress.running, 10);
    last = progress;
  };
  generate(model, requests, options, [&](const Completion& completion) {
    EXPECT_EQ(std::this_thread::get_id(), self);
    seen.insert(completion.index);
  });
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_EQ(std::set<size_t>(seen.begin(), seen.end()).size(), 100u);
  EXPECT_EQ(last.finished, 100u);
  EXPECT_EQ(last.running, 0);
  int64_t prompt_tokens = 0;
  for (const Request& request : requests) prompt_tokens += static_cast<int64_t>(request.prompt.size());
  EXPECT_EQ(last.prompt_tokens, prompt_tokens);
}

TEST(Generator, StopsWhenAskedTo) {
  const Model model = small_model();
  const auto requests = requests_of(random_prompts(50, 20, 9));
  std::atomic<bool> stop{false};
  GenerateOptions options = greedy(60);
  options.batch_size = 4;
  options.stop = &stop;
  size_t done = 0;
  try {
    generate(model, requests, options, [&](const Completion&) { stop = ++done >= 3; });
    FAIL() << "did not stop";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInterrupted);
  }
  EXPECT_GE(done, 3u);
  EXPECT_LT(done, 50u);
}

TEST(Generator, AnExceptionOfTheCallerEndsIt) {
  const Model model = small_model();
  const auto requests = requests_of(random_prompts(50, 20, 10));
  EXPECT_THROW(
      generate(model, requests, greedy(20), [](const Completion&) { throw std::runtime_error("disk full"); }),
      std::runtime_error);
}

TEST(Generator, TokensOfOneAnswerArriveAsTheyCome) {
  const Model model = small_model();
  const Request request{"chat", {5, 6, 7}};
  std::vector<int32_t> streamed;
  const Completion all = generate_one(model, request, greedy(20), [&](int32_t id) {
    streamed.push_back(id);
    return true;
  });
  EXPECT_EQ(streamed, all.ids);
  EXPECT_EQ(all.ids, generate(model, {request}, greedy(20))[0].ids);
  const Completion cut =
      generate_one(model, request, greedy(20), [&, count = 0](int32_t) mutable { return ++count < 4; });
  EXPECT_EQ(cut.ids, std::vector<int32_t>(all.ids.begin(), all.ids.begin() + 4));
  EXPECT_EQ(cut.finish, FinishReason::kStop);
  EXPECT_EQ(generate_one(model, request, greedy(20), {}).ids, all.ids);
}

TEST(Generator, BadRequestsAreNamed) {
  const Model model = small_model();
  auto message = [&](const Request& request) -> std::string {
    try {
      generate(model, {{"good", {1}}, request}, greedy(2));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message({"empty one", {}}), HasSubstr("empty one"));
  EXPECT_THAT(message({"strange", {3, 61}}), ::testing::AllOf(HasSubstr("strange"), HasSubstr("61")));
  EXPECT_THAT(message({"strange", {-1}}), HasSubstr("-1"));
  GenerateOptions options = greedy(0);
  EXPECT_THROW(generate(model, {{"a", {1}}}, options), Error);
  EXPECT_TRUE(generate(model, {}, greedy(2)).empty());
}

TEST(Cache, GrowsAndKeepsWhatIsThere) {
  const Model model = small_model(1000);
  GrowingCache cache;
  reserve(model, cache, 3, 5);
  EXPECT_GE(cache.capacity, 5);
  for (Tensor& keys : cache.kv.keys) keys.fill_(2.0);
  const int64_t before = cache.capacity;
  reserve(model, cache, 3, 300);
  EXPECT_GE(cache.capacity, 300);
  EXPECT_LT(cache.capacity, 500);
  for (const Tensor& keys : cache.kv.keys) EXPECT_TRUE(keys.narrow(2, 0, before).eq(2.0).all().item<bool>());
  reserve(model, cache, 7, 10);
  EXPECT_EQ(cache.rows, 7);
  for (const Tensor& keys : cache.kv.keys) {
    EXPECT_TRUE(keys.narrow(0, 0, 3).narrow(2, 0, before).eq(2.0).all().item<bool>());
    EXPECT_TRUE(keys.narrow(0, 3, 4).eq(0.0).all().item<bool>());
  }
  reserve(model, cache, 7, 990);
  EXPECT_EQ(cache.capacity, 1000) << "never more than the context";
}

}  // namespace
}  // namespace sdft
