// Sweeps: rows over seeds, figures chosen from the data, matrices, the three outputs.
#include "report/sweep.h"

#include <gmock/gmock.h>

#include <cmath>
#include <regex>

#include "base/error.h"
#include "base/file.h"
#include "report/format.h"
#include "report/sweep_figures.h"
#include "sample.h"
#include "testing.h"

namespace sdft::report {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

SweepRun make_run(const std::string& variant, std::vector<Setting> settings, double target, double retained) {
  return {variant, "method of " + variant, std::move(settings), {{"target", target}, {"retained", retained}}};
}

// Two sizes and three seeds; the plain variant has no fraction.
Sweep make_sweep() {
  Sweep sweep;
  sweep.title = "Size and fraction";
  sweep.keys = {"max_samples", "distilled_fraction", "seed"};
  sweep.seed_model = {{"target", 0.1}, {"retained", 0.7}};
  sweep.base = {{"learning_rate", "0.0003"}};
  for (const char* size : {"50", "2000"})
    for (int seed = 1; seed <= 3; ++seed) {
      const std::string s = std::to_string(seed);
      for (const char* fraction : {"0.5", "1"})
        sweep.runs.push_back(make_run("ours",
                                      {{"max_samples", size}, {"distilled_fraction", fraction}, {"seed", s}},
                                      0.6 + 0.01 * seed, 0.65));
      sweep.runs.push_back(make_run("plain", {{"max_samples", size}, {"seed", s}}, 0.7, 0.4 + 0.01 * seed));
      sweep.runs.back().measures["tokens"] = 1234;
    }
  return sweep;
}

// Three tasks in turn, two seeds.
Sweep make_chain() {
  Sweep sweep;
  sweep.title = "In turn";
  sweep.keys = {"stage", "seed"};
  sweep.seed_model = {{"retained", 0.7}, {"task a", 0.1}, {"task b", 0.2}, {"task facts", 0.7}};
  sweep.tasks = {{"a", "target"}, {"b", "target"}, {"facts", "retained"}, {"talk", "similarity"}};
  for (const char* seed : {"1", "2"}) {
    const double shift = seed[0] == '1' ? 0 : 0.02;
    sweep.runs.push_back({"ours",
                          "",
                          {{"stage", "1-a"}, {"seed", seed}},
                          {{"task a", 0.8}, {"task b", 0.2}, {"task facts", 0.7}, {"task talk", 0.5}}});
    sweep.runs.push_back({"ours",
                          "",
                          {{"stage", "2-b"}, {"seed", seed}},
                          {{"task a", 0.5 + shift}, {"task b", 0.9}, {"task facts", 0.6}}});
  }
  return sweep;
}

std::string error_of(const Json& json) {
  try {
    sweep_from_json(json, "sweep.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Sweep, ComesBackAsItWas) {
  Sweep sweep = make_sweep();
  sweep.runs[0].measures["shift"] = kMissing;
  const Json json = Json::parse(to_json(sweep).dump());
  EXPECT_TRUE(json["runs"][0]["measures"]["shift"].is_null());
  const Sweep again = sweep_from_json(json, "sweep.json");
  EXPECT_EQ(to_json(again), json);
  EXPECT_EQ(to_html(again), to_html(sweep));
  EXPECT_EQ(again.runs.size(), 18u);
}

TEST(Sweep, FaultsNameTheirPlace) {
  const Json good = to_json(make_sweep());
  Json bad = good;
  bad["format"] = 9;
  EXPECT_THAT(error_of(bad), HasSubstr("sweep format 9"));
  bad = good;
  bad["runs"][1]["settings"][0]["name"] = "max_sample";
  EXPECT_THAT(error_of(bad),
              AllOf(HasSubstr("sweep.json.runs[1].settings"), HasSubstr("did you mean 'max_samples'")));
  bad["runs"][1]["settings"][0]["name"] = "seed";
  EXPECT_THAT(error_of(bad), HasSubstr("'seed' is there twice"));
  bad = good;
  bad["runs"][0]["measures"]["target"] = "much";
  EXPECT_THAT(error_of(bad), AllOf(HasSubstr("runs[0].measures.target"), HasSubstr("a number or null")));
  bad = good;
  bad["keys"] = {"seed", "seed"};
  EXPECT_THAT(error_of(bad), HasSubstr("a key is there twice"));
}

TEST(Sweep, SeedsAreOneRow) {
  const Sweep sweep = make_sweep();
  const std::vector<SweepRow> rows = rows_of(sweep);
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_EQ(rows[0].runs.size(), 3u);
  const Estimate target = estimate_of(sweep, rows[0], "target");
  EXPECT_NEAR(target.value, 0.62, 1e-12);
  EXPECT_NEAR(target.high - target.value, 4.302653 * 0.01 / std::sqrt(3.0), 1e-6);
  EXPECT_NEAR(estimate_of(sweep, rows[2], kForgetting).value, 0.28, 1e-12);
  EXPECT_TRUE(std::isnan(estimate_of(sweep, rows[0], "tokens").value));
  EXPECT_EQ(label_of(sweep, rows[0]), "ours, max_samples=50, distilled_fraction=0.5");
  EXPECT_EQ(label_of(sweep, rows[2], "max_samples"), "plain");
  EXPECT_THAT(measures_of(sweep), ElementsAre("target", "retained", kForgetting, "tokens"));
}

TEST(Sweep, OneSeedHasNoInterval) {
  Sweep sweep = make_sweep();
  sweep.runs.resize(3);
  const std::string text = plain_spaces(to_markdown(sweep));
  EXPECT_THAT(
      text,
      HasSubstr("| Variant | max\\_samples | distilled\\_fraction | target, % | retained, % | forgetting, "
                "points | tokens generated |"));
  EXPECT_THAT(text, HasSubstr("| ours | 50 | 0.5 | 61.0 | 65.0 | 5.0 | – |"));
  EXPECT_THAT(text, HasSubstr("| plain | 50 | – | 70.0 | 41.0 | 29.0 | 1,234 |"));
}

TEST(Sweep, NumbersMakeLines) {
  const std::vector<SweepFigure> figures = figures_of(make_sweep());
  ASSERT_EQ(figures.size(), 2u);
  EXPECT_TRUE(figures[0].numbers);
  EXPECT_THAT(figures[0].values, ElementsAre("50", "2000"));
  EXPECT_THAT(figures[0].measures, ElementsAre(kForgetting, "target"));
  ASSERT_EQ(figures[0].series[0].size(), 3u);  // two fractions and the plain one
  EXPECT_EQ(figures[0].series[0][0].points.size(), 2u);
  EXPECT_THAT(draw(figures[0], 0, 400),
              AllOf(HasSubstr("max_samples (logarithmic)"), HasSubstr(">2000</text>")));
  EXPECT_EQ(figures[1].key, "distilled_fraction");
  EXPECT_THAT(draw(figures[1], 0, 400), Not(HasSubstr("logarithmic")));
  const auto level = std::count_if(figures[1].series[0].begin(), figures[1].series[0].end(),
                                   [](const SweepSeries& series) { return series.level; });
  EXPECT_EQ(level, 2) << "the plain variant has no fraction, a line a size";
}

TEST(Sweep, TextsMakeDots) {
  Sweep sweep = make_sweep();
  sweep.keys[0] = "lora_target";
  for (SweepRun& run : sweep.runs)
    run.settings[0] = {"lora_target", run.settings[0].value == "50" ? "[q_proj, v_proj]" : "[all-linear]"};
  const SweepFigure figure = figures_of(sweep).at(0);
  EXPECT_FALSE(figure.numbers);
  EXPECT_THAT(figure.values, ElementsAre("[q_proj, v_proj]", "[all-linear]"));
  EXPECT_EQ(count_of(draw(figure, 0, 400), "class=\"mark "), 6u);
  EXPECT_THAT(to_html(sweep), HasSubstr("<h2>By lora_target</h2>"));
}

TEST(Sweep, OverSeedsAloneVariantsAreCompared) {
  Sweep sweep = make_sweep();
  sweep.keys = {"seed"};
  for (SweepRun& run : sweep.runs) run.settings = {run.settings.back()};
  const SweepFigure figure = figures_of(sweep).at(0);
  EXPECT_EQ(figure.key, "variant");
  EXPECT_THAT(figure.values, ElementsAre("ours", "plain"));
}

TEST(Sweep, SaysHowFarFromTheSeedAndHowItWasLearned) {
  Sweep sweep = make_sweep();
  EXPECT_EQ(to_json(sweep).count("learning") + to_json(sweep).count("warnings"), 0u);
  EXPECT_THAT(to_html(sweep), Not(HasSubstr("Target against retained")));
  for (SweepRun& run : sweep.runs) {
    run.measures["kl_task"] = run.variant == "ours" ? 0.25 : 0.5;
    run.measures["train tokens"] = 5000;
  }
  sweep.learning = {{"ours", "on_policy", "full_logits", "forward: KL(teacher || student)", {}, 0},
                    {"plain", "sft", "sft", "", {{"lora_rank", "8"}}, 0}};
  sweep.warnings = {"The training of “ours” ended early."};
  EXPECT_THAT(measures_of(sweep),
              ElementsAre("target", "retained", kForgetting, "kl_task", "tokens", "train tokens"));
  EXPECT_EQ(to_json(sweep_from_json(to_json(sweep), "s")), to_json(sweep));
  for (const std::string& text : {to_html(sweep), to_markdown(sweep), to_terminal(sweep)})
    EXPECT_THAT(plain_spaces(text),
                AllOf(HasSubstr("KL on task, nats"), HasSubstr("0.2500"), HasSubstr("5,000"),
                      HasSubstr("ended early"), HasSubstr("KL(tuned"), HasSubstr("forward: KL(teacher")));
  EXPECT_THAT(to_html(sweep), HasSubstr("Target against retained"));
}

TEST(Sweep, DatasetsMakeATransferMatrix) {
  Sweep sweep = make_chain();
  sweep.keys[0] = "dataset";
  for (SweepRun& run : sweep.runs) run.settings[0] = {"dataset", run.settings[0].value.substr(2) + ".jsonl"};
  const auto matrix = transfer_matrix(sweep);
  ASSERT_TRUE(matrix);
  EXPECT_THAT(matrix->columns, ElementsAre("a", "b"));
  EXPECT_THAT(matrix->rows, ElementsAre("seed", "a.jsonl", "b.jsonl"));
  EXPECT_NEAR(matrix->cells[1][0].change, 0.7, 1e-12);
  EXPECT_NEAR(matrix->cells[2][0].score.value, 0.51, 1e-12);
  EXPECT_FALSE(transfer_matrix(make_sweep()));
  EXPECT_THAT(to_html(sweep), AllOf(HasSubstr("Transfer between datasets"), HasSubstr("class=\"up\"")));
}

TEST(Sweep, StagesMakeAForgettingMatrix) {
  const Sweep sweep = make_chain();
  const std::vector<Matrix> matrices = stage_matrices(sweep);
  ASSERT_EQ(matrices.size(), 1u);
  EXPECT_EQ(matrices[0].title, "ours");
  EXPECT_THAT(matrices[0].rows, ElementsAre("seed", "1-a", "2-b"));
  EXPECT_THAT(matrices[0].columns, ElementsAre("a", "b", "facts"));
  EXPECT_NEAR(matrices[0].cells[2][2].change, -0.1, 1e-12);
  // −0.30 and −0.28; (0.5 + 0.9) / 2 and (0.52 + 0.9) / 2.
  EXPECT_THAT(matrices[0].notes, ElementsAre(HasSubstr("Mean backward transfer −29.0 points [−41.7,"),
                                             HasSubstr("Final mean of the stages' tasks 70.5")));
  Sweep strange = sweep;
  for (SweepRun& run : strange.runs) run.settings[0].value += "-of-nothing";
  EXPECT_THAT(stage_matrices(strange)[0].notes, ElementsAre(HasSubstr("cannot be told")));
  EXPECT_THAT(plain_spaces(to_markdown(sweep)),
              HasSubstr("| 2-b | 51.0 (+41.0) | 90.0 (+70.0) | 60.0 (−10.0) |"));
  EXPECT_THAT(to_terminal(sweep), HasSubstr("Mean backward transfer"));
}

void expect_sound(const Sweep& sweep) {
  const std::string html = to_html(sweep);
  EXPECT_EQ(count_of(html, "<svg"), count_of(html, "</svg>"));
  EXPECT_EQ(count_of(html, "<table"), count_of(html, "</table>"));
  for (const char* part : {"<script", "<img", "src=\"", "href=", "url("})
    EXPECT_THAT(html, Not(HasSubstr(part)));
  EXPECT_EQ(html, clean(html));
  for (const std::string& text : {html, to_markdown(sweep), to_terminal(sweep)})
    for (const char* part : {"nan", "NaN", "inf"})
      EXPECT_FALSE(std::regex_search(text, std::regex(std::string("[^a-z]") + part + "[^a-zA-Z-]"))) << part;
  for (int columns : {60, 100})
    for (const std::string& line : lines_of(to_terminal(sweep, {false, columns})))
      EXPECT_LE(display_width(line), columns) << line;
}

TEST(Sweep, StandsWhatIsMissingAndWhatIsHostile) {
  Sweep empty;
  empty.title = "t";
  EXPECT_THAT(to_html(empty), HasSubstr("No run of the sweep was evaluated"));
  EXPECT_THAT(figures_of(empty), IsEmpty());
  Sweep missing = make_sweep();
  for (SweepRun& run : missing.runs) run.measures["target"] = kMissing;
  missing.runs[0].measures["retained"] = INFINITY;
  missing.runs[1].measures.clear();
  Sweep bare = make_sweep();
  bare.seed_model.clear();
  Sweep hostile = make_chain();
  hostile.title = hostile.tasks[0].name = kHostile;
  hostile.keys[0] = kHostile;
  hostile.base = {{kHostile, kHostile}};
  for (SweepRun& run : hostile.runs) {
    run.variant = run.method = kHostile;
    run.settings[0] = {kHostile, kHostile + run.settings[0].value};
    run.measures[kHostile] = 1e300;
    run.measures[std::string("task ") + kHostile] = 0.5;
  }
  hostile.warnings = {kHostile};
  hostile.learning = {{kHostile, kHostile, kHostile, kHostile, {{kHostile, kHostile}}, 1}};
  Sweep hostile_chain = hostile;
  hostile_chain.keys[0] = "stage";
  for (SweepRun& run : hostile_chain.runs) run.settings[0].name = "stage";
  for (const Sweep& sweep : {empty, missing, bare, hostile, hostile_chain, make_sweep(), make_chain()})
    expect_sound(sweep);
}

TEST(Sweep, IsWrittenWhole) {
  sdft::testing::ScratchDir scratch;
  const Sweep sweep = make_sweep();
  write_sweep(sweep, scratch / "out");
  EXPECT_EQ(read_text(scratch / "out/sweep.html"), to_html(sweep));
  EXPECT_EQ(read_text(scratch / "out/sweep.md"), to_markdown(sweep));
  EXPECT_EQ(to_json(read_sweep(scratch / "out/sweep.json")), to_json(sweep));
}

}  // namespace
}  // namespace sdft::report
