// Templates that want too much: whatever they do is charged, so that they are refused, and an interrupt is
// noticed. No test measures time; what is not charged shows as a test that does not come to an end.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/find.h"
#include "base/interrupt.h"
#include "testing.h"
#include "text/jinja/jinja.h"

namespace sdft {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string render(const std::string& source, const jinja::Limits& limits = {}) {
  jinja::RenderSettings settings;
  settings.limits = limits;
  return jinja::render(jinja::parse(source, "t"), Json::object(), settings);
}

std::string error_of(const std::string& source, const jinja::Limits& limits = {}) {
  try {
    return "no error, but: " + render(source, limits).substr(0, 100);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
}

// s, t: 200,000 characters each; l: a list of 20,000.
std::string again(const std::string& expression) {
  return "{% set s = 'a' * 200000 %}{% set t = s + 'b' %}{% set l = range(20000) | list %}"
         "{% set d = {s: 1} %}{% for i in range(100000) %}{% for j in range(100000) %}{% set x = " +
         expression + " %}{% endfor %}{% endfor %}";
}

TEST(UntrustedTemplate, AllWorkCounts) {
  jinja::Limits limits;
  limits.work = 2'000'000;
  for (const char* expression : {"s.find('b')",
                                 "s.rfind('b')",
                                 "s.index('a')",
                                 "s.count('aab')",
                                 "'b' in s",
                                 "s in t",
                                 "s == 'b' ~ s",
                                 "s < t",
                                 "s >= t",
                                 "s is eq(t ~ '')",
                                 "s is in(t)",
                                 "s is lower",
                                 "s is upper",
                                 "s.startswith('b')",
                                 "s.endswith(t)",
                                 "s.replace('b', 'c') | length",
                                 "s | replace('b', 'c') | length",
                                 "s.split('b') | length",
                                 "s.rsplit('b') | length",
                                 "s.split() | length",
                                 "s.splitlines() | length",
                                 "s.partition('b') | length",
                                 "s.rpartition('b') | length",
                                 "s.strip('a')",
                                 "s | trim(s)",
                                 "'b'.strip(s)",
                                 "s | length",
                                 "s[0]",
                                 "s[199999]",
                                 "s[:5]",
                                 "s[::-100000]",
                                 "s | first if s | last else 1",
                                 "s | indent(2) | length",
                                 "'b' | indent(50000000)",
                                 "'b' | center(1000000)",
                                 "'b'.ljust(1000000)",
                                 "'b'.zfill(1000000)",
                                 "'%1000000d' % 1",
                                 "'%.900f' % 1.5 ~ '%.900e' % 1e300",
                                 "'{:>1000000}'.format(1)",
                                 "'{:.5}'.format(s)",
                                 "'%.5s' % s",
                                 "s | truncate(5)",
                                 "s | wordcount",
                                 "s | int",
                                 "s | float",
                                 "s.isalpha()",
                                 "s.isascii()",
                                 "s.istitle()",
                                 "s.title() | length",
                                 "s | title | length",
                                 "s.upper() | length",
                                 "s.casefold() | length",
                                 "s.swapcase() | length",
                                 "s | capitalize | length",
                                 "s | e | length",
                                 "s | urlencode | length",
                                 "s | tojson | length",
                                 "'b' | tojson(indent=s) | length",
                                 "[[1]] | tojson(indent=s) | length",
                                 "s | string | length",
                                 "s | reverse | length",
                                 "s | list | length",
                                 "s ~ t",
                                 "s + t",
                                 "s * 2",
                                 "[s, t] | join | length",
                                 "s.join(['', '']) | length",
                                 "[s, t] | sort | length",
                                 "[t, s] | unique | list | length",
                                 "[s, t] | min | length",
                                 "[t, s] | groupby(0) | length",
                                 "d[s]",
                                 "d.get(s)",
                                 "{s: 1, t: 2} | length",
                                 "d == {s: 1}",
                                 "l == range(20000) | list",
                                 "l < l + [1]",
                                 "-1 in l",
                                 "l.count(-1)",
                                 "l[::-1] | length",
                                 "l + l",
                                 "l | sum",
                                 "l | sort | length",
                                 "l | max",
                                 "l * 2",
                                 "l | map('abs') | list | length",
                                 "l | select('odd') | list | length",
                                 "l | batch(10) | list | length",
                                 "l | slice(10) | list | length",
                                 "l | map('string') | unique | list | length",
                                 "l | join | length",
                                 "namespace(a=l).a | list | length",
                                 "s.format() | length",
                                 "(s % ()) | length",
                                 "strftime_now(s) | length"}) {
    const std::string source = again(expression);
    EXPECT_THAT(error_of(source, limits), HasSubstr("does not come to an end")) << expression;
  }
}

TEST(UntrustedTemplate, SearchingIsLinear) {
  const std::string text(2'000'000, 'a'), wanted = std::string(1'000'000, 'a') + "b";
  EXPECT_EQ(find_text(text, wanted), std::string::npos);
  EXPECT_EQ(find_text_last(text, 'b' + std::string(1'000'000, 'a')), std::string::npos);
  EXPECT_EQ(find_text_last("abcabc", "bc"), 4u);
  EXPECT_EQ(find_text_last("abc", ""), 3u);
  EXPECT_EQ(find_text("abcabc", "bc", 2), 4u);
  EXPECT_EQ(find_text("abc", "", 3), 3u);
  EXPECT_EQ(find_text("abc", "", 4), std::string::npos);
  EXPECT_EQ(render("{% set s = 'a' * 2000000 %}{% set t = 'a' * 1000000 + 'b' %}{{ s.find(t) }} {{ t in s }} "
                   "{{ s.count(t) }} {{ s.split(t) | length }} {{ s.rsplit(t) | length }} {{ s.rfind(t) }} "
                   "{{ s.replace(t, '') | length }}"),
            "-1 False 0 1 1 -1 2000000");
}

TEST(UntrustedTemplate, SplitsAndSlicesAsPython) {
  EXPECT_EQ(render("{{ ' a b  c '.rsplit(none, 1) }}{{ ' a b '.rsplit() }}{{ ' a b'.rsplit(none, 0) }}"),
            "[' a b', 'c']['a', 'b'][' a b']");
  EXPECT_EQ(render("{{ 'a,b,c'.rsplit(',', 1) }}{{ 'aaa'.rsplit('aa') }}{{ 'é,ß'.rsplit(',') }}"),
            "['a,b', 'c']['a', '']['é', 'ß']");
  EXPECT_EQ(
      render(
          "{{ 'aßc'[::-1] }} {{ 'abcdeé'[-1:0:-2] }} {{ 'abcdef'[1::2] }} {{ 'ab'[5:] }} {{ 'éa' | reverse }}"
          " {{ 'abé' | last }} {{ 'abé'[2] }} {{ 'abé'[1:3] }}"),
      "cßa édb bdf  aé é é bé");
  EXPECT_EQ(render("{{ 'aé'.replace('', '-') }} {{ 'aé'.replace('', '-', 2) }} {{ ''.replace('', '-') }} "
                   "{{ 'aaa'.replace('a', 'b', 2) }}"),
            "-a-é- -a-é - bba");
}

// INT64_MIN, which a template can only write as a difference.
TEST(UntrustedTemplate, HugeNegativesAreNumbersToo) {
  const std::string least = "(-9223372036854775807 - 1)";
  for (const auto& [expression, expected] : std::vector<std::pair<std::string, std::string>>{
           {"'abc'.center(MIN) ~ 'abc'.ljust(MIN) ~ 'abc'.rjust(MIN) ~ 'abc'.zfill(MIN)", "abcabcabcabc"},
           {"'abc' | center(MIN)", "abc"},
           {"'abc'[::MIN] ~ 'abc'[MIN:] ~ 'abc'[:MIN] ~ 'abc'[MIN:MIN:MIN]", "cabc"},
           {"'abc'[MIN]", ""},
           {"[1, 2][::MIN] ~ [1, 2][MIN:]", "[2][1, 2]"},
           {"'abc' | indent(MIN)", "abc"},
           {"'abc' * MIN ~ [1] * MIN", "[]"},
           {"range(MIN) | list", "[]"},
           {"range(0, MIN, MIN) | list", "[0]"},
           {"'aXbX'.split('X', MIN) ~ 'aX'.replace('X', 'b', MIN)", "['a', 'b', '']ab"},
           {"'abc'.find('c', MIN) ~ 'abc'.count('c', MIN, MIN) ~ 'abc'.startswith('a', MIN)", "20True"},
           {"MIN % -1", "0"},
           {"[1] | tojson(indent=MIN)", "[\n1\n]"},
           {"MIN | abs", "error: the number is too large"},
           {"-MIN", "error: the number is too large"},
           {"MIN // -1", "error: the number is too large"},
           {"MIN * -1", "error: the number is too large"},
           {"9223372036854775807 | round(-19)", "error: the number is too large"},
           {"MIN | round(MIN)", "error: round: the precision is too large"},
           {"range(0, 9000000000000000000, 4000000000000000000)[::3]", "error: the number is too large"},
           {"'abc' | truncate(MIN)", "error: truncate: the length is shorter"},
           {"'abc' | truncate(MIN, true, '')", "error: truncate: the length is shorter"},
           {"'abc' | truncate(5, true, '', MIN)", "error: truncate: the leeway is negative"},
           {"'%*d' % (MIN, 1)", "error: a string grows without end"},
           {"[1] | batch(MIN) | list", "error: batch: expected a positive size"},
           {"[1] | slice(MIN) | list", "error: slice: expected a positive number"}}) {
    std::string source = "{{ " + expression + " }}";
    for (size_t at; (at = source.find("MIN")) != std::string::npos;) source.replace(at, 3, least);
    const bool fails = expected.rfind("error: ", 0) == 0;
    const std::string result = fails ? error_of(source) : render(source);
    EXPECT_TRUE(fails ? result.find(expected.substr(7)) != std::string::npos : result == expected)
        << expression << ": " << result;
  }
}

TEST(UntrustedTemplate, NothingGrowsWithoutEnd) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "k" + std::to_string(i) + "=1, ";
  for (const std::string& source :
       {std::string("{% set s = 'a' * 60000000 %}{{ s.replace('a', 'bb') | length }}"),
        std::string("{{ [[[1]]] | tojson(indent='a' * 60000000) }}"),
        std::string("{{ ('{0:>999}' * 100000).format(1) | length }}"),
        std::string("{{ strftime_now('%999d' * 1000000) | length }}"), "{{ dict(" + many + ") }}",
        std::string("{% macro m(n) %}{{ 'a' * 60000000 }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}")})
    EXPECT_THAT(error_of(source), StartsWith("t:1: ")) << source.substr(0, 60);
  EXPECT_THAT(error_of(std::string(5 << 20, ' ')), HasSubstr("bytes long"));
}

TEST(UntrustedTemplate, AnInterruptIsNoticed) {
  interrupted = true;
  try {
    render("{% for i in range(10) %}{{ i }}{% endfor %}");
    ADD_FAILURE() << "not noticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInterrupted);
  }
  interrupted = false;
}

TEST(UntrustedTemplate, ItsWordsAreQuotedAndShort) {
  EXPECT_THAT(error_of("\n{{ raise_exception('a\\x1b[31m\\n\\u009b\\x7f' ~ 'b' * 5000) }}"),
              ::testing::AllOf(StartsWith("t:2: the template refuses: \"a\\x1b[31m\\n\\x9b\\x7fbbb"),
                               ::testing::Not(HasSubstr("\x1b")), HasSubstr("...")));
  EXPECT_LT(error_of("{{ raise_exception('b' * 5000) }}").size(), 1000u);
  EXPECT_THAT(error_of("{{ {}['\\x1b' * 9000].x }}"), HasSubstr("has no attribute '\\x1b\\x1b"));
}

}  // namespace
}  // namespace sdft
