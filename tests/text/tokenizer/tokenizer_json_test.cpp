// Small tokenizer.json files, one rule each.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "testing.h"
#include "text/tokenizer/bpe_trainer.h"
#include "text/tokenizer/small_tokenizers.h"

namespace sdft {
namespace {

using namespace sdft::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StrEq;
// The words that a pre-tokenizer (after a normalizer) cuts `text` into: every expected word is in the
// vocabulary, so an unexpected one shows as <unk>.
Words words_of(const std::string& text, const Words& expected, const Json& pre_tokenizer,
               const Json& normalizer = Json()) {
  Json file = word_level(expected);
  file["pre_tokenizer"] = pre_tokenizer;
  file["normalizer"] = normalizer;
  const Tokenizer tokenizer = load(file);
  Words words;
  for (int32_t id : tokenizer.encode(text)) words.push_back(tokenizer.token_of(id));
  return words;
}

#define EXPECT_WORDS(text, pre_tokenizer, ...) \
  EXPECT_EQ(words_of(text, Words{__VA_ARGS__}, pre_tokenizer), (Words{__VA_ARGS__}))
#define EXPECT_NORMAL(text, normalizer, result) \
  EXPECT_EQ(words_of(text, Words{result}, Json(), normalizer), (Words{result}))

TEST(TokenizerJson, SplitBehaviors) {
  EXPECT_WORDS("the-final--countdown", split("-", "Removed"), "the", "final", "countdown");
  EXPECT_WORDS("the-final--countdown", split("-", "Isolated"), "the", "-", "final", "-", "-", "countdown");
  EXPECT_WORDS("the-final--countdown", split("-", "MergedWithPrevious"), "the-", "final-", "-", "countdown");
  EXPECT_WORDS("the-final--countdown", split("-", "MergedWithNext"), "the", "-final", "-", "-countdown");
  EXPECT_WORDS("the-final--countdown", split("-", "Contiguous"), "the", "-", "final", "--", "countdown");
  EXPECT_WORDS("-a--", split("-", "MergedWithPrevious"), "-", "a-", "-");
  EXPECT_WORDS("-a--", split("-", "MergedWithNext"), "-a", "-", "-");
  EXPECT_WORDS("a-b", split("-", "Removed", true), "-");
  EXPECT_WORDS("a-b", split("-", "MergedWithPrevious", true), "a", "-b");
}

TEST(TokenizerJson, PreTokenizers) {
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  EXPECT_WORDS("ab12²c", digits, "ab", "1", "2", "²", "c");
  EXPECT_WORDS("ab12²c", (Json{{"type", "Digits"}, {"individual_digits", false}}), "ab", "12²", "c");
  EXPECT_WORDS("Hey, you!?", (Json{{"type", "Punctuation"}}), "Hey", ",", " you", "!", "?");
  EXPECT_WORDS("Hey!?", (Json{{"type", "Punctuation"}, {"behavior", "Contiguous"}}), "Hey", "!?");
  EXPECT_WORDS("Hey man, it's\u3000me!", (Json{{"type", "Whitespace"}}), "Hey", "man", ",", "it", "'", "s",
               "me", "!");
  EXPECT_WORDS("a\u200db x² 🄰", (Json{{"type", "Whitespace"}}), "a\u200db", "x", "²", "🄰");
  EXPECT_WORDS(" a,b \n c", (Json{{"type", "WhitespaceSplit"}}), "a,b", "c");
  EXPECT_WORDS("Hey friend!  How?", (Json{{"type", "BertPreTokenizer"}}), "Hey", "friend", "!", "How", "?");
  EXPECT_WORDS("a|b||c", (Json{{"type", "CharDelimiterSplit"}, {"delimiter", "|"}}), "a", "b", "c");
  EXPECT_WORDS("abécd", (Json{{"type", "FixedLength"}, {"length", 2}}), "ab", "éc", "d");
  EXPECT_WORDS("a b", (Json{{"type", "ByteLevel"}}), "Ġa", "Ġb");
  EXPECT_WORDS("a b", (Json{{"type", "ByteLevel"}, {"add_prefix_space", false}}), "a", "Ġb");
  EXPECT_WORDS("a  é", (Json{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}),
               "aĠĠÃ©");
  const Json sequence = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "WhitespaceSplit"}}, digits}}};
  EXPECT_WORDS("a1 2b", sequence, "a", "1", "2", "b");
}

Json added(int id, const char* content, const Json& more = Json::object()) {
  Json token = {{"id", id}, {"content", content}, {"special", false}, {"normalized", false}};
  token.update(more);
  return token;
}

TEST(TokenizerJson, Metaspace) {
  auto metaspace = [](const char* scheme, bool split = true) {
    return Json{{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", split}};
  };
  EXPECT_WORDS("Hey  you", metaspace("always"), "▁Hey", "▁", "▁you");
  EXPECT_WORDS(" Hey you", metaspace("always"), "▁Hey", "▁you");
  EXPECT_WORDS("Hey you", metaspace("never"), "Hey", "▁you");
  EXPECT_WORDS("Hey you", metaspace("always", false), "▁Hey▁you");
  const Json old = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"str_rep", "▁"}, {"add_prefix_space", false}};
  EXPECT_WORDS("Hey you", old, "Hey", "▁you");

  // Behind an added token, only "always" puts a space before.
  Json file = word_level({"▁a", "a", "▁b", "b"});
  file["added_tokens"] = Json::array({added(5, "<s>", {{"special", true}})});
  file["pre_tokenizer"] = metaspace("first");
  EXPECT_THAT(load(file).encode("a<s>b"), ElementsAre(1, 5, 4));
  EXPECT_THAT(load(file).encode("<s>b"), ElementsAre(5, 4));
  file["pre_tokenizer"] = metaspace("always");
  EXPECT_THAT(load(file).encode("a<s>b"), ElementsAre(1, 5, 3));
}

TEST(TokenizerJson, Normalizers) {
  EXPECT_NORMAL("e\u0301\u1100\u1161", (Json{{"type", "NFC"}}), "é가");
  EXPECT_NORMAL("é", (Json{{"type", "NFD"}}), "e\u0301");
  EXPECT_NORMAL("ﬁ①Å", (Json{{"type", "NFKC"}}), "fi1Å");
  EXPECT_NORMAL("ﬁé", (Json{{"type", "NFKD"}}), "fie\u0301");
  EXPECT_NORMAL("①\u32ff\u0301①\U0001fbf0a", (Json{{"type", "NFKC"}}), "1\u32ff\u03011\U0001fbf0a");
  EXPECT_NORMAL("a\u0323\u0307b e\u0301", (Json{{"type", "NFC"}}), "ạ\u0307b é");
  EXPECT_NORMAL("ÀΣİ", (Json{{"type", "Lowercase"}}), "àσi\u0307");
  EXPECT_NORMAL("e\u0301", (Json{{"type", "StripAccents"}}), "e");
  EXPECT_NORMAL("\u3000 a b\n", (Json{{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}}),
                "a b");
  EXPECT_NORMAL(" a ", (Json{{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}}), " a");
  EXPECT_NORMAL("a", (Json{{"type", "Prepend"}, {"prepend", "▁"}}), "▁a");
  EXPECT_NORMAL("a b c", (Json{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "__"}}),
                "a__b__c");
  EXPECT_NORMAL("a  b", (Json{{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}}),
                "a b");
  EXPECT_NORMAL("a\u200bb\x01", (Json{{"type", "Nmt"}}), "a b");
  EXPECT_NORMAL("é", (Json{{"type", "ByteLevel"}}), "Ã©");
  const Json bert = {{"type", "BertNormalizer"},
                     {"clean_text", true},
                     {"handle_chinese_chars", true},
                     {"strip_accents", nullptr},
                     {"lowercase", true}};
  EXPECT_NORMAL("HÉ\u0001\u200b\t你\u0378", bert, "he  你 \u0378");
  const Json sequence = {{"type", "Sequence"},
                         {"normalizers", {{{"type", "NFD"}}, {{"type", "StripAccents"}}}}};
  EXPECT_NORMAL("éa", sequence, "ea");
}

TEST(TokenizerJson, BpeMergesByRank) {
  Json file = small_bpe();
  EXPECT_THAT(load(file).encode("abc ab bc"), ElementsAre(257, 259, ' ', 258));
  EXPECT_THAT(load(file).encode("ababc"), ElementsAre(256, 257));
  file["model"]["merges"] =
      parse_json(R"([["b", "c"], ["a", "b"], ["a", "bc"]])", "");  // pairs, and another order
  EXPECT_THAT(load(file).encode("abc ab"), ElementsAre(257, ' ', 256));
  file["model"]["merges"] = Words{};
  EXPECT_EQ(load(file).encode("abc").size(), 3u);
  file["model"]["ignore_merges"] = true;
  EXPECT_THAT(load(file).encode("abc"), ElementsAre(257));
}

// The definition of BPE, slowly.
Ids merge_slowly(Words symbols, const Words& merges, const Json& vocab) {
  for (;;) {
    size_t best = merges.size(), place = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = std::find(merges.begin(), merges.end(), symbols[i] + " " + symbols[i + 1]);
      const auto rank = static_cast<size_t>(found - merges.begin());
      if (rank < best) best = rank, place = i;
    }
    if (best == merges.size()) break;
    symbols[place] += symbols[place + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
  Ids ids;
  for (const auto& symbol : symbols) ids.push_back(vocab.at(symbol).get<int32_t>());
  return ids;
}

// Long words are merged by another algorithm than short ones, and words without pre-tokenizer are cut first.
TEST(TokenizerJson, BpeOfWordsOfAnyLength) {
  Random random(11);
  Json vocab = {{"a", 0}, {"b", 1}, {"c", 2}, {"▁", 3}};
  Words tokens = {"a", "b", "c", "▁"}, merges;
  while (merges.size() < 60) {  // in any order: a merge may come before those that make its parts
    const auto& left = random.pick(tokens);
    const auto& right = random.pick(tokens);
    const std::string merged = left + right;
    if (merged.size() > 12 || std::count(merges.begin(), merges.end(), left + " " + right)) continue;
    merges.push_back(left + " " + right);
    if (vocab.contains(merged)) continue;
    vocab[merged] = vocab.size();
    tokens.push_back(merged);
  }
  random.shuffle(merges);
  Json file;
  file["model"] = {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}};
  const Tokenizer tokenizer = load(file);
  for (int round = 0; round < 300; ++round) {
    Words symbols;
    std::string text;
    for (int64_t n = random.between(1, round < 250 ? 60 : 500); n > 0; --n) {
      symbols.push_back(round % 3 == 0 ? "a" : tokens[random.below(4)]);
      text += symbols.back();
    }
    ASSERT_EQ(tokenizer.encode(text), merge_slowly(symbols, merges, vocab)) << text;
    ASSERT_EQ(tokenizer.encode(text), merge_slowly(symbols, merges, vocab)) << "remembered: " << text;
  }
}

TEST(TokenizerJson, BpeUnknownCharacters) {
  Json file;
  file["model"] = {{"type", "BPE"}, {"unk_token", "?"}, {"vocab", {{"?", 0}, {"a", 1}}}, {"merges", Words{}}};
  EXPECT_THAT(load(file).encode("xxaéa"), ElementsAre(0, 0, 1, 0, 1));
  file["model"]["fuse_unk"] = true;
  EXPECT_THAT(load(file).encode("xxaéyéa"), ElementsAre(0, 1, 0, 1));
  file["model"]["byte_fallback"] = true;  // only where all bytes are there
  file["model"]["vocab"]["<0xC3>"] = 2;
  EXPECT_THAT(load(file).encode("aé"), ElementsAre(1, 0));
  file["model"]["vocab"]["<0xA9>"] = 3;
  EXPECT_THAT(load(file).encode("aé"), ElementsAre(1, 2, 3));
  file["model"].erase("unk_token");
  EXPECT_THAT(load(file).encode("axa"), ElementsAre(1, 1));  // as in HF
}

TEST(TokenizerJson, BpeWordEnds) {
  Json file;
  file["model"] = {
      {"type", "BPE"},
      {"end_of_word_suffix", "</w>"},
      {"vocab", {{"l", 0}, {"o", 1}, {"w", 2}, {"w</w>", 3}, {"lo", 4}, {"low</w>", 5}, {"o</w>", 6}}},
      {"merges", {"l o", "lo w</w>"}}};
  file["pre_tokenizer"] = {{"type", "WhitespaceSplit"}};
  file["decoder"] = {{"type", "BPEDecoder"}, {"suffix", "</w>"}};
  const Tokenizer tokenizer = load(file);
  EXPECT_THAT(tokenizer.encode("low wlo"), ElementsAre(5, 2, 0, 6));
  EXPECT_EQ(tokenizer.decode({5, 5}), "low low");
  file["model"] = {{"type", "BPE"},
                   {"continuing_subword_prefix", "##"},
                   {"vocab", {{"a", 0}, {"##b", 1}, {"ab", 2}, {"##bb", 3}}},
                   {"merges", {"a ##b", "##b ##b"}}};
  EXPECT_THAT(load(file).encode("abbb"), ElementsAre(2, 3));
}

TEST(TokenizerJson, Unigram) {
  Json file;
  file["model"] = {{"type", "Unigram"}, {"unk_id", 0}};
  file["model"]["vocab"] =
      parse_json(R"([["<unk>", 0], ["a", -1], ["b", -1], ["ab", -1.5], ["abb", -4], ["c", -3]])", "");
  const Tokenizer tokenizer = load(file);
  EXPECT_THAT(tokenizer.encode("ab"), ElementsAre(3));
  EXPECT_THAT(tokenizer.encode("abb"), ElementsAre(3, 2));
  EXPECT_THAT(tokenizer.encode("axyéa"), ElementsAre(1, 0, 1));  // unknown characters become one
  file["model"]["byte_fallback"] = true;
  for (int byte : {'x', 'y'}) {
    char token[8];
    std::snprintf(token, sizeof token, "<0x%02X>", byte);
    file["model"]["vocab"].push_back(Json::array({token, -9.0}));
  }
  EXPECT_THAT(load(file).encode("axya"), ElementsAre(1, 6, 7, 1));
  file["model"].erase("unk_id");
  EXPECT_THROW(load(file).encode("z"), Error);
}

TEST(TokenizerJson, WordPiece) {
  Json file;
  file["model"] = {
      {"type", "WordPiece"},
      {"unk_token", "[UNK]"},
      {"continuing_subword_prefix", "##"},
      {"max_input_chars_per_word", 10},
      {"vocab",
       {{"[UNK]", 0}, {"un", 1}, {"##aff", 2}, {"##able", 3}, {"##a", 4}, {"[CLS]", 5}, {"[SEP]", 6}}}};
  file["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  file["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  file["post_processor"] = {{"type", "BertProcessing"}, {"sep", {"[SEP]", 6}}, {"cls", {"[CLS]", 5}}};
  const Tokenizer tokenizer = load(file);
  EXPECT_THAT(tokenizer.encode("unaffable una unb unaffableaffaff", {true, true}),
              ElementsAre(5, 1, 2, 3, 1, 4, 0, 0, 6));
  EXPECT_EQ(tokenizer.decode({1, 2, 3, 1, 4}), "unaffable una");
}

TEST(TokenizerJson, PostProcessors) {
  Json file = word_level({"a"});
  const Json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
             eos = {{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}},
             text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json ids = {{"<s>", {{"id", "<s>"}, {"ids", {7, 8}}, {"tokens", {"<s>", "<s>"}}}},
                    {"</s>", {{"id", "</s>"}, {"ids", {9}}, {"tokens", {"</s>"}}}}};
  const Json around = {{"type", "TemplateProcessing"}, {"single", {bos, text, eos}}, {"special_tokens", ids}};
  file["post_processor"] = around;
  EXPECT_THAT(load(file).encode("a", {true, true}), ElementsAre(7, 8, 1, 9));
  EXPECT_THAT(load(file).encode("a"), ElementsAre(1));
  EXPECT_THAT(load(file).encode("", {true, true}), ElementsAre(7, 8, 9));
  file["post_processor"] = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, around}}};
  EXPECT_THAT(load(file).encode("a", {true, true}), ElementsAre(7, 8, 1, 9));
  file["post_processor"] = {{"type", "RobertaProcessing"}, {"sep", {"</s>", 9}}, {"cls", {"<s>", 7}}};
  EXPECT_THAT(load(file).encode("a", {true, true}), ElementsAre(7, 1, 9));
}

std::string decoded(const Words& tokens, const Json& decoder) {
  Json file = word_level(tokens);
  file["decoder"] = decoder;
  const Tokenizer tokenizer = load(file);
  Ids ids;
  for (const auto& token : tokens) ids.push_back(*tokenizer.id_of(token));
  const std::string text = tokenizer.decode(ids);
  StreamDecoder stream(tokenizer);
  std::string pieces;
  for (int32_t id : ids) pieces += stream.add(id);
  EXPECT_EQ(pieces + stream.finish(), text) << decoder;
  return text;
}

TEST(TokenizerJson, Decoders) {
  EXPECT_EQ(decoded({"a", "b"}, Json()), "a b");
  EXPECT_EQ(decoded({"Ġa", "Ã", "©", "Ã"}, (Json{{"type", "ByteLevel"}})), " aé\ufffd");
  const Json metaspace = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}};
  EXPECT_EQ(decoded({"▁", "▁Hey", "▁you▁"}, metaspace), " Hey you ");
  EXPECT_EQ(decoded({"▁Hey"}, (Json{{"type", "Metaspace"}, {"prepend_scheme", "never"}})), " Hey");
  EXPECT_EQ(decoded({"un", "##do", "it", ".", "n't"}, (Json{{"type", "WordPiece"}, {"cleanup", true}})),
            "undo it.n't");
  EXPECT_EQ(decoded({"un", "##do", "."}, (Json{{"type", "WordPiece"}, {"cleanup", false}})), "undo .");
  EXPECT_EQ(decoded({"a", "a", "<pad>", "a", "|", "b"}, (Json{{"type", "CTC"}})), "aa b");
  const Json steps = {{"type", "Sequence"},
                      {"decoders",
                       {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                        {{"type", "ByteFallback"}},
                        {{"type", "Fuse"}},
                        {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  EXPECT_EQ(decoded({"▁", "▁Hey", "<0xC3>", "<0xA9>", "▁"}, steps), " Heyé ");
  EXPECT_EQ(decoded({"<0xE4>", "<0xBD>", "a"}, steps), "\ufffd\ufffda");
  EXPECT_EQ(decoded({"<0xE4>", "<0xBD>", "<0xA0>", "<0xE4>"}, steps), "\ufffd\ufffd\ufffd\ufffd");
  EXPECT_EQ(decoded({"xxa", "bxx"}, (Json{{"type", "Strip"}, {"content", "x"}, {"start", 1}, {"stop", 2}})),
            "xab");
}

TEST(TokenizerJson, DecodersWithoutAnything) {
  EXPECT_EQ(decoded({"ab", "c"}, Json()), "ab c");
  EXPECT_EQ(decoded({"ab", "c"}, (Json{{"type", "Sequence"}, {"decoders", Json::array()}})), "abc");
  EXPECT_EQ(decoded({"aé", "b"}, (Json{{"type", "BPEDecoder"}, {"suffix", ""}})), " a é b");
}

TEST(TokenizerJson, AddedTokens) {
  Json file = word_level({"a", "b", " a", " b", "a ", "ab"});  // ids 1 to 6
  auto with = [&](const Json& more) {
    file["added_tokens"] = Json::array({added(7, "<x>", more)});
    return load(file);
  };
  EXPECT_THAT(with(Json::object()).encode("a<x> b"), ElementsAre(1, 7, 4));
  EXPECT_THAT(with({{"rstrip", true}}).encode("a<x> \u3000b"), ElementsAre(1, 7, 2));
  EXPECT_THAT(with({{"lstrip", true}}).encode("a \n<x>b"), ElementsAre(1, 7, 2));
  EXPECT_THAT(with({{"lstrip", true}, {"rstrip", true}}).encode("a <x>  <x> b"), ElementsAre(1, 7, 7, 2));
  EXPECT_THAT(with({{"single_word", true}}).encode("a<x>"), ElementsAre(0));
  EXPECT_THAT(with({{"single_word", true}}).encode("a <x>"), ElementsAre(5, 7));
  EXPECT_THAT(with({{"special", true}}).encode("a<x>", {false, false}), ElementsAre(0));
  EXPECT_THAT(with(Json::object()).encode("a<x>", {false, false}), ElementsAre(1, 7));  // not special

  file["added_tokens"] = {added(7, "<x>"), added(8, "<x><x>"), added(9, "x>")};
  EXPECT_THAT(load(file).encode("<x><x><x>ax>"), ElementsAre(8, 7, 1, 9));  // leftmost, longest
}

TEST(TokenizerJson, NormalizedAddedTokens) {
  Json file = word_level({"a", "b"});
  file["normalizer"] = {{"type", "Lowercase"}};
  file["added_tokens"] = {added(3, "<X>", {{"normalized", true}}), added(4, "<Y>")};
  const Tokenizer tokenizer = load(file);
  EXPECT_THAT(tokenizer.encode("A<x>B<X>"), ElementsAre(1, 3, 2, 3));
  EXPECT_THAT(tokenizer.encode("a<Y>b"), ElementsAre(1, 4, 2));
  EXPECT_THAT(tokenizer.encode("<y>"), ElementsAre(0));
}

// Expected here is what Hugging Face's library gives.
TEST(TokenizerJson, AddedTokensThatTakeWhiteSpaceAlong) {
  Json file = word_level({"a", "b", "x"});
  auto with = [&](const Json& more) {
    file["added_tokens"] = {added(4, " ", more), added(5, "  x", more)};
    return load(file);
  };
  const Json both = {{"lstrip", true}, {"rstrip", true}};
  EXPECT_THAT(with(both).encode("a    b"), ElementsAre(1, 4, 2));
  EXPECT_THAT(with(both).encode(" x   x  x  "), ElementsAre(4, 3, 4, 5, 5));
  EXPECT_THAT(with({{"rstrip", true}}).encode("a    b"), ElementsAre(1, 4, 4, 4, 4, 2));
  EXPECT_THAT(with({{"rstrip", true}}).encode("a x  b   x"), ElementsAre(1, 4, 3, 4, 4, 2, 4, 5));
  EXPECT_THAT(with({{"lstrip", true}}).encode(" x   x  x  "), ElementsAre(4, 3, 4, 5, 5, 4, 4));
}

TEST(TokenizerJson, AddedTokensGetTheNextIds) {
  Json file = word_level({"a"});
  file["added_tokens"] = {added(300, "<x>"), added(400, "<y>"), added(1, "a")};
  const Tokenizer tokenizer = load(file);
  EXPECT_THAT(tokenizer.encode("<x><y>a"), ElementsAre(2, 3, 1));
  EXPECT_EQ(tokenizer.vocab_size(), 4);
}

TEST(TokenizerJson, NormalizedAddedTokensAreDecodedNormalized) {
  Json file = word_level({"a"});
  file["normalizer"] = {{"type", "Lowercase"}};
  file["added_tokens"] = {added(2, "ABC", {{"normalized", true}, {"special", true}}),
                          added(3, "xy", {{"normalized", true}, {"special", true}}),
                          added(4, "ABc", {{"normalized", true}}), added(5, "XY")};
  const Tokenizer tokenizer = load(file);
  EXPECT_EQ(tokenizer.decode({2, 3, 1, 5}, false), "abc xy a XY");
  EXPECT_EQ(tokenizer.decode({2, 3, 1}, true), "abc a");  // "abc" is not the name of a special token
  EXPECT_EQ(tokenizer.token_of(2), "ABC");
  EXPECT_THAT(tokenizer.encode("abC"), ElementsAre(4));  // Hugging Face's library takes any of the two
  file["normalizer"] = {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}};
  file["added_tokens"] = Json::array({added(2, " ", {{"normalized", true}})});
  EXPECT_THAT(error_of(file.dump()), HasSubstr("nothing is left of the added token ' '"));
}

TEST(TokenizerJson, UnknownTokenIsNeededOnlyForUnknownText) {
  for (const char* type : {"WordLevel", "WordPiece", "BPE"}) {
    Json file;
    file["model"] = {
        {"type", type}, {"unk_token", "<unk>"}, {"vocab", {{"a", 0}}}, {"merges", Json::array()}};
    const Tokenizer tokenizer = load(file);
    EXPECT_THAT(tokenizer.encode("a"), ElementsAre(0));
    EXPECT_THROW(tokenizer.encode("b"), Error) << type;
  }
}

TEST(TokenizerJson, PostProcessorsInSequence) {
  const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  auto special = [](const char* name) { return Json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}}; };
  const Json around = {{"type", "TemplateProcessing"},
                       {"single", {text, special("q"), special("r")}},
                       {"special_tokens", {{"q", {{"ids", {5}}}}, {"r", {{"ids", {6, 7}}}}}}};
  auto ends = [](const char* type, int sep, int cls) {
    return Json{{"type", type}, {"sep", {"s", sep}}, {"cls", {"c", cls}}};
  };
  auto encoded = [&](const Json& processors) {
    Json file = word_level({"a"});
    file["post_processor"] = {{"type", "Sequence"}, {"processors", processors}};
    return load(file).encode("a", {true, true});
  };
  EXPECT_THAT(encoded({ends("RobertaProcessing", 11, 12), ends("BertProcessing", 13, 14)}),
              ElementsAre(14, 12, 1, 11, 13));
  // A template's tokens are pieces of their own, each with its [SEP].
  EXPECT_THAT(encoded({around, ends("BertProcessing", 13, 14)}), ElementsAre(14, 1, 13, 5, 13, 6, 7, 13));
  EXPECT_THAT(encoded({around, ends("RobertaProcessing", 13, 14)}),
              ElementsAre(14, 1, 13, 13, 5, 13, 13, 6, 7, 13));
  EXPECT_THAT(encoded({ends("BertProcessing", 13, 14), around}), ElementsAre(14, 1, 13, 5, 6, 7));
  EXPECT_THROW(encoded({around, around}), Error);
}

TEST(TokenizerJson, UnigramScoresAreReadAsHuggingFaceDoes) {
  Json file;
  file["model"] = {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", Json::array()}};
  auto& vocab = file["model"]["vocab"];
  vocab = parse_json(R"([["<unk>", 0], ["a", -7.960414989720876], ["aaa", -3.7813888591844877]])", "");
  EXPECT_THAT(load(file).encode("aaaaaaa"), ElementsAre(2, 2, 1));  // [1, 2, 2] is worth as much
  // Of a piece that is there twice, the last one counts.
  vocab = parse_json(R"([["<unk>", 0], ["a", -3], ["a", -1], ["ab", -3.5], ["b", -1]])", "");
  EXPECT_THAT(load(file).encode("aab"), ElementsAre(2, 2, 4));
}

}  // namespace
}  // namespace sdft
