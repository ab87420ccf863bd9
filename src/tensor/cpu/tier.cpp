#include "tensor/cpu/tier.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"
#include "tensor/cpu/kernels.h"

namespace sdft {

namespace cpu {
#define SDFT_DECLARATION(tier, name) const Kernels* name();
SDFT_KERNEL_TIERS(SDFT_DECLARATION)
#undef SDFT_DECLARATION
}  // namespace cpu

namespace {
struct Row {
  Tier tier;
  const char* name;
  const Kernels* (*kernels)();
};

#define SDFT_ROW(tier, name) {Tier::tier, #name, cpu::name},
const Row kRows[] = {
    {Tier::kAten, "aten", nullptr}, {Tier::kOneDnn, "onednn", nullptr}, SDFT_KERNEL_TIERS(SDFT_ROW)};
#undef SDFT_ROW

const Row& row_of(Tier tier) { return kRows[static_cast<size_t>(tier)]; }

bool runs(const Row& row) { return !row.kernels || row.kernels(); }

Tier best_tier() {
  Tier best = Tier::kBaseline;
  for (const Row& row : kRows)
    if (runs(row)) best = row.tier;
  return best;
}

// SDFT_ISA's, else the best.
Tier initial_tier() {
  const char* wanted = std::getenv("SDFT_ISA");
  if (!wanted || !*wanted) return best_tier();
  std::string here;
  for (const Row& row : kRows) {
    if (runs(row)) here += (here.empty() ? "" : ", ") + std::string(row.name);
    if (runs(row) && row.name == std::string_view(wanted)) return row.tier;
  }
  fail_usage(fmt::format("SDFT_ISA is '{}', expected one of {}", wanted, here),
             "this processor and this build have no other");
}

struct Choice {
  explicit Choice(Tier wanted)
      : tier(wanted), kernels(kernels_of(wanted) ? kernels_of(wanted) : kernels_of(Tier::kBaseline)) {}
  Tier tier;
  const Kernels* kernels;
};

Choice& choice() {
  static Choice chosen(initial_tier());
  return chosen;
}
}  // namespace

std::vector<Tier> all_tiers() {
  std::vector<Tier> tiers;
  for (const Row& row : kRows) tiers.push_back(row.tier);
  return tiers;
}

const char* name_of(Tier tier) { return row_of(tier).name; }

const Kernels* kernels_of(Tier tier) { return row_of(tier).kernels ? row_of(tier).kernels() : nullptr; }

Tier chosen_tier() { return choice().tier; }

const Kernels& kernels() { return *choice().kernels; }

bool bf16_is_fast([[maybe_unused]] Tier tier) {
#ifdef __x86_64__
  static const bool pairs = !__builtin_cpu_is("intel");
  return tier == Tier::kAmx || pairs;
#else
  return false;
#endif
}

void choose_tier(Tier tier) { choice() = Choice(tier); }

}  // namespace sdft
