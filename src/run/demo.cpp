#include "run/demo.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "check/check.h"

namespace sdft {
namespace fs = std::filesystem;

fs::path assets_dir() {
  std::vector<fs::path> places;
  if (const char* given = std::getenv("SDFT_ASSETS")) places.emplace_back(given);
  std::error_code ignored;
  const fs::path executable = fs::read_symlink("/proc/self/exe", ignored);
  if (!executable.empty()) {
    places.push_back(executable.parent_path().parent_path() / "assets");
    places.push_back(executable.parent_path().parent_path() / "share" / "sdft");
  }
  places.emplace_back(SDFT_ASSETS_DIR);
  std::string tried;
  for (const fs::path& place : places) {
    if (fs::exists(place / "demo.yaml")) return place;
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  fail_input("demo", "cannot find the shipped model and data; tried " + tried,
             "set SDFT_ASSETS to the folder with demo.yaml");
}

namespace {
// Containers often forbid the sandbox that generated programs need; the demo goes on without these tasks and
// says so.
void leave_out_programs(Recipe* recipe) {
  auto runs_programs = [](const TaskSettings& task) {
    return (parse_check(task.check, kTaskCheck).check->needs & kNeedsSandbox) != 0;
  };
  if (std::none_of(recipe->eval.begin(), recipe->eval.end(), runs_programs)) return;
  try {
    require_sandbox();
  } catch (const Error& error) {
    recipe->eval.erase(std::remove_if(recipe->eval.begin(), recipe->eval.end(), runs_programs),
                       recipe->eval.end());
    spdlog::warn("the demo leaves out its task of running programs: {}", error.what());
  }
}
}  // namespace

Recipe demo_recipe(const std::vector<std::string>& overrides) {
  const fs::path assets = assets_dir();
  Recipe recipe = read_recipe(assets / "demo.yaml", overrides);
  auto resolve = [&](std::string& path) {
    const fs::path inside = assets / path;
    if (!path.empty() && fs::path(path).is_relative() && fs::exists(inside))
      path = inside.lexically_normal().string();
  };
  resolve(recipe.model_name_or_path);
  resolve(recipe.dataset);
  for (TaskSettings& task : recipe.eval) resolve(task.dataset);
  leave_out_programs(&recipe);
  return recipe;
}

}  // namespace sdft
