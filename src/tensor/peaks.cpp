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

double read_bytes(const PeakLoops& loops, int64_t threads) {
  constexpr int64_t kLeast = int64_t{256} << 20, kMost = int64_t{2} << 30, kPiece = int64_t{1} << 20;
  // Four times the last cache, where the system knows its size.
  const int64_t pieces = std::clamp<int64_t>(4 * ::sysconf(_SC_LEVEL3_CACHE_SIZE), kLeast, kMost) / kPiece;
  constexpr int64_t kNumbers = kPiece / static_cast<int64_t>(sizeof(float));
  Tensor memory = zeros_in_huge_pages({pieces * kNumbers}, at::kFloat);
  memory.fill_(1.0f);  // pages that were never written to are all the same one
  const float* x = memory.data_ptr<float>();
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    std::atomic<bool> right{true};
    const double seconds = seconds_of([&] {
      ops::for_each_piece(pieces, threads, [&](int64_t piece) {
        if (loops.read(x + piece * kNumbers, kNumbers) != static_cast<float>(kNumbers)) right = false;
      });
    });
    if (right) best = std::max(best, static_cast<double>(pieces * kPiece) / seconds);
  }
  return best;
}
}  // namespace

MachinePeaks measure_peaks() {
  MachinePeaks peaks{};
  for (const Tier tier : all_tiers())
    if (kernels_of(tier)) peaks.tier = tier;
  const PeakLoops& loops = kernels_of(peaks.tier)->peaks;
  peaks.threads = at::get_num_threads();
  peaks.one_thread = arithmetic(loops, 1);
  peaks.all_threads = arithmetic(loops, peaks.threads);
  peaks.read_bytes = read_bytes(loops, peaks.threads);
  return peaks;
}

}  // namespace sdft
