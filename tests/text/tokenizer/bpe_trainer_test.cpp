#include "text/tokenizer/bpe_trainer.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "testing.h"
#include "text/tokenizer/byte_level.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft {
namespace {

using ::testing::HasSubstr;
using testing::ScratchDir;

Tokenizer trained(const std::vector<std::string>& texts, const BpeTrainerOptions& options) {
  ScratchDir dir;
  write_file_atomic(dir / "tokenizer.json", train_bpe(texts, options));
  return Tokenizer::load(dir.path());
}

std::string error_of(const std::vector<std::string>& texts, const BpeTrainerOptions& options) {
  try {
    train_bpe(texts, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// Words of a small alphabet, so that pairs repeat and ties are common.
std::vector<std::string> random_texts(uint64_t seed) {
  Random random(seed);
  std::vector<std::string> texts(20);
  for (auto& text : texts)
    for (int word = 0; word < 40; ++word) {
      for (int64_t i = random.between(1, 7); i > 0; --i) text += "abcé"[random.below(3)];
      text += random.chance(0.1) ? "é\n" : " ";
    }
  return texts;
}

// The definition, slowly: count all pairs anew for every merge.
std::vector<std::string> merges_by_definition(const std::vector<std::string>& words, size_t count) {
  std::vector<std::vector<std::string>> split;
  for (const auto& word : words) {
    split.emplace_back();
    for (char c : word) split.back().push_back(std::string(1, c));
  }
  std::vector<std::string> merges;
  while (merges.size() < count) {
    std::map<std::pair<std::string, std::string>, int> pairs;
    for (const auto& word : split)
      for (size_t i = 0; i + 1 < word.size(); ++i) ++pairs[{word[i], word[i + 1]}];
    auto best = pairs.begin();
    for (auto it = pairs.begin(); it != pairs.end(); ++it)
      if (it->second > best->second) best = it;  // the first of equals: maps are sorted
    if (best == pairs.end() || best->second < 2) break;
    const auto pair = best->first;
    merges.push_back(to_byte_level(pair.first) + " " + to_byte_level(pair.second));
    for (auto& word : split)
      for (size_t i = 0; i + 1 < word.size(); ++i)
        if (word[i] == pair.first && word[i + 1] == pair.second) {
          word[i] += word[i + 1];
          word.erase(word.begin() + i + 1);
        }
  }
  return merges;
}

TEST(BpeTrainer, MergesTheMostFrequentPairFirst) {
  Random random(5);
  std::vector<std::string> words;
  std::string text;
  for (int i = 0; i < 300; ++i) {
    std::string word = i == 0 ? "" : " ";
    for (int64_t n = random.between(1, 9); n > 0; --n) word += "abc"[random.below(3)];
    words.push_back(word);
    text += word;
  }
  BpeTrainerOptions options;
  options.vocab_size = 256 + 60;
  const Json file = parse_json(train_bpe({text}, options), "trained");
  const auto merges = file["model"]["merges"].get<std::vector<std::string>>();
  EXPECT_EQ(merges, merges_by_definition(words, merges.size()));
  EXPECT_GE(merges.size(), 60u);
}

TEST(BpeTrainer, EncodesAndDecodesWhatItWasTrainedOn) {
  BpeTrainerOptions options;
  options.vocab_size = 400;
  options.special_tokens = {"<pad>", "<|im_start|>", "<|im_end|>"};
  const auto texts = random_texts(1);
  const Tokenizer tokenizer = trained(texts, options);
  EXPECT_EQ(tokenizer.vocab_size(), 400);
  size_t tokens = 0, bytes = 0;
  for (const auto& text : texts) {
    const auto ids = tokenizer.encode(text);
    EXPECT_EQ(tokenizer.decode(ids), text);
    tokens += ids.size();
    bytes += text.size();
  }
  EXPECT_LT(tokens, bytes / 2);
  // All bytes are there, so any text comes back.
  for (const std::string text : {"Ünïcödé 中文 🎉", "\x01\x7f\t\n", "<|im_start|>user"})
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), false), text);
}

TEST(BpeTrainer, SpecialTokensComeFirstAndAreFoundInText) {
  BpeTrainerOptions options;
  options.vocab_size = 300;
  options.special_tokens = {"<pad>", "<|im_start|>", "<|im_end|>"};
  const Tokenizer tokenizer = trained(random_texts(2), options);
  EXPECT_EQ(tokenizer.id_of("<pad>"), 0);
  EXPECT_EQ(tokenizer.id_of("<|im_end|>"), 2);
  EXPECT_TRUE(tokenizer.is_special(1));
  EXPECT_FALSE(tokenizer.is_special(3));
  EXPECT_EQ(tokenizer.encode("<|im_start|>a<|im_end|>"), (std::vector<int32_t>{1, 3 + 'a', 2}));
  EXPECT_GT(tokenizer.encode("<|im_start|>", {false, false}).size(), 1u);
}

TEST(BpeTrainer, DoesNotLearnFromSpecialTokens) {
  BpeTrainerOptions options;
  options.vocab_size = 258 + 20;
  options.special_tokens = {"<|end|>"};
  const Json file = parse_json(train_bpe({"<|end|><|end|><|end|>abab"}, options), "trained");
  EXPECT_EQ(file["model"]["merges"].get<std::vector<std::string>>(), std::vector<std::string>{"a b"});
}

TEST(BpeTrainer, OneTokenReachedByTwoWays) {
  // "ab" + "c" and "a" + "bc" give the same token: it has one id.
  std::string text;
  for (int i = 0; i < 9; ++i) text += " ab";
  for (int i = 0; i < 8; ++i) text += "bc ";
  for (int i = 0; i < 7; ++i) text += " abc xabc ";
  BpeTrainerOptions options;
  options.vocab_size = 290;
  const Json file = parse_json(train_bpe({text}, options), "trained");
  std::map<int, std::string> by_id;
  for (const auto& [token, id] : file["model"]["vocab"].items())
    EXPECT_TRUE(by_id.emplace(id.get<int>(), token).second) << token;
  EXPECT_EQ(static_cast<int>(by_id.size()), by_id.rbegin()->first + 1);
}

TEST(BpeTrainer, IsDeterministic) {
  BpeTrainerOptions options;
  options.vocab_size = 350;
  auto texts = random_texts(3);
  const std::string first = train_bpe(texts, options);
  Random(4).shuffle(texts);  // word counts are the same
  EXPECT_EQ(train_bpe(texts, options), first);
}

TEST(BpeTrainer, StopsWherePairsNoLongerRepeat) {
  BpeTrainerOptions options;
  options.vocab_size = 1000;
  EXPECT_EQ(trained({"ab ab"}, options).vocab_size(), 257);
  EXPECT_EQ(trained({}, options).vocab_size(), 256);
}

TEST(BpeTrainer, RefusesWhatCannotWork) {
  BpeTrainerOptions options;
  options.vocab_size = 200;
  EXPECT_THAT(error_of({}, options), HasSubstr("vocab_size 200 is too small"));
  options.vocab_size = 300;
  EXPECT_THAT(error_of({"fine", "bad \xff"}, options),
              HasSubstr("training text 1: not valid UTF-8 at byte 4"));
  options.special_tokens = {"<a>", "<a>"};
  EXPECT_THAT(error_of({}, options), HasSubstr("special tokens"));
  options.special_tokens = {"x"};
  EXPECT_THAT(error_of({}, options), HasSubstr("special token 'x'"));
  options.special_tokens = {};
  options.split_regex = "(";
  EXPECT_THAT(error_of({}, options), HasSubstr("split_regex"));
}

}  // namespace
}  // namespace sdft
