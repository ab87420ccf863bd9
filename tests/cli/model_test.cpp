// merge and inspect.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "model/safetensors.h"
#include "testing.h"

namespace sdft::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
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

// An adapter whose numbers are so many times those of another.
void write_scaled_adapter(const fs::path& from, const fs::path& to, double factor) {
  fs::create_directories(to);
  fs::copy_file(from / "adapter_config.json", to / "adapter_config.json");
  const SafetensorsFile file(from / "adapter_model.safetensors");
  NamedTensors tensors;
  for (const std::string& name : file.names()) tensors.emplace_back(name, file.get(name) * factor);
  write_safetensors(to / "adapter_model.safetensors", tensors);
}

TEST_F(ModelCommands, MergeRefusesWhatATypeCannotHold) {
  write_scaled_adapter(dir_ / "adapter", dir_ / "large", 1e4);
  auto merge = [&](const std::string& adapter, const std::string& type) {
    return run_command({"merge", "--model", path("model"), "--adapter", path(adapter), "--output",
                        path(adapter + type), "--dtype", type});
  };
  const CommandResult refused = merge("large", "f16");
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("self_attn"), HasSubstr("f16 goes to 65504"), HasSubstr("bf16 or f32")));
  EXPECT_FALSE(fs::exists(dir_ / "largef16"));
  EXPECT_EQ(merge("large", "bf16").exit_code, 0);
  EXPECT_EQ(merge("adapter", "f16").exit_code, 0);
  EXPECT_TRUE(inspect("adapterf16")["weights"]["dtype"].contains("f16"));
  write_scaled_adapter(dir_ / "adapter", dir_ / "endless", INFINITY);
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"merge"}, {"export"}, {"score", "--data", path("d.jsonl")}}) {
    std::vector<std::string> args = command;
    for (const std::string& arg :
         {std::string("--model"), path("model"), std::string("--adapter"), path("endless")})
      args.push_back(arg);
    if (command[0] != "score") args.insert(args.end(), {"--output", path("never")});
    const CommandResult result = run_command(args);
    EXPECT_EQ(result.exit_code, 3) << command[0];
    EXPECT_THAT(result.err, AllOf(HasSubstr("lora_"), HasSubstr("not finite"))) << command[0];
    EXPECT_FALSE(fs::exists(dir_ / "never"));
  }
}

void set_weight(const fs::path& model, const std::string& wanted, double value) {
  NamedTensors tensors;
  {
    const SafetensorsFile file(model / "model.safetensors");
    for (const std::string& name : file.names()) tensors.emplace_back(name, file.get(name).clone());
  }
  for (auto& [name, tensor] : tensors)
    if (name == wanted) tensor[3][4] = value;
  write_safetensors(model / "model.safetensors", tensors);
}

TEST_F(ModelCommands, FullFineTuningRefusesWhatATypeCannotHold) {
  set_weight(dir_ / "model", "model.layers.1.mlp.up_proj.weight", 1e5);
  const CommandResult result = run_command({"train", "--model_name_or_path", path("model"), "--dataset",
                                            path("d.jsonl"), "--output_dir", path("out"), "--finetuning_type",
                                            "full", "--save_dtype", "f16", "--max_steps", "1"});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("model.layers.1.mlp.up_proj.weight"),
                                HasSubstr("f16 goes to 65504"), HasSubstr("save_dtype")));
}

TEST_F(ModelCommands, ARankBeyondTheLayerIsAUsageError) {
  const CommandResult result =
      run_command({"train", "--model_name_or_path", path("model"), "--dataset", path("d.jsonl"),
                   "--output_dir", path("out"), "--lora_target", "q_proj,v_proj", "--lora_rank", "17"});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("lora_rank is 17"), HasSubstr("self_attn.v_proj is [16, 32]")));
}

TEST_F(ModelCommands, MergeRefusesAModelWithNumbersThatAreNone) {
  set_weight(dir_ / "model", "model.layers.1.mlp.up_proj.weight", NAN);
  const CommandResult merge = run_command(
      {"merge", "--model", path("model"), "--adapter", path("adapter"), "--output", path("merged")});
  EXPECT_EQ(merge.exit_code, 3);
  EXPECT_THAT(merge.err, AllOf(HasSubstr("model.layers.1.mlp.up_proj.weight"), HasSubstr("not finite")));
}

// All that loading reads goes along.
TEST_F(ModelCommands, MergedRendersAndTokenisesTheSame) {
  const fs::path model = dir_ / "model";
  Json config = read_json(model / "tokenizer_config.json");
  write_text(model / "chat_template.json", Json{{"chat_template", config["chat_template"]}}.dump());
  config.erase("chat_template");
  config.erase("bos_token");
  write_text(model / "tokenizer_config.json", config.dump());
  write_text(model / "special_tokens_map.json", R"({"bos_token": "<bos>"})");
  write_text(model / "added_tokens.json", R"({"<extra>": 320})");
  write_text(model / "generation_config.json", R"({"eos_token_id": [3, 2]})");
  fs::create_directories(model / "additional_chat_templates");
  write_text(model / "additional_chat_templates" / "rag.jinja", "{{ bos_token }}");
  write_text(model / "notes.txt", "not the model's");
  const CommandResult merge = run_command(
      {"merge", "--model", path("model"), "--adapter", path("adapter"), "--output", path("merged")});
  ASSERT_EQ(merge.exit_code, 0) << merge.err;
  write_text(dir_ / "m.json", R"([{"role": "user", "content": "What is 1 plus 2?"}])");
  std::string rendered, ids;
  for (const std::string name : {"model", "merged"}) {
    const CommandResult render = run_command({"render", "--model", path(name), "--messages", path("m.json")}),
                        tokenize = run_command({"tokenize", "--model", path(name), "--add-special"},
                                               "<bos>What is<end> <extra>\n");
    ASSERT_EQ(render.exit_code, 0) << render.err;
    ASSERT_EQ(tokenize.exit_code, 0) << tokenize.err;
    EXPECT_THAT(render.out, HasSubstr("<bos><turn>"));
    if (name == "merged") {
      EXPECT_EQ(render.out, rendered);
      EXPECT_EQ(tokenize.out, ids);
    }
    rendered = render.out, ids = tokenize.out;
  }
  EXPECT_EQ(inspect("merged")["config"]["eos_token_ids"], Json({3, 2}));
  EXPECT_TRUE(fs::exists(dir_ / "merged" / "additional_chat_templates" / "rag.jinja"));
  EXPECT_FALSE(fs::exists(dir_ / "merged" / "notes.txt"));
}

// Every command asks the same (tests/base/model_folder_test.cpp).
TEST_F(ModelCommands, SaysWhatToDoInPlaceOfAModel) {
  write_text(dir_ / "m.gguf", "GGUF");
  fs::create_directories(dir_ / "torch");
  fs::copy_file(dir_ / "adapter" / "adapter_config.json", dir_ / "torch" / "adapter_config.json");
  write_text(dir_ / "torch" / "adapter_model.bin", "");
  fs::copy(dir_ / "model", dir_ / "shards");
  fs::remove(dir_ / "shards" / "model.safetensors");
  write_text(dir_ / "shards" / "model.safetensors.index.json",
             R"({"weight_map": {"a": "model-00001-of-00002.safetensors"}})");
  struct Case {
    std::string model, adapter, what;
  };
  const Case cases[] = {
      {"HuggingFaceTB/SmolLM2-135M-Instruct", "", "hf download HuggingFaceTB/SmolLM2-135M-Instruct"},
      {path("adapter"), "", "give it as --adapter"},
      {path("shards"), "", "model-00001-of-00002.safetensors: is missing"},
      {path("model"), path("torch"), "adapter_model.bin is not read"},
      {path("model"), path("m.gguf"), "expected a PEFT adapter folder"},
  };
  for (const Case& wrong : cases) {
    std::vector<std::string> args = {"score", "--data", path("d.jsonl"), "--model", wrong.model};
    if (!wrong.adapter.empty()) args.insert(args.end(), {"--adapter", wrong.adapter});
    const CommandResult result = run_command(args);
    EXPECT_EQ(result.exit_code, 3) << wrong.model << wrong.adapter;
    EXPECT_THAT(result.err, HasSubstr(wrong.what));
  }
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"tokenize", "--model", path("m.gguf")},
        {"render", "--model", path("m.gguf"), "--messages", path("d.jsonl")}}) {
    const CommandResult result = run_command(command);
    EXPECT_EQ(result.exit_code, 3) << command[0];
    EXPECT_THAT(result.err, HasSubstr("sdft import")) << command[0];
  }
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"merge", "--model", path("m.gguf"), "--adapter", path("adapter"), "--output",
                                 path("out")},
        {"export", "--model", path("m.gguf"), "--adapter", path("adapter"), "--output", path("out")},
        {"generate", "--model", path("m.gguf"), "--prompt", "x"},
        {"train", "--model_name_or_path", path("m.gguf"), "--dataset", path("d.jsonl"), "--output_dir",
         path("out")}}) {
    const CommandResult result = run_command(command);
    EXPECT_EQ(result.exit_code, 3) << command[0];
    EXPECT_THAT(result.err, HasSubstr("m.gguf: ends within the version")) << command[0];
  }
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
