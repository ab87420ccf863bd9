// From scores of examples to what a report says.
#include "report/measure.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/random.h"
#include "eval/paired.h"
#include "report/verdict.h"
#include "sample.h"

namespace sdft::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::set<std::string> kReferences = {"seed", "vanilla"};

// Right in `percent` of n examples; models make much the same mistakes.
std::vector<double> answers(const std::string& task, const std::string& model, int percent, int n) {
  std::vector<double> scores;
  for (int i = 0; i < n; ++i) {
    Random shared(1, task + std::to_string(i)), own(2, task + model + std::to_string(i));
    scores.push_back((own.chance(0.9) ? shared : own).chance(percent / 100.0));
  }
  return scores;
}

// target, two retained, ten safety prompts.
Document measured(int target, int kept, int n) {
  Document document;
  document.baseline = "vanilla";
  document.evaluation = Evaluation{{"seed", "vanilla", "sdft"}, {}};
  MeasuredScores scores;
  const auto add = [&](const std::string& name, const std::string& kind, int seed, int vanilla, int sdft,
                       int count) {
    scores[name] = {{"seed", answers(name, "seed", seed, count)},
                    {"vanilla", answers(name, "vanilla", vanilla, count)},
                    {"sdft", answers(name, "sdft", sdft, count)}};
    document.evaluation->tasks.push_back(measured_task(name, kind, "accuracy", scores[name], kReferences));
  };
  add("sums", "target", 10, 70, target, n);
  add("facts", "retained", 80, 40, kept, n);
  add("forms", "retained", 90, 60, kept, n);
  add("refusals", "safety", 100, 100, 100, 10);
  add_tests(scores, "vanilla", &*document.evaluation);
  return document;
}

TEST(Measure, ATaskHasIntervalsDifferencesAndTests) {
  const double none = std::nan("");
  const std::vector<ModelScores> scores = {{"seed", {1, 1, 0, none, 1, 1, 1, 1}},
                                           {"vanilla", {0, 1, 0, 1, none, 0, 0, 0}},
                                           {"sdft", {1, 1, 1, 1, 1, 1, 1, 1}}};
  const Task task = measured_task("t", "target", "accuracy", scores, kReferences);
  ASSERT_EQ(task.scores.size(), 3u);
  EXPECT_EQ(task.scores[0].n, 7);
  EXPECT_DOUBLE_EQ(task.scores[0].value, 6 / 7.0);
  EXPECT_EQ(task.scores[0].interval.low, wilson_interval(6, 7).low);
  EXPECT_TRUE(task.scores[0].differences.empty()) << "the later reference has it";
  ASSERT_EQ(task.scores[1].differences.size(), 1u);
  const Difference& d = task.scores[1].differences[0];
  EXPECT_EQ(d.against, "seed");
  EXPECT_EQ(d.n, 6) << "what both answered";
  EXPECT_DOUBLE_EQ(d.value, -4 / 6.0);
  EXPECT_EQ(d.p_value, mcnemar_p(4, 0));
  EXPECT_EQ(d.interval.low, tango_interval(4, 0, 6).low);
  EXPECT_EQ(d.detectable, detectable_change(6, 4 / 6.0));
  ASSERT_EQ(task.scores[2].differences.size(), 2u);
  EXPECT_EQ(task.scores[2].differences[1].against, "vanilla");
  EXPECT_THROW(measured_task("t", "target", "", {{"seed", {1}}, {"sdft", {}}}, {"seed"}), std::logic_error);
  const Task empty = measured_task("t", "target", "", {{"seed", {none}}, {"sdft", {1}}}, {"seed"});
  EXPECT_TRUE(std::isnan(empty.scores[0].value));
  EXPECT_TRUE(std::isnan(empty.scores[1].differences[0].value));
  EXPECT_TRUE(std::isnan(empty.scores[1].differences[0].p_value));
}

TEST(Measure, TheVerdictRestsOnTheTests) {
  const Document document = measured(70, 85, 200);
  EXPECT_THAT(find_verdict(document).headline, HasSubstr("Learned the target task"));
  EXPECT_THAT(find_verdict(document).headline, HasSubstr("It forgets less than vanilla fine-tuning"));
  EXPECT_EQ(document.evaluation->joint_tests.size(), 6u);
  for (const JointTest& test : document.evaluation->joint_tests) EXPECT_GE(test.p_adjusted, test.p_value);
  EXPECT_EQ(to_json(from_json(to_json(document), "r")), to_json(document));
  // Ten of ten against ten of ten: no difference, but no proof of none.
  const Score& score = document.evaluation->tasks[3].scores[2];
  EXPECT_EQ(score.value, 1);
  EXPECT_LT(score.interval.low, 0.75);
  EXPECT_LT(score.differences[0].interval.low, -0.2);
  EXPECT_GT(score.differences[0].detectable, 0.5);
}

// Where no model differs from another, a report that claims anything anywhere is rare.
TEST(Measure, ReportsOfNoDifferenceClaimNone) {
  int claims = 0;
  const int kTrials = 50;
  for (int trial = 0; trial < kTrials; ++trial) {
    Evaluation evaluation{{"seed", "vanilla", "sdft"}, {}};
    MeasuredScores scores;
    Random random(static_cast<uint64_t>(trial), "null");
    for (const char* name : {"a", "b", "c", "d"}) {
      for (const std::string& model : evaluation.models) {
        std::vector<double> own;
        for (int i = 0; i < 40; ++i) own.push_back(random.chance(0.6));
        scores[name].push_back({model, own});
      }
      evaluation.tasks.push_back(measured_task(name, "retained", "", scores[name], kReferences));
    }
    add_tests(scores, "vanilla", &evaluation);
    bool claim = false;
    for (const Task& task : evaluation.tasks)
      for (const Score& score : task.scores)
        for (const Difference& d : score.differences) claim = claim || d.p_adjusted < kSignificant;
    claims += claim;
  }
  EXPECT_LE(claims, 0.1 * kTrials);
}

}  // namespace
}  // namespace sdft::report
