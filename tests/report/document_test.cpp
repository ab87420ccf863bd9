#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "report/report.h"
#include "sample.h"
#include "testing.h"

namespace sdft::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string error_of(const Json& json) {
  try {
    from_json(json, "report.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
  return "no error";
}

TEST(Document, ComesBackAsItWas) {
  Json json = to_json(make_document());
  Document again = from_json(json, "report.json");
  EXPECT_EQ(to_json(again), json);
  EXPECT_EQ(again.run.datasets.at(0).examples, 2000);
  EXPECT_EQ(again.evaluation->tasks.at(0).scores.at(2).differences.at(0).interval.high, 0.66);
  EXPECT_EQ(again.evaluation->tasks.at(0).samples.at(0).answers.at(0).correct, std::optional<bool>(false));
  EXPECT_EQ(to_html(again), to_html(make_document()));
}

TEST(Document, WhatWasNotMeasuredIsNullAndComesBackMissing) {
  Document document = make_document();
  document.distillations[0].length_ratio = kMissing;
  document.training[0].loss[1] = INFINITY;
  document.evaluation->tasks[1].scores[0].interval = {};
  document.evaluation->tasks[0].samples[0].answers[0].correct.reset();
  Json json = Json::parse(to_json(document).dump());
  EXPECT_TRUE(json["distillations"][0]["length_ratio"].is_null());
  EXPECT_TRUE(json["evaluation"]["tasks"][1]["scores"][0]["interval"].is_null());
  Document again = from_json(json, "report.json");
  EXPECT_TRUE(std::isnan(again.distillations[0].length_ratio));
  EXPECT_TRUE(std::isnan(again.training[0].loss[1]));
  EXPECT_EQ(again.training[0].loss[2], 0.5);
  EXPECT_TRUE(std::isnan(again.evaluation->tasks[1].scores[0].interval.low));
  EXPECT_FALSE(again.evaluation->tasks[0].samples[0].answers[0].correct);
}

// Fields that only some runs have: others keep their bytes.
TEST(Document, TestsAndCountsAreThereWhereThereAreAny) {
  Document document = make_document();
  Task& task = document.evaluation->tasks[0];
  task.scores[1].unanswered = {{"prompt_too_long", 3}};
  task.scores[1].cut = 2;
  const Json json = to_json(document)["evaluation"];
  const Json with = json["tasks"][0]["scores"][1], without = json["tasks"][0]["scores"][2];
  EXPECT_EQ(with["unanswered"].dump(), R"([{"reason":"prompt_too_long","count":3}])");
  EXPECT_EQ(with["cut"], 2);
  EXPECT_FALSE(without.contains("unanswered"));
  EXPECT_FALSE(without.contains("cut"));
  EXPECT_TRUE(without["differences"][0].contains("p_adjusted"));
  EXPECT_EQ(json["joint_tests"].size(), 6u) << "two sets of tasks, three pairs of models";
  document.evaluation->joint_tests.clear();
  for (Score& score : task.scores)
    score.differences = {{score.model == "seed" ? "sdft" : "seed", 0.1, {0, 0.2}}};
  const Json old = to_json(document)["evaluation"];
  EXPECT_FALSE(old.contains("joint_tests"));
  EXPECT_EQ(old["tasks"][0]["scores"][1]["differences"][0].dump(),
            R"({"against":"seed","value":0.1,"interval":[0.0,0.2]})");
  const Document again = from_json(to_json(make_document()), "r");
  EXPECT_EQ(again.evaluation->joint_tests.at(0).p_adjusted,
            make_document().evaluation->joint_tests.at(0).p_adjusted);
}

TEST(Document, FaultsOfTests) {
  const auto fault = [](auto change) {
    Document document = make_document();
    change(*document.evaluation);
    return error_of(to_json(document));
  };
  EXPECT_THAT(fault([](Evaluation& e) { e.tasks[0].scores[1].differences[0].p_value = 1.5; }),
              HasSubstr("tasks[0].scores[1].differences[0].p_value"));
  EXPECT_THAT(fault([](Evaluation& e) { e.tasks[0].scores[1].cut = 300; }),
              HasSubstr("more answers were cut"));
  EXPECT_THAT(fault([](Evaluation& e) { e.joint_tests[0].tasks[0] = "nothing"; }),
              HasSubstr("joint_tests[0]: task 'nothing' is not one of evaluation.tasks"));
  EXPECT_THAT(fault([](Evaluation& e) { e.joint_tests[1].against = "nobody"; }), HasSubstr("joint_tests[1]"));
}

TEST(Document, NeedsOnlyATitle) {
  Document document = from_json({{"format", 2}, {"run", {{"title", "t"}}}}, "r");
  EXPECT_TRUE(document.distillations.empty());
  EXPECT_FALSE(document.evaluation);
  EXPECT_TRUE(std::isnan(document.peak_memory_bytes));
}

TEST(Document, FaultsNameTheirPlace) {
  const Json good = to_json(make_document());
  Json bad = good;
  bad["format"] = 1;
  EXPECT_THAT(error_of(bad), HasSubstr("report format 1"));
  bad = good;
  bad.erase("format");
  EXPECT_THAT(error_of(bad), HasSubstr("'format' is missing"));
  bad = good;
  bad["run"]["titel"] = "x";
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("report.json.run"), HasSubstr("'titel'"), HasSubstr("'title'")));
  bad = good;
  bad["run"].erase("title");
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("report.json.run"), HasSubstr("'title' is missing")));
  bad = good;
  bad["distillations"][0]["accepted"] = -1;
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("distillations[0].accepted"), HasSubstr("not negative")));
  bad["distillations"][0]["accepted"] = 1.5;
  EXPECT_THAT(error_of(bad), HasSubstr("whole number"));
  bad["distillations"][0]["accepted"] = 18446744073709551615ull;
  EXPECT_THAT(error_of(bad), HasSubstr("whole number"));
  bad = good;
  bad["distillations"][0]["rejected"][1]["reason"] = nullptr;
  EXPECT_THAT(error_of(bad),
              AllOf(HasSubstr("distillations[0].rejected[1].reason"), HasSubstr("found null")));
  EXPECT_THAT(error_of(Json::array()), HasSubstr("expected an object"));
}

TEST(Document, ScoresAreFractionsOfKnownModels) {
  const Json good = to_json(make_document());
  Json bad = good;
  bad["evaluation"]["tasks"][1]["scores"][2]["value"] = 57.0;
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("tasks[1].scores[2].value"), HasSubstr("not percent")));
  bad = good;
  bad["evaluation"]["tasks"][1]["scores"][2]["interval"] = {0.6, 0.5};
  EXPECT_THAT(error_of(bad), HasSubstr("above its high end"));
  bad["evaluation"]["tasks"][1]["scores"][2]["interval"] = {0.6};
  EXPECT_THAT(error_of(bad), HasSubstr("[low, high]"));
  bad = good;
  bad["evaluation"]["tasks"][0]["kind"] = "targt";
  EXPECT_THAT(error_of(bad), HasSubstr("did you mean 'target'"));
  bad = good;
  bad["evaluation"]["tasks"][0]["scores"][1]["model"] = "vanila";
  EXPECT_THAT(error_of(bad), HasSubstr("did you mean 'vanilla'"));
  bad["evaluation"]["tasks"][0]["scores"][1]["model"] = "sdft";
  EXPECT_THAT(error_of(bad), HasSubstr("second score"));
  bad = good;
  bad["evaluation"]["tasks"][1]["name"] = "sums";
  EXPECT_THAT(error_of(bad), HasSubstr("second task"));
}

TEST(Document, WhatWasWatchedComesBackAndElseLeavesNoTrace) {
  const Json json = to_json(make_watched_document());
  EXPECT_EQ(to_json(from_json(json, "report.json")), json);
  EXPECT_EQ(to_html(from_json(json, "report.json")), to_html(make_watched_document()));
  EXPECT_EQ(json["watches"][1]["kept_step"], 20);
  EXPECT_FALSE(json["training"][0].contains("answer_length"));
  const Json unwatched = to_json(make_document());
  for (const char* key : {"learning", "watches"}) EXPECT_FALSE(unwatched.contains(key));
  Json bad = json;
  bad["watches"][0]["kept_step"] = 29;
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("watches[0].kept_step"), HasSubstr("found 29")));
  bad = json;
  bad["watches"][1]["prompts"][0]["kl"].push_back(1);
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("watches[1].prompts[0].kl"), HasSubstr("(3), found 4")));
  bad = json;
  bad["watches"][0]["step"] = {30, 15};
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("watches[0].step[1]"), HasSubstr("rise")));
}

TEST(Document, CurvesAreAsLongAsTheirSteps) {
  const Json good = to_json(make_document());
  Json bad = good;
  bad["training"][1]["loss"].push_back(0.1);
  EXPECT_THAT(error_of(bad),
              AllOf(HasSubstr("training[1].loss"), HasSubstr("as many values as steps (3), found 4")));
  bad = good;
  bad["training"][0]["step"] = {10, 10, 30};
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("training[0].step[1]"), HasSubstr("rise")));
}

TEST(Document, WhatCannotBeIsRefused) {
  const Json good = to_json(make_document());
  Json bad = good;
  bad["evaluation"]["tasks"][1]["transitions"][0]["forgotten"] = 300;
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("tasks[1].transitions[0]"), HasSubstr("(200)")));
  bad = good;
  bad["evaluation"]["tasks"][1]["transitions"][0]["model"] = "vanila";
  EXPECT_THAT(error_of(bad), HasSubstr("did you mean 'vanilla'"));
  bad = good;
  bad["distillations"][0]["logprobs"]["width"] = 0;
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("distillations[0].logprobs"), HasSubstr("above 0")));
  bad["distillations"][0]["logprobs"] = {{"low", 0}, {"width", 1}, {"originals", {1, 2}}, {"rewrites", {1}}};
  EXPECT_THAT(error_of(bad), HasSubstr("as many bins"));
  bad = good;
  bad["training"][1]["validation_loss"] = {0.1};
  EXPECT_THAT(error_of(bad), HasSubstr("training[1].validation_loss"));
}

TEST(Histogram, HoldsEveryValueOnce) {
  const auto histogram = make_histogram({-4.05, -1, -1, kMissing}, {-0.5, 0, -INFINITY});
  ASSERT_TRUE(histogram);
  EXPECT_DOUBLE_EQ(histogram->width, 0.2);
  EXPECT_NEAR(histogram->low, -4.2, 1e-12);
  EXPECT_EQ(std::accumulate(histogram->originals.begin(), histogram->originals.end(), int64_t{0}), 3);
  EXPECT_EQ(std::accumulate(histogram->rewrites.begin(), histogram->rewrites.end(), int64_t{0}), 2);
  EXPECT_EQ(histogram->originals.front(), 1);
  EXPECT_EQ(histogram->rewrites.back(), 1);
  EXPECT_EQ(make_histogram({-1, -1}, {})->originals, std::vector<int64_t>{2});
  EXPECT_FALSE(make_histogram({kMissing}, {}));
}

TEST(Document, IsWrittenWithItsReports) {
  sdft::testing::ScratchDir scratch;
  Document document = make_document();
  document.run.title = "broken \xff text";
  write_reports(document, scratch / "out");
  EXPECT_EQ(read_text(scratch / "out/report.html"), to_html(document));
  EXPECT_EQ(read_text(scratch / "out/report.md"), to_markdown(document));
  Document again = read_document(scratch / "out/report.json");
  EXPECT_EQ(again.run.title, "broken \uFFFD text");
  document.evaluation->tasks[0].scores[0].value = 12;
  EXPECT_THROW(write_reports(document, scratch / "out"), Error);
}

// Every value of the document replaced by something else, one at a time: read or refused, and what is read is
// shown.
void mutate(Json& root, Json& at, int& shown) {
  static const Json kOthers[] = {nullptr,       true,          "", 0, -3, 0.5, 1e300, std::string("x\n|<y>"),
                                 Json::array(), Json::object()};
  if (at.is_structured() && !at.empty())
    for (auto& item : at.items()) mutate(root, item.value(), shown);
  Json original = at;
  for (const Json& other : kOthers) {
    at = other;
    try {
      Document document = from_json(root, "r");
      ++shown;
      EXPECT_FALSE((to_html(document) + to_markdown(document) + to_terminal(document)).empty());
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::StartsWith("r"));
    }
  }
  at = original;
}

TEST(Document, AnyChangeIsReadOrRefused) {
  Json json = to_json(make_document());
  int shown = 0;
  mutate(json, json, shown);
  EXPECT_GT(shown, 100);
  EXPECT_EQ(json, to_json(make_document()));
}

}  // namespace
}  // namespace sdft::report
