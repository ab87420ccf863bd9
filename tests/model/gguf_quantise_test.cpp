// Numbers to blocks: the same bytes as the `gguf` package's, and less error than plain rounding.
#include "model/format/gguf_quantise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/json.h"
#include "base/random.h"
#include "model/format/gguf_quants.h"
#include "model/gguf_types.h"
#include "testing.h"

namespace sdft::testing {
namespace {

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST(GgufQuantise, TheSameBytesAsTheGgufPackage) {
  const Json json = read_json(std::filesystem::path(SDFT_SOURCE_DIR) / "tests/model/gguf_blocks.json");
  const std::string raw = bytes_of(json["numbers"]);
  std::vector<float> x(raw.size() / sizeof(float));
  std::memcpy(x.data(), raw.data(), raw.size());
  for (const char* name : {"Q4_0", "Q5_0", "Q8_0"}) {
    const GgufType& type = gguf_type(name);
    const std::string expected = bytes_of(json[name]);
    for (size_t b = 0; b < x.size() / type.elements; ++b) {
      std::string block(type.bytes, '\xff');
      type.encode(x.data() + b * type.elements, reinterpret_cast<unsigned char*>(block.data()));
      EXPECT_EQ(block, expected.substr(b * type.bytes, type.bytes)) << name << " block " << b;
    }
  }
}

std::vector<float> decoded(const GgufType& type, const std::vector<float>& x) {
  std::vector<float> out(x.size());
  std::vector<unsigned char> block(type.bytes, 0xff);  // nothing of what was there may stay
  for (size_t at = 0; at < x.size(); at += type.elements) {
    type.encode(x.data() + at, block.data());
    decode_block(type, block.data(), out.data() + at);
  }
  return out;
}

double squares(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

// Groups between their smallest and largest number (without minimum: up to the largest size), scales exact.
std::vector<float> plainly_rounded(const std::vector<float>& x, size_t group, int levels, bool minimum) {
  std::vector<float> out(x.size());
  for (size_t at = 0; at < x.size(); at += group) {
    const auto [low, high] = std::minmax_element(&x[at], &x[at] + group);
    const float offset = minimum ? std::min(*low, 0.0f) : 0,
                step = minimum ? (*high - offset) / static_cast<float>(levels - 1)
                               : std::max(-*low, *high) / static_cast<float>(levels / 2 - 1);
    for (size_t i = at; i < at + group; ++i) out[i] = offset + step * std::nearbyint((x[i] - offset) / step);
  }
  return out;
}

TEST(GgufQuantise, KBlocksHaveLessErrorThanMinAndMax) {
  Random random(7, "numbers");
  std::vector<float> x(256 * 64);
  for (size_t i = 0; i < x.size(); ++i)  // nearly normal, of another size in each group
    x[i] = 0.01f * static_cast<float>(1 + i / 32 % 5) * static_cast<float>(random.normal());
  const struct {
    const char* name;
    size_t group;
    int levels;
    bool minimum;
    double most;  // of plain rounding's squared error, whose scales are exact
  } cases[] = {{"Q4_K", 32, 16, true, 0.95}, {"Q5_K", 32, 32, true, 1.0}, {"Q6_K", 16, 64, false, 1.0}};
  for (const auto& c : cases) {
    const double ours = squares(x, decoded(gguf_type(c.name), x)),
                 plain = squares(x, plainly_rounded(x, c.group, c.levels, c.minimum));
    EXPECT_LT(ours, c.most * plain) << c.name << " " << ours / plain;
  }
}

TEST(GgufQuantise, NumbersThatFitAreKept) {
  for (const char* name : {"Q4_0", "Q5_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K"}) {
    const GgufType& type = gguf_type(name);
    const std::vector<float> zero(256, 0.0f), half(256, -0.5f);
    EXPECT_EQ(decoded(type, zero), zero) << name;
    for (const float value : decoded(type, half)) EXPECT_NEAR(value, -0.5, 0.003) << name;
    std::vector<float> one(256, 0.0f);
    one[77] = 1e-30f;  // its scale is none of f16
    for (const float value : decoded(type, one)) EXPECT_NEAR(value, 0, 1e-6) << name;
  }
}

// What the blocks hold once is a fixed point: codes and scales that are there are found again.
TEST(GgufQuantise, DecodedBlocksStayNearlyWhatTheyAre) {
  Random random(9, "codes");
  for (const char* name : {"Q4_K", "Q5_K", "Q6_K"}) {
    const GgufType& type = gguf_type(name);
    std::vector<float> x(256 * 16);
    for (float& value : x) value = static_cast<float>(random.uniform() - 0.5);
    const std::vector<float> once = decoded(type, x), twice = decoded(type, once);
    EXPECT_LT(squares(once, twice), 0.1 * squares(x, once)) << name;
  }
}

TEST(GgufTypes, AreLlamaCppsMixture) {
  ModelConfig config;
  config.architecture = "LlamaForCausalLM";
  config.num_hidden_layers = 30;
  const GgufMixture& mixture = gguf_mixture("q4_k_m");
  const auto type = [&](const std::string& name, int64_t row) {
    return std::string(gguf_choice(mixture, config, name, {64, row}).type->name);
  };
  std::string values;  // of llama-quantize: SmolLM2-135M has 14 of 30 layers with more bits
  for (int i = 0; i < 30; ++i)
    values += type("blk." + std::to_string(i) + ".attn_v.weight", 256) == "Q6_K" ? '6' : '4';
  EXPECT_EQ(values,
            "666"
            "446446446446446446446"
            "446666");
  EXPECT_EQ(type("blk.4.attn_q.weight", 256), "Q4_K");
  EXPECT_EQ(type("blk.4.attn_q.weight", 288), "Q5_0");
  EXPECT_EQ(type("blk.0.ffn_down.weight", 288), "Q8_0");
  EXPECT_EQ(type("blk.4.attn_q.weight", 100), "F16");
  EXPECT_EQ(type("blk.4.ffn_gate_inp.weight", 256), "F32");
  EXPECT_EQ(type("blk.4.attn_qkv.weight", 256), "Q5_K");
  EXPECT_EQ(type("output.weight", 256), "Q6_K");
  EXPECT_EQ(type("token_embd.weight", 256), "Q4_K");
  config.tie_word_embeddings = true;
  EXPECT_EQ(type("token_embd.weight", 256), "Q6_K");
  EXPECT_STREQ(gguf_choice(mixture, config, "blk.0.attn_norm.weight", {256}).type->name, "F32");
  config.num_experts = 8;
  EXPECT_EQ(type("blk.4.attn_k.weight", 256), "Q8_0");
}

}  // namespace
}  // namespace sdft::testing
