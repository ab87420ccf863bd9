// vocab.txt, and texts that are cut at a number of tokens.
#include <gmock/gmock.h>

#include "text/tokenizer/small_tokenizers.h"

namespace sdft {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Ids;
using testing::ScratchDir;

constexpr const char* kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nkey\n##s\ne\nÉ\n猫\n";

Tokenizer load_vocabulary(const std::string& vocabulary, const Json& config = Json()) {
  ScratchDir dir;
  write_file_atomic(dir / "vocab.txt", vocabulary);
  if (!config.is_null()) write_file_atomic(dir / "tokenizer_config.json", config.dump());
  return Tokenizer::load(dir.path());
}

std::string fault_of(const std::string& vocabulary, const Json& config = Json()) {
  try {
    load_vocabulary(vocabulary, config);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    return e.what();
  }
  return "no error";
}

TEST(BertVocabulary, LowersAndStripsUnlessTheConfigurationSaysOtherwise) {
  const Tokenizer uncased = load_vocabulary(kVocabulary);
  EXPECT_THAT(uncased.encode("The  KEYS,é猫", {true, true}), ElementsAre(2, 5, 6, 7, 1, 8, 10, 3));
  EXPECT_THAT(uncased.encode("the [MASK] key"), ElementsAre(5, 4, 6));
  EXPECT_THAT(uncased.encode("é"), ElementsAre(8));
  EXPECT_EQ(uncased.decode({2, 5, 6, 7, 3}), "the keys");
  EXPECT_EQ(uncased.pad_id(), 0);
  const Tokenizer cased = load_vocabulary(kVocabulary, {{"do_lower_case", false}});
  EXPECT_THAT(cased.encode("the The É"), ElementsAre(5, 1, 9));
  const Tokenizer kept = load_vocabulary(kVocabulary, {{"strip_accents", false}});
  EXPECT_THAT(kept.encode("É e"), ElementsAre(1, 8));
  const Tokenizer joined = load_vocabulary(kVocabulary, {{"tokenize_chinese_chars", false}});
  EXPECT_THAT(joined.encode("e猫"), ElementsAre(1));
}

TEST(BertVocabulary, ATokensPlaceIsItsId) {
  const Tokenizer tokenizer =
      load_vocabulary("[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\na\r\n\r\nb\r\na");
  EXPECT_EQ(tokenizer.vocab_size(), 9);
  EXPECT_THAT(tokenizer.encode("a b"), ElementsAre(8, 7));  // the last of equals
  const Json names = {{"unk_token", "<u>"}, {"cls_token", {{"content", "<b>"}}}, {"sep_token", "<e>"}};
  const Tokenizer named = load_vocabulary("<u>\n<b>\n<e>\nx\n", names);
  EXPECT_THAT(named.encode("x y", {true, true}), ElementsAre(1, 3, 0, 2));
}

TEST(BertVocabulary, FaultsAreNamed) {
  EXPECT_THAT(fault_of("a\nb\n"), HasSubstr("has no token '[UNK]'"));
  EXPECT_THAT(fault_of("[UNK]\n[SEP]\n"), HasSubstr("has no token '[CLS]'"));
  EXPECT_THAT(fault_of(kVocabulary, {{"tokenizer_class", "FunnelTokenizer"}}), HasSubstr("FunnelTokenizer"));
  EXPECT_THAT(fault_of(kVocabulary, {{"do_lower_case", 3}}), HasSubstr("do_lower_case"));
  EXPECT_THAT(fault_of(kVocabulary, {{"mask_token", 3}}), HasSubstr("mask_token"));
}

TEST(BertVocabulary, TextsAreCutBeforeTheLastToken) {
  const Tokenizer tokenizer = load_vocabulary(kVocabulary);
  auto cut = [&](size_t most, bool special) {
    EncodeOptions options;
    options.add_special = special;
    options.most_tokens = most;
    return tokenizer.encode("the keys e", options);
  };
  const Ids all = {2, 5, 6, 7, 8, 3};
  EXPECT_EQ(cut(0, true), all);
  EXPECT_EQ(cut(6, true), all);
  EXPECT_THAT(cut(5, true), ElementsAre(2, 5, 6, 7, 3));
  EXPECT_THAT(cut(3, true), ElementsAre(2, 5, 3));
  EXPECT_THAT(cut(2, true), ElementsAre(2, 3));
  EXPECT_THAT(cut(1, true), ElementsAre(2, 3));  // what is put around stays
  EXPECT_THAT(cut(3, false), ElementsAre(5, 6, 7));
  EXPECT_THAT(cut(4, false), ElementsAre(5, 6, 7, 8));
}

}  // namespace
}  // namespace sdft
