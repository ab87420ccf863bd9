// Several runs beside each other: what differs, what may share a table, what is said where it may not.
#include "report/compare.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "report/format.h"
#include "report/tradeoff.h"
#include "sample.h"
#include "testing.h"

namespace sdft::report {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kRecipe =
    "model_name_or_path: models/mini\nseed: 7\nlora_rank: 8\noutput_dir: runs/one\n"
    "dataset: data/train.jsonl\nlora_target: [all-linear]\neval:\n"
    "  - name: sums\n    kind: target\n    dataset: data/sums.jsonl\n    check: number\n"
    "variants:\n  - {name: \"ours\", method: sft}\n";

Document document_at(const std::string& place) {
  Document document = make_document();
  document.run.seed_model.path = place + "/mini";
  document.run.datasets = {{"train", place + "/train.jsonl", std::string(64, 'b'), 2000},
                           {"sums", place + "/sums.jsonl", std::string(64, 'c'), 200}};
  document.run.recipe = std::regex_replace(std::string(kRecipe), std::regex("(models|data)/"), place + "/");
  return document;
}
std::vector<ComparedRun> two_runs() {
  return {{"one", "one/report.html", document_at("here")}, {"two", "", document_at("there")}};
}
void edit(Document* document, const char* from, const char* to) {
  document->run.recipe = std::regex_replace(document->run.recipe, std::regex(from), to);
}
std::vector<std::string> in_words(const std::vector<DifferingSetting>& settings) {
  std::vector<std::string> words;
  for (const DifferingSetting& one : settings) words.push_back(one.name + ": " + join(one.values, " | "));
  return words;
}

TEST(Compare, FilesAreToldByContentNotByPlace) {
  auto runs = two_runs();
  EXPECT_THAT(differing_settings(runs), IsEmpty());
  EXPECT_THAT(not_comparable(runs), IsEmpty());
  EXPECT_THAT(compare_html(runs), HasSubstr("are the same"));
}

TEST(Compare, TellsWhatDiffers) {
  auto runs = two_runs();
  edit(&runs[1].document, "lora_rank: 8", "lora_rank: 64");
  edit(&runs[1].document, "check: number", "check: answer");
  edit(&runs[1].document, "output_dir: runs/one", "output_dir: runs/two\nbf16: true");
  runs[1].document.run.datasets[0].sha256 = std::string(64, 'd');
  EXPECT_THAT(
      in_words(differing_settings(runs)),
      ElementsAre("training data: train.jsonl (bbbbbbbb), 2,000 examples | train.jsonl (dddddddd), 2,000 "
                  "examples",
                  "lora_rank: 8 | 64",
                  "eval sums: kind: target, dataset: sums.jsonl (cccccccc), check: number | kind: target, "
                  "dataset: sums.jsonl (cccccccc), check: answer",
                  "bf16: – | true"));
}

TEST(Compare, RunsMeasuredAlikeShareTablesAndAFigure) {
  const auto runs = two_runs();
  const auto kinds = kind_tables(runs);
  ASSERT_EQ(kinds.size(), 1u);
  EXPECT_EQ(kinds[0].columns.size(), 3u);
  EXPECT_EQ(task_tables(runs).at(0).columns.size(), 4u);
  const auto points = trade_off(runs, kinds[0].columns[0], kinds[0].columns[1]);
  ASSERT_EQ(points.size(), 5u) << "the seed once";
  EXPECT_EQ(points[0].slot, 0);
  EXPECT_EQ(points[4].label, "two, sdft");
  EXPECT_NEAR(points[4].retained.value, 0.70, 1e-9);
  const std::string html = compare_html(runs);
  EXPECT_THAT(unclosed(html), ElementsAre());
  EXPECT_THAT(html, AllOf(HasSubstr("<a href=\"one/report.html\">one</a>"), Not(HasSubstr("<script")),
                          HasSubstr("<svg"), HasSubstr("Target against retained")));
  EXPECT_EQ(html, compare_html(two_runs())) << "the same bytes";
}

TEST(Compare, OthersStandInTablesOfTheirOwnAndItIsSaid) {
  auto runs = two_runs();
  runs[1].document.run.datasets[1].sha256 = std::string(64, 'e');
  EXPECT_THAT(not_comparable(runs), ElementsAre("Not comparable, not of the same examples: one | two. In "
                                                "tables of their own: sums."));
  const auto tables = task_tables(runs);
  ASSERT_EQ(tables.size(), 3u);
  EXPECT_THAT(tables[0].runs, ElementsAre(0));
  EXPECT_THAT(tables[1].runs, ElementsAre(1));
  EXPECT_THAT(tables[2].runs, ElementsAre(0, 1)) << "the retained tasks";
  EXPECT_EQ(tables[2].columns.size(), 3u);

  runs = two_runs();
  runs[1].document.evaluation->tasks[1].scores[0].value = 0.57;
  EXPECT_THAT(not_comparable(runs), ElementsAre(HasSubstr("the seed model scored differently")));
  runs = two_runs();
  runs[1].document.evaluation->tasks[1].metric = "F1";
  EXPECT_THAT(not_comparable(runs), ElementsAre(HasSubstr("not measured in the same way: one | two")));
  runs = two_runs();
  runs[1].document.run.seed_model.parameters = 1;
  EXPECT_THAT(not_comparable(runs), ElementsAre(HasSubstr("same seed model: one | two")));
  for (const ScoreTable& table : task_tables(runs)) EXPECT_EQ(table.runs.size(), 1u);
  EXPECT_THAT(compare_terminal(runs), HasSubstr("! These runs do not start from the same seed model"));
}

TEST(Compare, WhatIsMissingIsSaid) {
  auto runs = two_runs();
  runs[1].document.evaluation.reset();
  EXPECT_THAT(compare_html(runs), HasSubstr("not evaluated"));
  EXPECT_EQ(unclosed(compare_html(runs)).size(), 0u);
  runs[0].document.evaluation.reset();
  for (const std::string& text : {compare_html(runs), compare_markdown(runs), compare_terminal(runs)})
    EXPECT_THAT(text, HasSubstr("No run was evaluated."));
  runs = two_runs();
  runs[0].document.evaluation->tasks[1].scores.pop_back();
  const std::string text = compare_terminal(runs);
  EXPECT_THAT(text, HasSubstr("–"));
}

TEST(Compare, HostileTextIsEscaped) {
  auto runs = two_runs();
  for (ComparedRun& run : runs) {
    run.name += kHostile;
    run.document.run.title = run.document.run.method = run.document.run.recipe = kHostile;
    run.document.evaluation->tasks[0].name = run.document.evaluation->tasks[0].metric = kHostile;
  }
  runs[1].document.run.recipe = "a" + kHostile;
  const std::string html = compare_html(runs);
  EXPECT_THAT(unclosed(html), ElementsAre());
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_EQ(compare_terminal(runs).find('\x1b'), std::string::npos);
  EXPECT_THAT(compare_markdown(runs), Not(HasSubstr("](javascript")));
}

TEST(Compare, ReadsRunDirectories) {
  sdft::testing::ScratchDir dir;
  for (const char* name : {"a/x y", "b/x y"}) write_reports(document_at("here"), dir / name);
  const auto runs =
      read_compared_runs({(dir / "a/x y").string(), (dir / "b/x y/report.json").string()}, dir / "");
  EXPECT_EQ(runs[0].name, "a/x y");
  EXPECT_EQ(runs[1].name, "b/x y");
  EXPECT_EQ(runs[0].link, "a/x%20y/report.html");
  auto error = [&](const std::vector<std::string>& paths) -> std::string {
    try {
      read_compared_runs(paths, dir / "");
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(error({(dir / "a/x y").string()}), HasSubstr("two runs or more"));
  EXPECT_THAT(error({(dir / "a/x y").string(), (dir / "a/../a/x y/").string()}), HasSubstr("given twice"));
  EXPECT_THAT(error({(dir / "a/x y").string(), (dir / "a").string()}), HasSubstr("has no report.json"));
}

}  // namespace
}  // namespace sdft::report
