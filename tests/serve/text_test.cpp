// The text of an answer as it is given out, piece by piece.
#include "serve/text.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace sdft::serve {
namespace {

Tokenizer mini_tokenizer() {
  return Tokenizer::load(std::filesystem::path(SDFT_SOURCE_DIR) / "assets" / "mini-seed");
}

// The pieces of `text`, fed token by token.
std::vector<std::string> pieces(const Tokenizer& tokenizer, const std::string& text,
                                const std::vector<std::string>& stops) {
  AnswerText answer(tokenizer, stops);
  std::vector<std::string> all;
  for (const int32_t id : tokenizer.encode(text, {false, false})) all.push_back(answer.add(id));
  all.push_back(answer.finish());
  return all;
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string all;
  for (const std::string& piece : pieces) all += piece;
  return all;
}

TEST(AnswerText, IsTheTextUpToTheFirstStop) {
  const Tokenizer tokenizer = mini_tokenizer();
  const std::string text = "one two three four";
  EXPECT_EQ(joined(pieces(tokenizer, text, {})), text);
  EXPECT_EQ(joined(pieces(tokenizer, text, {"four", "three"})), "one two ");
  EXPECT_EQ(joined(pieces(tokenizer, text, {"x", "our"})), "one two three f");
  EXPECT_EQ(joined(pieces(tokenizer, text, {"fourty"})), text);  // only its beginning comes
  EXPECT_EQ(joined(pieces(tokenizer, text, {"one"})), "");
}

TEST(AnswerText, WhatIsGivenOutIsNeverTakenBack) {
  const Tokenizer tokenizer = mini_tokenizer();
  const std::string text = "a b a b a c and more of it";
  for (const std::string& stop : {std::string("a b a c"), std::string("and"), std::string("a c a")}) {
    const std::string whole = text.substr(0, std::min(text.size(), text.find(stop)));
    std::string so_far;
    for (const std::string& piece : pieces(tokenizer, text, {stop})) {
      so_far += piece;
      EXPECT_EQ(whole.compare(0, so_far.size(), so_far), 0) << stop << ": " << so_far;
    }
    EXPECT_EQ(so_far, whole);
  }
}

}  // namespace
}  // namespace sdft::serve
