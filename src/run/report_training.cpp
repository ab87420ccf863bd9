#include "run/report_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "run/stages.h"
#include "run/variants.h"
#include "sdft/method.h"
#include "train/divergence.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kWatchedPrompts[] = {"task", "retained"};  // as the metrics' names have them

struct Metrics {
  report::Curve curve;
  report::Watch watch;  // without steps where nothing was watched
  int64_t tokens = 0;
};

// A column in which nothing was measured is none.
void drop_unmeasured(std::vector<double>* column) {
  if (std::all_of(column->begin(), column->end(), [](double value) { return std::isnan(value); }))
    column->clear();
}

void add_watched(const Json& json, const std::string& where, report::Watch* watch) {
  watch->step.push_back(require<int64_t>(json, "step", where));
  watch->fault = require<std::string>(json, "fault", where);
  if (watch->fault.empty()) watch->kept_step = watch->step.back();
  for (report::WatchedPrompts& prompts : watch->prompts) {
    auto add = [&](const char* name, std::vector<double>* column) {
      column->push_back(value_or<double>(json, name + ("_" + prompts.name), report::kMissing, where));
    };
    add("kl", &prompts.kl);
    add("entropy", &prompts.entropy);
    add("length", &prompts.length);
    add("ended", &prompts.ended);
    add("repetition", &prompts.repetition);
  }
}

report::Watch empty_watch(const std::string& variant) {
  report::Watch watch;
  watch.variant = variant;
  for (const char* name : kWatchedPrompts) watch.prompts.push_back({name, {}, {}, {}, {}, {}});
  return watch;
}

void drop_unmeasured(report::Watch* watch) {
  auto& prompts = watch->prompts;
  for (report::WatchedPrompts& one : prompts) drop_unmeasured(&one.kl);
  prompts.erase(
      std::remove_if(prompts.begin(), prompts.end(), [](const auto& one) { return one.kl.empty(); }),
      prompts.end());
}

// Of a method that trains nothing: without steps where nothing was watched.
report::Watch read_watch(const fs::path& path, const std::string& variant) {
  report::Watch watch = empty_watch(variant);
  std::error_code none;
  if (fs::exists(path, none)) add_watched(read_json(path), path.string(), &watch);
  drop_unmeasured(&watch);
  return watch;
}

Metrics read_metrics(const fs::path& path, const std::string& variant) {
  Metrics metrics;
  report::Curve& curve = metrics.curve;
  report::Watch& watch = metrics.watch = empty_watch(variant);
  curve.variant = variant;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    auto maybe = [&](const char* key) { return value_or<double>(json, key, report::kMissing, where); };
    curve.step.push_back(require<int64_t>(json, "step", where));
    curve.loss.push_back(require<double>(json, "loss", where));
    curve.learning_rate.push_back(require<double>(json, "learning_rate", where));
    curve.grad_norm.push_back(require<double>(json, "grad_norm", where));
    curve.validation_loss.push_back(maybe("validation_loss"));
    curve.answer_length.push_back(maybe("answer_length"));
    curve.answers_ended.push_back(maybe("answers_ended"));
    metrics.tokens += value_or<int64_t>(json, "tokens", 0, where);
    if (json.contains("fault")) add_watched(json, where, &watch);
  });
  for (auto* column : {&curve.validation_loss, &curve.answer_length, &curve.answers_ended})
    drop_unmeasured(column);
  drop_unmeasured(&watch);
  return metrics;
}

// Nothing where the training did not measure it.
std::optional<report::Shift> read_shift(const fs::path& path, const std::string& variant) {
  std::error_code none;
  if (!fs::exists(path, none)) return std::nullopt;
  const std::string where = path.string();
  const Json json = read_json(path);
  report::Shift shift{variant, require<double>(json, "total", where), {}};
  for (const Json& module : require<Json>(json, "modules", where)) {
    report::ModuleShift one{std::nullopt, require<std::string>(module, "module", where),
                            require<double>(module, "shift", where)};
    if (const auto layer = value_or<int64_t>(module, "layer", -1, where); layer >= 0) one.layer = layer;
    shift.modules.push_back(std::move(one));
  }
  return shift;
}

// --- How a variant learned ---

std::set<std::string> settings_of_on_policy(const Recipe& r) {
  std::set<std::string> names = {"teacher_template", "teacher_model_kind", "num_generations",
                                 "num_loss_tokens_to_skip", "rollout_temperature"};
  if (r.distillation.teacher.kind == "ema") names.insert({"teacher_update_rate", "teacher_sync_steps"});
  if (r.distillation.mode == "topk_logits")
    names.insert({"distillation_topk", "distillation_topk_of", "distillation_add_tail"});
  if (r.distillation.entry_clip > 0) names.insert("distillation_entry_clip");
  if (r.generate_from_teacher) names.insert("generate_from_teacher");
  return names;
}

std::set<std::string> settings_of_objective(const std::string& objective) {
  if (objective == "kl_to_seed" || objective == "asft" || objective == "l2_sp") return {"anchor_weight"};
  if (objective == "ewc") return {"anchor_weight", "fisher_samples"};
  if (objective == "psft") return {"proximal_clip", "proximal_steps"};
  if (objective == "stm") return {"max_perplexity"};
  if (objective == "eaft") return {"entropy_topk"};
  return {};
}

// The main settings of its method and objective, and those that are its own; in the recipe's order.
std::vector<report::Setting> main_settings(Recipe r, const Variant& variant) {
  const Method& method = find_method(variant.method);
  std::set<std::string> names = {"learning_rate", "num_train_epochs"};
  if (method.change != Change::kNone) names.clear();
  if (method.change == Change::kInterpolation) names = {"change_scale"};
  if (method.change == Change::kPruning) names = {"prune_ratio"};
  if (replays(r)) names.insert({"replay_source", "replay_fraction"});
  if (method.rewrites) names.insert({"distill_template", "num_candidates"});
  names.merge(method.on_policy ? settings_of_on_policy(r) : settings_of_objective(r.train.objective));
  if (r.kl_budget > 0) names.insert("kl_budget");
  for (const auto& [name, value] : variant.overrides) names.insert(name);
  for (const char* told : {"objective", "divergence", "distillation_mode"}) names.erase(told);
  std::vector<report::Setting> found;
  for (const Setting& setting : settings(r))
    if (names.count(setting.name)) found.push_back({setting.name, value_text(setting)});
  return found;
}

report::Learning learning_of(const Recipe& r, const Variant& variant, int64_t tokens) {
  const Method& method = find_method(variant.method);
  return {variant.name,
          variant.method,
          method.on_policy                 ? r.distillation.mode
          : method.change == Change::kNone ? r.train.objective
                                           : "",
          divergence_in_words(r, variant),
          main_settings(r, variant),
          tokens};
}
}  // namespace

std::string divergence_in_words(const Recipe& recipe, const Variant& variant) {
  if (find_method(variant.method).change != Change::kNone) return "";
  const bool on_policy = find_method(variant.method).on_policy;
  const std::string& objective = recipe.train.objective;
  if (!on_policy && objective != "kl_to_seed" && objective != "asft") return "";
  const std::string p = on_policy ? "teacher" : "seed", q = "student";
  const double a = find_divergence(recipe.train.objective_options.divergence);
  const std::string forward = fmt::format("KL({} || {})", p, q), reverse = fmt::format("KL({} || {})", q, p);
  if (on_policy && recipe.distillation.mode == "sampled_token")
    return "reverse: " + reverse + ", estimated from the token that was written";
  if (a == 0) return fmt::format("forward: {}, the student keeps all that the {} says", forward, p);
  if (a == 1) return fmt::format("reverse: {}, the student says nothing that the {} does not", reverse, p);
  return fmt::format("{}: {} KL({} || m) + {} KL({} || m), m = {} {} + {} {}",
                     a == 0.5 ? "jensen_shannon" : "between forward and reverse", a, p, 1 - a, q, a, p, 1 - a,
                     q);
}

void add_trainings(const Recipe& recipe, const fs::path& run_dir, report::Document* document) {
  bool told = false;  // whether there is more to say of a variant than its method
  std::vector<report::Learning> learning;
  for (const Variant& variant : known_variants(recipe)) {
    const fs::path dir = run_dir / variant.name;
    if (!stage_done(dir)) continue;
    const Method& method = find_method(variant.method);
    Metrics metrics;
    if (method.change == Change::kNone) {
      metrics = read_metrics(dir / "metrics.jsonl", variant.name);
      document->training.push_back(std::move(metrics.curve));
    } else {
      metrics.watch = read_watch(dir / "watch.json", variant.name);
    }
    if (auto shift = read_shift(dir / "shift.json", variant.name))
      document->shifts.push_back(std::move(*shift));
    const Recipe own = recipe_of(recipe, variant);
    learning.push_back(learning_of(own, variant, metrics.tokens));
    const bool watched = !metrics.watch.step.empty();
    told = told || watched || method.on_policy || method.change != Change::kNone ||
           own.train.objective != "sft" || replays(own);
    if (watched) document->watches.push_back(std::move(metrics.watch));
  }
  if (told) document->learning = std::move(learning);
}

}  // namespace sdft
