// score: log-likelihoods, and logits of given ids.
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

using ::testing::HasSubstr;

class ScoreCommand : public ::testing::Test {
 protected:
  void SetUp() override { write_small_model(dir_ / "model"); }
  std::string model() const { return (dir_ / "model").string(); }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  std::vector<Json> score(std::vector<std::string> flags) {
    std::vector<std::string> args = {"score", "--model", model()};
    args.insert(args.end(), flags.begin(), flags.end());
    const CommandResult result = run_command(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<Json> lines;
    for (const std::string& line : lines_of(result.out)) lines.push_back(parse_json(line, "score"));
    return lines;
  }
  Tensor dump(const NamedTensors& rows, std::vector<std::string> flags = {}) {
    write_safetensors(dir_ / "in.safetensors", rows);
    std::vector<std::string> args = {"score",
                                     "--model",
                                     model(),
                                     "--input-ids",
                                     path("in.safetensors"),
                                     "--dump-logits",
                                     path("out.safetensors")};
    args.insert(args.end(), flags.begin(), flags.end());
    const CommandResult result = run_command(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "");
    return SafetensorsFile(dir_ / "out.safetensors").get("logits").clone();
  }
  CommandResult refused(const NamedTensors& rows) {
    write_safetensors(dir_ / "in.safetensors", rows);
    return run_command({"score", "--model", model(), "--input-ids", path("in.safetensors"), "--dump-logits",
                        path("out.safetensors")});
  }

  ScratchDir dir_;
};

TEST_F(ScoreCommand, IsTheSumOverTheLogits) {
  write_text(dir_ / "d.jsonl", small_dataset(3));
  const auto lines = score({"--data", path("d.jsonl"), "--tokens"});
  ASSERT_EQ(lines.size(), 3u);
  // The same samples' ids, through another command.
  const CommandResult preview =
      run_command({"preview", "model_name_or_path=" + model(), "dataset=" + path("d.jsonl"), "--json"});
  ASSERT_EQ(preview.exit_code, 0) << preview.err;
  for (size_t i = 0; i < 3; ++i) {
    const Json sample = parse_json(lines_of(preview.out)[i], "sample");
    const auto ids = sample["ids"].get<std::vector<int64_t>>();
    const Tensor row = at::tensor(at::ArrayRef<int64_t>(ids), at::kLong).unsqueeze(0);
    const Tensor log_probs = dump({{"input_ids", row}})[0].to(at::kDouble).log_softmax(-1);
    double sum = 0;
    int64_t count = 0;
    for (size_t t = 1; t < ids.size(); ++t) {
      if (sample["supervised"][t] == 0) continue;
      const double one = log_probs[static_cast<int64_t>(t) - 1][ids[t]].item<double>();
      EXPECT_NEAR(lines[i]["token_log_probs"][static_cast<size_t>(count)].get<double>(), one, 1e-4);
      sum += one;
      ++count;
    }
    EXPECT_EQ(lines[i]["id"], std::to_string(i));
    EXPECT_EQ(lines[i]["tokens"].get<int64_t>(), count);
    EXPECT_NEAR(lines[i]["log_prob"].get<double>(), sum, 1e-3);
    EXPECT_NEAR(lines[i]["mean"].get<double>(), sum / static_cast<double>(count), 1e-4);
  }
}

TEST_F(ScoreCommand, AdapterAndRaw) {
  write_text(dir_ / "d.jsonl", small_dataset(2));
  write_small_adapter(dir_ / "model", dir_ / "adapter");
  const auto seed = score({"--data", path("d.jsonl")}),
             tuned = score({"--data", path("d.jsonl"), "--adapter", path("adapter")});
  EXPECT_NE(seed[0]["log_prob"], tuned[0]["log_prob"]);
  const auto raw = score({"--data", path("d.jsonl"), "--raw"});
  EXPECT_EQ(raw[0]["tokens"].get<int>() + 1, seed[0]["tokens"].get<int>())
      << "no end token without the template";
}

TEST_F(ScoreCommand, TooLongExamplesAreNamed) {
  std::string words;
  for (int i = 0; i < 200; ++i) words += "plus ";
  write_text(dir_ / "d.jsonl", small_dataset(1) +
                                   Json({{"id", "long"}, {"instruction", "a"}, {"output", words}}).dump() +
                                   "\n" + small_dataset(1, 2));
  const CommandResult result = run_command({"score", "--model", model(), "--data", path("d.jsonl")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], R"({"id":"long","log_prob":null,"tokens":0,"mean":null,"finish":"prompt_too_long"})");
  EXPECT_THAT(result.err, HasSubstr("1 of 3 examples"));
}

TEST_F(ScoreCommand, RaggedRowsAreAsAlone) {
  const Tensor ids =
      at::tensor({1, 40, 50, 60, 0, 0, 0, 0, 1, 70, 80, 90, 1, 2, 3, 4, 5, 6}, at::kLong).view({3, 6});
  const Tensor mask =
      at::tensor({1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, at::kLong).view({3, 6});
  const Tensor all = dump({{"input_ids", ids}, {"attention_mask", mask}});
  ASSERT_EQ(all.sizes(), (std::vector<int64_t>{3, 6, all.size(2)}));
  const Tensor right = dump({{"input_ids", ids.slice(0, 0, 1).slice(1, 0, 4).contiguous()}});
  const Tensor left = dump({{"input_ids", ids.slice(0, 1, 2).slice(1, 2, 6).contiguous()}});
  EXPECT_LT((all[0].slice(0, 0, 4) - right[0]).abs().max().item<float>(), 1e-5f);
  EXPECT_LT((all[1].slice(0, 2, 6) - left[0]).abs().max().item<float>(), 1e-5f);
  EXPECT_EQ(all[0].slice(0, 4, 6).abs().max().item<float>(), 0);
  EXPECT_EQ(all[1].slice(0, 0, 2).abs().max().item<float>(), 0);
  EXPECT_GT(all[2].abs().max().item<float>(), 0);
}

TEST_F(ScoreCommand, BadRowsAreRefused) {
  const Tensor good = at::tensor({1, 2}, at::kLong).view({1, 2});
  const std::tuple<NamedTensors, const char*> bad[] = {
      {{{"ids", good}}, "input_ids"},
      {{{"input_ids", good.to(at::kFloat)}}, "whole numbers"},
      {{{"input_ids", good.view({2})}}, "[B, T]"},
      {{{"input_ids", good * 9999}}, "outside"},
      {{{"input_ids", good * -1}}, "outside"},
      {{{"input_ids", at::ones({1, 500}, at::kLong)}}, "context is 192"},
      {{{"input_ids", good}, {"attention_mask", at::ones({1, 3}, at::kLong)}}, "differ in shape"},
      {{{"input_ids", good}, {"attention_mask", good}}, "attention_mask"}};
  for (const auto& [rows, message] : bad) {
    const CommandResult result = refused(rows);
    EXPECT_EQ(result.exit_code, 3) << message;
    EXPECT_THAT(result.err, HasSubstr(message));
  }
  EXPECT_EQ(run_command({"score", "--model", model()}).exit_code, 2);
  EXPECT_EQ(run_command({"score", "--model", model(), "--input-ids", "x"}).exit_code, 2);
}

// Ragged, right-padded rows of the reference.
class ReferenceLogits : public ::testing::TestWithParam<const char*> {};

TEST_P(ReferenceLogits, AreTheSameThroughTheCommand) {
  const auto folder = fixture("models") / GetParam();
  REQUIRE_FIXTURE(folder);
  ScratchDir dir;
  const std::string expected_path = (folder / "expected.safetensors").string(),
                    out = (dir / "out.safetensors").string();
  const CommandResult result = run_command({"score", "--model", folder.string(), "--input-ids", expected_path,
                                            "--dump-logits", out, "--device", "cpu"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const SafetensorsFile expected_file(expected_path), found_file(out);
  const Tensor expected = expected_file.get("logits"), found = found_file.get("logits");
  const Tensor kept = expected_file.get("attention_mask").to(at::kBool);
  ASSERT_EQ(found.sizes(), expected.sizes());
  const Tensor difference = (found - expected).abs().index({kept});
  EXPECT_LT(difference.max().item<float>(), 2e-4f * expected.index({kept}).abs().max().item<float>());
  EXPECT_EQ(found.index({kept.logical_not()}).abs().sum().item<float>(), 0);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ReferenceLogits,
                         ::testing::Values("llama2", "llama3", "llama_linear", "llama_yarn", "mistral",
                                           "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "phi3_longrope",
                                           "olmo2", "smollm3", "qwen3_moe", "mixtral"));

}  // namespace
}  // namespace sdft::testing
