// What users get wrong and machines break: each is a clear error or a counted, named case, and never a crash.
#include "cli/bad_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"

namespace sdft::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(BadInput, ModelFolderMissingOrEmpty) {
  expect_input_error(generate("nowhere"), {"nowhere"});
  fs::create_directories(dir_ / "empty");
  expect_input_error(generate("empty"), {"empty"});
}

TEST_F(BadInput, WeightsMissing) {
  fs::remove(dir_ / "model" / "model.safetensors");
  expect_input_error(generate("model"), {"model", "safetensors"});
}

TEST_F(BadInput, WeightsTruncatedAnywhere) {
  const std::string whole = read_text(dir_ / "model" / "model.safetensors");
  for (size_t size : {size_t{0}, size_t{5}, size_t{8}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    file("model/model.safetensors", whole.substr(0, size));
    const CommandResult result = generate("model");
    expect_input_error(result, {"model.safetensors"});
    EXPECT_EQ(result.signal, 0);
  }
}

TEST_F(BadInput, WeightsOfAnotherShape) {
  SmallModel wide;
  wide.width = 64;
  write_small_model(dir_ / "wide", wide);
  fs::copy_file(dir_ / "wide" / "model.safetensors", dir_ / "model" / "model.safetensors",
                fs::copy_options::overwrite_existing);
  expect_input_error(generate("model"), {"model.embed_tokens.weight", "64"});
}

TEST_F(BadInput, ConfigOfAnUnknownArchitecture) {
  Json config = read_json(dir_ / "model" / "config.json");
  config["architectures"] = {"MambaForCausalLM"};
  file("model/config.json", config.dump());
  expect_input_error(generate("model"), {"MambaForCausalLM", "LlamaForCausalLM"});
}

TEST_F(BadInput, ConfigBroken) {
  file("model/config.json", "{\"architectures\": [");
  expect_input_error(generate("model"), {"config.json"});
  file(
      "model/config.json",
      R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": "big", "num_hidden_layers": -1})");
  expect_input_error(generate("model"), {"config.json", "hidden_size"});
}

TEST_F(BadInput, TokenizerMissingOrBroken) {
  file("model/tokenizer.json", "{}");
  expect_input_error(generate("model"), {"tokenizer.json"});
  fs::remove(dir_ / "model" / "tokenizer.json");
  expect_input_error(generate("model"), {"tokenizer"});
}

TEST_F(BadInput, VocabularyLargerThanTheEmbedding) {
  Json tokenizer = read_json(dir_ / "model" / "tokenizer.json");
  tokenizer["model"]["vocab"]["<more>"] = 4000;
  file("model/tokenizer.json", tokenizer.dump());
  expect_input_error(generate("model"), {"4001", "embedding"});
}

// Published models pad their embedding; what such rows would say has no text.
TEST_F(BadInput, VocabularySmallerThanTheEmbedding) {
  SmallModel options;
  options.spare_rows = 3000;
  write_small_model(dir_ / "model", options);
  for (const char* mode : {"--json", "--raw"}) {
    const CommandResult result =
        run_command({"generate", "--model", path("model"), "--prompt", "What is 1 plus 2?",
                     "--max_new_tokens", "32", "--temperature", "5", mode});
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
  const CommandResult ids = run_command({"tokenize", "--model", path("model"), "--decode"}, "[1, 3000]\n");
  expect_input_error(ids, {"3000"});
}

TEST_F(BadInput, TokenizerWithoutTheTokensItsTemplateNames) {
  Json config = read_json(dir_ / "model" / "tokenizer_config.json");
  config["bos_token"] = "<begin>";
  file("model/tokenizer_config.json", config.dump());
  expect_input_error(generate("model"), {"tokenizer_config.json", "bos_token", "<begin>"});
  config.erase("bos_token");
  file("model/tokenizer_config.json", config.dump());
  expect_input_error(generate("model"), {"tokenizer_config.json", "1:", "bos_token", "does not define"});
  config["chat_template"] = "{% for m in messages %}<|user|>{{ m.content }}<end>{% endfor %}<|assistant|>";
  file("model/tokenizer_config.json", config.dump());
  const CommandResult apart = generate("model");
  EXPECT_EQ(apart.exit_code, 0);
  EXPECT_THAT(apart.err, HasSubstr("<|assistant|>, <|user|>"));
}

TEST_F(BadInput, QuantisedWeightsAreRefusedByName) {
  const std::string whole = read_text(dir_ / "model" / "model.safetensors");
  std::string other = whole;
  other.replace(whole.find("\"F32\""), 5, "\"I32\"");
  file("model/model.safetensors", other);
  expect_input_error(generate("model"), {"model.", "whole numbers", "quantised"});
  other = whole;
  other.replace(whole.find("\"F32\""), 5, "\"F99\"");
  file("model/model.safetensors", other);
  expect_input_error(generate("model"), {"model.safetensors", "F99"});
  file("model/model.safetensors", whole);
  Json config = read_json(dir_ / "model" / "config.json");
  config["quantization_config"] = {{"quant_method", "fp8"}};
  file("model/config.json", config.dump());
  expect_input_error(generate("model"), {"config.json", "quantization_config"});
}

TEST_F(BadInput, WeightsWithoutAPlaceAreNamed) {
  Json config = read_json(dir_ / "model" / "config.json");
  config["num_hidden_layers"] = 1;
  file("model/config.json", config.dump());
  const CommandResult result = generate("model");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("9 tensors"));
  EXPECT_THAT(result.err, HasSubstr("model.layers.1."));
}

TEST_F(BadInput, ChatTemplateBrokenOrRaising) {
  Json config = read_json(dir_ / "model" / "tokenizer_config.json");
  config["chat_template"] = "{% for m in messages %}\n{{ m.content }";
  file("model/tokenizer_config.json", config.dump());
  expect_input_error(generate("model"), {"tokenizer_config.json"});
  config["chat_template"] = "{{ raise_exception('only tools here') }}";
  file("model/tokenizer_config.json", config.dump());
  expect_input_error(generate("model"), {"only tools here"});
}

TEST_F(BadInput, AdapterOfAnotherModel) {
  SmallModel wide;
  wide.width = 64;
  write_small_model(dir_ / "wide", wide);
  write_small_adapter(dir_ / "wide", dir_ / "adapter");
  const std::vector<std::vector<std::string>> commands = {
      {"generate", "--prompt", "a"}, {"score", "--data", path("d.jsonl")}, {"merge", "--output", path("m")}};
  for (std::vector<std::string> args : commands) {
    args.insert(args.end(), {"--model", path("model"), "--adapter", path("adapter")});
    expect_input_error(run_command(args), {"another model", "64", "32"});
  }
  expect_input_error(
      run_command({"generate", "--prompt", "a", "--model", path("model"), "--adapter", path("model")}),
      {"adapter_config.json"});
}

TEST_F(BadInput, EveryBadRecordIsReportedAtOnce) {
  const std::string data = file("bad.jsonl",
                                "{\"instruction\": \"a\", \"output\": \"b\", \"id\": \"x\"}\n"
                                "{broken\n"
                                "{\"instruction\": \"a\"}\n"
                                "{\"instruction\": \"a\", \"output\": \"\"}\n"
                                "{\"instruction\": \"a\", \"output\": 17}\n"
                                "{\"instruction\": \"a\", \"output\": \"b\", \"id\": \"x\"}\n");
  expect_input_error(train(data), {"bad.jsonl:2", "bad.jsonl:3", "output", "bad.jsonl:4", "empty",
                                   "bad.jsonl:5", "bad.jsonl:6", "'x'"});
  EXPECT_FALSE(fs::exists(dir_ / "out" / "adapter"));
  const CommandResult result = run_command({"score", "--model", path("model"), "--data", data, "--skip_bad"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lines_of(result.out).size(), 1u);
  EXPECT_THAT(result.err, AllOf(HasSubstr("bad.jsonl:2"), HasSubstr("bad.jsonl:6")));
}

TEST_F(BadInput, DatasetMissingEmptyOrOfUnknownKind) {
  expect_input_error(train(path("none.jsonl")), {"none.jsonl"});
  expect_input_error(train(file("empty.jsonl", "")), {"empty.jsonl"});
  expect_input_error(train(file("d.pdf", "x")), {".pdf"});
}

TEST_F(BadInput, AllProblemsOfARecipeAtOnce) {
  const std::string recipe = file("r.yaml", "learning_rte: 1e-4\nlora_rank: many\ntop_p: 7\n");
  const CommandResult result = run_command({"run", "--recipe", recipe, "num_train_epoch=2"});
  expect_usage_error(result, {"learning_rte", "did you mean 'learning_rate'", "lora_rank", "many", "top_p",
                              "num_train_epoch", "did you mean 'num_train_epochs'"});
  expect_usage_error(run_command({"run", "--recipe", file("bad.yaml", "a: [1\nb: 2")}), {"bad.yaml"});
  expect_input_error(run_command({"run", "--recipe", path("no.yaml")}), {"no.yaml"});
}

TEST_F(BadInput, DeviceThatIsNotThere) {
  const CommandResult result =
      run_command({"generate", "--model", path("model"), "--prompt", "a", "--device", "quantum"});
  EXPECT_TRUE(result.exit_code == 2 || result.exit_code == 4) << result.exit_code;
  EXPECT_THAT(result.err, HasSubstr("quantum"));
}

TEST_F(BadInput, EveryHelpEndsWithExamples) {
  for (const char* command : {"run", "distill", "train", "eval", "report", "demo", "generate", "chat",
                              "score", "tokenize", "render", "preview", "merge", "inspect", "convert"}) {
    const CommandResult result = run_command({command, "--help"});
    EXPECT_EQ(result.exit_code, 0) << command;
    const size_t examples = result.out.find("Examples:\n");
    ASSERT_NE(examples, std::string::npos) << command;
    EXPECT_THAT(result.out.substr(examples), HasSubstr(std::string("sdft ") + command));
  }
  EXPECT_EQ(run_command({"--help"}).exit_code, 0);
  EXPECT_EQ(run_command({"--version"}).exit_code, 0);
}

TEST_F(BadInput, InstructionSetThatIsNotThere) {
  ::setenv("SDFT_ISA", "avx513", 1);
  const CommandResult wrong = run_command({"--version"});
  ::setenv("SDFT_ISA", "baseline", 1);
  const CommandResult right = run_command({"--version"});
  ::unsetenv("SDFT_ISA");
  expect_usage_error(wrong, {"SDFT_ISA", "'avx513'", "aten, onednn, baseline"});
  EXPECT_EQ(right.exit_code, 0);
  EXPECT_THAT(right.out, HasSubstr("baseline"));
  EXPECT_THAT(right.out, Not(HasSubstr("avx")));
}

TEST_F(BadInput, FullDisk) {
  const fs::path mount = dir_ / "small disk";
  fs::create_directories(mount);
  if (::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=16k") != 0)
    GTEST_SKIP() << "needs to be root to make a small disk";
  const CommandResult result = train(path("d.jsonl"), {"output_dir=" + (mount / "out").string()});
  const CommandResult merged = [&] {
    write_small_adapter(dir_ / "model", dir_ / "adapter");
    return run_command({"merge", "--model", path("model"), "--adapter", path("adapter"), "--output",
                        (mount / "m").string()});
  }();
  ::umount2(mount.c_str(), MNT_DETACH);
  expect_input_error(result, {"small disk", "No space left"});
  expect_input_error(merged, {"small disk", "No space left"});
}

// --- killed anywhere
// -------------------------------------------------------------------------------------------------

class KilledRun : public BadInput {
 protected:
  std::string recipe() {
    write_text(dir_ / "eval.jsonl", small_dataset(8, 50));
    SmallModel roomy;  // enough for the rewriting prompts
    roomy.context = 1024;
    write_small_model(dir_ / "roomy", roomy);
    return file(
        "r.yaml",
        "model_name_or_path: " + path("roomy") + "\ndataset: " + file("train.jsonl", small_dataset(24)) +
            "\nbaseline: true\nmax_new_tokens: 24\nnum_train_epochs: 3\nsave_steps: 4\nlearning_rate: 1e-2\n"
            "eval:\n  - {name: sums, kind: target, dataset: " +
            path("eval.jsonl") + ", check: number}\n");
  }
  // The same with these variants, each a line of a YAML list.
  std::string recipe_of(const std::string& variants) {
    std::string text = read_text(recipe());
    const std::string short_form = "baseline: true\n";
    text.replace(text.find(short_form), short_form.size(), "variants:\n" + variants);
    write_text(path("r.yaml"), text);
    return path("r.yaml");
  }
  // Every file of the run directory that must not depend on how often it was stopped.
  std::map<std::string, std::string> bytes_of(const fs::path& dir) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(dir)) {
      const std::string name = entry.path().filename().string();
      if (!entry.is_regular_file() || name == "recipe.yaml" || name == "metrics.jsonl" ||
          name == "timings.tsv" || name == "timings.html" || name.rfind("report.", 0) == 0)
        continue;
      all[entry.path().lexically_relative(dir).string()] = read_text(entry.path());
    }
    for (const auto& entry : fs::recursive_directory_iterator(dir)) {
      if (entry.path().filename() != "metrics.jsonl") continue;
      std::string& kept = all[entry.path().lexically_relative(dir).string()];
      for_each_line(entry.path(), [&](std::string_view line, size_t) {
        Json json = parse_json(line, "metrics");
        json.erase("tokens_per_second");
        kept += json.dump() + "\n";
      });
    }
    return all;
  }

  void goes_on(const std::string& file, const std::string& made) {
    const auto started = std::chrono::steady_clock::now();
    const CommandResult whole = run_command({"run", "--recipe", file, "--output_dir", path("whole")});
    ASSERT_EQ(whole.exit_code, 0) << whole.err;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    const auto expected = bytes_of(dir_ / "whole");
    ASSERT_TRUE(expected.count(made));
    int kills = 0;
    for (int i = 1; i <= 40; ++i) {
      Command command({"run", "--recipe", file, "--output_dir", path("killed")});
      if (i < 40 && !command.run_for(seconds * (0.15 + 0.02 * i))) {
        command.kill(SIGKILL);
        if (command.wait().signal == SIGKILL) {
          ++kills;
          continue;
        }
        break;  // it had ended by itself; what it left is looked at below
      }
      const CommandResult last = command.wait();
      ASSERT_EQ(last.exit_code, 0) << last.err;
      break;
    }
    EXPECT_GT(kills, 0);
    const auto found = bytes_of(dir_ / "killed");
    for (const auto& [name, bytes] : expected) {
      ASSERT_TRUE(found.count(name)) << name;
      EXPECT_TRUE(found.at(name) == bytes) << name << " differs";
    }
    for (const auto& [name, bytes] : found) EXPECT_TRUE(expected.count(name)) << name << " is left";
  }
};

TEST_F(KilledRun, GoesOnAndEndsWithTheSameBytes) {
  goes_on(recipe(), "sdft/adapter/adapter_model.safetensors");
}

// A continual run for each value of a sweep, with several candidates and a validation.
TEST_F(KilledRun, SweepsAndContinualRunsGoOnToo) {
  const std::string more =
      "num_candidates: 2\nval_size: 0.2\nload_best_model_at_end: true\nsweep: {lora_rank: [2, 4]}\n"
      "continual:\n  - {name: one, dataset: " +
      path("train.jsonl") + "}\n  - {name: two, dataset: " + file("two.jsonl", small_dataset(16, 90)) + "}\n";
  write_text(recipe(), read_text(recipe()) + more);
  goes_on(path("r.yaml"), "sdft,lora_rank=4,stage=2-two/adapter/adapter_model.safetensors");
}

// On-policy training writes its own data, and an averaged teacher is a part of its state.
TEST_F(KilledRun, OnPolicyTrainingGoesOnToo) {
  goes_on(recipe_of("  - {name: ours, method: self_distillation}\n"
                    "  - {name: ema, method: on_policy, teacher_model_kind: ema}\n"
                    "  - {name: full, method: on_policy, finetuning_type: full, teacher_model_kind: ema, "
                    "learning_rate: 1e-3}\n"
                    "  - {name: then, method: on_policy, after: ours, distillation_mode: topk_logits}\n"
                    "  - {name: thrice, method: on_policy, num_iterations: 3}\n"),
          "thrice/adapter/adapter_model.safetensors");
}

// What else has a state of its own: a snapshot of the student, what the seed makes up, a changed model.
TEST_F(KilledRun, ObjectivesReplayAndChangesGoOnToo) {
  const std::string replay = file("replay.jsonl", small_dataset(40, 200));
  // Of a model of random weights few texts end by themselves.
  goes_on(recipe_of(
              "  - {name: near, method: sft, objective: psft, proximal_steps: 3}\n"
              "  - {name: own, method: sft, max_steps: 3, replay_source: own_answers, replay_fraction: 1.5, "
              "replay_dataset: " +
              replay +
              "}\n"
              "  - {name: dialogue, method: sft, max_steps: 3, replay_source: self_dialogue, "
              "replay_fraction: 20}\n"
              "  - {name: kept, method: sft, finetuning_type: full, objective: ewc, anchor_weight: 100, "
              "max_steps: 6, fisher_samples: 8, replay_fraction: 0, replay_dataset: " +
              replay +
              "}\n"
              "  - {name: half, method: interpolation, after: near}\n"
              "  - {name: less, method: pruning, after: near}\n"
              "  - {name: kept-less, method: interpolation, after: kept, finetuning_type: full}\n"),
          "kept-less/model/model.safetensors");
}

TEST_F(KilledRun, AnotherRecipeIsRefused) {
  const std::string file = recipe();
  ASSERT_EQ(run_command({"run", "--recipe", file, "--output_dir", path("out")}).exit_code, 0);
  expect_input_error(
      run_command({"run", "--recipe", file, "--output_dir", path("out"), "learning_rate=1e-3"}),
      {"learning_rate"});
  const CommandResult json = run_command({"inspect", path("out"), "--json"});
  ASSERT_EQ(json.exit_code, 0) << json.err;
  const Json overview = parse_json(json.out, "overview");
  EXPECT_EQ(overview["kind"], "run");
  EXPECT_EQ(overview["done"], true);
  EXPECT_EQ(overview["stages"]["distill"]["distilled.jsonl"], 24);
}

TEST_F(BadInput, SampleLongerThanTheContext) {
  std::string words;
  for (int i = 0; i < 200; ++i) words += "plus ";
  const std::string data = file(
      "long.jsonl",
      small_dataset(3) + Json({{"id", "long one"}, {"instruction", "a"}, {"output", words}}).dump() + "\n");
  const CommandResult cut = train(data);
  EXPECT_EQ(cut.exit_code, 0) << cut.err;
  EXPECT_THAT(cut.err, AllOf(HasSubstr("1 of 4"), HasSubstr("192 tokens"), HasSubstr("samples.json")));
  EXPECT_THAT(read_text(dir_ / "out" / "vanilla" / "samples.json"), HasSubstr("long one"));
}

// All at once, before anything is generated.
TEST_F(BadInput, ChecksThatAreNoneOrHaveBadArguments) {
  auto distill = [&](const std::vector<std::string>& settings) {
    std::vector<std::string> args = {"distill",       "--model_name_or_path", path("model"), "--dataset",
                                     path("d.jsonl"), "--output_dir",         path("out")};
    args.insert(args.end(), settings.begin(), settings.end());
    return run_command(args);
  };
  expect_usage_error(
      distill({"acceptance=[empty, similarty:0.5, length_ratio, 'length_ratio:4-1', 'regex:(', "
               "'banned_phrase:" +
                   path("nowhere.txt") + "', 'number:5', language]",
               "answer_check=refusal"}),
      {"7 problems", "'similarty'", "did you mean 'similarity'?", "length_ratio:LOW-HIGH", "0.3-4",
       "regex '('", "nowhere.txt", "takes no argument", "'refusal' cannot stand here"});
  expect_usage_error(distill({"--acceptance", "none", "--answer_check", "regex"}), {"regex:PATTERN"});
  expect_usage_error(distill({"acceptance=[banned_phrase:" + file("p.txt", "a\n[qq]\n") + "]"}),
                     {"p.txt:2", "qq"});
  expect_usage_error(distill({"eval=[{name: a, dataset: " + path("d.jsonl") + ", check: 'similarity:2'}]"}),
                     {"cannot stand here"});
  EXPECT_FALSE(fs::exists(dir_ / "out"));
  EXPECT_THAT(run_command({"preview", "--help"}).out,
              AllOf(HasSubstr("length_ratio:LOW-HIGH"), HasSubstr("seed_judge:MIN")));
}

TEST_F(BadInput, UnknownFlagsAndCommandsGetSuggestions) {
  expect_usage_error(
      run_command({"train", "--learning_rte", "1", "--sead=2"}),
      {"--learning_rte; did you mean --learning_rate?", "--sead; did you mean --seed?", "sdft train --help"});
  expect_usage_error(run_command({"generat"}), {"unknown command generat; did you mean generate?"});
  expect_usage_error(run_command({"--vresion"}), {"--version"});
  expect_usage_error(run_command({}), {"a command is missing"});
  expect_usage_error(run_command({"generate"}), {"--model", "sdft generate --help"});
  expect_usage_error(run_command({"generate", "--model", path("model"), "--prompt", "a", "--top_k", "few"}),
                     {"--top_k", "few"});
  expect_usage_error(
      run_command({"generate", "--model", path("model"), "--prompt", "a", "--template", "alpca"}),
      {"alpca", "alpaca"});
}

TEST_F(BadInput, HelpIsNoAnswerToUnknownWords) {
  expect_usage_error(run_command({"nosuchcommand", "--help"}), {"unknown command nosuchcommand"});
  expect_usage_error(run_command({"generat", "--help"}), {"did you mean generate?"});
  expect_usage_error(run_command({"--nosuch", "--help"}), {"unknown flag --nosuch"});
  expect_usage_error(run_command({"--help", "nosuch"}), {"unknown command nosuch"});
  expect_usage_error(run_command({"run", "nosuch", "--help"}), {"'nosuch'", "key=value", "sdft run --help"});
  expect_usage_error(run_command({"run", "--nosuch", "--help"}), {"unknown flag --nosuch"});
  expect_usage_error(run_command({"generate", "nosuch", "--help"}), {"'nosuch'"});
  EXPECT_EQ(run_command({"run", "seed=1", "--help"}).exit_code, 0);
}

TEST_F(BadInput, OutputThatCannotBeWrittenIsAnError) {
  const std::vector<std::vector<std::string>> commands = {
      {"--help"},
      {"--version"},
      {"run", "--help"},
      {"inspect", path("model")},
      {"generate", "--model", path("model"), "--prompt", "a", "--max_new_tokens", "2"}};
  for (const auto& command : commands)
    expect_input_error(run_command(command, "", "/dev/full"), {"standard output", "No space left"});
}

// Progress and warnings must not go into a file that got the number of a closed standard error.
TEST_F(BadInput, ClosedStandardDescriptors) {
  int count = 0;
  auto shell = [&](const std::string& closed) {
    const std::string command =
        SDFT_BINARY " train model_name_or_path=" + path("model") + " dataset=" + path("d.jsonl") +
        " num_train_epochs=2 output_dir=" + path("out" + std::to_string(++count)) + " " + closed;
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  EXPECT_EQ(shell("2>&-"), 0);
  EXPECT_EQ(shell("<&- 2>&-"), 0);
  EXPECT_EQ(shell("<&- >&- 2>&-"), 3);  // where the adapter lies cannot be told
  for (const auto& entry : fs::recursive_directory_iterator(dir_.path()))
    if (entry.path().extension() == ".jsonl")
      for_each_line(entry.path(),
                    [&](std::string_view line, size_t) { parse_json(line, entry.path().string()); });
}

TEST_F(BadInput, FilesThatAreNone) {
  ASSERT_EQ(::mkfifo(path("pipe.jsonl").c_str(), 0600), 0);
  fs::create_symlink(path("loop.jsonl"), path("loop.jsonl"));
  file("sparse.jsonl", "{\"instruction\": \"a\", \"output\": \"b\"}\n");
  fs::resize_file(path("sparse.jsonl"), uint64_t{1} << 40);
  expect_input_error(train(path("pipe.jsonl")), {"pipe.jsonl", "a named pipe"});
  expect_input_error(train(path("loop.jsonl")), {"loop.jsonl", "symbolic links"});
  expect_input_error(train(path("sparse.jsonl")), {"sparse.jsonl", "1099511627776 bytes"});
  expect_input_error(train(path(std::string(300, 'x') + ".jsonl")), {"xxx.jsonl", "name too long"});
  expect_input_error(generate(std::string(300, 'x')), {"xxx", "name too long"});
  const std::string recipe = path("recipe.yaml");
  ASSERT_EQ(::mkfifo(recipe.c_str(), 0600), 0);
  expect_input_error(run_command({"run", "--recipe", recipe}), {"recipe.yaml", "a named pipe"});
  fs::remove(dir_ / "model" / "config.json");
  ASSERT_EQ(::mkfifo(path("model/config.json").c_str(), 0600), 0);
  expect_input_error(generate("model"), {"config.json", "a named pipe"});
}

TEST_F(BadInput, DeepJson) {
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  write_small_adapter(dir_ / "model", dir_ / "adapter");
  file("adapter/adapter_config.json", deep);
  expect_input_error(
      run_command({"generate", "--prompt", "a", "--model", path("model"), "--adapter", path("adapter")}),
      {"adapter_config.json", "nested too deep"});
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"}) {
    const fs::path place = dir_ / "model" / name;
    const std::string before = fs::exists(place) ? read_text(place) : "{}";
    write_text(place, deep);
    expect_input_error(generate("model"), {name, "nested too deep"});
    write_text(place, before);
  }
  file("deep.yaml", "eval: " + deep);
  EXPECT_THAT(run_command({"run", "--recipe", path("deep.yaml")}).exit_code, ::testing::AnyOf(2, 3));
}

TEST_F(BadInput, ThreadsWithoutMeasure) {
  for (const char* threads : {"100000", "99999999999", "-1"}) {
    expect_usage_error(train(path("d.jsonl"), {std::string("threads=") + threads}), {"threads"});
    expect_usage_error(
        run_command({"generate", "--model", path("model"), "--prompt", "a", "--threads", threads}),
        {"threads"});
  }
}

TEST_F(BadInput, ControlCharactersOfAFileAreWrittenOut) {
  const std::string bad = file("\x1b]0;title\x07.jsonl", "{}\n");
  const CommandResult result = train(bad);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, AllOf(HasSubstr("\\u001b]0;title\\u0007.jsonl"), Not(HasSubstr("\x1b"))));
}

// Little memory: an error with advice in time, neither a hang nor a crash nor "a bug".
TEST_F(BadInput, LittleMemory) {
  for (int kilobytes : {600000, 650000, 700000, 800000, 1000000, 2000000}) {
    const std::string limited =
        "ulimit -v " + std::to_string(kilobytes) + "; timeout -k 5 60 " SDFT_BINARY " ";
    auto run = [&](const std::string& command) {
      const int status = std::system(("{ " + limited + command + "; } >" + path("log") + " 2>&1").c_str());
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    if (run("run --help") != 0) continue;  // not enough for the libraries
    for (const std::string& command :
         {"generate --prompt a --max_new_tokens 4 --model " + path("model"),
          "train model_name_or_path=" + path("model") + " dataset=" + path("d.jsonl") +
              " output_dir=" + path("out" + std::to_string(kilobytes))}) {
      // With hardly enough the libraries may abort before main(), but nothing may hang (124, 137).
      const int code = run(command);
      if (kilobytes < 900000)
        EXPECT_THAT(code, ::testing::AnyOf(0, 4, 134)) << kilobytes << " " << command;
      else
        EXPECT_THAT(code, ::testing::AnyOf(0, 4)) << kilobytes << " " << command;
      EXPECT_THAT(read_text(path("log")), Not(HasSubstr("bug"))) << kilobytes << " " << command;
    }
  }
}

// A disk of 64 KiB holds the first lines of metrics, but no adapter.
TEST_F(BadInput, AFullDiskIsNamed) {
  if (std::system("unshare -rm true 2>/dev/null") != 0) GTEST_SKIP() << "no user namespaces here";
  const std::string data = file("task.jsonl", small_dataset(8)), disk = path("disk"), log = path("err");
  std::filesystem::create_directory(disk);
  const std::string command = "unshare -rm sh -c 'mount -t tmpfs -o size=64k none " + disk + " && exec " +
                              SDFT_BINARY + " train --model_name_or_path " + path("model") + " --dataset " +
                              data + " --finetuning_type full --output_dir " + disk + "/out' 2>" + log;
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 3) << read_text(log);
  EXPECT_THAT(read_text(log), AllOf(HasSubstr(disk + "/out"), HasSubstr("No space left"),
                                    HasSubstr("free some space; the same command then goes on")));
}

}  // namespace
}  // namespace sdft::testing
