// Prints the largest errors that the other tests saw, as the table of docs/numerics.md:
// SDFT_ERRORS=1 build/tests/tensor_tests --gtest_filter='*Kernel*'
#include <cstdio>
#include <cstdlib>

#include "tensor/kernel_test.h"

namespace sdft::testing {
namespace {

class ErrorTable : public ::testing::Environment {
  void TearDown() override {
    if (!std::getenv("SDFT_ERRORS")) return;
    std::string text = "| kernel |", line = "|---|";
    for (const Tier tier : kernel_tiers()) {
      text += fmt::format(" {} |", name_of(tier));
      line += "---|";
    }
    text += "\n" + line + "\n";
    for (const auto& [kernel, errors] : largest_errors()) {
      text += fmt::format("| {} |", kernel);
      for (const Tier tier : kernel_tiers())
        text += errors.count(tier) ? fmt::format(" {:.2g} |", errors.at(tier)) : " - |";
      text += "\n";
    }
    std::fputs(text.c_str(), stdout);
  }
};
const auto* const table = ::testing::AddGlobalTestEnvironment(new ErrorTable);

}  // namespace
}  // namespace sdft::testing
