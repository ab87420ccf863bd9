#include "infer/scorer.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/error.h"
#include "infer/prefixes.h"
#include "infer/small_model.h"
#include "testing.h"

namespace sdft {
namespace {
using ::testing::HasSubstr;
using testing::random_prompts;
using testing::small_model;

ScoreItem item_of(const std::vector<int32_t>& ids, std::vector<uint8_t> supervised = {}) {
  if (supervised.empty()) {
    supervised.assign(ids.size(), 1);
    supervised[0] = 0;
  }
  return {ids, supervised};
}

// By ATen's own log_softmax, one sequence at a time, in f64 from the logits on.
Score by_hand(const Model& model, const ScoreItem& item) {
  at::NoGradGuard no_grad;
  const Tensor rows = logits(model, forward(model, pack({item.ids}, at::kCPU)));
  const Tensor log_probs = at::log_softmax(rows.to(at::kDouble), -1);
  Score score;
  for (size_t t = 1; t < item.ids.size(); ++t) {
    if (!item.supervised[t]) continue;
    const Tensor row = log_probs[static_cast<int64_t>(t) - 1];
    score.log_prob += row[item.ids[t]].item<double>();
    score.token_log_probs.push_back(row[item.ids[t]].item<float>());
    score.greedy &= row.argmax().item<int64_t>() == item.ids[t];
    score.count++;
  }
  return score;
}

void expect_equal(const Score& a, const Score& b, double tolerance) {
  EXPECT_NEAR(a.log_prob, b.log_prob, tolerance * (1 + std::abs(b.log_prob)));
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.greedy, b.greedy);
}

std::vector<ScoreItem> mixed_items() {
  std::vector<ScoreItem> items;
  Random random(3, "masks");
  for (const auto& ids : random_prompts(60, 50, 3)) {
    ScoreItem item = item_of(ids);
    for (size_t t = 1; t < ids.size(); ++t) item.supervised[t] = random.chance(0.4);
    items.push_back(item);
  }
  return items;
}

TEST(Scorer, SumsLogProbabilitiesOfTheTokensThatCount) {
  const Model model = small_model();
  const auto items = mixed_items();
  ScoreOptions options;
  options.per_token = true;
  const auto scores = score(model, items, options);
  ASSERT_EQ(scores.size(), items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    const Score wanted = by_hand(model, items[i]);
    expect_equal(scores[i], wanted, 1e-6);
    ASSERT_EQ(scores[i].token_log_probs.size(), wanted.token_log_probs.size());
    for (size_t t = 0; t < wanted.token_log_probs.size(); ++t)
      EXPECT_NEAR(scores[i].token_log_probs[t], wanted.token_log_probs[t], 2e-5);
  }
}

TEST(Scorer, BatchesAndOrderChangeNothing) {
  const Model model = small_model();
  auto items = mixed_items();
  const auto wanted = score(model, items);
  for (int64_t batch_tokens : {1, 40, 100, 100000}) {
    ScoreOptions options;
    options.batch_tokens = batch_tokens;
    const auto scores = score(model, items, options);
    for (size_t i = 0; i < items.size(); ++i)
      EXPECT_EQ(scores[i].log_prob, wanted[i].log_prob) << batch_tokens;
  }
  std::reverse(items.begin(), items.end());
  const auto scores = score(model, items);
  for (size_t i = 0; i < items.size(); ++i)
    EXPECT_EQ(scores[items.size() - 1 - i].log_prob, wanted[i].log_prob);
}

TEST(Scorer, ChoicesAreReadOnceAndScoredEach) {
  const Model model = small_model();
  const std::vector<int32_t> context = {1, 2, 3, 4, 5};
  std::vector<ScoreItem> items;
  for (int32_t choice = 0; choice < 61; ++choice) items.push_back(continuation_item(context, {choice}));
  items.push_back(continuation_item(context, {8, 9}));
  items.push_back(item_of({1, 2, 3, 4, 5, 9}));
  const auto scores = score(model, items);
  double total = 0;
  int greedy = 0;
  for (int32_t choice = 0; choice < 61; ++choice) {
    const Score& one = scores[static_cast<size_t>(choice)];
    EXPECT_EQ(one.count, 1);
    total += std::exp(one.log_prob);
    greedy += one.greedy;
  }
  EXPECT_NEAR(total, 1.0, 1e-5);
  EXPECT_EQ(greedy, 1);
  expect_equal(scores[61], by_hand(model, items[61]), 1e-6);
  expect_equal(scores[62], by_hand(model, items[62]), 1e-6);
}

// Examples in front of questions in front of choices: what is shared is read once, and every bit is as if it
// were not.
TEST(Scorer, SharedBeginningsChangeNothing) {
  const Model model = small_model();
  const auto header = random_prompts(1, 40, 5)[0];
  std::vector<ScoreItem> items;
  for (const auto& question : random_prompts(9, 30, 6))
    for (const auto& choice : random_prompts(3, 9, 7)) {
      std::vector<int32_t> context = header;
      context.insert(context.end(), question.begin(), question.end());
      items.push_back(continuation_item(context, choice));
    }
  items.push_back(item_of(header));                       // counts what others only pass
  items.push_back(continuation_item(header, {3, 4, 5}));  // ends within a shared beginning
  for (const auto& other : random_prompts(4, 25, 8)) items.push_back(item_of(other));
  ScoreOptions options;
  options.per_token = true;
  for (int64_t batch_tokens : {0, 30, 100000}) {
    options.batch_tokens = batch_tokens;
    const auto together = score(model, items, options);
    for (size_t i = 0; i < items.size(); ++i) {
      const Score alone = score(model, {items[i]}, options)[0];
      EXPECT_EQ(together[i].log_prob, alone.log_prob) << i;
      EXPECT_EQ(together[i].token_log_probs, alone.token_log_probs) << i;
      EXPECT_EQ(together[i].greedy, alone.greedy);
      expect_equal(together[i], by_hand(model, items[i]), 1e-6);
    }
  }
}

TEST(SharedPrefixes, ReadsWhatIsSharedOnce) {
  const std::vector<std::vector<int32_t>> sequences = {{1, 2, 3, 4}, {1, 2, 3, 5, 6}, {1, 2, 3},
                                                       {7},          {1, 2, 9},       {}};
  const SharedPrefixes tree = shared_prefixes(sequences, 1);
  int64_t tokens = 0;
  for (const Stretch& stretch : tree.stretches) tokens += stretch.end - stretch.begin;
  EXPECT_EQ(tokens, 8);  // 1 2 | 3 | 4 | 5 6 | 9 | 7
  EXPECT_EQ(tree.last[5], -1);
  for (size_t s = 0; s < 5; ++s) {  // the way from the root is the sequence
    std::vector<int32_t> way;
    for (int64_t place = tree.last[s]; place >= 0;
         place = tree.stretches[static_cast<size_t>(place)].parent) {
      const Stretch& stretch = tree.stretches[static_cast<size_t>(place)];
      const auto& of = sequences[stretch.sequence];
      way.insert(way.begin(), of.begin() + stretch.begin, of.begin() + stretch.end);
    }
    EXPECT_EQ(way, sequences[s]) << s;
  }
  const SharedPrefixes apart = shared_prefixes(sequences, 1000);
  EXPECT_EQ(apart.roots.size(), apart.stretches.size());
  EXPECT_EQ(apart.roots.size(), 5u);
}

TEST(Scorer, NothingToCountIsNothing) {
  const Model model = small_model();
  const auto scores = score(model, {{{}, {}}, {{4, 5}, {0, 0}}, {{4}, {0}}});
  for (const Score& one : scores) {
    EXPECT_EQ(one.count, 0);
    EXPECT_EQ(one.log_prob, 0.0);
  }
}

TEST(Scorer, BadItemsAreNamed) {
  const Model model = small_model(20);
  auto message = [&](const ScoreItem& item) -> std::string {
    try {
      score(model, {{{1, 2}, {0, 1}}, item});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message({{1, 2}, {0}}), HasSubstr("sequence 1"));
  EXPECT_THAT(message({{1, 2}, {1, 1}}), HasSubstr("first token"));
  EXPECT_THAT(message({{1, 99}, {0, 1}}), HasSubstr("99"));
  EXPECT_THAT(message(item_of(std::vector<int32_t>(22, 1))), HasSubstr("22"));
  // 21 tokens: the last one is only asked about, 20 are read.
  EXPECT_EQ(message(item_of(std::vector<int32_t>(21, 1))), "");
}

TEST(Scorer, StopsWhenAskedTo) {
  const Model model = small_model();
  std::atomic<bool> stop{false};
  ScoreOptions options;
  options.batch_tokens = 1;
  options.stop = &stop;
  options.on_step = [&](size_t done) { stop = done >= 1; };
  try {
    score(model, mixed_items(), options);
    FAIL() << "did not stop";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInterrupted);
  }
}

}  // namespace
}  // namespace sdft
