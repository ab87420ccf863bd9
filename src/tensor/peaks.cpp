#include "tensor/peaks.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "tensor/cpu/kernels.h"
#include "tensor/memory.h"
#include "tensor/tasks.h"

namespace sdft {
namespace {
constexpr int kTries = 5;

template <typename Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// 0 where there is no such loop.
double peak_of(int64_t (*loop)(int64_t), int64_t threads) {
  constexpr double kLongEnough = 0.01;
  if (!loop) return 0;
  int64_t rounds = 1024;
  while (seconds_of([&] { loop(rounds); }) < kLongEnough) rounds *= 2;
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    std::atomic<int64_t> done{0};
    const double seconds = seconds_of(
        [&] { ops::for_each_piece(threads * 4, threads, [&](int64_t) { done += loop(rounds); }); });
    best = std::max(best, static_cast<double>(done) / seconds);
  }
  return best;
}

ArithmeticPeaks arithmetic(const PeakLoops& loops, int64_t threads) {
  return {peak_of(loops.f32, threads), peak_of(loops.bf16, threads), peak_of(loops.int8, threads)};
}

constexpr int64_t kPiece = int64_t{1} << 20;

// Four times the last cache, where the system knows its size.
int64_t beyond_caches() {
  constexpr int64_t kLeast = int64_t{256} << 20, kMost = int64_t{2} << 30;
  return std::clamp<int64_t>(4 * ::sysconf(_SC_LEVEL3_CACHE_SIZE), kLeast, kMost);
}

double read_bytes(const PeakLoops& loops, int64_t threads, const std::vector<MemorySpan>& memory) {
  std::vector<MemorySpan> pieces;
  int64_t bytes = 0;
  for (const MemorySpan& span : memory)
    for (int64_t at = 0; at < span.bytes; at += kPiece) {
      pieces.push_back(
          {static_cast<const char*>(span.begin) + at, std::min(kPiece, span.bytes - at) / 64 * 64});
      bytes += pieces.back().bytes;
    }
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    std::atomic<uint32_t> sum{0};  // else nothing would be read
    const double seconds = seconds_of([&] {
      ops::for_each_piece(static_cast<int64_t>(pieces.size()), threads, [&](int64_t at) {
        const MemorySpan& piece = pieces[static_cast<size_t>(at)];
        sum += loops.read(static_cast<const uint32_t*>(piece.begin), piece.bytes / 4);
      });
    });
    best = std::max(best, static_cast<double>(bytes) / seconds);
  }
  return best;
}
}  // namespace

MachinePeaks measure_peaks(const std::vector<MemorySpan>& memory) {
  MachinePeaks peaks{};
  for (const Tier tier : all_tiers())
    if (kernels_of(tier)) peaks.tier = tier;
  const PeakLoops& loops = kernels_of(peaks.tier)->peaks;
  peaks.threads = at::get_num_threads();
  peaks.one_thread = arithmetic(loops, 1);
  peaks.all_threads = arithmetic(loops, peaks.threads);
  int64_t given = 0;
  for (const MemorySpan& span : memory) given += span.bytes;
  if (given >= beyond_caches()) {
    peaks.read_bytes = read_bytes(loops, peaks.threads, memory);
    return peaks;
  }
  const Tensor own = zeros_in_huge_pages({beyond_caches()}, at::kByte);
  own.fill_(1);  // pages that were never written to are all the same one
  peaks.read_bytes = read_bytes(loops, peaks.threads, {{own.data_ptr(), beyond_caches()}});
  return peaks;
}

}  // namespace sdft
