// bench: what it says, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BenchCommand : public ::testing::Test {
 protected:
  void SetUp() override { write_small_model(dir_ / "model"); }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  // With small prompts and answers.
  static CommandResult bench(const std::vector<std::string>& flags) {
    std::vector<std::string> args = {"bench", "--prompt", "24", "--new", "8", "--threads", "2"};
    args.insert(args.end(), flags.begin(), flags.end());
    return run_command(args);
  }
  static Json result_of(const std::vector<std::string>& flags) {
    std::vector<std::string> args = {"--json"};
    args.insert(args.end(), flags.begin(), flags.end());
    const CommandResult result = bench(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(lines_of(result.out).size(), 1u) << result.out;
    return parse_json(result.out, "bench");
  }
  static void refuses(const std::vector<std::string>& flags, int code, const std::string& why) {
    std::vector<std::string> args = {"bench"};
    args.insert(args.end(), flags.begin(), flags.end());
    const CommandResult result = run_command(args);
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(why));
    EXPECT_EQ(result.out, "");
  }
  ScratchDir dir_;
};

void expect_positive(const Json& object, const std::string& field) {
  ASSERT_TRUE(object.contains(field)) << field << " in " << object.dump();
  ASSERT_TRUE(object[field].is_number()) << field;
  EXPECT_TRUE(std::isfinite(object[field].get<double>())) << field;
  EXPECT_GT(object[field].get<double>(), 0) << field;
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

void expect_machine(const Json& machine) {
  EXPECT_THAT(keys_of(machine), ElementsAre("tier", "multiply_adds_per_second", "read_bytes_per_second"));
  expect_positive(machine, "read_bytes_per_second");
  for (const char* threads : {"one_thread", "all_threads"}) {
    const Json& rates = machine["multiply_adds_per_second"][threads];
    EXPECT_THAT(keys_of(rates), ElementsAre("f32", "bf16", "int8"));
    for (const char* type : {"f32", "int8"}) expect_positive(rates, type);
    if (!rates["bf16"].is_null()) expect_positive(rates, "bf16");
  }
}

// "what streams" of each, in order.
std::vector<std::string> expect_measurements(const Json& list) {
  std::vector<std::string> names;
  for (const Json& m : list) {
    EXPECT_THAT(keys_of(m),
                ElementsAre("what", "streams", "tokens", "seconds", "tokens_per_second", "limit", "share"));
    for (const char* field : {"streams", "tokens", "seconds", "tokens_per_second", "share"})
      expect_positive(m, field);
    EXPECT_TRUE(m["limit"] == "compute" || m["limit"] == "memory") << m["limit"];
    EXPECT_NEAR(m["tokens"].get<double>() / m["seconds"].get<double>(), m["tokens_per_second"].get<double>(),
                1e-6 * m["tokens_per_second"].get<double>());
    names.push_back(m["what"].get<std::string>() + " " + std::to_string(m["streams"].get<int>()));
  }
  return names;
}

TEST_F(BenchCommand, EveryDocumentedField) {
  const Json json = result_of({"--model", path("model"), "--streams", "1,3", "--train"});
  EXPECT_THAT(keys_of(json),
              ElementsAre("sdft", "model", "random_weights", "architecture", "parameters", "weights",
                          "computed_in", "tier", "threads", "machine", "load_seconds", "weight_bytes",
                          "resident_bytes", "peak_bytes", "prompt_tokens", "new_tokens", "measurements"));
  for (const char* field : {"parameters", "load_seconds", "weight_bytes", "resident_bytes", "peak_bytes"})
    expect_positive(json, field);
  EXPECT_EQ(json["model"], path("model"));
  EXPECT_EQ(json["random_weights"], false);
  EXPECT_EQ(json["architecture"], "LlamaForCausalLM");
  EXPECT_EQ(json["weight_bytes"], 4 * json["parameters"].get<int64_t>());
  EXPECT_EQ(json["computed_in"], "f32");
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["prompt_tokens"], 24);
  EXPECT_GE(json["peak_bytes"], json["resident_bytes"]);
  expect_machine(json["machine"]);
  EXPECT_THAT(expect_measurements(json["measurements"]),
              ElementsAre("first_token 1", "prompt 1", "prompt 3", "new 1", "new 3", "training 4"));
}

TEST_F(BenchCommand, WeightsOfFewerBitsAreSmaller) {
  const auto with = [&](const std::string& weights) {
    return result_of({"--model", path("model"), "--streams", "2", "--weights", weights});
  };
  const Json bf16 = with("bf16"), q4 = with("q4");
  EXPECT_EQ(bf16["computed_in"], "bf16");
  EXPECT_EQ(q4["computed_in"], "int8");
  for (const Json& json : {bf16, q4}) EXPECT_LT(json["weight_bytes"], 4 * json["parameters"].get<int64_t>());
  EXPECT_THAT(expect_measurements(q4["measurements"]), ElementsAre("first_token 1", "prompt 2", "new 2"));
}

TEST_F(BenchCommand, ShapeWithoutWeights) {
  const Json json = result_of({"--shape", path("model/config.json"), "--streams", "2", "--weights", "int8"});
  EXPECT_EQ(json["random_weights"], true);
  EXPECT_EQ(json["model"], path("model/config.json"));
  expect_measurements(json["measurements"]);
}

TEST_F(BenchCommand, TableForPeople) {
  const CommandResult result = bench({"--model", path("model"), "--streams", "1,2", "--train"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* words : {"LlamaForCausalLM", "one thread", "read from memory", "loaded in", "first token",
                            "prompt tokens, 2 streams", "new tokens, 1 stream ", "training, 4 x "})
    EXPECT_THAT(result.out, HasSubstr(words));
}

TEST_F(BenchCommand, WhatCannotBeIsRefused) {
  const std::string model = path("model");
  refuses({}, 2, "either a model folder or a shape");
  refuses({"--model", model, "--shape", "135m"}, 2, "either a model folder or a shape");
  refuses({"--shape", "9b"}, 2, "0.5b, 1.1b, 135m, 7b");
  refuses({"--model", model, "--streams", "1,0"}, 2, "streams is 0");
  refuses({"--model", model, "--streams", "-2"}, 2, "streams");
  refuses({"--model", model, "--streams", "many"}, 2, "streams");
  refuses({"--model", model, "--weights", "q3", "--prompt", "24"}, 2, "q3");
  refuses({"--model", model, "--prompt", "0"}, 2, "prompt is 0");
  refuses({"--model", model, "--new", "0"}, 2, "new is 0");
  refuses({"--model", model, "--new", "500"}, 2, "context");
  refuses({"--model", model, "--threads", "-1"}, 2, "threads");
  refuses({"--model", path("nowhere")}, 3, "nowhere");
  write_text(dir_ / "bad.json", R"({"architectures": ["Nobody"]})");
  refuses({"--shape", path("bad.json")}, 3, "Nobody");
}

}  // namespace
}  // namespace sdft::testing
