#include "text/jinja/lexer.h"

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"
#include "text/jinja/string.h"
#include "text/unicode/characters.h"

namespace sdft::jinja {
namespace {

constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "*",
                                           "/",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

// Line breaks become \n; one at the very end goes, unless it is to stay.
std::string normalized(const std::string& source, bool keep_trailing_newline) {
  std::string result;
  result.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      result += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      result += source[i];
    }
  }
  if (!keep_trailing_newline && !result.empty() && result.back() == '\n') result.pop_back();
  return result;
}

class Lexer {
 public:
  Lexer(const std::string& source, const std::string& name, const LexerOptions& options)
      : source_(normalized(source, options.keep_trailing_newline)), name_(name), options_(options) {}

  std::vector<Token> run() {
    while (pos_ < source_.size()) root();
    add(TokenType::kEnd, "end of template");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    fail_input(name_ + ":" + std::to_string(line_), what);
  }

  void add(TokenType type, std::string text) { tokens_.push_back({type, line_, std::move(text), 0, 0}); }
  void advance(size_t to) {
    for (; pos_ < to; ++pos_) line_ += source_[pos_] == '\n';
  }
  bool at(std::string_view what) const { return std::string_view(source_).substr(pos_, what.size()) == what; }
  char peek(size_t offset = 0) const {
    return pos_ + offset < source_.size() ? source_[pos_ + offset] : '\0';
  }
  size_t skip_space(size_t from) const {
    for (size_t next = from; from < source_.size(); from = next) {
      if (!is_space(next_char(source_, &next))) break;
    }
    return from;
  }

  // Text up to the next tag, and the tag.
  void root() {
    size_t begin = pos_;
    size_t tag = source_.find('{', begin);
    while (tag != std::string::npos &&
           (tag + 1 >= source_.size() || std::string_view("%{#").find(source_[tag + 1]) == std::string::npos))
      tag = source_.find('{', tag + 1);
    if (tag == std::string::npos) {
      add(TokenType::kData, source_.substr(begin));
      advance(source_.size());
      return;
    }
    char kind = source_[tag + 1];
    char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (sign != '-' && sign != '+') sign = '\0';
    data(std::string_view(source_).substr(begin, tag - begin), sign, kind != '{');
    advance(tag + 2 + (sign ? 1 : 0));
    if (kind == '#') {
      comment();
    } else if (kind == '{') {
      add(TokenType::kOutputBegin, "begin of print statement");
      inside(true);
    } else if (!raw()) {
      add(TokenType::kBlockBegin, "begin of statement block");
      inside(false);
    }
  }

  void data(std::string_view text, char sign, bool may_lstrip) {
    if (sign == '-') {
      text = strip(text, 2);
    } else if (sign != '+' && options_.lstrip_blocks && may_lstrip) {
      size_t line_begin = text.rfind('\n') + 1;  // npos + 1 is 0
      bool first_on_line = line_begin > 0 || line_starting_;
      if (first_on_line && strip(text.substr(line_begin)).empty()) text = text.substr(0, line_begin);
    }
    if (!text.empty()) add(TokenType::kData, std::string(text));
  }

  // Behind the end of a block or comment: "-" takes white space, else trim_blocks takes one line break,
  // unless "+".
  void finish_tag(char sign) {
    size_t to = pos_;
    if (sign == '-') {
      to = skip_space(pos_);
    } else if (sign != '+' && options_.trim_blocks && peek() == '\n') {
      ++to;
    }
    advance(to);
    line_starting_ = source_[pos_ - 1] == '\n';
  }

  void comment() {
    if (pos_ == source_.size()) return;  // as Jinja2: an end with nothing before it is not missed
    size_t end = source_.find("#}", pos_);
    if (end == std::string::npos) fail("the comment has no end: expected '#}'");
    char sign = end > pos_ && (source_[end - 1] == '-' || source_[end - 1] == '+') ? source_[end - 1] : '\0';
    advance(end + 2);
    finish_tag(sign);
  }

  // {% raw %} ... {% endraw %}; false where this is another block.
  bool raw() {
    size_t p = skip_space(pos_);
    if (source_.compare(p, 3, "raw") != 0) return false;
    p = skip_space(p + 3);
    bool strip_after = source_.compare(p, 3, "-%}") == 0;
    if (!strip_after && source_.compare(p, 2, "%}") != 0) return false;
    p += strip_after ? 3 : 2;
    advance(strip_after ? skip_space(p) : p);
    if (pos_ == source_.size()) return true;  // as with comments
    for (size_t tag = source_.find("{%", pos_); tag != std::string::npos; tag = source_.find("{%", tag + 1)) {
      size_t q = tag + 2;
      char sign = q < source_.size() && (source_[q] == '-' || source_[q] == '+') ? source_[q++] : '\0';
      q = skip_space(q);
      if (source_.compare(q, 6, "endraw") != 0) continue;
      q = skip_space(q + 6);
      char end_sign = q < source_.size() && (source_[q] == '-' || source_[q] == '+') ? source_[q++] : '\0';
      if (source_.compare(q, 2, "%}") != 0) continue;
      line_starting_ = source_[pos_ - 1] == '\n';
      data(std::string_view(source_).substr(pos_, tag - pos_), sign, true);
      advance(q + 2);
      finish_tag(end_sign);
      return true;
    }
    fail("the raw block has no end: expected '{% endraw %}'");
  }

  // Words up to the end of the tag.
  void inside(bool output) {
    std::string open;  // closing brackets to come
    for (;;) {
      advance(skip_space(pos_));
      if (pos_ >= source_.size()) fail(output ? "expected '}}'" : "expected '%}'");
      if (open.empty() && end_of_tag(output)) return;
      char c = peek();
      if (is_digit(c)) {
        number();
      } else if (is_name_char(c)) {
        size_t end = pos_;
        while (end < source_.size() && is_name_char(source_[end])) ++end;
        add(TokenType::kName, source_.substr(pos_, end - pos_));
        advance(end);
      } else if (c == '\'' || c == '"') {
        string(c);
      } else {
        operator_token(&open);
      }
    }
  }

  bool end_of_tag(bool output) {
    bool sign = peek() == '-' || (!output && peek() == '+');
    std::string_view end = output ? "}}" : "%}";
    if (std::string_view(source_).substr(pos_ + (sign ? 1 : 0), 2) != end) return false;
    char mark = sign ? peek() : '\0';
    add(output ? TokenType::kOutputEnd : TokenType::kBlockEnd,
        output ? "end of print statement" : "end of statement block");
    advance(pos_ + 2 + (sign ? 1 : 0));
    finish_tag(output && mark == '\0' ? '+' : mark);
    return true;
  }

  void operator_token(std::string* open) {
    for (std::string_view op : kOperators) {
      if (!at(op)) continue;
      char c = op[0];
      if (op == "(" || op == "[" || op == "{") open->push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
      if (op == ")" || op == "]" || op == "}") {
        if (open->empty()) fail("unexpected '" + std::string(op) + "'");
        if (open->back() != c)
          fail("unexpected '" + std::string(op) + "', expected '" + std::string(1, open->back()) + "'");
        open->pop_back();
      }
      add(TokenType::kOperator, std::string(op));
      advance(pos_ + op.size());
      return;
    }
    size_t end = pos_;
    next_char(source_, &end);
    fail("unexpected char '" + source_.substr(pos_, end - pos_) + "'");
  }

  // Digits, which an underscore may part.
  size_t digits(size_t from, bool (*accepts)(char)) const {
    size_t p = from;
    while (p < source_.size()) {
      if (accepts(source_[p])) {
        ++p;
      } else if (p > from && source_[p] == '_' && p + 1 < source_.size() && accepts(source_[p + 1])) {
        p += 2;
      } else {
        break;
      }
    }
    return p;
  }

  void number() {
    bool after_dot = pos_ > 0 && source_[pos_ - 1] == '.';
    char base = peek() == '0' ? static_cast<char>(peek(1) | 0x20) : '\0';
    if (base == 'x' || base == 'o' || base == 'b') {
      auto accepts = base == 'x'
                         ? [](char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
                     : base == 'o' ? [](char c) { return c >= '0' && c <= '7'; }
                                   : [](char c) { return c == '0' || c == '1'; };
      size_t end = digits(pos_ + 2, accepts);
      if (end > pos_ + 2) return integer(pos_ + 2, end, base == 'x' ? 16 : base == 'o' ? 8 : 2);
    }
    size_t end = digits(pos_, is_digit);
    if (!after_dot) {
      size_t real_end = end;
      if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1]))
        real_end = digits(end + 1, is_digit);
      if (real_end < source_.size() && (source_[real_end] | 0x20) == 'e') {
        size_t exponent = real_end + 1;
        if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
        size_t exponent_end = digits(exponent, is_digit);
        if (exponent_end > exponent) real_end = exponent_end;
      }
      if (real_end > end) {
        add(TokenType::kFloat, plain(pos_, real_end));
        tokens_.back().real = std::strtod(tokens_.back().text.c_str(), nullptr);
        return advance(real_end);
      }
    }
    if (peek() == '0') {  // Python has no numbers like 012: 0, then 12
      end = pos_ + 1;
      while (end < source_.size() && source_[end] == '0') ++end;
    }
    integer(pos_, end, 10);
  }

  std::string plain(size_t begin, size_t end) const {
    std::string text;
    for (size_t i = begin; i < end; ++i) {
      if (source_[i] != '_') text += source_[i];
    }
    return text;
  }

  void integer(size_t begin, size_t end, int base) {
    add(TokenType::kInteger, plain(begin, end));
    errno = 0;
    tokens_.back().integer = std::strtoll(tokens_.back().text.c_str(), nullptr, base);
    if (errno == ERANGE) fail("the number " + tokens_.back().text + " is too large");
    advance(end);
  }

  void string(char quote) {
    std::string text;
    size_t p = pos_ + 1;
    while (p < source_.size() && source_[p] != quote) {
      if (source_[p] == '\\') {
        escape(&p, &text);
      } else {
        text += source_[p++];
      }
    }
    if (p >= source_.size()) fail("the string has no end: expected " + std::string(1, quote));
    add(TokenType::kString, std::move(text));
    advance(p + 1);
  }

  // One escape of a Python string literal at *p; unknown ones stay as they are.
  void escape(size_t* p, std::string* text) {
    char c = *p + 1 < source_.size() ? source_[*p + 1] : '\0';
    *p += 2;
    static constexpr std::string_view kNames = "abfnrtv\\'\"", kChars = "\a\b\f\n\r\t\v\\'\"";
    if (size_t i = kNames.find(c); c != '\0' && i != std::string_view::npos) {
      *text += kChars[i];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      std::string digits_text = source_.substr(*p, count);
      if (digits_text.size() < count ||
          digits_text.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        fail("truncated \\" + std::string(1, c) + " escape in a string");
      char32_t code = static_cast<char32_t>(std::stoull(digits_text, nullptr, 16));
      if (code > 0x10ffff) fail("illegal Unicode character in a string");
      utf8_append(*text, code);
      *p += count;
    } else if (c >= '0' && c <= '7') {
      char32_t code = 0;
      size_t end = *p + 2;
      for (--*p; *p < end && source_[*p] >= '0' && source_[*p] <= '7'; ++*p)
        code = code * 8 + static_cast<char32_t>(source_[*p] - '0');
      utf8_append(*text, code);
    } else if (c == 'N') {
      fail("\\N escapes in strings are not supported");
    } else if (c != '\n') {
      *text += '\\';
      --*p;
    }
  }

  std::string source_;
  const std::string& name_;
  LexerOptions options_;
  size_t pos_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(const std::string& source, const std::string& name, const LexerOptions& options) {
  return Lexer(source, name, options).run();
}

}  // namespace sdft::jinja
