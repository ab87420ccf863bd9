// What settings alone can be wrong in.
#include <algorithm>
#include <cmath>
#include <set>

#include "base/interrupt.h"
#include "base/problems.h"
#include "model/lora_layers.h"
#include "model/skeleton.h"

namespace sdft {

const std::vector<std::string>& lora_inits() {
  static const std::vector<std::string> kNames = {"kaiming", "pissa"};
  return kNames;
}

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

std::string shape_text(at::IntArrayRef shape) {
  std::string text;
  for (int64_t n : shape) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return "[" + text + "]";
}

double scale_of(double alpha, double rank, bool rslora) { return alpha / (rslora ? std::sqrt(rank) : rank); }

namespace {
bool is_named(const std::string& target, const std::string& name) {
  return target == name || (name.size() > target.size() && name[name.size() - target.size() - 1] == '.' &&
                            name.compare(name.size() - target.size(), std::string::npos, target) == 0);
}

bool is_target(const std::string& target, const LoraLayer& layer) {
  return (target == "all-linear" && !layer.vocabulary) || is_named(target, layer.name);
}

std::string listed(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void check_numbers(const LoraConfig& config, Problems& problems) {
  auto check_rank = [&](const std::string& name, double rank) {
    if (!(rank > 0) || rank != std::floor(rank))
      problems.add(name + " is " +
                   (rank == std::floor(rank) && std::abs(rank) < 1e15
                        ? std::to_string(static_cast<int64_t>(rank))
                        : std::to_string(rank)) +
                   ", expected a positive " + (rank == std::floor(rank) ? "number" : "whole number"));
  };
  auto check_alpha = [&](const std::string& name, double alpha) {
    if (!(alpha > 0) || !std::isfinite(alpha))
      problems.add(name + " is " + std::to_string(alpha) + ", expected a number above 0");
  };
  check_rank("lora_rank", static_cast<double>(config.rank));
  check_alpha("lora_alpha", config.alpha);
  for (const auto& [pattern, rank] : config.rank_pattern) check_rank("rank_pattern '" + pattern + "'", rank);
  for (const auto& [pattern, alpha] : config.alpha_pattern)
    check_alpha("alpha_pattern '" + pattern + "'", alpha);
  if (!(config.dropout >= 0 && config.dropout < 1))
    problems.add("lora_dropout is " + std::to_string(config.dropout) +
                 ", expected a number from 0 to below 1");
}

void check_targets(const std::vector<LoraLayer>& all, const std::vector<LoraLayer>& chosen,
                   const LoraConfig& config, Problems& problems) {
  auto has = [&](const std::vector<LoraLayer>& layers, const std::string& name) {
    return std::any_of(layers.begin(), layers.end(),
                       [&](const LoraLayer& layer) { return is_target(name, layer); });
  };
  std::set<std::string> kinds;
  for (const LoraLayer& layer : all) kinds.insert(last_part(layer.name));
  for (const std::string& target : config.target_modules)
    if (!has(chosen, target))
      problems.add("lora_target '" + target +
                   "' is no linear layer of this model (there are: " + listed(kinds) + "; or all-linear)");
  for (const std::string& module : config.modules_to_save) {
    if (module != "embed_tokens" && module != "lm_head")
      problems.add("modules_to_save '" + module + "' is not supported: embed_tokens and lm_head are");
    else if (has(chosen, module))
      problems.add("modules_to_save '" + module +
                   "' is trained whole, and lora_target names it, too; leave it out of one of the two");
  }
}

// Patterns that fit none of the layers, and ranks that one cannot have.
void check_patterns(const std::vector<LoraLayer>& layers, bool nested, const LoraConfig& config,
                    Problems& problems) {
  auto unmatched = [&](const char* name, const CompiledPatterns& patterns) {
    for (const CompiledPattern& pattern : patterns)
      if (std::none_of(layers.begin(), layers.end(), [&](const LoraLayer& layer) {
            return pattern.regex.matches(peft_name(nested, layer.name));
          }))
        problems.add(std::string(name) + " '" + pattern.text + "' matches none of the layers of lora_target");
  };
  const CompiledPatterns ranks = compile(config.rank_pattern, "rank_pattern");
  unmatched("rank_pattern", ranks);
  unmatched("alpha_pattern", compile(config.alpha_pattern, "alpha_pattern"));
  for (const LoraLayer& layer : layers) {
    const double own = static_cast<double>(config.rank);
    const double rank = value_of(ranks, peft_name(nested, layer.name), own);
    const int64_t most = std::min(layer.weight.size(0), layer.weight.size(1));
    if (!(rank > static_cast<double>(most))) continue;
    const std::string shown = std::to_string(static_cast<int64_t>(std::min(rank, 1e18)));
    return problems.add((rank == own ? "lora_rank is " : "rank_pattern gives the rank ") + shown + ", but " +
                        layer.name + " is " + shape_text(layer.weight.sizes()) +
                        ": its updates have at most rank " + std::to_string(most) + " (lower it, or leave " +
                        last_part(layer.name) + " out of lora_target)");
  }
}

void check_pissa(const std::vector<LoraLayer>& layers, const LoraConfig& config, Problems& problems) {
  if (config.init != "pissa") return;
  if (config.use_dora)
    problems.add(
        "init_lora_weights: pissa cannot stand beside use_dora: no adapter for the model as it is says both");
  for (const LoraLayer& layer : layers)
    if (layer.name == kEmbedLayer)
      problems.add("init_lora_weights: pissa does not begin embed_tokens (leave it out of lora_target)");
}
}  // namespace

bool is_target(const LoraConfig& config, const LoraLayer& layer) {
  return std::any_of(config.target_modules.begin(), config.target_modules.end(),
                     [&](const std::string& target) { return is_target(target, layer); });
}

CompiledPatterns compile(const LayerPatterns& patterns, const std::string& where) {
  CompiledPatterns compiled;
  for (const auto& [text, value] : patterns)
    compiled.push_back({text, Regex("(.*\\.)?(" + text + ")", where + " '" + text + "'"), value});
  return compiled;
}

double value_of(const CompiledPatterns& patterns, const std::string& name, double otherwise) {
  stop_if_interrupted();
  for (const CompiledPattern& pattern : patterns)
    if (pattern.regex.matches(name)) return pattern.value;
  return otherwise;
}

void check_lora(const ModelConfig& model, const LoraConfig& config) {
  const std::vector<LoraLayer> all = lora_layers(skeleton(model));
  std::vector<LoraLayer> chosen;
  for (const LoraLayer& layer : all)
    if (is_target(config, layer)) chosen.push_back(layer);
  Problems problems;
  check_numbers(config, problems);
  check_targets(all, chosen, config, problems);
  problems.gather([&] { check_patterns(chosen, model.nested, config, problems); });
  check_pissa(chosen, config, problems);
  problems.raise();
}

}  // namespace sdft
