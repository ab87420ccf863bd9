#include "check/python_expression.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/utf8.h"
#include "check/python_operators.h"
#include "data/code_points.h"

namespace sdft {
namespace {

struct NotPython {};  // thrown and caught in this file

constexpr int kBrackets = 200;    // in each other, as in Python
constexpr int kDepth = 1000;      // of nodes in each other
constexpr size_t kDigits = 4300;  // of a number, as in Python

constexpr std::array<std::string_view, 35> kKeywords = {
    "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
    "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
    "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
    "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};

bool digit(char c) { return c >= '0' && c <= '9'; }

int digit_in(char c) {
  return digit(c) ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

// The decimal digits of a number in another base.
std::string decimal(std::string_view digits, int base) {
  std::string number = "0";
  for (char c : digits) {
    int carry = digit_in(c);
    for (size_t i = number.size(); i-- > 0;) {
      carry += (number[i] - '0') * base;
      number[i] = static_cast<char>('0' + carry % 10);
      carry /= 10;
    }
    for (; carry > 0; carry /= 10) number.insert(number.begin(), static_cast<char>('0' + carry % 10));
  }
  return number;
}

PyNode checked(PyNode node) {
  for (const PyNode& part : node.parts) node.depth = std::max(node.depth, part.depth + 1);
  if (node.depth > kDepth) throw NotPython();
  return node;
}
template <typename... Parts>
PyNode made(PyNode::Kind kind, std::string text, Parts&&... parts) {
  PyNode node{kind, std::move(text)};
  (node.parts.push_back(std::forward<Parts>(parts)), ...);
  return checked(std::move(node));
}

class Parser {
 public:
  Parser(std::string_view text, size_t at) : text_(text), at_(at) {}

  PyNode whole() {
    skip();
    PyNode node = tuple_or_one();
    skip();
    while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
      skip();
    }
    if (at_ < text_.size()) throw NotPython();
    return node;
  }

  PyCallAt call() {
    PyNode node{PyNode::kName, identifier()};
    while (peek() == '.') {
      ++at_;
      node = made(PyNode::kAttribute, identifier(), std::move(node));
    }
    skip();
    if (peek() != '(') throw NotPython();
    node = called(std::move(node));
    return {std::move(node), at_};
  }

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool begins(std::string_view word) const { return text_.substr(at_, word.size()) == word; }

  // Past spaces and comments; within brackets past line breaks, too.
  void skip() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\\' && (peek(1) == '\n' || (peek(1) == '\r' && peek(2) == '\n'))) {
        at_ += peek(1) == '\n' ? 1 : 2;
      } else if (c == '#') {
        while (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
      } else if (!(c == ' ' || c == '\t' || c == '\f' || (depth_ > 0 && (c == '\n' || c == '\r')))) {
        return;
      }
    }
  }
  void expect(char c) {
    skip();
    if (peek() != c) throw NotPython();
    ++at_;
  }
  bool take(char c) {
    skip();
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void open() {
    ++at_;
    if (++depth_ > kBrackets) throw NotPython();
    skip();
  }
  // After take() or expect() of the closing bracket, which the line break behind it does not belong to.
  void closed() { --depth_; }

  size_t identifier_end(size_t at) const {
    while (at < text_.size()) {
      size_t next = at;
      const char32_t c = utf8_next_lossy(text_, next);
      if (!is_word(c) || c == 0xfffd) break;
      at = next;
    }
    return at;
  }
  std::string_view word() const {
    size_t next = at_;
    if (at_ >= text_.size() || digit_value(utf8_next_lossy(text_, next))) return "";
    return text_.substr(at_, identifier_end(at_) - at_);
  }
  std::string identifier() {
    std::string name(word());
    if (name.empty() || std::find(kKeywords.begin(), kKeywords.end(), name) != kKeywords.end())
      throw NotPython();
    at_ += name.size();
    return name;
  }

  // a, b or (a, b) without its brackets.
  PyNode tuple_or_one() {
    PyNode first = starred();
    skip();
    if (peek() != ',') {
      if (first.kind == PyNode::kStarred) throw NotPython();
      return first;
    }
    PyNode tuple = made(PyNode::kTuple, "", std::move(first));
    while (take(',')) {
      skip();
      if (at_ >= text_.size() || peek() == ')' || peek() == ']' || peek() == '\n') break;
      tuple.parts.push_back(starred());
    }
    return checked(std::move(tuple));
  }
  PyNode starred() {
    skip();
    if (peek() != '*' || peek(1) == '*') return expression(0);
    ++at_;
    return made(PyNode::kStarred, "", expression(5));
  }

  // The operator that follows, with its level; at_ is behind it.
  std::optional<PyOperator> binary() {
    skip();
    if (word() == "not") {
      at_ += 3;
      skip();
      if (word() != "in") return std::nullopt;
      at_ += 2;
      return PyOperator{"not in", kCompare};
    }
    for (const PyOperator& one : kPyOperators) {
      const bool is_word = one.text[0] >= 'a' && one.text[0] <= 'z';
      if (is_word ? word() != one.text : !begins(one.text)) continue;
      at_ += one.text.size();
      if (one.level > kCompare && peek() == '=') return std::nullopt;  // an assignment
      if (one.text != "is") return one;
      skip();
      if (word() != "not") return one;
      at_ += 3;
      return PyOperator{"is not", kCompare};
    }
    return std::nullopt;
  }

  PyNode expression(int least) {
    if (++steps_ > kDepth) throw NotPython();
    skip();
    PyNode left = operand(least);
    for (;;) {
      const size_t before = at_;
      const std::optional<PyOperator> found = binary();
      if (!found || found->level < least) {
        at_ = before;
        break;
      }
      PyNode right = expression(found->level == kPower ? kSign : found->level + 1);
      left = made(PyNode::kBinary, std::string(found->text), std::move(left), std::move(right));
    }
    --steps_;
    return left;
  }

  PyNode operand(int least) {
    const char c = peek();
    if (c == '-' || c == '+' || c == '~') {
      ++at_;
      return made(PyNode::kUnary, std::string(1, c), expression(kSign));
    }
    if (word() == "not" && least <= kNot) {
      at_ += 3;
      return made(PyNode::kUnary, "not", expression(kNot));
    }
    return postfixed(atom());
  }

  PyNode postfixed(PyNode node) {
    for (;;) {
      skip();
      if (peek() == '(') {
        node = called(std::move(node));
      } else if (peek() == '[') {
        open();
        PyNode index = subscripts();
        expect(']');
        closed();
        node = made(PyNode::kSubscript, "", std::move(node), std::move(index));
      } else if (peek() == '.') {
        ++at_;
        skip();
        node = made(PyNode::kAttribute, identifier(), std::move(node));
      } else {
        return node;
      }
    }
  }

  PyNode subscripts() {
    PyNode first = subscript();
    if (!take(',')) return first;
    PyNode tuple = made(PyNode::kTuple, "", std::move(first));
    for (skip(); peek() != ']'; skip()) {
      tuple.parts.push_back(subscript());
      if (!take(',')) break;
    }
    return checked(std::move(tuple));
  }
  PyNode subscript() {
    std::string slice;
    skip();
    PyNode lower;
    if (peek() != ':') {
      lower = starred();
      slice = unparse(lower);
    }
    if (!take(':')) return lower;
    slice += ":";
    for (int part = 0; part < 2; ++part) {
      skip();
      if (peek() != ']' && peek() != ',' && peek() != ':') slice += unparse(expression(0));
      if (part == 0) {
        if (!take(':')) break;
        skip();
        if (peek() != ']' && peek() != ',') slice += ":";
      }
    }
    return {PyNode::kSlice, slice};
  }

  PyNode called(PyNode function) {
    PyNode call = made(PyNode::kCall, "", std::move(function));
    open();
    bool keywords = false;
    for (skip(); peek() != ')'; skip()) {
      call.parts.push_back(argument());
      const PyNode::Kind kind = call.parts.back().kind;
      if (keywords && kind != PyNode::kKeyword && kind != PyNode::kStarred) throw NotPython();
      keywords = keywords || kind == PyNode::kKeyword;
      if (!take(',')) break;
    }
    expect(')');
    closed();
    return checked(std::move(call));
  }
  PyNode argument() {
    if (begins("**")) {
      at_ += 2;
      return made(PyNode::kKeyword, "", expression(0));
    }
    if (const std::string_view name = word(); !name.empty()) {
      const size_t before = at_;
      at_ += name.size();
      skip();
      if (peek() == '=' && peek(1) != '=') {
        at_ = before;
        std::string keyword = identifier();
        expect('=');
        return made(PyNode::kKeyword, std::move(keyword), expression(0));
      }
      at_ = before;
    }
    return starred();
  }

  PyNode atom() {
    const char c = peek();
    if (c == '(' || c == '[') return bracketed(c == '(' ? ')' : ']');
    if (c == '{') return braced();
    if (c == '"' || c == '\'') return strings();
    if (digit(c) || (c == '.' && digit(peek(1)))) return number();
    if (begins("...")) {
      at_ += 3;
      return {PyNode::kEllipsis};
    }
    const std::string_view name = word();
    const char after = peek(name.size());
    if (!name.empty() && name.size() <= 2 && (after == '"' || after == '\'') &&
        name.find_first_not_of("rRbBuUfF") == std::string_view::npos)
      return strings();
    if (name == "True" || name == "False" || name == "None") {
      at_ += name.size();
      if (name == "None") return {};
      return {PyNode::kBool, "", name == "True" ? 1.0 : 0.0};
    }
    return {PyNode::kName, identifier()};
  }

  PyNode bracketed(char close) {
    open();
    PyNode list{close == ')' ? PyNode::kTuple : PyNode::kList};
    bool comma = false;
    for (skip(); peek() != close; skip()) {
      list.parts.push_back(starred());
      comma = take(',');
      if (!comma) break;
    }
    expect(close);
    closed();
    if (close == ')' && !comma && list.parts.size() == 1) {
      if (list.parts[0].kind == PyNode::kStarred) throw NotPython();
      PyNode inner = std::move(list.parts[0]);
      return inner;
    }
    return checked(std::move(list));
  }

  PyNode braced() {
    open();
    PyNode node{PyNode::kDict};
    for (skip(); peek() != '}'; skip()) {
      const bool first = node.parts.empty();
      if (begins("**")) {
        if (node.kind != PyNode::kDict) throw NotPython();
        at_ += 2;
        node.parts.push_back({PyNode::kStarred});
        node.parts.push_back(expression(5));
      } else {
        node.parts.push_back(starred());
        const bool pair = take(':');
        if (first && !pair) node.kind = PyNode::kSet;
        if (pair != (node.kind == PyNode::kDict)) throw NotPython();
        if (pair) node.parts.push_back(expression(0));
      }
      if (!take(',')) break;
    }
    expect('}');
    closed();
    return checked(std::move(node));
  }

  // Digits with single underscores between them, without these.
  std::string digits(int base) {
    std::string found;
    for (; digit_in(peek()) < base || (peek() == '_' && !found.empty() && digit_in(peek(1)) < base); ++at_)
      if (peek() != '_') found += peek();
    return found;
  }
  PyNode number() {
    const size_t begin = at_;
    const char mark = static_cast<char>(peek(1) | 0x20);
    PyNode node{PyNode::kInt};
    if (const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0; base && peek() == '0') {
      at_ += peek(2) == '_' ? 3 : 2;
      const std::string found = digits(base);
      if (found.empty() || found.size() > kDigits) throw NotPython();
      node.text = decimal(found, base);
      node.number = std::strtod(node.text.c_str(), nullptr);
    } else {
      node = decimal_number();
    }
    if ((peek() | 0x20) == 'j') {
      ++at_;
      node = {PyNode::kOpaque, std::string(text_.substr(begin, at_ - begin))};
    }
    if (!word().empty() || digit(peek())) throw NotPython();
    return node;
  }
  PyNode decimal_number() {
    std::string text = digits(10);
    const bool whole = !text.empty();
    bool fraction = false;
    if (peek() == '.') {
      fraction = true;
      ++at_;
      text += "." + digits(10);
    }
    const size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if ((peek() | 0x20) == 'e' && digit(peek(1 + sign))) {
      fraction = true;
      text += "e";
      if (sign) text += peek(1);
      at_ += 1 + sign;
      text += digits(10);
    }
    const double value = std::strtod(text.c_str(), nullptr);
    if (fraction) return {PyNode::kFloat, "", value};
    const size_t first = std::min(text.find_first_not_of('0'), text.size() - 1);
    const bool zero = text[first] == '0', imaginary = (peek() | 0x20) == 'j';
    if (!whole || text.size() > kDigits || (first > 0 && !zero && !imaginary)) throw NotPython();
    return {PyNode::kInt, zero ? "0" : text, value};
  }

  // Strings beside each other are one.
  PyNode strings() {
    PyNode node{PyNode::kString};
    bool bytes = false;
    for (bool first = true;; first = false) {
      const size_t begin = at_;
      std::string prefix;
      for (; peek() != '"' && peek() != '\''; ++at_) prefix += static_cast<char>(peek() | 0x20);
      const bool is_bytes = prefix.find('b') != prefix.npos, is_format = prefix.find('f') != prefix.npos;
      if (prefix.size() == 2 && (prefix.find('r') == prefix.npos || prefix == "rr" || prefix.find('u') < 2))
        throw NotPython();
      if (!first && is_bytes != bytes) throw NotPython();
      bytes = is_bytes;
      const std::string value = quoted(prefix.find('r') != prefix.npos);
      if (is_bytes || is_format) node.kind = PyNode::kOpaque;
      node.text += node.kind == PyNode::kOpaque ? std::string(text_.substr(begin, at_ - begin)) : value;
      skip();
      size_t prefix_end = at_;
      while (prefix_end < text_.size() && prefix_end < at_ + 2 &&
             std::string_view("rRbBuUfF").find(text_[prefix_end]) != std::string_view::npos)
        ++prefix_end;
      if (prefix_end >= text_.size() || (text_[prefix_end] != '"' && text_[prefix_end] != '\'')) return node;
    }
  }
  std::string quoted(bool raw) {
    const char mark = peek();
    const bool three = peek(1) == mark && peek(2) == mark;
    at_ += three ? 3 : 1;
    std::string value;
    for (;;) {
      if (at_ >= text_.size()) throw NotPython();
      const char c = text_[at_];
      if (c == mark && (!three || (peek(1) == mark && peek(2) == mark))) break;
      if (c == '\n' && !three) throw NotPython();
      if (c == '\r') {  // a line break, however written
        if (!three) throw NotPython();
        at_ += peek(1) == '\n' ? 2 : 1;
        value += '\n';
      } else if (c == '\\' && raw) {
        if (at_ + 1 >= text_.size()) throw NotPython();
        value.append(text_, at_, 2);
        at_ += 2;
      } else if (c == '\\') {
        ++at_;
        escape(value);
      } else {
        value += c;
        ++at_;
      }
    }
    at_ += three ? 3 : 1;
    return value;
  }
  void escape(std::string& value) {
    constexpr std::string_view kNames = "\\'\"abfnrtv", kValues = "\\'\"\a\b\f\n\r\t\v";
    const char c = peek();
    if (at_ >= text_.size()) throw NotPython();
    if (const size_t known = kNames.find(c); known != kNames.npos) {
      value += kValues[known];
      ++at_;
    } else if (c == '\n') {
      ++at_;
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ++at_;
      value += utf8_of(code(c == 'x' ? 2 : c == 'u' ? 4 : 8, 16));
    } else if (c >= '0' && c <= '7') {
      size_t length = 1;
      while (length < 3 && peek(length) >= '0' && peek(length) <= '7') ++length;
      value += utf8_of(code(length, 8));
    } else if (c == 'N') {
      throw NotPython();
    } else {
      value += '\\';  // an unknown escape is kept
    }
  }
  char32_t code(size_t length, int base) {
    char32_t c = 0;
    for (size_t i = 0; i < length; ++i, ++at_) {
      if (digit_in(peek()) >= base) throw NotPython();
      c = c * static_cast<char32_t>(base) + static_cast<char32_t>(digit_in(peek()));
    }
    if (c > 0x10ffff) throw NotPython();
    return c >= 0xd800 && c < 0xe000 ? 0xfffd : c;
  }

  std::string_view text_;
  size_t at_;
  int depth_ = 0, steps_ = 0;
};

}  // namespace

std::optional<PyNode> parse_python(std::string_view text) {
  if (text.find('\0') != text.npos) return std::nullopt;
  try {
    return Parser(text, 0).whole();
  } catch (const NotPython&) {
    return std::nullopt;
  }
}

std::optional<PyCallAt> python_call_at(std::string_view text, size_t at) {
  try {
    return Parser(text, at).call();
  } catch (const NotPython&) {
    return std::nullopt;
  }
}

}  // namespace sdft
