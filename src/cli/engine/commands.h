// The commands that need libtorch: a function for some of them, which adds their flags and what runs when one
// is chosen; and what they share.
#pragma once

#include <string>
#include <vector>

#include "base/interrupt.h"
#include "cli/registry.h"
#include "cli/usage.h"
#include "run/run.h"

namespace sdft::cli {

// --recipe FILE, a flag for each recipe key, and key=value words.
struct RecipeFlags {
  std::string file;
  std::vector<std::string> overrides;
  std::vector<std::string> words;
  Recipe read() const;
};
void add_recipe_flags(CLI::App* command, RecipeFlags* flags);

// A whole run; writes its report to stdout and says where it is.
void run_all(const Recipe& recipe, const RunOptions& options);

// What a run is repeated over.
struct SweepFlags {
  std::vector<std::string> over;  // "lora_rank=8,64"
  int64_t seeds = 0;
  bool required = false;
  std::vector<std::string> overrides() const;  // of the recipe
};
void add_sweep_flags(CLI::App* command, SweepFlags* flags);

void add_run(const Registry& registry);        // run, sweep, distill, train, eval, report
void add_demo(const Registry& registry);       // demo
void add_generate(const Registry& registry);   // generate
void add_chat(const Registry& registry);       // chat
void add_new(const Registry& registry);        // new
void add_preview(const Registry& registry);    // preview
void add_score(const Registry& registry);      // score
void add_judge(const Registry& registry);      // judge
void add_bench(const Registry& registry);      // bench
void add_serve(const Registry& registry);      // serve
void add_merge(const Registry& registry);      // merge
void add_gguf(const Registry& registry);       // import, export
void add_reference(const Registry& registry);  // settings, completions, man

}  // namespace sdft::cli
