#include "run/demo.h"

#include <memory>

#include "cli/engine/commands.h"

namespace sdft::cli {

namespace {
struct DemoFlags {
  std::string output_dir;
  SweepFlags sweep;
  bool fresh = false;
  std::vector<std::string> words;
};

void demo(const DemoFlags& flags) {
  std::vector<std::string> overrides = flags.words;
  if (!flags.output_dir.empty()) overrides.push_back("output_dir=" + flags.output_dir);
  for (const std::string& override : flags.sweep.overrides()) overrides.push_back(override);
  const Recipe recipe = demo_recipe(overrides);
  RunOptions options;
  options.stop = &interrupted;
  options.fresh = flags.fresh;
  run_all(recipe, options);
}
}  // namespace

void add_demo(const Registry& registry) {
  auto flags = std::make_shared<DemoFlags>();
  CLI::App* command =
      registry.add("demo",
                   "  sdft demo\n"
                   "  sdft demo --output_dir runs/other seed=2 learning_rate=0.0005\n"
                   "  sdft demo --seeds 5 --output_dir runs/seeds   # the experiment of docs/experiments.md",
                   [flags] { demo(*flags); });
  command->add_option("--output_dir,--output-dir", flags->output_dir, "run directory [runs/demo]");
  command->add_flag("--fresh", flags->fresh,
                    "make anew what output_dir holds of other settings (else it is refused)");
  add_sweep_flags(command, &flags->sweep);
  command->add_option(kSettingWords, flags->words, "recipe settings as key=value");
}

}  // namespace sdft::cli
