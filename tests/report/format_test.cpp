#include "report/format.h"

#include <gmock/gmock.h>

#include <cmath>

namespace sdft::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Format, Numbers) {
  EXPECT_EQ(plain_spaces(percent(0.71)), "71.0 %");
  EXPECT_EQ(plain_spaces(percent(1)), "100.0 %");
  EXPECT_EQ(percent(kMissing), "–");
  EXPECT_EQ(percent(INFINITY), "–");
  EXPECT_EQ(points(0.5904), "+59.0");
  EXPECT_EQ(points(-0.021), "−2.1");
  EXPECT_EQ(points(-0.0001), "0.0");
  EXPECT_EQ(points(0.0004), "0.0");
  EXPECT_EQ(plain_spaces(percent_interval({0.501, 0.6625})), "[50.1, 66.2]");
  EXPECT_EQ(plain_spaces(points_interval({-0.032, 0.0})), "[−3.2, 0.0]");
  EXPECT_EQ(percent_interval({0.5, kMissing}), "");
  EXPECT_EQ(decimal(-1.92, 2), "−1.92");
}

TEST(Format, Counts) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-100), "-100");
  EXPECT_EQ(grouped(-1234), "-1,234");
  EXPECT_EQ(plural(1, "step"), "1 step");
  EXPECT_EQ(plural(2000, "step"), "2,000 steps");
  EXPECT_EQ(parameters(12400000), "12.4 million");
  EXPECT_EQ(bytes(1.5 * 1024 * 1024 * 1024), "1.5 GiB");
  EXPECT_EQ(bytes(kMissing), "–");
}

TEST(Format, Durations) {
  EXPECT_EQ(duration(0.34), "0.3 s");
  EXPECT_EQ(duration(59.4), "59 s");
  EXPECT_EQ(duration(59.6), "1 min 00 s");
  EXPECT_EQ(duration(185), "3 min 05 s");
  EXPECT_EQ(duration(3600 * 2 + 7 * 60 - 10), "2 h 07 min");
  EXPECT_EQ(duration(kMissing), "–");
  EXPECT_EQ(duration(1e300), "–");
}

TEST(Format, CleanTakesOutWhatHarms) {
  EXPECT_EQ(clean("a\r\nb\tc"), "a\nb\tc");
  EXPECT_EQ(clean("\x1b[31m"), "\uFFFD[31m");
  EXPECT_EQ(clean(std::string("a\0b", 3)), "a\uFFFDb");
  EXPECT_EQ(clean("\xff\xc3"), "\uFFFD\uFFFD");                      // no character begins so; cut off
  EXPECT_EQ(clean("\xc0\xaf"), "\uFFFD\uFFFD");                      // overlong
  EXPECT_EQ(clean("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");            // surrogate
  EXPECT_EQ(clean("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // beyond U+10FFFF
  EXPECT_EQ(clean("x\u202Ey"), "x\uFFFDy");                          // right-to-left override
  EXPECT_EQ(clean("żółw مرحبا 数学 🎉"), "żółw مرحبا 数学 🎉");
}

TEST(Format, Widths) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("żółw"), 4);
  EXPECT_EQ(display_width("数学"), 4);
  EXPECT_EQ(display_width("e\u0301"), 1);
  EXPECT_EQ(display_width("🎉"), 2);
  EXPECT_EQ(display_width("−2.1"), 4);
}

TEST(Format, CutsLeaveAMark) {
  EXPECT_EQ(cut("abc", 3), "abc");
  EXPECT_EQ(cut("abcdef", 3), "abc… [3 more characters]");
  EXPECT_EQ(cut("数学の", 2), "数学… [1 more character]");
  EXPECT_EQ(cut(std::string(3000, 'x'), 1200), std::string(1200, 'x') + "… [1,800 more characters]");
  EXPECT_EQ(cut("ae\u0301b", 2), "ae\u0301… [1 more character]");  // the accent stays with its letter
  EXPECT_EQ(cut_short("abcdef", 4), "abc…");
  EXPECT_EQ(cut_short("abcd", 4), "abcd");
  EXPECT_EQ(cut_short("żółwie", 4), "żół…");
  EXPECT_EQ(cut_columns("数学問題", 6), "数学…");
  EXPECT_EQ(cut_columns("数学問", 6), "数学問");
}

TEST(Format, LinesAndWraps) {
  EXPECT_EQ(one_line(" a  b\n\nc\n"), "a b ⏎ c");
  EXPECT_THAT(wrap("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrap("a comprehensible x", 5), ElementsAre("a", "compr", "ehens", "ible", "x"));
  EXPECT_THAT(wrap("数学問題", 5), ElementsAre("数学", "問題"));
  EXPECT_THAT(wrap("", 5), ElementsAre(""));
  EXPECT_THAT(wrap("a " + percent(0.5), 7), ElementsAre("a", percent(0.5)));  // no break before the sign
}

TEST(Format, Html) {
  EXPECT_EQ(escape_html("<a href=\"x\" b='&'>"), "&lt;a href=&quot;x&quot; b=&#39;&amp;&#39;&gt;");
}

TEST(Format, Markdown) {
  EXPECT_EQ(escape_markdown("a|b"), "a\\|b");
  EXPECT_EQ(escape_markdown("a\\|b"), "a\\\\\\|b");
  EXPECT_EQ(escape_markdown("`x` *y* _z_"), "\\`x\\` \\*y\\* \\_z\\_");
  EXPECT_EQ(escape_markdown("<b>&"), "&lt;b&gt;&amp;");
  EXPECT_EQ(escape_markdown("[t](u) ![i](v)"), "[t\\](u) ![i\\](v)");
  EXPECT_EQ(escape_markdown("see http://x.y"), "see http&#58;//x.y");
  EXPECT_EQ(escape_markdown("me@x.org, @you, www.x.y"), "me&#64;x.org, &#64;you, www&#46;x.y");
  EXPECT_EQ(escape_markdown("one\ntwo"), "one ⏎ two");
  EXPECT_EQ(escape_markdown("# a"), "\\# a");
  EXPECT_EQ(escape_markdown("- a"), "\\- a");
  EXPECT_EQ(escape_markdown("12. a"), "12\\. a");
  EXPECT_EQ(escape_markdown("12.5 points [1, 2]"), "12.5 points [1, 2]");
}

TEST(Format, FencesOutlastTheirText) {
  EXPECT_EQ(fenced("a"), "```text\na\n```\n");
  EXPECT_EQ(fenced("```\nx\n`````\n"), "``````text\n```\nx\n`````\n``````\n");
}

}  // namespace
}  // namespace sdft::report
