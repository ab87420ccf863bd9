#include "run/fingerprint.h"

#include <algorithm>

#include "base/file.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
std::vector<fs::path> files_of(const fs::path& dir) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(dir, failed))
    if (entry.is_regular_file(failed) && entry.path().filename().string()[0] != '.')  // not unfinished ones
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// By its ending: what loading may read. Others (README.md) change no result.
bool is_model_file(const fs::path& path) {
  static const std::vector<std::string> kEndings = {".json",  ".safetensors", ".model",   ".gguf",
                                                    ".jinja", ".txt",         ".tiktoken"};
  return std::find(kEndings.begin(), kEndings.end(), path.extension().string()) != kEndings.end();
}
}  // namespace

Fingerprint seed_fingerprint(const RunContext& run) {
  const Recipe& recipe = run.recipe;
  Fingerprint result;
  for (const fs::path& path : files_of(run.bundle.dir)) {
    if (!is_model_file(path) ||
        (recipe.train_from_scratch && (path.extension() == ".safetensors" || path.extension() == ".gguf")))
      continue;
    result.emplace_back("model file " + path.filename().string(), sha256_file(path));
  }
  if (!recipe.adapter_name_or_path.empty())
    result.emplace_back("the adapter of adapter_name_or_path", folder_sha256(recipe.adapter_name_or_path));
  const at::Device device = resolve_device(recipe.device);
  if (recipe.train_from_scratch) result.emplace_back("random weights of seed", std::to_string(recipe.seed));
  result.emplace_back("sdft", SDFT_VERSION);
  result.emplace_back("device", device.is_cpu() ? "cpu" : "cuda");
  result.emplace_back("dtype", recipe.dtype != "auto" ? recipe.dtype : device.is_cpu() ? "f32" : "bf16");
  if (rounds(recipe.weights)) result.emplace_back("weights", recipe.weights);  // the others give the same
  if (!recipe.chat_template_kwargs.empty())
    result.emplace_back("chat_template_kwargs", recipe.chat_template_kwargs.dump());
  if (run.bundle.chat_template.reads_clock()) result.emplace_back("date", recipe.date);
  return result;
}

std::string prompt_identity(const std::string& name) {
  return names_prompt_file(name) ? identity_of(find_prompt_template(name)) : name;
}

void add_settings(Fingerprint* fingerprint, const Recipe& recipe, Stages stage) {
  Recipe copy = recipe;
  for (const Setting& setting : settings(copy))
    if (setting.stages & stage)
      fingerprint->emplace_back(setting.name,
                                setting.prompt ? prompt_identity(value_text(setting)) : value_text(setting));
}

void add_settings(Fingerprint* fingerprint, const Recipe& recipe, const std::vector<std::string>& names) {
  Recipe copy = recipe;
  for (const Setting& setting : settings(copy))
    if (std::find(names.begin(), names.end(), setting.name) != names.end())
      fingerprint->emplace_back(setting.name, value_text(setting));
}

std::string short_sum(const Fingerprint& fingerprint) {
  std::string text;
  for (const auto& [name, value] : fingerprint) text += name + "=" + value + "\n";
  return sha256(text).substr(0, 8);
}

std::string examples_sha256(const std::vector<Example>& examples) {
  std::string all;
  for (const Example& example : examples) {
    const Json one = {example.id, record_of(example, example.response), example.fields};
    all += sha256(to_line(one));
  }
  return sha256(all);
}

std::string questions_sha256(const std::vector<EvalItem>& items) {
  std::string all;
  for (const EvalItem& item : items) {
    Json one = {item.id, item.choices, item.gold, item.references, item.document};
    for (const Question& question : item.questions) {
      one.push_back(question.continuation);
      for (const Message& message : question.messages)
        one.push_back({message.role, message.content, message.delimiter});
    }
    all += sha256(to_line(one));
  }
  return sha256(all);
}

std::string folder_sha256(const fs::path& dir) {
  std::string all;
  for (const fs::path& path : files_of(dir))
    if (is_model_file(path)) all += path.filename().string() + " " + sha256_file(path) + "\n";
  return sha256(all);
}

}  // namespace sdft
