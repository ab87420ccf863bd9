// The document to JSON and back. One table of fields a struct serves both ways, so that they cannot drift
// apart.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>
#include <type_traits>

#include "base/error.h"
#include "base/file.h"
#include "report/report.h"

namespace sdft::report {
namespace {

template <typename Struct, typename Member>
struct Field {
  const char* key;
  Member Struct::*member;
  bool required;
};

template <typename Struct, typename Member>
constexpr Field<Struct, Member> must(const char* key, Member Struct::*member) {
  return {key, member, true};
}
template <typename Struct, typename Member>
constexpr Field<Struct, Member> may(const char* key, Member Struct::*member) {
  return {key, member, false};
}

template <typename Struct>
struct Fields;

#define SDFT_FIELDS(Struct, ...)                                           \
  template <>                                                              \
  struct Fields<Struct> {                                                  \
    static constexpr auto table() { return std::make_tuple(__VA_ARGS__); } \
  };

SDFT_FIELDS(Setting, must("name", &Setting::name), must("value", &Setting::value))
SDFT_FIELDS(SeedModel, must("path", &SeedModel::path), may("architecture", &SeedModel::architecture),
            may("parameters", &SeedModel::parameters), may("sha256", &SeedModel::sha256))
SDFT_FIELDS(DatasetFile, must("role", &DatasetFile::role), must("path", &DatasetFile::path),
            may("sha256", &DatasetFile::sha256), may("examples", &DatasetFile::examples))
SDFT_FIELDS(Run, must("title", &Run::title), may("date", &Run::date), may("version", &Run::version),
            may("seed", &Run::seed), may("method", &Run::method), may("seed_model", &Run::seed_model),
            may("datasets", &Run::datasets), may("settings", &Run::settings), may("versions", &Run::versions),
            may("recipe", &Run::recipe))
SDFT_FIELDS(Rejection, must("reason", &Rejection::reason), must("count", &Rejection::count))
SDFT_FIELDS(Rewrite, may("id", &Rewrite::id), may("prompt", &Rewrite::prompt),
            must("original", &Rewrite::original), must("rewrite", &Rewrite::rewrite),
            may("outcome", &Rewrite::outcome))
SDFT_FIELDS(Distillation, must("examples", &Distillation::examples),
            must("accepted", &Distillation::accepted), may("accepted_at", &Distillation::accepted_at),
            may("unchanged", &Distillation::unchanged), may("rejected", &Distillation::rejected),
            may("too_long", &Distillation::too_long), may("length_ratio", &Distillation::length_ratio),
            may("logprob_original", &Distillation::logprob_original),
            may("logprob_rewrite", &Distillation::logprob_rewrite),
            may("distilled_fraction", &Distillation::distilled_fraction),
            may("samples", &Distillation::samples))
SDFT_FIELDS(Curve, must("variant", &Curve::variant), must("step", &Curve::step), may("loss", &Curve::loss),
            may("learning_rate", &Curve::learning_rate), may("grad_norm", &Curve::grad_norm),
            may("tokens_per_second", &Curve::tokens_per_second))
SDFT_FIELDS(Difference, must("against", &Difference::against), may("value", &Difference::value),
            may("interval", &Difference::interval))
SDFT_FIELDS(Score, must("model", &Score::model), may("value", &Score::value), may("n", &Score::n),
            may("interval", &Score::interval), may("differences", &Score::differences))
SDFT_FIELDS(ModelAnswer, must("model", &ModelAnswer::model), must("text", &ModelAnswer::text),
            may("correct", &ModelAnswer::correct))
SDFT_FIELDS(SampleAnswers, may("id", &SampleAnswers::id), may("prompt", &SampleAnswers::prompt),
            may("reference", &SampleAnswers::reference), may("answers", &SampleAnswers::answers))
SDFT_FIELDS(Task, must("name", &Task::name), must("kind", &Task::kind), may("metric", &Task::metric),
            may("scores", &Task::scores), may("samples", &Task::samples))
SDFT_FIELDS(Evaluation, must("models", &Evaluation::models), must("tasks", &Evaluation::tasks))
SDFT_FIELDS(Timing, must("stage", &Timing::stage), may("seconds", &Timing::seconds))
SDFT_FIELDS(Document, must("run", &Document::run), may("baseline", &Document::baseline),
            may("warnings", &Document::warnings), may("distillation", &Document::distillation),
            may("training", &Document::training), may("evaluation", &Document::evaluation),
            may("timings", &Document::timings), may("peak_memory_bytes", &Document::peak_memory_bytes),
            may("peak_device_memory_bytes", &Document::peak_device_memory_bytes))
#undef SDFT_FIELDS

template <typename T>
struct is_vector : std::false_type {};
template <typename T>
struct is_vector<std::vector<T>> : std::true_type {};
template <typename T>
struct is_optional : std::false_type {};
template <typename T>
struct is_optional<std::optional<T>> : std::true_type {};

// --- Writing ---

template <typename T>
Json write(const T& value) {
  if constexpr (std::is_same_v<T, double>) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, Interval>) {
    if (!std::isfinite(value.low) || !std::isfinite(value.high)) return nullptr;
    return Json::array({value.low, value.high});
  } else if constexpr (is_optional<T>::value) {
    return value ? write(*value) : Json(nullptr);
  } else if constexpr (is_vector<T>::value) {
    Json array = Json::array();
    for (const auto& item : value) array.push_back(write(item));
    return array;
  } else {
    Json object = Json::object();
    auto add = [&](const auto&... field) { ((object[field.key] = write(value.*field.member)), ...); };
    std::apply(add, Fields<T>::table());
    return object;
  }
}

// --- Reading ---

[[noreturn]] void expected(const char* what, const Json& found, const std::string& where) {
  fail_input(where, std::string("expected ") + what + ", found " + describe(found));
}

template <typename T>
void read_struct(const Json& json, const std::string& where, T& out);

// Counts, and the seed, which alone may need all 64 bits.
template <typename Integer>
void read_integer(const Json& json, const std::string& where, Integer& out) {
  bool fits = json.is_number_integer() && (json.is_number_unsigned() || json.get<int64_t>() >= 0) &&
              json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<Integer>::max());
  if (!fits) expected("a whole number that is not negative", json, where);
  out = json.get<Integer>();
}

template <typename T>
void read(const Json& json, const std::string& where, T& out) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) expected("a string", json, where);
    out = json.get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) expected("true or false", json, where);
    out = json.get<bool>();
  } else if constexpr (std::is_same_v<T, double>) {
    if (json.is_null()) return;
    if (!json.is_number()) expected("a number or null", json, where);
    out = json.get<double>();
  } else if constexpr (std::is_integral_v<T>) {
    read_integer(json, where, out);
  } else if constexpr (std::is_same_v<T, Interval>) {
    if (json.is_null()) return;
    if (!json.is_array() || json.size() != 2) expected("an interval [low, high] or null", json, where);
    read(json[0], where + "[0]", out.low);
    read(json[1], where + "[1]", out.high);
  } else if constexpr (is_optional<T>::value) {
    if (!json.is_null()) read(json, where, out.emplace());
  } else if constexpr (is_vector<T>::value) {
    if (!json.is_array()) expected("an array", json, where);
    out.clear();
    out.reserve(json.size());
    for (const Json& item : json) {
      typename T::value_type value{};
      if constexpr (std::is_same_v<typename T::value_type, double>) value = kMissing;
      read(item, where + "[" + std::to_string(out.size()) + "]", value);
      out.push_back(std::move(value));
    }
  } else {
    read_struct(json, where, out);
  }
}

template <typename T>
void read_struct(const Json& json, const std::string& where, T& out) {
  if (!json.is_object()) expected("an object", json, where);
  std::vector<std::string> known;
  if constexpr (std::is_same_v<T, Document>) known.push_back("format");
  auto take = [&](const auto& field) {
    known.push_back(field.key);
    auto found = json.find(field.key);
    if (found != json.end())
      read(*found, where + "." + field.key, out.*field.member);
    else if (field.required)
      fail_input(where, std::string("field '") + field.key + "' is missing");
  };
  std::apply([&](const auto&... field) { (take(field), ...); }, Fields<T>::table());
  for (const auto& item : json.items()) {
    if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
    std::string guess = nearest(item.key(), known);
    fail_input(where, "unknown field '" + item.key() + "'",
               guess.empty() ? "" : "did you mean '" + guess + "'?");
  }
}

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
    check_interval(score.interval, 0, 1, place + ".interval");
    for (size_t k = 0; k < score.differences.size(); ++k) {
      std::string at = place + ".differences[" + std::to_string(k) + "]";
      check_model(score.differences[k].against, models, at);
      check_range(score.differences[k].value, -1, 1, at + ".value");
      check_interval(score.differences[k].interval, -1, 1, at + ".interval");
    }
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
}

void check_steps(const std::vector<int64_t>& steps, const std::string& where) {
  constexpr int64_t kMost = int64_t{1} << 53;
  for (size_t i = 0; i < steps.size(); ++i)
    if (steps[i] < 0 || steps[i] > kMost || (i > 0 && steps[i] <= steps[i - 1]))
      fail_input(where + "[" + std::to_string(i) + "]",
                 "expected steps that rise, found " + std::to_string(steps[i]));
}

void check_curve(const Curve& curve, const std::string& where) {
  check_steps(curve.step, where + ".step");
  const std::pair<const char*, const std::vector<double>*> columns[] = {
      {"loss", &curve.loss},
      {"learning_rate", &curve.learning_rate},
      {"grad_norm", &curve.grad_norm},
      {"tokens_per_second", &curve.tokens_per_second}};
  for (const auto& [name, column] : columns)
    if (!column->empty() && column->size() != curve.step.size())
      fail_input(where + "." + name, "expected as many values as steps (" +
                                         std::to_string(curve.step.size()) + "), found " +
                                         std::to_string(column->size()));
}

void check(const Document& document, const std::string& where) {
  if (document.distillation)
    check_range(document.distillation->distilled_fraction, 0, 1, where + ".distillation.distilled_fraction");
  for (size_t i = 0; i < document.training.size(); ++i)
    check_curve(document.training[i], where + ".training[" + std::to_string(i) + "]");
  if (document.evaluation) check_evaluation(*document.evaluation, where + ".evaluation");
}

}  // namespace

Json to_json(const Document& document) {
  Json json = {{"format", kFormat}};
  json.update(write(document));
  return json;
}

Document from_json(const Json& json, const std::string& where) {
  int format = json.is_object() ? require<int>(json, "format", where) : 0;
  if (json.is_object() && format != kFormat)
    fail_input(where,
               "report format " + std::to_string(format) + " is not the one this sdft reads (" +
                   std::to_string(kFormat) + ")",
               "use the sdft that wrote it");
  Document document;
  read_struct(json, where, document);
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
