#include "infer/constraints.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "infer/generator.h"
#include "infer/small_model.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::small_model;

// The ids below 10 that are ruled out behind `prompt` and `answer`; 9 is the stop token.
std::vector<int32_t> ruled_out(const Constraints& constraints, std::vector<int32_t> prompt,
                               const std::vector<int32_t>& answer = {}) {
  std::vector<float> logits(10, 1.0f);
  const size_t length = prompt.size();
  prompt.insert(prompt.end(), answer.begin(), answer.end());
  rule_out(constraints, {9, 100}, prompt, length, logits.data(), 10);
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < 10; ++id)
    if (std::isinf(logits[static_cast<size_t>(id)])) ids.push_back(id);
  return ids;
}

TEST(Constraints, NoneRulesNothingOut) {
  EXPECT_FALSE(Constraints().mask());
  EXPECT_THAT(ruled_out({}, {1, 2, 1, 2}), IsEmpty());
}

TEST(Constraints, SuppressedTokens) {
  Constraints c;
  c.suppress_tokens = {3, 4};
  c.begin_suppress_tokens = {5};
  EXPECT_THAT(ruled_out(c, {1}), ElementsAre(3, 4, 5));
  EXPECT_THAT(ruled_out(c, {1}, {2}), ElementsAre(3, 4));
}

TEST(Constraints, StopTokensWaitForTheLeastLength) {
  Constraints c;
  c.min_new_tokens = 2;
  EXPECT_THAT(ruled_out(c, {1, 1, 1}, {1}), ElementsAre(9));
  EXPECT_THAT(ruled_out(c, {1}, {1, 1}), IsEmpty());
  c = {};
  c.min_length = 4;
  EXPECT_THAT(ruled_out(c, {1}, {1, 1}), ElementsAre(9));
  EXPECT_THAT(ruled_out(c, {1, 1, 1}, {1}), IsEmpty());
}

// A bad word may begin in the prompt; one that is the stop token alone is none, as in Transformers.
TEST(Constraints, BadWordsAreNotCompleted) {
  Constraints c;
  c.bad_words_ids = {{2}, {1, 3}, {1, 2, 4}, {9}, {9, 9}};
  EXPECT_THAT(ruled_out(c, {5}), ElementsAre(2));
  EXPECT_THAT(ruled_out(c, {1}), ElementsAre(2, 3));
  EXPECT_THAT(ruled_out(c, {1}, {2}), ElementsAre(2, 4));
  EXPECT_THAT(ruled_out(c, {9}), ElementsAre(2, 9));
}

TEST(Constraints, NoRunOfTokensComesTwice) {
  Constraints c;
  c.no_repeat_ngram_size = 2;
  EXPECT_THAT(ruled_out(c, {1}), IsEmpty());
  EXPECT_THAT(ruled_out(c, {1, 2, 1, 3}, {1}), ElementsAre(2, 3));
  c.no_repeat_ngram_size = 3;
  EXPECT_THAT(ruled_out(c, {1, 2, 4, 5}, {1, 2}), ElementsAre(4));
  c.no_repeat_ngram_size = 1;
  EXPECT_THAT(ruled_out(c, {1, 2}, {4}), ElementsAre(1, 2, 4));
  c.no_repeat_ngram_size = INT64_MAX;
  EXPECT_THAT(ruled_out(c, {1, 2}, {4}), IsEmpty());
}

TEST(Constraints, WhatMakesNoSenseIsNamed) {
  Constraints c;
  c.suppress_tokens = {1, 61};
  c.begin_suppress_tokens = {-1};
  c.bad_words_ids = {{}, {3, 99}};
  c.min_new_tokens = -2;
  c.stop_strings = {"ok", ""};
  EXPECT_THAT(
      problems_of(c, 61),
      ElementsAre(HasSubstr("suppress_tokens has token id 61"), HasSubstr("begin_suppress_tokens has"),
                  HasSubstr("bad_words_ids has an empty"), HasSubstr("bad_words_ids has token id 99"),
                  HasSubstr("min_new_tokens is -2"), HasSubstr("stop_strings")));
}

// In whole generations, greedy and sampled: what is ruled out does not come, and all else is as before.
TEST(Constraints, HoldInGeneration) {
  const Model model = small_model();
  GenerateOptions options;
  options.max_new_tokens = 24;
  for (const double temperature : {0.0, 1.5}) {
    options.sampling.temperature = temperature;
    options.constraints = {};
    const Request request{"a", {3, 14, 15}};
    const auto free = generate(model, {request}, options)[0].ids;
    options.constraints.suppress_tokens = {free[4]};
    options.constraints.begin_suppress_tokens = {free[0]};
    options.constraints.no_repeat_ngram_size = 2;
    const auto bound = generate(model, {request}, options)[0].ids;
    EXPECT_EQ(std::count(bound.begin(), bound.end(), free[4]), 0);
    EXPECT_NE(bound[0], free[0]);
    for (size_t i = 1; i < bound.size(); ++i)
      for (size_t k = i + 1; k < bound.size(); ++k)
        EXPECT_FALSE(bound[i - 1] == bound[k - 1] && bound[i] == bound[k]) << i << ' ' << k;
    options.constraints = {};
    options.constraints.bad_words_ids = {{free[1], free[2]}};
    const auto worded = generate(model, {request}, options)[0].ids;
    EXPECT_EQ(std::vector<int32_t>(worded.begin(), worded.begin() + 2),
              std::vector<int32_t>(free.begin(), free.begin() + 2));
    EXPECT_NE(worded[2], free[2]);
    options.constraints = {};
    options.stop_ids = {free[2], free[0]};
    options.constraints.min_new_tokens = 9;
    EXPECT_GE(generate(model, {request}, options)[0].ids.size(), 9u);
    options.stop_ids = {};
  }
}

TEST(Constraints, NothingLeftIsAnErrorThatSaysSo) {
  const Model model = small_model();
  GenerateOptions options;
  for (int32_t id = 0; id < 61; ++id) options.constraints.suppress_tokens.push_back(id);
  try {
    generate(model, {{"a", {1}}}, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("suppress_tokens"));
  }
}

struct StopStrings : ::testing::Test {
  const std::filesystem::path seed = std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed";
  Tokenizer tokenizer = Tokenizer::load(seed);
};

TEST_F(StopStrings, AreFoundAcrossTokens) {
  const std::vector<std::string> strings = {"two. Th", "never"};
  const auto ids = tokenizer.encode("One, two. Three, four.");
  StopStringSearch search(tokenizer, strings);
  std::vector<int32_t> read;
  bool found = false;
  for (size_t i = 0; i < ids.size() && !found; ++i) {
    read.push_back(ids[i]);
    found = search.add(ids[i]);
    EXPECT_EQ(found, tokenizer.decode(read).find("two. Th") != std::string::npos) << i;
  }
  EXPECT_TRUE(found);
  const std::string end = tokenizer.token_of(*tokenizer.eos_id());
  const std::vector<std::string> special = {end};
  EXPECT_TRUE(StopStringSearch(tokenizer, special).add(*tokenizer.eos_id())) << "spelled out";
}

TEST_F(StopStrings, EndAnAnswerAndStayInIt) {
  const Model model = load_model(seed, {"cpu", "f32"});
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_new_tokens = 40;
  const Request request{"a", tokenizer.encode("The answer is", {true, true})};
  const Completion free = generate(model, {request}, options)[0];
  const std::string text = tokenizer.decode(free.ids);
  ASSERT_GT(text.size(), 12u);
  options.constraints.stop_strings = {text.substr(6, 4)};
  EXPECT_THROW(generate(model, {request}, options), Error) << "no tokenizer";
  options.tokenizer = &tokenizer;
  const Completion ended = generate(model, {request}, options)[0];
  EXPECT_EQ(ended.finish, FinishReason::kStop);
  EXPECT_LT(ended.ids.size(), free.ids.size());
  const std::string kept = tokenizer.decode(ended.ids);
  EXPECT_THAT(kept, HasSubstr(text.substr(6, 4)));
  EXPECT_EQ(text.substr(0, kept.size()), kept);
  std::vector<int32_t> before(ended.ids.begin(), ended.ids.end() - 1);
  EXPECT_THAT(tokenizer.decode(before), ::testing::Not(HasSubstr(text.substr(6, 4)))) << "not a token more";
}

}  // namespace
}  // namespace sdft
