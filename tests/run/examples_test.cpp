// The shipped examples: recipes that read, data that can be judged.
#include "check/check.h"
#include "data/dataset.h"
#include "run/recipe.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;

TEST(Examples, RecipesReadAndTheirOwnDataCanBeJudged) {
  const fs::path top = SDFT_SOURCE_DIR;
  size_t recipes = 0;
  for (const auto& entry : fs::directory_iterator(top / "examples")) {
    if (entry.path().extension() != ".yaml") continue;
    ++recipes;
    SCOPED_TRACE(entry.path().string());
    for (const TaskSettings& task : read_recipe(entry.path(), {}).eval) {
      const ChosenCheck check = parse_check(task.check, kTaskCheck);
      if (fs::path(task.dataset).parent_path() != "examples") continue;
      EXPECT_NO_THROW(require_judgeable(check, read_dataset(top / task.dataset).examples));
    }
  }
  EXPECT_GE(recipes, 2u);
}

}  // namespace
}  // namespace sdft
