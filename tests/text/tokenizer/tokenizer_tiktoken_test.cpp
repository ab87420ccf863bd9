// tiktoken's vocabulary files, and SentencePiece's compiled map as HF's Precompiled normalizer applies it.
#include <gmock/gmock.h>

#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "testing.h"
#include "text/tokenizer/bpe_trainer.h"
#include "text/tokenizer/byte_level.h"
#include "text/tokenizer/precompiled_map.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ScratchDir;
using Ids = std::vector<int32_t>;

std::string base64(const std::string& bytes) {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) out += i + j > bytes.size() ? '=' : kLetters[bits >> (18 - 6 * j) & 63];
  }
  return out;
}

std::vector<std::string> learned_tokens(const std::string& text, int vocab_size) {
  BpeTrainerOptions options;
  options.vocab_size = vocab_size;
  options.split_regex = R"([^\r\n\p{L}\p{N}]?\p{L}+|\s+)";
  const Json file = parse_json(train_bpe({text}, options), "trained");
  std::vector<std::string> tokens(file["model"]["vocab"].size());
  for (const auto& [token, id] : file["model"]["vocab"].items())
    append_from_byte_level(token, tokens[id.get<size_t>()]);
  return tokens;
}

Tokenizer load(const std::vector<std::string>& tokens, const std::string& config = "") {
  std::string file;
  for (size_t id = 0; id < tokens.size(); ++id) file += base64(tokens[id]) + " " + std::to_string(id) + "\n";
  ScratchDir dir;
  write_file_atomic(dir / "tokenizer.model", file);
  if (!config.empty()) write_file_atomic(dir / "tokenizer_config.json", config);
  return Tokenizer::load(dir.path());
}

// tiktoken's rule, slowly: of all neighbours that are a token together, those with the lowest id go first.
Ids merge_slowly(const std::string& word, const std::vector<std::string>& tokens) {
  std::map<std::string, int32_t> ids;
  for (size_t id = 0; id < tokens.size(); ++id) ids[tokens[id]] = static_cast<int32_t>(id);
  if (ids.count(word)) return {ids[word]};
  std::vector<std::string> parts;
  for (char c : word) parts.push_back(std::string(1, c));
  for (;;) {
    int32_t best = INT32_MAX;
    size_t place = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ids.find(parts[i] + parts[i + 1]);
      if (found != ids.end() && found->second < best) best = found->second, place = i;
    }
    if (best == INT32_MAX) break;
    parts[place] += parts[place + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
  Ids out;
  for (const auto& part : parts) out.push_back(ids[part]);
  return out;
}

std::string random_word(Random& random, int64_t most) {
  std::string word;
  for (int64_t n = random.between(1, most); n > 0; --n) word += "abcd"[random.below(4)];
  return word;
}

TEST(TokenizerTiktoken, MergesByTheTokenMade) {
  Random random(8);
  std::string text;
  for (int i = 0; i < 400; ++i) text += random_word(random, 8) + " ";
  const auto tokens = learned_tokens(text, 400);
  const Tokenizer tokenizer = load(tokens);
  for (int round = 0; round < 300; ++round) {
    const std::string word = random_word(random, round < 200 ? 12 : 120);
    EXPECT_EQ(tokenizer.encode(word), merge_slowly(word, tokens)) << word;
  }
  for (const std::string all : {"Ünï 123456 it's\n\n  \tend", "<|begin_of_text|>a"})
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(all), false), all);
}

TEST(TokenizerTiktoken, SpecialTokensOfLlama3) {
  const auto tokens = learned_tokens("", 256);
  const Tokenizer tokenizer = load(tokens);
  EXPECT_EQ(tokenizer.vocab_size(), 512);
  EXPECT_EQ(tokenizer.bos_id(), 256);
  EXPECT_EQ(tokenizer.id_of("<|start_header_id|>"), 262);
  EXPECT_EQ(tokenizer.id_of("<|eot_id|>"), 265);
  EXPECT_EQ(tokenizer.token_of(511), "<|reserved_special_token_246|>");
  EXPECT_THAT(tokenizer.encode("a<|eot_id|>", {true, true}), ElementsAre(256, 'a', 265));
  EXPECT_EQ(tokenizer.decode({256, 'a', 265}), "a");
  EXPECT_EQ(tokenizer.encode("12345").size(), 5u);

  // A configuration's own list takes their place.
  const Tokenizer own =
      load(tokens, R"({"added_tokens_decoder": {"300": {"content": "<end>", "special": true}},
                                         "eos_token": "<end>"})");
  EXPECT_EQ(own.vocab_size(), 301);
  EXPECT_EQ(own.eos_id(), 300);
  EXPECT_EQ(own.id_of("<|eot_id|>"), std::nullopt);
}

TEST(TokenizerTiktoken, SaysWhatIsWrongWithAFile) {
  auto error_of = [](const std::string& file) -> std::string {
    ScratchDir dir;
    write_file_atomic(dir / "tokenizer.model", file);
    try {
      Tokenizer::load(dir.path());
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(error_of("YQ== 0\nYg== \n"),
              HasSubstr("tokenizer.model:2: expected base64 bytes, a space and an id"));
  EXPECT_THAT(error_of("YQ== 0\nYg== 99999999999\n"), HasSubstr("tokenizer.model:2"));
  EXPECT_THAT(error_of("YQ== 0\nYQ== 1\n"),
              HasSubstr("tokenizer.model:2: the token or its id 1 was there before"));
  EXPECT_NE(error_of(""), "");
  EXPECT_NE(error_of("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "");
}

// A map with one rule, "b" -> "xyz", as a double array written by hand.
std::string small_map() {
  constexpr uint32_t kRootOffset = 256, kValue = 300, kLeaf = 1 << 8;
  std::vector<uint32_t> units(512, 0);
  const uint32_t behind_b = kRootOffset ^ 'b';
  units[0] = kRootOffset << 10;
  units[behind_b] = (behind_b ^ kValue) << 10 | kLeaf | 'b';
  units[kValue] = 1u << 31;  // the replacement's place: 0
  std::string blob;
  const auto size = static_cast<uint32_t>(units.size() * 4);
  blob.append(reinterpret_cast<const char*>(&size), 4);
  blob.append(reinterpret_cast<const char*>(units.data()), size);
  return blob + std::string("xyz\0", 4);
}

TEST(PrecompiledMap, ReplacesWhatItKnows) {
  const PrecompiledMap map(small_map(), "here");
  EXPECT_EQ(map.apply("abcb", Growth(50)), "axyzcxyz");
  EXPECT_EQ(map.apply("b\u0301", Growth(50)),
            "xyz");  // a short grapheme is looked up as a whole, by its shortest known start
  EXPECT_EQ(map.apply("b\u0301\u0301\u0301", Growth(50)),
            "xyz\u0301\u0301\u0301");  // a long one character by character
  EXPECT_EQ(map.apply("é中", Growth(50)), "é中");
  EXPECT_EQ(map.apply("", Growth(50)), "");
  EXPECT_THROW(map.apply(std::string(30'000, 'b'), Growth(50)), Error);  // grows without bound
}

TEST(PrecompiledMap, DamagedMapsNeverCrash) {
  const std::string good = small_map();
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    std::string bad = good;
    for (int i = 0; i < 20; ++i) bad[4 + random.below(bad.size() - 4)] = static_cast<char>(random.below(256));
    if (random.chance(0.2)) bad.resize(random.below(bad.size()));
    try {
      PrecompiledMap(bad, "here").apply("aab ba\u0301é中🎉 the end", Growth(50));
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("here: the precompiled map is damaged"));
    }
  }
}

}  // namespace
}  // namespace sdft
