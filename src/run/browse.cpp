#include "run/browse.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "run/results.h"
#include "run/stage_folder.h"
#include "run/stages.h"
#include "run/variants.h"
#include "sdft/method.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr int kDepth = 3;
constexpr size_t kMostSteps = 400;
constexpr size_t kShown = 10;  // rewrites

bool there(const fs::path& path) {
  std::error_code none;
  return fs::exists(path, none);
}

// Null where it is not there, or no longer.
Json read_if_there(const fs::path& path) {
  if (!there(path)) return nullptr;
  try {
    return read_json(path);
  } catch (const Error&) {
    if (there(path)) throw;
    return nullptr;
  }
}

void find_runs(const fs::path& root, const fs::path& dir, int depth, std::vector<RunFolder>* runs) {
  if (there(dir / "recipe.yaml")) {
    const fs::path name =
        dir == root ? fs::absolute(dir).lexically_normal().filename() : dir.lexically_relative(root);
    runs->push_back({name.generic_string(), dir});
    return;  // what is in it are its stages
  }
  if (depth == 0) return;
  std::error_code fault;
  for (const auto& entry :
       fs::directory_iterator(dir, fs::directory_options::skip_permission_denied, fault)) {
    std::error_code none;
    if (entry.is_directory(none) && !entry.is_symlink(none)) find_runs(root, entry.path(), depth - 1, runs);
  }
}

int64_t changed(const fs::path& dir) {
  int64_t newest = 0;
  for (const char* name : {"recipe.yaml", "progress.json", "timings.tsv", "report.json", "results.json"}) {
    std::error_code fault;
    const auto time = fs::last_write_time(dir / name, fault);
    if (fault) continue;
    const auto since = time.time_since_epoch() - fs::file_time_type::clock::now().time_since_epoch() +
                       std::chrono::system_clock::now().time_since_epoch();
    newest = std::max<int64_t>(newest, std::chrono::duration_cast<std::chrono::seconds>(since).count());
  }
  return newest;
}

// Of each model the means over its target and its retained tasks, null where it has none; as the report's, of
// tasks that all models have answered.
Json means_of(const Json& report) {
  const Json& models = report.at("evaluation").at("models");
  const auto is_known = [](const Json& score) { return score.at("value").is_number(); };
  Json means = Json::array();
  for (const Json& model : models) {
    Json row = {{"model", model}};
    for (const char* kind : {"target", "retained"}) {
      double sum = 0;
      int count = 0;
      for (const Json& task : report["evaluation"].at("tasks")) {
        const Json& scores = task.at("scores");
        if (task.at("kind") != kind || scores.size() < models.size()) continue;
        if (!std::all_of(scores.begin(), scores.end(), is_known)) continue;
        for (const Json& score : scores)
          if (score.at("model") == model) sum += score["value"].get<double>(), ++count;
      }
      row[kind] = count > 0 ? Json(sum / count) : Json();
    }
    means.push_back(std::move(row));
  }
  return means;
}

// What each of the recipe's stages is and how much of it is done.
Json stages_of(const Recipe& recipe, const fs::path& dir) {
  Json stages = Json::array();
  std::set<std::string> rewritten;
  auto add = [&](const char* what, const std::string& name, size_t done, size_t total) {
    stages.push_back({{"what", what}, {"name", name}, {"done", done}, {"total", total}});
  };
  std::vector<std::string> models = {"seed"};
  for (const Variant& variant : wanted_variants(recipe)) {
    if (find_method(variant.method).rewrites) {
      const std::string folder = distill_folder(recipe, variant);
      if (rewritten.insert(folder).second) add("rewriting", folder, stage_done(dir / folder), 1);
    }
    add("training", variant.name, stage_done(dir / variant.name), 1);
    models.push_back(variant.name);
  }
  for (const auto& [name, path] : named_adapters(recipe)) models.push_back(name);
  size_t done = 0;
  for (const TaskSettings& task : recipe.eval)
    for (const std::string& model : models) done += stage_done(eval_dir(dir, model, task.name));
  if (!recipe.eval.empty()) add("evaluation", "", done, recipe.eval.size() * models.size());
  return stages;
}

// The first of what a finished rewriting left; all are in its page.
Json finished_rewrites(const fs::path& dir) {
  const Json summary = read_json(dir / "summary.json");
  const MappedFile file(dir / "distilled.jsonl");  // of which only the beginning is read
  std::string_view rest(reinterpret_cast<const char*>(file.data()), file.size());
  Json shown = Json::array();
  for (size_t end; shown.size() < kShown && (end = rest.find('\n')) != rest.npos;
       rest.remove_prefix(end + 1)) {
    const Json line = parse_json(rest.substr(0, end), "distilled.jsonl");
    Json& one = shown.emplace_back(Json::object());
    for (const char* key : {"id", "accepted", "reason", "matched", "original", "rewrite"})
      one[key] = line.value(key, Json(""));
  }
  return {{"accepted", summary.at("accepted")},
          {"rejected", summary.at("rejected")},
          {"newest", std::move(shown)}};
}

Json rewrites_of(const fs::path& dir) {
  fs::path finished;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(dir, fault)) {
    if (Json newest = read_if_there(entry.path() / "newest.json"); !newest.is_null()) return newest;
    if (there(entry.path() / "summary.json") && (finished.empty() || entry.path() < finished))
      finished = entry.path();
  }
  return finished.empty() ? Json() : finished_rewrites(finished);
}

// Every so manieth step, those at which a divergence was measured, and the last one.
Json training_of(const std::string& variant, const fs::path& metrics) {
  size_t lines = 0;
  for_each_line(metrics, [&](std::string_view, size_t) { ++lines; });
  const size_t stride = std::max<size_t>(1, (lines + kMostSteps - 1) / kMostSteps);
  Json training = {{"variant", variant}};
  for (const char* column : {"step", "loss", "kl_step", "kl_task", "kl_retained"})
    training[column] = Json::array();
  for_each_line(metrics, [&](std::string_view text, size_t number) {
    const bool watched = text.find("\"kl_") != std::string_view::npos;
    const bool drawn = number % stride == 0 || number == lines || number == 1;
    if (!watched && !drawn) return;
    const Json line = parse_json(text, metrics.string() + ":" + std::to_string(number));
    if (drawn) {
      training["step"].push_back(line.at("step"));
      training["loss"].push_back(line.at("loss"));
    }
    if (!watched) return;
    training["kl_step"].push_back(line.at("step"));
    for (const char* kl : {"kl_task", "kl_retained"}) training[kl].push_back(line.value(kl, Json()));
  });
  return training;
}
}  // namespace

std::vector<RunFolder> run_folders(const fs::path& root) {
  std::vector<RunFolder> runs;
  find_runs(root, root, kDepth, &runs);
  std::sort(runs.begin(), runs.end(), [](const RunFolder& a, const RunFolder& b) { return a.name < b.name; });
  return runs;
}

Json run_row(const RunFolder& run) {
  Json row = {{"name", run.name}};
  row["state"] = is_locked(run.dir) ? "running" : there(run.dir / "DONE") ? "finished" : "stopped";
  row["model"] = row["dataset"] = "";
  row["changed"] = changed(run.dir);
  row["report"] = there(run.dir / "report.html");
  if (const Json from = read_if_there(run.dir / "provenance.json"); !from.is_null()) {
    auto name_of = [](const Json& path) { return fs::path(path.get<std::string>()).filename().string(); };
    row["model"] = name_of(from.at("model").at("path"));
    if (from.contains("datasets") && !from["datasets"].empty())
      row["dataset"] = name_of(from["datasets"].front().at("path"));
  }
  if (const Json report = read_if_there(run.dir / "report.json"); report.contains("evaluation"))
    row["means"] = means_of(report);
  return row;
}

Json run_view(const RunFolder& run) {
  Json view = run_row(run);
  view["recipe"] = read_text(run.dir / "recipe.yaml");
  const Recipe recipe = read_recipe(run.dir / "recipe.yaml", {});
  view["stages"] = stages_of(recipe, run.dir);
  view["progress"] = view["state"] == "running" ? read_if_there(run.dir / "progress.json") : Json();
  view["rewrites"] = rewrites_of(run.dir);
  view["trainings"] = Json::array();
  for (const Variant& variant : wanted_variants(recipe))
    if (const fs::path metrics = run.dir / variant.name / "metrics.jsonl"; there(metrics))
      view["trainings"].push_back(training_of(variant.name, metrics));
  view["failed"] = read_failures(run.dir);
  view["pages"] = run_pages(run);
  return view;
}

Json run_pages(const RunFolder& run) {
  Json pages = Json::array();
  const auto add = [&](const std::string& name, const std::string& file) {
    if (there(run.dir / file)) pages.push_back({{"name", name}, {"file", file}});
  };
  add("report", "report.html");
  add("sweep", "sweep.html");
  const Json report = read_if_there(run.dir / "report.json");
  if (report.is_null() || !report.at("run").contains("pages")) return pages;
  for (const Json& page : report["run"]["pages"])
    add(require<std::string>(page, "name", "report.json"),
        require<std::string>(page, "value", "report.json"));
  return pages;
}

}  // namespace sdft
