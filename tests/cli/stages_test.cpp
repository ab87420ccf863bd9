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
#include "model/model.h"
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
  const std::string page = read_text(dir_ / "parts/report.html");
  write_text(dir_ / "parts/timings.tsv", "vanilla\t3600\n");
  EXPECT_THAT(run_command({"report", "output_dir=" + path("parts")}).out, HasSubstr("1 h 00 min"));
  EXPECT_EQ(read_text(dir_ / "parts/report.html"), page) << "times are in no report";
  EXPECT_THAT(page, AllOf(HasSubstr("href=\"distill/rewrites.html\""), HasSubstr("href=\"timings.html\"")));
  EXPECT_THAT(read_text(dir_ / "parts/distill/rewrites.html"), HasSubstr("12 examples"));
  EXPECT_THAT(read_text(dir_ / "parts/timings.html"), HasSubstr("1 h 00 min"));
  const CommandResult again = good("run", "parts");
  EXPECT_THAT(again.err, Not(HasSubstr("steps"))) << "nothing was left to do";
  const CommandResult compared =
      run_command({"report", "--compare", path("whole"), path("parts"), "--output", path("compare.html")});
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
  EXPECT_THAT(compared.out, AllOf(HasSubstr("are the same"), HasSubstr("compare.html")));
  EXPECT_THAT(read_text(dir_ / "compare.html"), HasSubstr("href=\"parts/report.html\""));
  EXPECT_EQ(run_command({"report", "--compare", path("whole")}).exit_code, 2);
  EXPECT_EQ(run_command({"report", "--compare", path("whole"), path("model")}).exit_code, 3);
}

// A folder of 16 bits stays so in memory; everything made from it is as from the same numbers in f32.
TEST_F(Stages, WeightsOf16BitsAreThoseNumbersInF32) {
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    const std::string name = type == at::kHalf ? "f16" : "bf16";
    save_model(load_model(*scratch_ / "model", {"cpu", "f32"}), dir_ / name, *scratch_ / "model", type);
    save_model(load_model(dir_ / name, {"cpu", "f32"}), dir_ / (name + "-wide"), *scratch_ / "model",
               at::kFloat);
    for (const std::string& folder : {name, name + "-wide"})
      good("run", "out-" + folder,
           {"model_name_or_path=" + path(folder), "baseline=false", "watch_steps=1", "max_steps=2",
            "variants=[{name: lora, method: sft}, {name: on-policy, method: on_policy}, "
            "{name: dora, method: sft, use_dora: true, lora_target: [all-linear, embed_tokens, lm_head]}, "
            "{name: head, method: sft, modules_to_save: [lm_head], objective: l2_sp}, "
            "{name: pissa, method: sft, init_lora_weights: pissa, objective: kl_to_seed}, "
            "{name: full, method: sft, finetuning_type: full, objective: l2_sp}, "
            "{name: ewc, method: sft, finetuning_type: full, objective: ewc, fisher_samples: 2, "
            "replay_dataset: " +
                path("train.jsonl") +
                "}, "
                "{name: kept, method: interpolation, after: dora, change_scale: 0.5}, "
                "{name: pruned, method: pruning, after: lora, prune_ratio: 0.2}]"});
    const auto narrow = results("out-" + name), wide = results("out-" + name + "-wide");
    EXPECT_EQ(narrow.size(), wide.size());
    for (const auto& [file, bytes] : wide) {
      if (file.rfind("eval/answers-", 0) == 0) continue;  // named after the model's files
      EXPECT_TRUE(narrow.count(file) && narrow.at(file) == bytes) << name << ": " << file;
    }
    for (const char* variant : {"lora", "dora", "head", "full", "pruned"})
      EXPECT_EQ(read_text(dir_ / ("out-" + name) / variant / "shift.json"),
                read_text(dir_ / ("out-" + name + "-wide") / variant / "shift.json"));
  }
}

// Everything but full fine-tuning over weights of few bits, stage by stage as at once.
TEST_F(Stages, WeightsOfFewBits) {
  for (const char* weights : {"int8", "q4"}) {
    const std::vector<std::string> settings = {
        "baseline=false", "watch_steps=1", "max_steps=2", std::string("weights=") + weights,
        "variants=[{name: lora, method: sft}, {name: on-policy, method: on_policy}, "
        "{name: dora, method: sft, use_dora: true, lora_target: [all-linear, embed_tokens, lm_head]}, "
        "{name: head, method: sft, modules_to_save: [lm_head], objective: l2_sp}, "
        "{name: pissa, method: sft, init_lora_weights: pissa, objective: kl_to_seed}, "
        "{name: kept, method: interpolation, after: dora, change_scale: 0.5}]"};
    const std::string whole = std::string(weights) + "-whole", parts = std::string(weights) + "-parts";
    good("run", whole, settings);
    for (const char* stage : {"train", "eval"}) good(stage, parts, settings);
    EXPECT_EQ(results(whole), results(parts));
  }
  const CommandResult full = stage("train", "full", {"weights=int8", "finetuning_type=full"});
  EXPECT_EQ(full.exit_code, 2);
  EXPECT_THAT(full.err, HasSubstr("int8 holds less than full fine-tuning changes"));
  const CommandResult pruned =
      stage("train", "pruned",
            {"weights=q4", "baseline=false",
             "variants=[{name: lora, method: sft}, {name: pruned, method: pruning, after: lora}]"});
  EXPECT_EQ(pruned.exit_code, 2);
  EXPECT_THAT(pruned.err, HasSubstr("pruning makes a whole model"));
}

// All of a change kept is as far from the seed as the training measured at its end, nothing of it is the
// seed.
TEST_F(Stages, ChangedModelsAreWatched) {
  good("run", "out",
       {"baseline=false", "watch_steps=1", "max_steps=2", "learning_rate=0.01",
        "variants=[{name: plain, method: sft}, {name: all, method: interpolation, after: plain, "
        "change_scale: 1}, "
        "{name: none, method: interpolation, after: plain, change_scale: 0}]"});
  Json last;
  for_each_line(dir_ / "out/plain/metrics.jsonl",
                [&](std::string_view line, size_t) { last = parse_json(line, "metrics"); });
  const Json all = read_json(dir_ / "out/all/watch.json"), none = read_json(dir_ / "out/none/watch.json");
  for (const char* name : {"kl_task", "entropy_task", "length_task"})
    EXPECT_EQ(all[name], last[name]) << name;
  EXPECT_GT(all["kl_task"].get<double>(), 0);
  EXPECT_EQ(none["kl_task"].get<double>(), 0);
  EXPECT_EQ(read_json(dir_ / "out/report.json")["watches"].size(), 3u);
}

TEST_F(Stages, WhatAWatchMeasuredBelongsToItsSettings) {
  auto run = [&](const std::string& samples) {
    return stage("run", "out",
                 {"baseline=false", "max_steps=2", "watch_steps=1", "watch_samples=" + samples,
                  "variants=[{name: plain, method: sft, watch_samples: 2}, "
                  "{name: half, method: interpolation, after: plain, change_scale: 0.5}]"});
  };
  EXPECT_EQ(run("2").exit_code, 0);
  refused(run("3"), "watch_samples was 2, is 3");
}

TEST_F(Stages, TrainingAloneTakesTheAnswersOfTheDataset) {
  const CommandResult result = good("train", "alone");
  EXPECT_THAT(result.out, HasSubstr("alone/vanilla/adapter"));
  EXPECT_THAT(result.err, HasSubstr("no rewrites for sdft"));
  refused(stage("train", "alone", {"--variant", "sdft"}), "sdft distill");
}

// A share of the examples is held back; the loss on it ends the training and says which parameters stay.
TEST_F(Stages, HeldBackExamplesEndTheTraining) {
  const std::vector<std::string> settings = {"val_size=0.3",
                                             "eval_steps=1",
                                             "early_stopping_patience=1",
                                             "learning_rate=0.3",
                                             "max_steps=40",
                                             "load_best_model_at_end=true",
                                             "lora_dropout=0",
                                             "lr_scheduler_type=constant"};
  const CommandResult result = good("train", "held", settings);
  EXPECT_THAT(result.err, AllOf(HasSubstr("lowest validation loss"), HasSubstr("stopped after step")));
  const fs::path dir = dir_ / "held" / "vanilla";
  size_t steps = 0;
  for_each_line(dir / "metrics.jsonl", [&](std::string_view line, size_t) {
    ++steps;
    EXPECT_TRUE(parse_json(line, "metrics").contains("validation_loss"));
  });
  EXPECT_LT(steps, 40u);
  const Json samples = read_json(dir / "samples.json"), shift = read_json(dir / "shift.json");
  EXPECT_GT(samples["held_back"].get<int>(), 0);
  EXPECT_EQ(samples["samples"].get<int>() + samples["held_back"].get<int>(), 12);
  EXPECT_EQ(for_each_line(dir / "train.jsonl", [](std::string_view, size_t) {}),
            samples["samples"].get<size_t>());
  EXPECT_GT(shift["total"].get<double>(), 0);
  EXPECT_EQ(shift["modules"][0]["module"], "q_proj");
  for (const auto& entry : fs::directory_iterator(dir))
    EXPECT_NE(entry.path().filename().string().rfind("best-", 0), 0u) << entry.path();
  refused(stage("train", "none", {"val_size=0.000001"}), "holds back 0 of 12 examples");
  EXPECT_FALSE(fs::exists(dir_ / "none"));
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

TEST_F(Stages, ASweepEndsInATable) {
  const std::string table = good("sweep", "out", {"--seeds", "2", "--over", "lora_rank=2,4"}).out;
  EXPECT_THAT(table, AllOf(HasSubstr("lora_rank"), HasSubstr("target"), HasSubstr("sweep.html")));
  const auto made = results("out");
  EXPECT_TRUE(made.count("sdft,lora_rank=4,seed=2/adapter/adapter_model.safetensors"));
  EXPECT_TRUE(made.count("vanilla,lora_rank=2,seed=1/adapter/adapter_model.safetensors"));
  EXPECT_NE(made.at("distill,seed=1/distilled.jsonl"), made.at("distill,seed=2/distilled.jsonl"));
  EXPECT_EQ(std::count_if(made.begin(), made.end(),
                          [](const auto& file) { return file.first.rfind("drafts/", 0) == 0; }),
            2)
      << "one a seed, whatever the rank";
  const Json sweep = read_json(dir_ / "out/sweep.json");
  EXPECT_EQ(sweep["runs"].size(), 8u);
  EXPECT_EQ(good("sweep", "out", {"--seeds", "2", "--over", "lora_rank=2,4"}).out, table);
  for (const char* count : {"0", "-1", "two"})
    EXPECT_EQ(stage("sweep", "out", {"--seeds", count}).exit_code, 2) << count;
  EXPECT_EQ(stage("sweep", "out", {"--over", "seed"}).exit_code, 2);
  // No variant of a grid is the others' baseline; the report command writes the table too.
  EXPECT_EQ(read_json(dir_ / "out/report.json")["baseline"], "");
  fs::remove(dir_ / "out/sweep.json");
  EXPECT_THAT(run_command({"report", "output_dir=" + path("out")}).out, HasSubstr("lora_rank"));
  EXPECT_TRUE(fs::exists(dir_ / "out/sweep.json"));
}

// Stage by stage a chain grows a link at a time; what is not ready yet is named.
TEST_F(Stages, AChainByHandGoesOnFromLinkToLink) {
  write("second.jsonl", small_dataset(12, 100));
  const std::string tasks = "continual=[{name: first, dataset: " + path("train.jsonl") +
                            "}, {name: second, dataset: " + path("second.jsonl") + "}]";
  good("run", "whole", {tasks});
  EXPECT_THAT(good("distill", "parts", {tasks}).err, HasSubstr("sdft,stage=2-second is rewritten for when"));
  EXPECT_THAT(good("train", "parts", {tasks}).err, HasSubstr("no rewrites for sdft,stage=2-second"));
  good("distill", "parts", {tasks});
  good("train", "parts", {tasks});
  good("eval", "parts", {tasks});
  auto whole = results("whole");
  EXPECT_EQ(whole, results("parts"));
  refused(stage("train", "none", {tasks, "--variant", "sdft,stage=2-second"}), "no finished rewrites");
  refused(stage("train", "none", {tasks, "--variant", "vanilla,stage=2-second"}), "is not trained");
}

// What a variant does not do is not asked of its data.
TEST_F(Stages, AVariantOfPlainAnswersNeedsNoneThatCanBeKept) {
  write("words.jsonl", "{\"instruction\": \"a\", \"output\": \"no numeral\"}\n");
  good("run", "out",
       {"baseline=false", "answer_check=number",
        "variants=[{name: plain, method: sft, dataset: " + path("words.jsonl") +
            "}, {name: ours, method: self_distillation}]"});
  EXPECT_EQ(stage("train", "other",
                  {"baseline=false", "sweep.distill_template=chat_distill_using,chat_distill_refer",
                   "--variant", "vanilla"})
                .exit_code,
            0);
}

TEST_F(Stages, AVariantThatFailsLeavesTheOthers) {
  const CommandResult result = stage("run", "out",
                                     {"baseline=false", "probe_samples=4", "answer_check=number",
                                      "variants=[{name: bad, method: self_distillation}, "
                                      "{name: later, method: sft, after: bad}, {name: plain, method: sft}]"});
  refused(result, "none of the first 4 rewrites was accepted");
  EXPECT_THAT(result.err, AllOf(HasSubstr("bad: distill"),
                                HasSubstr("later: 'bad', which it goes on from: was not made")));
  EXPECT_TRUE(results("out").count("eval/plain/sums/scores.jsonl")) << result.err;
  EXPECT_FALSE(fs::exists(dir_ / "out/DONE"));
  for (const char* page : {"out/report.md", "out/report.html"})
    EXPECT_THAT(read_text(dir_ / page),
                AllOf(HasSubstr("bad was not made: "), HasSubstr("later was not made: ")));
  good("train", "out",
       {"baseline=false", "probe_samples=0", "variants=[{name: bad, method: sft}]", "--fresh"});
  EXPECT_THAT(read_text(dir_ / "out/failed.json"),
              AllOf(Not(HasSubstr("bad\": \"distill")), HasSubstr("later")));
}

// What a teacher would not see whole is said before anything is made.
TEST_F(Stages, ATeachersPromptMustFit) {
  std::string words;
  for (int i = 0; i < 3000; ++i) words += "plus ";
  write("long.jsonl",
        small_dataset(3) + "{\"id\": \"long one\", \"instruction\": \"a\", \"output\": \"" + words + "\"}\n");
  const std::string variants = "variants=[{name: taught, method: on_policy}]";
  refused(stage("run", "out", {"baseline=false", variants, "dataset=" + path("long.jsonl")}), "long one");
  EXPECT_FALSE(fs::exists(dir_ / "out/taught"));
  const CommandResult template_fault =
      stage("run", "out", {"baseline=false", variants, "teacher_template=chat"});
  EXPECT_EQ(template_fault.exit_code, 2) << template_fault.err;
  EXPECT_THAT(template_fault.err, HasSubstr("teacher_template"));
  const CommandResult too_many =
      stage("run", "out",
            {"baseline=false", variants, "distillation_mode=topk_logits", "distillation_topk=100000"});
  EXPECT_EQ(too_many.exit_code, 2) << too_many.err;
  EXPECT_THAT(too_many.err, HasSubstr("distillation_topk: 100000, but the vocabulary has"));
}

TEST_F(Stages, ASkippedRecordMayBeAnything) {
  write("train.jsonl", small_dataset(12) + "{\"instruction\": \"a\xff\", \"output\": \"b\"}\n");
  EXPECT_THAT(good("run", "out", {"skip_bad=true"}).err, HasSubstr("1 of 13 records were skipped"));
}

TEST_F(Stages, AKeyOfASweepIsGivenOnce) {
  for (const std::vector<std::string>& twice :
       {std::vector<std::string>{"--over", "seed=1", "--over", "seed=2"},
        {"--over", "seed=1", "--seeds", "2"}}) {
    const CommandResult result = stage("sweep", "out", twice);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr("'seed' is given twice"));
  }
}

// What was measured while the variants were trained reaches both reports.
TEST_F(Stages, AWatchedSweepTellsHowFarFromTheSeed) {
  const std::string tasks = "eval=[{name: sums, kind: target, dataset: " + path("eval.jsonl") +
                            ", check: number}, {name: others, dataset: " + path("train.jsonl") +
                            ", check: number}]";
  good("sweep", "out",
       {"baseline=false", tasks, "watch_steps=1", "watch_samples=2", "max_new_tokens=4", "--seeds", "2",
        "variants=[{name: anchored, method: sft, objective: kl_to_seed, divergence: reverse}, "
        "{name: taught, method: on_policy, teacher_template: chat_distill_using}]"});
  const Json report = read_json(dir_ / "out/report.json"), sweep = read_json(dir_ / "out/sweep.json");
  ASSERT_EQ(report["watches"].size(), 4u);
  EXPECT_EQ(report["watches"][0]["prompts"][1]["name"], "retained");
  EXPECT_EQ(sweep["learning"].size(), 2u);
  for (const Json& run : sweep["runs"])
    for (const char* measure : {"kl_task", "kl_retained", "train tokens"})
      EXPECT_TRUE(run["measures"][measure].is_number()) << measure;
  for (const char* file : {"out/report.md", "out/sweep.md"})
    EXPECT_THAT(read_text(dir_ / file),
                AllOf(HasSubstr("reverse: KL(student"), HasSubstr("forward: KL(teacher")))
        << file;
}

// A plain run does not keep the table of a sweep that was there before.
TEST_F(Stages, TheTableOfAnotherSweepGoes) {
  good("sweep", "out", {"--seeds", "1"});
  EXPECT_TRUE(fs::exists(dir_ / "out/sweep.json"));
  good("run", "out");
  EXPECT_FALSE(fs::exists(dir_ / "out/sweep.json"));
}

// Each link of the chain starts from the one before, and is rewritten by it.
TEST_F(Stages, AContinualRunGoesFromTaskToTask) {
  write("second.jsonl", small_dataset(12, 100));
  const std::string tasks = "continual=[{name: first, dataset: " + path("train.jsonl") +
                            "}, {name: second, dataset: " + path("second.jsonl") + "}]";
  EXPECT_THAT(good("run", "out", {tasks}).out, HasSubstr("stage"));
  const auto made = results("out");
  const std::string first = "sdft,stage=1-first", second = "sdft,stage=2-second";
  for (const std::string& name : {first, second})
    EXPECT_TRUE(made.count("eval/" + name + "/sums/scores.jsonl")) << name;
  // The first is what it is alone, and the second goes on with its adapter.
  good("run", "alone");
  EXPECT_EQ(made.at(first + "/adapter/adapter_model.safetensors"),
            results("alone").at("sdft/adapter/adapter_model.safetensors"));
  good("run", "by_hand",
       {"adapter_name_or_path=" + path("alone/sdft/adapter"), "dataset=" + path("second.jsonl")});
  EXPECT_EQ(made.at(second + "/adapter/adapter_model.safetensors"),
            results("by_hand").at("sdft/adapter/adapter_model.safetensors"));
  // Or the seed rewrites every task, and none has to wait for it.
  good("distill", "seeds", {tasks, "rewriter=seed"});
  good("distill", "second", {"dataset=" + path("second.jsonl")});
  std::vector<std::string> rewritten;
  for (const auto& [name, text] : results("seeds"))
    if (name.find("distilled.jsonl") != name.npos) rewritten.push_back(text);
  EXPECT_THAT(rewritten, ::testing::UnorderedElementsAre(made.at("distill/distilled.jsonl"),
                                                         results("second").at("distill/distilled.jsonl")));
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
  EXPECT_NE(results("out").at("distill/distilled.jsonl"), before.at("distill/distilled.jsonl"));
  write("eval.jsonl", small_dataset(6, 51));
  refused(stage("eval", "out"), "the task's examples");
}

TEST_F(Stages, RewritesAreKeptWhenTrainingChanges) {
  good("run", "out");
  const auto written = fs::last_write_time(dir_ / "out/distill/distilled.jsonl");
  refused(stage("run", "out", {"learning_rate=0.01"}), "learning_rate was 0.0001, is 0.01");
  const CommandResult fresh = good("run", "out", {"learning_rate=0.01", "--fresh"});
  EXPECT_EQ(fs::last_write_time(dir_ / "out/distill/distilled.jsonl"), written);
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
  EXPECT_NE(results("plain").at("distill/distilled.jsonl"), results("adapted").at("distill/distilled.jsonl"));
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
  EXPECT_THAT(good("eval", "out").out,
              AllOf(HasSubstr("seed: 1 unanswered (prompt_too_long)"), HasSubstr("accuracy  3 ")));
}

TEST_F(Stages, RewritingPromptsThatAreTooLongAreNamedBeforehand) {
  std::string words;
  for (int i = 0; i < 1500; ++i) words += "plus ";
  const std::string longer = Json({{"id", "longest"}, {"instruction", words}, {"output", "1"}}).dump() + "\n";
  write("train.jsonl", small_dataset(3) + longer);
  const CommandResult result = good("distill", "out");
  EXPECT_THAT(result.err, HasSubstr("1 of 4 rewriting prompts are longer"));
  EXPECT_THAT(result.err, HasSubstr("longest"));
  EXPECT_LT(result.err.find("rewriting prompts are longer"), result.err.find("distill "));
  write("train.jsonl", longer);
  refused(stage("distill", "none"), "every rewriting prompt is longer");
  EXPECT_FALSE(fs::exists(dir_ / "none"));
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
