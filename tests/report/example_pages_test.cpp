// Differences word by word, and the pages that list all examples.
#include "report/example_pages.h"

#include <gmock/gmock.h>

#include "report/format.h"
#include "report/word_marks.h"
#include "sample.h"

namespace sdft::report {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string compared(const std::string& a, const std::string& b) {
  const auto [a_marks, b_marks] = word_marks(a, b);
  return marked_html(a, a_marks, "del") + " / " + marked_html(b, b_marks, "ins");
}

TEST(WordMarks, MarkWhatTheOtherTextHasNot) {
  EXPECT_EQ(compared("corn, 6, Grenna", "The answer is corn, 6, Grenna."),
            "corn, 6, Grenna / <ins>The answer is</ins> corn, 6, Grenna<ins>.</ins>");
  EXPECT_EQ(compared("a b c d", "a x y d"), "a <del>b c</del> d / a <ins>x y</ins> d");
  EXPECT_EQ(compared("same  text", "same text"), "same  text / same text") << "spaces are no words";
  EXPECT_EQ(compared("", "new"), " / <ins>new</ins>");
  EXPECT_EQ(compared("a < b", "a > b"), "a <del>&lt;</del> b / a <ins>&gt;</ins> b");
  EXPECT_EQ(compared("三つ", "二つ"), "<del>三</del>つ / <ins>二</ins>つ");
}

TEST(WordMarks, LongTextsThatShareNothingAreLeftAlone) {
  std::string a, b;
  for (int i = 0; i < 2000; ++i) a += "a" + std::to_string(i) + " ", b += "b" + std::to_string(i) + " ";
  EXPECT_THAT(compared(a, b), Not(HasSubstr("<")));
  EXPECT_THAT(compared("x " + a + "y", "x " + a + "z"), HasSubstr("<ins>z</ins>"))
      << "what they share is cheap";
}

TEST(WordMarks, APhraseIsFoundWhateverItsCaseAndQuotes) {
  const std::string text = "This is  YOUR answer. It’s as given; answered.";
  std::string marks(text.size(), ' ');
  mark_phrase(text, "your answer", &marks);
  mark_phrase(text, "it's as…", &marks);
  EXPECT_EQ(marked_html(text, marks, "ins"),
            "This is  <mark>YOUR answer</mark>. <mark>It’s as</mark> given; answered.");
  mark_phrase(text, "", &marks);
  mark_phrase("", "x", &marks);
}

std::vector<Rewrite> rewrites() {
  return {{"r-1", "Where?", "corn, Grenna", "It is corn, Grenna", "accepted", ""},
          {"r-2", "Where to?", "tea", "As the reference says: tea", "banned_phrase", "as the reference"},
          {"r-3", "What?", "tea", "tea", "accepted", ""}};
}

TEST(RewritesPage, HasAllWithMarksAndFilters) {
  const std::string html = rewrites_page("Sums", rewrites(), 3, "distill/distilled.jsonl");
  EXPECT_THAT(unclosed(html), ElementsAre());
  EXPECT_EQ(count_of(html, "<article"), 3u);
  EXPECT_EQ(count_of(html, "class=\"copy\""), 3u);
  for (const char* part :
       {"<ins>It is</ins> corn, Grenna", "<mark>As the reference</mark>", ">accepted (2)</option>",
        ">rejected: banned phrase (1)</option>", ">as the original (1)</option>", "data-tags=\"o1 c0\"",
        "href=\"../report.html\"", "type=\"search\"", "role=\"status\""})
    EXPECT_THAT(html, HasSubstr(part));
  EXPECT_THAT(html, Not(HasSubstr("are here;")));
  EXPECT_THAT(rewrites_page("Sums", rewrites(), 20000, "distill/distilled.jsonl"),
              HasSubstr("The first 3 of 20,000 examples are here; distill/distilled.jsonl has all."));
}

TEST(ChangesPage, HasWhatEachModelForgotAndGained) {
  const std::vector<ChangedExample> examples = {
      {"facts", {"f-1", "Who?", "He", {{"seed", "He", true}, {"plain", "She", false}, {"ours", "He", true}}}},
      {"sums", {"s-1", "2+2", "4", {{"seed", "5", false}, {"plain", "4", true}, {"ours", "4", true}}}}};
  const std::string html = changes_page("Sums", examples, 2);
  EXPECT_THAT(unclosed(html), ElementsAre());
  for (const char* part : {"data-tags=\"t0 m1-0\"", "data-tags=\"t1 m1-1 m2-0\"", ">forgotten (1)</option>",
                           ">gained (1)</option>", "<label>ours<select>", "✗ wrong", "facts · f-1"})
    EXPECT_THAT(html, HasSubstr(part));
  EXPECT_THAT(html, Not(HasSubstr("<label>seed")));
}

TEST(TimingsPage, HasTimesAndTokens) {
  const Document document = make_watched_document();
  const std::string html = plain_spaces(timings_page(document, {{"distill", 61}, {"eval", 5}}));
  EXPECT_THAT(unclosed(html), ElementsAre());
  EXPECT_THAT(html, AllOf(HasSubstr("1 min 06 s"), HasSubstr("71,000"), HasSubstr("12,300")));
  EXPECT_THAT(timings_page(document, {}), HasSubstr("Nothing took"));
}

TEST(ExamplePages, EscapeEveryText) {
  std::vector<Rewrite> hostile(2, {kHostile, kHostile, kHostile, kHostile + "x", kHostile, kHostile});
  const ChangedExample changed{
      kHostile, {kHostile, kHostile, kHostile, {{kHostile, kHostile, true}, {"b", kHostile, false}}}};
  for (const std::string& html :
       {rewrites_page(kHostile, hostile, 9, kHostile), changes_page(kHostile, {changed}, 9),
        timings_page(make_document(), {{kHostile, 1}})}) {
    EXPECT_THAT(unclosed(html), ElementsAre());
    EXPECT_EQ(html, clean(html));
    EXPECT_LE(count_of(html, "<script"), 1u);
  }
}

}  // namespace
}  // namespace sdft::report
