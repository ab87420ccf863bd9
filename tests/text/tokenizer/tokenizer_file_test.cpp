// tokenizer.json files as a whole: configuration beside them, streams, threads, damage.
#include <gmock/gmock.h>

#include <thread>

#include "base/random.h"
#include "text/tokenizer/bpe_trainer.h"
#include "text/tokenizer/small_tokenizers.h"

namespace sdft {
namespace {

using namespace sdft::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StrEq;

TEST(TokenizerFile, SpecialTokensOfTheConfiguration) {
  Json file = word_level({"a", "<s>", "</s>", "<pad>"});
  const Tokenizer plain = load(file);
  EXPECT_EQ(plain.bos_id(), std::nullopt);
  EXPECT_FALSE(plain.is_special(2));

  const Json config = {{"bos_token", "<s>"},
                       {"eos_token", {{"content", "</s>"}, {"lstrip", false}}},
                       {"pad_token", nullptr},
                       {"additional_special_tokens", Json::array({"<pad>"})},
                       {"added_tokens_decoder", {{"30", {{"content", "<tool>"}, {"special", true}}}}}};
  const Tokenizer tokenizer = load(file, config);
  EXPECT_EQ(tokenizer.bos_id(), 2);
  EXPECT_EQ(tokenizer.eos_id(), 3);
  EXPECT_EQ(tokenizer.pad_id(), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(2));
  EXPECT_TRUE(tokenizer.is_special(4));
  EXPECT_THAT(tokenizer.encode("<s>a<tool>"), ElementsAre(2, 1, 30));
  EXPECT_EQ(tokenizer.vocab_size(), 31);
  EXPECT_EQ(tokenizer.decode({2, 1, 3}), "a");
  EXPECT_EQ(tokenizer.decode({2, 1}, false), "<s> a");
  EXPECT_EQ(tokenizer.token_of(17), "");  // a hole
  EXPECT_EQ(tokenizer.decode({17, 1}), "a");

  // For Llama's class, the configuration says what is put around.
  Json llama = config;
  llama["tokenizer_class"] = "LlamaTokenizerFast";
  llama["add_eos_token"] = true;
  EXPECT_THAT(load(file, llama).encode("a", {true, true}), ElementsAre(1, 3));
  llama["add_bos_token"] = true;
  EXPECT_THAT(load(file, llama).encode("a", {true, true}), ElementsAre(2, 1, 3));
}

TEST(TokenizerFile, IdsFromTheGenerationConfiguration) {
  ScratchDir dir;
  write_file_atomic(dir / "tokenizer.json", word_level({"a", "b", "c"}).dump());
  write_file_atomic(dir / "generation_config.json",
                    R"({"bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 99})");
  const Tokenizer tokenizer = Tokenizer::load(dir.path());
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
  EXPECT_EQ(tokenizer.pad_id(), std::nullopt);
}

TEST(TokenizerFile, BadInputToEncodeAndDecode) {
  const Tokenizer tokenizer = load(small_bpe());
  try {
    tokenizer.encode("ab\xc3(");
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("not valid UTF-8 at byte 2"));
  }
  for (const char* bad : {"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "a\xe4\xbd"})
    EXPECT_THROW(tokenizer.encode(bad), Error);
  EXPECT_THROW(tokenizer.decode({-1}), Error);
  EXPECT_EQ(tokenizer.decode({tokenizer.vocab_size()}), "") << "a row of the embedding without a token";
  EXPECT_THROW(tokenizer.token_of(100000), Error);
  EXPECT_EQ(StreamDecoder(tokenizer).add(100000), "");
  EXPECT_TRUE(tokenizer.encode("").empty());
  EXPECT_EQ(tokenizer.decode({}), "");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(std::string("a\0b", 3))), std::string("a\0b", 3));
}

TEST(TokenizerFile, StreamsOnlyWholeCharacters) {
  const Tokenizer tokenizer = load(small_bpe());
  const std::string text = "é中🎉 abc\ufffd";
  StreamDecoder stream(tokenizer);
  std::string all;
  for (int32_t id : tokenizer.encode(text)) {
    const std::string piece = stream.add(id);
    EXPECT_EQ(piece.find("\ufffd") == std::string::npos || piece.size() % 3 == 0, true);
    all += piece;
    EXPECT_EQ(text.compare(0, all.size(), all), 0);
  }
  EXPECT_EQ(all + stream.finish(), text);

  Random random(3);  // any bytes at all
  for (int round = 0; round < 200; ++round) {
    Ids ids;
    for (int64_t n = random.between(1, 30); n > 0; --n)
      ids.push_back(static_cast<int32_t>(random.below(260)));
    StreamDecoder bytes(tokenizer);
    std::string streamed;
    for (int32_t id : ids) streamed += bytes.add(id);
    EXPECT_EQ(streamed + bytes.finish(), tokenizer.decode(ids));
  }
}

TEST(TokenizerFile, EncodesInManyThreads) {
  const Tokenizer tokenizer = load(small_bpe());
  const std::string text = "abc ab bc cab 123 é " + std::string(300, 'a');
  const Ids expected = tokenizer.encode(text);
  std::vector<std::thread> threads;
  std::array<bool, 4> same{};
  for (size_t i = 0; i < same.size(); ++i)
    threads.emplace_back([&, i] {
      same[i] = true;
      for (int round = 0; round < 200; ++round) same[i] = same[i] && tokenizer.encode(text) == expected;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(same, ::testing::Each(true));
}

TEST(TokenizerFile, SaysWhatIsWrongWithAFile) {
  EXPECT_THAT(error_of(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of("{\n\"model\": {"), HasSubstr("tokenizer.json:2:11: not valid JSON"));
  EXPECT_THAT(error_of("[]"), HasSubstr("expected an object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("field 'model'"));
  EXPECT_THAT(error_of(std::string(100000, '[')), HasSubstr("nested too deep"));
  EXPECT_THAT(error_of("\"\xff\""), HasSubstr("not valid JSON"));

  const Json good = small_bpe();
  auto changed = [&](const char* pointer, const Json& value) {
    Json file = good;
    file[Json::json_pointer(pointer)] = value;
    return error_of(file.dump());
  };
  EXPECT_EQ(error_of(good.dump()), "no error");
  EXPECT_THAT(changed("/model/type", "Magic"), HasSubstr("model: type 'Magic' is not supported"));
  EXPECT_THAT(changed("/model/vocab", 3), HasSubstr("model.vocab: expected an object"));
  EXPECT_THAT(changed("/model/vocab/a", "x"), HasSubstr("model.vocab['a']: expected an id"));
  EXPECT_THAT(changed("/model/vocab/a", -1), HasSubstr("model.vocab['a']: expected an id"));
  EXPECT_THAT(changed("/model/vocab/a", 4000000000), HasSubstr("model.vocab['a']: expected an id"));
  EXPECT_THAT(changed("/model/vocab/abc", 5), HasSubstr("is also that of"));
  EXPECT_THAT(changed("/model/merges/1", "ab q!"),
              HasSubstr("model.merges[1]: 'q!' is not in the vocabulary"));
  EXPECT_THAT(changed("/model/merges/1", "ab d"),
              HasSubstr("model.merges[1]: 'abd' is not in the vocabulary"));
  EXPECT_THAT(changed("/model/merges/1", "abc"), HasSubstr("model.merges[1]: expected two tokens"));
  EXPECT_THAT(changed("/model/merges/1", 7), HasSubstr("model.merges[1]: expected two tokens"));
  EXPECT_THAT(changed("/model/merges", nullptr), HasSubstr("model.merges: expected an array"));
  EXPECT_THAT(changed("/model/dropout", 0.1), HasSubstr("dropout"));
  EXPECT_THAT(changed("/normalizer", {{"type", "Wish"}}),
              HasSubstr("normalizer: type 'Wish' is not supported (supported are NFC"));
  EXPECT_THAT(changed("/pre_tokenizer", {{"type", "UnicodeScripts"}}),
              HasSubstr("pre_tokenizer: type 'UnicodeScripts'"));
  EXPECT_THAT(changed("/pre_tokenizer", {{"typ", "Split"}}),
              HasSubstr("pre_tokenizer: field 'type' is missing"));
  EXPECT_THAT(changed("/pre_tokenizer", split("-", "Sideways")), HasSubstr("'Sideways' is not known"));
  const Json nested = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Digits"}}, {{"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Isolated"}}}}};
  EXPECT_THAT(changed("/pre_tokenizer", nested), HasSubstr("pretokenizers[1] (Split): the regex '('"));
  EXPECT_THAT(changed("/decoder", {{"type", "Strip"}, {"content", "ab"}}),
              HasSubstr("expected one character, found 'ab'"));
  EXPECT_THAT(changed("/post_processor", {{"type", "TemplateProcessing"}, {"single", Json::array()}}),
              HasSubstr("found it 0 times"));
  EXPECT_THAT(changed("/post_processor", {{"type", "BertProcessing"}, {"sep", 3}}),
              HasSubstr("post_processor"));
  EXPECT_THAT(changed("/added_tokens", Json::array({{{"content", "<x>"}}})),
              HasSubstr("added_tokens[0]: field 'id' is missing"));
  EXPECT_THAT(changed("/added_tokens", Json::array({{{"id", 3}, {"content", "<x>"}}})),
              StrEq("no error"));  // it gets the next id
  EXPECT_THAT(changed("/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "AAAA"}}),
              HasSubstr("precompiled map is damaged"));
  EXPECT_THAT(changed("/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "A*"}}),
              HasSubstr("not base64"));
}

TEST(TokenizerFile, SaysWhatStandsInALongList) {
  const Json bpe = small_bpe();
  Json unigram;
  unigram["model"] = {{"type", "Unigram"}, {"vocab", Json::array({Json::array({"a", -1.0})})}};
  auto with = [](Json file, const char* pointer, const char* value) {
    file[Json::json_pointer(pointer)] = parse_json(value, "value");
    return error_of(file.dump());
  };
  const std::pair<const char*, const char*> ids[] = {{"1.5", "number 1.5"},
                                                     {"[1, [2], {\"b\": 3}]", "an array"},
                                                     {"{\"b\": {\"c\": 1}}", "an object"},
                                                     {"\"1\"", "string \"1\""},
                                                     {"null", "null"},
                                                     {"true", "boolean true"},
                                                     {"1048576", "number 1048576"},
                                                     {"18446744073709551615", "number 18446744073709551615"}};
  for (const auto& [value, found] : ids)
    EXPECT_THAT(
        with(bpe, "/model/vocab/ab", value),
        HasSubstr("model.vocab['ab']: expected an id from 0 to 1048575, found " + std::string(found)));
  const std::pair<const char*, const char*> merges[] = {
      {"[\"a\"]", "an array"},          {"[\"a\", \"b\", \"c\"]", "an array"}, {"[\"a\", 1]", "an array"},
      {"[1, \"a\"]", "an array"},       {"[[\"a\", \"b\"]]", "an array"},      {"[]", "an array"},
      {"{\"a\": \"b\"}", "an object"},  {"\"a b c\"", "string \"a b c\""},     {"0.5", "number 0.5"},
      {"[\"a\", [\"b\"]]", "an array"}, {"[{\"a\": 1}, \"b\"]", "an array"},   {"null", "null"}};
  for (const auto& [value, found] : merges)
    EXPECT_THAT(with(bpe, "/model/merges/2", value),
                HasSubstr("model.merges[2]: expected two tokens, as \"a b\" or [\"a\", \"b\"], found " +
                          std::string(found)));
  for (const char* value : {"\"a\"", "[\"a\", \"b\"]", "[\"a\", 1, 2]", "[1, 2]", "[\"a\", null]", "{}", "7"})
    EXPECT_THAT(with(unigram, "/model/vocab/0", value),
                HasSubstr("model.vocab[0]: expected [piece, score], found "));
  EXPECT_EQ(with(unigram, "/model/vocab/0", "[\"a\", 1]"), "no error");
  EXPECT_THAT(with(bpe, "/model/vocab", "[[\"a\", 1]]"),
              HasSubstr("model.vocab: expected an object, found array"));
  EXPECT_THAT(with(unigram, "/model/vocab", "{\"a\": 1}"),
              HasSubstr("model.vocab: expected an array, found object"));
  EXPECT_THAT(with(unigram, "/model/vocab", "\"a\""),
              HasSubstr("model.vocab: expected an array, found string"));
  EXPECT_THAT(with(unigram, "/model", "{\"type\": \"BPE\"}"), HasSubstr("model: field 'vocab' is missing"));
  EXPECT_THAT(with(unigram, "/model", "{\"type\": \"BPE\", \"vocab\": {}}"),
              HasSubstr("model: field 'merges' is missing"));
  EXPECT_THAT(with(unigram, "/model", "[{\"vocab\": {}}]"),
              HasSubstr("field 'model' is missing or not an object"));
}

// Of what is there twice, the last counts.
TEST(TokenizerFile, ListsInAnyOrderAndRepeated) {
  auto tokenizer = [](const std::string& text) {
    ScratchDir dir;
    write_file_atomic(dir / "tokenizer.json", text);
    return Tokenizer::load(dir.path());
  };
  const std::string vocab = R"("vocab": {"a": 0, "b": 2, "ab": 1, "b": 1, "\u0061b": 2})";
  for (const char* merges : {R"("merges": ["#version: 0.2", "a b"])", R"("merges": [["a", "b"]])"}) {
    const Tokenizer read = tokenizer("{\"model\": {" + std::string(merges) + ", " + vocab + "}}");
    EXPECT_THAT(read.encode("abb"), ElementsAre(2, 1));
    EXPECT_EQ(read.vocab_size(), 3);
    EXPECT_THAT(
        tokenizer("{\"model\": {" + std::string(merges) + ", \"merges\": [], " + vocab + "}}").encode("ab"),
        ElementsAre(0, 1));
  }
  EXPECT_THAT(tokenizer(R"({"model": {"merges": ["x y"], "vocab": {"a": 0}}, "vocab": {"a": 5}, "merges": 3,
                            "model": {"vocab": {"a": 1}, "more": {"vocab": {"a": 2}, "merges": ["p q"]},
                                      "type": "BPE", "merges": [], "vocab": {"a": 7, "b": 1, "a": 4}}})")
                  .encode("ab"),
              ElementsAre(4, 1));
  EXPECT_THAT(
      error_of(
          R"({"model": {"merges": ["a b"], "vocab": {"a": 0}}, "model": {"vocab": {"a": 0}, "type": "BPE"}})"),
      HasSubstr("model: field 'merges' is missing"));
  EXPECT_THAT(error_of(R"({"model": {"vocab": {"a": 0, "b": 0, "a": 0}}})"), HasSubstr("is also that of"));
}

TEST(TokenizerFile, DamagedFilesNeverCrash) {
  const std::string good = small_bpe().dump();
  Random random(17);
  for (int round = 0; round < 150; ++round) {
    std::string bad = good;
    for (int64_t n = random.between(1, 4); n > 0; --n) {
      const size_t at = random.below(bad.size());
      if (random.chance(0.3))
        bad.resize(at + 1);
      else
        bad[at] = "{}[]\",:0a\\ "[random.below(11)];
    }
    error_of(bad);
  }
}

TEST(TokenizerFile, FolderWithoutTokenizer) {
  ScratchDir dir;
  try {
    Tokenizer::load(dir.path());
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("neither a tokenizer.json nor a tokenizer.model nor a vocab.txt"));
  }
}

}  // namespace
}  // namespace sdft
