#include "infer/cache.h"

#include <algorithm>

namespace sdft {

int64_t cache_bytes_per_token(const Model& model) {
  const ModelConfig& c = model.config;
  return 2 * c.num_hidden_layers * c.num_key_value_heads * c.head_dim *
         static_cast<int64_t>(at::elementSize(cache_type(model)));
}

void reserve(const Model& model, GrowingCache& cache, int64_t rows, int64_t tokens) {
  if (tokens <= cache.capacity && rows <= cache.rows) return;
  constexpr int64_t kStep = 64;
  int64_t wanted = cache.capacity;
  if (tokens > cache.capacity) {
    wanted = std::max(tokens, cache.capacity + cache.capacity / 4);
    wanted = std::max(tokens,
                      std::min((wanted + kStep - 1) / kStep * kStep, model.config.max_position_embeddings));
  }
  rows = std::max(rows, cache.rows);
  if (cache.kv.keys.empty()) {
    cache.kv = make_cache(model, rows, wanted);
  } else {
    // One tensor after the other, so that never more than one is there twice.
    for (auto* part : {&cache.kv.keys, &cache.kv.values})
      for (Tensor& old : *part) {
        Tensor grown = cache_part(model, rows, wanted);
        grown.narrow(0, 0, cache.rows).narrow(2, 0, cache.capacity).copy_(old);
        old = grown;
      }
  }
  cache.rows = rows;
  cache.capacity = wanted;
}

void copy_prefix(GrowingCache& cache, int64_t from, int64_t to, int64_t tokens) {
  for (auto* part : {&cache.kv.keys, &cache.kv.values})
    for (Tensor& layer : *part)
      layer[to].narrow(1, 0, tokens).copy_(layer[from].narrow(1, 0, tokens));  // [Hkv, tokens, D]
}

}  // namespace sdft
