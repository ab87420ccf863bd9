// Whether what was known before the training foretold what came out.
#include "report/expectation.h"

#include <gmock/gmock.h>

#include "report/format.h"
#include "sample.h"

namespace sdft::report {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One retained task, with intervals of ±half_width.
Document with(double seed, double baseline, double tuned, double half_width = 0.03) {
  Document document = make_document();
  document.evaluation->tasks = {make_task("sums", "target", 0.1, 0.7, 0.7),
                                make_task("facts", "retained", seed, baseline, tuned, half_width)};
  return tested(document);
}

std::vector<Judgement> judged(const Document& document) {
  const auto all = find_expectations(document);
  EXPECT_EQ(all.size(), 1u);
  EXPECT_EQ(all.at(0).outturns.size(), 1u);
  return all.at(0).outturns.at(0).judgements;
}

std::string words(const Document& document) {
  return plain_spaces(find_expectations(document).at(0).outturns.at(0).words);
}

TEST(Expectation, TellsWhatWasKnown) {
  const Expectation one = find_expectations(with(0.8, 0.4, 0.79)).at(0);
  ASSERT_EQ(one.indicators.size(), 3u);
  EXPECT_EQ(plain_spaces(one.indicators[0].value), "80.0 %");
  EXPECT_EQ(plain_spaces(one.indicators[0].threshold), "warns below 50.0 %");
  EXPECT_EQ(plain_spaces(one.indicators[1].value), "1.9 %");
  EXPECT_EQ(one.indicators[2].value, "+1.45");
  for (const Indicator& indicator : one.indicators) EXPECT_EQ(indicator.foretold, Foretold::kLess);
  EXPECT_THAT(in_lines(one),
              ElementsAre(HasSubstr("less forgetting than the baseline (share accepted 80.0")));
  EXPECT_THAT(in_lines(one), ElementsAre(HasSubstr("): right for sdft")));
}

TEST(Expectation, NoWarningIsRightWhereLessWasForgotten) {
  EXPECT_THAT(judged(with(0.8, 0.4, 0.79)), Each(Judgement::kRight));
  EXPECT_THAT(
      words(with(0.8, 0.4, 0.79)),
      HasSubstr(
          "+39.0 points [34.8, 43.2]: it forgot less, and kept 39.0 of the 40.0 points that the baseline"));
  EXPECT_THAT(judged(with(0.8, 0.4, 0.42)), Each(Judgement::kWrong));
  EXPECT_THAT(judged(with(0.8, 0.5, 0.2)), Each(Judgement::kWrong));
  EXPECT_THAT(words(with(0.8, 0.5, 0.2)), HasSubstr("it forgot more than the baseline"));
}

TEST(Expectation, AWarningIsRightWhereAsMuchWasForgotten) {
  auto warned = [](Document document) {
    document.distillations[0].accepted = 300;
    document.distillations[0].unchanged = 290;
    document.distillations[0].logprob_rewrite = document.distillations[0].logprob_original;
    return document;
  };
  EXPECT_THAT(judged(warned(with(0.8, 0.4, 0.42))), Each(Judgement::kRight));
  EXPECT_THAT(judged(warned(with(0.8, 0.5, 0.2))), Each(Judgement::kRight));
  EXPECT_THAT(judged(warned(with(0.8, 0.4, 0.79))), Each(Judgement::kWrong));
  EXPECT_THAT(
      find_warnings(warned(with(0.8, 0.4, 0.42))),
      ::testing::IsSupersetOf({HasSubstr("Only 15.0"), HasSubstr("equal to their originals (290 of 300)"),
                               HasSubstr("no nearer to the seed")}));
}

TEST(Expectation, WhatIsNotMeasurableCannotBeTold) {
  EXPECT_THAT(judged(with(0.8, 0.4, 0.5, 0.2)), Each(Judgement::kCannotTell));
  EXPECT_THAT(words(with(0.8, 0.4, 0.5, 0.2)), HasSubstr("too wide an interval"));
  EXPECT_THAT(judged(with(0.8, 0.79, 0.9)), Each(Judgement::kCannotTell));
  EXPECT_THAT(words(with(0.8, 0.79, 0.9)), HasSubstr("nothing to prevent"));
  Document document = with(0.8, 0.4, 0.79);
  document.evaluation->tasks.pop_back();
  EXPECT_THAT(judged(document), Each(Judgement::kCannotTell));
  document = with(0.8, 0.4, 0.79);
  for (Score& score : document.evaluation->tasks[1].scores) score.differences.clear();
  EXPECT_THAT(words(document), HasSubstr("not tested"));
  document.baseline = "";
  EXPECT_THAT(find_expectations(document).at(0).outturns.at(0).words, HasSubstr("no baseline"));
  document.evaluation.reset();
  EXPECT_THAT(find_expectations(document).at(0).outturns, IsEmpty());
  document.distillations = {Distillation{}};
  EXPECT_THAT(find_expectations(document), IsEmpty());
}

TEST(Expectation, OnlyWhatWasMeasuredForetells) {
  Document document = with(0.8, 0.4, 0.79);
  document.distillations[0].logprob_original = kMissing;
  EXPECT_THAT(judged(document), ElementsAre(Judgement::kRight, Judgement::kRight, Judgement::kCannotTell));
  EXPECT_EQ(find_expectations(document)[0].indicators[2].value, kDash);
}

// Each set of rewrites is held against the variants that learn from it.
TEST(Expectation, SetsHaveTheirOwnVariants) {
  Document document = with(0.8, 0.4, 0.79);
  document.evaluation->models.push_back("other");
  for (Task& task : document.evaluation->tasks) task.scores.push_back(make_score("other", 0.41, 0.03));
  document = tested(document);
  Distillation second = document.distillations[0];
  second.name = "distill,distill_template=x";
  second.accepted = 10;
  second.unchanged = 0;
  second.variants = {"other", "never-evaluated"};
  document.distillations[0].variants = {"sdft"};
  document.distillations.push_back(second);
  const auto all = find_expectations(document);
  ASSERT_EQ(all.size(), 2u);
  ASSERT_EQ(all[1].outturns.size(), 1u);
  EXPECT_EQ(all[1].outturns[0].variant, "other");
  EXPECT_THAT(all[1].outturns[0].judgements,
              ElementsAre(Judgement::kRight, Judgement::kWrong, Judgement::kWrong));
  EXPECT_THAT(in_lines(all[1]), ElementsAre(HasSubstr("wrong for other"),
                                            HasSubstr("about as much forgetting as the baseline")));
  for (const std::string& text : {to_html(document), to_markdown(document)})
    EXPECT_THAT(text, HasSubstr("template=x"));
}

}  // namespace
}  // namespace sdft::report
