#include "run/recipe.h"

#include "base/error.h"
#include "base/file.h"
#include "testing.h"

namespace sdft {
namespace {
using testing::ScratchDir;

std::string problem_of(const std::vector<std::string>& overrides) {
  try {
    read_recipe("", overrides);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kUsage);
    return e.what();
  }
  return "";
}

TEST(Recipe, DefaultsAreThePapers) {
  const Recipe r = read_recipe("", {});
  EXPECT_EQ(r.train.lora.rank, 8);
  EXPECT_EQ(r.train.lora.alpha, 16);
  EXPECT_EQ(r.train.lora.dropout, 0.1);
  EXPECT_EQ(r.train.lora.target_modules, (std::vector<std::string>{"q_proj", "v_proj"}));
  EXPECT_EQ(r.train.learning_rate, 1e-4);
  EXPECT_EQ(r.train.per_device_train_batch_size, 2);
  EXPECT_EQ(r.train.gradient_accumulation_steps, 4);
  EXPECT_EQ(r.train.cutoff_len, 1024);
  EXPECT_EQ(r.sampling.temperature, 0.95);
  EXPECT_EQ(r.sampling.top_k, 50);
  EXPECT_EQ(r.sampling.top_p, 0.7);
}

TEST(Recipe, UnknownKeyGetsASuggestion) {
  EXPECT_NE(problem_of({"learning_rat=1"}).find("did you mean 'learning_rate'?"), std::string::npos);
}

TEST(Recipe, AllProblemsAtOnce) {
  const std::string text = problem_of({"lora_rank=many", "top_p=2", "nonsense_key_here=1"});
  for (const char* part : {"3 problems", "lora_rank", "top_p", "nonsense_key_here"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(Recipe, ResolvedReadsBackTheSame) {
  ScratchDir dir;
  write_file_atomic(
      dir / "r.yaml",
      "learning_rate: 0.00012345\nlora_target: [k_proj, o_proj]\nbaseline: true\ncolumns: {prompt: q}\n"
      "eval:\n- {name: a, kind: target, dataset: x.jsonl, check: number, max_samples: 3}\n");
  const std::string once = resolved_recipe(read_recipe(dir / "r.yaml", {"seed=7"}));
  write_file_atomic(dir / "again.yaml", once);
  EXPECT_EQ(resolved_recipe(read_recipe(dir / "again.yaml", {})), once);
  EXPECT_NE(once.find("0.00012345"), std::string::npos);
}

TEST(Recipe, MalformedYamlNamesTheLine) {
  ScratchDir dir;
  write_file_atomic(dir / "r.yaml", "seed: 1\n  bad: [\n");
  try {
    read_recipe(dir / "r.yaml", {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("r.yaml:"), std::string::npos) << e.what();
  }
}

TEST(Recipe, TasksAreChecked) {
  const std::string text = problem_of({"eval=[{name: a, kind: nice, datset: b}]"});
  for (const char* part : {"'kind'", "did you mean 'dataset'?", "'dataset' is missing"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

}  // namespace
}  // namespace sdft
