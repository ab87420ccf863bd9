// A report: what was learned and what was forgotten, from one JSON document (`report.json`, written by `sdft
// run`) to a terminal, a Markdown file and a self-contained HTML page. The same document gives the same
// bytes: nothing here reads a clock, a locale or the network.
//
// The structs below are the document: a field's name is its key, a struct an object, a vector an array. What
// was not measured is NaN here, null (or absent) in the file and "–" in the report. Scores are fractions from
// 0 to 1, higher is better; they are shown as percent. An Interval is [low, high] in the file. Unknown keys
// are errors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft::report {

inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
inline constexpr int kFormat = 2;  // raised when a document of today could be misread

// 95 % interval over examples.
struct Interval {
  double low = kMissing;
  double high = kMissing;
};

struct Setting {
  std::string name;
  std::string value;
};

struct SeedModel {
  std::string path;
  std::string architecture;
  int64_t parameters = 0;
  std::string sha256;  // may be empty
};

struct DatasetFile {
  std::string role;  // "train", or the name of the task it belongs to
  std::string path;
  std::string sha256;
  int64_t examples = 0;
};

struct Run {
  std::string title;
  std::string date;     // as it shall be shown: "2026-03-01 14:05 UTC"
  std::string version;  // of sdft
  uint64_t seed = 0;
  std::string method;  // the names of the variants that the baseline is not
  SeedModel seed_model;
  std::vector<DatasetFile> datasets;
  std::vector<Setting> settings;    // of the method, the ones worth reading: temperature, lora_rank, …
  std::vector<Setting> versions;    // libraries, compiler, device
  std::string recipe;               // resolved, YAML
  std::vector<Setting> pages = {};  // title → path of pages beside the report (example_pages.h)
};

struct Count {
  std::string reason;
  int64_t count = 0;
};

struct Rewrite {
  std::string id;
  std::string prompt;
  std::string original;
  std::string rewrite;
  std::string outcome;  // "accepted", or the reason why not
  std::string matched;  // of a rejected one: what the check found, "as the reference says"; may be empty
};

// One round of asking the seed model: those examples that had no accepted rewrite yet.
struct Round {
  std::string name;  // "own": the answer without seeing the reference; "1", "2", …: the candidates
  int64_t asked = 0;
  int64_t accepted = 0;
  int64_t tokens = 0;  // generated; 0 where they were not counted
};

// Values counted in bins of one width; bin i begins at low + i · width, the last one includes its end.
struct Histogram {
  double low = kMissing;
  double width = kMissing;
  std::vector<int64_t> originals;
  std::vector<int64_t> rewrites;
};

// Every example is accepted, rejected or too long; a difference is shown as a warning.
struct Distillation {
  std::string name;                   // its folder in the run directory
  std::vector<std::string> variants;  // that learn from it; may be empty: those that are not the baseline
  int64_t examples = 0;
  int64_t accepted = 0;
  std::vector<Round> rounds;
  int64_t unchanged = 0;        // of the accepted: equal to the original
  std::vector<Count> rejected;  // banned_phrase, empty, cut_by_token_limit, repetition_loop, …
  std::vector<std::string>
      too_long;                    // ids of examples whose prompt does not fit the model; the original stays
  double length_ratio = kMissing;  // mean length, rewrites / originals
  int64_t measured = 0;            // of the accepted: whose log-probabilities the following are of
  double logprob_original = kMissing;  // mean per-token log-probability under the seed,
  double logprob_rewrite = kMissing;   // of the same examples' originals and rewrites
  std::optional<Histogram> logprobs;   // of each example's mean, those of the two means above
  std::vector<Rewrite> samples;
};

// One variant's training, a value a logged step. A column is as long as `step`, or empty where it was not
// recorded.
struct Curve {
  std::string variant;  // its model's name in Evaluation
  std::vector<int64_t> step;
  std::vector<double> loss;
  std::vector<double> learning_rate;
  std::vector<double> grad_norm;
  std::vector<double> tokens_per_second;
  std::vector<double> validation_loss;  // NaN at the steps where it was not measured
  // Of a variant that learns from its own answers: those of the step.
  std::vector<double> answer_length = {};  // mean, tokens
  std::vector<double> answers_ended = {};  // share that ended by themselves
};

// How a variant learned. Only in runs of which a variant was watched, is on-policy, or minimises something
// else than cross entropy.
struct Learning {
  std::string variant;
  std::string method;
  std::string objective;
  std::string divergence;         // its direction in words; "" where none is minimised
  std::vector<Setting> settings;  // of the method and the objective, and those that are the variant's own
  int64_t tokens = 0;             // learned, over all steps
};

// What a variant said to prompts of one kind ("task", "retained") while it was trained; columns as Curve's.
struct WatchedPrompts {
  std::string name;
  std::vector<double> kl;          // KL(tuned || seed), nats a token
  std::vector<double> entropy;     // nats a token
  std::vector<double> length;      // mean tokens of an answer
  std::vector<double> ended;       // share that ended by themselves
  std::vector<double> repetition;  // share of repeated pairs of tokens
};
struct Watch {
  std::string variant;
  std::vector<int64_t> step;  // after which it was measured
  std::vector<WatchedPrompts> prompts;
  int64_t kept_step = 0;  // the newest measured one whose parameters the variant has; 0: none
  std::string fault;      // why the training ended with the last of them; "" where it did not
};

// How far training moved the weights: ‖ΔW‖ / ‖W‖ (Frobenius) of each module, and of all together.
struct ModuleShift {
  std::optional<int64_t> layer;  // none: embeddings, head
  std::string module;
  double shift = kMissing;
};
struct Shift {
  std::string variant;
  double total = kMissing;
  std::vector<ModuleShift> modules;
};

// Paired over the examples that both answered: score of the model minus that of `against`
// (eval/paired.h). What reports say of it ("better", "no measurable difference") rests on p_adjusted alone.
struct Difference {
  std::string against;  // "seed"; the baseline too, where there is one
  double value = kMissing;
  Interval interval;
  int64_t n = 0;                 // pairs
  double p_value = kMissing;     // of the paired test, alone
  double p_adjusted = kMissing;  // among all of the table: adjust_p_values()
  double detectable = kMissing;  // the smallest difference that the test would find with a chance of 80 %
};

struct Score {
  std::string model;
  double value = kMissing;  // over the examples that were answered
  int64_t n = 0;            // how many these are
  Interval interval;
  std::vector<Difference> differences;
  std::vector<Count> unanswered = {};  // by reason: prompt_too_long, endpoint_failed, …
  int64_t cut = 0;  // answers that ended at a limit; they are judged as they are, and among n
};

struct ModelAnswer {
  std::string model;
  std::string text;
  std::optional<bool> correct;
};

struct SampleAnswers {
  std::string id;
  std::string prompt;
  std::string reference;
  std::vector<ModelAnswer> answers;
};

// Examples that the seed answered right and the model wrong (forgotten), and the other way round (gained).
struct Transition {
  std::string model;
  int64_t n = 0;
  int64_t forgotten = 0;
  int64_t gained = 0;
  double forgotten_corrected = kMissing;   // counts without what guessing at the task's chance level makes
  double gained_corrected = kMissing;      // of itself
  std::vector<std::string> forgotten_ids;  // some of them
  std::vector<std::string> gained_ids;
  // McNemar's exact test: the chance of so uneven a split if the two directions were alike.
  double p_value = kMissing;
};

struct Task {
  std::string name;
  std::string kind;    // one of kKinds
  std::string metric;  // "accuracy", "pass@1", "safe answers", …
  std::vector<Score> scores;
  std::vector<SampleAnswers> samples;
  double chance = 0;  // the score of guessing: 0.25 of four choices, 0 of open answers
  std::vector<Transition> transitions;
};

// The paired test of a mean over several tasks, each weighing the same: of the model against another.
struct JointTest {
  std::vector<std::string> tasks;  // their names, in the evaluation's order
  std::string model;
  std::string against;
  double p_value = kMissing;
  double p_adjusted = kMissing;  // among all joint tests: adjust_p_values()
};

// Models in the order of their columns. One name has a meaning: "seed" is the model before tuning. The first
// model that is neither it nor the baseline is the one the verdict is about; of others it has a line each.
struct Evaluation {
  std::vector<std::string> models;
  std::vector<Task> tasks;
  std::vector<JointTest> joint_tests = {};  // without one a mean over tasks is told but not judged
};

struct Timing {
  std::string stage;
  double seconds = kMissing;
};

struct Document {
  Run run;
  // The variant (Curve) and model (Evaluation) that the others are compared with, by name; "" for none.
  std::string baseline;
  // Plain sentences shown on top, before what the numbers themselves call for (find_warnings in verdict.h).
  std::vector<std::string> warnings;
  // One for each set of settings under which answers were rewritten. The first is the one that warnings
  // speak of.
  std::vector<Distillation> distillations;
  std::vector<Curve> training;
  std::vector<Shift> shifts;
  std::vector<Learning> learning;
  std::vector<Watch> watches;
  std::optional<Evaluation> evaluation;
  std::vector<Timing> timings;
  double peak_memory_bytes = kMissing;
  double peak_device_memory_bytes = kMissing;
};

// The kinds of tasks, in the order they are shown, with their headings.
struct Kind {
  const char* name;
  const char* title;
  bool compares_answers = false;  // how far answers moved from the seed's is measured too, as in the paper
  bool one_metric = false;  // its tasks measure the same answers in several ways: means are of the first way
};
inline constexpr Kind kKinds[] = {{"target", "Target"},
                                  {"retained", "Retained skills"},
                                  {"safety", "Safety", true},
                                  {"similarity", "Similarity to the seed", false, true}};

// In up to thirty bins over both. Values that are not finite are left out; nothing of no values.
std::optional<Histogram> make_histogram(const std::vector<double>& originals,
                                        const std::vector<double>& rewrites);

// --- Tests; who makes a document has the examples, and calls both ---
// The means that the verdict speaks of, without p values: to be filled and put into joint_tests.
std::vector<JointTest> wanted_joint_tests(const Evaluation& evaluation, const std::string& baseline);
// Sets p_adjusted by Holm's correction: one family of all differences of tasks, one of all joint tests.
void adjust_p_values(Evaluation* evaluation);

// --- The document as JSON ---
Json to_json(const Document& document);
// Checks types, keys, kinds, names, ranges and lengths; an Error(kInput) names the place: "where:
// evaluation.tasks[2]: …".
Document from_json(const Json& json, const std::string& where);
Document read_document(const std::filesystem::path& path);

// --- The three reports ---
struct TerminalStyle {
  bool colour = false;
  int columns = 100;
};
// Colour where `fd` is a terminal, NO_COLOR is unset or empty and TERM is not "dumb"; the terminal's own
// width.
TerminalStyle terminal_style(int fd);

std::string to_terminal(const Document& document, const TerminalStyle& style = {});
std::string to_markdown(const Document& document);
std::string to_html(const Document& document);

// Writes report.json, report.md and report.html into `directory`, each of them whole or not at all.
void write_reports(const Document& document, const std::filesystem::path& directory);

}  // namespace sdft::report
