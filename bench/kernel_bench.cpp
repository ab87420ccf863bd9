// Time of each kernel at each tier, and of libtorch's products, on one thread: kernel_bench
// [--benchmark_filter=linear]. Numbers a second, for linear multiply-adds; tools/bench-kernels holds them
// against the peaks.
#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "tensor/cpu/kernels.h"
#include "tensor/memory.h"

namespace sdft {
namespace {

std::vector<float> random_numbers(int64_t count) {
  Random random(1);
  std::vector<float> x(static_cast<size_t>(count));
  for (float& value : x) value = static_cast<float>(random.normal());
  return x;
}

using Run = std::function<void(const Kernels&)>;

// `work` numbers are dealt with by one call, in the tiers that can.
void add(const std::string& name, int64_t work, const Run& run, bool (*can)(const Kernels&) = nullptr) {
  for (const Tier tier : all_tiers()) {
    const Kernels* k = kernels_of(tier);
    if (!k || (can && !can(*k))) continue;
    benchmark::RegisterBenchmark((name + "/" + name_of(tier)).c_str(), [=](benchmark::State& state) {
      for (auto _ : state) {
        run(*k);
        benchmark::ClobberMemory();
      }
      state.SetItemsProcessed(state.iterations() * work);
    });
  }
}

std::string size_of(int64_t rows, int64_t k, int64_t columns) {
  return " " + std::to_string(rows) + "x" + std::to_string(k) + "x" + std::to_string(columns);
}

// What the processor can do at most.
void add_peaks() {
  for (const auto& [name, loop] : {std::pair{"peak_f32", &PeakLoops::f32},
                                   {"peak_bf16", &PeakLoops::bf16},
                                   {"peak_int8", &PeakLoops::int8}})
    for (const Tier tier : all_tiers()) {
      const Kernels* k = kernels_of(tier);
      if (!k || !(k->peaks.*loop)) continue;
      benchmark::RegisterBenchmark((std::string(name) + "/" + name_of(tier)).c_str(),
                                   [run = k->peaks.*loop](benchmark::State& state) {
                                     int64_t done = 0;
                                     for (auto _ : state) done += run(1 << 16);
                                     state.SetItemsProcessed(done);
                                   });
    }
  constexpr int64_t kBytes = int64_t{256} << 20, kNumbers = kBytes / 4;
  auto memory = std::make_shared<Tensor>(zeros_in_huge_pages({kNumbers}, at::kFloat).fill_(1));
  add("read_bytes", kBytes, [=](const Kernels& k) {
    benchmark::DoNotOptimize(k.peaks.read(static_cast<const uint32_t*>(memory->data_ptr()), kNumbers));
  });
}

// libtorch's product of the same size.
void add_aten(const std::string& name, int64_t rows, int64_t k, int64_t columns, at::ScalarType type) {
  benchmark::RegisterBenchmark((name + size_of(rows, k, columns) + "/aten").c_str(),
                               [=](benchmark::State& state) {
                                 const at::NoGradGuard no_grad;
                                 const Tensor x = at::ones({rows, k}, type), w = at::ones({columns, k}, type);
                                 for (auto _ : state) benchmark::DoNotOptimize(at::linear(x, w));
                                 state.SetItemsProcessed(state.iterations() * rows * k * columns);
                               });
}

void add_linear(int64_t rows, int64_t k, int64_t columns) {
  auto a = random_numbers(rows * k), w = random_numbers(columns * k), c = random_numbers(rows * columns);
  add("linear" + size_of(rows, k, columns), rows * k * columns, [=](const Kernels& kernels) mutable {
    kernels.linear(a.data(), k, w.data(), k, rows, 0, columns, k, false, c.data(), columns);
  });
  add_aten("linear", rows, k, columns, at::kFloat);
}

// The two ways of bf16: by the tier's instruction, where it has one, and by multiply-adds.
const std::pair<const char*, Bf16Products Kernels::*> kBf16Ways[] = {{"", &Kernels::bf16},
                                                                     {"_wide", &Kernels::bf16_wide}};
bool has_instruction(const Kernels& k) { return k.bf16.multiply != nullptr; }

// The activations are packed in each call, as in a forward pass.
void add_bf16(int64_t rows, int64_t k, int64_t columns) {
  const std::string size = size_of(rows, k, columns);
  auto a = random_numbers(rows * k), dy = random_numbers(rows * columns), c = random_numbers(rows * columns),
       dx = random_numbers(rows * k);
  std::vector<uint16_t> w(static_cast<size_t>(columns * k), 0x3f80);
  const auto whole = static_cast<size_t>((rows + kPackedRows - 1) / kPackedRows * kPackedRows);
  std::vector<float> packed(whole * static_cast<size_t>(packed_width(std::max(k, columns))));
  for (const auto& [name, way] : kBf16Ways) {
    const auto forward = [=, way = way](const Kernels& kernels) mutable {
      const Bf16Products& products = kernels.*way;
      products.pack_of(rows)(a.data(), k, rows, k, packed.data());
      products.multiply(packed.data(), rows, w.data(), k, 0, columns, k, false, c.data(), columns);
    };
    const auto back = [=, way = way](const Kernels& kernels) mutable {
      const Bf16Products& products = kernels.*way;
      products.pack_back(dy.data(), columns, rows, columns, packed.data());
      products.multiply_back(packed.data(), rows, w.data(), k, columns, 0, k, false, dx.data(), k);
    };
    const auto can = way == &Kernels::bf16 ? &has_instruction : nullptr;
    add("linear_bf16" + (name + size), rows * k * columns, forward, can);
    add("linear_bf16_back" + (name + size), rows * k * columns, back, can);
  }
  add_aten("linear_bf16", rows, k, columns, at::kBFloat16);
}

// Weights of few bits; the activations are packed in each call.
struct Quantised {
  Quantised(int64_t rows, int64_t width, int64_t columns, int bits, int64_t block)
      : activations(random_numbers(rows * width)), result(random_numbers(rows * columns)) {
    w = {columns, width, block, bits, nullptr, {}, {}};
    codes.resize(static_cast<size_t>(columns * width * bits / 8), 0x5a);
    scales.resize(static_cast<size_t>(columns * w.blocks()), 0x3c00);  // 1 in f16
    w.codes = codes.data();
    w.scales.f16 = scales.data();
    const int64_t whole = (rows + kPackedRows - 1) / kPackedRows * kPackedRows;
    numbers.resize(static_cast<size_t>(whole * width));
    row_scales.resize(static_cast<size_t>(whole * w.blocks()));
    starts.resize(row_scales.size());
  }
  void run(const Kernels& kernels, int64_t rows, int64_t width) {
    const QuantisedRows packed{numbers.data(), row_scales.data(), starts.data(), nullptr};
    kernels.quantised.pack(activations.data(), width, 0, rows, width, w, packed);
    kernels.quantised.multiply(w, packed, rows, 0, w.columns, false, result.data(), w.columns);
  }

  QuantisedMatrix w;
  std::vector<float> activations, result, row_scales;
  std::vector<uint16_t> scales;
  std::vector<uint8_t> codes;
  std::vector<int16_t> numbers;
  std::vector<int32_t> starts;
};

void add_quantised(const std::string& name, int64_t rows, int64_t k, int64_t columns) {
  const std::string size = size_of(rows, k, columns);
  for (const auto& [form, bits, block] : {std::tuple{"int8", 8, 64}, {"q8_0", 8, 32}, {"q4_0", 4, 32}}) {
    auto all = std::make_shared<Quantised>(rows, k, columns, bits, block);
    add("linear_" + std::string(form) + name + size, rows * k * columns,
        [=](const Kernels& kernels) { all->run(kernels, rows, k); });
  }
}

// Weights that no cache holds, as a pass over a model reads them; four bytes (two) of them a multiply-add and
// row.
void add_from_memory(int64_t rows) {
  const int64_t k = 576, columns = 65536;
  const std::string size = "_from_memory" + size_of(rows, k, columns);
  auto a = std::make_shared<std::vector<float>>(random_numbers(rows * k));
  auto w = std::make_shared<std::vector<float>>(static_cast<size_t>(columns * k), 1.0f);
  auto narrow = std::make_shared<std::vector<uint16_t>>(static_cast<size_t>(columns * k), 0x3f80);
  auto c = std::make_shared<std::vector<float>>(static_cast<size_t>(rows * columns));
  auto packed = std::make_shared<std::vector<float>>(static_cast<size_t>(64 * packed_width(k)));
  add("linear" + size, rows * k * columns, [=](const Kernels& kernels) {
    kernels.linear(a->data(), k, w->data(), k, rows, 0, columns, k, false, c->data(), columns);
  });
  for (const auto& [name, way] : kBf16Ways) {
    const auto run = [=, way = way](const Kernels& kernels) {
      const Bf16Products& products = kernels.*way;
      products.pack_of(rows)(a->data(), k, rows, k, packed->data());
      products.multiply(packed->data(), rows, narrow->data(), k, 0, columns, k, false, c->data(), columns);
    };
    add("linear_bf16" + (name + size), rows * k * columns, run,
        way == &Kernels::bf16 ? &has_instruction : nullptr);
  }
  add_aten("linear_from_memory", rows, k, columns, at::kFloat);
  add_aten("linear_bf16_from_memory", rows, k, columns, at::kBFloat16);
}

void add_rows(int64_t rows, int64_t width) {
  const int64_t count = rows * width;
  const std::string size = " " + std::to_string(rows) + "x" + std::to_string(width);
  auto x = random_numbers(count), y = random_numbers(count), z = random_numbers(count),
       w = random_numbers(width);
  auto u = z;
  std::vector<float> scale(static_cast<size_t>(rows), 1.0f);
  std::vector<int64_t> targets(static_cast<size_t>(rows), 1);
  add("rms_norm" + size, count, [=](const Kernels& k) mutable {
    k.rms_norm(x.data(), w.data(), 1e-5f, rows, width, y.data(), nullptr);
  });
  add("rms_norm_backward" + size, count, [=](const Kernels& k) mutable {
    k.rms_norm_backward(x.data(), w.data(), scale.data(), y.data(), rows, width, z.data(), nullptr);
  });
  add("swiglu" + size, count,
      [=](const Kernels& k) mutable { k.swiglu(x.data(), y.data(), count, z.data()); });
  add("swiglu_backward" + size, count, [=](const Kernels& k) mutable {
    k.swiglu_backward(x.data(), y.data(), z.data(), count, z.data(), u.data());
  });
  add("dropout" + size, count,
      [=](const Kernels& k) mutable { k.dropout(x.data(), 0.1f, 7, 0, count, y.data()); });
  add("cross_entropy" + size, count, [=](const Kernels& k) mutable {
    k.cross_entropy(x.data(), targets.data(), nullptr, rows, width, false, scale.data());
  });
  add("sum_of_squares" + size, count,
      [=](const Kernels& k) mutable { benchmark::DoNotOptimize(k.sum_of_squares(x.data(), count)); });
  add("maximum" + size, count,
      [=](const Kernels& k) mutable { benchmark::DoNotOptimize(k.maximum(x.data(), count)); });
}

void add_attention(int64_t length, int64_t width) {
  auto q = random_numbers(length * width), key = random_numbers(length * width), v = q, out = q, dout = key,
       dq = q, dk = q, dv = q, lse = random_numbers(length);
  std::vector<uint16_t> keys(key.size()), values;
  kernels().round_bf16(key.data(), length * width, keys.data());
  values = keys;
  const AttentionShape shape{1, 1, width, width, width, 0, 0.125f, 0};
  const std::string size = " " + std::to_string(length) + "x" + std::to_string(width);
  const int64_t products = length * length * width;
  add("attention" + size, products, [=](const Kernels& k) mutable {
    const AttentionSegment segment{0, length, key.data(), v.data(), length};
    k.attention(shape, segment, 0, q.data(), out.data(), lse.data());
  });
  add("attention_backward" + size, products, [=](const Kernels& k) mutable {
    const AttentionSegment segment{0, length, key.data(), v.data(), length, dk.data(), dv.data()};
    k.attention_backward(shape, segment, 0, q.data(), out.data(), lse.data(), dout.data(), dq.data());
  });
  for (const auto& [name, way] :
       {std::pair{"_bf16", &Kernels::attention_bf16}, {"_bf16_wide", &Kernels::attention_bf16_wide}}) {
    const auto forward = [=, way = way](const Kernels& k) mutable {
      const AttentionSegment segment{0, length, keys.data(), values.data(), length};
      (k.*way).forward(shape, segment, 0, q.data(), out.data(), lse.data());
    };
    const auto back = [=, way = way](const Kernels& k) mutable {
      const AttentionSegment segment{0, length, keys.data(), values.data(), length, dk.data(), dv.data()};
      (k.*way).backward(shape, segment, 0, q.data(), out.data(), lse.data(), dout.data(), dq.data());
    };
    const auto can = way == &Kernels::attention_bf16 ? &has_instruction : nullptr;
    add("attention" + (name + size), products, forward, can);
    add("attention_backward" + (name + size), products, back, can);
  }
  add("attention, newest token" + size, length * width, [=](const Kernels& k) mutable {
    k.attention(shape, {0, 1, key.data(), v.data(), length}, 0, q.data(), out.data(), nullptr);
  });
}

// One token of each of `slots` sequences by three times three heads, keys and values in bf16 for each three:
// of one slot they stay in the cache, of many they come from memory.
void add_newest(int64_t slots, int64_t length, int64_t width) {
  constexpr int64_t kShared = 3, kHeads = 9, kRoom = 512;
  const auto q = random_numbers(slots * kHeads * width),
             some = random_numbers(slots * kShared * kRoom * width);
  auto out = q;
  std::vector<uint16_t> keys(some.size());
  kernels().round_bf16(some.data(), static_cast<int64_t>(some.size()), keys.data());
  const auto values = keys;
  const AttentionShape shape{kHeads, kShared, width, width, kRoom * width, 0, 0.125f, 0};
  const std::string size =
      " " + std::to_string(slots) + "x" + std::to_string(length) + "x" + std::to_string(width);
  add("attention_bf16, newest tokens" + size, slots * kHeads * length * width * 2,
      [=](const Kernels& k) mutable {
        const auto forward = (has_instruction(k) ? k.attention_bf16 : k.attention_bf16_wide).forward;
        for (int64_t piece = 0; piece < slots * kShared; ++piece) {
          const int64_t slot = piece / kShared, place = slot * kShared * kRoom * width,
                        next = (slot + 1) % slots * kShared * kRoom * width;
          AttentionSegment segment{slot, 1, keys.data() + place, values.data() + place, length};
          segment.next_k = keys.data() + next;
          forward(shape, segment, piece % kShared, q.data(), out.data(), nullptr);
        }
      });
}

}  // namespace
}  // namespace sdft

int main(int argc, char** argv) {
  using namespace sdft;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  at::set_num_threads(1);
  add_peaks();
  for (const int64_t rows : {1, 6, 64}) add_linear(rows, 576, 576);
  for (const int64_t rows : {1, 16, 64, 1024}) add_bf16(rows, 576, 1536);
  for (const int64_t rows : {1, 4, 16, 64, 1024}) add_quantised("", rows, 576, 1536);
  for (const int64_t rows : {1, 4, 8, 16, 32, 64}) {
    add_from_memory(rows);
    add_quantised("_from_memory", rows, 576, 65536);
  }
  add_rows(32, 576);
  add_rows(1, 49152);
  for (const int64_t length : {128, 1024}) add_attention(length, 64);
  for (const int64_t slots : {1, 256}) add_newest(slots, 320, 64);
  benchmark::RunSpecifiedBenchmarks();
}
