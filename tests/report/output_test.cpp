// The three reports: structure, escaping, what is missing, what is cut.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <regex>

#include "report/format.h"
#include "report/html_script.h"
#include "sample.h"

namespace sdft::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Document hostile_document() {
  Document document = make_watched_document();
  document.learning[0] = {kHostile, kHostile, kHostile, kHostile, {{kHostile, kHostile}}, 1};
  document.watches[0].variant = document.watches[0].prompts[0].name = document.watches[0].fault = kHostile;
  Run& run = document.run;
  for (std::string* text :
       {&run.title, &run.date, &run.version, &run.method, &run.seed_model.path, &run.seed_model.sha256,
        &run.seed_model.architecture, &run.datasets[0].role, &run.datasets[0].path, &run.recipe,
        &run.settings[0].name, &run.settings[0].value, &run.versions[0].value})
    *text = kHostile;
  document.warnings = {kHostile};
  document.distillations[0].rejected[0].reason = kHostile;
  document.distillations[0].too_long[0] = kHostile;
  for (Rewrite& sample : document.distillations[0].samples)
    sample = {kHostile, kHostile, kHostile, kHostile, kHostile, kHostile};
  document.distillations[0].name = kHostile;
  document.distillations[0].rounds[0].name = kHostile;
  document.distillations.push_back(document.distillations[0]);
  document.distillations[1].variants = {kHostile};
  document.training[1].variant = kHostile;
  document.shifts[0].variant = document.shifts[0].modules[0].module = kHostile;
  for (Task& task : document.evaluation->tasks) {
    task.name += kHostile;
    task.metric = kHostile;
    for (Transition& transition : task.transitions) transition.forgotten_ids = {kHostile};
    for (SampleAnswers& sample : task.samples) {
      sample.id = sample.prompt = sample.reference = kHostile;
      for (ModelAnswer& answer : sample.answers) answer.text = kHostile;
    }
  }
  document.timings[0].stage = kHostile;
  return document;
}

TEST(Html, HasItsParts) {
  std::string html = to_html(make_document());
  EXPECT_THAT(unclosed(html), ElementsAre());
  EXPECT_EQ(html.rfind("<!doctype html>", 0), 0u);
  for (const char* part :
       {"<title>Small sums</title>", "class=\"warnings\"", "class=\"headline\">Learned the target task",
        "What was learned, what was forgotten", "<h2>Scores</h2>", "<h2>Rewrites</h2>", "<h2>Training</h2>",
        "Answers side by side", "Where it comes from", "prefers-color-scheme:dark", "@media print",
        "width=device-width", "4 and 4 make 8.", "lora_rank", "baseline: true"})
    EXPECT_THAT(html, HasSubstr(part));
  EXPECT_EQ(count_of(html, "<tr><th scope=\"row\">"),
            4u + 12 + 3 + 1 + 2 + 3 + 2);                            // scores, tests, …, variants
  EXPECT_EQ(count_of(html, "<td data-model=\"sdft\">"), 4u + 2);     // scores, by example
  EXPECT_EQ(count_of(html, "class=\"curve m"), 2u * 2 + 2 + 2 + 1);  // loss twice; no rates of sdft
  EXPECT_EQ(count_of(html, "class=\"curve dashed m"), 2u);           // its validation loss, twice
  EXPECT_THAT(plain_spaces(html), HasSubstr("<b>+59.0</b> [52.0, 66.0]"));
  EXPECT_THAT(html, HasSubstr(std::string(64, 'b')));
}

// seed, baseline and ten more, each with all there can be.
Document document_of_many() {
  Document document = make_document();
  for (int i = 1; i <= 10; ++i) {
    const std::string model = "variant-" + std::to_string(i);
    document.evaluation->models.push_back(model);
    for (Task& task : document.evaluation->tasks) {
      task.scores.push_back(make_score(model, 0.05 * i, 0.03));
      task.transitions.push_back({model, 200, i, 2, 1.5, 0.5, {"id-" + model}, {}});
    }
    document.training.push_back(document.training[1]);
    document.training.back().variant = model;
    document.shifts.push_back({model, 0.001 * i, document.shifts[0].modules});
  }
  return tested(document);
}

TEST(Html, AnyNumberOfVariants) {
  const std::string html = to_html(document_of_many());
  EXPECT_THAT(unclosed(html), ElementsAre());
  EXPECT_EQ(count_of(html, "<td data-model=\"sums\">"), 13u + 1) << "models stand below each other";
  for (int slot = 0; slot < 13; ++slot)
    EXPECT_THAT(html, HasSubstr("mark " + std::string(slot == 0 || slot > 8 ? "hollow " : "") + "m" +
                                std::to_string(slot) + "\""));
  EXPECT_THAT(html, HasSubstr("<b>variant-10:</b>"));
  EXPECT_THAT(html, HasSubstr("id-variant-10"));
  Document document = document_of_many();
  for (int i = 0; i < 30; ++i) {
    document.evaluation->models.push_back("more-" + std::to_string(i));
    document.evaluation->tasks[0].scores.push_back(make_score(document.evaluation->models.back(), 0.5, 0.1));
  }
  for (const std::string& text : {to_html(document), to_markdown(document), to_terminal(document)})
    EXPECT_THAT(text, HasSubstr("more-29"));
}

TEST(Html, ShowsWhatIsKnownOfRewritesAndTraining) {
  const std::string html = plain_spaces(to_html(make_document()));
  for (const char* part :
       {"own answer", "candidate 2", "45.5 % of those asked", "71,000", "class=\"area m1\"",
        "class=\"area m2\"", "found: “8 instead of 9”", "0.600 at step 30", "0.42 %", "class=\"cell\"",
        "<b>70</b> forgotten", "<b>6</b> gained", "p &lt; 0.0001", "3.5 beyond chance",
        "fact-1, fact-9 and 68 more", "chance 25.0 %"})
    EXPECT_THAT(html, HasSubstr(part));
  EXPECT_EQ(count_of(html, "class=\"cell\""), 2u * 5);
}

TEST(Html, LoadsAndRunsNothing) {
  for (const Document& document : {make_document(), make_watched_document(), hostile_document()}) {
    std::string html = to_html(document);
    const std::string script = page_script();
    ASSERT_EQ(count_of(html, script), 1u) << "our own, as the content policy has it";
    EXPECT_THAT(html, HasSubstr("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"));
    html.erase(html.find(script), script.size());
    for (const char* part : {"<script", "<img", "<link", "<iframe", "src=\"", "href=", "@import", "url("})
      EXPECT_THAT(html, Not(HasSubstr(part)));
    EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  }
}

TEST(Html, EscapesEveryText) {
  std::string html = to_html(hostile_document());
  EXPECT_THAT(unclosed(html), ElementsAre());
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&gt;"));
  EXPECT_EQ(html.find('\x1b'), std::string::npos);
  EXPECT_EQ(html.find('\xff'), std::string::npos);
  EXPECT_EQ(html, clean(html));
}

TEST(Html, HasFurtherPagesAndARecipeToCopy) {
  Document document = make_document();
  document.run.pages = {{"all rewrites of x", "distill,a=b/rewrites.html"}, {"y", "javascript:alert(1)"}};
  const std::string html = to_html(document);
  EXPECT_THAT(html, HasSubstr("<a href=\"distill%2Ca%3Db/rewrites.html\">all rewrites of x</a>"));
  EXPECT_THAT(html, HasSubstr("href=\"javascript%3Aalert%281%29\"")) << "a file of that name";
  EXPECT_THAT(html, HasSubstr("data-of=\"recipe\""));
  EXPECT_EQ(from_json(to_json(document), "x").run.pages.size(), 2u);
}

TEST(Html, IsTheSameEveryTime) {
  EXPECT_EQ(to_html(make_document()), to_html(make_document()));
  EXPECT_EQ(to_markdown(make_document()), to_markdown(make_document()));
}

TEST(Html, CutsLongTextsAndSaysSo) {
  Document document = make_document();
  document.evaluation->tasks[0].samples[0].answers[0].text = std::string(5000, 'w');
  document.distillations[0].samples.assign(9, document.distillations[0].samples[0]);
  document.evaluation->tasks[0].samples[0].answers[1].text = " \n";
  std::string html = to_html(document);
  EXPECT_THAT(html, HasSubstr("[3,800 more characters]"));
  EXPECT_THAT(html, Not(HasSubstr(std::string(1201, 'w'))));
  EXPECT_THAT(html, HasSubstr("6 of 2,000 are shown; distill/distilled.jsonl has them all"));
  EXPECT_THAT(html, HasSubstr("(empty)"));
  EXPECT_THAT(to_markdown(document), HasSubstr("[3,800 more characters]"));
  EXPECT_THAT(to_markdown(document), HasSubstr("5 of 2,000 are shown"));
}

TEST(Html, ALongRunIsDrawnAsMeans) {
  Document document = make_document();
  Curve& curve = document.training[0];
  curve = {"vanilla", {}, {}, {}, {}, {}, {}};
  for (int i = 1; i <= 10000; ++i) {
    curve.step.push_back(i);
    curve.loss.push_back(1.0 / i);
  }
  std::string html = to_html(document);
  EXPECT_LT(html.size(), 100000u);
  EXPECT_THAT(html, HasSubstr("means of neighbouring steps"));
}

TEST(AllReports, ShowWhatIsMissingAsADash) {
  Document document = make_document();
  for (Task& task : document.evaluation->tasks) task.scores.resize(2);
  document.evaluation->tasks[1].scores[1].value = kMissing;
  document.distillations[0].logprob_original = kMissing;
  document.distillations[0].length_ratio = kMissing;
  document.timings[0].seconds = kMissing;
  document.training[0].loss = {kMissing, kMissing, kMissing};
  document.training[1].loss.clear();
  for (const std::string& text : {to_html(document), to_markdown(document), to_terminal(document)}) {
    EXPECT_THAT(text, HasSubstr("–"));
    for (const char* part : {"nan", "NaN", "inf", "null"})
      EXPECT_FALSE(std::regex_search(text, std::regex(std::string("[^a-z]") + part + "[^a-zA-Z-]"))) << part;
  }
  EXPECT_THAT(unclosed(to_html(document)), ElementsAre());
}

TEST(AllReports, StandSmallDocuments) {
  Document bare;
  bare.run.title = "t";
  Document empty = bare;
  empty.evaluation = Evaluation{};
  empty.distillations = {Distillation{}};
  empty.training = {Curve{}};
  Document one = bare;
  one.evaluation = Evaluation{{"seed"}, {Task{"t", "target", "", {make_score("seed", 0.5, 0.1)}, {}, 0, {}}}};
  Document unscored = make_document();
  for (Task& task : unscored.evaluation->tasks) task.scores.clear();
  Document unmeasured = make_watched_document();
  unmeasured.watches[0] = {"vanilla", {}, {}, 0, ""};
  unmeasured.watches[1].prompts[0] = {"task", {kMissing, INFINITY, 1e300}, {}, {}, {}, {}};
  EXPECT_THAT(unclosed(to_html(unmeasured)), ElementsAre());
  for (const Document& document : {bare, empty, one, unscored}) {
    EXPECT_THAT(unclosed(to_html(document)), ElementsAre());
    EXPECT_THAT(to_markdown(document), ::testing::ContainsRegex("evaluated|scored"));
    EXPECT_THAT(to_terminal(document), ::testing::ContainsRegex("evaluated|scored"));
  }
  EXPECT_THAT(to_terminal(one), HasSubstr("50.0 [40.0, 60.0]"));
}

// Cells of a table row: a pipe after a backslash does not part them.
size_t cells_of(const std::string& line) {
  size_t pipes = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\')
      ++i;
    else if (line[i] == '|')
      ++pipes;
  }
  return pipes - 1;
}

TEST(Markdown, TablesStayTables) {
  for (const Document& document : {make_document(), hostile_document()}) {
    size_t columns = 0, rows = 0;
    std::string fence;
    for (const std::string& line : lines_of(to_markdown(document))) {
      if (!fence.empty()) {
        if (line == fence) fence.clear();
        continue;
      }
      size_t ticks = line.find_first_not_of('`');
      if (ticks != std::string::npos && ticks >= 3) fence = std::string(ticks, '`');
      if (line.rfind("| ", 0) == 0) {
        if (columns == 0) columns = cells_of(line);
        EXPECT_EQ(cells_of(line), columns) << line;
        ++rows;
      } else if (line.rfind("|:--", 0) != 0) {
        columns = 0;
      }
      EXPECT_THAT(line, Not(HasSubstr("<script"))) << "outside of a fence";
    }
    EXPECT_EQ(fence, "") << "a fence is left open";
    // Expectations, scores, tests, by example, rewrites, rounds, histogram, training, what was watched, each
    // with its head; a second set of rewrites has its expectations, and both are in a table of sets.
    const size_t sets = document.distillations.size();
    const size_t bins = document.distillations[0].logprobs->originals.size();
    size_t watched = document.watches.empty() ? 0 : 1;
    for (const Watch& watch : document.watches) watched += watch.prompts.size();
    EXPECT_EQ(rows, watched + 4 * sets + 1 + 4 + 1 + 12 + 1 + 3 + 1 + 6 + 1 + 3 + 1 + bins + 1 +
                        document.training.size() + (sets > 1 ? 1 + sets : 0) + (sets > 1 ? 1 : 0));
  }
}

TEST(Markdown, HasItsParts) {
  std::string text = to_markdown(make_document());
  for (const char* part : {"# Small sums\n", "> ⚠ 2 prompts were too long", "**Learned the target task",
                           "| Target: sums, accuracy | 200 | 12.0 [9.0, 15.0] | 69.0 [66.0, 72.0] | **+57.0 "
                           "[52.8, 61.2]** | 71.0 [68.0, 74.0] "
                           "| **+59.0 [52.0, 66.0]** |",
                           "| accepted | 1,600 | 80.0 % |", "Answer of sdft (right)",
                           "```text\n4 and 4 make 8.\n```", "Time of train: 1 h 07 min"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, Not(HasSubstr("\u00A0")));
}

TEST(Markdown, ManyModelsAreRows) {
  const std::string text = plain_spaces(to_markdown(document_of_many()));
  EXPECT_THAT(
      text,
      HasSubstr("| Target: sums, accuracy | variant-10 | 200 | 50.0 [47.0, 53.0] | **+38.0 [33.8, 42.2]** "
                "| **−19.0 [−23.2, −14.8]** |"));
  EXPECT_THAT(
      text,
      HasSubstr("| facts | vanilla | 200 | 70 | – | 4 | – | &lt; 0.0001 | fact-1, fact-9, … | fact-3, … |"));
  EXPECT_THAT(text, HasSubstr("| format | sdft | 200 | 8 | 3.5 | 6 | – | – | – | – |"));
  EXPECT_THAT(text, HasSubstr("| candidate 1 | 1,100 | 500 | 45.5 % | 70.0 % | 20,000 |"));
  EXPECT_THAT(text, HasSubstr("| sdft | 30 | 0.700 → 0.400 | 0.600 at step 30 | 0.42 % |"));
}

// What stands behind the words: pairs, p, Holm, and what could have been missed.
TEST(AllReports, ShowTheTests) {
  Document document = make_document();
  Difference& d = document.evaluation->tasks[1].scores[2].differences[0];
  d = {"seed", -0.01, {-0.052, 0.032}, 197, 0.031, kMissing, 0.061};
  adjust_p_values(&*document.evaluation);
  EXPECT_GT(d.p_adjusted, 0.05);
  const std::string row = "| facts | sdft | seed | 197 | −1.0 [−5.2, 3.2] | 0.031 | 0.12 | 6.1 |";
  EXPECT_THAT(to_markdown(document), HasSubstr(row));
  EXPECT_THAT(to_markdown(document), HasSubstr("| facts | vanilla | seed | 200 | **−33.0 [−37.2, −28.8]** | "
                                               "&lt; 0.0001 | &lt; 0.0001 | 6.1 |"));
  const std::string html = plain_spaces(to_html(document));
  EXPECT_THAT(html, HasSubstr("<td data-model=\"p, Holm\">0.12</td><td data-model=\"Seen from\">6.1</td>"));
  EXPECT_THAT(html, HasSubstr("&lt; 0.0001"));
  EXPECT_THAT(unclosed(html), ElementsAre());
  EXPECT_THAT(to_terminal(document, {false, 400}), HasSubstr("after Holm's correction"));
}

TEST(AllReports, CountWhatIsMissingApart) {
  Document document = make_document();
  EXPECT_THAT(to_markdown(document), Not(HasSubstr("Missing and cut")));
  Score& score = document.evaluation->tasks[1].scores[1];
  score.unanswered = {{"prompt_too_long", 2}, {"endpoint_failed", 1}};
  score.n = 197;
  score.cut = 12;
  EXPECT_THAT(to_markdown(document),
              HasSubstr("| facts | vanilla | 197 | 3: prompt too long 2, endpoint failed 1 | 12 |"));
  const std::string html = to_html(document);
  EXPECT_THAT(html,
              HasSubstr("<td data-model=\"Not answered\">3: prompt too long 2, endpoint failed 1</td>"));
  EXPECT_THAT(unclosed(html), ElementsAre());
  EXPECT_THAT(to_terminal(document, {false, 400}),
              HasSubstr("! Prompts of “facts” were not answered (vanilla 3); scores are over the others."));
}

TEST(Terminal, IsATableInMiniature) {
  std::string text = to_terminal(make_document());
  EXPECT_THAT(text,
              HasSubstr("  sums      200   12.0 [9.0, 15.0]    69.0 [66.0, 72.0]     71.0 [68.0, 74.0]\n"));
  EXPECT_THAT(text, HasSubstr("+59.0 [52.0, 66.0]"));
  EXPECT_THAT(text, HasSubstr("! 2 prompts were too long"));
  EXPECT_THAT(text, HasSubstr("1,600 of 2,000 accepted (80.0 %)"));
  EXPECT_THAT(text, HasSubstr("vanilla 2.00 → 0.50 in 30 steps"));
  EXPECT_THAT(text, HasSubstr("own answer 900 of 2,000, candidate 1 500 of 1,100"));
  EXPECT_THAT(text, HasSubstr("sdft 0.42 %"));
}

TEST(Terminal, KeepsToItsColumns) {
  Document many = make_document();
  for (const char* model : {"on_policy", "sdft_with_a_very_long_name"}) {
    many.evaluation->models.push_back(model);
    for (Task& task : many.evaluation->tasks) task.scores.push_back(make_score(model, 0.5, 0.1));
  }
  many.warnings = {std::string(300, 'x') + " y"};
  many.evaluation->tasks[0].name = "数学の問題を解くための長い名前のタスクです、とても長い名前";
  for (int columns : {60, 80, 100, 120})
    for (const Document& document : {make_document(), many}) {
      std::string text = to_terminal(document, {false, columns});
      for (const std::string& line : lines_of(text)) EXPECT_LE(display_width(line), columns) << line;
      for (const std::string& model : document.evaluation->models)
        EXPECT_THAT(text, HasSubstr(model.substr(0, 15)));
    }
}

TEST(Terminal, NoLineEndsInASpace) {
  for (const std::string& line : lines_of(to_terminal(make_document(), {false, 70})))
    EXPECT_TRUE(line.empty() || line.back() != ' ') << "'" << line << "'";
}

TEST(Terminal, ColoursOnlyWhenAsked) {
  Document document = hostile_document();
  EXPECT_EQ(to_terminal(document, {false, 100}).find('\x1b'), std::string::npos);
  std::string coloured = to_terminal(document, {true, 100});
  EXPECT_THAT(coloured, HasSubstr("\x1b[32m+59.0"));
  EXPECT_EQ(std::regex_replace(coloured, std::regex("\x1b\\[[0-9]*m"), ""),
            to_terminal(document, {false, 100}));
  EXPECT_EQ(coloured.find("\x1b[31m "), std::string::npos) << "an escape of the data came through";
}

TEST(Terminal, StyleOfAPipeIsPlain) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  TerminalStyle style = terminal_style(ends[1]);
  EXPECT_FALSE(style.colour);
  EXPECT_EQ(style.columns, TerminalStyle{}.columns);
  ::close(ends[0]);
  ::close(ends[1]);
}

// A real terminal has colour unless NO_COLOR or TERM say otherwise.
TEST(Terminal, StyleOfATerminal) {
  int fd = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (fd < 0 || ::grantpt(fd) != 0 || ::unlockpt(fd) != 0) GTEST_SKIP() << "no pseudo-terminals here";
  int terminal = ::open(::ptsname(fd), O_RDWR | O_NOCTTY);
  if (terminal < 0) GTEST_SKIP() << "no pseudo-terminals here";
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  EXPECT_TRUE(terminal_style(terminal).colour);
  ::setenv("NO_COLOR", "", 1);
  EXPECT_TRUE(terminal_style(terminal).colour);
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(terminal_style(terminal).colour);
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(terminal_style(terminal).colour);
  ::close(terminal);
  ::close(fd);
}

}  // namespace
}  // namespace sdft::report
