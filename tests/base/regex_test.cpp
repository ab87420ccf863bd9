#include "base/regex.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace sdft {
namespace {

TEST(Regex, MatchesWholeTexts) {
  const Regex target(R"(.*\.(q|v)_proj|lm)", "here");
  EXPECT_TRUE(target.matches("layers.0.q_proj"));
  EXPECT_TRUE(target.matches("lm"));
  EXPECT_FALSE(target.matches("layers.0.q_proj.base"));
  EXPECT_FALSE(target.matches("lm_head"));
  EXPECT_TRUE(Regex("a|ab", "here").matches("ab"));  // whatever alternative it takes
  EXPECT_FALSE(Regex("", "here").matches("a"));
}

TEST(Regex, GivesUpRatherThanHang) {
  const std::string name(40, 'a');
  EXPECT_THROW(Regex("(a|a)*b|(a*)*c", "here").matches(name), Error);
  EXPECT_THROW(Regex("(?:(?:a|a)*)*[bc]", "here").matches(name), Error);
  EXPECT_NO_THROW(Regex("(?:a|b)*", "here").matches(std::string(1'000'000, 'a')));
}

TEST(Regex, RefusesEndlessPatterns) {
  EXPECT_THROW(Regex("a" + std::string(1'000'000, '+'), "here"), Error);
  EXPECT_THROW(Regex(std::string(60'000, '('), "here"), Error);
  EXPECT_THROW(Regex(std::string(60'000, '['), "here"), Error);
}

}  // namespace
}  // namespace sdft
