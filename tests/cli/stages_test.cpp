// The stages one by one, through the real executable: the same as `run`, and nothing taken for what it is
// not.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "base/lock.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Stages : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchDir;
    SmallModel roomy;
    roomy.context = 1024;
    write_small_model(*scratch_ / "model", roomy);
    write_small_adapter(*scratch_ / "model", *scratch_ / "adapter");
  }
  static void TearDownTestSuite() { delete scratch_; }
  void SetUp() override {
    write("train.jsonl", small_dataset(12));
    write("eval.jsonl", small_dataset(6, 50));
  }
  std::string path(const std::string& name) { return (dir_ / name).string(); }
  std::string model() { return (*scratch_ / "model").string(); }
  std::string adapter() { return (*scratch_ / "adapter").string(); }
  void write(const std::string& name, const std::string& text) { write_text(dir_ / name, text); }

  std::vector<std::string> recipe(const std::string& command, const std::string& out,
                                  std::vector<std::string> more = {}) {
    std::vector<std::string> args = {
        command,
        "model_name_or_path=" + model(),
        "dataset=" + path("train.jsonl"),
        "output_dir=" + path(out),
        "baseline=true",
        "max_new_tokens=16",
        "num_train_epochs=1",
        "threads=1",
        "eval=[{name: sums, kind: target, dataset: " + path("eval.jsonl") + ", check: number}]"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  CommandResult stage(const std::string& command, const std::string& out,
                      std::vector<std::string> more = {}) {
    return run_command(recipe(command, out, std::move(more)));
  }
  CommandResult good(const std::string& command, const std::string& out, std::vector<std::string> more = {}) {
    CommandResult result = stage(command, out, std::move(more));
    EXPECT_EQ(result.exit_code, 0) << command << result.err;
    return result;
  }
  void refused(const CommandResult& result, const std::string& what) {
    EXPECT_EQ(result.exit_code, 3) << result.err << result.out;
    EXPECT_THAT(result.err, HasSubstr(what));
  }
  // Results only: no times, no names of the folder itself.
  std::map<std::string, std::string> results(const std::string& out) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(dir_ / out)) {
      const std::string name = entry.path().lexically_relative(dir_ / out).string();
      const std::string ending = entry.path().extension().string();
      if (entry.is_regular_file() && name.find("report.") != 0 &&
          entry.path().filename() != "metrics.jsonl" &&
          (ending == ".jsonl" || ending == ".safetensors" || entry.path().filename() == "summary.json"))
        all[name] = read_text(entry.path());
    }
    return all;
  }

  static ScratchDir* scratch_;
  ScratchDir dir_;
};
ScratchDir* Stages::scratch_ = nullptr;

TEST_F(Stages, OneByOneAreTheSameAsARun) {
  good("run", "whole");
  good("distill", "parts");
  EXPECT_THAT(good("train", "parts").out,
              AllOf(HasSubstr("parts/vanilla/adapter"), HasSubstr("parts/sdft/adapter")));
  EXPECT_THAT(good("eval", "parts").out, AllOf(HasSubstr("seed"), HasSubstr("vanilla"), HasSubstr("sdft")));
  const auto whole = results("whole"), parts = results("parts");
  EXPECT_TRUE(whole.count("eval/sdft/sums/scores.jsonl"));
  EXPECT_EQ(whole, parts);
  EXPECT_EQ(run_command({"report", "output_dir=" + path("parts")}).exit_code, 0);
  const CommandResult again = good("run", "parts");
  EXPECT_THAT(again.err, Not(HasSubstr("steps"))) << "nothing was left to do";
}

TEST_F(Stages, TrainingAloneTakesTheAnswersOfTheDataset) {
  const CommandResult result = good("train", "alone");
  EXPECT_THAT(result.out, HasSubstr("alone/vanilla/adapter"));
  EXPECT_THAT(result.err, HasSubstr("own answers"));
  refused(stage("train", "alone", {"--variant", "sdft"}), "sdft distill");
}

// Any number of variants of any name: each in its folder, all in the evaluation and the report.
TEST_F(Stages, AListOfVariants) {
  const std::string three =
      "variants=[{name: plain, method: sft}, {name: ours, method: self_distillation}, {name: again, method: "
      "sft}]";
  good("run", "out", {"baseline=false", three});
  const auto made = results("out");
  for (const char* name : {"plain", "ours", "again"}) {
    EXPECT_TRUE(made.count(std::string(name) + "/adapter/adapter_model.safetensors")) << name;
    EXPECT_TRUE(made.count(std::string("eval/") + name + "/sums/scores.jsonl")) << name;
  }
  EXPECT_EQ(made.at("plain/adapter/adapter_model.safetensors"),
            made.at("again/adapter/adapter_model.safetensors"));
  const Json report = read_json(dir_ / "out/report.json");
  EXPECT_EQ(report["baseline"], "plain");
  EXPECT_EQ(report["evaluation"]["models"], Json({"seed", "plain", "ours", "again"}));
  EXPECT_EQ(report["training"].size(), 3u);
  for (const char* file : {"out/report.md", "out/report.html"})
    EXPECT_THAT(read_text(dir_ / file), AllOf(HasSubstr("Against plain"), HasSubstr("again"))) << file;
  EXPECT_THAT(good("eval", "out", {"baseline=false", three}).out,
              AllOf(HasSubstr("ours"), HasSubstr("again")));
  const CommandResult unknown = stage("train", "out", {"baseline=false", three, "--variant", "agin"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean 'again'?"));
}

TEST_F(Stages, SeveralSeedsEndInATable) {
  const std::string table = good("run", "out", {"--seeds", "2"}).out;
  EXPECT_THAT(table, HasSubstr("| task | kind | seed model | vanilla | sdft | sdft − vanilla |"));
  EXPECT_THAT(table, HasSubstr("| sums | target |"));
  EXPECT_THAT(table, Not(HasSubstr("lost"))) << "no task is of a kind that can be lost";
  EXPECT_THAT(table, HasSubstr(read_text(dir_ / "out/seeds.md")));
  EXPECT_NE(results("out/seed-1").at("distill/rewrites.jsonl"),
            results("out/seed-2").at("distill/rewrites.jsonl"));
  EXPECT_EQ(good("run", "out", {"--seeds", "2"}).out, table);
  for (const char* count : {"0", "-1", "two"})
    EXPECT_EQ(stage("run", "out", {"--seeds", count}).exit_code, 2) << count;
}

TEST_F(Stages, WithoutAVariantOfRewritesNothingIsRewritten) {
  good("run", "out", {"baseline=false", "variants=[{name: plain, method: sft}]"});
  EXPECT_FALSE(fs::exists(dir_ / "out/distill"));
  EXPECT_THAT(read_text(dir_ / "out/report.md"), HasSubstr("This is plain fine-tuning itself"));
}

TEST_F(Stages, ChangedDataIsRefusedThenMadeAnew) {
  good("run", "out");
  const auto before = results("out");
  write("train.jsonl", small_dataset(12, 2));
  for (const char* command : {"run", "distill", "train"}) refused(stage(command, "out"), "another content");
  EXPECT_EQ(results("out"), before) << "a refusal changes nothing";
  good("run", "out", {"--fresh"});
  EXPECT_NE(results("out").at("distill/rewrites.jsonl"), before.at("distill/rewrites.jsonl"));
  write("eval.jsonl", small_dataset(6, 51));
  refused(stage("eval", "out"), "the task's examples");
}

TEST_F(Stages, RewritesAreKeptWhenTrainingChanges) {
  good("run", "out");
  const auto written = fs::last_write_time(dir_ / "out/distill/rewrites.jsonl");
  refused(stage("run", "out", {"learning_rate=0.01"}), "learning_rate was 0.0001, is 0.01");
  const CommandResult fresh = good("run", "out", {"learning_rate=0.01", "--fresh"});
  EXPECT_EQ(fs::last_write_time(dir_ / "out/distill/rewrites.jsonl"), written);
  EXPECT_THAT(fresh.err, Not(HasSubstr("distill")));
  EXPECT_THAT(fresh.err, HasSubstr("train sdft"));
}

TEST_F(Stages, AnotherModelOrAdapterIsNotTakenForThisOne) {
  const std::string seed = good("eval", "scores").out;
  refused(stage("eval", "scores", {"adapter_name_or_path=" + adapter()}), "adapter_name_or_path");
  write_small_adapter(*scratch_ / "model", dir_ / "second");
  good("eval", "other", {"adapter_name_or_path=" + path("second")});
  SmallModel another;
  another.seed = 2;
  write_small_model(dir_ / "another", another);
  refused(stage("eval", "scores", {"model_name_or_path=" + path("another")}), "model.safetensors");
}

TEST_F(Stages, TheSeedsAdapterIsUsedByEveryStage) {
  good("distill", "plain", {"temperature=0"});
  good("distill", "adapted", {"temperature=0", "adapter_name_or_path=" + adapter()});
  EXPECT_NE(results("plain").at("distill/rewrites.jsonl"), results("adapted").at("distill/rewrites.jsonl"));
  good("train", "trained", {"adapter_name_or_path=" + adapter()});
  const Json config = read_json(dir_ / "trained/vanilla/adapter/adapter_config.json");
  EXPECT_EQ(config["r"], read_json(fs::path(adapter()) / "adapter_config.json")["r"]);
  for (const char* command : {"distill", "train", "run", "eval"}) {
    const CommandResult missing = stage(command, "none", {"adapter_name_or_path=" + path("nowhere")});
    refused(missing, "nowhere");
    EXPECT_FALSE(fs::exists(dir_ / "none"));
  }
  EXPECT_EQ(stage("train", "full", {"adapter_name_or_path=" + adapter(), "finetuning_type=full"}).exit_code,
            2);
}

// What is wrong is said before the first stage, all at once, and leaves no folder behind.
TEST_F(Stages, EverythingIsCheckedBeforeTheFirstStage) {
  write("wordy.jsonl", "{\"id\": \"w\", \"instruction\": \"a\", \"output\": \"no numeral\"}\n");
  const CommandResult result = stage(
      "run", "out",
      {"lora_target=q_porj", "eval=[{name: a, dataset: " + path("wordy.jsonl") +
                                 ", check: number}, {name: b, dataset: " + path("missing.jsonl") + "}]"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, AllOf(HasSubstr("3 problems"), HasSubstr("q_porj"), HasSubstr("example 'w'"),
                                HasSubstr("missing.jsonl")));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

TEST_F(Stages, ARewriteCannotKeepWhatNoAnswerHas) {
  write("train.jsonl", "{\"instruction\": \"a\", \"output\": \"no numeral\"}\n");
  refused(stage("distill", "out", {"answer_check=number"}), "answer_check");
  refused(stage("distill", "out", {"acceptance=[empty, json]"}), "acceptance than json");
}

// Those that the check finds nothing in are counted and named before anything is generated.
TEST_F(Stages, OriginalsWithoutAnAnswerAreNamed) {
  write("train.jsonl",
        small_dataset(3) + "{\"id\": \"wordy\", \"instruction\": \"a\", \"output\": \"no numeral\"}\n");
  const CommandResult result = stage("distill", "out", {"acceptance=[number, seed_judge:0.9]"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("of 1 of 4 examples"), HasSubstr("(number): wordy")));
  EXPECT_LT(result.err.find("(number): wordy"), result.err.find("distill"));
}

// The content of a list of phrases decides what is accepted; its name alone does not.
TEST_F(Stages, AnEditedListOfPhrasesIsAnotherStage) {
  const std::string list = "acceptance=[banned_phrase:" + path("phrases.txt") + "]";
  write("phrases.txt", "no such words\n");
  EXPECT_EQ(stage("distill", "out", {list}).exit_code, 0);
  EXPECT_EQ(stage("distill", "out", {list}).exit_code, 0);
  write("phrases.txt", "other words\n");
  refused(stage("distill", "out", {list}), "phrases.txt");
}

TEST_F(Stages, PromptsThatAreTooLongAreToldApart) {
  std::string words;
  for (int i = 0; i < 1500; ++i) words += "plus ";
  write("eval.jsonl", small_dataset(3, 50) + Json({{"instruction", words}, {"output", "1"}}).dump() + "\n");
  EXPECT_THAT(good("eval", "out").out, AllOf(HasSubstr("1 of 4 prompts are longer"), HasSubstr("/ 4")));
}

TEST_F(Stages, ATaskThatNothingJudgesIsInTheReport) {
  good("run", "out",
       {"eval=[{name: just texts, kind: target, dataset: " + path("eval.jsonl") + ", check: none}]"});
  EXPECT_THAT(read_text(dir_ / "out/report.md"), HasSubstr("just texts"));
}

TEST_F(Stages, TwoAtOnceInOneFolderAreRefused) {
  good("distill", "out");
  const FolderLock lock(dir_ / "out");
  refused(stage("train", "out"), "another sdft");
}

}  // namespace
}  // namespace sdft::testing
