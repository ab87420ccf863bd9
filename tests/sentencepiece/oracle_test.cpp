// Our reading of SentencePiece models against the library's. A program of its own: nothing else links it.
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/utf8.h"
#include "sentencepiece_writer.h"
#include "testing.h"
#include "text/tokenizer/sentencepiece_model.h"

namespace sdft {
namespace {

using testing::SentencePieceSpec;
using Algorithm = SentencePieceAlgorithm;
using Type = SentencePieceType;

// Both readings of one model.
class Pair {
 public:
  explicit Pair(const std::string& bytes) : ours_(bytes, "the model", true, true) {
    const auto status = library_.LoadFromSerializedProto(bytes);
    EXPECT_TRUE(status.ok()) << status.ToString();
    for (int id = 0; id < library_.GetPieceSize(); ++id) pieces.push_back(library_.IdToPiece(id));
  }

  void compare_specials() const {
    EXPECT_EQ(ours_.unk(), library_.unk_id());
    EXPECT_EQ(ours_.bos(), library_.bos_id());
    EXPECT_EQ(ours_.eos(), library_.eos_id());
    EXPECT_EQ(ours_.pad(), library_.pad_id());
  }

  // False at the first difference.
  bool agree(const std::string& text) {
    std::vector<int> expected;
    const bool known = library_.Encode(text, &expected).ok();
    std::vector<int32_t> ids;
    try {
      ours_.encode(text, true, cache_, ids);
    } catch (const Error&) {
      EXPECT_FALSE(known) << '"' << text << '"';
      return !known;
    }
    EXPECT_TRUE(known) << '"' << text << '"';
    EXPECT_EQ(ids, expected) << '"' << text << '"';
    return known && ids == expected;
  }

  std::vector<std::string> pieces;

 private:
  sentencepiece::SentencePieceProcessor library_;
  SentencePieceModel ours_;
  WordCache cache_;
};

char32_t any_character(Random& random) {
  const char32_t c = 1 + static_cast<char32_t>(random.below(random.chance(0.5) ? 0x3000 : 0x20000));
  return c >= 0xd800 && c < 0xe000 ? U'\u00e9' : c;
}

std::string random_text(Random& random, const std::vector<std::string>& pieces) {
  static const std::vector<std::string> curious = {"▁",
                                                   "\t",
                                                   "\n",
                                                   "\r\n",
                                                   "👍🏽",
                                                   "👨‍👩‍👧",
                                                   "e\u0301",
                                                   "\u3000",
                                                   "ﬁ",
                                                   "①",
                                                   "한국",
                                                   "...",
                                                   "aaaa",
                                                   "  ",
                                                   "\u00a0",
                                                   "\u200b",
                                                   "\ufeff",
                                                   "<s>",
                                                   "</s>",
                                                   "ก็",
                                                   "<unk>",
                                                   "Å",
                                                   "<0x0A>",
                                                   "\xff\xfe",
                                                   "\xf0\x9f\x91",
                                                   "\xc3",
                                                   std::string("\0", 1)};
  const uint64_t style = random.below(6);
  std::string text;
  for (uint64_t left = random.below(24); left > 0; --left) {
    if (random.chance(0.25)) text.append(1 + random.below(3), ' ');
    switch (style == 5 ? random.below(5) : style) {
      case 0:
        text += random.pick(pieces);
        break;
      case 1:
        text += utf8_of(any_character(random));
        break;
      case 2:
        text += static_cast<char>(random.below(256));
        break;
      case 3:
        text += static_cast<char>(random.between(32, 126));
        break;
      default:
        text += random.pick(curious);
    }
  }
  return text;
}

class Oracle : public ::testing::TestWithParam<const char*> {};

TEST_P(Oracle, FixturesGiveTheSameIds) {
  const auto path = testing::fixture(GetParam());
  REQUIRE_FIXTURE(path);
  Pair pair(read_text(path));
  pair.compare_specials();
  Random random(5, GetParam());
  for (int i = 0; i < 3000 && pair.agree(random_text(random, pair.pieces)); ++i) {
  }
  const auto book = testing::fixture("tokenizers/sentencepiece/botchan.txt");
  REQUIRE_FIXTURE(book);
  const std::string all = read_text(book);
  EXPECT_TRUE(pair.agree(all.substr(0, 50000)));
  size_t begin = 0;
  for (size_t end; (end = all.find('\n', begin)) != std::string::npos; begin = end + 1)
    if (!pair.agree(all.substr(begin, end - begin))) return;
}
INSTANTIATE_TEST_SUITE_P(Files, Oracle,
                         ::testing::Values("tokenizers/sentencepiece/tok512.model",
                                           "tokenizers/sentencepiece/llama2_tokenizer.model",
                                           "tokenizers/sentencepiece/tokenizer.model.v1",
                                           "tokenizers/sentencepiece/hf_test_sentencepiece.model",
                                           "tokenizers/sentencepiece/hf_test_sentencepiece_bpe.model",
                                           "tokenizers/sentencepiece/hf_test_sentencepiece_bpe_char.model",
                                           "tokenizers/torchtune/m.model",
                                           "tokenizers/torchtune/sentencepiece.model",
                                           "weights/stories260k-hf/tokenizer.model"));

// Few characters and few different scores, so that pieces meet, overlap and tie all the time.
SentencePieceSpec random_spec(Random& random, std::set<std::string>& texts, const std::string& map) {
  const Algorithm algorithm = static_cast<Algorithm>(random.between(1, 4));
  auto spec = testing::basic_sentencepiece(algorithm, random.chance(0.5));
  const std::vector<std::string> alphabet = {
      "a", "b", "c", "é", "▁", "👍", algorithm == Algorithm::kWord ? "▁" : " "};
  const double control = random.chance(0.1) ? 0.1 : 0, user_defined = random.chance(0.5) ? 0.15 : 0;
  const double unused = random.chance(0.5) ? 0.25 : 0;
  const bool ties = random.chance(0.6), positive = random.chance(0.2);
  for (uint64_t left = 1 + random.below(random.chance(0.5) ? 12 : 90); left > 0; --left) {
    std::string text;
    for (uint64_t length = 1 + random.below(5); length > 0; --length) text += random.pick(alphabet);
    const auto [place, is_new] = texts.insert(text);
    if (!is_new) continue;
    Type type = Type::kNormal;
    if (random.chance(unused)) type = Type::kUnused;
    if (random.chance(user_defined)) type = Type::kUserDefined;
    if (random.chance(control)) type = Type::kControl;
    const double score = ties ? static_cast<double>(random.between(-4, 0)) : -10 * random.uniform();
    spec.pieces.push_back({*place, static_cast<float>(positive ? score + 2 : score), type});
  }
  spec.pieces.push_back({"x", -3, Type::kNormal});
  random.shuffle(spec.pieces);
  spec.whitespace_as_suffix = random.chance(0.2);
  spec.add_dummy_prefix = random.chance(0.6);
  spec.remove_extra_whitespaces = random.chance(0.5);
  spec.escape_whitespaces = random.chance(0.8);
  if (random.chance(0.4)) spec.precompiled_map = map;
  return spec;
}

TEST(Oracle, RandomModelsGiveTheSameIds) {
  std::string bytes, map;
  const auto path = testing::fixture("tokenizers/sentencepiece/hf_test_sentencepiece.model");
  if (std::filesystem::exists(path)) {
    bytes = read_text(path);
    map = read_sentencepiece_file(bytes, path.string()).precompiled_map;
  }
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Random random(seed);
    std::set<std::string> texts;
    const auto spec = random_spec(random, texts, map);
    Pair pair(testing::write_sentencepiece(spec));
    pair.compare_specials();
    const std::vector<std::string> alphabet = {"a", "b", "c", "é", " ", " ", "👍", "x", "▁", "d"};
    for (int i = 0; i < 60; ++i) {
      std::string text;
      for (uint64_t left = random.below(40); left > 0; --left) text += random.pick(alphabet);
      if (i % 4 == 0) text = random_text(random, pair.pieces);
      ASSERT_TRUE(pair.agree(text)) << "seed " << seed << ", algorithm " << static_cast<int>(spec.algorithm);
    }
  }
}

}  // namespace
}  // namespace sdft
