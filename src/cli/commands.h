// One function a command; each adds its flags to the application and what runs when it is chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "run/run.h"

namespace sdft::cli {

// What main() calls after parsing.
using Action = std::function<void()>;
struct Registry {
  CLI::App& app;
  Action* chosen;
  CLI::App* add(const std::string& name, const std::string& help, const std::string& examples,
                Action action) const;
};

// --recipe FILE, a flag for each recipe key, and key=value words.
struct RecipeFlags {
  std::string file;
  std::vector<std::string> overrides;
  std::vector<std::string> words;
  Recipe read() const;
};
inline constexpr const char* kSettingWords = "settings";  // the words, as CLI11 knows them
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

void add_run(const Registry& registry);       // run, distill, train, eval, report
void add_demo(const Registry& registry);      // demo
void add_generate(const Registry& registry);  // generate, chat
void add_text(const Registry& registry);      // tokenize, render
void add_preview(const Registry& registry);   // preview
void add_score(const Registry& registry);     // score
void add_judge(const Registry& registry);     // judge
void add_model(const Registry& registry);     // merge, inspect
void add_gguf(const Registry& registry);      // import, export

}  // namespace sdft::cli
