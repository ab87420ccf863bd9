#include "model/lora.h"

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"
#include "base/random.h"
#include "model/lora_layers.h"
#include "tensor/quantised.h"

namespace sdft {

namespace {
constexpr int64_t kRows = 1024;  // of a matrix that are summed up at a time

void fill(Tensor& tensor, const std::function<double()>& draw) {
  for (float *x = tensor.data_ptr<float>(), *end = x + tensor.numel(); x != end; ++x)
    *x = static_cast<float>(draw());
}

LoraPair begin_random(const LoraLayer& layer, int64_t rank, uint64_t seed) {
  LoraPair pair;
  const int64_t out = layer.weight.size(0), in = layer.weight.size(1);
  Random random(seed, "lora " + layer.name);
  if (layer.name == kEmbedLayer) {  // as nn.Embedding
    pair.a = at::zeros({rank, in}, at::kFloat);
    pair.b = at::empty({out, rank}, at::kFloat);
    fill(pair.b, [&] { return random.normal(); });
  } else {  // as nn.Linear
    pair.a = at::empty({rank, in}, at::kFloat);
    pair.b = at::zeros({out, rank}, at::kFloat);
    const double bound = 1.0 / std::sqrt(static_cast<double>(in));
    fill(pair.a, [&] { return (2 * random.uniform() - 1) * bound; });
  }
  pair.a = pair.a.to(layer.weight.device());
  pair.b = pair.b.to(layer.weight.device());
  return pair;
}

// scale B A is the best approximation of W of that rank: half of each direction's strength in B, half in A.
LoraPair begin_pissa(const LoraLayer& layer, int64_t rank, double scale) {
  stop_if_interrupted();
  const auto [u, s, vh] = at::linalg_svd(ops::widened(layer.weight), false);
  const Tensor root = (s.narrow(0, 0, rank) / scale).sqrt();  // [r]
  LoraPair pair;
  pair.a = (root.unsqueeze(1) * vh.narrow(0, 0, rank)).contiguous();
  pair.b = (u.narrow(1, 0, rank) * root).contiguous();
  pair.a0 = pair.a.clone();
  pair.b0 = pair.b.clone();
  return pair;
}
}  // namespace

std::vector<LoraLayer> lora_layers(Model model) {
  std::vector<LoraLayer> list{{kEmbedLayer, model.embed.t(), true}};
  for_each_linear(model, [&](LinearLayer& layer) { list.push_back({layer.name, layer.weight, false}); });
  list.push_back({kHeadLayer, model.lm_head, true});
  return list;
}

std::string peft_name(bool nested, const std::string& name) {
  return nested && name.rfind("model.", 0) == 0 ? "model.language_" + name : name;
}

Tensor* find_weight(Model& model, const std::string& name) {
  if (name == weight_name(kHeadLayer)) return &model.lm_head;
  for (auto& [own, tensor] : named_parameters(model))
    if (own == name) return tensor;
  return nullptr;
}

Tensor dora_factor(const LoraPair& pair) { return pair.magnitude / pair.norm; }

LowRank update_of(const LoraPair& pair) {
  if (!pair.a0.defined()) return {pair.b, pair.a};
  return {at::cat({pair.b - pair.b0, pair.b0}, 1), at::cat({pair.a, pair.a - pair.a0}, 0)};
}

namespace {
// y with the update, in f32 whatever y is computed in; seen: x, or x with dropout. Of PiSSA the difference
// comes first: where nothing has been trained it is nothing.
Tensor updated(const Tensor& y, const LoraPair& lora, const Tensor& x, const Tensor& seen) {
  const auto low = [&](const Tensor& input, const Tensor& a) {
    return ops::linear(input.to(a.scalar_type()), a) * lora.scale;  // [N, r]
  };
  if (!lora.a0.defined() && y.scalar_type() == lora.b.scalar_type())
    return ops::add_linear(y, low(seen, lora.a), lora.b);
  const Tensor change = ops::linear(low(seen, lora.a), lora.b);  // [N, out]
  return y +
         (lora.a0.defined() ? change - ops::linear(low(x, lora.a0), lora.b0) : change).to(y.scalar_type());
}
}  // namespace

// DoRA scales each row of W + s B A; of x with dropout only what training adds to W x, as PEFT has it.
Tensor adapted(const Tensor& y, const LinearLayer& layer, const LoraPair& lora, const Tensor& x,
               const Tensor& seen, ops::MatmulPrecision precision) {
  if (!lora.magnitude.defined()) return updated(y, lora, x, seen);
  const Tensor factor = dora_factor(lora);
  if (!seen.is_same(x)) {
    const Tensor own = ops::linear(seen, layer.weight, {}, precision);
    const Tensor rest = y - own;
    return (rest + factor * updated(own, lora, x, seen)).to(y.scalar_type());
  }
  if (!layer.bias.defined()) return (factor * updated(y, lora, x, seen)).to(y.scalar_type());
  return (factor * updated(y - layer.bias, lora, x, seen) + layer.bias).to(y.scalar_type());
}

void refresh_norms(const Model& model, Adapter& adapter) {
  if (std::none_of(adapter.pairs.begin(), adapter.pairs.end(),
                   [](const auto& item) { return item.second.magnitude.defined(); }))
    return;
  at::NoGradGuard no_grad;
  for (const LoraLayer& layer : lora_layers(model)) {
    const auto found = adapter.pairs.find(layer.name);
    if (found == adapter.pairs.end() || layer.weight.is_meta()) continue;
    LoraPair& pair = found->second;
    if (!pair.magnitude.defined()) continue;
    const LowRank update = update_of(pair);
    const int64_t out = layer.weight.size(0);
    pair.norm = at::empty({out}, pair.b.options().requires_grad(false));
    for (int64_t row = 0; row < out; row += kRows) {
      const int64_t count = std::min(kRows, out - row);
      const Tensor rows = at::addmm(ops::widened_rows(layer.weight, row, count),
                                    update.b.narrow(0, row, count), update.a, 1, pair.scale);
      pair.norm.narrow(0, row, count).copy_(at::norm(rows, 2, 1));
    }
    pair.norm.clamp_min_(1e-12);  // rows of zeros stay zeros
  }
}

Adapter init_adapter(Model& model, const LoraConfig& config, uint64_t seed) {
  check_lora(model.config, config);
  at::NoGradGuard no_grad;
  const CompiledPatterns ranks = compile(config.rank_pattern, "rank_pattern"),
                         alphas = compile(config.alpha_pattern, "alpha_pattern");
  Adapter adapter;
  adapter.config = config;
  adapter.nested = model.config.nested;
  for (const LoraLayer& layer : lora_layers(model)) {
    if (!is_target(config, layer)) continue;
    const std::string name = peft_name(adapter.nested, layer.name);
    const double rank = value_of(ranks, name, static_cast<double>(config.rank)),
                 scale = scale_of(value_of(alphas, name, config.alpha), rank, config.use_rslora);
    const auto r = static_cast<int64_t>(rank);
    const bool pissa = config.init == "pissa" && !layer.weight.is_meta();
    LoraPair pair = pissa ? begin_pissa(layer, r, scale) : begin_random(layer, r, seed);
    if (layer.weight.is_meta() && config.init == "pissa") pair.a0 = pair.a, pair.b0 = pair.b;
    pair.scale = scale;
    if (config.use_dora) pair.magnitude = at::empty({layer.weight.size(0)}, pair.b.options());
    adapter.pairs[layer.name] = pair;
  }
  for (const std::string& module : config.modules_to_save) {
    const std::string name = weight_name(module == "lm_head" ? kHeadLayer : kEmbedLayer);
    const Tensor& own = *find_weight(model, name);
    adapter.replaced[name] = ops::is_quantised(own)
                                 ? ops::widened(own)
                                 : own.to(model.dtype, /*non_blocking=*/false, /*copy=*/true);
  }
  refresh_norms(model, adapter);
  for (auto& [name, pair] : adapter.pairs)
    if (config.use_dora && pair.norm.defined()) pair.magnitude = pair.norm.clone();
  return adapter;
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
  auto changes = [&](const std::string& layer) {
    return adapter.find(layer) != nullptr || adapter.replaced.count(weight_name(layer)) > 0;
  };
  if (model.config.tie_word_embeddings && (changes(kHeadLayer) || changes(kEmbedLayer))) {
    model.lm_head = model.lm_head.clone();
    model.config.tie_word_embeddings = false;
    model.config.json["tie_word_embeddings"] = false;
  }
  for (const auto& [name, weight] : adapter.replaced) find_weight(model, name)->copy_(weight);
  for (LoraLayer& layer : lora_layers(model)) {
    stop_if_interrupted();
    const LoraPair* lora = adapter.find(layer.name);
    if (!lora) continue;
    const LowRank factors = update_of(*lora);
    const Tensor update = at::matmul(factors.b, factors.a) * lora->scale;  // [out, in]
    Tensor merged = layer.weight.to(at::kFloat) + update;
    if (lora->magnitude.defined()) merged *= dora_factor(*lora).unsqueeze(1);
    layer.weight.copy_(merged);
  }
}

}  // namespace sdft
