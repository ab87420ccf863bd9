// The forward pass.
#include "model/model.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "base/random.h"
#include "model/lora.h"
#include "tensor/memory.h"

namespace sdft {

at::ScalarType cache_type(const Model& model) {
  return model.precision == ops::MatmulPrecision::kBf16 ? at::kBFloat16 : model.dtype;
}

Tensor cache_part(const Model& model, int64_t slots, int64_t max_tokens) {
  const std::vector<int64_t> shape = {slots, model.config.num_key_value_heads, max_tokens,
                                      model.config.head_dim};
  // Zeros: what lies beyond a sequence's end is multiplied by zero where rows of unlike length run together.
  if (model.device.is_cpu()) return zeros_in_huge_pages(shape, cache_type(model));
  return at::zeros(shape, at::TensorOptions().dtype(cache_type(model)).device(model.device));
}

KvCache make_cache(const Model& model, int64_t slots, int64_t max_tokens) {
  KvCache cache;
  for (size_t i = 0; i < model.layers.size(); ++i)
    for (auto* part : {&cache.keys, &cache.values}) part->push_back(cache_part(model, slots, max_tokens));
  return cache;
}

int64_t PackedTokens::row(size_t sequence, int64_t t) const {
  if (t < sequences.shared) return t;
  for (size_t i = 0; i < sequence; ++i) t += sequences.lengths[i] - sequences.shared;
  return t;
}

int64_t shared_tokens(const std::vector<std::vector<int32_t>>& sequences) {
  if (sequences.empty()) return 0;
  const auto& first = sequences.front();
  size_t shared = first.size();
  for (const auto& other : sequences) {
    const auto end = std::mismatch(first.begin(), first.end(), other.begin(), other.end()).first;
    shared = std::min({shared, static_cast<size_t>(end - first.begin()), other.size() - 1});
  }
  return static_cast<int64_t>(shared);
}

PackedTokens pack(const std::vector<std::vector<int32_t>>& sequences, at::Device device, int64_t shared) {
  PackedTokens packed;
  packed.sequences.shared = shared;
  std::vector<int64_t> ids;
  if (shared > 0) ids.assign(sequences[0].begin(), sequences[0].begin() + shared);
  for (const auto& sequence : sequences) {
    packed.sequences.lengths.push_back(static_cast<int64_t>(sequence.size()));
    ids.insert(ids.end(), sequence.begin() + shared, sequence.end());
  }
  packed.ids = at::tensor(at::ArrayRef<int64_t>(ids), at::kLong).to(device);
  return packed;
}

namespace {
// Consecutive rows of one model.
struct RowSpan {
  const Adapter* adapter;
  int64_t rows;
};

// Where attention happens: inside packed sequences, or against a cache.
struct Context {
  RopeRows rope, local_rope;  // of the tokens' positions
  const ops::Sequences* sequences = nullptr;
  const std::vector<ops::CacheSegment>* segments = nullptr;
  KvCache* cache = nullptr;
  // Where only some tokens are wanted (against a cache the last one of each segment): the last layer's other
  // ones stop at their keys and values, of packed sequences at attention.
  Tensor last_rows;
  std::vector<ops::CacheSegment> last_segments;
  std::vector<RowSpan> spans, last_spans;  // of all rows; of last_rows
  ForwardOptions options;
  uint64_t linear_index = 0;  // a dropout mask of its own for each

  bool adapts(const std::string& layer) const {
    return std::any_of(spans.begin(), spans.end(),
                       [&](const RowSpan& s) { return s.adapter && s.adapter->find(layer); });
  }
  const std::vector<RowSpan>& spans_of(int64_t rows) const {
    return last_rows.defined() && rows == last_rows.size(0) ? last_spans : spans;
  }
};

// update(rows of y, their update, first row, count) for each span that has one for this layer.
template <typename Update>
void for_each_update(const std::vector<RowSpan>& spans, const std::string& layer, const Update& update) {
  int64_t first = 0;
  for (const RowSpan& span : spans) {
    const LoraPair* lora = span.adapter ? span.adapter->find(layer) : nullptr;
    if (lora && span.rows > 0) update(*lora, first, span.rows);
    first += span.rows;
  }
}

Tensor dropped(const Tensor& x, const Dropout& dropout, uint64_t index) {
  return dropout.p > 0 ? ops::dropout(x, dropout.p, dropout.key * 0x9e3779b97f4a7c15ull + index) : x;
}

// y, which the layer alone gives, with its updates.
Tensor with_updates(const LinearLayer& layer, const Tensor& y, const Tensor& x, Context& context) {
  context.linear_index++;
  if (!context.adapts(layer.name)) return y;
  const std::vector<RowSpan>& spans = context.spans_of(x.size(0));
  if (spans.size() == 1) {
    const Tensor seen = dropped(x, context.options.dropout, context.linear_index);
    return adapted(y, layer, *spans[0].adapter->find(layer.name), x, seen, context.options.precision);
  }
  for_each_update(spans, layer.name, [&](const LoraPair& lora, int64_t first, int64_t count) {
    const Tensor rows = x.narrow(0, first, count), own = y.narrow(0, first, count);
    own.copy_(adapted(own, layer, lora, rows, rows, context.options.precision));
  });
  return y;
}

Tensor apply(const LinearLayer& layer, const Tensor& x, Context& context) {
  return with_updates(layer, ops::linear(x, layer.weight, layer.bias, context.options.precision), x, context);
}

// All of one x.
std::vector<Tensor> apply_each(const std::vector<const LinearLayer*>& layers, const Tensor& x,
                               Context& context) {
  std::vector<ops::LinearWeights> weights;
  for (const LinearLayer* layer : layers) weights.push_back({layer->weight, layer->bias});
  std::vector<Tensor> all = ops::linear_each(x, weights, context.options.precision);
  for (size_t i = 0; i < all.size(); ++i) all[i] = with_updates(*layers[i], all[i], x, context);
  return all;
}

Tensor normalise(const Model& model, const Tensor& x, const Tensor& weight) {
  if (!weight.defined()) return x;
  return ops::rms_norm(x, weight, model.config.rms_norm_eps, model.config.norm_offset);
}

// residual + norm(layer(x)); without a norm in the residual's own memory where nothing is recorded for a
// gradient.
Tensor add_branch(const Model& model, const Tensor& residual, const LinearLayer& layer, const Tensor& x,
                  const Tensor& out_norm, Context& context) {
  if (context.adapts(layer.name) || out_norm.defined() || at::GradMode::is_enabled())
    return residual + normalise(model, apply(layer, x, context), out_norm);
  return ops::add_linear(residual, x, layer.weight, layer.bias, context.options.precision);
}

struct Heads {
  Tensor q, k, v;  // [N, H, D], [N, Hkv, D]; of q only the rows of `last` where these are wanted
};

Heads project(const Model& model, const Layer& layer, const Tensor& x, const Tensor& last, Context& context) {
  const ModelConfig& c = model.config;
  const int64_t q_width = c.num_attention_heads * c.head_dim, kv_width = c.num_key_value_heads * c.head_dim;
  auto rows = [&](const Tensor& y) { return last.defined() ? y.index_select(0, last) : y; };
  Tensor q, k, v;  // [N, width]
  if (c.fused_qkv) {
    const Tensor qkv = apply(layer.qkv, x, context);
    q = rows(qkv.narrow(1, 0, q_width));
    k = qkv.narrow(1, q_width, kv_width);
    v = qkv.narrow(1, q_width + kv_width, kv_width);
  } else if (last.defined()) {
    q = apply(layer.q, rows(x), context);
    const auto both = apply_each({&layer.k, &layer.v}, x, context);
    k = both[0], v = both[1];
  } else {
    const auto all = apply_each({&layer.q, &layer.k, &layer.v}, x, context);
    q = all[0], k = all[1], v = all[2];
  }
  const bool whole = c.head_norm == HeadNorm::kWhole;
  if (whole) q = normalise(model, q, layer.q_norm), k = normalise(model, k, layer.k_norm);
  auto heads = [&](const Tensor& y, int64_t count) { return y.reshape({y.size(0), count, c.head_dim}); };
  Heads h{heads(q, c.num_attention_heads), heads(k, c.num_key_value_heads), heads(v, c.num_key_value_heads)};
  if (!whole) h.q = normalise(model, h.q, layer.q_norm), h.k = normalise(model, h.k, layer.k_norm);
  if (layer.config.rope < 0) return h;
  const RopeRows& rope = layer.config.rope == 1 ? context.local_rope : context.rope;
  h.q = ops::rope(h.q, rows(rope.cos), rows(rope.sin));
  h.k = ops::rope(h.k, rope.cos, rope.sin);
  return h;
}

// residual + attention(x); where `last` is wanted, of these rows only.
Tensor self_attention(const Model& model, size_t index, const Tensor& x, const Tensor& residual,
                      const Tensor& last, Context& context) {
  const Layer& layer = model.layers[index];
  const ModelConfig& c = model.config;
  const Heads heads = project(model, layer, x, context.cache ? last : Tensor(), context);
  const ops::AttentionOptions options{c.attention_scale, layer.config.window, c.attention_softcap,
                                      context.options.precision};
  Tensor mixed;  // [N, H, D]
  if (context.cache) {
    Tensor &keys = context.cache->keys[index], &values = context.cache->values[index];
    ops::append_to_cache(heads.k, heads.v, *context.segments, keys, values);
    mixed = ops::attention_cached(heads.q, keys, values,
                                  last.defined() ? context.last_segments : *context.segments, options);
  } else {
    mixed = ops::attention(heads.q, heads.k, heads.v, *context.sequences, options);
    if (last.defined()) mixed = mixed.index_select(0, last);
  }
  mixed = mixed.reshape({mixed.size(0), c.num_attention_heads * c.head_dim});
  return add_branch(model, last.defined() ? residual.index_select(0, last) : residual, layer.o, mixed,
                    layer.attention_out_norm, context);
}

// What goes into an mlp's down projection, [N, F].
Tensor gated(const ModelConfig& c, const Mlp& mlp, const Tensor& x, Context& context) {
  Tensor gate, up;
  if (mlp.gate_up.weight.defined()) {
    const Tensor both = apply(mlp.gate_up, x, context);
    gate = both.narrow(1, 0, both.size(1) / 2);
    up = both.narrow(1, both.size(1) / 2, both.size(1) / 2);
  } else {
    const auto both = apply_each({&mlp.gate, &mlp.up}, x, context);
    gate = both[0], up = both[1];
  }
  return c.activation == Activation::kSilu ? ops::swiglu(gate, up) : ops::geglu(gate, up);
}

// Each token goes to the experts its router likes best, [N, C] -> [N, C].
Tensor mix_experts(const ModelConfig& c, const Layer& layer, const Tensor& x, Context& context) {
  const Tensor scores =
      at::softmax(ops::linear(x, layer.router, {}, context.options.precision).to(at::kFloat), -1);  // [N, E]
  auto [weights, chosen] = at::topk(scores, c.experts_per_token, -1);                               // [N, K]
  if (c.normalize_experts) weights = weights / weights.sum(-1, true);
  Tensor y = at::zeros_like(x);
  for (size_t e = 0; e < layer.experts.size(); ++e) {
    const Tensor where = at::nonzero(chosen == static_cast<int64_t>(e));  // [n, 2]: token, place
    if (where.size(0) == 0) continue;
    const Tensor tokens = where.select(1, 0);
    const Mlp& mlp = layer.experts[e];
    const Tensor out = apply(mlp.down, gated(c, mlp, x.index_select(0, tokens), context), context);
    const Tensor weight = weights.index({tokens, where.select(1, 1)}).unsqueeze(1).to(x.scalar_type());
    y = y.index_add(0, tokens, out * weight);
  }
  return y;
}

Tensor with_noise(const Tensor& x, const std::vector<int64_t>& lengths, const EmbeddingNoise& noise) {
  Tensor values = at::empty(x.sizes(), at::kFloat);  // [N, C]
  Random random(noise.key, "neftune");
  float* value = values.data_ptr<float>();
  for (const int64_t length : lengths) {
    const int64_t count = length * x.size(1);
    const double bound = noise.alpha / std::sqrt(static_cast<double>(count));
    for (float* end = value + count; value != end; ++value)
      *value = static_cast<float>((2 * random.uniform() - 1) * bound);
  }
  return x + values.to(x.device(), x.scalar_type());
}

// What LoRA makes of rows x of the embedding, [n, C].
Tensor adapted_embedding(const LoraPair& lora, const Tensor& ids, const Tensor& x) {
  const Tensor low = at::embedding(lora.a.t(), ids);             // [n, r]
  const Tensor sum = x + ops::linear(low, lora.b) * lora.scale;  // f32 also over bf16
  return (lora.magnitude.defined() ? sum * dora_factor(lora) : sum).to(x.scalar_type());
}

Tensor embed(const Model& model, const Tensor& ids, const Context& context) {
  Tensor x = at::embedding(model.embed, ids).to(model.dtype);  // [N, C]
  for_each_update(context.spans, kEmbedLayer, [&](const LoraPair& lora, int64_t first, int64_t count) {
    const Tensor own = adapted_embedding(lora, ids.narrow(0, first, count), x.narrow(0, first, count));
    if (context.spans.size() == 1)
      x = own;
    else
      x.narrow(0, first, count).copy_(own);
  });
  // Transformers rounds the factor to the weights' type.
  if (const double scale = model.config.embedding_scale; scale != 1.0)
    x = x * at::scalar_tensor(scale, at::TensorOptions().dtype(x.scalar_type()).device(x.device()));
  return context.options.noise.alpha > 0 ? with_noise(x, context.sequences->lengths, context.options.noise)
                                         : x;
}

Tensor run_layer(const Model& model, size_t index, const Tensor& x, Context& context) {
  const Layer& layer = model.layers[index];
  const Tensor last = index + 1 == model.layers.size() ? context.last_rows : Tensor();
  const Tensor y = self_attention(model, index, normalise(model, x, layer.attention_norm), x, last, context);
  const Tensor h = normalise(model, y, layer.mlp_norm);
  if (layer.config.experts)
    return y + normalise(model, mix_experts(model.config, layer, h, context), layer.mlp_out_norm);
  return add_branch(model, y, layer.mlp.down, gated(model.config, layer.mlp, h, context), layer.mlp_out_norm,
                    context);
}

// What layers need when they run again, behind the forward pass that is over by then.
struct Again {
  Model model;
  ops::Sequences sequences;
  Context context;
};

Tensor run_layers_again(const Model& model, Tensor x, Context& context) {
  const auto again = std::make_shared<Again>(Again{model, *context.sequences, context});
  again->context.sequences = &again->sequences;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const uint64_t first_index = again->context.linear_index;
    x = ops::recomputed(x, [again, i, first_index](const Tensor& input) {
      again->context.linear_index = first_index;
      return run_layer(again->model, i, input, again->context);
    });
  }
  return x;
}

Tensor run_layers(const Model& model, const Tensor& ids, Context& context) {
  Tensor x = embed(model, ids, context);
  if (context.options.recompute && at::GradMode::is_enabled() && !context.cache)
    x = run_layers_again(model, x, context);
  else
    for (size_t i = 0; i < model.layers.size(); ++i) x = run_layer(model, i, x, context);
  return normalise(model, x, model.norm);
}

Tensor run(const Model& model, const Tensor& ids, Context& context) {
  context.options.precision = precision_of(model, context.options);
  const Adapter* whole = context.spans.size() == 1 ? context.spans[0].adapter : nullptr;
  if (!whole || whole->replaced.empty()) return run_layers(model, ids, context);
  return run_layers(with_replaced(model, *whole), ids, context);
}

[[noreturn]] void fail_too_long(const Model& model, int64_t length) {
  fail_input("sequence of " + std::to_string(length) + " tokens",
             "is longer than the model's context of " + std::to_string(model.config.max_position_embeddings));
}

void look_up_positions(const Model& model, const std::vector<int64_t>& positions,
                       const std::vector<int64_t>& lengths, Context& context) {
  context.rope = rope_rows(model.rope, positions, lengths);
  for (const LayerConfig& layer : model.config.layers)
    if (layer.rope == 1) {
      context.local_rope = rope_rows(model.local_rope, positions, lengths);
      return;
    }
}
}  // namespace

ops::MatmulPrecision precision_of(ModelView model, const ForwardOptions& options) {
  return options.precision == ops::MatmulPrecision::kFull ? model->precision : options.precision;
}

bool can_share(const Model& model) { return model.rope.trained == 0 && model.local_rope.trained == 0; }

Tensor forward(ModelView view, const PackedTokens& tokens, const ForwardOptions& options,
               const Tensor& rows) {
  const Model& model = *view.weights;
  const ops::Sequences& sequences = tokens.sequences;
  if (sequences.shared > 0 && (options.noise.alpha > 0 || options.dropout.p > 0 || !can_share(model)))
    throw Error(ExitCode::kInternal, "sequences share a beginning that is not the same for all");
  std::vector<int64_t> positions, lengths;  // [N]
  const auto add = [&](int64_t begin, int64_t length) {
    if (length > model.config.max_position_embeddings) fail_too_long(model, length);
    for (int64_t t = begin; t < length; ++t) positions.push_back(t);
    lengths.resize(positions.size(), length);
  };
  add(0, sequences.shared);
  for (const int64_t length : sequences.lengths) add(sequences.shared, length);
  Context context;
  context.sequences = &sequences;
  context.options = options;
  context.spans = {{view.adapter, static_cast<int64_t>(positions.size())}};
  if (rows.defined()) {
    context.last_rows = rows;
    context.last_spans = {{view.adapter, rows.size(0)}};
  }
  look_up_positions(model, positions, lengths, context);
  return run(model, tokens.ids, context);
}

Tensor forward_cached(ModelView view, const Tensor& ids, const std::vector<ops::CacheSegment>& segments,
                      KvCache& cache, bool last_only) {
  return forward_cached(*view.weights, {{view.adapter, static_cast<int64_t>(segments.size())}}, ids, segments,
                        cache, last_only);
}

Tensor forward_cached(const Model& model, const std::vector<AdapterSpan>& spans, const Tensor& ids,
                      const std::vector<ops::CacheSegment>& segments, KvCache& cache, bool last_only) {
  at::NoGradGuard no_grad;
  std::vector<int64_t> positions, lengths, last;
  Context context;
  auto segment = segments.begin();
  for (const AdapterSpan& span : spans) {
    context.spans.push_back({span.adapter, 0});
    context.last_spans.push_back({span.adapter, span.segments});
    for (const auto end = segment + span.segments; segment != end; ++segment) {
      const ops::CacheSegment& s = *segment;
      if (s.kv_len > model.config.max_position_embeddings) fail_too_long(model, s.kv_len);
      for (int64_t t = s.kv_len - s.q_len; t < s.kv_len; ++t) positions.push_back(t);
      lengths.insert(lengths.end(), static_cast<size_t>(s.q_len), s.kv_len);
      last.push_back(static_cast<int64_t>(positions.size()) - 1);
      context.last_segments.push_back({1, s.slot, s.kv_len});
      context.spans.back().rows += s.q_len;
    }
  }
  context.segments = &segments;
  context.cache = &cache;
  if (last_only && last.size() < positions.size())
    context.last_rows = at::tensor(at::ArrayRef<int64_t>(last), at::kLong).to(model.device);
  look_up_positions(model, positions, lengths, context);
  return run(model, ids, context);
}

namespace {
const Tensor& head_weight(ModelView model) {
  return model.adapter ? model.adapter->replacement("lm_head.weight", model->lm_head) : model->lm_head;
}

const LoraPair* head_update(ModelView model) {
  return model.adapter ? model.adapter->find(kHeadLayer) : nullptr;
}
}  // namespace

Tensor logits(ModelView model, const Tensor& hidden) {
  return logits(*model.weights, {{model.adapter, hidden.size(0)}}, hidden);
}

Tensor logits(const Model& model, const std::vector<AdapterSpan>& spans, const Tensor& hidden) {
  const ModelView view(model, spans.size() == 1 ? spans[0].adapter : nullptr);
  const LinearLayer head{kHeadLayer, head_weight(view), {}};
  Tensor y = ops::linear(hidden, head.weight, {}, model.precision);
  std::vector<RowSpan> rows;
  for (const AdapterSpan& span : spans) rows.push_back({span.adapter, span.segments});
  for_each_update(rows, kHeadLayer, [&](const LoraPair& lora, int64_t first, int64_t count) {
    const Tensor x = hidden.narrow(0, first, count), own = y.narrow(0, first, count);
    const Tensor updated = adapted(own, head, lora, x, x, model.precision);
    if (rows.size() == 1)
      y = updated;  // with its gradient
    else
      own.copy_(updated);
  });
  return ops::softcap(y, model.config.final_softcap);
}

// W h + s B A h' is [W, s B] [h; A h'], h' being h with dropout; with DoRA's factor f it is
// [W, (f - 1) W, f s B] [h; h'; A h'], without dropout f [W, s B] [h; A h].
ops::Head head_of(ModelView model, const Tensor& hidden, const ForwardOptions& options) {
  const double cap = model->config.final_softcap;
  const LoraPair* lora = head_update(model);
  if (!lora) return {hidden, head_weight(model), cap};
  const Tensor& own = head_weight(model);
  const Tensor weight = model->dtype == at::kFloat ? ops::widened(own) : own.to(model->dtype);
  const Tensor seen = dropped(hidden, options.dropout, ~uint64_t{0});
  auto low = [&](const Tensor& h, const Tensor& a) {  // [n, r]
    return ops::linear(h.to(a.scalar_type()), a).to(h.scalar_type());
  };
  auto wide = [&](const Tensor& b) { return (b * lora->scale).to(weight.scalar_type()); };  // [V, r]
  if (!lora->magnitude.defined()) {
    std::vector<Tensor> rows{hidden, low(seen, lora->a)}, columns{weight, wide(lora->b)};
    if (lora->a0.defined()) {
      rows.push_back(low(hidden, lora->a0));
      columns.push_back(wide(-lora->b0));
    }
    return {at::cat(rows, 1), at::cat(columns, 1), cap};
  }
  const Tensor factor = dora_factor(*lora).unsqueeze(1).to(weight.scalar_type());  // [V, 1]
  if (seen.is_same(hidden))
    return {at::cat({hidden, low(seen, lora->a)}, 1), factor * at::cat({weight, wide(lora->b)}, 1), cap};
  return {at::cat({hidden, seen, low(seen, lora->a)}, 1),
          at::cat({weight, (factor - 1) * weight, factor * wide(lora->b)}, 1), cap};
}

}  // namespace sdft
