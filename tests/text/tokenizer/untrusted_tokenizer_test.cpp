// Tokenizer files and texts that want too much time or memory. No test measures time; what takes too much
// shows as a test that does not come to an end.
#include <gmock/gmock.h>

#include <functional>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/regex.h"
#include "testing.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/small_tokenizers.h"
#include "text/tokenizer/token_decoder.h"

namespace sdft {
namespace {

using namespace sdft::testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string message_of(const std::function<void()>& work, ExitCode code = ExitCode::kInput) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

Json sequence(const char* key, const Json& step, size_t times) {
  Json parts = Json::array();
  for (size_t i = 0; i < times; ++i) parts.push_back(step);
  return {{"type", "Sequence"}, {key, parts}};
}

const Json kDouble = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};

const Json kUnigram = Json::array({Json::array({"<unk>", 0.0}), Json::array({"a", -1.0})});

TEST(UntrustedTokenizer, NothingGrowsWithoutBound) {
  Json file = word_level({"a"});
  const Json longer = {
      {"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(10'000, 'b')}};
  for (const Json& normalizer : {sequence("normalizers", kDouble, 60), longer,
                                 sequence("normalizers", Json{{"type", "ByteLevel"}}, 60),
                                 Json{{"type", "Prepend"}, {"prepend", std::string(100'000, 'b')}}}) {
    file["normalizer"] = normalizer;
    EXPECT_THAT(message_of([&] { load(file).encode(std::string(100, 'a') + "é"); }),
                AllOf(HasSubstr("tokenizer.json: normalizer"), HasSubstr("makes a text grow without bound")));
  }
  file["normalizer"] = Json();
  file["pre_tokenizer"] = sequence("pretokenizers", Json{{"type", "ByteLevel"}, {"use_regex", false}}, 60);
  EXPECT_THAT(message_of([&] { load(file).encode("é"); }),
              AllOf(HasSubstr("pre_tokenizer (Sequence).pretokenizers["), HasSubstr("grow without bound")));
  file["pre_tokenizer"] = Json();
  for (const Json& step : {kDouble, Json{{"type", "BPEDecoder"}, {"suffix", ""}}}) {
    file["decoder"] = sequence("decoders", step, 60);
    const Tokenizer tokenizer = load(file);
    EXPECT_THAT(message_of([&] {
                  tokenizer.decode({1, 1, 1});
                }),
                AllOf(HasSubstr("decoder (Sequence).decoders["), HasSubstr("grow without bound")));
  }
}

TEST(UntrustedTokenizer, SectionsHaveAFewSteps) {
  Json file = word_level({"a"});
  for (const auto& [section, key] : std::vector<std::pair<const char*, const char*>>{
           {"normalizer", "normalizers"}, {"pre_tokenizer", "pretokenizers"}, {"decoder", "decoders"}}) {
    const Json step = section == std::string("pre_tokenizer") ? Json{{"type", "Digits"}} : kDouble;
    Json changed = file;
    changed[section] = sequence(key, step, 201);
    EXPECT_THAT(error_of(changed.dump()), HasSubstr("more than 200 steps")) << section;
    changed[section] = sequence(key, sequence(key, step, 20), 20);
    EXPECT_THAT(error_of(changed.dump()), HasSubstr("more than 200 steps")) << section;
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += std::string(R"({"type":"Sequence",")") + key + "\":[";
    for (int i = 0; i < 100'000; ++i) deep += "]}";
    const std::string text = file.dump();
    EXPECT_THAT(error_of(text.substr(0, text.size() - 1) + ",\"" + section + "\":" + deep + "}"),
                HasSubstr("nested too deep"))
        << section;
  }
}

TEST(UntrustedTokenizer, WordPieceTakesOneStepAPiece) {
  Json vocab = {{"[UNK]", 0}, {"a", 1}, {"##aa", 2}, {"##a", 3}, {"##", 4}, {"b", 5}};
  Json file;
  file["model"] = {{"type", "WordPiece"}, {"vocab", vocab}, {"max_input_chars_per_word", 1'000'000'000}};
  const Tokenizer tokenizer = load(file);
  EXPECT_EQ(tokenizer.encode(std::string(1'000'000, 'a')).size(), 500'001u);
  EXPECT_THAT(tokenizer.encode("aaab"), ElementsAre(0));
  EXPECT_THAT(tokenizer.encode("aaaa"), ElementsAre(1, 2, 3));
  EXPECT_THAT(tokenizer.encode(std::string(1'000'000, 'a') + "b"), ElementsAre(0));
  file["model"]["max_input_chars_per_word"] = 3;
  EXPECT_THAT(load(file).encode("aaaa"), ElementsAre(0));  // longer words are unknown
}

TEST(UntrustedTokenizer, OneWordHasABound) {
  const std::string word((16 << 20) + 1, 'a');
  EXPECT_THAT(message_of([&] { load(small_bpe()).encode(word); }),
              AllOf(HasSubstr("text to tokenize: a stretch of 16777217 bytes"), HasSubstr("as one word")));
  Json unigram;
  unigram["model"] = {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", kUnigram}};
  EXPECT_THAT(message_of([&] { load(unigram).encode(word); }), HasSubstr("as one word"));
}

TEST(UntrustedTokenizer, AnInterruptIsNoticed) {
  Json unigram, word_piece;
  unigram["model"] = {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", kUnigram}};
  word_piece["model"] = {{"type", "WordPiece"}, {"vocab", {{"[UNK]", 0}, {"a", 1}, {"##a", 2}}}};
  Json normalized = word_level({"a"});
  normalized["normalizer"] = kDouble;
  const std::string text(60, 'a');
  for (const Json& file : {small_bpe(), unigram, word_piece, normalized}) {
    const Tokenizer tokenizer = load(file);
    interrupted = true;
    EXPECT_THAT(message_of([&] { tokenizer.encode(text); }, ExitCode::kInterrupted),
                HasSubstr("interrupted"));
    interrupted = false;
  }
  RegexScratch scratch;
  Match match;
  interrupted = true;
  EXPECT_THAT(message_of([&] { Regex("b", "here").find(std::string(5000, 'a'), 0, scratch, match); },
                         ExitCode::kInterrupted),
              HasSubstr("interrupted"));
  interrupted = false;
}

TEST(UntrustedTokenizer, RegexesLookBeyondTheirWindow) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "é日";
  text += "xb";
  RegexScratch scratch;
  Match match;
  for (const char* pattern : {"b", "(?<=x)b", "\\bxb|b", "[a-c]$", "(?<!日)b"}) {
    ASSERT_TRUE(Regex(pattern, "here").find(text, 0, scratch, match)) << pattern;
    EXPECT_EQ(match.end, text.size()) << pattern;
  }
  EXPECT_FALSE(Regex("c", "here").find(text, 2, scratch, match));
  ASSERT_TRUE(Regex("(?:é日)+x", "here").find(text, 0, scratch, match));
  EXPECT_EQ(match.end, text.size() - 1);
  ASSERT_TRUE(Regex("$", "here").find(text, 0, scratch, match));
  EXPECT_EQ(match.begin, text.size());
}

TEST(UntrustedTokenizer, AddedTokensOfAnyContent) {
  Json file = word_level({"a"});
  auto token = [](int id, const std::string& content, bool spaces = false) {
    return Json{{"id", id},         {"content", content}, {"special", false}, {"normalized", false},
                {"lstrip", spaces}, {"rstrip", spaces}};
  };
  file["added_tokens"] = Json::array({token(2, "ab"), token(3, "abc"), token(4, "bcd"), token(5, " ", true)});
  const Tokenizer tokenizer = load(file);
  EXPECT_THAT(tokenizer.encode("abcdab"), ElementsAre(3, 0, 2));  // the longest, then what is behind it
  EXPECT_EQ(tokenizer.encode(std::string(300'000, ' ')).size(), 1u);
  file["added_tokens"] = Json::array({token(2, "")});
  EXPECT_THAT(load(file).encode("a"), ElementsAre(1));
  file["added_tokens"] = Json::array({token(2, std::string(5000, 'x'))});
  EXPECT_THAT(error_of(file.dump()), AllOf(HasSubstr("added_tokens[0]"), HasSubstr("more than 4096")));
}

TEST(UntrustedTokenizer, LongPatternsAreFoundInLinearTime) {
  Json file = word_level({"a"});
  const std::string wanted = std::string(500'000, 'a') + "b";
  file["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", wanted}}}, {"content", ""}};
  file["pre_tokenizer"] = split(wanted.c_str(), "Removed");
  EXPECT_THAT(load(file).encode(std::string(1'000'000, 'a')), ElementsAre(0));
}

// Half a million marks, those that belong first at the end: moved one by one they would take hours.
TEST(UntrustedTokenizer, MarksAreSortedOnce) {
  RegexScratch scratch;
  auto normal = [&](NormalForm form, const std::string& text) {
    std::vector<NormalizerStep> steps(1);
    steps[0].kind = NormalizerStep::Kind::kForm;
    steps[0].form = form;
    return normalize(steps, text, scratch);
  };
  const std::string above = "\u0301", below = "\u0323";
  std::string text = "o", sorted = "o";
  for (int i = 0; i < 250'000; ++i) text += above;
  for (int i = 0; i < 250'000; ++i) text += below, sorted += below;
  for (int i = 0; i < 250'000; ++i) sorted += above;
  EXPECT_TRUE(normal(NormalForm::kNfd, text) == sorted);
  EXPECT_EQ(normal(NormalForm::kNfc, text).substr(0, 3), "\u1ecd");  // o with a dot below
  std::string few = "\u00e9";
  for (int i = 0; i < 100; ++i) few += i % 2 ? above : below;
  EXPECT_EQ(normal(NormalForm::kNfd, "\u00e9" + below + above), "e" + below + above + above);
  EXPECT_EQ(normal(NormalForm::kNfc, few).substr(0, 3), "\u1eb9");
}

}  // namespace
}  // namespace sdft
