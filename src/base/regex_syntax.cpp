#include "base/regex_syntax.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cctype>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace sdft {
namespace {

// Contents of classes. White_Space, its complement, and Oniguruma's word characters; PCRE2's own \s and \w
// differ.
constexpr const char* kSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr const char* kNotSpace =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";
// The ranges are letters in circles and squares, which are alphabetic symbols.
constexpr const char* kWord =
    R"(\p{L}\p{M}\p{Nl}\p{Nd}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";
constexpr const char* kWordAlone =
    R"(\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";  // word characters too, but not in [...]
constexpr const char* kHex = "0-9a-fA-F";
constexpr int kDeepestClass = 50;
constexpr const char* kAnyCharacter = "(?s:.)";

struct Name {
  const char* name;
  const char* items;
};

// Names of brackets and properties, without case, spaces, '_' and '-'.
constexpr Name kNames[] = {
    {"alpha", R"(\p{Alphabetic})"},
    {"digit", R"(\p{Nd})"},
    {"alnum", R"(\p{Alphabetic}\p{Nd})"},
    {"space", kSpace},
    {"whitespace", kSpace},
    {"blank", R"(\p{Zs}\x{9})"},
    {"upper", R"(\p{Uppercase})"},
    {"lower", R"(\p{Lowercase})"},
    {"punct", R"(\p{P}\p{S})"},
    {"cntrl", R"(\p{Cc})"},
    {"xdigit", kHex},
    {"ascii", R"(\x{0}-\x{7f})"},
    {"any", R"(\x{0}-\x{10ffff})"},
    {"letter", R"(\p{L})"},
    {"uppercaseletter", R"(\p{Lu})"},
    {"lowercaseletter", R"(\p{Ll})"},
    {"titlecaseletter", R"(\p{Lt})"},
    {"modifierletter", R"(\p{Lm})"},
    {"otherletter", R"(\p{Lo})"},
    {"mark", R"(\p{M})"},
    {"nonspacingmark", R"(\p{Mn})"},
    {"spacingmark", R"(\p{Mc})"},
    {"enclosingmark", R"(\p{Me})"},
    {"number", R"(\p{N})"},
    {"decimalnumber", R"(\p{Nd})"},
    {"letternumber", R"(\p{Nl})"},
    {"othernumber", R"(\p{No})"},
    {"punctuation", R"(\p{P})"},
    {"connectorpunctuation", R"(\p{Pc})"},
    {"dashpunctuation", R"(\p{Pd})"},
    {"openpunctuation", R"(\p{Ps})"},
    {"closepunctuation", R"(\p{Pe})"},
    {"initialpunctuation", R"(\p{Pi})"},
    {"finalpunctuation", R"(\p{Pf})"},
    {"otherpunctuation", R"(\p{Po})"},
    {"symbol", R"(\p{S})"},
    {"mathsymbol", R"(\p{Sm})"},
    {"currencysymbol", R"(\p{Sc})"},
    {"modifiersymbol", R"(\p{Sk})"},
    {"othersymbol", R"(\p{So})"},
    {"separator", R"(\p{Z})"},
    {"spaceseparator", R"(\p{Zs})"},
    {"lineseparator", R"(\p{Zl})"},
    {"paragraphseparator", R"(\p{Zp})"},
    {"other", R"(\p{C})"},
    {"control", R"(\p{Cc})"},
    {"format", R"(\p{Cf})"},
    {"unassigned", R"(\p{Cn})"},
    {"privateuse", R"(\p{Co})"},
    {"surrogate", R"(\p{Cs})"},
};

bool compiles(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP, &error, &at, nullptr);
  pcre2_code_free(code);
  return code != nullptr;
}

bool is_ascii_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) && !(c & 0x80); }

// A set of characters: items that can stand in [...], and expressions that match one character.
struct Class {
  std::string items;
  std::vector<std::string> others;

  std::string expression(bool negated) const {
    if (others.empty() && !items.empty()) return (negated ? "[^" : "[") + items + "]";
    std::string any = items.empty() ? "" : "[" + items + "]";
    for (const std::string& other : others) any += (any.empty() ? "" : "|") + other;
    if (any.empty()) any = "(?!)";
    return negated ? "(?:(?!" + any + ")" + kAnyCharacter + ")" : "(?:" + any + ")";
  }
  void add(const Class& more, bool negated) {
    if (negated) {
      others.push_back(more.expression(true));
    } else {
      items += more.items;
      others.insert(others.end(), more.others.begin(), more.others.end());
    }
  }
};

class Translator {
 public:
  Translator(const std::string& pattern, const std::string& where) : in_(pattern), where_(where) {}
  std::string run();

 private:
  [[noreturn]] void fail(const std::string& what) const {
    fail_input(where_, "the regex '" + std::string(in_) + "' is not understood at byte " +
                           std::to_string(at_) + ": " + what);
  }
  bool more() const { return at_ < in_.size(); }
  bool next_is(std::string_view text) const { return in_.substr(at_, text.size()) == text; }
  bool skip(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  char take() {
    if (!more()) fail("it ends too early");
    return in_[at_++];
  }
  void atom(const std::string& text) {
    atom_ = out_.size();
    quantified_ = false;
    out_ += text;
  }

  void step();
  void escape();
  void open_group();
  void option_group();
  bool quantifier();
  std::string interval();
  void wrap_atom();

  Class class_body();
  Class class_operand();
  void class_item(Class& set);
  void bracket_name(Class& set);
  std::string class_character(char32_t c) const;
  char32_t character_escape(char letter);
  char32_t hex_digits(size_t most);
  Class word() const { return {std::string(kWord) + (class_depth_ > 0 ? "" : kWordAlone), {}}; }
  Class property(bool negated);
  Class named(std::string_view name, bool negated);
  bool shorthand(char letter, Class& set);

  std::string_view in_;
  const std::string& where_;
  size_t at_ = 0;
  std::string out_;
  size_t atom_ = std::string::npos;  // in out_: where what a quantifier would repeat starts
  bool quantified_ = false;          // that has a quantifier already
  std::vector<size_t> groups_;       // in out_: the open ones
  int class_depth_ = 0;
};

std::string Translator::run() {
  while (more()) step();
  if (!groups_.empty()) fail("a group is not closed");
  return out_;
}

void Translator::step() {
  const char c = in_[at_];
  if (c == '\\') return ++at_, escape();
  if (c == '[') {
    ++at_;
    const bool negated = skip("^");
    return atom(class_body().expression(negated));
  }
  if (c == '(') return open_group();
  if (c == ')') {
    if (groups_.empty()) fail("')' without '('");
    ++at_;
    out_ += ')';
    atom_ = groups_.back();
    quantified_ = false;
    groups_.pop_back();
    return;
  }
  if (quantifier()) return;
  if (c == '|') {
    ++at_;
    out_ += '|';
    atom_ = std::string::npos;
    return;
  }
  if (c == '{' || c == ']' || c == '}') return ++at_, atom(std::string("\\") + c);
  const size_t length = utf8_length(static_cast<unsigned char>(c));
  atom(std::string(in_.substr(at_, length)));
  at_ += length;
}

// ---- groups ----

void Translator::open_group() {
  const size_t begin = out_.size();
  if (skip("(?#")) {
    while (take() != ')') {
    }
    return;
  }
  bool plain = false;
  for (const char* kind : {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"})
    if (!plain && skip(kind)) {
      out_ += kind;
      plain = true;
    }
  if (!plain && skip("(?<")) {
    out_ += "(?<";
    char c;
    do out_ += c = take();
    while (c != '>');
  } else if (!plain && next_is("(?")) {
    return option_group();
  } else if (!plain) {
    ++at_;
    out_ += '(';
  }
  groups_.push_back(begin);
  atom_ = std::string::npos;
}

// (?i) and (?i:...). Ruby's m is what others call s.
void Translator::option_group() {
  const size_t begin = out_.size();
  const bool at_start = begin == 0 || (!groups_.empty() && atom_ == std::string::npos && out_.back() != '|');
  at_ += 2;
  std::string options;
  char c;
  while ((c = take()) != ':' && c != ')') {
    if (c != 'i' && c != 'm' && c != 'x' && c != '-')
      fail(std::string("the group option '") + c + "' is not supported");
    options += c == 'm' ? 's' : c;
  }
  out_ += "(?" + options + c;
  if (c == ':') {
    groups_.push_back(begin);
  } else if (!at_start) {
    fail("options inside a group are only supported at its start");
  }
  atom_ = std::string::npos;
}

// ---- quantifiers ----

void Translator::wrap_atom() {
  out_.insert(atom_, "(?:");
  out_ += ')';
}

// "{2,3}", "{2,}", "{,3}", "{2}" at the current place as PCRE2 writes it, "" where there is none.
std::string Translator::interval() {
  size_t at = at_ + 1;
  auto digits = [&] {
    std::string number;
    while (at < in_.size() && in_[at] >= '0' && in_[at] <= '9') number += in_[at++];
    return number;
  };
  const std::string low = digits();
  const bool comma = at < in_.size() && in_[at] == ',';
  if (comma) ++at;
  const std::string high = comma ? digits() : "";
  if (at >= in_.size() || in_[at] != '}' || (low.empty() && high.empty())) return "";
  at_ = at + 1;
  return "{" + (low.empty() ? "0" : low) + (comma ? "," + high : "") + "}";
}

bool Translator::quantifier() {
  const char c = in_[at_];
  std::string sign;
  if (c == '{')
    sign = interval();
  else if (c == '*' || c == '+' || c == '?')
    sign = in_[at_++];
  if (sign.empty()) return false;
  if (atom_ == std::string::npos) fail("there is nothing to repeat");
  if (quantified_) wrap_atom();  // Ruby stacks quantifiers
  quantified_ = true;
  out_ += sign;
  const bool fixed = sign[0] == '{' && sign.find(',') == std::string::npos;
  if (!fixed && skip("?"))
    out_ += '?';
  else if (sign[0] != '{' && skip("+"))
    out_ += '+';
  return true;
}

// ---- escapes ----

bool Translator::shorthand(char letter, Class& set) {
  switch (letter) {
    case 's':
      set.items += kSpace;
      return true;
    case 'S':
      set.items += kNotSpace;
      return true;
    case 'd':
      set.items += R"(\p{Nd})";
      return true;
    case 'D':
      set.items += R"(\P{Nd})";
      return true;
    case 'h':
      set.items += kHex;
      return true;
    case 'H':
      set.add(Class{kHex, {}}, true);
      return true;
    case 'w':
    case 'W':
      set.add(word(), letter == 'W');
      return true;
    case 'p':
    case 'P':
      set.add(property(letter == 'P'), false);
      return true;
    default:
      return false;
  }
}

void Translator::escape() {
  const char letter = take();
  Class set;
  if (shorthand(letter, set)) return atom(set.expression(false));
  const std::string word = this->word().expression(false);
  if (letter == 'b') return atom("(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))");
  if (letter == 'B') return atom("(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))");
  if (letter == 'O') return atom(kAnyCharacter);
  if (std::string_view("AzZGRXKN123456789").find(letter) != std::string_view::npos)
    return atom(std::string("\\") + letter);
  if (letter == 'k' || letter == 'g') {
    std::string reference = std::string("\\") + letter;
    do reference += take();
    while (reference.back() != '>');
    return atom(reference);
  }
  if (std::string_view("yYCMc").find(letter) != std::string_view::npos)
    fail(std::string("'\\") + letter + "' is not supported");
  --at_;
  atom(class_character(character_escape(take())));
}

char32_t Translator::hex_digits(size_t most) {
  char32_t value = 0;
  size_t count = 0;
  while (count < most && more() && std::isxdigit(static_cast<unsigned char>(in_[at_]))) {
    value = value * 16 + static_cast<char32_t>(std::stoi(std::string(1, in_[at_++]), nullptr, 16));
    ++count;
  }
  if (count == 0) fail("hexadecimal digits are expected");
  if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) fail("this is not a character");
  return value;
}

// What a backslash and `letter` (taken already) stand for as one character.
char32_t Translator::character_escape(char letter) {
  switch (letter) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case 'a':
      return '\a';
    case 'e':
      return 0x1b;
    case '0':
      return 0;
    case 'u':
      return hex_digits(4);
    case 'x': {
      if (!skip("{")) return hex_digits(2);
      const char32_t value = hex_digits(6);
      if (take() != '}') fail("'}' is expected");
      return value;
    }
    default:
      --at_;
      return utf8_next(in_, at_);  // itself
  }
}

Class Translator::property(bool negated) {
  if (take() != '{') fail("'{' is expected");
  if (skip("^")) negated = !negated;
  const size_t end = in_.find('}', at_);
  if (end == std::string_view::npos) fail("'}' is expected");
  const std::string_view name = in_.substr(at_, end - at_);
  Class found = named(name, negated);
  at_ = end + 1;
  return found;
}

Class Translator::named(std::string_view name, bool negated) {
  std::string plain;
  for (char c : name)
    if (c != ' ' && c != '_' && c != '-')
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  Class set;
  if (plain == "word") {
    set.add(word(), negated);
    return set;
  }
  if (plain == "graph" || plain == "print") {  // what is neither control nor unassigned, nor (graph) space
    const std::string no_print = R"(\p{Cc}\p{Cn}\p{Cs}\p{Zl}\p{Zp})";
    set.add(Class{plain == "graph" ? no_print + kSpace : no_print, {}}, !negated);
    return set;
  }
  for (const Name& known : kNames)
    if (plain == known.name) {
      set.add(Class{known.items, {}}, negated);
      return set;
    }
  const std::string sign = negated ? "\\P{" : "\\p{";
  // A script by its characters' own script, not by the scripts they are also used with.
  for (const std::string& written : {sign + "sc:" + std::string(name) + "}", sign + std::string(name) + "}"})
    if (compiles(written)) {
      set.items = written;
      return set;
    }
  fail("there is no property '" + std::string(name) + "'");
}

// ---- classes ----

std::string Translator::class_character(char32_t c) const {
  if (c < 0x80 && is_ascii_alnum(static_cast<char>(c))) return std::string(1, static_cast<char>(c));
  char text[16];
  std::snprintf(text, sizeof text, "\\x{%x}", static_cast<unsigned>(c));
  return text;
}

// Behind "[" or "[^", up to and with "]".
Class Translator::class_body() {
  if (++class_depth_ > kDeepestClass) fail("classes are nested too deep");
  Class all = class_operand();
  while (skip("&&")) {
    const Class right = class_operand();
    Class both;
    both.others.push_back("(?:(?=" + all.expression(false) + ")" + right.expression(false) + ")");
    all = both;
  }
  if (take() != ']') fail("']' is expected");
  --class_depth_;
  return all;
}

Class Translator::class_operand() {
  Class set;
  if (skip("]")) set.items += "\\]";  // first in a class, it is a character
  while (more() && !next_is("]") && !next_is("&&")) class_item(set);
  return set;
}

void Translator::class_item(Class& set) {
  if (next_is("[:") && in_.find(":]", at_ + 2) != std::string_view::npos) return bracket_name(set);
  if (skip("[")) {
    const bool negated = skip("^");
    return set.add(class_body(), negated);
  }
  auto character = [&](char32_t& c) {  // false: a set, which has been added
    if (!skip("\\")) {
      c = utf8_next(in_, at_);
      return true;
    }
    const char letter = take();
    if (shorthand(letter, set)) return false;
    c = letter == 'b' ? U'\b' : character_escape(letter);
    return true;
  };
  char32_t low = 0, high = 0;
  if (!character(low)) return;
  const bool range = next_is("-") && at_ + 1 < in_.size() && in_[at_ + 1] != ']' && in_[at_ + 1] != '[';
  if (!range) {
    set.items += class_character(low);
    return;
  }
  ++at_;
  if (!character(high)) {  // [a-\d]: the hyphen is a character
    set.items += class_character(low) + "\\-";
    return;
  }
  if (high < low) fail("the range's end is before its start");
  set.items += class_character(low) + "-" + class_character(high);
}

void Translator::bracket_name(Class& set) {
  const size_t end = in_.find(":]", at_ + 2);
  at_ += 2;
  const bool negated = skip("^");
  const std::string_view name = in_.substr(at_, end - at_);
  set.add(named(name, negated), false);
  at_ = end + 2;
}

}  // namespace

std::string pcre_syntax(const std::string& pattern, const std::string& where) {
  if (size_t fault = utf8_fault(pattern); fault != std::string::npos)
    fail_input(where, "the regex is not valid UTF-8 at byte " + std::to_string(fault));
  return Translator(pattern, where).run();
}

}  // namespace sdft
