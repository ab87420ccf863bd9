// Causal attention of sequences that lie one after another, and of their newest tokens against a cache.
#include <functional>

#include "tensor/bf16.h"
#include "tensor/operations.h"
#include "tensor/tasks.h"

namespace sdft::ops {

namespace {
AttentionShape shape_of(const Tensor& q, int64_t kv_heads, int64_t token_stride, int64_t head_stride,
                        const AttentionOptions& options) {
  return {q.size(1),
          kv_heads,
          q.size(2),
          token_stride,
          head_stride,
          options.window,
          static_cast<float>(options.scale),
          static_cast<float>(options.softcap)};
}

// What attends: each sequence's own tokens and, where there are some, the shared ones among themselves.
struct Attending {
  int64_t q_len, kv_len;
};
std::vector<Attending> attending(const Sequences& sequences) {
  std::vector<Attending> all;
  if (sequences.shared > 0) all.push_back({sequences.shared, sequences.shared});
  for (const int64_t length : sequences.lengths) all.push_back({length - sequences.shared, length});
  return all;
}

// Keys or values with all that a sequence sees side by side: what is shared once for each.
Tensor spread_out(const Tensor& x, const Sequences& sequences) {
  if (sequences.shared == 0) return x;
  int64_t rows = 0;
  for (const Attending& a : attending(sequences)) rows += a.kv_len;
  Tensor y = at::empty({rows, x.size(1), x.size(2)}, x.options().requires_grad(false));
  int64_t from = 0, to = 0;
  for (const Attending& a : attending(sequences)) {
    const int64_t before = a.kv_len - a.q_len;
    if (before > 0) y.narrow(0, to, before).copy_(x.narrow(0, 0, before));
    y.narrow(0, to + before, a.q_len).copy_(x.narrow(0, from, a.q_len));
    from += a.q_len;
    to += a.kv_len;
  }
  return y;
}

// The gradient of x from that of spread_out(x).
Tensor gathered(const Tensor& dy, const Sequences& sequences, int64_t rows) {
  if (sequences.shared == 0) return dy;
  Tensor dx = at::empty({rows, dy.size(1), dy.size(2)}, dy.options());
  int64_t from = 0, to = 0;
  for (const Attending& a : attending(sequences)) {
    const int64_t before = a.kv_len - a.q_len;
    dx.narrow(0, to, a.q_len).copy_(dy.narrow(0, from + before, a.q_len));
    if (before > 0) dx.narrow(0, 0, before).add_(dy.narrow(0, from, before));
    from += a.kv_len;
    to += a.q_len;
  }
  return dx;
}

// Segments over k and v [.., Hkv, D] that are spread out.
std::vector<AttentionSegment> packed_segments(const Tensor& k, const Tensor& v, const Sequences& sequences) {
  std::vector<AttentionSegment> segments;
  const int64_t stride = k.size(1) * k.size(2) * static_cast<int64_t>(k.element_size());
  const char *keys = static_cast<const char*>(k.data_ptr()), *values = static_cast<const char*>(v.data_ptr());
  int64_t row = 0;
  for (const Attending& a : attending(sequences)) {
    segments.push_back({row, a.q_len, keys, values, a.kv_len});
    row += a.q_len;
    keys += a.kv_len * stride;
    values += a.kv_len * stride;
  }
  return segments;
}

// The costliest first, so that no thread is left with one of them at the end.
void for_each_head(std::vector<AttentionSegment> segments, const AttentionShape& shape,
                   const std::function<void(const AttentionSegment&, int64_t)>& work) {
  std::stable_sort(segments.begin(), segments.end(),
                   [](const AttentionSegment& a, const AttentionSegment& b) {
                     return a.q_len * a.kv_len > b.q_len * b.kv_len;
                   });
  for (size_t i = 0; i + 1 < segments.size(); ++i) segments[i].next_k = segments[i + 1].k;
  int64_t products = 0;  // about
  for (const AttentionSegment& s : segments) products += s.q_len * s.kv_len * shape.heads * shape.head_dim;
  // A thread more costs about as much as this many products.
  const int64_t threads = std::max<int64_t>(1, products / 60000);
  for_each_piece(static_cast<int64_t>(segments.size()) * shape.kv_heads, threads, [&](int64_t piece) {
    work(segments[static_cast<size_t>(piece / shape.kv_heads)], piece % shape.kv_heads);
  });
}

bool is_bf16(const Tensor& x) { return x.scalar_type() == at::kBFloat16; }

const Bf16Attention& bf16_attention() {
  const bool fast = kernels().attention_bf16.forward && bf16_is_fast(chosen_tier());
  return fast ? kernels().attention_bf16 : kernels().attention_bf16_wide;
}

// k and v, spread out, may be bf16.
Tensor forward_packed(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& sequences,
                      const AttentionOptions& options, Tensor* lse) {
  Tensor out = at::empty_like(q);
  if (lse) *lse = at::empty({q.size(0), q.size(1)}, q.options());
  AttentionShape shape = shape_of(q, k.size(1), k.size(1) * k.size(2), k.size(2), options);
  const auto kernel = is_bf16(k) ? bf16_attention().forward : kernels().attention;
  for_each_head(packed_segments(k, v, sequences), shape, [&](const AttentionSegment& segment, int64_t head) {
    kernel(shape, segment, head, q.data_ptr<float>(), out.data_ptr<float>(),
           lse ? lse->data_ptr<float>() : nullptr);
  });
  return out;
}

// Keys or values as the kernels read them.
Tensor as_factor(const Tensor& x, const Sequences& sequences, const AttentionOptions& options) {
  return spread_out(options.precision == MatmulPrecision::kBf16 ? rounded_bf16(x) : x, sequences);
}

struct Attention : Function<Attention> {
  static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& all_k, const Tensor& all_v,
                        const Sequences& sequences, const AttentionOptions& options) {
    Tensor lse;
    const Tensor k = as_factor(all_k, sequences, options), v = as_factor(all_v, sequences, options);
    Tensor out = forward_packed(q, k, v, sequences, options, &lse);
    ctx->save_for_backward({q, k, v, out, lse});
    ctx->saved_data["lengths"] = sequences.lengths;
    ctx->saved_data["shared"] = sequences.shared;
    ctx->saved_data["scale"] = options.scale;
    ctx->saved_data["window"] = options.window;
    ctx->saved_data["softcap"] = options.softcap;
    return out;
  }
  static Grads backward(AutogradContext* ctx, Grads grads) {
    auto saved = ctx->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
    Tensor dout = grads[0].contiguous();
    Tensor dq = at::empty_like(q), dk = at::zeros(k.sizes(), q.options()),
           dv = at::zeros(v.sizes(), q.options());
    const Sequences sequences(ctx->saved_data["lengths"].toIntVector(), ctx->saved_data["shared"].toInt());
    auto segments = packed_segments(k, v, sequences);
    int64_t row = 0;
    for (auto& segment : segments) {
      segment.dk = dk.data_ptr<float>() + row * k.size(1) * k.size(2);
      segment.dv = dv.data_ptr<float>() + row * k.size(1) * k.size(2);
      row += segment.kv_len;
    }
    AttentionOptions options{ctx->saved_data["scale"].toDouble(), ctx->saved_data["window"].toInt(),
                             ctx->saved_data["softcap"].toDouble()};
    AttentionShape shape = shape_of(q, k.size(1), k.size(1) * k.size(2), k.size(2), options);
    const auto kernel = is_bf16(k) ? bf16_attention().backward : kernels().attention_backward;
    for_each_head(segments, shape, [&](const AttentionSegment& segment, int64_t head) {
      kernel(shape, segment, head, q.data_ptr<float>(), out.data_ptr<float>(), lse.data_ptr<float>(),
             dout.data_ptr<float>(), dq.data_ptr<float>());
    });
    return {dq, gathered(dk, sequences, q.size(0)), gathered(dv, sequences, q.size(0)), Tensor(), Tensor()};
  }
};

// A product's factor for ATen: beside numbers in bf16 of that type or, on a CPU, which would round the result
// too, of its numbers.
Tensor aten_factor(const Tensor& x, MatmulPrecision precision) {
  if (precision == MatmulPrecision::kFull) return x;
  return x.to(at::kBFloat16).to(x.is_cpu() ? x.scalar_type() : at::kBFloat16);
}

// One sequence by ATen operations: q [Tq, H, D], k and v [Hkv, Tk, D] -> [Tq, H, D].
Tensor attend(const Tensor& all_q, const Tensor& all_k, const Tensor& all_v,
              const AttentionOptions& options) {
  const Tensor q = aten_factor(all_q, options.precision), k = aten_factor(all_k, options.precision),
               v = aten_factor(all_v, options.precision);
  const int64_t tq = q.size(0), tk = k.size(1), group = q.size(1) / k.size(0);
  Tensor keys = k.repeat_interleave(group, 0), values = v.repeat_interleave(group, 0);  // [H, Tk, D]
  Tensor scores = at::matmul(q.transpose(0, 1), keys.transpose(1, 2)) * options.scale;  // [H, Tq, Tk]
  Tensor query = at::arange(tk - tq, tk, q.options().dtype(at::kLong)).unsqueeze(1);
  Tensor key = at::arange(tk, q.options().dtype(at::kLong)).unsqueeze(0);
  Tensor hidden = key > query;
  if (options.window > 0) hidden = hidden.logical_or(key <= query - options.window);
  scores = softcap(scores, options.softcap).to(at::kFloat).masked_fill(hidden, -INFINITY);
  const Tensor weights = aten_factor(at::softmax(scores, -1), options.precision).to(q.scalar_type());
  return at::matmul(weights, values).transpose(0, 1).to(all_q.scalar_type());
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& sequences,
                 const AttentionOptions& options) {
  return find(kAttention, q)(q, k, v, sequences, options);
}

Tensor attention_kernels(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& sequences,
                         const AttentionOptions& options) {
  const Tensor qc = q.contiguous(), kc = k.contiguous(), vc = v.contiguous();
  if (wants_gradient({q, k, v})) return Attention::apply(qc, kc, vc, sequences, options);
  return forward_packed(qc, as_factor(kc, sequences, options), as_factor(vc, sequences, options), sequences,
                        options, nullptr);
}

Tensor attention_aten(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& sequences,
                      const AttentionOptions& options) {
  std::vector<Tensor> rows;
  int64_t begin = 0;
  for (const Attending& a : attending(sequences)) {
    const int64_t before = a.kv_len - a.q_len;
    auto seen = [&](const Tensor& x) {  // [Hkv, kv_len, D]
      const Tensor own = x.narrow(0, begin, a.q_len);
      return (before > 0 ? at::cat({x.narrow(0, 0, before), own}, 0) : own).transpose(0, 1);
    };
    rows.push_back(attend(q.narrow(0, begin, a.q_len), seen(k), seen(v), options));
    begin += a.q_len;
  }
  return at::cat(rows, 0);
}

// --- against a cache

namespace {
Tensor long_tensor(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(at::ArrayRef<int64_t>(values), at::kLong).to(device);
}

// One new token for each of `count` segments, by ATen operations over all of them at once: q [count, H, D].
Tensor attend_newest(const Tensor& q, const Tensor& keys, const Tensor& values, const CacheSegment* segments,
                     int64_t count, const AttentionOptions& options) {
  std::vector<int64_t> slots, lengths;
  int64_t longest = 0;
  bool together = true;  // rows of the cache that lie side by side need not be gathered
  for (const CacheSegment* s = segments; s != segments + count; ++s) {
    together &= slots.empty() || s->slot == slots.back() + 1;
    slots.push_back(s->slot);
    lengths.push_back(s->kv_len);
    longest = std::max(longest, s->kv_len);
  }
  const Tensor index = together ? Tensor() : long_tensor(slots, q.device());
  auto rows = [&](const Tensor& x) {  // [count, Hkv, T, D]
    const Tensor y = x.narrow(2, 0, longest);
    return together ? y.narrow(0, slots[0], count) : y.index_select(0, index);
  };
  const int64_t kv_heads = keys.size(1), width = q.size(2);
  const Tensor query =
      aten_factor(q, options.precision).reshape({count, kv_heads, q.size(1) / kv_heads, width});
  Tensor scores = at::matmul(query, rows(keys).transpose(2, 3)) * options.scale;
  scores = softcap(scores, options.softcap).to(at::kFloat);
  const Tensor key = at::arange(longest, q.options().dtype(at::kLong)),
               length = long_tensor(lengths, q.device());
  Tensor hidden = key >= length.unsqueeze(1);
  if (options.window > 0) hidden = hidden.logical_or(key < length.unsqueeze(1) - options.window);
  scores = scores.masked_fill(hidden.view({count, 1, 1, longest}), -INFINITY);
  const Tensor weights = aten_factor(at::softmax(scores, -1), options.precision).to(query.scalar_type());
  return at::matmul(weights, rows(values)).reshape({count, q.size(1), width}).to(q.scalar_type());
}
}  // namespace

Tensor attention_cached(const Tensor& q, const Tensor& keys, const Tensor& values,
                        const std::vector<CacheSegment>& segments, const AttentionOptions& options) {
  return find(kAttentionCached, q)(q, keys, values, segments, options);
}

Tensor attention_cached_aten(const Tensor& q, const Tensor& all_keys, const Tensor& all_values,
                             const std::vector<CacheSegment>& segments, const AttentionOptions& given) {
  AttentionOptions options = given;
  const bool rounds = is_bf16(all_keys) && q.scalar_type() == at::kFloat;
  options.precision = rounds ? MatmulPrecision::kBf16 : MatmulPrecision::kFull;
  const at::ScalarType type = rounds && !q.is_cpu() ? at::kBFloat16 : q.scalar_type();
  const Tensor keys = all_keys.to(type), values = all_values.to(type);
  std::vector<Tensor> rows;
  int64_t begin = 0;
  for (size_t i = 0; i < segments.size();) {
    size_t end = i;
    while (end < segments.size() && segments[end].q_len == 1) ++end;
    if (const auto count = static_cast<int64_t>(end - i)) {
      rows.push_back(attend_newest(q.narrow(0, begin, count), keys, values, &segments[i], count, options));
      begin += count;
      i = end;
      continue;
    }
    const CacheSegment& s = segments[i++];
    rows.push_back(attend(q.narrow(0, begin, s.q_len), keys[s.slot].narrow(1, 0, s.kv_len),
                          values[s.slot].narrow(1, 0, s.kv_len), options));
    begin += s.q_len;
  }
  return at::cat(rows, 0);
}

Tensor attention_cached_kernels(const Tensor& q, const Tensor& keys, const Tensor& values,
                                const std::vector<CacheSegment>& segments, const AttentionOptions& options) {
  std::vector<AttentionSegment> work;
  int64_t begin = 0;
  for (const CacheSegment& s : segments) {
    const int64_t offset = s.slot * keys.stride(0) * static_cast<int64_t>(keys.element_size());
    work.push_back({begin, s.q_len, static_cast<const char*>(keys.data_ptr()) + offset,
                    static_cast<const char*>(values.data_ptr()) + offset, s.kv_len});
    begin += s.q_len;
  }
  Tensor query = q.contiguous(), out = at::empty_like(query);
  AttentionShape shape = shape_of(q, keys.size(1), keys.stride(2), keys.stride(1), options);
  const auto kernel = is_bf16(keys) ? bf16_attention().forward : kernels().attention;
  for_each_head(work, shape, [&](const AttentionSegment& segment, int64_t head) {
    kernel(shape, segment, head, query.data_ptr<float>(), out.data_ptr<float>(), nullptr);
  });
  return out;
}

void append_to_cache(const Tensor& k, const Tensor& v, const std::vector<CacheSegment>& segments,
                     Tensor& keys, Tensor& values) {
  find(kAppendToCache, k)(k, v, segments, keys, values);
}

void append_to_cache_aten(const Tensor& k, const Tensor& v, const std::vector<CacheSegment>& segments,
                          Tensor& keys, Tensor& values) {
  std::vector<int64_t> slots, positions;
  for (const CacheSegment& s : segments)
    for (int64_t t = s.kv_len - s.q_len; t < s.kv_len; ++t) {
      slots.push_back(s.slot);
      positions.push_back(t);
    }
  const Tensor slot = long_tensor(slots, k.device()), position = long_tensor(positions, k.device());
  keys.transpose(1, 2).index_put_({slot, position}, k.to(keys.scalar_type()));
  values.transpose(1, 2).index_put_({slot, position}, v.to(values.scalar_type()));
}

void append_to_cache_kernels(const Tensor& k, const Tensor& v, const std::vector<CacheSegment>& segments,
                             Tensor& keys, Tensor& values) {
  const int64_t heads = keys.size(1), width = keys.size(3);
  const bool narrow = keys.scalar_type() == at::kBFloat16;
  std::vector<int64_t> first;  // row of each segment
  int64_t rows = 0;
  for (const CacheSegment& s : segments) {
    first.push_back(rows);
    rows += s.q_len;
  }
  // They may be parts of a fused projection.
  const Tensor from[] = {k.contiguous(), v.contiguous()};
  const Tensor* to[] = {&keys, &values};
  const auto append = [&](const CacheSegment& s, const float* row, const Tensor& cache) {
    for (int64_t t = s.kv_len - s.q_len; t < s.kv_len; ++t)
      for (int64_t h = 0; h < heads; ++h, row += width) {
        const int64_t place = s.slot * cache.stride(0) + h * cache.stride(1) + t * width;
        if (narrow)
          kernels().round_bf16(row, width, static_cast<uint16_t*>(cache.data_ptr()) + place);
        else
          std::copy_n(row, width, cache.data_ptr<float>() + place);
      }
  };
  // By several threads: the first token of a page waits until the system has made it.
  for_each_piece(static_cast<int64_t>(2 * segments.size()), rows * heads * width / 8192, [&](int64_t piece) {
    const auto s = static_cast<size_t>(piece / 2), part = static_cast<size_t>(piece % 2);
    append(segments[s], in(from[part]) + first[s] * heads * width, *to[part]);
  });
}

}  // namespace sdft::ops
