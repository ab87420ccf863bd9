#include "text/jinja/format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "text/jinja/string.h"
#include "text/unicode/characters.h"

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
  rt.check_size(out->size());
  if (value.is_string()) {
    rt.charge_reading(value.as_string().size());
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
  if (value.is_string()) {
    rt.charge_copy(value.as_string().size());
    return value.as_string();
  }
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
    rt.charge_reading(text.size());
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
    rt.charge_copy(style.indent.size() * static_cast<size_t>(level));
    for (int i = 0; i < level; ++i) {
      out += style.indent;
      rt.check_size(out.size());
    }
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
    rt.charge(1 + (style.between_items.size() + style.after_key.size()) / 64);
    rt.check_size(out.size());
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

// As Python's datetime.now().strftime: such a time has no zone. Conversions one by one, since strftime says
// neither that it found no room nor that it printed nothing.
std::string time_format(Runtime& rt, const std::string& format, const std::tm& time) {
  std::string out;
  for (size_t at = 0, end = 0; at < format.size(); at = end) {
    rt.charge(16);
    rt.check_size(out.size());
    end = std::min(format.find('%', at), format.size());
    out.append(format, at, end - at);
    if (end == format.size()) break;
    const size_t flags = std::min(format.find_first_not_of("_-0^#+", end + 1), format.size());
    const size_t digits = std::min(format.find_first_not_of("0123456789", flags), format.size());
    const size_t kind = std::min(format.find_first_not_of("EO:", digits), format.size());
    if (digits - flags > 3) rt.fail("strftime_now: a width of more than 999 characters");
    const std::string one = format.substr(end, kind + 1 - end);
    end += one.size();
    std::array<char, 2048> buffer;
    const char type = one.back();
    if (type == 's') {
      std::tm copy = time;
      out += std::to_string(timegm(&copy) - time.tm_gmtoff);
    } else if (type == 'f') {
      out += "000000";
    } else if (type != 'z' && type != 'Z') {
      out.append(buffer.data(), std::strftime(buffer.data(), buffer.size(), one.c_str(), &time));
    }
  }
  return out;
}

}  // namespace sdft::jinja
