// A key/value cache that grows with its sequences, so that memory follows need and not the model's context.
#pragma once

#include <cstdint>

#include "model/model.h"

namespace sdft {

struct GrowingCache {
  KvCache kv;
  int64_t rows = 0;      // sequences
  int64_t capacity = 0;  // tokens of each
};

// Bytes that one token of one sequence takes.
int64_t cache_bytes_per_token(const Model& model);
// Room for at least so many rows and tokens in each; what is there stays. Tokens grow by steps, up to the
// model's context.
void reserve(const Model& model, GrowingCache& cache, int64_t rows, int64_t tokens);
// The first `tokens` of row `from` become those of row `to`.
void copy_prefix(GrowingCache& cache, int64_t from, int64_t to, int64_t tokens);

}  // namespace sdft
