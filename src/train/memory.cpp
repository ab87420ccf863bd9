#include "train/memory.h"

#include <algorithm>
#include <tuple>

namespace sdft {
namespace {
constexpr int64_t kFloat = 4;

int64_t bytes_of(const Tensor& x) { return x.defined() ? x.numel() * kFloat : 0; }

// A tensor of a forward pass.
struct Value {
  size_t place;  // in ForwardShape::values_
  int64_t rows, width;
  bool grad;
};

// The forward pass of model.cpp, of shapes alone: which of its tensors are kept for gradients.
class ForwardShape {
 public:
  ForwardShape(const TrainingShape& shape, double dropout, const PassShape& pass)
      : model_(shape.model), adapter_(shape.adapter), dropout_(dropout), pass_(pass) {}

  // What embedding and layer keep; a layer's output is not yet kept by anybody. `wanted`: rows of it.
  Value embedding(int64_t rows) {
    const bool trained = full() || find(kEmbedLayer) || adapter_->replaced.count(kEmbedLayer + ".weight");
    if (const LoraPair* pair = find(kEmbedLayer)) extra_ += rows * pair->a.size(0) * kFloat;
    extra_ += rows * 8 + 2 * rows * model_.config.rotary_dim() / 2 * kFloat;  // ids, cosines and sines
    return made(rows, model_.config.hidden_size, trained);
  }
  Value layer(const Layer& layer, const Value& x, int64_t wanted) {
    const Value attended = attention(layer, x, wanted);
    const Value h = norm(attended, layer.mlp_norm);
    const Value out = layer.config.experts ? experts(layer, h) : mlp(layer.mlp, h);
    return sum(attended, norm(out, layer.mlp_out_norm));
  }
  Value norm(const Value& x, const Tensor& weight, int64_t heads = 1) {
    if (!weight.defined()) return x;
    const bool grad = x.grad || full();
    if (grad) keep(x), extra_ += x.rows * heads * kFloat;
    return made(x.rows, x.width, grad);
  }
  Value made(int64_t rows, int64_t width, bool grad) {
    values_.push_back({rows * width * kFloat, false});
    return {values_.size() - 1, rows, width, grad};
  }
  void keep(const Value& x) { values_[x.place].kept = true; }
  int64_t kept() const {
    int64_t sum = extra_;
    for (const Memory& value : values_) sum += value.kept ? value.bytes : 0;
    return sum;
  }

 private:
  struct Memory {
    int64_t bytes;
    bool kept;
  };
  const Model& model_;
  const Adapter* adapter_;
  const double dropout_;
  const PassShape pass_;
  std::vector<Memory> values_;
  int64_t extra_ = 0;

  bool full() const { return !adapter_; }
  const LoraPair* find(const std::string& layer) const { return adapter_ ? adapter_->find(layer) : nullptr; }
  Value sum(const Value& a, const Value& b) { return made(a.rows, a.width, a.grad || b.grad); }

  Value apply(const LinearLayer& linear, const Value& x) {
    const int64_t out = linear.weight.size(0);
    if (full()) keep(x);
    const LoraPair* pair = find(linear.name);
    if (!pair) return made(x.rows, out, x.grad || full());
    keep(dropout_ > 0 ? made(x.rows, x.width, x.grad) : x);
    extra_ += x.rows * pair->a.size(0) * kFloat;
    const Value y = made(x.rows, out, true);
    if (!pair->magnitude.defined()) return y;
    keep(y);
    return made(x.rows, out, true);
  }
  // Part of a fused projection, where it is used as a tensor of its own.
  Value part(const Value& x, int64_t width) { return made(x.rows, width, x.grad); }

  Value some(const Value& x, int64_t rows) { return rows == x.rows ? x : made(rows, x.width, x.grad); }

  Value attention(const Layer& layer, const Value& residual, int64_t wanted) {
    const ModelConfig& c = model_.config;
    const int64_t q_width = c.num_attention_heads * c.head_dim, kv_width = c.num_key_value_heads * c.head_dim;
    const Value x = norm(residual, layer.attention_norm);
    Value q = x, k = x, v = x;
    if (c.fused_qkv) {
      const Value qkv = apply(layer.qkv, x);
      q = part(qkv, q_width), k = part(qkv, kv_width), v = part(qkv, kv_width);
    } else {
      q = apply(layer.q, x), k = apply(layer.k, x), v = apply(layer.v, x);
    }
    const bool whole = c.head_norm == HeadNorm::kWhole;
    q = norm(q, layer.q_norm, whole ? 1 : c.num_attention_heads);
    k = norm(k, layer.k_norm, whole ? 1 : c.num_key_value_heads);
    if (layer.config.rope >= 0) q = part(q, q_width), k = part(k, kv_width);
    const Value mixed = made(x.rows, q_width, q.grad || k.grad || v.grad);
    if (mixed.grad) {
      if (pass_.seen > pass_.tokens)
        extra_ += 2 * pass_.seen * kv_width * kFloat;  // with what is shared before each sample
      else
        keep(k), keep(v);
      keep(q), keep(mixed);
      extra_ += x.rows * c.num_attention_heads * kFloat;
    }
    return sum(some(residual, wanted), norm(apply(layer.o, some(mixed, wanted)), layer.attention_out_norm));
  }

  Value mlp(const Mlp& mlp, const Value& x) {
    Value gate = x, up = x;
    if (mlp.gate_up.weight.defined()) {
      const Value both = apply(mlp.gate_up, x);
      gate = part(both, both.width / 2), up = part(both, both.width / 2);
    } else {
      gate = apply(mlp.gate, x), up = apply(mlp.up, x);
    }
    const Value product = made(x.rows, gate.width, gate.grad || up.grad);
    if (product.grad) {
      keep(gate), keep(up);
      if (model_.config.activation != Activation::kSilu) extra_ += x.rows * gate.width * kFloat;
    }
    return apply(mlp.down, product);
  }

  // As if every expert's rows lay one after another.
  Value experts(const Layer& layer, const Value& x) {
    const ModelConfig& c = model_.config;
    const int64_t chosen = x.rows * c.experts_per_token;
    if (full()) keep(x);
    const Value own = made(chosen, x.width, x.grad), out = mlp(layer.experts.front(), own);
    if (out.grad) {
      keep(out), keep(made(chosen, x.width, true));  // and weighed
      extra_ += x.rows * c.num_experts * 2 * kFloat + chosen * 6 * kFloat;
    }
    return made(x.rows, x.width, out.grad);
  }
};

// What a forward pass keeps while a gradient goes through one of its layers, with what comes back of that
// layer, and the rows that go through it.
struct Activations {
  int64_t kept, again, rows;
};

// The last layer and, where layers run again, the largest of the others, whose input is gone by then.
std::vector<Activations> activations(const TrainingShape& shape, const TrainOptions& options,
                                     const PassShape& pass, bool recompute) {
  const int64_t tokens = pass.tokens;
  const double dropout = shape.adapter ? options.lora.dropout : 0;
  ForwardShape all(shape, dropout, pass);
  Value x = all.embedding(tokens);
  int64_t largest = 0, of_last = 0;
  for (const Layer& layer : shape.model.layers) {
    const int64_t wanted = &layer == &shape.model.layers.back() ? pass.targets : tokens;
    if (!recompute) {
      x = all.layer(layer, x, wanted);
      continue;
    }
    ForwardShape alone(shape, dropout, pass);
    Value own = alone.embedding(tokens);
    own.grad = x.grad;
    const bool grad = alone.layer(layer, own, wanted).grad;
    if (grad) all.keep(x);
    const int64_t again = alone.kept() - tokens * x.width * kFloat;
    if (&layer == &shape.model.layers.back())
      of_last = again;
    else
      largest = std::max(largest, again);
    x = all.made(wanted, x.width, grad);
  }
  all.norm(x, shape.model.norm);
  if (!recompute) return {{all.kept(), 0, tokens}};
  return {{all.kept(), of_last, pass.targets}, {all.kept() - tokens * x.width * kFloat, largest, tokens}};
}

// A weight of less than 32 bits as products with it make it: in f32, or few bits in bf16 for gradients.
int64_t widened_bytes(const Model& model, const Tensor& weight) {
  if (weight.scalar_type() == at::kFloat) return 0;
  if (model.precision == ops::MatmulPrecision::kFull) return weight.numel() * 4;
  return weight.scalar_type() == at::kByte ? weight.numel() * 2 : 0;
}

struct Head {
  const Tensor& weight;
  int64_t width;  // of what it is multiplied with: C, and more with an update
  bool trained, update;
};

Head head_of(const TrainingShape& shape) {
  const Tensor& own =
      shape.adapter ? shape.adapter->replacement("lm_head.weight", shape.model.lm_head) : shape.model.lm_head;
  const LoraPair* pair = shape.adapter ? shape.adapter->find(kHeadLayer) : nullptr;
  int64_t width = own.size(1);
  if (pair) {
    width += pair->a.size(0);
    if (pair->magnitude.defined()) width += own.size(1);
    if (pair->a0.defined()) width += pair->a0.size(0);
  }
  return {own, width, !shape.adapter || !own.is_same(shape.model.lm_head), pair != nullptr};
}

// Logits and losses, beside all activations.
int64_t head_bytes(const TrainingShape& shape, const PassShape& pass, bool bf16) {
  const Head head = head_of(shape);
  const int64_t vocabulary = head.weight.size(0), whole = vocabulary * head.width * kFloat;
  const int64_t most = int64_t{1} << (shape.objective.of_rows ? 22 : 24);
  const int64_t rows = std::min(pass.targets, std::max<int64_t>(16, most / vocabulary));
  const bool capped = shape.model.config.final_softcap > 0;
  int64_t bytes = rows * vocabulary * kFloat * (shape.objective.of_rows ? 12 : capped ? 3 : 1);
  if (bf16) bytes += rows * vocabulary * 2;  // as products take them
  bytes += 2 * pass.targets * head.width * kFloat;
  if (head.update) return bytes + 2 * whole;  // the wide head and its gradient
  return bytes + widened_bytes(shape.model, head.weight) + (head.trained ? whole : 0);
}

// What the widest place of a layer needs on the way back.
int64_t backward_bytes(const TrainingShape& shape, int64_t rows) {
  const ModelConfig& c = shape.model.config;
  const int64_t mlp = c.num_experts > 0 ? c.expert_size : c.intermediate_size;
  int64_t weight = 0;
  for (const Layer& layer : shape.model.layers)
    for (const LinearLayer* linear : {&layer.qkv, &layer.o, &layer.mlp.gate_up, &layer.mlp.down})
      if (linear->weight.defined()) weight = std::max(weight, widened_bytes(shape.model, linear->weight));
  // A fused projection's parts come back one by one, each as wide as all.
  const int64_t fused = c.fused_qkv ? (c.num_attention_heads + 2 * c.num_key_value_heads) * c.head_dim : 0;
  const Head head = head_of(shape);
  const bool trained = head.trained || head.update;
  return rows * (3 * mlp + 2 * c.hidden_size + fused) * kFloat + weight +
         (trained ? 2 * head.weight.size(0) * head.width * kFloat : 0);
}

// Numbers that are trained, and the gradients of the vocabulary's matrices that come on top of them.
struct Trained {
  int64_t values = 0, own = 0, twice = 0;
};

Trained trained_values(const TrainingShape& shape) {
  Trained trained;
  if (shape.adapter) {
    for (const auto& [name, pair] : shape.adapter->pairs) {
      trained.values += bytes_of(pair.a) + bytes_of(pair.b) + bytes_of(pair.magnitude);
      trained.own += bytes_of(pair.a0) + bytes_of(pair.b0) + bytes_of(pair.magnitude);
    }
    for (const auto& [name, weight] : shape.adapter->replaced) trained.values += bytes_of(weight);
  } else {
    Model model = shape.model;  // shares the tensors
    for (const auto& [name, weight] : named_parameters(model)) trained.values += bytes_of(*weight);
    trained.twice = bytes_of(shape.model.embed);
  }
  return trained;
}

// The passes than which none is larger.
std::vector<PassShape> largest(std::vector<PassShape> passes) {
  std::sort(passes.begin(), passes.end(), [](const PassShape& a, const PassShape& b) {
    return std::tie(a.first, b.tokens) < std::tie(b.first, a.tokens);
  });
  std::vector<PassShape> kept;
  auto covers = [](const PassShape& a, const PassShape& b) {
    return a.tokens >= b.tokens && a.targets >= b.targets && a.first <= b.first && a.seen >= b.seen;
  };
  for (const PassShape& pass : passes)
    if (std::none_of(kept.begin(), kept.end(), [&](const PassShape& k) { return covers(k, pass); }))
      kept.push_back(pass);
  return kept;
}
}  // namespace

MemoryNeed foretold_memory(const TrainingShape& shape, const TrainOptions& options,
                           const std::vector<PassShape>& passes, bool recompute) {
  const Trained trained = trained_values(shape);
  const bool bf16 = options.bf16 || shape.model.precision == ops::MatmulPrecision::kBf16;
  const int64_t kept = 3 * trained.values + trained.own + shape.objective.copies * trained.values;
  // At a step's end gradients are whole and activations gone.
  MemoryNeed most{shape.weight_bytes, kept + trained.values, 0,
                  trained.twice + shape.objective.penalty * trained.values, shape.process_bytes};
  for (const PassShape& pass : largest(passes)) {
    const int64_t now = kept + (pass.first ? 0 : trained.values);
    const auto consider = [&](int64_t activations, int64_t passing) {
      const MemoryNeed need{shape.weight_bytes, now, activations, passing, shape.process_bytes};
      if (need.total() > most.total()) most = need;
    };
    const std::vector<Activations> all = activations(shape, options, pass, recompute);
    consider(all.front().kept, head_bytes(shape, pass, bf16));
    for (const Activations& held : all) consider(held.kept + held.again, backward_bytes(shape, held.rows));
  }
  return most;
}

}  // namespace sdft
