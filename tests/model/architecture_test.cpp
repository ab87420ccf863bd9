// Tiny models of every architecture and rope variant, against the logits of Transformers (tests/fixtures).
#include <gmock/gmock.h>

#include <set>

#include "base/error.h"
#include "base/file.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "testing.h"

namespace sdft {
namespace {

const std::filesystem::path kFixtures =
    std::filesystem::path(SDFT_SOURCE_DIR) / "tests/fixtures/architectures";

struct Rows {
  std::vector<std::vector<int32_t>> ids;
  std::vector<Tensor> logits;  // [T, V]
};

Rows read_rows(const std::filesystem::path& dir) {
  const SafetensorsFile file(dir / "expected.safetensors");
  Rows rows;
  for (const char* row : {"0", "1"}) {
    const Tensor ids = file.get(std::string("ids.") + row).to(at::kInt).contiguous();
    rows.ids.emplace_back(ids.data_ptr<int32_t>(), ids.data_ptr<int32_t>() + ids.numel());
    rows.logits.push_back(file.get(std::string("logits.") + row).clone());
  }
  return rows;
}

double relative_error(const Tensor& got, const Tensor& want) {
  return (got - want).abs().max().item<double>() / want.abs().max().item<double>();
}

class SmallArchitecture : public ::testing::TestWithParam<std::string> {
 protected:
  const std::filesystem::path dir_ = kFixtures / GetParam();
  Model model_ = load_model(dir_, {"cpu", "f32"});
  const Rows rows_ = read_rows(dir_);
  at::NoGradGuard no_grad_;
};

// Both rows in one pack: neither sees the other.
TEST_P(SmallArchitecture, Logits) {
  const Tensor got = logits(model_, forward(model_, pack(rows_.ids, at::kCPU)));
  int64_t begin = 0;
  for (const Tensor& want : rows_.logits) {
    EXPECT_LT(relative_error(got.narrow(0, begin, want.size(0)), want), 1e-5);
    begin += want.size(0);
  }
}

// The composed operations that GPUs and bf16 use give the same as the CPU's kernels.
TEST_P(SmallArchitecture, LogitsWithAGradient) {
  at::AutoGradMode enabled(true);
  for (auto& item : named_parameters(model_)) item.second->requires_grad_(true);
  const Tensor got = logits(model_, forward(model_, pack({rows_.ids[0]}, at::kCPU)));
  EXPECT_LT(relative_error(got.detach(), rows_.logits[0]), 1e-5);
}

// Token by token from a cache. Where a sequence crosses the length at which its angles change, the earlier
// keys keep theirs (as in Transformers), so that only what comes before is the same.
TEST_P(SmallArchitecture, CachedLogits) {
  const std::vector<int32_t>& ids = rows_.ids[0];
  const int64_t same = model_.rope.trained > 0 ? model_.rope.trained : static_cast<int64_t>(ids.size());
  KvCache cache = make_cache(model_, 2, static_cast<int64_t>(ids.size()));
  const Tensor whole = logits(model_, forward(model_, pack({{ids.begin(), ids.begin() + same}}, at::kCPU)));
  for (int64_t done = 0; done < same;) {
    const int64_t count = done == 0 ? 5 : 1;
    std::vector<int64_t> next(ids.begin() + done, ids.begin() + done + count);
    const Tensor hidden = forward_cached(model_, at::tensor(at::ArrayRef<int64_t>(next), at::kLong),
                                         {{count, 1, done + count}}, cache, true);
    done += count;
    EXPECT_LT(relative_error(logits(model_, hidden)[0], whole[done - 1]), 1e-5) << done;
  }
}

TEST_P(SmallArchitecture, SavedAndLoadedAgain) {
  testing::ScratchDir out;
  save_model(model_, out.path(), "", at::kFloat);
  const Model again = load_model(out.path(), {"cpu", "f32"});
  const PackedTokens tokens = pack(rows_.ids, at::kCPU);
  EXPECT_TRUE(logits(again, forward(again, tokens)).equal(logits(model_, forward(model_, tokens))));
  int64_t count = 0;
  for (auto& item : named_parameters(model_)) count += item.second->numel();
  EXPECT_EQ(model_.config.parameters(), count);
}

TEST_P(SmallArchitecture, StartsFromRandomWeights) {
  const Model model = init_model(model_.config, 1, {"cpu", "f32"});
  const Tensor got = logits(model, forward(model, pack(rows_.ids, at::kCPU)));
  EXPECT_TRUE(at::isfinite(got).all().item<bool>());
}

std::vector<std::string> fixture_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFixtures))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(Fixtures, SmallArchitecture, ::testing::ValuesIn(fixture_names()),
                         [](const auto& test) { return test.param; });

TEST(Config, EveryArchitectureHasAFixture) {
  std::set<std::string> tested;
  for (const std::string& name : fixture_names()) tested.insert(read_config(kFixtures / name).architecture);
  EXPECT_THAT(known_architectures(), ::testing::UnorderedElementsAreArray(tested));
}

TEST(Config, AllProblemsAreNamedAtOnce) {
  Json json = read_json(kFixtures / "llama_linear" / "config.json");
  json["hidden_size"] = "many";
  json["num_hidden_layers"] = 0;
  json["hidden_act"] = "relu";
  json["rope_parameters"] = {{"rope_type", "spiral"}};
  try {
    parse_config(json, "c");
    FAIL();
  } catch (const Error& error) {
    for (const char* part :
         {"'hidden_size'", "'num_hidden_layers'", "relu", "spiral", "llama3, yarn, longrope"})
      EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
  }
  EXPECT_THROW(parse_config(Json::parse(R"({"architectures": ["NoSuchForCausalLM"]})"), "c"), Error);
  EXPECT_THROW(parse_config(Json::array(), "c"), Error);
}

}  // namespace
}  // namespace sdft
