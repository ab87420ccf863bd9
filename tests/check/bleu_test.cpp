#include "check/bleu.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "base/random.h"
#include "check/check.h"
#include "testing.h"

namespace sdft {
namespace {

TEST(Bleu, AsNltkComputesIt) {
  const auto path = sdft::testing::fixture("metrics/bleu_rouge.json");
  REQUIRE_FIXTURE(path);
  const Json fixture = read_json(path);
  ASSERT_GT(fixture["cases"].size(), 0u);
  for (const Json& entry : fixture["cases"])
    EXPECT_NEAR(bleu4(entry["reference"].get<std::string>(), entry["hypothesis"].get<std::string>()),
                entry["bleu4_char_method3"].get<double>(), 1e-13)
        << entry["name"];
}

// Worked by hand.
TEST(Bleu, SmallTexts) {
  EXPECT_EQ(bleu4("abcd", ""), 0);
  EXPECT_EQ(bleu4("", "abcd"), 0);
  EXPECT_EQ(bleu4("", ""), 0);
  EXPECT_EQ(bleu4("abcd", "xyz"), 0);
  EXPECT_DOUBLE_EQ(bleu4("abcd", "abcd"), 1);
  EXPECT_NEAR(bleu4("a", "a"), std::pow(1 / 2. * 1 / 4. * 1 / 8., 0.25), 1e-15);
  // 4 of 5, 2 of 4, 0 of 3, 0 of 2.
  EXPECT_NEAR(bleu4("abxde", "abcde"), std::pow(4 / 5. * 2 / 4. * 1 / (2 * 3.) * 1 / (4 * 2.), 0.25), 1e-15);
  // Half as long: all that is there matches, the penalty is exp(1 - 2).
  EXPECT_NEAR(bleu4("abcdefgh", "abcd"), std::exp(-1.0), 1e-15);
  // A repeated character counts as often as the reference has it.
  EXPECT_NEAR(bleu4("aab", "aaaa"), std::pow(2 / 4. * 1 / 3. * 1 / (2 * 2.) * 1 / (4 * 1.), 0.25), 1e-15);
  // Characters, not bytes.
  EXPECT_EQ(bleu4("\xe4\xb8\xad", "\xe4\xb8\xad"), bleu4("a", "a"));
}

TEST(Bleu, StaysInRange) {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    std::string a, b;
    for (int64_t n = random.between(0, 40); n > 0; --n) a += static_cast<char>(random.between(96, 104));
    for (int64_t n = random.between(0, 40); n > 0; --n) b += static_cast<char>(random.between(96, 104));
    const double bleu = bleu4(a, b);
    EXPECT_TRUE(bleu >= 0 && bleu <= 1 + 1e-15) << bleu;
  }
}

TEST(Bleu, StandsBesideRougeBetweenModels) {
  const auto checks = checks_for(kBetweenModels);
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_STREQ(checks[0]->metric, "ROUGE-L");
  EXPECT_STREQ(checks[1]->metric, "BLEU-4");
  for (const char* text : {"", "7", "long enough"}) {  // equal texts are alike, however short
    CheckItem item;
    item.reference = item.answer = item.text = text;
    EXPECT_EQ(judge({checks[1], {}}, {item})[0].score, 1) << text;
  }
}

}  // namespace
}  // namespace sdft
