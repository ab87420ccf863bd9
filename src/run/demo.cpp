#include "run/demo.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "check/check.h"
#include "run/assets.h"

namespace sdft {
namespace fs = std::filesystem;

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
