// The paper's own distilled files (../shared): what they took of the seed model's rewrites, acceptance takes.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>

#include "base/json.h"
#include "sdft/acceptance.h"
#include "testing.h"

namespace sdft {
namespace {

struct Published {
  std::vector<Example> originals;  // of the targets that differ
  std::vector<std::string> targets;
  size_t all = 0;
};

Published read_published(const std::filesystem::path& before, const std::filesystem::path& after) {
  const Json originals = read_json(before), targets = read_json(after);
  EXPECT_EQ(originals.size(), targets.size());
  Published data;
  data.all = originals.size();
  for (size_t i = 0; i < originals.size(); ++i) {
    Example example;
    example.id = std::to_string(i);
    example.instruction =
        originals[i].at("instruction").get<std::string>() + "\n" + originals[i].value("input", std::string());
    example.response = originals[i].at("output").get<std::string>();
    const auto target = targets[i].at("output").get<std::string>();
    if (target == example.response) continue;
    data.originals.push_back(example);
    data.targets.push_back(target);
  }
  return data;
}

std::map<std::string, size_t> rejected(const Published& data, const std::vector<std::string>& acceptance,
                                       const std::string& answer_check) {
  std::vector<CheckItem> items;
  for (size_t i = 0; i < data.targets.size(); ++i)
    items.push_back(check_item(data.originals[i], data.targets[i]));
  std::map<std::string, size_t> reasons;
  for (const EvalResult& result : judge_rewrites(acceptance_checks(acceptance, answer_check), items))
    if (result.verdict == Verdict::kFail) {
      ++reasons[result.reason];
      if (std::getenv("SDFT_SHOW"))
        std::printf("%s %s: %s\n", result.id.c_str(), result.reason.c_str(), result.matched.c_str());
    }
  return reasons;
}

TEST(Published, WhatThePaperTookPassesItsRules) {
  const auto dir = testing::shared_dir() / "data";
  REQUIRE_FIXTURE(dir / "openfunction/distilled_openfunction.json");
  REQUIRE_FIXTURE(dir / "alpaca/distilled_alpaca.json");
  const Published calls = read_published(dir / "openfunction/openfunction_train.json",
                                         dir / "openfunction/distilled_openfunction.json"),
                  alpaca =
                      read_published(dir / "alpaca/alpaca_train.json", dir / "alpaca/distilled_alpaca.json");
  EXPECT_EQ(calls.targets.size(), 236u) << "of " << calls.all;
  EXPECT_EQ(alpaca.targets.size(), 1648u) << "of " << alpaca.all;
  EXPECT_TRUE(rejected(calls, {"paper"}, "function_call").empty());
  EXPECT_TRUE(rejected(alpaca, {"paper"}, "none").empty());
}

// The further checks take nearly all of it, too: what they reject is few and really odd.
TEST(Published, TheDefaultRejectsFewMore) {
  const auto dir = testing::shared_dir() / "data";
  REQUIRE_FIXTURE(dir / "alpaca/distilled_alpaca.json");
  const Published alpaca =
      read_published(dir / "alpaca/alpaca_train.json", dir / "alpaca/distilled_alpaca.json");
  auto reasons = rejected(alpaca, default_acceptance(), "none");
  EXPECT_LE(reasons["banned_phrase"], 3u);
  EXPECT_LE(reasons["refusal"], 1u);
  EXPECT_EQ(reasons["language"], 0u);
  EXPECT_EQ(reasons["repetition_loop"], 0u);
}

}  // namespace
}  // namespace sdft
