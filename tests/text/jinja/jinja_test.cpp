// Small cases of each part of Jinja; the expected texts are what Jinja2 3.1 prints for them.
#include "text/jinja/jinja.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::HasSubstr;

const Json& context() {
  static const Json kContext = Json::parse(R"json({
    "s": "Hello, World", "u": "Ünï ß 日本", "n": 5, "f": 2.5, "none": null, "yes": true,
    "l": [3, 1, 2], "words": ["b", "A", "c"], "d": {"b": 1, "a": [1, 2], "items": "x"},
    "users": [{"name": "Zoe", "age": 31, "mail": "z@x"}, {"name": "Al", "age": 27}]
  })json");
  return kContext;
}

std::string render(const std::string& source, bool trim = true, const jinja::Limits& limits = {}) {
  jinja::LexerOptions options;
  options.trim_blocks = options.lstrip_blocks = trim;
  jinja::RenderSettings settings;
  settings.limits = limits;
  return jinja::render(jinja::parse(source, "t", options), context(), settings);
}

std::string error_of(const std::string& source, const jinja::Limits& limits = {}) {
  try {
    return "no error, but: " + render(source, true, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
}

struct Case {
  const char *source, *expected;
};

void check(const std::vector<Case>& cases, bool expressions = true) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.source);
    try {
      EXPECT_EQ(render(expressions ? "{{ " + std::string(c.source) + " }}" : c.source), c.expected);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST(Jinja, Operators) {
  check({{"1 + 2 * 3 - 4", "3"},
         {"7 // 2 ~ -7 // 2 ~ -7 % 3", "3-42"},
         {"2 ** 3 ** 2", "64"},
         {"7 / 2", "3.5"},
         {"-7.5 // 2", "-4.0"},
         {"7 % -2", "-1"},
         {"'a' ~ 1 ~ none ~ 1.5", "a1None1.5"},
         {"'ab' * 2 + 'c'", "ababc"},
         {"[1] + [2] * 2", "[1, 2, 2]"},
         {"1 < 2 < 3", "True"},
         {"1 == 1.0 == true", "True"},
         {"'ell' in s and 4 not in l", "True"},
         {"none or 0 or 'x'", "x"},
         {"not n", "False"},
         {"'y' if n > 3 else 'z'", "y"},
         {"'y' if n > 9", ""},
         {"missing == other", "True"},
         {"1 if false else 2 if true else 3", "2"},
         {"-n | abs", "5"},
         {"1e20", "1e+20"},
         {"1e15", "1000000000000000.0"},
         {"0.1 + 0.2", "0.30000000000000004"},
         {"1_000 + 0x1f", "1031"}});
}

TEST(Jinja, PythonPrinting) {
  check({{"[none, true, 1.0, 'it\\'s', \"q\"]", "[None, True, 1.0, \"it's\", 'q']"},
         {"{'a': none, 1: (1,), 'x': ()}", "{'a': None, 1: (1,), 'x': ()}"},
         {"['\\n\\x00é\\u200b']", "['\\n\\x00é\\u200b']"},
         {"range(1, 10, 3)", "range(1, 10, 3)"},
         {"d.items()", "dict_items([('b', 1), ('a', [1, 2]), ('items', 'x')])"},
         {"[missing]", "[Undefined]"},
         {"namespace(a=1)", "<Namespace {'a': 1}>"},
         {"d | tojson", R"({"b": 1, "a": [1, 2], "items": "x"})"},
         {"d | tojson(indent=1)", "{\n \"b\": 1,\n \"a\": [\n  1,\n  2\n ],\n \"items\": \"x\"\n}"},
         {"{'é': '<\"\\u2028'} | tojson", "{\"é\": \"<\\\"\u2028\"}"},
         {"'é🤗' | tojson(ensure_ascii=true)", R"("\u00e9\ud83e\udd17")"},
         {"{'b': 1, 'a': 2} | tojson(separators=(',', ':'), sort_keys=true)", R"({"a":2,"b":1})"},
         {"'%s|%5d|%-4s|%05.1f|%x|%%' % (none, 3, 'a', -2.34, 255)", "None|    3|a   |-02.3|ff|%"},
         {"'%(a)s' | format(a=5)", "5"},
         {"'{}-{0}' if false else '{:>4}|{:,}|{x!r}'.format('a', 1234567, x='q')", "   a|1,234,567|'q'"}});
}

TEST(Jinja, ItemsAndSlices) {
  check({{"l[-1] ~ l[1:] ~ l[::-1] ~ l[5:]", "2[1, 2][2, 1, 3][]"},
         {"u[0] ~ u[::-1] ~ u | length", "Ü本日 ß ïnÜ8"},
         {"d.a ~ d['a'] ~ d.get('q', 7) ~ d.get('q')", "[1, 2][1, 2]7None"},
         {"d['items'] ~ d.items() | length", "x3"},
         {"users.0.name ~ users[1]['name']", "ZoeAl"},
         {"d.q ~ d['q'] ~ l[9] ~ none.x", ""},
         {"(1, 2, 3)[1:]", "(2, 3)"},
         {"range(5)[3:] ~ range(9)[::-2] ~ range(5)[9:5]", "range(3, 5)range(8, -1, -2)range(5, 5)"},
         {"{(1, 2): 3}[1, 2] ~ l[]", "3"}});
}

TEST(Jinja, StringMethods) {
  check({{"'  a b '.strip() ~ '|' ~ 'xxaxx'.lstrip('x')", "a b|axx"},
         {"'a,b,,c'.split(',')", "['a', 'b', '', 'c']"},
         {"'  a  b c'.split(none, 1)", "['a', 'b c']"},
         {"'a.b.c'.rsplit('.', 1)", "['a.b', 'c']"},
         {"s.startswith(('x', 'He')) ~ s.endswith('x')", "TrueFalse"},
         {"u.upper() ~ u.lower() ~ 'they\\'re a'.title()", "ÜNÏ SS 日本ünï ß 日本They'Re A"},
         {"s.replace('l', 'L', 2) ~ s.find('W') ~ s.count('l')", "HeLLo, World73"},
         {"', '.join(words) ~ 'a-b'.partition('-')", "b, A, c('a', '-', 'b')"},
         {"'7'.zfill(3) ~ 'a'.rjust(3, '.') ~ 'ab'.center(5, '*')", "007..a**ab*"},
         {"'12'.isdigit() ~ 'a b'.isalpha() ~ 'AB'.isupper()", "TrueFalseTrue"},
         {"'a\\nb\\r\\nc'.splitlines()", "['a', 'b', 'c']"},
         {"s.removeprefix('Hello')", ", World"},
         {"'Straße'.casefold() ~ 'é'.isascii() ~ ''.isprintable()", "strasseFalseTrue"},
         {"('<a b>' | safe).split() ~ ('ab' | safe) | list", "[Markup('<a'), Markup('b>')]['a', 'b']"},
         {"'a' % missing ~ 'ǅß'.swapcase() ~ 'a'.startswith('', 1, 0) ~ '١٢' | int", "aǅSSFalse12"}});
}

TEST(Jinja, Filters) {
  check({{"l | sort ~ l | sort(reverse=true) ~ words | sort", "[1, 2, 3][3, 2, 1]['A', 'b', 'c']"},
         {"users | map(attribute='name') | join(', ')", "Zoe, Al"},
         {"users | map(attribute='mail', default='-') | list", "['z@x', '-']"},
         {"words | map('upper') | list", "['B', 'A', 'C']"},
         {"users | selectattr('mail', 'defined') | map(attribute='age') | list", "[31]"},
         {"users | rejectattr('age', '>', 30) | map(attribute='name') | first", "Al"},
         {"l | select('odd') | list ~ l | reject('gt', 1) | list", "[3, 1][1]"},
         {"users | sort(attribute='age') | map(attribute='name') | list", "['Al', 'Zoe']"},
         {"d | dictsort | map('first') | join", "abitems"},
         {"{'x': 1} | items | list", "[('x', 1)]"},
         {"l | min ~ l | max ~ l | sum ~ l | first ~ l | last", "13632"},
         {"['a', 'A', 'b'] | unique | list ~ l | reverse | list", "['a', 'b'][2, 1, 3]"},
         {"l | batch(2, 0) | list ~ l | slice(2) | list", "[[3, 1], [2, 0]][[3, 1], [2]]"},
         {"users | groupby('age') | map(attribute='grouper') | list", "[27, 31]"},
         {"missing | default('q') ~ '' | default('q', true) ~ none | default('q')", "qqNone"},
         {"'foo-bar (baz)' | title ~ 'aBC' | capitalize", "Foo-Bar (Baz)Abc"},
         {"'a\\n\\nb' | indent(2) ~ 'a' | indent(2, true)", "a\n\n  b  a"},
         {"'42.7' | int ~ 'x' | int(9) ~ ' 5 ' | float ~ 2.675 | round(2) ~ 5 | round", "4295.02.675"},
         {"'one two three' | truncate(9, leeway=0) ~ 'a b' | wordcount", "one...2"},
         {"'a b/é' | urlencode", "a%20b/%C3%A9"},
         {"('<a>' | safe) + '<b>' ~ ('<a>' | e)", "<a>&lt;b&gt;&amp;lt;a&amp;gt;"}});
}

TEST(Jinja, Tests) {
  check({{"s is string ~ ''", "True"},
         {"[n is number, f is integer, yes is boolean, none is none]", "[True, False, True, True]"},
         {"[missing is defined, d is mapping, d is iterable, l is sequence]", "[False, True, True, True]"},
         {"[n is odd, n is divisibleby 5, n is divisibleby(2), n is not eq 5]", "[True, True, False, False]"},
         {"[n is in [5], 'upper' is filter, n is sameas none, 'AB' is upper]", "[True, True, False, True]"},
         {"n is defined and n is number", "True"}});
}

TEST(Jinja, Statements) {
  check(
      {{"{% for x in l %}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex0 "
        "}} {% endfor %}",
        "1TrueFalse32 2FalseFalse31 3FalseTrue30 "},
       {"{% for x in l if x != 1 %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}",
        "<3>2;3<2>;"},
       {"{% for x in [] %}a{% else %}b{% endfor %}{% for x in [1] %}{% break %}{% else %}c{% endfor %}",
        "bc"},
       {"{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{{ loop.cycle('a', 'b') }}{% endfor "
        "%}",
        "3a2a"},
       {"{% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% endfor %}", "a=1"},
       {"{% for x in [[1, [2]], 3] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% "
        "endif %}{% endfor %}",
        "(1(2))3"},
       {"{% set x = 1 %}{% for i in l %}{% set x = i %}{% endfor %}{{ x }}", "1"},
       {"{% set ns = namespace(x=0) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "6"},
       {"{% set a, b = 1, 2 %}{% set c %}{{ a }}{{ b }}{% endset %}{{ c * 2 }}{% set u | upper %}q{% endset "
        "%}{{ u }}",
        "1212Q"},
       {"{% macro m(a, b='B') %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }} {{ m(1, b=2, "
        "c=3) }} {{ m(1, 2, 3) }}",
        "1B(){} 12(){'c': 3} 12(3,){}"},
       {"{% macro m(a) %}<{{ caller(a + 1) }}>{% endmacro %}{% call(x) m(1) %}{{ x }}{% endcall %}", "<2>"},
       {"{% macro m() %}{{ y }}{% endmacro %}{% set y = 1 %}{{ m() }}{% set y = 2 %}{{ m() }}", "12"},
       {"{% filter upper | replace('A', 'b') %}xa{% endfilter %}{% with x = 1, y = 2 %}{{ x + y }}{% endwith "
        "%}{{ x }}",
        "Xb3"},
       {"{% if missing %}a{% elif n == 5 %}b{% else %}c{% endif %}{% raw %}{{ x }}{% endraw %}{# no #}",
        "b{{ x }}"},
       {"{% set j = joiner('|') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "3|1|2"}},
      false);
}

// A name that a block sets belongs to it throughout: what stands inside it sees no variable of the context.
TEST(Jinja, NamesBelongToBlocks) {
  check(
      {{"{% for i in [1] %}<{{ n }}>{% endfor %}{% set n = 1 %}", "<>"},
       {"{{ n }}{% for i in [1] %}<{{ n }}>{% endfor %}{% set n = 1 %}", "5<5>"},
       {"{% for i in [1] %}<{{ n }}>{% endfor %}{% if yes %}{% set n = 1 %}{% endif %}", "<5>"},
       {"{% set n %}<{{ n }}>{% endset %}{{ n }}", "<>"},
       {"{% for i in l %}{% filter upper %}{{ n }}{% endfilter %}{% set n = i %}{{ n }}{% endfor %}", "312"},
       {"{% macro m(a=b, b=1) %}<{{ a }}{{ b }}>{% endmacro %}{% set b = 2 %}{{ m() }}{{ m(b=3) }}",
        "<1><33>"},
       {"{% for a, b in [[1, 2], [3, 4]] if true %}{{ loop.previtem }}{% endfor %}", "(1, 2)"},
       {"{% generation %}{{ varargs }}{{ kwargs }}{% endgeneration %}", "(){}"}},
      false);
  EXPECT_THAT(error_of("{% filter length %}a{% endfilter %}"),
              HasSubstr("t:1: the block gives a value of type int"));
}

TEST(Jinja, WhiteSpace) {
  const char* source =
      "a\n  {% if true %}\n  b\n  {%- endif +%}\n {{ 1 }}\n{#- c #}\n\t{%+ if true -%}\n  d {% endif %}\n\n";
  EXPECT_EQ(render(source, true), "a\n  b\n 1\td ");
  EXPECT_EQ(render(source, false), "a\n  \n  b\n 1\n\td \n");
  EXPECT_EQ(render("a\r\nb\r{{ '\\r' }}\n"), "a\nb\n\r");
}

TEST(Jinja, ErrorsNameTheLine) {
  const std::vector<Case> cases = {
      {"a\n{% if x %}", "t:2: unexpected end of template: expected 'elif' or 'else' or 'endif'"},
      {"\n\n{{ 1 + }}", "t:3: unexpected end of print statement"},
      {"\n{% include 'x' %}", "t:2: {% include %} is not supported"},
      {"\n{{ x | nofilter }}", "t:2: no filter named 'nofilter'"},
      {"\n{{ x | pprint }}", "t:2: the filter 'pprint' is not supported"},
      {"{{ x is nosuch }}", "t:1: no test named 'nosuch'"},
      {"{% fro x in y %}", "t:1: unknown block 'fro'"},
      {"{{ n is odd if n }}", "t:1: expected '}}', got 'n'"},
      {"{{ m(a=1, a=2) }}", "t:1: the keyword argument 'a' is there twice"},
      {"{{ dict(a=1, **{'a': 2}) }}", "t:1: got multiple values"},
      {"{{ [] | sum(start='') }}", "t:1: sum"},
      {"{{ 'a b'.split(none, none) }}", "t:1: split"},
      {"{{ {([],): 1} }}", "t:1: unhashable type: 'tuple'"},
      {"{{ 'a' % d.items() }}", "t:1: not all arguments converted"},
      {"{{ 10.0 ** 999 }}", "t:1: the number is too large"},
      {"{% if false %}{% for i in l %}{{ i | nofilter }}{% endfor %}{% endif %}", "t:1: no filter named"},
      {"{{ self }}", "t:1: 'self' is not supported"},
      {"{{ n.real }}", "t:1: the attribute 'real' of int is not supported"},
      {"{{ none[:1] }}", "t:1: 'NoneType' object is not subscriptable"},
      {"\n{{ missing.x }}", "t:2: 'missing' is undefined"},
      {"{{ d.q.r }}", "t:1: 'dict object' has no attribute 'q'"},
      {"{{ missing() }}", "t:1: 'missing' is undefined"},
      {"{{ missing + 1 }}", "t:1: 'missing' is undefined"},
      {"{{ 'a' + 1 }}", "t:1: can only concatenate str (not \"int\") to str"},
      {"{{ 1 < 'a' }}", "t:1: '<' not supported between instances of 'int' and 'str'"},
      {"\n\n{{ raise_exception('no\\n\\x1bsystem') }}", R"(t:3: the template refuses: "no\n\x1bsystem")"},
      {"{{ l.append(1) }}", "unsafe"},
      {"{{ 1 / 0 }}", "t:1: division by zero"},
      {"{{ l | select('odd') | length }}", "t:1: object of type 'generator' has no len()"},
      {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "takes not more than 1 argument"},
      {"{% for a, b in [[1]] %}{% endfor %}", "expected 2 values to unpack, got 1"},
      {"{{ 'a", "t:1: the string has no end"},
      {"{{ (1 }}", "t:1: unexpected '}', expected ')'"},
  };
  for (const Case& c : cases) EXPECT_THAT(error_of(c.source), HasSubstr(c.expected)) << c.source;
  EXPECT_EQ(render("{% if false %}{{ x | nofilter }}{% endif %}{{ 1 if true else x | nofilter }}"), "1");
}

TEST(Jinja, NothingRunsForEver) {
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "(";
  jinja::Limits limits;
  limits.work = 1'000'000;
  for (const std::string& source : std::vector<std::string>{
           "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
           "{% for i in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
           "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
           "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
           "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}",
           "{% set ns = namespace(x=l) %}{% for i in range(9999) %}{% set ns.x = ns.x | map('string') %}{% "
           "endfor %}"
           "{{ ns.x | list }}",
           "{% set ns = namespace(x=1) %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}"
           "{{ {ns.x: 1} }}",
           "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", "{{ 'a' * 10 ** 12 }}",
           "{{ 'a'.center(10 ** 12) }}", "{{ '%999999999d' % 1 }}", "{{ range(10 ** 9) }}",
           "{{ 9223372036854775807 + 1 }}", "{{ " + many + "1 }}"}) {
    EXPECT_THAT(error_of(source, limits), ::testing::StartsWith("t:1: ")) << source.substr(0, 100);
  }
}

}  // namespace
}  // namespace sdft
