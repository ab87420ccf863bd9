#include "model/lora.h"

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "model/safetensors.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kPrefix = "base_model.model.";

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

bool is_target(const LoraConfig& config, const std::string& name) {
  for (const auto& target : config.target_modules) {
    if (target == "all-linear" || target == name) return true;
    // PEFT: the whole name, or its end after a dot.
    if (name.size() > target.size() && name[name.size() - target.size() - 1] == '.' &&
        name.compare(name.size() - target.size(), std::string::npos, target) == 0)
      return true;
  }
  return false;
}

double scale_of(double alpha, int64_t rank, bool rslora) {
  return alpha / (rslora ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank));
}

std::string shape_text(const Tensor& x) {
  return "[" + std::to_string(x.size(0)) + ", " + std::to_string(x.size(1)) + "]";
}

// The value of the first pattern that matches `name` as PEFT matches it: `.*\.pattern$` or the whole name.
double pattern_value(const Json& patterns, const std::string& name, double fallback,
                     const std::string& where) {
  if (!patterns.is_object()) return fallback;
  for (const auto& [pattern, value] : patterns.items()) {
    try {
      if (std::regex_match(name, std::regex("(.*\\.)?(" + pattern + ")"))) return value.get<double>();
    } catch (const std::exception&) {
      fail_input(where, "pattern '" + pattern + "' is not usable");
    }
  }
  return fallback;
}

bool is_set(const Json& value) {
  return value.is_boolean() ? value.get<bool>()
                            : !value.is_null() && !(value.is_structured() && value.empty());
}

LoraConfig parse_adapter_config(const Json& json, const std::string& where) {
  const std::string type = require<std::string>(json, "peft_type", where);
  if (type != "LORA") fail_input(where, "peft_type '" + type + "' is not supported, only LORA");
  for (const char* key :
       {"use_dora", "use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out", "layer_replication",
        "trainable_token_indices", "target_parameters", "arrow_config", "alora_invocation_tokens"})
    if (json.contains(key) && is_set(json[key])) fail_input(where, std::string(key) + " is not supported");
  if (value_or<std::string>(json, "bias", "none", where) != "none")
    fail_input(where, "bias other than 'none' is not supported");
  // Where an adapter began matters only if that changed the base model's weights as well (pissa, olora, ...).
  const Json init = json.value("init_lora_weights", Json(true));
  const std::set<std::string> alone = {"gaussian", "orthogonal", "eva", "mica"};
  if (init.is_string() && alone.count(init.get<std::string>()) == 0)
    fail_input(where,
               "init_lora_weights '" + init.get<std::string>() +
                   "' is not supported: such an adapter goes with base weights that it has changed",
               "save it again in PEFT with path_initial_model_for_weight_conversion");
  LoraConfig config;
  config.rank = require<int64_t>(json, "r", where);
  config.alpha = require<double>(json, "lora_alpha", where);
  config.dropout = value_or(json, "lora_dropout", 0.0, where);
  config.use_rslora = value_or(json, "use_rslora", false, where);
  return config;
}
}  // namespace

Adapter init_adapter(Model& model, const LoraConfig& config, uint64_t seed) {
  if (config.rank <= 0)
    fail_usage("lora_rank is " + std::to_string(config.rank) + ", expected a positive number");
  Adapter adapter;
  adapter.config = config;
  std::set<std::string> known;
  for_each_linear(model, [&](LinearLayer& layer) {
    known.insert(last_part(layer.name));
    if (!is_target(config, layer.name)) return;
    LoraPair pair;
    const int64_t in = layer.weight.size(1), out = layer.weight.size(0);
    pair.a = at::empty({config.rank, in}, at::kFloat);
    pair.b = at::zeros({out, config.rank}, at::kFloat).to(model.device);
    Random random(seed, "lora " + layer.name);
    const double bound = 1.0 / std::sqrt(static_cast<double>(in));
    for (float *x = pair.a.data_ptr<float>(), *end = x + pair.a.numel(); x != end; ++x)
      *x = static_cast<float>((2 * random.uniform() - 1) * bound);
    pair.a = pair.a.to(model.device);
    pair.scale = scale_of(config.alpha, config.rank, config.use_rslora);
    adapter.pairs[layer.name] = pair;
  });
  for (const auto& target : config.target_modules) {
    LoraConfig one;
    one.target_modules = {target};
    if (std::none_of(adapter.pairs.begin(), adapter.pairs.end(),
                     [&](const auto& p) { return is_target(one, p.first); })) {
      std::string names;
      for (const auto& name : known) names += (names.empty() ? "" : ", ") + name;
      fail_usage("lora_target '" + target + "' is no linear layer of this model",
                 "there are: " + names + "; or all-linear");
    }
  }
  return adapter;
}

namespace {
// A weight of the model by its Hugging Face name; null where there is none. A tied head has one too.
Tensor* find_weight(Model& model, const std::string& name) {
  if (name == "lm_head.weight") return &model.lm_head;
  for (auto& [own, tensor] : named_parameters(model))
    if (own == name) return tensor;
  return nullptr;
}

// Takes what modules_to_save names out of `unused`.
void load_replaced(Model& model, const Json& config, const SafetensorsFile& file, const std::string& where,
                   Adapter* adapter, std::set<std::string>* unused) {
  if (!config.contains("modules_to_save") || config["modules_to_save"].is_null()) return;
  for (const auto& module : require<std::vector<std::string>>(config, "modules_to_save", where)) {
    bool found = false;
    for (const std::string& stored : file.names()) {
      const size_t at = stored.rfind('.');
      if (last_part(stored.substr(0, at)) != module || stored.find(".lora_") != std::string::npos) continue;
      const std::string name = stored.substr(std::string(kPrefix).size());
      Tensor* own = stored.rfind(kPrefix, 0) == 0 ? find_weight(model, name) : nullptr;
      const Tensor weight = file.get(stored);
      if (!own || own->sizes() != weight.sizes())
        fail_input(where, "is an adapter for another model: '" + stored + "' fits no weight of this model");
      adapter->replaced[name] = weight.to(own->options()).clone();
      unused->erase(stored);
      found = true;
    }
    if (!found)
      fail_input(where, "modules_to_save names '" + module + "', which adapter_model.safetensors lacks");
  }
}
}  // namespace

Adapter load_adapter(Model& model, const fs::path& dir) {
  const fs::path config_path = dir / "adapter_config.json";
  if (!fs::exists(config_path))
    fail_input(dir.string(), "is not an adapter folder: adapter_config.json is missing");
  const Json json = read_json(config_path);
  Adapter adapter;
  adapter.config = parse_adapter_config(json, config_path.string());
  adapter.config.target_modules.clear();
  SafetensorsFile file(dir / "adapter_model.safetensors");
  std::set<std::string> unused(file.names().begin(), file.names().end());
  std::set<std::string> targets, bare;  // kinds of layers that the adapter has, and that it lacks somewhere
  for_each_linear(model, [&](LinearLayer& layer) {
    const std::string a_name = kPrefix + layer.name + ".lora_A.weight",
                      b_name = kPrefix + layer.name + ".lora_B.weight";
    if (!file.has(a_name) && !file.has(b_name)) {
      bare.insert(last_part(layer.name));
      return;
    }
    LoraPair pair{file.get(a_name).to(at::kFloat).clone(), file.get(b_name).to(at::kFloat).clone(), 1.0};
    if (pair.a.dim() != 2 || pair.b.dim() != 2 || pair.a.size(1) != layer.weight.size(1) ||
        pair.b.size(0) != layer.weight.size(0) || pair.a.size(0) != pair.b.size(1))
      fail_input(dir.string(), "is an adapter for another model: " + layer.name + " is " +
                                   shape_text(layer.weight) + " here, the adapter's A is " +
                                   shape_text(pair.a) + " and B " + shape_text(pair.b));
    const Json none;
    const double alpha = pattern_value(json.value("alpha_pattern", none), layer.name, adapter.config.alpha,
                                       config_path.string());
    pair.scale = scale_of(alpha, pair.a.size(0), adapter.config.use_rslora);
    pair.a = pair.a.to(model.device);
    pair.b = pair.b.to(model.device);
    adapter.pairs[layer.name] = pair;
    targets.insert(last_part(layer.name));
    unused.erase(a_name);
    unused.erase(b_name);
  });
  load_replaced(model, json, file, config_path.string(), &adapter, &unused);
  if (!unused.empty())
    fail_input(dir.string(),
               "is an adapter for another model: it has '" + *unused.begin() + "', which this model lacks");
  if (adapter.pairs.empty() && adapter.replaced.empty()) fail_input(dir.string(), "holds no LoRA weights");
  const bool everywhere =
      std::none_of(targets.begin(), targets.end(), [&](const auto& kind) { return bare.count(kind) > 0; });
  if (everywhere) {
    adapter.config.target_modules.assign(targets.begin(), targets.end());
  } else {  // only in some layers: whole names
    for (const auto& item : adapter.pairs) adapter.config.target_modules.push_back(item.first);
  }
  return adapter;
}

void save_adapter(const Adapter& adapter, const fs::path& dir, const std::string& base_model) {
  make_directories(dir);
  NamedTensors tensors;
  for (const auto& [name, pair] : adapter.pairs) {
    tensors.emplace_back(kPrefix + name + ".lora_A.weight", pair.a);
    tensors.emplace_back(kPrefix + name + ".lora_B.weight", pair.b);
  }
  Json saved = nullptr;  // modules_to_save
  for (const auto& [name, weight] : adapter.replaced) {
    tensors.emplace_back(kPrefix + name, weight);
    saved.push_back(last_part(name.substr(0, name.rfind('.'))));
  }
  write_safetensors(dir / "adapter_model.safetensors", tensors, {{"format", "pt"}});
  std::set<std::string> targets(adapter.config.target_modules.begin(), adapter.config.target_modules.end());
  if (targets.count("all-linear")) {  // older PEFT does not know it
    targets.clear();
    for (const auto& item : adapter.pairs) targets.insert(last_part(item.first));
  }
  Json ranks = Json::object(), alphas = Json::object();  // of layers that differ
  for (const auto& [name, pair] : adapter.pairs) {
    const int64_t rank = pair.a.size(0);
    const double per_rank =
        adapter.config.use_rslora ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank);
    if (rank != adapter.config.rank) ranks[name] = rank;
    if (std::abs(pair.scale * per_rank - adapter.config.alpha) > 1e-9) alphas[name] = pair.scale * per_rank;
  }
  Json json = {{"peft_type", "LORA"},
               {"task_type", "CAUSAL_LM"},
               {"base_model_name_or_path", base_model},
               {"r", adapter.config.rank},
               {"lora_alpha", adapter.config.alpha},
               {"lora_dropout", adapter.config.dropout},
               {"rank_pattern", ranks},
               {"alpha_pattern", alphas},
               {"target_modules", targets},
               {"use_rslora", adapter.config.use_rslora},
               {"use_dora", false},
               {"bias", "none"},
               {"fan_in_fan_out", false},
               {"modules_to_save", saved},
               {"init_lora_weights", true},
               {"inference_mode", true}};
  write_file_atomic(dir / "adapter_config.json", json.dump(2) + "\n");
}

void set_adapter(Model& model, const Adapter* adapter) {
  for (auto& [name, weight] : model.set_aside) *find_weight(model, name) = weight;
  model.set_aside.clear();
  if (adapter)
    for (const auto& [name, weight] : adapter->replaced) {
      Tensor* own = find_weight(model, name);
      model.set_aside[name] = *own;
      *own = weight;
    }
  for_each_linear(model, [&](LinearLayer& layer) {
    layer.lora = nullptr;
    if (!adapter) return;
    auto found = adapter->pairs.find(layer.name);
    if (found != adapter->pairs.end()) layer.lora = &found->second;
  });
}

void merge_adapter(Model& model, const Adapter& adapter) {
  at::NoGradGuard no_grad;
  for (const auto& [name, weight] : adapter.replaced) {
    if (model.config.tie_word_embeddings && (name == "lm_head.weight" || name == "model.embed_tokens.weight"))
      fail_input(name, "is replaced by the adapter, but tied to another weight of the model",
                 "set tie_word_embeddings to false in a copy of the model that has both weights");
    find_weight(model, name)->copy_(weight);
  }
  for_each_linear(model, [&](LinearLayer& layer) {
    auto found = adapter.pairs.find(layer.name);
    if (found == adapter.pairs.end()) return;
    Tensor update = at::matmul(found->second.b, found->second.a) * found->second.scale;  // [out, in]
    layer.weight.copy_(layer.weight.to(at::kFloat) + update);
  });
}

}  // namespace sdft
