#include "model/lora.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/model_folder.h"
#include "base/random.h"
#include "base/regex.h"
#include "model/convert.h"
#include "model/safetensors.h"
#include "model/skeleton.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kPrefix = "base_model.model.";
constexpr const char* kWeights = "adapter_model.safetensors";

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

std::string shape_text(at::IntArrayRef shape) {
  std::string text;
  for (int64_t n : shape) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return "[" + text + "]";
}

// alpha_pattern: numbers for the layers whose names match as PEFT has it, the whole name or its end behind a
// dot. The first one counts.
using AlphaPatterns = std::vector<std::pair<Regex, double>>;

AlphaPatterns read_alpha_patterns(const Json& config, const std::string& where) {
  const Json json = value_or<Json>(config, "alpha_pattern", Json::object(), where);
  if (!json.is_object()) fail_field(config, "alpha_pattern", where);
  AlphaPatterns patterns;
  for (const auto& [pattern, value] : json.items()) {
    const std::string place = where + ": alpha_pattern '" + pattern + "'";
    if (!value.is_number()) fail_input(place, "expected a number, found " + describe(value));
    patterns.emplace_back(Regex("(.*\\.)?(" + pattern + ")", place), value.get<double>());
  }
  return patterns;
}

double alpha_of(const AlphaPatterns& patterns, const std::string& name, double otherwise) {
  stop_if_interrupted();
  for (const auto& [pattern, alpha] : patterns)
    if (pattern.matches(name)) return alpha;
  return otherwise;
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
  if (config.rank <= 0)
    fail_input(where + ": field 'r'", "expected a positive number, found " + std::to_string(config.rank));
  if (!(config.dropout >= 0 && config.dropout <= 1)) fail_field(json, "lora_dropout", where);
  return config;
}

// What settings alone can be wrong in, and each target of the model.
void check_lora(Model& model, const LoraConfig& config) {
  if (config.rank <= 0)
    fail_usage("lora_rank is " + std::to_string(config.rank) + ", expected a positive number");
  if (!std::isfinite(scale_of(config.alpha, config.rank, config.use_rslora)))
    fail_usage("lora_alpha is " + std::to_string(config.alpha) + ", expected a finite number");
  if (!(config.dropout >= 0 && config.dropout < 1))
    fail_usage("lora_dropout is " + std::to_string(config.dropout) + ", expected a number from 0 to below 1");
  std::set<std::string> kinds, layers;
  for_each_linear(model, [&](LinearLayer& layer) {
    kinds.insert(last_part(layer.name));
    if (!is_target(config, layer.name)) return;
    layers.insert(layer.name);
    const int64_t most = std::min(layer.weight.size(0), layer.weight.size(1));
    if (config.rank > most)
      fail_usage("lora_rank is " + std::to_string(config.rank) + ", but " + layer.name + " is " +
                     shape_text(layer.weight.sizes()) + ": its updates have at most rank " +
                     std::to_string(most),
                 "lower lora_rank, or leave " + last_part(layer.name) + " out of lora_target");
  });
  for (const auto& target : config.target_modules) {
    LoraConfig one;
    one.target_modules = {target};
    if (std::any_of(layers.begin(), layers.end(), [&](const auto& name) { return is_target(one, name); }))
      continue;
    std::string names;
    for (const auto& name : kinds) names += (names.empty() ? "" : ", ") + name;
    fail_usage("lora_target '" + target + "' is no linear layer of this model",
               "there are: " + names + "; or all-linear");
  }
}
}  // namespace

void check_lora(const ModelConfig& model, const LoraConfig& config) {
  Model shapes = skeleton(model);
  check_lora(shapes, config);
}

Adapter init_adapter(Model& model, const LoraConfig& config, uint64_t seed) {
  check_lora(model, config);
  Adapter adapter;
  adapter.config = config;
  adapter.nested = model.config.nested;
  for_each_linear(model, [&](LinearLayer& layer) {
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
  return adapter;
}

namespace {
const std::string kEmbed = "model.embed_tokens.weight", kHead = "lm_head.weight";

}  // namespace

Tensor* find_weight(Model& model, const std::string& name) {
  if (name == kHead) return &model.lm_head;
  for (auto& [own, tensor] : named_parameters(model))
    if (own == name) return tensor;
  return nullptr;
}

namespace {
Tensor floats(const SafetensorsFile& file, const std::string& name, at::ScalarType type,
              const std::string& where) {
  const Tensor tensor = file.get(name);
  if (!at::isFloatingType(tensor.scalar_type()))
    fail_input(where, "holds whole numbers: quantised adapters are not supported");
  return convert_finite(tensor, type, where);
}

// An adapter's tensors by the names that the model has for them.
struct StoredAdapter {
  explicit StoredAdapter(const fs::path& from) : dir(from), file(from / kWeights) {
    for (const std::string& stored : file.names())
      unused[stored.rfind(kPrefix, 0) == 0 ? plain_name(stored.substr(std::string(kPrefix).size()))
                                           : stored] = stored;
  }
  bool has(const std::string& name) const { return unused.count(name) > 0; }
  std::vector<int64_t> shape(const std::string& name) const { return file.info(unused.at(name)).shape; }
  Tensor take(const std::string& name) {
    const auto found = unused.find(name);
    if (found == unused.end())
      fail_input(dir.string(), "lacks '" + name + "': its A or B is there without the other");
    const std::string stored = found->second;
    unused.erase(found);
    return floats(file, stored, at::kFloat, (dir / kWeights).string() + ": tensor '" + stored + "'");
  }

  fs::path dir;
  SafetensorsFile file;
  std::map<std::string, std::string> unused;
};

void replace(Model& model, const std::string& name, const std::string& by, const StoredAdapter& stored,
             Adapter* adapter) {
  const Tensor* own = find_weight(model, name);
  const std::string& as_stored = stored.unused.at(by);
  if (!own || own->sizes() != at::IntArrayRef(stored.shape(by)))
    fail_input(stored.dir.string(),
               "is an adapter for another model: '" + as_stored + "' fits no weight of this model");
  const std::string where = (stored.dir / kWeights).string() + ": tensor '" + as_stored + "'";
  adapter->replaced[name] = floats(stored.file, as_stored, own->scalar_type(), where).to(own->device());
}

// What modules_to_save names.
void load_replaced(Model& model, const Json& config, const std::string& where, StoredAdapter& stored,
                   Adapter* adapter) {
  for (const auto& module : value_or<std::vector<std::string>>(config, "modules_to_save", {}, where)) {
    bool found = false;
    const auto left = stored.unused;
    for (const auto& [name, as_stored] : left) {
      if (last_part(name.substr(0, name.rfind('.'))) != module || name.find(".lora_") != std::string::npos)
        continue;
      replace(model, name, name, stored, adapter);
      stored.unused.erase(name);
      found = true;
    }
    if (!found)
      fail_input(where, "modules_to_save names '" + module + "', which adapter_model.safetensors lacks");
  }
}

// PEFT adds the embedding and the head by itself where tokens were added, say. It copies them over the
// model's own: over both where they are tied.
void load_vocabulary(Model& model, StoredAdapter& stored, Adapter* adapter) {
  for (const std::string& name : {kEmbed, kHead}) {
    if (!stored.has(name)) continue;
    replace(model, name, name, stored, adapter);
    if (model.config.tie_word_embeddings)
      replace(model, name == kHead ? kEmbed : kHead, name, stored, adapter);
    stored.unused.erase(name);
  }
}

// Before anything is read: a file may claim sizes that no memory has.
void check_shapes(const LinearLayer& layer, const StoredAdapter& stored, const std::string& a_name,
                  const std::string& b_name) {
  if (!stored.has(a_name) || !stored.has(b_name)) return;  // take() says which
  const std::vector<int64_t> a = stored.shape(a_name), b = stored.shape(b_name);
  const int64_t out = layer.weight.size(0), in = layer.weight.size(1);
  if (a.size() != 2 || b.size() != 2 || a[1] != in || b[0] != out || a[0] != b[1] || a[0] == 0)
    fail_input(stored.dir.string(), "is an adapter for another model: " + layer.name + " is " +
                                        shape_text(layer.weight.sizes()) + " here, the adapter's A is " +
                                        shape_text(a) + " and B " + shape_text(b));
  if (a[0] > in + out)
    fail_input(stored.dir.string(), "has updates of rank " + std::to_string(a[0]) + " for " + layer.name +
                                        ", which is " + shape_text(layer.weight.sizes()));
}

[[noreturn]] void fail_unused(const StoredAdapter& stored) {
  const auto& [name, as_stored] = *stored.unused.begin();
  const size_t lora = name.find(".lora_");
  const std::string module = name.substr(0, lora);
  const std::string kind = last_part(module);
  if (lora != std::string::npos && (kind == "lm_head" || kind == "embed_tokens" || kind == "gate" ||
                                    module.find(".experts") != std::string::npos))
    fail_input(stored.dir.string(), "has '" + as_stored + "': LoRA on " + module + " is not supported",
               "only on the linear layers of attention and of mlps without experts");
  fail_input(stored.dir.string(),
             "is an adapter for another model: it has '" + as_stored + "', which this model lacks");
}
}  // namespace

Adapter load_adapter(Model& model, const fs::path& dir) {
  const fs::path config_path = dir / "adapter_config.json";
  require_config(dir, FolderKind::kAdapter);
  if (!fs::exists(dir / kWeights)) fail_no_weights(dir, FolderKind::kAdapter);
  const Json json = read_json(config_path);
  Adapter adapter;
  adapter.config = parse_adapter_config(json, config_path.string());
  adapter.config.target_modules.clear();
  adapter.nested = model.config.nested;
  const AlphaPatterns alphas = read_alpha_patterns(json, config_path.string());
  StoredAdapter stored(dir);
  std::set<std::string> targets, bare;  // kinds of layers that the adapter has, and that it lacks somewhere
  for_each_linear(model, [&](LinearLayer& layer) {
    const std::string a_name = layer.name + ".lora_A.weight", b_name = layer.name + ".lora_B.weight";
    if (!stored.has(a_name) && !stored.has(b_name)) {
      bare.insert(last_part(layer.name));
      return;
    }
    // As PEFT saw the layer: what patterns are about.
    std::string module = stored.has(a_name) ? stored.unused.at(a_name) : layer.name;
    module = module.substr(std::string(kPrefix).size());
    module = module.substr(0, module.rfind(".lora_A"));
    check_shapes(layer, stored, a_name, b_name);
    LoraPair pair{stored.take(a_name), stored.take(b_name), 1.0};
    pair.scale =
        scale_of(alpha_of(alphas, module, adapter.config.alpha), pair.a.size(0), adapter.config.use_rslora);
    if (!(std::abs(pair.scale) <= std::numeric_limits<float>::max()))
      fail_input(config_path.string(), "scales the update of " + layer.name +
                                           " beyond all range: alpha / rank is " +
                                           std::to_string(pair.scale));
    pair.a = pair.a.to(model.device);
    pair.b = pair.b.to(model.device);
    adapter.pairs[layer.name] = pair;
    targets.insert(last_part(layer.name));
  });
  load_replaced(model, json, config_path.string(), stored, &adapter);
  load_vocabulary(model, stored, &adapter);
  if (!stored.unused.empty()) fail_unused(stored);
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

namespace {
// The name of a layer or weight in the model that PEFT would have loaded from the same folder.
std::string peft_name(const Adapter& adapter, const std::string& name) {
  if (!adapter.nested || name.rfind("model.", 0) != 0) return name;
  return "model.language_" + name;
}
}  // namespace

void save_adapter(const Adapter& adapter, const fs::path& dir, const std::string& base_model) {
  NamedTensors tensors;
  auto add = [&](const std::string& name, const Tensor& values) {
    tensors.emplace_back(name, convert_finite(values, values.scalar_type(),
                                              (dir / kWeights).string() + ": tensor '" + name + "'"));
  };
  for (const auto& [name, pair] : adapter.pairs) {
    const std::string layer = kPrefix + peft_name(adapter, name);
    add(layer + ".lora_A.weight", pair.a);
    add(layer + ".lora_B.weight", pair.b);
  }
  Json saved = nullptr;  // modules_to_save
  for (const auto& [name, weight] : adapter.replaced) {
    add(kPrefix + peft_name(adapter, name), weight);
    saved.push_back(last_part(name.substr(0, name.rfind('.'))));
  }
  make_directories(dir);
  write_safetensors(dir / kWeights, tensors, {{"format", "pt"}});
  std::set<std::string> targets;
  for (const std::string& target : adapter.config.target_modules) targets.insert(peft_name(adapter, target));
  if (targets.count("all-linear")) {  // older PEFT does not know it
    targets.clear();
    for (const auto& item : adapter.pairs) targets.insert(last_part(item.first));
  }
  Json ranks = Json::object(), alphas = Json::object();  // of layers that differ
  for (const auto& [name, pair] : adapter.pairs) {
    const int64_t rank = pair.a.size(0);
    const double per_rank =
        adapter.config.use_rslora ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank);
    const std::string layer = peft_name(adapter, name);
    if (rank != adapter.config.rank) ranks[layer] = rank;
    if (std::abs(pair.scale * per_rank - adapter.config.alpha) > 1e-9) alphas[layer] = pair.scale * per_rank;
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
  write_json(dir / "adapter_config.json", json);
}

const LoraPair* Adapter::find(const std::string& layer) const {
  const auto found = pairs.find(layer);
  return found == pairs.end() ? nullptr : &found->second;
}

const Tensor& Adapter::replacement(const std::string& name, const Tensor& own) const {
  const auto found = replaced.find(name);
  return found == replaced.end() ? own : found->second;
}

Model with_replaced(const Model& model, const Adapter& adapter) {
  Model copy = model;
  for (const auto& [name, weight] : adapter.replaced) *find_weight(copy, name) = weight;
  return copy;
}

void merge_adapter(Model& model, const Adapter& adapter) {
  at::NoGradGuard no_grad;
  // PEFT's copies of the embedding and the head are no longer tied.
  if (model.config.tie_word_embeddings && (adapter.replaced.count(kHead) || adapter.replaced.count(kEmbed))) {
    model.lm_head = model.lm_head.clone();
    model.config.tie_word_embeddings = false;
    model.config.json["tie_word_embeddings"] = false;
  }
  for (const auto& [name, weight] : adapter.replaced) find_weight(model, name)->copy_(weight);
  for_each_linear(model, [&](LinearLayer& layer) {
    stop_if_interrupted();
    const LoraPair* lora = adapter.find(layer.name);
    if (!lora) return;
    const Tensor update = at::matmul(lora->b, lora->a) * lora->scale;  // [out, in]
    layer.weight.copy_(layer.weight.to(at::kFloat) + update);
  });
}

}  // namespace sdft
