#include "run/context.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/comma_separated.h"
#include "base/error.h"
#include "data/record_file.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// In front of all else that uses the model folder.
const std::string& checked_folder(const Recipe& recipe) {
  if (recipe.model_name_or_path.empty())
    fail_usage("model_name_or_path is not set", "a folder with config.json, *.safetensors and a tokenizer");
  set_num_threads(recipe.threads);
  return recipe.model_name_or_path;
}

Dataset open_with(const Recipe& recipe, const std::string& dataset, DatasetOptions options) {
  if (dataset.empty())
    fail_usage("dataset is not set",
               "a file or folder (docs/formats.md), or a name in dataset_dir/dataset_info.json");
  if (dataset == kStandardInput)
    fail_usage("dataset '-' is standard input, which a run cannot read again when it goes on",
               "save it to a file: cat > train.jsonl");
  options.skip_bad = recipe.skip_bad;
  std::error_code none;
  const bool by_name = !recipe.dataset_dir.empty() && !fs::exists(dataset, none) &&
                       !fs::is_directory(fs::path(dataset).parent_path(), none);  // else a split of that
  return by_name ? read_dataset_by_name(recipe.dataset_dir, dataset, options)
                 : read_dataset(dataset, options);
}

// "a.jsonl, b.jsonl"; one name where a file or dataset_info.json has it with its commas.
std::vector<std::string> dataset_names(const Recipe& recipe, const std::string& list) {
  std::error_code none;
  const fs::path info = fs::path(recipe.dataset_dir) / "dataset_info.json";
  if (list.find(',') == std::string::npos || fs::exists(list, none)) return {list};
  if (!recipe.dataset_dir.empty() && fs::exists(info, none) && read_json(info).contains(list)) return {list};
  const std::vector<std::string> names = comma_separated(list);
  if (std::count(names.begin(), names.end(), "") > 0)
    fail_usage("dataset '" + list + "' names an empty dataset between commas");
  return names;
}
}  // namespace

RunContext::RunContext(const Recipe& r) : recipe(r), bundle(checked_folder(r)) {
  bundle.formatter.layout = find_prompt_layout(recipe.prompt_layout);
  bundle.formatter.render.extra = recipe.chat_template_kwargs;
  bundle.formatter.render.date = recipe.date;
  for (const std::string& warning : bundle.defaults.warnings) spdlog::warn("{}", warning);
}

GenerateOptions RunContext::generation(const Recipe& own) const {
  GenerateOptions options = generate_options(bundle);
  options.sampling = own.sampling;
  options.max_new_tokens = own.max_new_tokens;
  options.batch_size = own.generation_batch_size;
  options.seed = own.seed;
  options.stop = stop;
  return options;
}

SampleSettings RunContext::samples(const Recipe& own) const {
  return {own.prompt_template, effective_cutoff(own.train.cutoff_len, bundle.config.max_position_embeddings),
          own.train_on_prompt, find_reasoning(own.reasoning)};
}

bool is_adapter(const fs::path& dir) {
  std::error_code none;
  return fs::exists(dir / "adapter_config.json", none) || fs::exists(dir / "adapter", none);
}

TrainedModel::TrainedModel(RunContext& run, const fs::path& dir) : view(run.seed_model()) {
  if (dir.empty()) return;
  if (is_adapter(dir)) {
    adapter = load_adapter(run.bundle.model, dir);
    view = {run.bundle.model, &adapter};
  } else {
    std::error_code none;
    full = load_model(fs::exists(dir / "config.json", none) ? dir : dir / "model",
                      {run.recipe.device, run.recipe.dtype});  // bf16 would lose what training changed
    view = full;
  }
}

LoadOptions load_options(const Recipe& recipe) {
  LoadOptions load;
  load.device = recipe.device;
  load.dtype = recipe.dtype;
  load.weights = recipe.weights;
  load.as_stored = true;
  return load;
}

void load_weights(RunContext& run) {
  if (run.bundle.loaded()) return;
  const Recipe& recipe = run.recipe;
  if (recipe.train_from_scratch) {
    run.bundle.model = init_model(run.bundle.config, recipe.seed, load_options(recipe));
    if (!recipe.adapter_name_or_path.empty())
      run.bundle.adapter = load_adapter(run.bundle.model, recipe.adapter_name_or_path);
  } else {
    load_weights(run.bundle, load_options(recipe), recipe.adapter_name_or_path);
  }
}

Dataset open_dataset(const Recipe& recipe, const std::string& dataset, const Columns& columns, size_t limit,
                     bool response_required) {
  DatasetOptions options;
  options.columns = columns;
  options.limit = limit;
  options.response_required = response_required;
  return open_with(recipe, dataset, options);
}

Dataset open_datasets(const Recipe& recipe, const std::string& list) {
  DatasetOptions options;
  options.columns = recipe.columns;
  options.weights = true;
  std::vector<Dataset> datasets;
  const std::vector<std::string> names = dataset_names(recipe, list);
  for (const std::string& name : names) {
    if (std::count(names.begin(), names.end(), name) > 1)
      fail_usage("dataset '" + list + "' names '" + name + "' twice");
    datasets.push_back(open_with(recipe, name, options));
    const bool taken = std::any_of(datasets.begin(), datasets.end() - 1,
                                   [&](const Dataset& other) { return other.name == datasets.back().name; });
    if (taken) datasets.back().name = name;  // a/train.jsonl, b/train.jsonl
  }
  return joined(std::move(datasets));
}

Selection selection_of(const Recipe& recipe) {
  return {static_cast<size_t>(recipe.max_samples), recipe.seed, recipe.dataset_weights};
}

}  // namespace sdft
