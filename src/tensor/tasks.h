// Work in pieces, taken by whichever thread is free: pieces need not cost the same, and a thread whose core
// is wanted by another process takes fewer of them. For src/tensor/ only.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "tensor/torch_compat.h"

namespace sdft::ops {

// work(piece) once for each of `count` pieces, on at most `threads` of the threads there are. Each thread has
// pieces that follow one another, so that what it asks memory for ahead is its own; who has done all of them
// helps the others.
template <typename Work>
void for_each_piece(int64_t count, int64_t threads, const Work& work) {
  constexpr int64_t kMost = 64;
  struct alignas(64) Share {
    std::atomic<int64_t> next;
    int64_t end;
  };
  const int64_t useful =
      std::max<int64_t>(1, std::min({count, threads, static_cast<int64_t>(at::get_num_threads())}));
  const int64_t shares = std::min(useful, kMost);
  Share all[kMost];
  for (int64_t i = 0; i < shares; ++i) {
    all[i].next.store(i * count / shares, std::memory_order_relaxed);
    all[i].end = (i + 1) * count / shares;
  }
  at::parallel_for(0, useful, 1, [&](int64_t own, int64_t) {
    for (int64_t i = 0; i < shares; ++i) {
      Share& share = all[(own + i) % shares];
      for (int64_t piece; (piece = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;)
        work(piece);
    }
  });
}

// work(matrix, begin, end) for the columns [0, counts[matrix]) of products of `rows` by k numbers each, in
// pieces of whole `block`s, several for each thread. A thread has so many products to do, or so many weights
// to read.
template <typename Work>
void for_columns(const std::vector<int64_t>& counts, int64_t block, int64_t rows, int64_t k,
                 const Work& work) {
  constexpr int64_t kPieces = 4, kProducts = 1 << 20, kWeights = 1 << 17;
  int64_t all = 0, blocks = 0;
  for (const int64_t count : counts) {
    all += count;
    blocks += (count + block - 1) / block;
  }
  const int64_t useful = std::max(rows * k * all / kProducts, k * all / kWeights);
  const int64_t threads = std::clamp<int64_t>(useful, 1, at::get_num_threads());
  const int64_t pieces = threads == 1 ? 1 : threads * kPieces;
  const int64_t wide = std::max<int64_t>(1, (blocks + pieces - 1) / pieces);
  for_each_piece((blocks + wide - 1) / wide, threads, [&](int64_t piece) {
    int64_t begin = piece * wide * block, end = begin + wide * block;  // columns if all were one matrix
    for (size_t i = 0; i < counts.size() && end > 0; ++i) {
      if (begin < counts[i]) work(i, std::max<int64_t>(0, begin), std::min(counts[i], end));
      const int64_t filled_up = (counts[i] + block - 1) / block * block;
      begin -= filled_up, end -= filled_up;
    }
  });
}

}  // namespace sdft::ops
