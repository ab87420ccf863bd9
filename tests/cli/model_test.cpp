// merge and inspect.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "model/safetensors.h"
#include "testing.h"

namespace sdft::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class ModelCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    write_small_model(dir_ / "model");
    write_small_adapter(dir_ / "model", dir_ / "adapter");
    write_text(dir_ / "d.jsonl", small_dataset(4));
  }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  std::vector<double> means(const std::vector<std::string>& flags) {
    std::vector<std::string> args = {"score", "--data", path("d.jsonl")};
    args.insert(args.end(), flags.begin(), flags.end());
    const CommandResult result = run_command(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<double> values;
    for (const std::string& line : lines_of(result.out)) values.push_back(parse_json(line, "score")["mean"]);
    return values;
  }
  Json inspect(const std::string& name) {
    const CommandResult text = run_command({"inspect", path(name)});
    EXPECT_EQ(text.exit_code, 0) << text.err;
    EXPECT_FALSE(text.out.empty());
    const CommandResult json = run_command({"inspect", path(name), "--json"});
    EXPECT_EQ(json.exit_code, 0) << json.err;
    return parse_json(json.out, "overview");
  }
  ScratchDir dir_;
};

TEST_F(ModelCommands, MergedIsTheSameAsTheAdapterOn) {
  const CommandResult merge = run_command(
      {"merge", "--model", path("model"), "--adapter", path("adapter"), "--output", path("merged")});
  ASSERT_EQ(merge.exit_code, 0) << merge.err;
  EXPECT_EQ(merge.out, path("merged") + "\n");
  const auto tuned = means({"--model", path("model"), "--adapter", path("adapter")}),
             merged = means({"--model", path("merged")});
  const auto seed = means({"--model", path("model")});
  ASSERT_EQ(merged.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(merged[i], tuned[i], 1e-3);
    EXPECT_GT(std::abs(merged[i] - seed[i]), 1e-2);
  }
}

TEST_F(ModelCommands, MergeWritesTheTypeAskedFor) {
  for (const std::string type : {"f32", "bf16"}) {
    const CommandResult merge = run_command({"merge", "--model", path("model"), "--adapter", path("adapter"),
                                             "--output", path(type), "--dtype", type});
    ASSERT_EQ(merge.exit_code, 0) << merge.err;
    const Json overview = inspect(type);
    EXPECT_EQ(overview["weights"]["dtype"].size(), 1u);
    EXPECT_TRUE(overview["weights"]["dtype"].contains(type)) << overview["weights"]["dtype"];
  }
  EXPECT_EQ(
      run_command({"merge", "--model", path("bf16"), "--adapter", path("adapter"), "--output", path("again")})
          .exit_code,
      0);
  EXPECT_TRUE(inspect("again")["weights"]["dtype"].contains("bf16")) << "auto keeps the model's own type";
}

TEST_F(ModelCommands, MergeNeverWritesOverAModel) {
  const std::string before = sha256_file(dir_ / "model" / "model.safetensors");
  const CommandResult merge = run_command(
      {"merge", "--model", path("model"), "--adapter", path("adapter"), "--output", path("model")});
  EXPECT_EQ(merge.exit_code, 3);
  EXPECT_THAT(merge.err, HasSubstr("already holds a model"));
  EXPECT_EQ(sha256_file(dir_ / "model" / "model.safetensors"), before);
}

TEST_F(ModelCommands, InspectModel) {
  const Json json = inspect("model");
  EXPECT_EQ(json["kind"], "model");
  EXPECT_EQ(json["config"]["architecture"], "LlamaForCausalLM");
  EXPECT_EQ(json["config"]["parameters"], json["weights"]["parameters"]);
  EXPECT_EQ(json["tokenizer"]["eos"]["token"], "<end>");
  EXPECT_THAT(json["chat_template"].get<std::string>(), HasSubstr("add_generation_prompt"));
  EXPECT_EQ(json["weights"]["shapes"]["model.layers.1.self_attn.k_proj.weight"]["shape"], Json({16, 32}));
  const CommandResult text = run_command({"inspect", path("model")});
  EXPECT_THAT(text.out, HasSubstr("model.layers.*.self_attn.k_proj.weight"));
  EXPECT_THAT(text.out, HasSubstr("f32 [16,32]  x 2"));
}

TEST_F(ModelCommands, InspectShowsWhatIsWrongAndTheRest) {
  Json config = read_json(dir_ / "model" / "config.json");
  config["architectures"] = {"MambaForCausalLM"};
  write_text(dir_ / "model" / "config.json", config.dump());
  const Json json = inspect("model");
  EXPECT_THAT(json["config"]["problem"].get<std::string>(), HasSubstr("MambaForCausalLM"));
  EXPECT_GT(json["weights"]["parameters"].get<int>(), 0);
}

TEST_F(ModelCommands, InspectAdapterDatasetAndWeights) {
  const Json adapter = inspect("adapter");
  EXPECT_EQ(adapter["kind"], "adapter");
  EXPECT_EQ(adapter["config"]["r"], 4);
  EXPECT_EQ(adapter["weights"]["tensors"], 8);
  write_text(dir_ / "bad.jsonl",
             small_dataset(2) + "{broken\n" + R"({"instruction": "a", "output": ""})" + "\n");
  const Json dataset = inspect("bad.jsonl");
  EXPECT_EQ(dataset["kind"], "dataset");
  EXPECT_GE(dataset["examples"].get<int>(), 2);
  ASSERT_GE(dataset["bad"].size(), 1u);
  EXPECT_THAT(dataset["bad"][0]["where"].get<std::string>(), HasSubstr("bad.jsonl:3"));
  EXPECT_EQ(inspect("model/model.safetensors")["kind"], "safetensors");
}

TEST_F(ModelCommands, InspectWhatIsNothing) {
  for (const std::string name : {"nowhere", "."}) {
    const CommandResult result = run_command({"inspect", path(name)});
    EXPECT_EQ(result.exit_code, 3) << name;
    EXPECT_THAT(result.err, HasSubstr("sdft: error:"));
  }
}

}  // namespace
}  // namespace sdft::testing
