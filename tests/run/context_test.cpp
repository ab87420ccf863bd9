#include "run/context.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "data/turn_end.h"
#include "testing.h"

namespace sdft {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;

// A mini seed whose files name another EOS than the token that its template writes, and ask for constraints.
struct Context : ::testing::Test {
  testing::ScratchDir dir;
  Recipe recipe;

  Context() {
    fs::copy(fs::path(SDFT_SOURCE_DIR) / "assets/mini-seed", dir / "model");
    Json tokenizer = read_json(dir / "model/tokenizer_config.json");
    tokenizer["eos_token"] = "<|pad|>";
    write_file_atomic(dir / "model/tokenizer_config.json", tokenizer.dump());
    Json config = read_json(dir / "model/config.json");
    config["eos_token_id"] = 0;
    write_file_atomic(dir / "model/config.json", config.dump());
    write_file_atomic(dir / "model/generation_config.json",
                      R"({"eos_token_id": 0, "do_sample": true, "temperature": 0.3, "max_new_tokens": 7,
                          "suppress_tokens": [9], "stop_strings": "never mind"})");
    recipe.model_name_or_path = (dir / "model").string();
    recipe.device = "cpu";
  }
  static Example example() {
    Example made;
    made.instruction = "Count.";
    made.response = "One.";
    return made;
  }
};

TEST_F(Context, TheTokenThatIsTrainedStopsGeneration) {
  RunContext run(recipe);
  const Sample sample = training_sample(run.bundle.formatter, run.training_template(), example(), 0);
  ASSERT_EQ(sample.ids.back(), *run.bundle.tokenizer.id_of("<|end|>"));
  EXPECT_THAT(run.generation().stop_ids, ::testing::UnorderedElementsAre(0, sample.ids.back()));
}

TEST_F(Context, TheRecipesSamplingWinsAndTheModelsConstraintsHold) {
  RunContext run(recipe);
  const GenerateOptions options = run.generation();
  EXPECT_EQ(options.sampling.temperature, recipe.sampling.temperature);
  EXPECT_EQ(options.max_new_tokens, recipe.max_new_tokens);
  EXPECT_THAT(options.constraints.suppress_tokens, ElementsAre(9));
  EXPECT_THAT(options.constraints.stop_strings, ElementsAre("never mind"));
  const auto prompt = prompt_ids(run.bundle.formatter, run.training_template(), example());
  load_weights(run);
  const auto answer = generate(run.bundle.model, {{"a", prompt}}, options)[0].ids;
  EXPECT_THAT(answer, ::testing::Not(Contains(9)));
}

}  // namespace
}  // namespace sdft
