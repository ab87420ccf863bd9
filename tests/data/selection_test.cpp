#include "data/selection.h"

#include <gmock/gmock.h>

#include <set>

#include "base/error.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::HasSubstr;

Dataset named(const std::string& name, size_t count) {
  Dataset set;
  set.name = name;
  set.path = name + ".jsonl";
  set.sha256 = name;
  for (size_t i = 0; i < count; ++i) {
    Example example;
    example.id = std::to_string(i);
    example.instruction = name + std::to_string(i);
    set.examples.push_back(example);
  }
  return set;
}

std::vector<std::string> ids_of(const std::vector<Example>& examples) {
  std::vector<std::string> ids;
  for (const Example& example : examples) ids.push_back(example.id);
  return ids;
}
std::set<std::string> set_of(const Dataset& set) {
  const auto ids = ids_of(set.examples);
  return {ids.begin(), ids.end()};
}
std::map<std::string, size_t> counts(const Dataset& set) {
  std::map<std::string, size_t> count;
  for (const Example& example : set.examples) count[example.dataset]++;
  return count;
}

TEST(Selections, AllAreTakenInOrderWhereNothingIsSaid) {
  const Dataset all = named("a", 20);
  EXPECT_EQ(ids_of(select(all, {}).examples), ids_of(all.examples));
  EXPECT_EQ(ids_of(select(all, {50, 1, {}}).examples), ids_of(all.examples));
}

TEST(Selections, MoreHoldFewerAndTheOrderStays) {
  const Dataset all = joined({named("a", 30), named("b", 50), named("c", 11)});
  for (const std::vector<double>& weights : {std::vector<double>{}, {3, 1, 0.7}}) {
    std::set<std::string> before;
    for (size_t n = 1; n <= 95; ++n) {
      const Dataset chosen = select(all, {n, 7, weights});
      if (weights.empty()) {
        EXPECT_EQ(chosen.examples.size(), std::min<size_t>(n, 91));
      }
      const auto now = set_of(chosen);
      EXPECT_TRUE(std::includes(now.begin(), now.end(), before.begin(), before.end())) << n;
      before = now;
      size_t place = 0;  // in the whole
      for (const Example& example : chosen.examples) {
        while (place < all.examples.size() && all.examples[place].id != example.id) ++place;
        EXPECT_LT(place, all.examples.size());
      }
    }
  }
  EXPECT_NE(set_of(select(all, {20, 1, {}})), set_of(select(all, {20, 2, {}})));
}

// What else is in the file does not change an example's draw.
TEST(Selections, AnExamplesDrawIsItsOwn) {
  Dataset all = named("a", 100);
  const auto before = set_of(select(all, {40, 5, {}}));
  all.examples.erase(all.examples.begin() + 50, all.examples.end());
  const auto after = set_of(select(all, {20, 5, {}}));
  size_t kept = 0;
  for (const std::string& id : before) kept += std::stoi(id) < 50 && after.count(id) > 0;
  EXPECT_GE(kept, 15u);
}

TEST(Selections, WeightsAreSharesAsFarAsTheSmallestGoes) {
  const Dataset all = joined({named("a", 100), named("b", 10)});
  EXPECT_EQ(counts(select(all, {0, 1, {3, 1}})), (std::map<std::string, size_t>{{"a", 30}, {"b", 10}}));
  EXPECT_EQ(counts(select(all, {20, 1, {3, 1}})), (std::map<std::string, size_t>{{"a", 15}, {"b", 5}}));
  EXPECT_EQ(counts(select(all, {0, 1, {1, 1}})), (std::map<std::string, size_t>{{"a", 10}, {"b", 10}}));
  EXPECT_EQ(counts(select(all, {})), (std::map<std::string, size_t>{{"a", 100}, {"b", 10}}));
  try {
    select(all, {0, 1, {1, 1, 1}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("3 numbers, but 2 datasets"));
  }
}

TEST(Selections, NoDatasetIsLeftOutInSilence) {
  const Dataset all = joined({named("a", 100), named("b", 10)});
  EXPECT_THAT(select(all, {20, 1, {1000, 1}}).notes,
              ::testing::ElementsAre(HasSubstr("no example of b is used")));
  EXPECT_TRUE(select(all, {20, 1, {3, 1}}).notes.empty());
}

TEST(Selections, JoinedDatasetsHaveTheirNamesInFront) {
  const Dataset all = joined({named("a", 2), named("b", 1)});
  EXPECT_EQ(ids_of(all.examples), (std::vector<std::string>{"a/0", "a/1", "b/0"}));
  EXPECT_EQ(all.parts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ids_of(joined({named("a", 2)}).examples), (std::vector<std::string>{"0", "1"}));
  EXPECT_THROW(joined({named("a", 2), named("a", 1)}), Error);
}

TEST(Selections, WeightZeroIsLeftOutAndSaid) {
  Dataset all = named("a", 4);
  all.examples[1].weight = 0;
  const Dataset chosen = select(all, {});
  EXPECT_EQ(ids_of(chosen.examples), (std::vector<std::string>{"0", "2", "3"}));
  ASSERT_EQ(chosen.notes.size(), 1u);
  EXPECT_THAT(chosen.notes[0], HasSubstr("1 examples of weight 0"));
  for (Example& example : all.examples) example.weight = 0;
  EXPECT_THROW(select(all, {}), Error);
}

TEST(Replay, IsNestedAndComesBehind) {
  const Dataset replay = named("r", 30);
  const std::vector<Example> task = named("t", 40).examples;
  std::set<std::string> before;
  for (const double fraction : {0.0, 0.1, 0.25, 0.5, 0.75}) {
    const auto mixed = ids_of(with_replay(task, drawn_replay(replay, replay_count(40, fraction), 3)));
    EXPECT_EQ(mixed.size(), 40 + static_cast<size_t>(40 * fraction));
    const std::set<std::string> now(mixed.begin() + 40, mixed.end());
    EXPECT_TRUE(std::includes(now.begin(), now.end(), before.begin(), before.end()));
    for (const std::string& id : now) EXPECT_EQ(id.rfind("replay/", 0), 0u);
    before = now;
  }
  try {
    drawn_replay(replay, replay_count(40, 1), 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("has 30 examples to replay, replay_fraction asks for 40"));
  }
}

}  // namespace
}  // namespace sdft
