#include "report/card.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "report/markdown_parts.h"
#include "report/summary.h"
#include "report/verdict.h"

namespace sdft::report {

using namespace markdown;

namespace {
// As the hub spells names: letters, digits, '-', '_' and '.', none of '-' and '.' at an end or twice.
std::string hub_name(const std::string& text) {
  std::string name;
  for (const char c : clean(text)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (plain)
      name += c;
    else if (!name.empty() && name.back() != '-' && name.back() != '.')
      name += c == '.' ? '.' : '-';
  }
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name.empty() ? "unnamed" : name;
}

std::string base_of(const Document& document) {
  std::filesystem::path path = document.run.seed_model.path;
  if (path.filename().empty()) path = path.parent_path();
  return hub_name(path.filename().string());
}

std::vector<std::string> datasets_of(const Document& document) {
  std::vector<std::string> names;
  for (const DatasetFile& file : document.run.datasets) {
    const std::string name = hub_name(std::filesystem::path(file.path).stem().string());
    if (file.role == "train" && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  }
  return names;
}

// JSON is YAML, too: a string in quotes is never taken for something else.
std::string quoted(const std::string& text) { return to_line(Json(clean(text))); }

std::string name_of(const Document& document, const std::string& variant) {
  return hub_name(base_of(document) + "-" + variant);
}

std::vector<const Task*> scored(const Document& document, const std::string& variant) {
  std::vector<const Task*> tasks;
  if (document.evaluation)
    for (const Task& task : document.evaluation->tasks)
      if (known(score_value(task, variant))) tasks.push_back(&task);
  return tasks;
}

std::string head_of_card(const Document& document, const std::string& variant, bool adapter) {
  std::string out = "---\nbase_model: " + quoted(base_of(document)) + "\n";
  out += adapter ? "library_name: peft\n" : "library_name: transformers\n";
  out += "pipeline_tag: text-generation\n";
  std::string datasets;
  for (const std::string& name : datasets_of(document)) datasets += "- " + quoted(name) + "\n";
  if (!datasets.empty()) out += "datasets:\n" + datasets;
  out += adapter ? "tags:\n- lora\n" : "tags:\n- full-fine-tuning\n";
  const std::vector<const Task*> tasks = scored(document, variant);
  if (tasks.empty()) return out + "---\n";
  out += "model-index:\n- name: " + quoted(name_of(document, variant)) + "\n  results:\n";
  for (const Task* task : tasks) {
    const std::string metric = task->metric.empty() ? "score" : task->metric;
    out += fmt::format(
        "  - task:\n      type: text-generation\n    dataset:\n      name: {}\n      type: {}\n"
        "    metrics:\n    - type: {}\n      name: {}\n      value: {:.6f}\n",
        quoted(task->name), quoted(hub_name(task->name)), quoted(hub_name(metric)), quoted(metric),
        score_value(*task, variant));
  }
  return out + "---\n";
}

std::string scores_table(const Document& document, const std::string& variant) {
  const std::vector<const Task*> tasks = scored(document, variant);
  if (tasks.empty()) return "";
  const std::string seed = find_roles(document).seed;
  std::string out = "## Scores\n\n" + head({"Task", "n", "Seed, %", "Tuned, %", "Difference"});
  for (const Task* task : tasks)
    out += row({cell(task->name + (task->metric.empty() ? "" : ", " + task->metric)),
                grouped(examples_of(*task)), score_text(*task, seed), score_text(*task, variant),
                points(compare(*task, variant, seed).value)});
  return out + "\n[a, b] is the 95 % interval over examples; differences are in percentage points.\n\n";
}

std::string method_of(const Document& document, const std::string& variant) {
  const auto learning = std::find_if(document.learning.begin(), document.learning.end(),
                                     [&](const Learning& one) { return one.variant == variant; });
  std::string out;
  if (learning != document.learning.end()) out = "Method: " + full(method_in_words(*learning)) + ". ";
  for (const Distillation& d : document.distillations)
    if (std::find(d.variants.begin(), d.variants.end(), variant) != d.variants.end())
      out += fmt::format(
          "Before training, the seed model rewrote the dataset's answers in its own words: {} of {} rewrites "
          "were accepted, the other answers stayed as they were or were left out. ",
          grouped(d.accepted), grouped(d.examples));
  const VariantFacts facts = facts_of(document, variant);
  return out + fmt::format("Steps: {}; loss: {}; validation loss: {}; ‖ΔW‖ / ‖W‖: {}.\n\n", facts.steps,
                           facts.loss, facts.validation, facts.shift);
}

std::string how_to_load(const Document& document, bool adapter) {
  const std::string base = base_of(document);
  std::string code = "from transformers import AutoModelForCausalLM, AutoTokenizer\n";
  if (adapter)
    code += "from peft import PeftModel\n\nmodel = AutoModelForCausalLM.from_pretrained(\"" + base +
            "\")\nmodel = PeftModel.from_pretrained(model, \"FOLDER\")\ntokenizer = "
            "AutoTokenizer.from_pretrained(\"" +
            base + "\")\n";
  else
    code +=
        "\nmodel = AutoModelForCausalLM.from_pretrained(\"FOLDER\")\ntokenizer = "
        "AutoTokenizer.from_pretrained(\"FOLDER\")\n";
  return "## Loading\n\nFOLDER is this folder; `" + base +
         "` stands for the seed model's folder or its name on the hub.\n\n```python\n" + code + "```\n\n";
}

std::string data_table(const Document& document) {
  std::string rows;
  for (const DatasetFile& file : document.run.datasets)
    if (file.role == "train")
      rows += row({cell(std::filesystem::path(file.path).filename().string()), grouped(file.examples),
                   cell(file.sha256)});
  return rows.empty() ? "" : "## Data\n\n" + head({"File", "Examples", "SHA-256"}) + rows + "\n";
}

// Without the folder of this run: a card says the same wherever it was made.
std::string to_be_shown(const std::string& recipe) {
  const size_t begin = ("\n" + recipe).find("\noutput_dir:");  // the line's place in the recipe
  if (begin == std::string::npos) return recipe;
  const size_t end = recipe.find('\n', begin);
  return recipe.substr(0, begin) + (end == std::string::npos ? "" : recipe.substr(end + 1));
}
}  // namespace

std::string to_card(const Document& document, const std::string& variant, bool adapter) {
  const Run& run = document.run;
  std::string out = head_of_card(document, variant, adapter);
  out += "\n# " + full(name_of(document, variant)) + "\n\n";
  out += std::string(adapter ? "A LoRA adapter for " : "A fully fine-tuned ") + full(base_of(document)) +
         " (" + full(run.seed_model.architecture) + ", " + parameters(run.seed_model.parameters) +
         " parameters), seed " + std::to_string(run.seed) + ". ";
  out += method_of(document, variant) + scores_table(document, variant) + how_to_load(document, adapter) +
         data_table(document);
  std::string settings;
  for (const Setting& setting : run.settings) settings += row({cell(setting.name), cell(setting.value)});
  if (!settings.empty()) out += "## Settings\n\n" + head({"Setting", "Value"}, 2) + settings + "\n";
  if (!run.recipe.empty()) out += "## Recipe\n\n" + fenced(clean(to_be_shown(run.recipe))) + "\n";
  return plain_spaces(out);
}

}  // namespace sdft::report
