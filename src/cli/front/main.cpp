// sdft: fine-tunes a chat model on a task without making it forget what it could do. What needs no libtorch
// is answered here at once; all else is sdft-engine, which this program becomes.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "cli/front/start_engine.h"
#include "cli/light/commands.h"
#include "cli/program.h"
#include "tensor/cpu/tier.h"

namespace {
using namespace sdft;

// What runs here, the best last.
std::string version() {
  std::string tiers;
  for (Tier tier : all_tiers())
    if (tier <= chosen_tier() && (tier < Tier::kBaseline || kernels_of(tier)))
      tiers += std::string(tiers.empty() ? "" : ", ") + name_of(tier);
  return fmt::format("{}\nlibtorch {}\ncomputes with {} (sdft-engine --version: what with which)",
                     SDFT_VERSION, SDFT_TORCH_VERSION, tiers);
}

// `sdft help train` is `sdft train --help`.
void spell_out_help(int* argc, char** argv) {
  static char flag[] = "--help";
  if (*argc < 2 || argv[1] != std::string_view("help")) return;
  if (*argc > 2) argv[1] = argv[2];
  argv[*argc > 2 ? 2 : 1] = flag;
  *argc = std::min(*argc, 3);
  argv[*argc] = nullptr;
}

void add_commands(const cli::Registry& registry) {
  cli::add_text(registry);
  cli::add_inspect(registry);
  cli::add_convert(registry);
}
}  // namespace

int main(int argc, char** argv) {
  spell_out_help(&argc, argv);
  // In front of all else: the engine gets signals and descriptors as this program got them.
  const cli::Command* command = cli::find_command(argc, argv);
  if (command && command->program == cli::Program::kEngine) cli::leave(cli::start_engine(argv));
  cli::run_program({cli::Program::kFront, version, add_commands, current_error}, argc, argv);
}
