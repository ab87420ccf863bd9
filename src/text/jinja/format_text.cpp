// The % operator and str.format.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/utf8.h"
#include "text/jinja/format.h"
#include "text/jinja/string.h"

namespace sdft::jinja {

namespace {

struct Spec {
  std::string fill = " ";
  char align = 0;  // < > ^ =
  bool plus = false, space = false, alternate = false, zero = false, comma = false;
  int64_t width = 0, precision = -1;
  char type = 0;
};

std::string printed(const char* format, int precision, double number) {
  std::array<char, 512> buffer;
  int size = std::snprintf(buffer.data(), buffer.size(), format, precision, number);
  if (size < static_cast<int>(buffer.size())) return buffer.data();
  std::string text(static_cast<size_t>(size) + 1, '\0');
  std::snprintf(text.data(), text.size(), format, precision, number);
  text.pop_back();
  return text;
}

// Digits of |number| in base 10, 8, 16 or 2.
std::string integer_digits(int64_t number, char type) {
  unsigned base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  uint64_t rest = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  const char* const figures = type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string digits;
  do {
    digits.insert(digits.begin(), figures[rest % base]);
    rest /= base;
  } while (rest > 0);
  return digits;
}

std::string with_commas(const std::string& digits) {
  size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  std::string result;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && i < whole && (whole - i) % 3 == 0) result += ',';
    result += digits[i];
  }
  return result;
}

std::string padded(Runtime& rt, const Spec& spec, const std::string& sign, const std::string& body,
                   char align) {
  size_t size = char_count(sign) + char_count(body);
  const int64_t width = std::max<int64_t>(spec.width, 0);
  rt.check_size(static_cast<uint64_t>(width));
  rt.charge(4 + static_cast<uint64_t>(width) / 8);
  size_t missing = spec.width > static_cast<int64_t>(size) ? static_cast<size_t>(spec.width) - size : 0;
  size_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  std::string left, right;
  for (size_t i = 0; i < missing; ++i) (i < before ? left : right) += spec.fill;
  return align == '=' ? sign + left + body : left + sign + body + right;
}

// A float's digits, without its sign.
std::string float_digits(double value, const Spec& spec) {
  double magnitude = std::fabs(value);
  int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
  switch (spec.type) {
    case 'f':
    case 'F':
      return printed("%.*f", precision, magnitude);
    case 'e':
      return printed("%.*e", precision, magnitude);
    case 'E':
      return printed("%.*E", precision, magnitude);
    case 'g':
      return printed(spec.alternate ? "%#.*g" : "%.*g", precision, magnitude);
    case 'G':
      return printed(spec.alternate ? "%#.*G" : "%.*G", precision, magnitude);
    case '%':
      return printed("%.*f", precision, magnitude * 100) + "%";
    default:
      return spec.precision < 0 ? float_repr(magnitude) : printed("%.*g", precision, magnitude);
  }
}

std::string format_number(Runtime& rt, const Value& value, const Spec& spec) {
  bool negative;
  std::string body;
  bool real = std::string_view("fFeEgG%").find(spec.type) != std::string_view::npos;
  if (spec.precision > 1000) rt.fail("a precision of more than 1000 digits");
  rt.charge(16 + static_cast<uint64_t>(std::max<int64_t>(spec.precision, 0)) / 4);
  if ((spec.type != 0 && real) || value.is(Type::kFloat)) {
    negative = std::signbit(value.as_double());
    body = float_digits(value.as_double(), spec);
  } else {
    negative = value.as_int() < 0;
    body = integer_digits(value.as_int(), spec.type);
    if (spec.precision > static_cast<int64_t>(body.size()))
      body.insert(0, static_cast<size_t>(spec.precision) - body.size(), '0');
    if (spec.alternate && spec.type != 0 && spec.type != 'd') body = std::string("0") + spec.type + body;
  }
  if (spec.comma) body = with_commas(body);
  std::string sign = negative ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  return padded(rt, spec, sign, body, spec.align ? spec.align : '>');
}

std::string format_text(Runtime& rt, std::string text, const Spec& spec, char align) {
  rt.charge_reading(text.size());
  if (spec.precision >= 0) text.resize(char_place(text, static_cast<size_t>(spec.precision)));
  return padded(rt, spec, "", text, spec.align ? spec.align : align);
}

int64_t read_number(const std::string& text, size_t* at) {
  int64_t number = 0;
  while (*at < text.size() && text[*at] >= '0' && text[*at] <= '9' && number < 100'000'000)
    number = number * 10 + (text[(*at)++] - '0');
  return number;
}

}  // namespace

namespace {

// One run of the % operator.
struct Percent {
  Runtime& rt;
  const std::string& format;
  const Value& values;
  std::vector<Value> operands;
  size_t at = 0, used = 0;
  bool by_name = false;
  std::string out;

  Value take() {
    if (used >= operands.size()) rt.fail("not enough arguments for format string");
    return operands[used++];
  }

  bool skip_any(std::string_view chars, char* found) {
    if (at >= format.size() || chars.find(format[at]) == std::string_view::npos) return false;
    *found = format[at++];
    return true;
  }

  // "%(name)s": the value of that name.
  bool named(Value* value) {
    if (at >= format.size() || format[at] != '(') return false;
    size_t end = format.find(')', at);
    if (end == std::string::npos) rt.fail("incomplete format key");
    std::string key = format.substr(at + 1, end - at - 1);
    if (!values.is(Type::kDict)) rt.fail("format requires a mapping");
    const Value* found = find(values.as_dict(), key);
    if (found == nullptr) rt.fail("KeyError: '" + key + "'");
    *value = *found;
    by_name = true;
    at = end + 1;
    return true;
  }

  Spec spec() {
    Spec result;
    char c = 0;
    while (skip_any("-+ #0", &c)) {
      if (c == '-') result.align = '<';
      result.plus |= c == '+';
      result.space |= c == ' ';
      result.alternate |= c == '#';
      result.zero |= c == '0';
    }
    if (skip_any("*", &c)) {
      result.width = int_arg(rt, take(), "%*");
      if (result.width < 0) {
        result.align = '<';
        result.width = -std::max(result.width, -std::numeric_limits<int64_t>::max());
      }
    } else {
      result.width = read_number(format, &at);
    }
    if (skip_any(".", &c)) result.precision = read_number(format, &at);
    while (skip_any("hlL", &c)) {
    }
    if (at >= format.size()) rt.fail("incomplete format");
    result.type = format[at++];
    return result;
  }

  std::string number(Value value, Spec spec) {
    bool integral = std::string_view("diouxX").find(spec.type) != std::string_view::npos;
    if (!integral && std::string_view("eEfFgG").find(spec.type) == std::string_view::npos)
      rt.fail(std::string("unsupported format character '") + spec.type + "'");
    if (value.is_undefined()) rt.fail(*value.text);
    if (!value.is_number())
      rt.fail(std::string("%") + spec.type + " format: a number is required, not " + type_name(value));
    if (integral && value.is(Type::kFloat)) {
      if (!(std::fabs(value.real) < 9e18)) rt.fail("cannot convert float to integer");
      value = Value::of(static_cast<int64_t>(value.real));
    }
    if (spec.type == 'i' || spec.type == 'u') spec.type = 'd';
    if (spec.zero && spec.align != '<') {
      spec.align = '=';
      spec.fill = "0";
    }
    return format_number(rt, value, spec);
  }

  std::string formatted(const Value& value, const Spec& spec) {
    switch (spec.type) {
      case 's':
        return format_text(rt, to_str(rt, value), spec, '>');
      case 'r':
      case 'a':
        return format_text(rt, to_repr(rt, value), spec, '>');
      case 'c': {
        std::string text;
        if (value.is_string()) {
          text = value.as_string();
        } else {
          int64_t code = int_arg(rt, value, "%c");
          if (code < 0 || code > 0x10ffff) rt.fail("%c: no such character");
          utf8_append(text, static_cast<char32_t>(code));
        }
        return format_text(rt, text, spec, '>');
      }
      default:
        return number(value, spec);
    }
  }

  void run() {
    rt.charge_reading(format.size());
    rt.charge(operands.size());
    while (at < format.size()) {
      rt.check_size(out.size());
      if (format[at] != '%') {
        out += format[at++];
        continue;
      }
      ++at;
      Value value;
      bool has_name = named(&value);
      Spec how = spec();
      if (how.type == '%') {
        out += '%';
        continue;
      }
      if (!has_name) value = take();
      out += formatted(value, how);
    }
    bool may_be_left = by_name || values.is(Type::kDict) || values.is_undefined() || values.is(Type::kList) ||
                       values.is(Type::kRange);
    if (!may_be_left && used < operands.size())
      rt.fail("not all arguments converted during string formatting");
  }
};

}  // namespace

std::string percent_format(Runtime& rt, const std::string& format, const Value& values) {
  Percent percent{rt, format, values, {values}, 0, 0, false, ""};
  if (values.is(Type::kTuple)) percent.operands = values.as_list().items;
  percent.run();
  return std::move(percent.out);
}

namespace {

Spec read_spec(Runtime& rt, const std::string& text) {
  Spec spec;
  size_t at = 0;
  auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  size_t first = 0;
  if (!text.empty()) next_char(text, &first);
  if (first < text.size() && is_align(text[first])) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    at = first + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[at++];
  }
  for (; at < text.size() && std::string_view("+- #").find(text[at]) != std::string_view::npos; ++at) {
    spec.plus |= text[at] == '+';
    spec.space |= text[at] == ' ';
    spec.alternate |= text[at] == '#';
  }
  if (at < text.size() && text[at] == '0') {
    if (spec.align == 0) spec.align = '=', spec.fill = "0";
    ++at;
  }
  spec.width = read_number(text, &at);
  if (at < text.size() && text[at] == ',') spec.comma = true, ++at;
  if (at < text.size() && text[at] == '.') spec.precision = read_number(text, &++at);
  if (at < text.size()) spec.type = text[at++];
  if (at < text.size() ||
      (spec.type != 0 && std::string_view("sdxXobeEfFgG%").find(spec.type) == std::string::npos))
    rt.fail("unsupported format specifier '" + text + "'");
  return spec;
}

std::string format_value(Runtime& rt, const Value& value, const std::string& spec_text) {
  if (spec_text.empty()) return to_str(rt, value);
  Spec spec = read_spec(rt, spec_text);
  if (value.is_number() && spec.type != 's') return format_number(rt, value, spec);
  if (spec.type != 0 && spec.type != 's')
    rt.fail("unknown format code '" + std::string(1, spec.type) + "' for an object of type '" +
            type_name(value) + "'");
  return format_text(rt, to_str(rt, value), spec, '<');
}

// The value of a replacement field: "", "0", "name", "0.attribute", "name[key]".
Value field_value(Runtime& rt, const std::string& field, const Args& args, size_t* automatic) {
  size_t end = std::min(field.find_first_of(".["), field.size());
  std::string name = field.substr(0, end);
  Value value;
  if (name.empty() || name.find_first_not_of("0123456789") == std::string::npos) {
    size_t zero = 0;
    size_t index = name.empty() ? (*automatic)++ : static_cast<size_t>(read_number(name, &zero));
    if (index >= args.positional.size())
      rt.fail("format: replacement index " + std::to_string(index) + " out of range");
    value = args.positional[index];
  } else {
    rt.charge(args.named.size() / 8);
    auto found =
        std::find_if(args.named.begin(), args.named.end(), [&](const auto& a) { return a.first == name; });
    if (found == args.named.end()) rt.fail("format: KeyError: '" + name + "'");
    value = found->second;
  }
  while (end < field.size()) {
    bool bracket = field[end] == '[';
    size_t stop = bracket ? field.find(']', end) : std::min(field.find_first_of(".[", end + 1), field.size());
    if (stop == std::string::npos) rt.fail("format: expected ']'");
    std::string key = field.substr(end + 1, stop - end - 1);
    bool digits = !key.empty() && key.find_first_not_of("0123456789") == std::string::npos;
    size_t zero = 0;
    if (bracket && digits) {
      value = get_item(rt, value, Value::of(read_number(key, &zero)));
    } else {
      value = bracket ? get_item(rt, value, rt.string(key)) : get_attribute(rt, value, key);
    }
    end = stop + (bracket ? 1 : 0);
  }
  return value;
}

// One replacement field, what stands between its braces.
std::string replaced(Runtime& rt, const std::string& field, const Args& args, size_t* automatic) {
  if (field.find('{') != std::string::npos) rt.fail("format: nested replacement fields are not supported");
  size_t colon = std::min(field.find(':'), field.size());
  std::string spec = colon < field.size() ? field.substr(colon + 1) : "";
  std::string name = field.substr(0, colon), conversion;
  if (size_t mark = name.find('!'); mark != std::string::npos) {
    conversion = name.substr(mark + 1);
    name.resize(mark);
  }
  Value value = field_value(rt, name, args, automatic);
  if (conversion == "r") value = rt.string(to_repr(rt, value));
  if (conversion == "s") value = rt.string(to_str(rt, value));
  return format_value(rt, value, spec);
}

}  // namespace

std::string brace_format(Runtime& rt, const std::string& format, const Args& args) {
  std::string out;
  size_t automatic = 0;
  for (size_t at = 0; at < format.size(); ++at) {
    rt.check_size(out.size());
    char c = format[at];
    bool doubled = at + 1 < format.size() && format[at + 1] == c;
    if ((c == '{' || c == '}') && doubled) {
      out += c;
      ++at;
    } else if (c == '}') {
      rt.fail("format: single '}' encountered in format string");
    } else if (c == '{') {
      size_t end = format.find('}', at);
      if (end == std::string::npos) rt.fail("format: expected '}' before end of string");
      out += replaced(rt, format.substr(at + 1, end - at - 1), args, &automatic);
      at = end;
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace sdft::jinja
