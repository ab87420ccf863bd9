// GGUF: the format, its tensor types, broken files, and what becomes of a model's numbers.
#include "model/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "base/error.h"
#include "gguf_writer.h"
#include "model/gguf_export.h"
#include "model/gguf_import.h"
#include "model/gguf_names.h"
#include "model/gguf_weights.h"
#include "testing.h"

namespace sdft::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Gguf : public ::testing::Test {
 protected:
  GgufFile open(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;  // thousands of times: not to the disk
    return GgufFile(path_);
  }
  // The message with which the file is refused; "" where it is not.
  std::string refusal(const std::string& bytes) {
    try {
      open(bytes);
      return "";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kInput);
      EXPECT_THAT(e.what(), HasSubstr(path_.string()));
      return e.what();
    }
  }
  static std::string error_of(const std::function<void()>& work) {
    try {
      work();
      return "";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kInput);
      return e.what();
    }
  }
  static GgufBytes small() {
    GgufBytes file;
    file.key("general.architecture", "llama");
    file.key("some.flag", true);
    file.key("some.numbers", {1, -2, 3});
    file.key("some.words", {"a", "", "Ġb"});
    file.key("some.real", 0.1);
    file.tensor("one", {2, 3}, 0, GgufBytes::floats({1, 2, 3, 4, 5, 6}));
    file.tensor("two", {2}, 1, std::string("\x00\x3c\x00\xc0", 4));  // f16: 1, -2
    return file;
  }
  ScratchDir dir_;
  fs::path path_ = dir_ / "file.gguf";
};

std::vector<float> values(const Tensor& x) {
  const Tensor flat = x.to(at::kFloat).contiguous().view({-1});
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

TEST_F(Gguf, ReadsMetadataAndTensors) {
  for (uint32_t version : {2u, 3u}) {
    GgufBytes bytes = small();
    bytes.version = version;
    const GgufFile file = open(bytes.bytes());
    EXPECT_EQ(file.require<std::string>("general.architecture"), "llama");
    EXPECT_TRUE(file.require<bool>("some.flag"));
    EXPECT_EQ(file.metadata().at("some.numbers"), Json({1, -2, 3}));
    EXPECT_EQ(file.metadata().at("some.words"), Json({"a", "", "Ġb"}));
    EXPECT_EQ(file.require<double>("some.real"), 0.1);  // not 0.10000000149011612
    EXPECT_EQ(file.value_or<int>("not.there", 7), 7);
    EXPECT_EQ(file.tensors().at("one").shape, (std::vector<int64_t>{2, 3}));
    EXPECT_THAT(values(file.get("one", at::kHalf)), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(values(file.get("one", 1, at::kFloat)), ElementsAre(4, 5, 6));
    EXPECT_THAT(values(file.get("two", at::kFloat)), ElementsAre(1, -2));
    EXPECT_THROW(file.get("three", at::kFloat), Error);
    EXPECT_THROW(file.require<std::string>("some.numbers"), Error);
  }
}

TEST_F(Gguf, ReadsWhatItWrites) {
  const Tensor x = at::arange(6, at::kFloat).view({2, 3}), y = at::ones({5}, at::kFloat);
  write_gguf(path_, {{"a.text", "words"}, {"a.count", 12}, {"a.real", 0.5}},
             {{"x", {2, 3}, &gguf_type("F32"), [x] { return x; }},
              {"y", {5}, &gguf_type("F32"), [y] { return y; }}});
  const GgufFile file(path_);
  EXPECT_EQ(file.require<std::string>("a.text"), "words");
  EXPECT_EQ(file.require<int>("a.count"), 12);
  EXPECT_EQ(file.require<double>("a.real"), 0.5);
  EXPECT_TRUE(at::equal(file.get("x", at::kFloat), x));
  EXPECT_TRUE(at::equal(file.get("y", at::kFloat), y));
}

TEST_F(Gguf, RefusesEveryTruncation) {
  const std::string whole = small().bytes();
  ASSERT_EQ(refusal(whole), "");
  const size_t end_of_data = whole.size() - 28;  // the last tensor has 4 bytes of a padded 32
  for (size_t size = 0; size < end_of_data; ++size) EXPECT_NE(refusal(whole.substr(0, size)), "") << size;
}

// Any byte changed: another file or an error, never a crash.
TEST_F(Gguf, SurvivesEveryByte) {
  const std::string whole = small().bytes();
  for (size_t at = 0; at < whole.size(); ++at)
    for (const char byte : {'\x00', '\x01', '\x09', '\x7f', '\xff'}) {
      std::string changed = whole;
      changed[at] = byte;
      if (refusal(changed).empty()) {
        const GgufFile file(path_);
        for (const auto& item : file.tensors()) error_of([&] { file.get(item.first, at::kFloat); });
      }
    }
}

TEST_F(Gguf, SaysWhatIsWrong) {
  const std::string good = small().bytes();
  EXPECT_THAT(refusal("GGML" + good.substr(4)), HasSubstr("is not a GGUF file"));
  EXPECT_THAT(refusal("GGUF" + GgufBytes::little(1, 4) + good.substr(8)), HasSubstr("version 1"));
  EXPECT_THAT(refusal(std::string("GGUF\0\0\0\3", 8) + good.substr(8)), HasSubstr("big-endian"));
  const std::string start = "GGUF" + GgufBytes::little(3, 4), many = GgufBytes::little(1ull << 60, 8);
  EXPECT_THAT(refusal(start + many + GgufBytes::little(0, 8)), HasSubstr("1152921504606846976 tensors"));
  EXPECT_THAT(refusal(start + GgufBytes::little(0, 8) + many),
              HasSubstr("1152921504606846976 metadata keys"));
  auto with_key = [&](const std::string& value) {
    GgufBytes file = small();
    file.raw_key("k", value);
    return refusal(file.bytes());
  };
  EXPECT_THAT(with_key(GgufBytes::little(8, 4) + many), HasSubstr("ends within metadata 'k'"));
  EXPECT_THAT(with_key(GgufBytes::little(9, 4) + GgufBytes::little(4, 4) + many),
              HasSubstr("values in metadata 'k'"));
  EXPECT_THAT(with_key(GgufBytes::little(13, 4)), HasSubstr("value type 13"));
  std::string nested;
  for (int i = 0; i < 6; ++i) nested += GgufBytes::little(9, 4) + (i ? GgufBytes::little(1, 8) : "");
  EXPECT_THAT(with_key(nested + GgufBytes::little(4, 4) + GgufBytes::little(0, 8)), HasSubstr("nested"));
  GgufBytes twice = small();
  twice.key("some.flag", false);
  EXPECT_THAT(refusal(twice.bytes()), HasSubstr("'some.flag' twice"));
  GgufBytes odd;
  odd.key("general.alignment", 24);
  EXPECT_THAT(refusal(odd.bytes()), HasSubstr("power of two"));
}

TEST_F(Gguf, RefusesTensorsThatCannotBe) {
  auto with = [&](const std::string& name, const std::vector<uint64_t>& shape, uint32_t type,
                  uint64_t offset) {
    GgufBytes file = small();
    file.raw_tensor(name, shape, type, offset);
    return refusal(file.bytes());
  };
  EXPECT_THAT(with("t", {1}, 0, 96), HasSubstr("beyond the end"));
  EXPECT_THAT(with("t", {1}, 0, ~0ull - 31), HasSubstr("beyond the end"));
  EXPECT_THAT(with("t", {1}, 0, 4), HasSubstr("no multiple of 32"));
  EXPECT_THAT(with("t", {1}, 0, 0), HasSubstr("overlaps"));
  EXPECT_THAT(with("one", {1}, 0, 32), HasSubstr("is there twice"));
  EXPECT_THAT(with("t", {1ull << 32, 1ull << 32}, 0, 0), HasSubstr("impossible shape"));
  EXPECT_THAT(with("t", {1ull << 63}, 0, 0), HasSubstr("impossible shape"));
  EXPECT_THAT(with("t", {0}, 0, 0), HasSubstr("impossible shape"));
  EXPECT_THAT(with("t", {1, 1, 1, 1, 1}, 0, 0), HasSubstr("5 dimensions"));
  EXPECT_THAT(with("t", {33}, 8, 0), HasSubstr("blocks of 32"));
  EXPECT_THAT(with("t", {256}, 23, 0), HasSubstr("tensor 't': has the type IQ4_XS"));
  EXPECT_THAT(with("t", {256}, 1000, 0), HasSubstr("type number 1000"));
}

TEST_F(Gguf, SaysWhereF16IsTooSmall) {
  GgufBytes file;
  file.tensor("big", {1}, 0, GgufBytes::floats({70000}));
  const GgufFile opened = open(file.bytes());
  EXPECT_EQ(values(opened.get("big", at::kFloat))[0], 70000);
  EXPECT_THAT(error_of([&] { opened.get("big", at::kHalf); }),
              AllOf(HasSubstr("tensor 'big': holds numbers up to 70000"), HasSubstr("bf16 or f32")));
}

// Rounded to bf16, f32's largest would be infinite.
TEST_F(Gguf, NumbersStayFinite) {
  GgufBytes file;
  file.tensor("largest", {1}, 0, GgufBytes::floats({3.4e38f}));
  file.tensor("none", {2}, 0, GgufBytes::floats({1, std::nanf("")}));
  file.tensor("endless", {1}, 1, std::string("\x00\x7c", 2));
  const GgufFile opened = open(file.bytes());
  EXPECT_EQ(values(opened.get("largest", at::kFloat))[0], 3.4e38f);
  EXPECT_THAT(error_of([&] { opened.get("largest", at::kBFloat16); }),
              AllOf(HasSubstr("bf16 goes to 3.38953e+38"), HasSubstr("write f32")));
  for (const char* name : {"none", "endless"})
    for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16})
      EXPECT_THAT(error_of([&] { opened.get(name, type); }), AllOf(HasSubstr(name), HasSubstr("not finite")));
}

// A sparse file takes no space, however much it claims.
TEST_F(Gguf, MetadataHasLimits) {
  const std::string start = "GGUF" + GgufBytes::little(3, 4) + GgufBytes::little(0, 8) +
                            GgufBytes::little(1, 8) + GgufBytes::text("k");
  auto sparse = [&](const std::string& value) {
    std::ofstream(path_, std::ios::binary) << start + value;
    fs::resize_file(path_, uint64_t{1} << 36);
    return error_of([&] { GgufFile file(path_); });
  };
  EXPECT_THAT(sparse(GgufBytes::little(8, 4) + GgufBytes::little(1ull << 35, 8)), HasSubstr("the limit"));
  EXPECT_THAT(sparse(GgufBytes::little(9, 4) + GgufBytes::little(0, 4) + GgufBytes::little(1ull << 35, 8)),
              HasSubstr("values in its metadata"));
}

// A block of random bytes each; expected: gguf.quants of llama.cpp's Python package (0.7.0). Numbers 0, 1,
// the two in the middle, the last; then the SHA-256 of all as f32.
struct Block {
  const char* name;
  uint32_t type;
  std::string hex;
  std::vector<float> some;
  const char* all;
};
const Block kBlocks[] = {
    {"Q4_0",
     2,
     "c028e5f1a94106a0956a26afbccdafe562f9",
     {-0.111328125f, -0.25976562f, 0.037109375f, 0.22265625f, 0.25976562f},
     "fa001dfe2ac3bc2b873457b2eab78f8fe669d7c11fc267540cada9467e3c9618"},
    {"Q4_1",
     3,
     "c02874a542276ad5ab2da7394551370e99b2d74c",
     {0.05291748f, 0.23846436f, 0.42401123f, 0.12713623f, 0.12713623f},
     "012447a7928fc15e77f2a760b558d4a44ae840ad9ef8f703a12d1483f262d0f7"},
    {"Q5_0",
     6,
     "c028fa48d732a1df70aca1e926115901dd06f27f8f06",
     {-0.5566406f, 0.5566406f, -0.37109375f, 0.37109375f, -0.59375f},
     "df768132ffecbb3bd45b45a7319b51f574618811da24d62e3ce089a88fce9ec6"},
    {"Q5_1",
     7,
     "c02874a5f9bd0ccc21397c1ec795ca7748dc03d17a88934d",
     {0.6095581f, 0.3126831f, 1.0548706f, 0.05291748f, 0.72088623f},
     "c57eb61337e2ea1fdba39e8dfbeebb1871dfe1c5f9d090ace141eaad96ad7392"},
    {"Q8_0",
     8,
     "c0287357a2e64647f03e2fb81f223f4192c58efd5185f0711ef7677a1f132a818d88",
     {4.267578f, 3.2285156f, -2.1894531f, -4.2304688f, -4.453125f},
     "bd93b27ca3dd43dc00d25004e22d582a60e78c6095fccc002037930ef538b08c"},
    {"Q2_K",
     10,
     "a100b28d6b236b82481bd9fe630dc3ce3be4ebcab72f45b35223479f6e794d57037e2cfde9e15a7789781e3721a557d8"
     "e5a703296dcb81db3f65cf9c1bdc5d1d8fc83f0b0bb4db71be572209851d3d24c02874a5",
     {0.32434082f, 0.2130127f, 0.3930664f, 0.38208008f, 0.25561523f},
     "9effe026f558afecca793c4d7e79d88c001da4b514cadfb65b30d53fda7d1225"},
    {"Q3_K",
     11,
     "fe4363f82f4759778955f6ced681cbea7179ced2c8f814a13472ff70ce369d8385452a44f318337f08cd1e614f235d3f"
     "83bc45fee9ee0403a79be118544441317c9311f85e0429b19f7ec0e156f65a3322e791b880ee995e3f0d307d2fbaf400"
     "693a179e0d027ed4e58be7a9c028",
     {0.7792969f, -0.25976562f, -0.59375f, 0.0f, 0.0f},
     "8617dafb18d18659f655ef3dab887651a96bddb2c81080949944558383e414a0"},
    {"Q4_K",
     12,
     "c02874a555638144eb6603f7b2725de11fe6ac2f88a68182869793f0aad6ded8116e3ab51681c4a374fec70a68b3e4bd"
     "c92b387987416c17ec90963ec766888ab4b80eba7c5cfd81121bea9cee1810dfd5169faf26cd7b5c30c8aba44d972299"
     "e8c7b41b9a1d2b0f180600a974d63b6332202c998e82b2522c49c4394c7d73265b6aaf61b288fbd0aecfa76661622361",
     {12.605408f, 5.591736f, 3.1012573f, 4.5966187f, 5.105835f},
     "bcc46cada35b705e6a085086c05bd307813ec2a246f5b278a34d6c92ed7998a3"},
    {"Q5_K",
     13,
     "c02874a5aa388ffabd0a6a6412b209971e2d827076f7e49ab8fa197271be53a3442b128cdad72bad0f8aeef42a0b9a26"
     "d74fc78f2562b8701097a55b5510543d27ed600de3200a6749307fd37899c118819af6674394c3f7aa5f93f32c810a37"
     "ca7bf1013ccdf8ab8ab4a6039954e84cbe3b3f7f1183c3df8375c517b4e786a9aadf7488f892b12191387ad86aca56d8"
     "531c927b931fe8f16e795b9b331767e712dbe8f5331dd9917f01e64710dd3c25",
     {12.209534f, 49.615784f, 9.376221f, 38.554504f, 4.614563f},
     "1707d761250e47e12ee6aa5e8748cce710ebe320c1500d1f56c6cb2ec369224b"},
    {"Q6_K",
     14,
     "f4d21690a049453135550ec0193a8bed1783d53ec944658d1d28960c44b0382e93438e60788d51e279a131f8130b3ea4"
     "bd2f5d95e57bd791436d840f4e6654608135bbfb885d346959a49b36402a4f3dcc489fb6511fbe09e5d72bf834e04fe0"
     "28ca4991e02abd77279fedc206d2318ca8b8287a6f4b795209575d7277d456c0f6e81a0e584d730660f56bb8b588475f"
     "7066c1cd7109c5079a933ee857db751ff223726ad90697f749f7c61bd80163a8c9a356ba91d79f6d24ee3a14ebd41386"
     "d8faef6e9e6c70df41dba9aeb5301e58c028",
     {-5.9375f, 44.53125f, 31.839844f, 2.4121094f, 39.1875f},
     "d77b79afe70f1890a0fc57abe21c7c62fc5c35e5d6e11e4d00df82e7ca3a69fa"},
};

TEST_F(Gguf, DequantisesLikeGgml) {
  for (const Block& block : kBlocks) {
    std::string bytes;
    for (size_t i = 0; i < block.hex.size(); i += 2)
      bytes.push_back(static_cast<char>(std::stoi(block.hex.substr(i, 2), nullptr, 16)));
    const GgufType* type = find_gguf_type(block.type);
    ASSERT_NE(type, nullptr);
    EXPECT_STREQ(type->name, block.name);
    ASSERT_EQ(type->bytes, bytes.size()) << block.name;
    GgufBytes file;
    file.tensor("t", {2, type->elements}, block.type, bytes + bytes);
    const auto numbers = values(open(file.bytes()).get("t", 1, at::kFloat));
    const size_t n = numbers.size(), middle = n / 2;
    const std::vector<float> some = {numbers[0], numbers[1], numbers[middle - 1], numbers[middle],
                                     numbers[n - 1]};
    EXPECT_EQ(some, block.some) << block.name;
    EXPECT_EQ(sha256(GgufBytes::floats(numbers)), block.all) << block.name;
  }
}

TEST_F(Gguf, DequantisesBf16AndLongTensors) {
  GgufBytes file;
  file.tensor("b", {2}, 30, std::string("\x80\x3f\x20\xc1", 4));  // 1, -10
  std::vector<float> many((1 << 20) + 5);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>(i);
  file.tensor("f", {many.size()}, 0, GgufBytes::floats(many));
  const GgufFile opened = open(file.bytes());
  EXPECT_THAT(values(opened.get("b", at::kFloat)), ElementsAre(1, -10));
  EXPECT_EQ(values(opened.get("f", at::kFloat)), many);  // more than is converted at once
}

// --- What models are called, and what their settings become

GgufBytes llama_metadata() {
  GgufBytes file;
  file.key("general.architecture", "llama");
  file.key("llama.context_length", 128);
  file.key("llama.embedding_length", 64);
  file.key("llama.feed_forward_length", 96);
  file.key("llama.block_count", 1);
  file.key("llama.attention.head_count", 4);
  file.key("llama.attention.head_count_kv", 2);
  file.key("llama.attention.layer_norm_rms_epsilon", 1e-5);
  file.key("llama.rope.freq_base", 500000.0);
  file.tensor("token_embd.weight", {8, 64}, 0, std::string(8 * 64 * 4, '\0'));
  return file;
}

TEST_F(Gguf, ConfigFromMetadata) {
  const Json config = gguf_config(open(llama_metadata().bytes()));
  EXPECT_EQ(config["architectures"], Json({"LlamaForCausalLM"}));
  EXPECT_EQ(config["model_type"], "llama");
  EXPECT_EQ(config["head_dim"], 16);
  EXPECT_EQ(config["vocab_size"], 8);
  EXPECT_EQ(config["rms_norm_eps"], 1e-5);
  EXPECT_EQ(config["tie_word_embeddings"], true);
  EXPECT_FALSE(config.contains("rope_scaling"));
}

TEST_F(Gguf, RefusesModelsItCannotSay) {
  auto config_of = [&](const std::string& key, const Json& value) {
    GgufBytes file = llama_metadata();
    file.key(key, value);
    try {
      gguf_config(open(file.bytes()));
      return std::string();
    } catch (const Error& e) {
      return std::string(e.what());
    }
  };
  EXPECT_THAT(config_of("llama.logit_scale", 0.5), HasSubstr("logit_scale"));
  EXPECT_THAT(config_of("general.type", "adapter"), HasSubstr("holds no model"));
  EXPECT_THAT(config_of("split.count", 2), HasSubstr("several parts"));
  EXPECT_THAT(config_of("llama.rope.dimension_count", 8), HasSubstr("rotates 8"));
  EXPECT_THAT(config_of("llama.rope.scaling.type", "strange"), HasSubstr("strange"));
  GgufBytes other;
  other.key("general.architecture", "mamba");
  try {
    gguf_config(open(other.bytes()));
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("'mamba' is not known"));
    EXPECT_THAT(e.what(), HasSubstr("qwen2"));
  }
}

// The divisors as llama.cpp's converter computes them from Llama 3.1's settings, for heads of 2 n.
std::vector<float> llama3_divisors(int n, double factor, double low, double high, double original) {
  std::vector<float> list;
  for (int i = 0; i < n; ++i) {
    const double length = 2 * M_PI * std::pow(500000.0, static_cast<double>(i) / n);
    const double smooth = (original / length - low) / (high - low);
    list.push_back(static_cast<float>(length < original / high  ? 1
                                      : length > original / low ? factor
                                                                : 1 / ((1 - smooth) / factor + smooth)));
  }
  return list;
}

TEST_F(Gguf, Llama3ScalingComesBack) {
  const std::vector<std::vector<double>> cases = {
      {8, 1, 4, 8192}, {32, 1, 4, 8192}, {8, 1, 4, 4096}, {4, 1, 16, 512}};
  for (const auto& c : cases) {
    GgufBytes file = llama_metadata();
    const auto divisors = llama3_divisors(64, c[0], c[1], c[2], c[3]);
    file.tensor("rope_freqs.weight", {64}, 0, GgufBytes::floats(divisors));
    const Json scaling = gguf_rope_scaling(open(file.bytes()), "llama", 500000.0);
    EXPECT_EQ(scaling["rope_type"], "llama3");
    EXPECT_EQ(scaling["factor"], c[0]);
    EXPECT_EQ(scaling["high_freq_factor"], c[2]);
    EXPECT_EQ(scaling["original_max_position_embeddings"], c[3]);
  }
  GgufBytes wild = llama_metadata();
  wild.tensor("rope_freqs.weight", {4}, 0, GgufBytes::floats({1, 7, 2, 8}));
  EXPECT_THROW(gguf_rope_scaling(open(wild.bytes()), "llama", 500000.0), Error);
}

TEST(GgufNames, RowsGoThereAndBack) {
  const Tensor rows = at::arange(16, at::kFloat).view({8, 2});  // two heads of four
  const Tensor there = interleave(rows, 2);
  EXPECT_THAT(values(there.select(1, 0)), ElementsAre(0, 4, 2, 6, 8, 12, 10, 14));
  EXPECT_TRUE(at::equal(uninterleave(there, 2), rows));
  EXPECT_THAT(values(interleave(at::arange(4, at::kFloat), 1)), ElementsAre(0, 2, 1, 3));
}

// Models of every architecture as files and back: the same settings and weights, or a refusal that names why.
TEST_F(Gguf, ModelsOfEveryArchitectureComeBack) {
  const std::map<std::string, std::string> refused = {
      {"llama_dynamic", "dynamic"},
      {"llama_yarn_mscale", "rope_scaling"},
      {"qwen2_window", "sliding_window"},
      {"gemma2", "query_pre_attn_scalar"},
      {"gemma3_linear", "query_pre_attn_scalar"},
      {"gemma3_nested", "query_pre_attn_scalar"},
      {"smollm3", "layers without positions"},
      {"qwen3_moe", "experts"},
  };
  LoadOptions load;
  load.device = "cpu";
  for (const auto& entry :
       fs::directory_iterator(fs::path(SDFT_SOURCE_DIR) / "tests/fixtures/architectures")) {
    const std::string name = entry.path().filename();
    Model model = load_model(entry.path(), load);
    const std::string problem =
        error_of([&] { write_gguf_model(model, gguf_mixture("f32"), name, {}, path_); });
    const auto expected = refused.find(name);
    EXPECT_EQ(problem.empty(), expected == refused.end()) << name << " " << problem;
    if (!problem.empty()) {
      EXPECT_THAT(problem, HasSubstr(expected == refused.end() ? "" : expected->second));
      EXPECT_FALSE(fs::exists(path_));
      continue;
    }
    const GgufFile file(path_);
    const ModelConfig config = parse_config(gguf_config(file), "config");
    const GgufWeights weights(file, config);
    for (const auto& [weight, own] : named_parameters(model)) {
      const Tensor read = weights.get(weight, at::kFloat);
      EXPECT_TRUE(at::allclose(read, *own, 0, 1e-6)) << name << " " << weight;
    }
    fs::remove(path_);
  }
}

TEST_F(Gguf, AdapterWithScalesOfItsOwn) {
  ModelConfig config;
  config.architecture = "LlamaForCausalLM";
  config.num_attention_heads = 1;
  config.num_key_value_heads = 1;
  Adapter adapter;
  adapter.config.alpha = 8;
  const Tensor a = at::ones({2, 3}, at::kFloat), b = at::arange(8, at::kFloat).view({4, 2});
  adapter.pairs["model.layers.0.self_attn.q_proj"] = {a, b, 4};         // 8 / 2: as it is
  adapter.pairs["model.layers.1.mlp.down_proj"] = {a, b, 8 / M_SQRT2};  // rsLoRA
  write_gguf_adapter(adapter, config, gguf_mixture("f32"), path_);
  const GgufFile file(path_);
  EXPECT_EQ(file.require<std::string>("general.type"), "adapter");
  EXPECT_EQ(file.require<std::string>("adapter.type"), "lora");
  EXPECT_EQ(file.require<std::string>("general.architecture"), "llama");
  EXPECT_EQ(file.require<float>("adapter.lora.alpha"), 8);
  EXPECT_TRUE(at::equal(file.get("blk.0.attn_q.weight.lora_a", at::kFloat), a));
  EXPECT_THAT(values(file.get("blk.0.attn_q.weight.lora_b", at::kFloat)),
              ElementsAre(0, 1, 4, 5, 2, 3, 6, 7));
  EXPECT_TRUE(at::allclose(file.get("blk.1.ffn_down.weight.lora_b", at::kFloat), b * M_SQRT2));
  adapter.replaced["lm_head.weight"] = a;
  EXPECT_THROW(write_gguf_adapter(adapter, config, gguf_mixture("f32"), path_), Error);
}

}  // namespace
}  // namespace sdft::testing
