// SentencePiece models made here: what each rule does, and what damaged files do.
#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "sentencepiece_writer.h"
#include "testing.h"
#include "text/tokenizer/sentencepiece_model.h"

namespace sdft {
namespace {

using testing::basic_sentencepiece;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SentencePieceSpec;
using testing::write_sentencepiece;
using Algorithm = SentencePieceAlgorithm;
using Type = SentencePieceType;
using Pieces = std::vector<SentencePieceFile::Piece>;

SentencePieceSpec with(SentencePieceSpec spec, const Pieces& pieces) {
  spec.pieces.insert(spec.pieces.end(), pieces.begin(), pieces.end());
  return spec;
}

SentencePieceModel load(const SentencePieceSpec& spec, bool legacy = true, bool prefix_space = true) {
  return SentencePieceModel(write_sentencepiece(spec), "m.model", legacy, prefix_space);
}

std::vector<std::string> encode(const SentencePieceModel& model, std::string_view text,
                                bool at_start = true) {
  WordCache cache;
  std::vector<int32_t> ids, again;
  model.encode(text, at_start, cache, ids);
  model.encode(text, at_start, cache, again);
  EXPECT_EQ(ids, again) << "from the cache";
  std::vector<std::string> tokens;
  for (int32_t id : ids) tokens.emplace_back(model.vocabulary().token(id));
  return tokens;
}

std::string failure(const std::string& bytes) {
  try {
    SentencePieceModel model(bytes, "m.model", true, true);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
  return "no failure";
}

std::string failure(const SentencePieceSpec& spec) { return failure(write_sentencepiece(spec)); }

SentencePieceSpec small_bpe() {
  return with(basic_sentencepiece(Algorithm::kBpe),
              {{"▁", -9}, {"a", -9}, {"b", -9}, {"c", -9}, {"ab", -1}, {"bc", -1}, {"▁ab", -2}, {"abc", -3}});
}

TEST(SentencePiece, BpeMergesByScoreAndTheLeftmostOfEquals) {
  const auto model = load(small_bpe());
  EXPECT_THAT(encode(model, "abc"), ElementsAre("▁ab", "c"));
  EXPECT_THAT(encode(model, "cabc"), ElementsAre("▁", "c", "abc"));
  EXPECT_THAT(encode(model, "cbc ab"), ElementsAre("▁", "c", "bc", "▁ab"));
  EXPECT_THAT(encode(model, ""), ElementsAre());
  EXPECT_THAT(encode(model, "  "), ElementsAre());
}

TEST(SentencePiece, NeighbouringUnknownPiecesBecomeOne) {
  const auto model = load(small_bpe());
  EXPECT_THAT(encode(model, "axyzb"), ElementsAre("▁", "a", "<unk>", "b"));
  auto spec = small_bpe();
  spec.pieces.erase(spec.pieces.begin() + 3);  // "▁": so that unknown words meet
  EXPECT_THAT(encode(load(spec), "x y zab ab"), ElementsAre("<unk>", "ab", "▁ab"));
}

TEST(SentencePiece, ByteFallback) {
  const auto model = load(with(basic_sentencepiece(Algorithm::kBpe, true), {{"▁", -9}, {"a", -9}}));
  EXPECT_THAT(encode(model, "aéa"), ElementsAre("▁", "a", "<0xC3>", "<0xA9>", "a"));
}

TEST(SentencePiece, UserDefinedPiecesStayWhole) {
  auto spec = with(small_bpe(), {{"ca", 0, Type::kUserDefined}, {"cab", 0, Type::kUserDefined}});
  EXPECT_THAT(encode(load(spec), "abcabc"), ElementsAre("▁ab", "cab", "c"));
  spec.algorithm =
      Algorithm::kUnigram;  // as probable as 0.9: "ca" and "bc" are together more than "cab" and "c"
  EXPECT_THAT(encode(load(spec), "abcabc"), ElementsAre("▁ab", "ca", "bc"));
  spec.algorithm = Algorithm::kChar;
  EXPECT_THAT(encode(load(spec), "abcabc"), ElementsAre("▁", "a", "b", "cab", "c"));
}

TEST(SentencePiece, UnusedPiecesFallApart) {
  const auto spec = with(small_bpe(), {{"cc", -1, Type::kUnused}, {"ccc", -2}});
  EXPECT_THAT(encode(load(spec), "cc"), ElementsAre("▁", "c", "c"));
  EXPECT_THAT(encode(load(spec), "ccc"), ElementsAre("▁", "ccc"));
  auto unigram = spec;
  unigram.algorithm = Algorithm::kUnigram;
  EXPECT_THAT(encode(load(unigram), "cc"), ElementsAre("▁", "c", "c"));
}

TEST(SentencePiece, UnigramTakesTheMostProbableWay) {
  const auto spec = with(basic_sentencepiece(Algorithm::kUnigram),
                         {{"▁", -2}, {"a", -2}, {"b", -2}, {"▁a", -3}, {"ab", -2.5f}, {"abb", -9}});
  const auto model = load(spec);
  EXPECT_THAT(encode(model, "ab"), ElementsAre("▁", "ab"));  // -4.5, where "▁a" + "b" have -5
  EXPECT_THAT(encode(model, "abb"), ElementsAre("▁", "ab", "b"));
  EXPECT_THAT(encode(model, "axxb a"), ElementsAre("▁a", "<unk>", "b", "▁a"));
}

TEST(SentencePiece, WordsAndCharacters) {
  auto spec = with(basic_sentencepiece(Algorithm::kWord), {{"▁", 0}, {"▁cat", 0}, {"▁a", 0}, {"a", 0}});
  EXPECT_THAT(encode(load(spec), "a cat  dog cat"), ElementsAre("▁a", "▁cat", "<unk>", "▁cat"));
  spec.algorithm = Algorithm::kChar;
  EXPECT_THAT(encode(load(spec), "a caa"), ElementsAre("▁", "a", "▁", "<unk>", "a", "a"));
}

TEST(SentencePiece, Spaces) {
  auto spec = with(basic_sentencepiece(Algorithm::kChar), {{"▁", 0}, {"a", 0}, {" ", 0}});
  EXPECT_THAT(encode(load(spec), "  a   a "), ElementsAre("▁", "a", "▁", "a"));
  EXPECT_EQ(load(spec).leading_spaces(), SIZE_MAX);  // it never has several
  spec.remove_extra_whitespaces = false;
  EXPECT_THAT(encode(load(spec), " a  a "), ElementsAre("▁", "▁", "a", "▁", "▁", "a", "▁"));
  EXPECT_EQ(load(spec).leading_spaces(), 1u);
  spec.add_dummy_prefix = false;
  EXPECT_THAT(encode(load(spec), "a a"), ElementsAre("a", "▁", "a"));
  EXPECT_EQ(load(spec).leading_spaces(), 0u);
  spec.escape_whitespaces = false;
  EXPECT_THAT(encode(load(spec), "a a▁"), ElementsAre("a", " ", "a", "▁"));
  spec.add_dummy_prefix = spec.whitespace_as_suffix = spec.escape_whitespaces = true;
  EXPECT_THAT(encode(load(spec), "a a"), ElementsAre("a", "▁", "a", "▁"));
}

TEST(SentencePiece, NonLegacyGivesASpaceOnlyToTheStart) {
  const auto spec = small_bpe();
  const auto model = load(spec, false, true);
  EXPECT_EQ(model.leading_spaces(), 1u);
  EXPECT_THAT(encode(model, "ab"), ElementsAre("▁ab"));
  EXPECT_THAT(encode(model, "ab", false), ElementsAre("ab"));
  EXPECT_THAT(encode(model, " ab", false), ElementsAre("▁ab"));  // a space of its own is not stripped
  EXPECT_THAT(encode(load(spec, false, false), "ab"), ElementsAre("ab"));
}

TEST(SentencePiece, SpecialPieces) {
  auto spec = small_bpe();
  spec.pieces.push_back({"[PAD]", 0, Type::kControl});
  EXPECT_EQ(load(spec).pad(), -1);
  spec.pad_piece = "[PAD]";
  spec.eos_piece = "abc";  // an ordinary piece is none
  const auto model = load(spec);
  EXPECT_EQ(model.unk(), 0);
  EXPECT_EQ(model.bos(), 1);
  EXPECT_EQ(model.eos(), -1);
  EXPECT_EQ(model.pad(), static_cast<int32_t>(spec.pieces.size()) - 1);
  EXPECT_THAT(encode(model, "<s>a"), ElementsAre("▁", "<unk>", "a"));  // text never becomes a control token
  spec.pieces.push_back({"é", 0, Type::kControl});
  EXPECT_THROW(encode(load(spec), "é"), Error);
}

TEST(SentencePiece, LongLinesTakeLinearTime) {
  const auto spec = with(small_bpe(), {{"aa", -4}, {"aaaa", -5}, {"aaaaaaaa", -6}, {"a▁", -7}});
  for (const auto algorithm : {Algorithm::kBpe, Algorithm::kUnigram}) {
    auto changed = spec;
    changed.algorithm = algorithm;
    const auto model = load(changed);
    for (const char* unit : {"a", "ab", "x", "a ", "abc c "}) {
      std::string text;
      while (text.size() < 500000) text += unit;
      WordCache cache;
      std::vector<int32_t> ids;
      model.encode(text, true, cache, ids);
      EXPECT_FALSE(ids.empty());
    }
  }
}

TEST(SentencePiece, DamagedModelsAreNamed) {
  EXPECT_THAT(failure(std::string()),
              HasSubstr("m.model: not a SentencePiece model: in the model, there are no pieces"));
  EXPECT_THAT(failure("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("Git LFS"));
  auto spec = small_bpe();
  spec.pieces[4].text = "";
  EXPECT_THAT(failure(spec), HasSubstr("in piece 4, the text is empty"));
  spec = small_bpe();
  spec.pieces[4].score = std::nanf("");
  EXPECT_THAT(failure(spec), HasSubstr("in piece 4, the score is not a number"));
  spec = small_bpe();
  spec.pieces[5].text = "ab";
  EXPECT_THAT(failure(spec), HasSubstr("piece 7 has the same text as another"));
  spec = small_bpe();
  spec.pieces[4].text = "\xff";
  EXPECT_THAT(failure(spec), HasSubstr("piece 4 is not UTF-8"));
  spec = small_bpe();
  spec.pieces[0].type = Type::kControl;
  EXPECT_THAT(failure(spec), HasSubstr("no piece is the unknown one"));
  spec.pieces[0].type = spec.pieces[1].type = Type::kUnknown;
  EXPECT_THAT(failure(spec), HasSubstr("piece 1 is a second unknown piece"));
  spec = small_bpe();
  spec.pieces[3].type = static_cast<Type>(9);
  EXPECT_THAT(failure(spec), HasSubstr("in piece 3, the piece type 9 is not known"));
  spec = small_bpe();
  spec.algorithm = static_cast<Algorithm>(5);
  EXPECT_THAT(failure(spec), HasSubstr("in trainer_spec, the model type 5 is not known"));
  spec = small_bpe();
  spec.byte_fallback = true;
  EXPECT_THAT(failure(spec), HasSubstr("there is no byte piece <0x00>"));
  spec = small_bpe();
  spec.pieces[3] = {"<0x41>", 0, Type::kByte};
  EXPECT_THAT(failure(spec), HasSubstr("piece 3 stands for a byte, but byte_fallback is false"));
  spec.byte_fallback = true;
  spec.pieces[3].text = "<0xZZ>";
  EXPECT_THAT(failure(spec), HasSubstr("piece 3 stands for a byte, but is not like <0x0A>"));
  spec = small_bpe();
  spec.precompiled_map = "damaged";
  EXPECT_THAT(failure(spec), HasSubstr("the precompiled map is damaged"));
}

// Loads and encodes, or fails with an Error(kInput).
bool survives(const std::string& bytes) {
  try {
    const SentencePieceModel model(bytes, "m.model", true, true);
    static WordCache cache;
    cache = WordCache();
    std::vector<int32_t> ids;
    model.encode(" ab  cabc xé①👍🏽\xff ", true, cache, ids);
    for (int32_t id : ids) EXPECT_TRUE(model.vocabulary().has(id) || id == model.unk());
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return false;
  }
}

TEST(SentencePiece, TruncatedAndFlippedModelsFailCleanly) {
  const auto with_types = with(small_bpe(), {{"ca", 0, Type::kUserDefined}, {"cc", -1, Type::kUnused}});
  for (const auto algorithm : {Algorithm::kBpe, Algorithm::kUnigram}) {
    auto spec = with_types;
    spec.algorithm = algorithm;
    const std::string bytes = write_sentencepiece(spec);
    ASSERT_TRUE(survives(bytes));
    for (size_t size = 0; size < bytes.size(); ++size) survives(bytes.substr(0, size));
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      survives(flipped);
    }
  }
}

TEST(SentencePiece, DamagedRealModelsFailCleanly) {
  const auto path = testing::fixture("tokenizers/sentencepiece/hf_test_sentencepiece.model");
  REQUIRE_FIXTURE(path);
  const std::string bytes = read_text(path);
  Random random(1);
  int failed = 0;
  for (int round = 0; round < 150; ++round) {
    std::string damaged = bytes;
    if (round % 5 == 0) damaged.resize(random.below(bytes.size()));
    for (int flips = 0; flips < 1 + round / 5; ++flips) {
      char& byte = damaged[random.below(damaged.size())];
      byte = static_cast<char>(byte ^ 1 << random.below(8));
    }
    failed += !survives(damaged);
  }
  EXPECT_GT(failed, 0);
  EXPECT_LT(failed, 150);
}

}  // namespace
}  // namespace sdft
