// Against what Transformers and llama2.c really answered (../shared/fixtures).
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "base/json.h"
#include "infer/generator.h"
#include "infer/scorer.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "testing.h"

namespace sdft {
namespace {
using testing::fixture;

Model load(const std::filesystem::path& dir) {
  set_num_threads(0);
  LoadOptions options;
  options.device = "cpu";
  options.dtype = "f32";
  return load_model(dir, options);
}

GenerateOptions greedy(int64_t max_new_tokens, const std::vector<int32_t>& stop_ids) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_new_tokens = max_new_tokens;
  options.stop_ids = stop_ids;
  return options;
}

// Recorded answers keep their stop token; ours leave it out.
std::vector<int32_t> without_stop(std::vector<int32_t> ids, const std::vector<int32_t>& stop_ids) {
  while (!ids.empty() && std::count(stop_ids.begin(), stop_ids.end(), ids.back())) ids.pop_back();
  return ids;
}

// The ids where the mask is on: rows of a padded batch without their padding.
std::vector<int32_t> unpadded(const Json& ids, const Json& mask) {
  std::vector<int32_t> row;
  for (size_t t = 0; t < ids.size(); ++t)
    if (mask[t].get<int>()) row.push_back(ids[t].get<int32_t>());
  return row;
}

// --- stories260k: a real model
// ------------------------------------------------------------------------------------

// The vocabulary in llama2.c's own file: the longest token's length, then score, length and bytes of each.
std::vector<std::string> read_vocabulary(const std::filesystem::path& path) {
  const std::string bytes = read_text(path);
  auto number = [&](size_t at) {
    int32_t value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return static_cast<size_t>(value);
  };
  std::vector<std::string> vocabulary;
  for (size_t at = 4; at + 8 <= bytes.size(); at += 8 + number(at + 4)) {
    std::string piece = bytes.substr(at + 8, number(at + 4));
    if (piece.size() == 6 && piece.rfind("<0x", 0) == 0)
      piece = static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16));
    vocabulary.push_back(piece);
  }
  return vocabulary;
}

TEST(Stories, TellsTheKnownStory) {
  const auto dir = fixture("weights/stories260k-hf"), original = fixture("weights/stories260k");
  REQUIRE_FIXTURE(dir);
  REQUIRE_FIXTURE(original);
  const Model model = load(dir);
  const auto vocabulary = read_vocabulary(original / "tok512.bin");
  ASSERT_EQ(vocabulary.size(), 512u);
  // The model's page shows what llama2.c writes from BOS alone at temperature 0, up to the next BOS or 256
  // tokens.
  const std::string page = read_text(original / "stories260K.md");
  const size_t begin = page.find("Once upon a time"), end = page.find("\n```", begin);
  ASSERT_NE(begin, std::string::npos);
  const Completion answer = generate(model, {{"story", {1}}}, greedy(256, {1}))[0];
  std::string story, streamed;
  for (int32_t id : answer.ids) story += vocabulary[static_cast<size_t>(id)];
  const std::string wanted = page.substr(begin, end - begin);
  EXPECT_EQ(story.substr(1), wanted);  // the first piece begins with a space
  generate_one(model, {"story", {1}}, greedy(256, {1}), [&](int32_t id) {
    streamed += vocabulary[static_cast<size_t>(id)];
    return true;
  });
  EXPECT_EQ(streamed, story);
}

// --- golden.json of weights/
// --------------------------------------------------------------------------------------

class Weights : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    dir_ = fixture(std::string("weights/") + GetParam());
    REQUIRE_FIXTURE(dir_);
    model_ = load(dir_);
    golden_ = read_json(dir_ / "golden.json");
  }
  std::filesystem::path dir_;
  Model model_;
  Json golden_;
};

TEST_P(Weights, GreedyAnswers) {
  std::vector<Request> requests;
  int64_t longest = 0;
  for (const Json& prompt : golden_["prompts"]) {
    requests.push_back({std::to_string(requests.size()), prompt["ids"].get<std::vector<int32_t>>()});
    longest = std::max(longest, static_cast<int64_t>(prompt["greedy_ids"].size()));
  }
  const auto answers = generate(model_, requests, greedy(longest, model_.config.eos_token_ids));
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto wanted = without_stop(golden_["prompts"][i]["greedy_ids"].get<std::vector<int32_t>>(),
                                     model_.config.eos_token_ids);
    EXPECT_EQ(answers[i].ids, wanted) << "smallest gap " << golden_["prompts"][i]["greedy_min_top2_gap"];
  }
}

TEST_P(Weights, RepetitionPenalty) {
  const Json& golden = golden_["greedy_repetition_penalty_1.3"];
  const auto wanted = golden["out"].get<std::vector<int32_t>>();
  GenerateOptions options = greedy(static_cast<int64_t>(wanted.size()), model_.config.eos_token_ids);
  options.sampling.repetition_penalty = 1.3;
  const auto answers = generate(model_, {{"p", golden["ids"].get<std::vector<int32_t>>()}}, options);
  EXPECT_EQ(answers[0].ids, without_stop(wanted, model_.config.eos_token_ids));
}

TEST_P(Weights, PaddedBatch) {
  const Json& batch = golden_["left_padded_batch"];
  std::vector<Request> requests;
  for (size_t i = 0; i < batch["input_ids"].size(); ++i)
    requests.push_back({std::to_string(i), unpadded(batch["input_ids"][i], batch["attention_mask"][i])});
  const auto wanted = batch["generated"].get<std::vector<std::vector<int32_t>>>();
  const auto answers = generate(model_, requests, greedy(static_cast<int64_t>(wanted[0].size()), {}));
  for (size_t i = 0; i < requests.size(); ++i) {
    // Transformers fills rows up after a stop token.
    const auto& stops = model_.config.eos_token_ids;
    const auto cut = std::find_if(wanted[i].begin(), wanted[i].end(),
                                  [&](int32_t id) { return std::count(stops.begin(), stops.end(), id) > 0; });
    const auto count = cut - wanted[i].begin();
    EXPECT_EQ(std::vector<int32_t>(answers[i].ids.begin(), answers[i].ids.begin() + count),
              std::vector<int32_t>(wanted[i].begin(), cut));
  }
}

TEST_P(Weights, LogProbabilities) {
  std::vector<ScoreItem> items;
  for (const Json& prompt : golden_["prompts"]) {
    const auto ids = prompt["ids"].get<std::vector<int32_t>>();
    items.push_back(continuation_item({ids[0]}, {ids.begin() + 1, ids.end()}));
  }
  ScoreOptions options;
  options.per_token = true;
  const auto scores = score(model_, items, options);
  for (size_t i = 0; i < items.size(); ++i) {
    const Json& prompt = golden_["prompts"][i];
    const auto wanted = prompt["next_token_logprob"].get<std::vector<double>>();
    ASSERT_EQ(scores[i].token_log_probs.size(), wanted.size());
    bool greedy_all = true;
    for (size_t t = 0; t < wanted.size(); ++t) {
      EXPECT_NEAR(scores[i].token_log_probs[t], wanted[t], 1e-4 * (1 + std::abs(wanted[t])));
      greedy_all &= prompt["argmax_per_position"][t].get<int32_t>() == items[i].ids[t + 1];
    }
    EXPECT_EQ(scores[i].greedy, greedy_all);
  }
}

TEST_P(Weights, MaskedLoss) {
  const Json& batch = golden_["masked_label_batch"];
  std::vector<ScoreItem> items;
  for (size_t i = 0; i < batch["input_ids"].size(); ++i) {
    ScoreItem item;
    for (size_t t = 0; t < batch["input_ids"][i].size(); ++t) {
      if (!batch["attention_mask"][i][t].get<int>()) continue;
      item.ids.push_back(batch["input_ids"][i][t].get<int32_t>());
      item.supervised.push_back(batch["labels"][i][t].get<int>() != -100);
    }
    items.push_back(item);
  }
  double total = 0;
  int64_t count = 0;
  for (const Score& one : score(model_, items)) {
    total += one.log_prob;
    count += one.count;
  }
  EXPECT_NEAR(-total / static_cast<double>(count), batch["loss"].get<double>(),
              1e-4 * batch["loss"].get<double>());
}

TEST_P(Weights, SamplingDistributions) {
  const Json& golden = golden_["sampling_distributions"];
  at::NoGradGuard no_grad;
  const Tensor hidden = forward(model_, pack({golden["ids"].get<std::vector<int32_t>>()}, at::kCPU));
  const Tensor row = logits(model_, hidden.narrow(0, hidden.size(0) - 1, 1)).contiguous();
  struct Case {
    const char* name;
    SamplingOptions options;
  };
  for (const Case& one :
       {Case{"none", {}}, Case{"temperature_0.7", {0.7, 0, 1.0}}, Case{"top_k_5", {1.0, 5, 1.0}},
        Case{"top_p_0.7", {1.0, 0, 0.7}}, Case{"top_p_0.0001", {1.0, 0, 0.0001}},
        Case{"temperature_0.95_top_k_50_top_p_0.7", {0.95, 50, 0.7}}}) {
    const auto wanted = golden["probs"][one.name].get<std::vector<double>>();
    std::vector<double> got(wanted.size(), 0.0);
    for (const auto& [id, p] : sampling_distribution(row.data_ptr<float>(), row.size(1), one.options))
      got[static_cast<size_t>(id)] = p;
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_NEAR(got[i], wanted[i], 1e-5 + 1e-4 * wanted[i]) << one.name << " token " << i;
      EXPECT_EQ(got[i] == 0, wanted[i] == 0) << one.name << " token " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Weights,
                         ::testing::Values("stories260k-hf", "variants/llama-gqa-tied",
                                           "variants/llama-gqa-tied-bf16", "variants/llama-gqa-tied-f16",
                                           "variants/llama-gqa-tied-sharded", "variants/llama-mha-untied",
                                           "variants/llama-mqa-theta500000", "variants/llama-rope-linear2",
                                           "variants/mistral-window8", "variants/qwen2-bias-gqa-tied"));

// --- models/: greedy rows and log-likelihoods
// ---------------------------------------------------------------------

std::vector<int32_t> first(const std::vector<int32_t>& ids, size_t count) {
  return {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min(count, ids.size()))};
}

class Architecture : public ::testing::TestWithParam<const char*> {};

TEST_P(Architecture, GreedyRowsAndLogLikelihoods) {
  const auto dir = fixture(std::string("models/") + GetParam());
  REQUIRE_FIXTURE(dir);
  const Json config = read_json(dir / "config.json");
  const auto name = config["architectures"][0].get<std::string>();
  RecordProperty("model", GetParam());
  const Model model = load(dir);
  const Json expected = read_json(dir / "expected.json");
  SafetensorsFile file(dir / "expected.safetensors");
  const Tensor ids = file.get("input_ids").to(at::kLong).contiguous();
  const Tensor labels = file.get("labels").to(at::kLong).contiguous();
  const auto lengths = expected["lengths"].get<std::vector<int64_t>>();
  std::vector<Request> requests;
  std::vector<ScoreItem> items(lengths.size());
  for (size_t i = 0; i < lengths.size(); ++i) {
    const int64_t* row = ids.data_ptr<int64_t>() + static_cast<int64_t>(i) * ids.size(1);
    const int64_t* label = labels.data_ptr<int64_t>() + static_cast<int64_t>(i) * ids.size(1);
    requests.push_back({std::to_string(i), {row, row + lengths[i]}});
    items[i].ids = requests[i].prompt;
    for (int64_t t = 0; t < lengths[i]; ++t) items[i].supervised.push_back(label[t] != -100);
  }
  const auto wanted = expected["greedy"].get<std::vector<std::vector<int32_t>>>();
  const int64_t original =
      name == "Phi3ForCausalLM" ? config.value("original_max_position_embeddings", 0) : 0;
  for (int64_t batch_size : {0, 1}) {
    GenerateOptions options = greedy(static_cast<int64_t>(wanted[0].size()), {});
    options.batch_size = batch_size;
    const auto answers = generate(model, requests, options);
    for (size_t i = 0; i < wanted.size(); ++i) {
      // Where a row passes the length at which longrope changes its factors, Transformers keeps the old keys.
      const int64_t limit = original - lengths[i] + 1;
      const bool crosses = limit > 0 && limit < static_cast<int64_t>(wanted[i].size());
      const size_t count = crosses ? static_cast<size_t>(limit) : wanted[i].size();
      EXPECT_THAT(first(answers[i].ids, count), ::testing::ElementsAreArray(first(wanted[i], count))) << i;
    }
  }
  const auto scores = score(model, items);
  const auto loglik = expected["row_loglik"].get<std::vector<double>>();
  for (size_t i = 0; i < loglik.size(); ++i)
    EXPECT_NEAR(scores[i].log_prob, loglik[i], 1e-4 * std::abs(loglik[i]));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Architecture,
                         ::testing::Values("llama2", "llama3", "llama_linear", "mistral", "qwen2", "qwen3",
                                           "gemma2", "gemma3", "phi3", "olmo2", "smollm3", "llama_yarn",
                                           "qwen3_moe", "mixtral", "phi3_longrope"));

}  // namespace
}  // namespace sdft
