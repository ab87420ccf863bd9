#include "report/verdict.h"

#include <gmock/gmock.h>

#include <cmath>

#include "report/format.h"
#include "sample.h"

namespace sdft::report {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// One target and one retained task.
Document with(Task target, Task retained) {
  Document document;
  document.baseline = "vanilla";
  document.evaluation = Evaluation{{"seed", "vanilla", "sdft"}, {std::move(target), std::move(retained)}};
  return document;
}
Document with(double vanilla_target, double sdft_target, double vanilla_retained, double sdft_retained) {
  return with(make_task("t", "target", 0.2, vanilla_target, sdft_target),
              make_task("r", "retained", 0.6, vanilla_retained, sdft_retained));
}
std::string headline(const Document& document) { return find_verdict(tested(document)).headline; }

std::string untested_text(const Document& document) {
  Verdict verdict = find_verdict(document);
  std::string text = verdict.headline;
  for (const auto& lines : {verdict.kinds, verdict.conclusion})
    for (const VerdictLine& line : lines) text += "\n" + line.label + ": " + line.text;
  return plain_spaces(text);
}
std::string text_of(const Document& document) { return untested_text(tested(document)); }

void drop_model(Document& document, const std::string& model) {
  auto& models = document.evaluation->models;
  models.erase(std::find(models.begin(), models.end(), model));
  for (Task& task : document.evaluation->tasks)
    for (size_t i = task.scores.size(); i-- > 0;)
      if (task.scores[i].model == model) task.scores.erase(task.scores.begin() + i);
  for (Task& task : document.evaluation->tasks)
    for (Score& score : task.scores) {
      auto& all = score.differences;
      all.erase(
          std::remove_if(all.begin(), all.end(), [&](const Difference& d) { return d.against == model; }),
          all.end());
    }
}

TEST(Comparison, TakesThePairedDifferenceFirst) {
  Task task = make_task("t", "target", 0.2, 0.5, 0.6);
  task.scores[2].differences = {{"seed", 0.4, {0.3, 0.5}, 200, 0.001, 0.01}};
  EXPECT_EQ(compare(task, "sdft", "seed").interval.low, 0.3);
  EXPECT_EQ(compare(task, "sdft", "seed").p_adjusted, 0.01);
  EXPECT_EQ(compare(task, "sdft", "seed").outcome(), Outcome::kBetter);
  EXPECT_EQ(compare(task, "seed", "sdft").outcome(), Outcome::kWorse);
  Comparison turned = compare(task, "seed", "sdft");
  EXPECT_EQ(turned.value, -0.4);
  EXPECT_EQ(turned.interval.low, -0.5);
  EXPECT_EQ(turned.interval.high, -0.3);
}

TEST(Comparison, WithoutPairsTheIntervalsAdd) {
  Task task = make_task("t", "target", 0.2, 0.5, 0.6, 0.03);
  Comparison gap = compare(task, "sdft", "vanilla");
  EXPECT_NEAR(gap.value, 0.1, 1e-12);
  EXPECT_NEAR(gap.interval.low, 0.1 - 0.03 * std::sqrt(2.0), 1e-12);
  EXPECT_NEAR(gap.interval.high, 0.1 + 0.03 * std::sqrt(2.0), 1e-12);
  EXPECT_EQ(gap.outcome(), Outcome::kUnknown) << "nothing tested it";
  task.scores[1].interval = {};
  EXPECT_EQ(compare(task, "sdft", "vanilla").outcome(), Outcome::kUnknown);
  EXPECT_NEAR(compare(task, "sdft", "vanilla").value, 0.1, 1e-12);
  EXPECT_TRUE(std::isnan(compare(task, "sdft", "nobody").value));
  EXPECT_TRUE(std::isnan(compare(task, "sdft", "sdft").value));
}

// Only the test's word counts: not the interval, not p before its correction.
TEST(Comparison, IsJudgedByTheAdjustedP) {
  EXPECT_EQ((Comparison{0.1, {0.05, 0.2}, 0.05}).outcome(), Outcome::kSame);
  EXPECT_EQ((Comparison{0.1, {-0.01, 0.2}, 0.049}).outcome(), Outcome::kBetter);
  EXPECT_EQ((Comparison{-0.1, {-0.2, -0.001}, 0.01}).outcome(), Outcome::kWorse);
  EXPECT_EQ((Comparison{-0.1, {-0.2, -0.001}}).outcome(), Outcome::kUnknown);
  Document document = with(0.5, 0.5, 0.5, 0.5);
  for (Task& task : document.evaluation->tasks)
    task.scores[2].differences = {{"seed", 0.1, {0.01, 0.2}, 200, 0.03}};
  adjust_p_values(&*document.evaluation);
  EXPECT_EQ(document.evaluation->tasks[1].scores[2].differences[0].p_adjusted, 0.06);
  EXPECT_THAT(find_verdict(document).headline, HasSubstr("No measurable change on the target task"));
}

// The mean of several tasks has a test of its own.
TEST(Comparison, AMeanIsJudgedByItsJointTest) {
  Document document = with(0.5, 0.5, 0.5, 0.5);
  document.evaluation->tasks.push_back(make_task("r2", "retained", 0.8, 0.5, 0.6));
  document = tested(document);
  const Evaluation& evaluation = *document.evaluation;
  const std::vector<const Task*> both = {&evaluation.tasks[1], &evaluation.tasks[2]};
  EXPECT_EQ(mean_comparison(evaluation, both, "sdft", "seed").outcome(), Outcome::kWorse);
  EXPECT_EQ(mean_comparison(evaluation, both, "seed", "sdft").outcome(), Outcome::kBetter);
  ASSERT_EQ(evaluation.joint_tests.size(), 3u) << "tuned and baseline against the seed, and each other";
  EXPECT_EQ(evaluation.joint_tests[0].tasks, (std::vector<std::string>{"r", "r2"}));
  Document without = document;
  without.evaluation->joint_tests.clear();
  EXPECT_EQ(mean_comparison(*without.evaluation, both, "sdft", "seed").outcome(), Outcome::kUnknown);
  EXPECT_THAT(untested_text(without), HasSubstr("−15.0 points, not tested"));
}

TEST(Summary, MeansOverTasksNarrowTheInterval) {
  Document document = with(0.5, 0.5, 0.5, 0.5);
  document.evaluation->tasks.push_back(make_task("r2", "retained", 0.8, 0.5, 0.6));
  document = tested(document);
  KindSummary retained = summarize(*document.evaluation, find_roles(document)).at(1);
  EXPECT_NEAR(retained.seed, 0.7, 1e-12);
  EXPECT_NEAR(retained.tuned, 0.55, 1e-12);
  EXPECT_NEAR(retained.tuned_to_seed.value, -0.15, 1e-12);
  EXPECT_NEAR(retained.tuned_to_seed.interval.high, -0.15 + 0.03, 1e-12);  // ±0.03·√2 each, /√2 for two tasks
  ASSERT_EQ(retained.worse.size(), 2u);
  EXPECT_EQ(retained.worse[0]->name, "r2");  // −20 points before −10
}

TEST(Summary, LeavesOutTasksThatNotEveryModelHas) {
  Document document = with(0.5, 0.5, 0.5, 0.5);
  document.evaluation->tasks.push_back(make_task("r2", "retained", 0.1, kMissing, 0.1));
  KindSummary retained = summarize(*document.evaluation, find_roles(document)).at(1);
  EXPECT_EQ(retained.tasks.size(), 1u);
  EXPECT_EQ(retained.left_out, 1u);
  EXPECT_THAT(text_of(document), HasSubstr("left out: 1."));
}

// Two measures of the same answers are not two tasks.
TEST(Summary, OneMetricIsNotAveragedWithAnother) {
  Document document = make_document();
  document.evaluation->tasks.push_back(make_task("talk", "similarity", 1, 0.4, 0.8));
  document.evaluation->tasks.push_back(make_task("talk, other", "similarity", 1, 0.1, 0.2));
  document.evaluation->tasks.back().metric = "another";
  KindSummary similarity = summarize(*document.evaluation, find_roles(document)).back();
  EXPECT_EQ(similarity.tasks.size(), 1u);
  EXPECT_EQ(similarity.left_out, 0u);
  EXPECT_NEAR(similarity.tuned, 0.8, 1e-12);
}

TEST(Verdict, SaysWhatWasGainedAndLost) {
  std::string text = text_of(make_document());
  EXPECT_THAT(
      text,
      HasSubstr("Learned the target task, with no measurable loss of retained skills. It forgets less than "
                "vanilla fine-tuning, with no measurable difference on the target."));
  EXPECT_THAT(
      text,
      HasSubstr("Target: 12.0 % → 71.0 %, gained 59.0 points [52.0, 66.0]; vanilla 69.0 %, gained 57.0"));
  EXPECT_THAT(text,
              HasSubstr("Retained skills: 71.0 % → 70.0 %, no measurable change (−1.0 points [−4.0, 2.0]); "
                        "vanilla 32.5 %, lost 38.5 points [35.5, 41.5]."));
}

TEST(Verdict, VanillaMayWin) {
  EXPECT_THAT(headline(with(0.8, 0.5, 0.6, 0.3)), HasSubstr("Vanilla fine-tuning is better on both"));
  EXPECT_THAT(headline(with(0.8, 0.5, 0.3, 0.6)),
              HasSubstr("forgets less than vanilla fine-tuning, which is better"));
  EXPECT_THAT(headline(with(0.8, 0.5, 0.6, 0.6)),
              HasSubstr("Vanilla fine-tuning is better on the target, with no"));
  EXPECT_THAT(headline(with(0.5, 0.5, 0.6, 0.3)),
              HasSubstr("Vanilla fine-tuning forgets less, with no measurable"));
  EXPECT_THAT(headline(with(0.5, 0.8, 0.6, 0.3)),
              HasSubstr("better than vanilla fine-tuning on the target, but forgets"));
}

TEST(Verdict, WhatTheTestDoesNotFindIsNoDifference) {
  std::string text = headline(with(0.5, 0.52, 0.58, 0.6));
  EXPECT_THAT(text, HasSubstr("No measurable difference from vanilla fine-tuning."));
  EXPECT_THAT(headline(with(0.21, 0.22, 0.6, 0.6)), HasSubstr("No measurable change on the target task"));
}

TEST(Verdict, LossesAreNamed) {
  EXPECT_THAT(headline(with(0.5, 0.5, 0.3, 0.4)), HasSubstr("Learned the target task, but lost 20.0 points"));
  EXPECT_THAT(headline(with(0.5, 0.1, 0.3, 0.6)), HasSubstr("Worse than the seed on the target task"));
  // The mean hides a loss on one task behind gains on another.
  Document hidden = with(0.5, 0.5, 0.6, 0.4);
  hidden.evaluation->tasks.push_back(make_task("r2", "retained", 0.4, 0.4, 0.6));
  EXPECT_THAT(headline(hidden), HasSubstr("but measurably lost on 1 of 2 retained skills."));
  EXPECT_THAT(text_of(hidden),
              HasSubstr("Measurably below the seed on 1 of 2 tasks, most on r (−20.0 points"));
  Document unsafe = make_document();
  unsafe.evaluation->tasks[3] = make_task("refusals", "safety", 0.95, 0.5, 0.7);
  EXPECT_THAT(headline(unsafe), HasSubstr("Safety fell by 25.0 points."));
}

TEST(Verdict, WideIntervalsDoNotPassForRetention) {
  Document document =
      with(make_task("t", "target", 0.1, 0.9, 0.9, 0.05), make_task("r", "retained", 0.5, 0.4, 0.45, 0.2));
  EXPECT_THAT(headline(document),
              HasSubstr("no measurable loss of retained skills (though up to 33.3 points cannot be"));
}

// Intervals alone, as reports of older versions have them, prove nothing.
TEST(Verdict, WithoutTestsNothingIsClaimed) {
  const std::string text = untested_text(with(0.5, 0.8, 0.3, 0.6));
  EXPECT_THAT(text,
              HasSubstr("Neither what was learned nor what was forgotten was tested against the seed."));
  EXPECT_THAT(text, HasSubstr("cannot be judged against vanilla"));
  EXPECT_THAT(text, HasSubstr("+60.0 points, not tested"));
}

TEST(Verdict, SaysWhatCouldHaveBeenMissed) {
  EXPECT_THAT(text_of(with(0.5, 0.52, 0.6, 0.59)),
              HasSubstr("A change under 6.1 points could well have been missed (n = 200)."));
  EXPECT_THAT(text_of(with(0.5, 0.52, 0.6, 0.3)), Not(HasSubstr("missed")));
  Document document = with(0.5, 0.52, 0.6, 0.59);
  document.evaluation->tasks.push_back(make_task("r2", "retained", 0.8, 0.5, 0.8, 0.06));
  EXPECT_THAT(text_of(document),
              HasSubstr("On a single task a change under 6.1 to 12.1 points could well have been missed."));
}

TEST(Verdict, ModelsMayBeMissing) {
  Document no_vanilla = make_document();
  drop_model(no_vanilla, "vanilla");
  EXPECT_THAT(text_of(no_vanilla), HasSubstr("There is no vanilla run"));
  Document only_vanilla = make_document();
  drop_model(only_vanilla, "sdft");
  EXPECT_THAT(text_of(only_vanilla), HasSubstr("This is vanilla fine-tuning itself"));
  EXPECT_THAT(headline(only_vanilla), HasSubstr("Learned the target task, but lost 38.5 points"));
  Document no_seed = make_document();
  drop_model(no_seed, "seed");
  EXPECT_THAT(headline(no_seed), HasSubstr("The seed was not evaluated"));
  EXPECT_THAT(headline(no_seed), HasSubstr("It forgets less than vanilla"));
  Document only_seed = no_vanilla;
  drop_model(only_seed, "sdft");
  EXPECT_THAT(headline(only_seed), HasSubstr("Only the seed model was evaluated"));
  Document nothing;
  EXPECT_THAT(headline(nothing), HasSubstr("Nothing was evaluated"));
  nothing.evaluation = Evaluation{};
  EXPECT_THAT(headline(nothing), HasSubstr("Nothing was evaluated"));
}

// Whatever the variants are called: the document says which is the baseline.
TEST(Verdict, ABaselineAndOthersOfAnyName) {
  Document document = with(0.5, 0.52, 0.3, 0.6);
  document.baseline = "plain";
  document.evaluation->models = {"seed", "plain", "mine", "other"};
  for (Task& task : document.evaluation->tasks) {
    task.scores[1].model = "plain";
    task.scores[2].model = "mine";
    task.scores.push_back(make_score("other", task.kind == "target" ? 0.8 : 0.2, 0.03));
  }
  EXPECT_THAT(headline(document), HasSubstr("It forgets less than plain fine-tuning, with no measurable"));
  const std::string text = text_of(document);
  EXPECT_THAT(text, HasSubstr("Against plain: Target: no measurable difference"));
  EXPECT_THAT(text,
              HasSubstr("other: Learned the target task, but lost 40.0 points of its retained skills. It is "
                        "better than plain fine-tuning on the target, but forgets more."));
  EXPECT_THAT(headline(with(0.8, 0.5, 0.6, 0.3)), HasSubstr("Vanilla fine-tuning is better on both"));
  document.baseline = "";
  EXPECT_THAT(text_of(document), HasSubstr("There is no baseline run"));
}

TEST(Warnings, AreOnlyThereWhenCalledFor) {
  Document document = make_document();
  EXPECT_THAT(find_warnings(document), ::testing::ElementsAre(HasSubstr("2 prompts were too long")));
  document.distillations[0].too_long.clear();
  document.distillations[0].accepted += 2;
  EXPECT_THAT(find_warnings(document), IsEmpty());
}

TEST(Warnings, NameWhatIsWrong) {
  Document document = make_document();
  document.warnings = {"A first\nsentence.", "A first\nsentence."};
  document.distillations[0].accepted = 300;
  document.distillations[0].rejected = {{"cut_by_token_limit", 1600}};
  document.distillations[0].logprob_rewrite = -2.5;
  document.training[0].loss[1] = kMissing;
  document.evaluation->tasks[0] = make_task("sums", "target", 0, 0.4, 0.5, 0.2);
  document.evaluation->tasks[1].scores[0].n = 150;
  std::vector<std::string> warnings = find_warnings(document);
  EXPECT_EQ(warnings.at(0), "A first ⏎ sentence.");
  EXPECT_EQ(std::count(warnings.begin(), warnings.end(), warnings[0]), 1);
  for (const char* part :
       {"do not add up: 300 accepted, 1,600 rejected and 2 too long make 1,902, not 2,000", "Only 15.0",
        "token limit", "no nearer to the seed", "“vanilla” has 1 step without",
        "seed scores 0.0 % on the target task “sums”", "different numbers of examples of “facts”: 150 to 200",
        "up to ±20.0 points) on “sums”"})
    EXPECT_THAT(warnings, Contains(HasSubstr(part)));
}

TEST(Warnings, OfPromptsWithoutAnAnswer) {
  Document document = make_document();
  document.distillations.clear();
  std::vector<Score>& scores = document.evaluation->tasks[1].scores;
  scores[0].unanswered = {{"prompt_too_long", 3}};
  scores[2].unanswered = {{"prompt_too_long", 3}, {"endpoint_failed", 1}};
  scores[0].n = 197;
  scores[2].n = 196;
  scores[1].cut = 11;  // of 200
  scores[2].cut = 9;
  EXPECT_THAT(find_warnings(document),
              ::testing::ElementsAre(
                  "Prompts of “facts” were not answered (seed 3, sdft 4); scores are over the others.",
                  "Answers to “facts” were cut at a limit (vanilla 11); they are judged as they are."));
}

TEST(Warnings, NameOnlySomeOfManyIds) {
  Document document = make_document();
  document.distillations[0].too_long.assign(1000, "id");
  EXPECT_THAT(find_warnings(document), Contains(HasSubstr("“id”, “id”, “id”, “id”, “id” and 995 more.")));
}

}  // namespace
}  // namespace sdft::report
