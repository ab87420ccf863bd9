// The document to JSON and back.
#include <algorithm>
#include <cmath>
#include <set>

#include "base/file.h"
#include "report/fields.h"
#include "report/report.h"

namespace sdft::report {

SDFT_FIELDS(SeedModel, must("path", &SeedModel::path), may("architecture", &SeedModel::architecture),
            may("parameters", &SeedModel::parameters), may("sha256", &SeedModel::sha256))
SDFT_FIELDS(DatasetFile, must("role", &DatasetFile::role), must("path", &DatasetFile::path),
            may("sha256", &DatasetFile::sha256), may("examples", &DatasetFile::examples))
SDFT_FIELDS(Run, must("title", &Run::title), may("date", &Run::date), may("version", &Run::version),
            may("seed", &Run::seed), may("method", &Run::method), may("seed_model", &Run::seed_model),
            may("datasets", &Run::datasets), may("settings", &Run::settings), may("versions", &Run::versions),
            may("recipe", &Run::recipe), if_any("pages", &Run::pages))
SDFT_FIELDS(Count, must("reason", &Count::reason), must("count", &Count::count))
SDFT_FIELDS(Rewrite, may("id", &Rewrite::id), may("prompt", &Rewrite::prompt),
            must("original", &Rewrite::original), must("rewrite", &Rewrite::rewrite),
            may("outcome", &Rewrite::outcome), may("matched", &Rewrite::matched))
SDFT_FIELDS(Round, must("name", &Round::name), must("asked", &Round::asked),
            must("accepted", &Round::accepted), may("tokens", &Round::tokens))
SDFT_FIELDS(Histogram, must("low", &Histogram::low), must("width", &Histogram::width),
            must("originals", &Histogram::originals), must("rewrites", &Histogram::rewrites))
SDFT_FIELDS(Distillation, may("name", &Distillation::name), may("variants", &Distillation::variants),
            must("examples", &Distillation::examples), must("accepted", &Distillation::accepted),
            may("rounds", &Distillation::rounds), may("unchanged", &Distillation::unchanged),
            may("rejected", &Distillation::rejected), may("too_long", &Distillation::too_long),
            may("length_ratio", &Distillation::length_ratio),
            may("logprob_original", &Distillation::logprob_original),
            may("logprob_rewrite", &Distillation::logprob_rewrite), may("logprobs", &Distillation::logprobs),
            may("samples", &Distillation::samples))
SDFT_FIELDS(Curve, must("variant", &Curve::variant), must("step", &Curve::step), may("loss", &Curve::loss),
            may("learning_rate", &Curve::learning_rate), may("grad_norm", &Curve::grad_norm),
            may("tokens_per_second", &Curve::tokens_per_second),
            may("validation_loss", &Curve::validation_loss), if_any("answer_length", &Curve::answer_length),
            if_any("answers_ended", &Curve::answers_ended))
SDFT_FIELDS(ModuleShift, may("layer", &ModuleShift::layer), must("module", &ModuleShift::module),
            must("shift", &ModuleShift::shift))
SDFT_FIELDS(Shift, must("variant", &Shift::variant), must("total", &Shift::total),
            may("modules", &Shift::modules))
SDFT_FIELDS(WatchedPrompts, must("name", &WatchedPrompts::name), may("kl", &WatchedPrompts::kl),
            may("entropy", &WatchedPrompts::entropy), may("length", &WatchedPrompts::length),
            may("ended", &WatchedPrompts::ended), may("repetition", &WatchedPrompts::repetition))
SDFT_FIELDS(Watch, must("variant", &Watch::variant), must("step", &Watch::step),
            may("prompts", &Watch::prompts), may("kept_step", &Watch::kept_step), may("fault", &Watch::fault))
SDFT_FIELDS(Difference, must("against", &Difference::against), may("value", &Difference::value),
            may("interval", &Difference::interval), if_any("n", &Difference::n),
            if_any("p_value", &Difference::p_value), if_any("p_adjusted", &Difference::p_adjusted),
            if_any("detectable", &Difference::detectable))
SDFT_FIELDS(Score, must("model", &Score::model), may("value", &Score::value), may("n", &Score::n),
            may("interval", &Score::interval), may("differences", &Score::differences),
            if_any("unanswered", &Score::unanswered), if_any("cut", &Score::cut))
SDFT_FIELDS(ModelAnswer, must("model", &ModelAnswer::model), must("text", &ModelAnswer::text),
            may("correct", &ModelAnswer::correct))
SDFT_FIELDS(SampleAnswers, may("id", &SampleAnswers::id), may("prompt", &SampleAnswers::prompt),
            may("reference", &SampleAnswers::reference), may("answers", &SampleAnswers::answers))
SDFT_FIELDS(Transition, must("model", &Transition::model), must("n", &Transition::n),
            must("forgotten", &Transition::forgotten), must("gained", &Transition::gained),
            may("forgotten_corrected", &Transition::forgotten_corrected),
            may("gained_corrected", &Transition::gained_corrected),
            may("forgotten_ids", &Transition::forgotten_ids), may("gained_ids", &Transition::gained_ids),
            may("p_value", &Transition::p_value))
SDFT_FIELDS(Task, must("name", &Task::name), must("kind", &Task::kind), may("metric", &Task::metric),
            may("scores", &Task::scores), may("samples", &Task::samples), may("chance", &Task::chance),
            may("transitions", &Task::transitions))
SDFT_FIELDS(JointTest, must("tasks", &JointTest::tasks), must("model", &JointTest::model),
            must("against", &JointTest::against), must("p_value", &JointTest::p_value),
            may("p_adjusted", &JointTest::p_adjusted))
SDFT_FIELDS(Evaluation, must("models", &Evaluation::models), must("tasks", &Evaluation::tasks),
            if_any("joint_tests", &Evaluation::joint_tests))
SDFT_FIELDS(Timing, must("stage", &Timing::stage), may("seconds", &Timing::seconds))
SDFT_FIELDS(Document, must("run", &Document::run), may("baseline", &Document::baseline),
            may("warnings", &Document::warnings), may("distillations", &Document::distillations),
            may("training", &Document::training), may("shifts", &Document::shifts),
            if_any("learning", &Document::learning), if_any("watches", &Document::watches),
            may("evaluation", &Document::evaluation), may("timings", &Document::timings),
            may("peak_memory_bytes", &Document::peak_memory_bytes),
            may("peak_device_memory_bytes", &Document::peak_device_memory_bytes))

namespace {

// --- What the types do not say ---

void check_range(double value, double low, double high, const std::string& where) {
  if (std::isfinite(value) && (value < low || value > high))
    fail_input(where,
               "expected a fraction from " + std::to_string(static_cast<int>(low)) + " to " +
                   std::to_string(static_cast<int>(high)) + ", found " + Json(value).dump(),
               "scores are fractions, not percent");
}

void check_interval(const Interval& interval, double low, double high, const std::string& where) {
  check_range(interval.low, low, high, where);
  check_range(interval.high, low, high, where);
  if (interval.low > interval.high) fail_input(where, "the interval's low end is above its high end");
}

void check_model(const std::string& model, const std::vector<std::string>& models, const std::string& where) {
  for (const std::string& known : models)
    if (known == model) return;
  std::string guess = nearest(model, models);
  fail_input(where, "model '" + model + "' is not one of evaluation.models",
             guess.empty() ? "" : "did you mean '" + guess + "'?");
}

void check_task(const Task& task, const std::vector<std::string>& models, const std::string& where) {
  std::vector<std::string> kinds;
  for (const Kind& kind : kKinds) kinds.push_back(kind.name);
  if (std::find(kinds.begin(), kinds.end(), task.kind) == kinds.end()) {
    std::string guess = nearest(task.kind, kinds);
    fail_input(where + ".kind", "expected target, retained, safety or similarity, found '" + task.kind + "'",
               guess.empty() ? "" : "did you mean '" + guess + "'?");
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < task.scores.size(); ++i) {
    const Score& score = task.scores[i];
    std::string place = where + ".scores[" + std::to_string(i) + "]";
    check_model(score.model, models, place);
    if (!seen.insert(score.model).second) fail_input(place, "a second score of model '" + score.model + "'");
    check_range(score.value, 0, 1, place + ".value");
    if (score.cut > score.n)
      fail_input(place, "more answers were cut (" + std::to_string(score.cut) + ") than there are (" +
                            std::to_string(score.n) + ")");
    check_interval(score.interval, 0, 1, place + ".interval");
    for (size_t k = 0; k < score.differences.size(); ++k) {
      std::string at = place + ".differences[" + std::to_string(k) + "]";
      check_model(score.differences[k].against, models, at);
      check_range(score.differences[k].value, -1, 1, at + ".value");
      check_interval(score.differences[k].interval, -1, 1, at + ".interval");
      check_range(score.differences[k].p_value, 0, 1, at + ".p_value");
      check_range(score.differences[k].p_adjusted, 0, 1, at + ".p_adjusted");
      check_range(score.differences[k].detectable, 0, 1, at + ".detectable");
    }
  }
  check_range(task.chance, 0, 1, where + ".chance");
  for (size_t i = 0; i < task.transitions.size(); ++i) {
    const Transition& t = task.transitions[i];
    const std::string place = where + ".transitions[" + std::to_string(i) + "]";
    check_model(t.model, models, place);
    if (t.forgotten > t.n || t.gained > t.n - t.forgotten)
      fail_input(place,
                 "more examples were forgotten and gained than there are (" + std::to_string(t.n) + ")");
  }
  for (size_t i = 0; i < task.samples.size(); ++i)
    for (const ModelAnswer& answer : task.samples[i].answers)
      check_model(answer.model, models, where + ".samples[" + std::to_string(i) + "]");
}

void check_evaluation(const Evaluation& evaluation, const std::string& where) {
  std::set<std::string> seen;
  for (const std::string& model : evaluation.models)
    if (!seen.insert(model).second) fail_input(where + ".models", "'" + model + "' is there twice");
  seen.clear();
  for (size_t i = 0; i < evaluation.tasks.size(); ++i) {
    std::string place = where + ".tasks[" + std::to_string(i) + "]";
    if (!seen.insert(evaluation.tasks[i].name).second)
      fail_input(place, "a second task '" + evaluation.tasks[i].name + "'");
    check_task(evaluation.tasks[i], evaluation.models, place);
  }
  for (size_t i = 0; i < evaluation.joint_tests.size(); ++i) {
    const JointTest& test = evaluation.joint_tests[i];
    const std::string place = where + ".joint_tests[" + std::to_string(i) + "]";
    for (const std::string& task : test.tasks)
      if (!seen.count(task)) fail_input(place, "task '" + task + "' is not one of evaluation.tasks");
    check_model(test.model, evaluation.models, place);
    check_model(test.against, evaluation.models, place);
    check_range(test.p_value, 0, 1, place + ".p_value");
    check_range(test.p_adjusted, 0, 1, place + ".p_adjusted");
  }
}

void check_steps(const std::vector<int64_t>& steps, const std::string& where) {
  constexpr int64_t kMost = int64_t{1} << 53;
  for (size_t i = 0; i < steps.size(); ++i)
    if (steps[i] < 0 || steps[i] > kMost || (i > 0 && steps[i] <= steps[i - 1]))
      fail_input(where + "[" + std::to_string(i) + "]",
                 "expected steps that rise, found " + std::to_string(steps[i]));
}

using Columns = std::vector<std::pair<const char*, const std::vector<double>*>>;

void check_columns(const Columns& columns, size_t steps, const std::string& where) {
  for (const auto& [name, column] : columns)
    if (!column->empty() && column->size() != steps)
      fail_input(where + "." + name, "expected as many values as steps (" + std::to_string(steps) +
                                         "), found " + std::to_string(column->size()));
}

void check_curve(const Curve& curve, const std::string& where) {
  check_steps(curve.step, where + ".step");
  check_columns({{"loss", &curve.loss},
                 {"learning_rate", &curve.learning_rate},
                 {"grad_norm", &curve.grad_norm},
                 {"tokens_per_second", &curve.tokens_per_second},
                 {"validation_loss", &curve.validation_loss},
                 {"answer_length", &curve.answer_length},
                 {"answers_ended", &curve.answers_ended}},
                curve.step.size(), where);
}

void check_watch(const Watch& watch, const std::string& where) {
  check_steps(watch.step, where + ".step");
  const auto& steps = watch.step;
  if (watch.kept_step != 0 && std::find(steps.begin(), steps.end(), watch.kept_step) == steps.end())
    fail_input(where + ".kept_step",
               "expected one of the steps, or 0 for none, found " + std::to_string(watch.kept_step));
  for (size_t i = 0; i < watch.prompts.size(); ++i) {
    const WatchedPrompts& p = watch.prompts[i];
    check_columns({{"kl", &p.kl},
                   {"entropy", &p.entropy},
                   {"length", &p.length},
                   {"ended", &p.ended},
                   {"repetition", &p.repetition}},
                  steps.size(), where + ".prompts[" + std::to_string(i) + "]");
  }
}

void check_histogram(const Histogram& histogram, const std::string& where) {
  if (!std::isfinite(histogram.low) || !(histogram.width > 0) || !std::isfinite(histogram.width))
    fail_input(where, "expected a finite low end and a width above 0");
  if (histogram.originals.size() != histogram.rewrites.size())
    fail_input(where, "expected as many bins of rewrites as of originals (" +
                          std::to_string(histogram.originals.size()) + "), found " +
                          std::to_string(histogram.rewrites.size()));
}

void check(const Document& document, const std::string& where) {
  for (size_t i = 0; i < document.distillations.size(); ++i) {
    const Distillation& d = document.distillations[i];
    const std::string place = where + ".distillations[" + std::to_string(i) + "]";
    if (d.logprobs) check_histogram(*d.logprobs, place + ".logprobs");
  }
  for (size_t i = 0; i < document.training.size(); ++i)
    check_curve(document.training[i], where + ".training[" + std::to_string(i) + "]");
  for (size_t i = 0; i < document.watches.size(); ++i)
    check_watch(document.watches[i], where + ".watches[" + std::to_string(i) + "]");
  if (document.evaluation) check_evaluation(*document.evaluation, where + ".evaluation");
}

}  // namespace

std::optional<Histogram> make_histogram(const std::vector<double>& originals,
                                        const std::vector<double>& rewrites) {
  double low = INFINITY, high = -INFINITY;
  for (const auto* values : {&originals, &rewrites})
    for (double value : *values)
      if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
  if (!(low <= high)) return std::nullopt;
  const double raw = std::max((high - low) / 30, 1e-3), power = std::pow(10.0, std::floor(std::log10(raw)));
  Histogram histogram;
  for (double step : {10.0, 5.0, 2.0, 1.0})
    if (step * power >= raw * (1 - 1e-9)) histogram.width = step * power;
  histogram.low = std::floor(low / histogram.width) * histogram.width;
  const auto bins = static_cast<size_t>(std::floor((high - histogram.low) / histogram.width)) + 1;
  auto count = [&](const std::vector<double>& values) {
    std::vector<int64_t> counts(bins);
    for (double value : values)
      if (std::isfinite(value))
        ++counts[std::min(bins - 1, static_cast<size_t>((value - histogram.low) / histogram.width))];
    return counts;
  };
  histogram.originals = count(originals);
  histogram.rewrites = count(rewrites);
  return histogram;
}

Json to_json(const Document& document) { return write_document(document, kFormat); }

Document from_json(const Json& json, const std::string& where) {
  Document document = read_document<Document>(json, "report", kFormat, where);
  check(document, where);
  return document;
}

Document read_document(const std::filesystem::path& path) {
  return from_json(read_json(path), path.string());
}

void write_reports(const Document& document, const std::filesystem::path& directory) {
  check(document, "report");
  make_directories(directory);
  // Model answers may hold broken UTF-8, which JSON cannot carry.
  std::string json = to_json(document).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  write_file_atomic(directory / "report.json", json);
  write_file_atomic(directory / "report.md", to_markdown(document));
  write_file_atomic(directory / "report.html", to_html(document));
}

}  // namespace sdft::report
