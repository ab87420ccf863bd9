#include "run/recipe.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"

namespace sdft {
namespace fs = std::filesystem;

std::vector<Setting> settings(Recipe& r) {
  TrainOptions& t = r.train;
  return {
      {"model", "model_name_or_path", &r.model_name_or_path,
       "folder of the seed model, as on the Hugging Face hub"},
      {"model", "adapter_name_or_path", &r.adapter_name_or_path, "PEFT adapter folder to put on the model"},
      {"model", "device", &r.device, "auto, cpu or cuda"},
      {"model", "dtype", &r.dtype, "auto (f32 on a CPU, bf16 on a GPU), f32 or bf16"},
      {"model", "threads", &r.threads, "CPU threads; 0: all"},
      {"model", "seed", &r.seed, "of sampling, data order and adapter initialisation"},
      {"model", "output_dir", &r.output_dir, "run directory; the same command goes on with what is in it"},
      {"data", "dataset", &r.dataset, "task dataset: .json, .jsonl, .csv, or a name in dataset_info.json"},
      {"data", "dataset_dir", &r.dataset_dir, "folder with dataset_info.json"},
      {"data", "max_samples", &r.max_samples, "use only the first so many examples; 0: all"},
      {"data", "skip_bad", &r.skip_bad, "skip and count bad records instead of stopping"},
      {"data", "template", &r.prompt_template,
       "prompt template of training and evaluation: chat, alpaca, gsm8k, ..."},
      {"data", "prompt_layout", &r.prompt_layout,
       "chat, reference or reference-main: how the paper's templates are tokenised"},
      {"data", "cutoff_len", &t.cutoff_len, "tokens of a training sample; longer ones are cut and counted"},
      {"data", "train_on_prompt", &r.train_on_prompt, "learn the prompt's tokens too"},
      {"method", "distill_template", &r.distill_template, "prompt that asks the seed model for its rewrite"},
      {"method", "answer_check", &r.answer_check,
       "what a rewrite must keep: none, number, function_call, code, answer"},
      {"method", "rewrite_attempts", &r.rewrite_attempts,
       "rewrites sampled for an example until one is accepted; the paper: 1"},
      {"method", "distilled_fraction", &r.distilled_fraction,
       "part of the examples that gets its rewrite, 0 to 1"},
      {"method", "baseline", &r.baseline, "also train on the original answers (vanilla fine-tuning)"},
      {"generation", "temperature", &r.sampling.temperature, "of rewrites; 0: greedy"},
      {"generation", "top_k", &r.sampling.top_k, "0: all tokens"},
      {"generation", "top_p", &r.sampling.top_p, "1: all tokens"},
      {"generation", "max_new_tokens", &r.max_new_tokens, "limit of an answer"},
      {"generation", "generation_batch_size", &r.generation_batch_size, "answers written at once; 0: chosen"},
      {"training", "finetuning_type", &t.finetuning_type, "lora or full"},
      {"training", "train_from_scratch", &r.train_from_scratch,
       "start from random weights (config and tokenizer only)"},
      {"training", "save_dtype", &r.save_dtype, "of a full fine-tuned model's weights: f32, bf16 or f16"},
      {"training", "lora_rank", &t.lora.rank, "r"},
      {"training", "lora_alpha", &t.lora.alpha, "scale is alpha / r"},
      {"training", "lora_dropout", &t.lora.dropout, "on the adapter's input"},
      {"training", "lora_target", &t.lora.target_modules, "linear layers, or all-linear"},
      {"training", "use_rslora", &t.lora.use_rslora, "scale alpha / sqrt(r)"},
      {"training", "learning_rate", &t.learning_rate, "peak"},
      {"training", "lr_scheduler_type", &t.lr_scheduler_type,
       "constant, constant_with_warmup, linear, cosine"},
      {"training", "warmup_ratio", &t.warmup_ratio, "of all steps"},
      {"training", "warmup_steps", &t.warmup_steps, "wins over warmup_ratio"},
      {"training", "num_train_epochs", &t.num_train_epochs, "passes over the data"},
      {"training", "max_steps", &t.max_steps, "> 0: wins over num_train_epochs"},
      {"training", "per_device_train_batch_size", &t.per_device_train_batch_size,
       "sequences of a forward pass"},
      {"training", "gradient_accumulation_steps", &t.gradient_accumulation_steps,
       "forward passes of an optimizer step"},
      {"training", "max_grad_norm", &t.max_grad_norm, "clipping; 0: none"},
      {"training", "adam_beta1", &t.adam.beta1, ""},
      {"training", "adam_beta2", &t.adam.beta2, ""},
      {"training", "adam_epsilon", &t.adam.epsilon, ""},
      {"training", "weight_decay", &t.adam.weight_decay, "on matrices"},
      {"training", "bf16", &t.bf16, "matrix products of training in bf16 with f32 accumulation (CPU)"},
      {"training", "save_steps", &t.save_steps, "steps between checkpoints"},
      {"evaluation", "eval_max_samples", &r.eval_max_samples, "examples a task; 0: all"},
  };
}

namespace {
// Column names, in recipes under `columns:`.
std::vector<std::pair<const char*, std::string*>> column_fields(Columns& c) {
  return {{"id", &c.id},         {"prompt", &c.prompt},   {"query", &c.query},      {"response", &c.response},
          {"system", &c.system}, {"history", &c.history}, {"messages", &c.messages}};
}

struct Problems {
  std::vector<std::string> list;
  void add(const std::string& where, const std::string& what) { list.push_back(where + ": " + what); }
  template <typename Names>
  void unknown(const std::string& where, const std::string& key, const Names& names) {
    const std::string near = nearest(key, names);
    add(where, "unknown key '" + key + "'" + (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
};

template <typename T>
bool convert(const YAML::Node& node, T* to) {
  try {
    *to = node.as<T>();
    return true;
  } catch (const YAML::Exception&) {
    return false;
  }
}

void assign(const Setting& setting, const YAML::Node& node, const std::string& where, Problems& problems) {
  bool good = false;
  const char* expected = "";
  if (auto* text = std::get_if<std::string*>(&setting.target)) {
    expected = "a text", good = node.IsScalar() && convert(node, *text);
  } else if (auto* list = std::get_if<std::vector<std::string>*>(&setting.target)) {
    expected = "a list of names";
    if (node.IsScalar()) {
      (*list)->clear();
      std::string all = node.as<std::string>();
      for (size_t begin = 0; begin <= all.size();) {
        const size_t end = std::min(all.find(',', begin), all.size());
        std::string name = all.substr(begin, end - begin);
        name.erase(0, name.find_first_not_of(' '));
        if (!name.empty()) (*list)->push_back(name);
        begin = end + 1;
      }
      good = !(*list)->empty();
    } else {
      good = node.IsSequence() && convert(node, *list);
    }
  } else if (auto* flag = std::get_if<bool*>(&setting.target)) {
    expected = "true or false", good = convert(node, *flag);
  } else if (auto* real = std::get_if<double*>(&setting.target)) {
    expected = "a number", good = convert(node, *real);
  } else if (auto* whole = std::get_if<int64_t*>(&setting.target)) {
    expected = "a whole number, 0 or more", good = convert(node, *whole) && **whole >= 0;
  } else if (auto* seed = std::get_if<uint64_t*>(&setting.target)) {
    expected = "a whole number, 0 or more", good = convert(node, *seed);
  }
  if (!good) {
    const std::string found = node.IsScalar() ? "'" + node.Scalar() + "'" : "a list or map";
    problems.add(where, std::string("'") + setting.name + "': expected " + expected + ", found " + found);
  }
}

void read_columns(const YAML::Node& node, const std::string& where, Columns* columns, Problems& problems) {
  if (!node.IsMap()) return problems.add(where, "'columns': expected a map of column names");
  auto fields = column_fields(*columns);
  for (const auto& item : node) {
    const std::string key = item.first.as<std::string>();
    auto field = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return key == f.first; });
    std::vector<std::string> names;
    for (const auto& f : fields) names.emplace_back(f.first);
    if (field == fields.end()) {
      problems.unknown(where + ": columns", key, names);
    } else if (!convert(item.second, field->second)) {
      problems.add(where, "columns: '" + key + "': expected a column's name");
    }
  }
}

void read_task(const YAML::Node& node, const std::string& where, std::vector<TaskSettings>* tasks,
               Problems& problems) {
  if (!node.IsMap()) return problems.add(where, "expected a map with name, dataset, check");
  TaskSettings task;
  const std::vector<Setting> fields = {{"", "name", &task.name, ""},
                                       {"", "kind", &task.kind, ""},
                                       {"", "dataset", &task.dataset, ""},
                                       {"", "check", &task.check, ""},
                                       {"", "template", &task.prompt_template, ""},
                                       {"", "max_samples", &task.max_samples, ""},
                                       {"", "max_new_tokens", &task.max_new_tokens, ""}};
  for (const auto& item : node) {
    const std::string key = item.first.as<std::string>();
    if (key == "columns") {
      read_columns(item.second, where, &task.columns, problems);
      continue;
    }
    auto field = std::find_if(fields.begin(), fields.end(), [&](const Setting& s) { return key == s.name; });
    if (field != fields.end()) {
      assign(*field, item.second, where, problems);
      continue;
    }
    std::vector<std::string> names = {"columns"};
    for (const Setting& s : fields) names.emplace_back(s.name);
    problems.unknown(where, key, names);
  }
  const std::vector<std::string> kinds = {"target", "retained", "safety", "similarity"};
  if (std::find(kinds.begin(), kinds.end(), task.kind) == kinds.end())
    problems.add(where, "'kind': expected target, retained, safety or similarity, found '" + task.kind + "'");
  if (task.name.empty()) problems.add(where, "'name' is missing");
  if (task.dataset.empty()) problems.add(where, "'dataset' is missing");
  for (const TaskSettings& other : *tasks)
    if (other.name == task.name) problems.add(where, "a second task is named '" + task.name + "'");
  if (task.name.find('/') != std::string::npos) problems.add(where, "'name' must not contain '/'");
  tasks->push_back(task);
}

void apply(const YAML::Node& root, const std::string& where, Recipe* recipe, Problems& problems) {
  const auto table = settings(*recipe);
  for (const auto& item : root) {
    const std::string key = item.first.as<std::string>();
    auto setting = std::find_if(table.begin(), table.end(), [&](const Setting& s) { return key == s.name; });
    if (setting != table.end()) {
      assign(*setting, item.second, where, problems);
    } else if (key == "columns") {
      read_columns(item.second, where, &recipe->columns, problems);
    } else if (key == "eval") {
      if (!item.second.IsSequence()) problems.add(where, "'eval': expected a list of tasks");
      recipe->eval.clear();
      for (size_t i = 0; item.second.IsSequence() && i < item.second.size(); ++i)
        read_task(item.second[i], where + ": eval[" + std::to_string(i) + "]", &recipe->eval, problems);
    } else {
      std::vector<std::string> names = {"columns", "eval"};
      for (const Setting& s : table) names.emplace_back(s.name);
      problems.unknown(where, key, names);
    }
  }
}

void check_ranges(const Recipe& r, Problems& problems) {
  auto range = [&](const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high))
      problems.add("recipe", fmt::format("'{}': expected {} to {}, found {}", name, low, high, value));
  };
  range("rewrite_attempts", static_cast<double>(r.rewrite_attempts), 1, 1000);
  if (r.rewrite_attempts > 1 && r.sampling.temperature == 0)
    problems.add("recipe", "'rewrite_attempts': greedy rewrites (temperature 0) come out the same each time");
  range("distilled_fraction", r.distilled_fraction, 0, 1);
  range("lora_dropout", r.train.lora.dropout, 0, 0.99);
  range("top_p", r.sampling.top_p, 1e-6, 1);
  range("temperature", r.sampling.temperature, 0, 100);
  range("learning_rate", r.train.learning_rate, 0, 10);
  if (r.save_dtype != "f32" && r.save_dtype != "bf16" && r.save_dtype != "f16")
    problems.add("recipe", "'save_dtype': expected f32, bf16 or f16, found '" + r.save_dtype + "'");
  const std::vector<std::string> layouts = {"chat", "reference", "reference-main"};
  if (std::find(layouts.begin(), layouts.end(), r.prompt_layout) == layouts.end())
    problems.add("recipe", "'prompt_layout': expected chat, reference or reference-main, found '" +
                               r.prompt_layout + "'");
}

YAML::Node parse_yaml(const std::string& text, const std::string& where) {
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& e) {
    fail_usage(where + ":" + std::to_string(e.mark.line + 1) + ": not valid YAML: " + e.msg);
  }
}
}  // namespace

Recipe read_recipe(const fs::path& file, const std::vector<std::string>& overrides) {
  Recipe recipe;
  Problems problems;
  if (!file.empty()) {
    YAML::Node root = parse_yaml(read_text(file), file.string());
    if (!root.IsMap() && !root.IsNull()) fail_usage(file.string() + ": expected a map of settings");
    apply(root, file.string(), &recipe, problems);
  }
  for (const auto& override : overrides) {
    const size_t equals = override.find('=');
    if (equals == std::string::npos || equals == 0) {
      problems.add("'" + override + "'", "expected key=value");
      continue;
    }
    YAML::Node node;
    const std::string value = override.substr(equals + 1);
    node[override.substr(0, equals)] =
        value.empty() ? YAML::Node("") : parse_yaml(value, "'" + override + "'");
    apply(node, "'" + override + "'", &recipe, problems);
  }
  check_ranges(recipe, problems);
  if (!problems.list.empty()) {
    std::string text =
        problems.list.size() == 1 ? "" : std::to_string(problems.list.size()) + " problems:\n  ";
    for (size_t i = 0; i < problems.list.size(); ++i) text += (i ? "\n  " : "") + problems.list[i];
    fail_usage(text);
  }
  return recipe;
}

namespace {
void emit_columns(YAML::Emitter& out, Columns columns) {
  std::map<std::string, std::string> given;
  for (const auto& [name, value] : column_fields(columns))
    if (!value->empty()) given[name] = *value;
  if (given.empty()) return;
  out << YAML::Key << "columns" << YAML::Value << given;
}
}  // namespace

std::string resolved_recipe(const Recipe& recipe) {
  Recipe copy = recipe;
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const Setting& setting : settings(copy)) {
    out << YAML::Key << setting.name << YAML::Value;
    std::visit(
        [&](auto* value) {
          using T = std::decay_t<decltype(*value)>;
          if constexpr (std::is_same_v<T, double>) {
            out << fmt::format("{}", *value);  // shortest text that reads back as the same number
          } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            out << YAML::Flow << *value;
          } else {
            out << *value;
          }
        },
        setting.target);
  }
  emit_columns(out, copy.columns);
  if (!copy.eval.empty()) {
    out << YAML::Key << "eval" << YAML::Value << YAML::BeginSeq;
    for (const TaskSettings& task : copy.eval) {
      out << YAML::BeginMap << YAML::Key << "name" << YAML::Value << task.name << YAML::Key << "kind"
          << YAML::Value << task.kind;
      out << YAML::Key << "dataset" << YAML::Value << task.dataset << YAML::Key << "check" << YAML::Value
          << task.check;
      if (!task.prompt_template.empty())
        out << YAML::Key << "template" << YAML::Value << task.prompt_template;
      if (task.max_samples) out << YAML::Key << "max_samples" << YAML::Value << task.max_samples;
      if (task.max_new_tokens) out << YAML::Key << "max_new_tokens" << YAML::Value << task.max_new_tokens;
      emit_columns(out, task.columns);
      out << YAML::EndMap;
    }
    out << YAML::EndSeq;
  }
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace sdft
