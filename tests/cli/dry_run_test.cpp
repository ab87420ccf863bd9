// What a training will take is said before it begins, and kept within a limit, through the real executable.
#include <gmock/gmock.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class DryRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchDir;
    SmallModel wide;
    wide.context = 1024;
    wide.layers = 8;
    wide.width = 128;
    write_small_model(*scratch_ / "model", wide);
    write_text(*scratch_ / "train.jsonl", small_dataset(32));
  }
  static void TearDownTestSuite() { delete scratch_; }

  CommandResult run(std::vector<std::string> args, const std::string& out,
                    std::vector<std::string> more = {}) {
    const std::vector<std::string> common = {"model_name_or_path=" + (*scratch_ / "model").string(),
                                             "dataset=" + (*scratch_ / "train.jsonl").string(),
                                             "output_dir=" + (dir_ / out).string(),
                                             "per_device_train_batch_size=16",
                                             "gradient_accumulation_steps=1",
                                             "num_train_epochs=1",
                                             "max_new_tokens=8",
                                             "threads=1",
                                             "eval=[]"};
    args.insert(args.end(), common.begin(), common.end());
    args.insert(args.end(), more.begin(), more.end());
    return run_command(args);
  }
  std::string adapter(const std::string& out) {
    return read_text(dir_ / out / "vanilla" / "adapter" / "adapter_model.safetensors");
  }
  std::vector<double> losses(const std::string& out) {
    std::vector<double> list;
    for_each_line(dir_ / out / "vanilla" / "metrics.jsonl", [&](std::string_view line, size_t) {
      list.push_back(Json::parse(line).at("loss").get<double>());
    });
    return list;
  }
  // The number behind `name`, in MiB.
  static double number(const std::string& text, const std::string& name) {
    const size_t found = text.find(name);
    EXPECT_NE(found, std::string::npos) << name << " in " << text;
    return found == std::string::npos ? 0 : std::stod(text.substr(found + name.size()));
  }

  static ScratchDir* scratch_;
  ScratchDir dir_;
};
ScratchDir* DryRun::scratch_ = nullptr;

TEST_F(DryRun, SaysStepsAndMemoryAndWritesNothing) {
  for (const char* command : {"train", "run"}) {
    const CommandResult result = run({command, "--dry-run"}, "none");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, AllOf(HasSubstr(": 2 steps, "), HasSubstr("largest forward pass "),
                                  HasSubstr("weights"), HasSubstr("activations"), HasSubstr("logits")));
    EXPECT_GT(number(result.out, "memory "), 100);
    EXPECT_FALSE(fs::exists(dir_ / "none"));
  }
}

TEST_F(DryRun, EachVariantIsForetold) {
  const CommandResult result = run(
      {"run", "--dry-run"}, "none",
      {"variants=[{name: plain, method: sft}, {name: whole, method: sft, finetuning_type: full}, {name: own, "
       "method: on_policy}, {name: back, method: interpolation, after: plain}]"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("plain: 2 steps"), HasSubstr("whole: 2 steps"), HasSubstr("own: 2 steps"),
                    HasSubstr("counted as 8 tokens long"), HasSubstr("back: nothing is trained")));
}

TEST_F(DryRun, RefusesWhatTrainingWould) {
  EXPECT_EQ(run({"train", "--dry-run"}, "none", {"dataset=missing.jsonl"}).exit_code, 3);
  EXPECT_EQ(run({"train", "--dry-run"}, "none", {"lora_rank=100000"}).exit_code, 2);
}

TEST_F(DryRun, RecomputationChangesNoByte) {
  EXPECT_EQ(run({"train"}, "plain").exit_code, 0);
  EXPECT_EQ(run({"train"}, "again", {"gradient_checkpointing=true"}).exit_code, 0);
  EXPECT_EQ(adapter("plain"), adapter("again"));
}

// Without dropout, whose masks go by a token's place in its forward pass.
TEST_F(DryRun, ALimitDividesSteps) {
  const std::string all = run({"train", "--dry-run"}, "none", {"lora_dropout=0"}).out;
  const double total = number(all, "memory "), activations = number(all, "activations");
  ASSERT_GT(activations, 4) << all;
  EXPECT_EQ(run({"train"}, "free", {"lora_dropout=0"}).exit_code, 0);

  const auto limited = [&](const std::string& out, double mib) {
    const CommandResult result =
        run({"train"}, out, {"lora_dropout=0", "memory=" + std::to_string(mib) + "M"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.err;
  };
  EXPECT_THAT(limited("roomy", total + 50), HasSubstr("as many samples at once as the settings say"));
  EXPECT_EQ(adapter("free"), adapter("roomy"));
  EXPECT_THAT(limited("half", total - activations / 2),
              AllOf(HasSubstr("tokens at once"), Not(HasSubstr("gradient_checkpointing"))));
  const auto free = losses("free"), half = losses("half");
  ASSERT_EQ(free.size(), half.size());
  for (size_t i = 0; i < free.size(); ++i) EXPECT_NEAR(free[i], half[i], 1e-5);
}

TEST_F(DryRun, ALimitThatNoDivisionMeetsIsMetByRecomputing) {
  std::string question, text;
  for (int i = 0; i < 60; ++i) question += "3 and 4 and ";
  for (int i = 0; i < 8; ++i)
    text += R"({"instruction": ")" + question + R"(", "output": "7 of them"})" + "\n";
  write_text(dir_ / "long.jsonl", text);
  const auto with = [&](const std::string& setting) -> std::vector<std::string> {
    return {"dataset=" + (dir_ / "long.jsonl").string(), "per_device_train_batch_size=1", "max_steps=2",
            setting};
  };
  const auto needed = [&](const std::string& setting) {
    return number(run({"train", "--dry-run"}, "none", with(setting)).out, "memory ");
  };
  const double kept = needed("gradient_checkpointing=false"), again = needed("gradient_checkpointing=true");
  ASSERT_GT(kept, again + 4);
  const CommandResult result =
      run({"train"}, "limited", with("memory=" + std::to_string((kept + again) / 2) + "M"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("with gradient_checkpointing; "));
}

TEST_F(DryRun, ALimitBelowOneSampleIsRefusedBeforeAnythingIsMade) {
  const CommandResult result = run({"train"}, "none", {"memory=50M"});
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("memory: 50M, but training needs"), HasSubstr("weights "),
                                HasSubstr("gradient_checkpointing: true")));
  EXPECT_FALSE(fs::exists(dir_ / "none"));
}

TEST_F(DryRun, ALimitIsANumberWithItsUnit) {
  for (const char* bad : {"memory=8", "memory=G", "memory=-1G", "memory=8T", "memory=8GB", "memory=nanG"}) {
    const CommandResult result = run({"train"}, "none", {bad});
    EXPECT_EQ(result.exit_code, 2) << bad;
    EXPECT_THAT(result.err, HasSubstr("as 8G or 700M")) << bad;
  }
}

}  // namespace
}  // namespace sdft::testing
