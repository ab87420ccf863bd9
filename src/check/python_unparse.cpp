// Python's expressions as Python writes them.
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/utf8.h"
#include "check/python_expression.h"
#include "check/python_operators.h"
#include "data/code_points.h"

namespace sdft {
namespace {

int level_of(const PyNode& node) {
  if (node.kind == PyNode::kUnary) return node.text == "not" ? kNot : kSign;
  if (node.kind != PyNode::kBinary) return kAtom;
  for (const PyOperator& one : kPyOperators)
    if (one.text == node.text) return one.level;
  return 4;  // "not in", "is not"
}

std::string guarded(const PyNode& node, int least) {
  const std::string text = unparse(node);
  return level_of(node) < least ? "(" + text + ")" : text;
}

std::string list_of(const std::vector<PyNode>& parts, size_t from) {
  std::string list;
  for (size_t i = from; i < parts.size(); ++i) list += (i > from ? ", " : "") + unparse(parts[i]);
  return list;
}

std::string unparse_dict(const PyNode& node) {
  std::string list;
  for (size_t i = 0; i + 1 < node.parts.size(); i += 2) {
    list += i > 0 ? ", " : "";
    list += node.parts[i].kind == PyNode::kStarred ? "**" : unparse(node.parts[i]) + ": ";
    list += unparse(node.parts[i + 1]);
  }
  return "{" + list + "}";
}

std::string unparse_operator(const PyNode& node) {
  if (node.kind == PyNode::kUnary)
    return node.text + (node.text == "not" ? " " : "") + guarded(node.parts[0], level_of(node));
  const int level = level_of(node);
  const bool power = level == kPower;
  return guarded(node.parts[0], power ? level + 1 : level) + " " + node.text + " " +
         guarded(node.parts[1], power ? kSign : level + 1);
}

}  // namespace

std::string python_repr(double number) {
  if (std::isinf(number)) return number < 0 ? "-1e309" : "1e309";
  char buffer[40];
  const auto done = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific);
  std::string text(buffer, done.ptr);
  const size_t e = text.find('e');
  const int exponent = std::atoi(text.c_str() + e + 1);
  if (exponent < -4 || exponent >= 16) return text;
  std::string digits;
  for (char c : text.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  const std::string sign = number < 0 || (number == 0 && std::signbit(number)) ? "-" : "";
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() < whole + 1) digits.resize(whole + 1, '0');
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string python_repr(const std::string& text) {
  const char mark = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out(1, mark);
  for (char32_t c : code_points(text)) {
    if (c == static_cast<char32_t>(mark) || c == '\\') {
      out.append(1, '\\').append(1, static_cast<char>(c));
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (c == ' ' || is_printable(c)) {
      utf8_append(out, c);
    } else {
      const int width = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
      out += c < 0x100 ? "\\x" : c < 0x10000 ? "\\u" : "\\U";
      for (int i = width; i-- > 0;) out += kHex[(c >> (4 * i)) & 15];
    }
  }
  return out + mark;
}

std::string dotted_name(const PyNode& node) {
  if (node.kind == PyNode::kName) return node.text;
  if (node.kind != PyNode::kAttribute) return "";
  const std::string of = dotted_name(node.parts[0]);
  return of.empty() ? node.text : of + "." + node.text;
}

std::string unparse(const PyNode& node) {
  switch (node.kind) {
    case PyNode::kNone:
      return "None";
    case PyNode::kBool:
      return node.number != 0 ? "True" : "False";
    case PyNode::kFloat:
      return python_repr(node.number);
    case PyNode::kString:
      return python_repr(node.text);
    case PyNode::kEllipsis:
      return "...";
    case PyNode::kInt:
    case PyNode::kOpaque:
    case PyNode::kName:
    case PyNode::kSlice:
      return node.text;
    case PyNode::kAttribute:
      return guarded(node.parts[0], kAtom) + "." + node.text;
    case PyNode::kSubscript:
      return guarded(node.parts[0], kAtom) + "[" + unparse(node.parts[1]) + "]";
    case PyNode::kCall:
      return guarded(node.parts[0], kAtom) + "(" + list_of(node.parts, 1) + ")";
    case PyNode::kKeyword:
      return (node.text.empty() ? "**" : node.text + "=") + unparse(node.parts[0]);
    case PyNode::kStarred:
      return "*" + (node.parts.empty() ? "" : unparse(node.parts[0]));
    case PyNode::kUnary:
    case PyNode::kBinary:
      return unparse_operator(node);
    case PyNode::kList:
      return "[" + list_of(node.parts, 0) + "]";
    case PyNode::kTuple:
      return "(" + list_of(node.parts, 0) + (node.parts.size() == 1 ? ",)" : ")");
    case PyNode::kSet:
      return "{" + list_of(node.parts, 0) + "}";
    case PyNode::kDict:
      return unparse_dict(node);
  }
  return "";
}

}  // namespace sdft
