// adapter_config.json and adapter_model.safetensors as PEFT reads and writes them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/model_folder.h"
#include "model/convert.h"
#include "model/lora_layers.h"
#include "model/safetensors.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kPeftPrefix = "base_model.model.";
constexpr const char* kWeights = "adapter_model.safetensors";

// alpha_pattern as the file has it.
LayerPatterns read_patterns(const Json& config, const char* name, const std::string& where) {
  const Json json = value_or<Json>(config, name, Json::object(), where);
  if (!json.is_object()) fail_field(config, name, where);
  LayerPatterns patterns;
  for (const auto& [pattern, value] : json.items()) {
    if (!value.is_number())
      fail_input(where + ": " + name + " '" + pattern + "'", "expected a number, found " + describe(value));
    patterns.emplace_back(pattern, value.get<double>());
  }
  return patterns;
}

bool is_set(const Json& value) {
  return value.is_boolean() ? value.get<bool>()
                            : !value.is_null() && !(value.is_structured() && value.empty());
}

LoraConfig parse_adapter_config(const Json& json, const std::string& where) {
  const std::string type = require<std::string>(json, "peft_type", where);
  if (type != "LORA") fail_input(where, "peft_type '" + type + "' is not supported, only LORA");
  for (const char* key : {"use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out", "layer_replication",
                          "trainable_token_indices", "target_parameters", "arrow_config",
                          "alora_invocation_tokens", "kasa_config"})
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
  config.use_dora = value_or(json, "use_dora", false, where);
  if (config.rank <= 0)
    fail_input(where + ": field 'r'", "expected a positive number, found " + std::to_string(config.rank));
  if (!(config.dropout >= 0 && config.dropout <= 1)) fail_field(json, "lora_dropout", where);
  return config;
}

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
      unused[stored.rfind(kPeftPrefix, 0) == 0 ? plain_name(stored.substr(std::string(kPeftPrefix).size()))
                                               : stored] = stored;
  }
  bool has(const std::string& name) const { return unused.count(name) > 0; }
  std::vector<int64_t> shape(const std::string& name) const { return file.info(unused.at(name)).shape; }
  std::string place(const std::string& name) const {
    return (dir / kWeights).string() + ": tensor '" + unused.at(name) + "'";
  }
  Tensor take(const std::string& name, const char* why) {
    if (!has(name)) fail_input(dir.string(), "lacks '" + name + "': " + why);
    const Tensor values = floats(file, unused.at(name), at::kFloat, place(name));
    unused.erase(name);
    return values;
  }

  fs::path dir;
  SafetensorsFile file;
  std::map<std::string, std::string> unused;
};

// What the file calls the parts of a layer's update.
struct PartNames {
  std::string a, b, magnitude;
};
PartNames names_of(const std::string& layer) {
  if (layer == kEmbedLayer)
    return {layer + ".lora_embedding_A", layer + ".lora_embedding_B", layer + ".lora_magnitude_vector"};
  return {layer + ".lora_A.weight", layer + ".lora_B.weight", layer + ".lora_magnitude_vector"};
}

void replace(Model& model, const std::string& name, const std::string& by, const StoredAdapter& stored,
             Adapter* adapter) {
  const Tensor* own = find_weight(model, name);
  const std::string& as_stored = stored.unused.at(by);
  if (!own || own->sizes() != at::IntArrayRef(stored.shape(by)))
    fail_input(stored.dir.string(),
               "is an adapter for another model: '" + as_stored + "' fits no weight of this model");
  adapter->replaced[name] = floats(stored.file, as_stored, model.dtype, stored.place(by)).to(own->device());
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
  const std::string embed = weight_name(kEmbedLayer), head = weight_name(kHeadLayer);
  for (const std::string& name : {embed, head}) {
    if (!stored.has(name)) continue;
    replace(model, name, name, stored, adapter);
    if (model.config.tie_word_embeddings) replace(model, name == head ? embed : head, name, stored, adapter);
    stored.unused.erase(name);
  }
}

// Beside LoRA on embedding or head PEFT writes the weight that it stands on, which is the model's own.
void drop_own_weight(Model& model, const LoraLayer& layer, StoredAdapter& stored) {
  const std::string name = layer.name + ".base_layer.weight";
  if (!stored.has(name)) return;
  const Tensor* own = find_weight(model, weight_name(layer.name));
  const bool fits = own->sizes() == at::IntArrayRef(stored.shape(name));
  const bool same = fits && (own->is_meta() || floats(stored.file, stored.unused.at(name), own->scalar_type(),
                                                      stored.place(name))
                                                   .to(own->device())
                                                   .equal(*own));
  if (!same)
    fail_input(stored.dir.string(), "is an adapter for another model: '" + stored.unused.at(name) +
                                        "' is not this model's weight");
  stored.unused.erase(name);
}

// Before anything is read: a file may claim sizes that no memory has.
void check_shapes(const LoraLayer& layer, const StoredAdapter& stored, const PartNames& names) {
  const int64_t out = layer.weight.size(0), in = layer.weight.size(1);
  if (stored.has(names.magnitude) && stored.shape(names.magnitude) != std::vector<int64_t>{out})
    fail_input(stored.dir.string(), "is an adapter for another model: " + layer.name + " has " +
                                        std::to_string(out) + " outputs here, its magnitude is " +
                                        shape_text(stored.shape(names.magnitude)));
  if (!stored.has(names.a) || !stored.has(names.b)) return;  // take() says which
  const std::vector<int64_t> a = stored.shape(names.a), b = stored.shape(names.b);
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
  if (lora != std::string::npos && name.find(".lora_magnitude_vector") != std::string::npos)
    fail_input(stored.dir.string(),
               "has '" + as_stored +
                   "', a magnitude of DoRA that goes with nothing: use_dora is not set, or A "
                   "and B are missing");
  if (lora != std::string::npos &&
      (last_part(module) == "gate" || module.find(".experts") != std::string::npos))
    fail_input(stored.dir.string(), "has '" + as_stored + "': LoRA on " + module + " is not supported",
               "only on embedding, head, and the linear layers of attention and of mlps without experts");
  fail_input(stored.dir.string(),
             "is an adapter for another model: it has '" + as_stored + "', which this model lacks");
}

// As PEFT saw the layer: what patterns are about.
std::string peft_layer(const std::string& as_stored) {
  const size_t begin = as_stored.rfind(kPeftPrefix, 0) == 0 ? std::string(kPeftPrefix).size() : 0;
  return as_stored.substr(begin, as_stored.rfind(".lora_") - begin);
}

// Of a layer that has at least A or B.
LoraPair load_pair(const LoraLayer& layer, const PartNames& names, const CompiledPatterns& alphas,
                   const LoraConfig& config, at::Device device, StoredAdapter& stored) {
  const std::string module = peft_layer(stored.unused.at(stored.has(names.a) ? names.a : names.b));
  check_shapes(layer, stored, names);
  const char* why = "its A or B is there without the other";
  LoraPair pair{stored.take(names.a, why), stored.take(names.b, why)};
  if (config.use_dora)
    pair.magnitude =
        stored.take(names.magnitude, "use_dora is set, and each layer has its magnitude").to(device);
  const double alpha = value_of(alphas, module, config.alpha);
  pair.scale = scale_of(alpha, static_cast<double>(pair.a.size(0)), config.use_rslora);
  if (!(std::abs(pair.scale) <= std::numeric_limits<float>::max()))
    fail_input((stored.dir / "adapter_config.json").string(), "scales the update of " + layer.name +
                                                                  " beyond all range: alpha / rank is " +
                                                                  std::to_string(pair.scale));
  pair.a = pair.a.to(device);
  pair.b = pair.b.to(device);
  return pair;
}

// A variant's folder has it in "adapter".
fs::path folder_of(const fs::path& dir) {
  std::error_code none;
  const bool variant = !fs::exists(dir / "adapter_config.json", none) && fs::exists(dir / "adapter", none);
  return variant ? dir / "adapter" : dir;
}
}  // namespace

Adapter load_adapter(Model& model, const fs::path& given) {
  const fs::path dir = folder_of(given);
  const fs::path config_path = dir / "adapter_config.json";
  require_config(dir, FolderKind::kAdapter);
  if (!fs::exists(dir / kWeights)) fail_no_weights(dir, FolderKind::kAdapter);
  const Json json = read_json(config_path);
  const std::string where = config_path.string();
  Adapter adapter;
  adapter.config = parse_adapter_config(json, where);
  adapter.config.target_modules.clear();
  adapter.nested = model.config.nested;
  const CompiledPatterns alphas =
      compile(read_patterns(json, "alpha_pattern", where), where + ": alpha_pattern");
  StoredAdapter stored(dir);
  std::set<std::string> targets, bare;  // kinds of layers that the adapter has, and that it lacks somewhere
  for (const LoraLayer& layer : lora_layers(model)) {
    const PartNames names = names_of(layer.name);
    if (stored.has(names.magnitude + ".weight")) {  // as PEFT holds it
      stored.unused[names.magnitude] = stored.unused.at(names.magnitude + ".weight");
      stored.unused.erase(names.magnitude + ".weight");
    }
    drop_own_weight(model, layer, stored);
    if (!stored.has(names.a) && !stored.has(names.b)) {
      bare.insert(last_part(layer.name));
      continue;
    }
    adapter.pairs[layer.name] = load_pair(layer, names, alphas, adapter.config, model.device, stored);
    targets.insert(last_part(layer.name));
  }
  load_replaced(model, json, where, stored, &adapter);
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
  refresh_norms(model, adapter);
  return adapter;
}

namespace {
// What a trained PiSSA adapter is for the model as it was, as PEFT converts it: twice the rank, and an alpha
// with which the scale stays.
Adapter without_beginning(Adapter adapter) {
  bool began = false;
  for (auto& [name, pair] : adapter.pairs) {
    if (!pair.a0.defined()) continue;
    began = true;
    pair.a = at::cat({pair.a, pair.a0}, 0);
    pair.b = at::cat({pair.b, -pair.b0}, 1);
    pair.a0 = pair.b0 = Tensor();
  }
  if (began) {
    adapter.config.rank *= 2;
    adapter.config.alpha *= adapter.config.use_rslora ? std::sqrt(2.0) : 2.0;
  }
  return adapter;
}

std::set<std::string> written_targets(const Adapter& adapter) {
  std::set<std::string> targets;
  for (const std::string& target : adapter.config.target_modules)
    targets.insert(peft_name(adapter.nested, target));
  if (targets.count("all-linear") == 0) return targets;
  targets.clear();  // older PEFT does not know it
  for (const auto& item : adapter.pairs) targets.insert(last_part(item.first));
  return targets;
}

// Ranks and alphas of the layers that differ from the adapter's own.
void add_patterns(const Adapter& adapter, Json* json) {
  Json ranks = Json::object(), alphas = Json::object();
  const LoraConfig& config = adapter.config;
  for (const auto& [name, pair] : adapter.pairs) {
    const int64_t rank = pair.a.size(0);
    const double per_rank =
        config.use_rslora ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank);
    const std::string layer = peft_name(adapter.nested, name);
    if (rank != config.rank) ranks[layer] = rank;
    if (std::abs(pair.scale * per_rank - config.alpha) > 1e-9) alphas[layer] = pair.scale * per_rank;
  }
  (*json)["rank_pattern"] = ranks;
  (*json)["alpha_pattern"] = alphas;
}
}  // namespace

void save_adapter(const Adapter& trained, const fs::path& dir, const std::string& base_model) {
  at::NoGradGuard no_grad;
  const Adapter adapter = without_beginning(trained);
  NamedTensors tensors;
  auto add = [&](const std::string& name, const Tensor& values) {
    const std::string as_stored = kPeftPrefix + peft_name(adapter.nested, name);
    tensors.emplace_back(as_stored,
                         convert_finite(values, values.scalar_type(),
                                        (dir / kWeights).string() + ": tensor '" + as_stored + "'"));
  };
  for (const auto& [name, pair] : adapter.pairs) {
    const PartNames names = names_of(name);
    add(names.a, pair.a);
    add(names.b, pair.b);
    if (pair.magnitude.defined()) add(names.magnitude, pair.magnitude);
  }
  Json saved = nullptr;  // modules_to_save
  for (const auto& [name, weight] : adapter.replaced) {
    add(name, weight);
    saved.push_back(last_part(name.substr(0, name.rfind('.'))));
  }
  make_directories(dir);
  write_safetensors(dir / kWeights, tensors, {{"format", "pt"}});
  Json json = {{"peft_type", "LORA"},
               {"task_type", "CAUSAL_LM"},
               {"base_model_name_or_path", base_model},
               {"r", adapter.config.rank},
               {"lora_alpha", adapter.config.alpha},
               {"lora_dropout", adapter.config.dropout},
               {"rank_pattern", nullptr},
               {"alpha_pattern", nullptr},
               {"target_modules", written_targets(adapter)},
               {"use_rslora", adapter.config.use_rslora},
               {"use_dora", adapter.config.use_dora},
               {"bias", "none"},
               {"fan_in_fan_out", false},
               {"modules_to_save", saved},
               {"init_lora_weights", true},
               {"inference_mode", true}};
  add_patterns(adapter, &json);
  write_json(dir / "adapter_config.json", json);
}

}  // namespace sdft
