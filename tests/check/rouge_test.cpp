#include "check/rouge.h"

#include <gmock/gmock.h>

#include "base/json.h"
#include "base/random.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::ElementsAre;

TEST(Rouge, AsRougeChineseComputesIt) {
  const auto path = sdft::testing::fixture("metrics/bleu_rouge.json");
  REQUIRE_FIXTURE(path);
  const Json fixture = read_json(path);
  for (const Json& entry : fixture["cases"]) {
    const std::string reference = entry["reference"], answer = entry["hypothesis"];
    const double expected = entry["rouge_l_f"];
    if (entry["jieba_reference"].is_array() && entry["jieba_hypothesis"].is_array()) {
      auto words = entry["jieba_reference"].get<std::vector<std::string>>();
      auto found = entry["jieba_hypothesis"].get<std::vector<std::string>>();
      EXPECT_NEAR(rouge_l(words, found), expected, 1e-13) << entry["name"];
    }
    if (entry["name"] == "chinese") continue;  // needs jieba's dictionary
    EXPECT_NEAR(rouge_l(reference, answer), expected, 1e-13) << entry["name"];
    if (entry["jieba_reference"].is_array()) {
      EXPECT_EQ(rouge_words(reference), entry["jieba_reference"].get<std::vector<std::string>>());
    }
    if (entry["jieba_hypothesis"].is_array()) {
      EXPECT_EQ(rouge_words(answer), entry["jieba_hypothesis"].get<std::vector<std::string>>());
    }
  }
}

TEST(Rouge, StaysInRange) {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    std::string a, b;
    for (int64_t n = random.between(0, 40); n > 0; --n) a += static_cast<char>(random.between(0, 255));
    for (int64_t n = random.between(0, 40); n > 0; --n) b += static_cast<char>(random.between(0, 255));
    const double rouge = rouge_l(a, b);
    EXPECT_TRUE(rouge >= 0 && rouge <= 1) << rouge;
  }
}

TEST(Rouge, WordsAndBlanks) {
  EXPECT_THAT(rouge_words("It's 3.5% of v1.2.\r\nA--b\xe4\xb8\xad\xe6\x96\x87"),
              ElementsAre("It", "'", "s", " ", "3.5%", " ", "of", " ", "v1.2", ".", "\r\n", "A", "--", "b",
                          "\xe4\xb8\xad", "\xe6\x96\x87"));
  EXPECT_EQ(rouge_l("abc", ""), 0);
  EXPECT_EQ(rouge_l(" \n", "abc"), 0);
  EXPECT_EQ(rouge_l("", ""), 0);
  EXPECT_NEAR(rouge_l("one two three", "one two three"), 1, 1e-7);
}

}  // namespace
}  // namespace sdft
