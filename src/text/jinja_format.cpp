#include "text/jinja_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "text/jinja_string.h"

namespace sdft::jinja {

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer;
  auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  std::string text(buffer.data(), end);  // the shortest digits: d.ddde+XX
  size_t e = text.find('e');
  int exponent = std::atoi(text.c_str() + e + 1);
  if (exponent < -4 || exponent >= 16) return text;
  std::string sign = text[0] == '-' ? "-" : "";
  std::string digits;
  for (char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string string_repr(std::string_view text) {
  bool single = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  char quote = single ? '"' : '\'';
  std::string result(1, quote);
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    char32_t c = next_char(text, &at);
    char code[16];
    if (c == '\n' || c == '\r' || c == '\t') {
      result += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (c == '\\' || c == static_cast<char32_t>(quote)) {
      result += '\\';
      result += static_cast<char>(c);
    } else if (is_printable(c)) {
      result += text.substr(begin, at - begin);
    } else {
      std::snprintf(code, sizeof code,
                    c < 0x100     ? "\\x%02x"
                    : c < 0x10000 ? "\\u%04x"
                                  : "\\U%08x",
                    static_cast<unsigned>(c));
      result += code;
    }
  }
  return result + quote;
}

namespace {

void append_repr(Runtime& rt, const Value& value, std::string* out);

void append_items(Runtime& rt, const std::vector<Value>& items, std::string* out) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += ", ";
    append_repr(rt, items[i], out);
  }
}

void append_sequence(Runtime& rt, const Value& value, std::string* out) {
  const List& list = value.as_list();
  if (value.is(Type::kRange)) {
    *out += list.shown;
    return;
  }
  bool tuple = value.is(Type::kTuple);
  if (value.is(Type::kDictView)) *out += list.shown + "(";
  *out += tuple ? '(' : '[';
  append_items(rt, list.items, out);
  *out += tuple ? (list.items.size() == 1 ? ",)" : ")") : "]";
  if (value.is(Type::kDictView)) *out += ")";
}

void append_dict(Runtime& rt, const Dict& dict, std::string* out) {
  *out += '{';
  for (size_t i = 0; i < dict.items.size(); ++i) {
    if (i > 0) *out += ", ";
    append_repr(rt, dict.items[i].first, out);
    *out += ": ";
    append_repr(rt, dict.items[i].second, out);
  }
  *out += '}';
}

void append_repr(Runtime& rt, const Value& value, std::string* out) {
  Deeper deeper(rt);
  rt.charge(1);
  if (out->size() > rt.limits.bytes) rt.fail("a string grows without end");
  if (value.is_string()) {
    *out += value.markup ? "Markup(" + string_repr(value.as_string()) + ")" : string_repr(value.as_string());
  } else if (value.is_undefined()) {
    *out += "Undefined";
  } else if (value.is_none()) {
    *out += "None";
  } else if (value.is(Type::kBool)) {
    *out += value.boolean ? "True" : "False";
  } else if (value.is(Type::kInt)) {
    *out += std::to_string(value.integer);
  } else if (value.is(Type::kFloat)) {
    *out += float_repr(value.real);
  } else if (value.is_sequence()) {
    append_sequence(rt, value, out);
  } else if (value.is(Type::kDict)) {
    append_dict(rt, value.as_dict(), out);
  } else if (value.is(Type::kNamespace)) {
    *out += "<Namespace {";
    const auto& items = static_cast<const Namespace*>(value.object)->items;
    for (size_t i = 0; i < items.size(); ++i) {
      *out += (i > 0 ? ", " : "") + string_repr(items[i].first) + ": ";
      append_repr(rt, items[i].second, out);
    }
    *out += "}>";
  } else {
    rt.fail("a " + type_name(value) + " cannot be printed (Python would print a memory address)");
  }
}

}  // namespace

std::string to_repr(Runtime& rt, const Value& value) {
  std::string text;
  append_repr(rt, value, &text);
  return text;
}

std::string to_str(Runtime& rt, const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_undefined()) return "";
  return to_repr(rt, value);
}

// ---- json.dumps

namespace {

struct JsonWriter {
  Runtime& rt;
  const JsonStyle& style;
  std::string out;

  void string(std::string_view text) {
    out += '"';
    for (size_t at = 0; at < text.size();) {
      size_t begin = at;
      char32_t c = next_char(text, &at);
      static constexpr std::string_view kFrom = "\"\\\n\r\t\b\f", kTo = "\"\\nrtbf";
      if (c < 0x80 && kFrom.find(static_cast<char>(c)) != std::string_view::npos) {
        out += '\\';
        out += kTo[kFrom.find(static_cast<char>(c))];
      } else if (c < 0x20) {
        escape(c);
      } else if (style.ascii && c >= 0x10000) {
        escape(0xd800 + ((c - 0x10000) >> 10));
        escape(0xdc00 + ((c - 0x10000) & 0x3ff));
      } else if (style.ascii && c >= 0x7f) {
        if (c == 0x7f)
          out += '\x7f';
        else
          escape(c);
      } else {
        out += text.substr(begin, at - begin);
      }
    }
    out += '"';
  }

  void escape(char32_t c) {
    char code[8];
    std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c & 0xffff));
    out += code;
  }

  void line(int level) {
    if (!style.lines) return;
    out += '\n';
    for (int i = 0; i < level; ++i) out += style.indent;
  }

  std::string key(const Value& value) {
    if (value.is_string()) return value.as_string();
    if (value.is_none()) return "null";
    if (value.is(Type::kBool)) return value.boolean ? "true" : "false";
    if (value.is(Type::kInt)) return std::to_string(value.integer);
    if (value.is(Type::kFloat)) return number(value.real);
    rt.fail("tojson: keys must be str, int, float, bool or None, not " + type_name(value));
  }

  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_repr(value);
  }

  void dict(const Dict& dict, int level) {
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (style.sort_keys) {
      std::stable_sort(items.begin(), items.end(),
                       [&](const auto* a, const auto* b) { return less(rt, a->first, b->first); });
    }
    out += '{';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += style.between_items;
      line(level + 1);
      string(key(items[i]->first));
      out += style.after_key;
      write(items[i]->second, level + 1);
    }
    if (!items.empty()) line(level);
    out += '}';
  }

  void list(const std::vector<Value>& items, int level) {
    out += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += style.between_items;
      line(level + 1);
      write(items[i], level + 1);
    }
    if (!items.empty()) line(level);
    out += ']';
  }

  void write(const Value& value, int level) {
    Deeper deeper(rt);
    rt.charge(1);
    if (out.size() > rt.limits.bytes) rt.fail("a string grows without end");
    if (value.is_string()) {
      string(value.as_string());
    } else if (value.is(Type::kDict)) {
      dict(value.as_dict(), level);
    } else if (value.is(Type::kList) || value.is(Type::kTuple)) {
      list(value.as_list().items, level);
    } else if (value.is_none() || value.is_number()) {
      out += key(value);
    } else {
      rt.fail("tojson: an object of type " + type_name(value) + " is not JSON serializable");
    }
  }
};

}  // namespace

std::string to_json(Runtime& rt, const Value& value, const JsonStyle& style) {
  JsonWriter writer{rt, style, ""};
  writer.write(value, 0);
  return std::move(writer.out);
}

// ---- the % operator and str.format

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
  std::string digits;
  do {
    digits.insert(digits.begin(), (type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[rest % base]);
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
  if (spec.width > static_cast<int64_t>(rt.limits.bytes)) rt.fail("a string grows without end");
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
  if (spec.precision >= 0) {
    std::vector<std::string_view> parts = characters(text);
    if (static_cast<int64_t>(parts.size()) > spec.precision) {
      size_t bytes = 0;
      for (int64_t i = 0; i < spec.precision; ++i) bytes += parts[static_cast<size_t>(i)].size();
      text.resize(bytes);
    }
  }
  return padded(rt, spec, "", text, spec.align ? spec.align : align);
}

int64_t read_number(const std::string& text, size_t* at) {
  int64_t number = 0;
  while (*at < text.size() && text[*at] >= '0' && text[*at] <= '9' && number < 100'000'000)
    number = number * 10 + (text[(*at)++] - '0');
  return number;
}

}  // namespace

std::string percent_format(Runtime& rt, const std::string& format, const Value& values) {
  std::vector<Value> operands = values.is(Type::kTuple) ? values.as_list().items : std::vector<Value>{values};
  size_t used = 0;
  bool by_name = false;
  auto take = [&]() -> Value {
    if (used >= operands.size()) rt.fail("not enough arguments for format string");
    return operands[used++];
  };
  std::string out;
  for (size_t at = 0; at < format.size();) {
    if (out.size() > rt.limits.bytes) rt.fail("a string grows without end");
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    ++at;
    Spec spec;
    Value value;
    bool named = at < format.size() && format[at] == '(';
    if (named) {
      size_t end = format.find(')', at);
      if (end == std::string::npos) rt.fail("incomplete format key");
      if (!values.is(Type::kDict)) rt.fail("format requires a mapping");
      const Value* found = find(values.as_dict(), format.substr(at + 1, end - at - 1));
      if (found == nullptr) rt.fail("KeyError: '" + format.substr(at + 1, end - at - 1) + "'");
      value = *found;
      by_name = true;
      at = end + 1;
    }
    for (; at < format.size() && std::string_view("-+ #0").find(format[at]) != std::string_view::npos; ++at) {
      char flag = format[at];
      (flag == '+'   ? spec.plus
       : flag == ' ' ? spec.space
       : flag == '#' ? spec.alternate
                     : spec.zero) |= flag != '-';
      if (flag == '-') spec.align = '<';
    }
    if (at < format.size() && format[at] == '*') {
      ++at;
      spec.width = int_arg(rt, take(), "%*");
      if (spec.width < 0) spec.align = '<', spec.width = -spec.width;
    } else {
      spec.width = read_number(format, &at);
    }
    if (at < format.size() && format[at] == '.') {
      spec.precision = read_number(format, &++at);
    }
    while (at < format.size() && std::string_view("hlL").find(format[at]) != std::string_view::npos) ++at;
    if (at >= format.size()) rt.fail("incomplete format");
    spec.type = format[at++];
    if (spec.type == '%') {
      out += '%';
      continue;
    }
    if (!named) value = take();
    if (spec.type == 's' || spec.type == 'r' || spec.type == 'a') {
      out += format_text(rt, spec.type == 's' ? to_str(rt, value) : to_repr(rt, value), spec, '>');
      continue;
    }
    if (spec.type == 'c') {
      std::string text;
      if (value.is_string())
        text = value.as_string();
      else
        append_char(&text, static_cast<char32_t>(int_arg(rt, value, "%c")));
      out += format_text(rt, text, spec, '>');
      continue;
    }
    if (std::string_view("diouxXeEfFgG").find(spec.type) == std::string_view::npos)
      rt.fail(std::string("unsupported format character '") + spec.type + "'");
    if (!value.is_number())
      rt.fail(std::string("%") + spec.type + " format: a number is required, not " + type_name(value));
    bool integral = std::string_view("diouxX").find(spec.type) != std::string_view::npos;
    if (integral && value.is(Type::kFloat)) {
      if (!(std::fabs(value.real) < 9e18)) rt.fail("cannot convert float to integer");
      value = Value::of(static_cast<int64_t>(value.real));
    }
    if (spec.type == 'i' || spec.type == 'u') spec.type = 'd';
    if (spec.zero && spec.align != '<') spec.align = '=', spec.fill = "0";
    out += format_number(rt, value, spec);
  }
  if (!by_name && used < operands.size() && !values.is(Type::kDict) &&
      !(values.is_sequence() && !values.is(Type::kTuple)))
    rt.fail("not all arguments converted during string formatting");
  return out;
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
  if (value.is_number() && spec.type != 's' && !(value.is(Type::kBool) && spec.type == 0))
    return format_number(rt, value, spec);
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

}  // namespace

std::string brace_format(Runtime& rt, const std::string& format, const Args& args) {
  std::string out;
  size_t automatic = 0;
  for (size_t at = 0; at < format.size(); ++at) {
    if (out.size() > rt.limits.bytes) rt.fail("a string grows without end");
    char c = format[at];
    bool doubled = at + 1 < format.size() && format[at + 1] == c;
    if ((c == '{' || c == '}') && doubled) {
      out += c;
      ++at;
      continue;
    }
    if (c == '}') rt.fail("format: single '}' encountered in format string");
    if (c != '{') {
      out += c;
      continue;
    }
    size_t end = format.find('}', at);
    if (end == std::string::npos) rt.fail("format: expected '}' before end of string");
    std::string field = format.substr(at + 1, end - at - 1);
    if (field.find('{') != std::string::npos) rt.fail("format: nested replacement fields are not supported");
    size_t colon = std::min(field.find(':'), field.size());
    std::string spec = colon < field.size() ? field.substr(colon + 1) : "";
    std::string name = field.substr(0, colon);
    std::string conversion;
    if (size_t mark = name.find('!'); mark != std::string::npos) {
      conversion = name.substr(mark + 1);
      name.resize(mark);
    }
    Value value = field_value(rt, name, args, &automatic);
    if (conversion == "r") value = rt.string(to_repr(rt, value));
    if (conversion == "s") value = rt.string(to_str(rt, value));
    out += format_value(rt, value, spec);
    at = end;
  }
  return out;
}

std::string time_format(Runtime& rt, const std::string& format, const std::tm& time) {
  if (format.empty()) return "";
  if (format.size() > 4096) rt.fail("strftime_now: the format is too long");
  std::string buffer(64 * format.size() + 64, '\0');
  buffer.resize(std::strftime(buffer.data(), buffer.size(), format.c_str(), &time));
  return buffer;
}

}  // namespace sdft::jinja
