// Filters that make text or numbers.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "text/jinja/builtins.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/string.h"
#include "text/unicode/characters.h"

namespace sdft::jinja {
namespace {

// A string as it is, anything else as Python prints it.
Value soft(Runtime& rt, const Value& value) {
  return value.is_string() ? value : rt.string(to_str(rt, value));
}

// As to_str, for what reads the text character by character.
std::string text_of(Runtime& rt, const Value& value) {
  std::string text = to_str(rt, value);
  rt.charge_reading(text.size());
  return text;
}

template <std::string (*change)(std::string_view)>
Value case_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "filter", args, {});
  return rt.string(change(text_of(rt, value)), value.markup);
}

// As str.title, but words are what stands between white space, - ( { [ and <.
std::string title_words(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    auto parts_words = [&](size_t p) {
      size_t next = p;
      char32_t c = next_char(text, &next);
      return is_space(c) ||
             (c < 0x80 && std::string_view("-({[<").find(static_cast<char>(c)) != std::string::npos);
    };
    size_t begin = at, first_end = at;
    next_char(text, &first_end);
    bool kind = parts_words(at);
    while (at < text.size() && parts_words(at) == kind) next_char(text, &at);
    result += upper(text.substr(begin, first_end - begin)) + lower(text.substr(first_end, at - first_end));
  }
  return result;
}

Value trim_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "trim", args, {"chars"});
  std::string text = text_of(rt, value);
  if (!bound.has(0) || bound.at(0).is_none()) return rt.string(std::string(strip(text)), value.markup);
  std::string chars = string_arg(rt, bound.at(0), "trim");
  rt.charge_reading(chars.size());
  return rt.string(std::string(strip(text, 3, &chars)), value.markup);
}

Value replace_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "replace", args, {"old", "new", "count"}, 2);
  Args plain;
  plain.positional = {rt.string(to_str(rt, bound.at(0))), rt.string(to_str(rt, bound.at(1)))};
  if (bound.has(2) && !bound.at(2).is_none()) plain.positional.push_back(bound.at(2));
  return call(rt, get_method(rt, rt.string(to_str(rt, value)), "replace"), plain);
}

Value center_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "center", args, {"width"});
  Args width;
  width.positional = {bound.has(0) ? bound.at(0) : Value::of(int64_t{80})};
  return call(rt, get_method(rt, soft(rt, value), "center"), width);
}

Value escape_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "escape", args, {});
  return value.markup ? value : rt.string(escape_html(text_of(rt, value)), true);
}
Value force_escape_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "forceescape", args, {});
  return rt.string(escape_html(text_of(rt, value)), true);
}
Value safe_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "safe", args, {});
  return rt.string(to_str(rt, value), true);
}
Value string_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "string", args, {});
  return soft(rt, value);
}

Value format_filter(Runtime& rt, const Value& value, const Args& args) {
  if (!args.positional.empty() && !args.named.empty())
    rt.fail("format: positional and keyword arguments at the same time");
  Value values = rt.tuple(args.positional);
  if (!args.named.empty()) {
    std::vector<std::pair<Value, Value>> items;
    for (const auto& [key, item] : args.named) items.emplace_back(rt.string(key), item);
    values = rt.dict(items);
  }
  return rt.string(percent_format(rt, to_str(rt, value), values), value.markup);
}

Value indent_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "indent", args, {"width", "first", "blank"});
  std::string by(4, ' ');
  if (bound.has(0) && bound.at(0).is_string()) {
    by = bound.at(0).as_string();
  } else if (bound.has(0)) {
    int64_t width = std::max<int64_t>(int_arg(rt, bound.at(0), "indent"), 0);
    rt.check_size(static_cast<uint64_t>(width));
    by.assign(static_cast<size_t>(width), ' ');
  }
  rt.charge_copy(by.size());
  bool first = bound.has(1) && truth(rt, bound.at(1)), blank = bound.has(2) && truth(rt, bound.at(2));
  std::string source = string_arg(rt, value, "indent") + "\n", text;
  rt.charge_reading(source.size());
  bool at_first = true;
  split_lines(source, false, [&](std::string_view line) {
    if (!at_first) text += '\n';
    if (at_first ? first : blank || !line.empty()) text += by;
    text += line;
    at_first = false;
    rt.check_size(text.size());
  });
  return rt.string(std::move(text), value.markup);
}

Value truncate_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "truncate", args, {"length", "killwords", "end", "leeway"});
  int64_t length = bound.has(0) ? int_arg(rt, bound.at(0), "truncate") : 255;
  std::string end = bound.has(2) ? string_arg(rt, bound.at(2), "truncate") : "...";
  int64_t leeway = bound.has(3) && !bound.at(3).is_none() ? int_arg(rt, bound.at(3), "truncate") : 5;
  rt.charge_reading(end.size());
  const auto end_length = static_cast<int64_t>(char_count(end));
  if (length < end_length) rt.fail("truncate: the length is shorter than what marks the end");
  if (leeway < 0) rt.fail("truncate: the leeway is negative");
  int64_t items = 0;  // short lists are left as they are, too
  if (!value.is_string() && length_of(rt, value, &items) && items - leeway <= length) return value;
  std::string text = string_arg(rt, value, "truncate");
  rt.charge_reading(text.size());
  if (static_cast<int64_t>(char_count(text)) - leeway <= length) return value;
  text.resize(char_place(text, static_cast<size_t>(length - end_length)));
  size_t space = text.rfind(' ');
  if (!(bound.has(1) && truth(rt, bound.at(1))) && space != std::string::npos) text.resize(space);
  return rt.string(text + end, value.markup);
}

Value urlencode_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "urlencode", args, {});
  auto quoted = [&](const Value& part, bool query) {
    std::string text;
    for (unsigned char c : text_of(rt, part)) {
      bool keep = c < 0x80 &&
                  (is_alnum(c) || std::string_view("_.-~").find(static_cast<char>(c)) != std::string::npos);
      char code[4];
      std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(c));
      text += keep || (c == '/' && !query) ? std::string(1, static_cast<char>(c))
              : c == ' ' && query          ? "+"
                                           : code;
    }
    return text;
  };
  if (!value.is(Type::kDict) && !value.is_sequence()) return rt.string(quoted(value, false));
  std::string text;
  for (const Value& pair : value.is(Type::kDict) ? dict_pairs(rt, value.as_dict()) : to_vector(rt, value)) {
    std::vector<Value> parts = to_vector(rt, pair);
    if (parts.size() != 2) rt.fail("urlencode: expected pairs");
    text += (text.empty() ? "" : "&") + quoted(parts[0], true) + "=" + quoted(parts[1], true);
    rt.check_size(text.size());
  }
  return rt.string(std::move(text));
}

Value wordcount_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "wordcount", args, {});
  std::string text = text_of(rt, value);
  int64_t count = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    char32_t c = next_char(text, &at);
    bool part = c == '_' || is_alnum(c);
    count += part && !in_word;
    in_word = part;
  }
  return Value::of(count);
}

// ---- numbers

// Digits of any script as 0-9.
std::string ascii_digits(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    char32_t c = next_char(text, &at);
    if (c >= 0x80 && is_decimal(c)) {
      result += static_cast<char>('0' + *digit_value(c));
    } else {
      result += text.substr(begin, at - begin);
    }
  }
  return result;
}

// Python's int(text, base); false where it raises ValueError.
bool parse_int(Runtime& rt, std::string_view text, int64_t base, int64_t* number) {
  std::string digits = ascii_digits(strip(text));
  bool negative = !digits.empty() && digits[0] == '-';
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.erase(0, 1);
  if (digits.size() > 1 && digits[0] == '0') {
    char letter = static_cast<char>(digits[1] | 0x20);
    int64_t named = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (named != 0 && (base == named || base == 0)) {
      base = named;
      digits.erase(0, digits.size() > 2 && digits[2] == '_' ? 3 : 2);
    }
  }
  if (base == 0) base = 10;
  if (base < 2 || base > 36 || digits.empty() || digits.back() == '_') return false;
  *number = 0;
  char before = '_';
  for (char c : digits) {
    int64_t digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10
                                                             : 99;
    if (c == '_' && before != '_') {
      before = c;
      continue;
    }
    if (digit >= base) return false;
    before = c;
    if (__builtin_mul_overflow(*number, base, number) || __builtin_add_overflow(*number, digit, number))
      rt.fail("the number " + digits + " is too large");
  }
  if (negative) *number = -*number;
  return true;
}

// Python's float(text).
bool parse_float(std::string_view text, double* number) {
  std::string digits, stripped = ascii_digits(strip(text));
  for (size_t i = 0; i < stripped.size(); ++i) {
    auto digit_at = [&](size_t p) { return p < stripped.size() && stripped[p] >= '0' && stripped[p] <= '9'; };
    if (stripped[i] == '_') {
      if (i == 0 || !digit_at(i - 1) || !digit_at(i + 1)) return false;
    } else {
      digits += stripped[i];
    }
  }
  std::string word = lower(digits);
  if (!word.empty() && (word[0] == '-' || word[0] == '+')) word.erase(0, 1);
  bool named = word == "inf" || word == "infinity" || word == "nan";
  if (digits.empty() || (!named && word.find_first_not_of("0123456789.e+-") != std::string::npos))
    return false;
  char* end = nullptr;
  *number = std::strtod(digits.c_str(), &end);
  return *end == '\0';
}

bool to_float(Runtime& rt, const Value& value, double* number) {
  if (value.is_undefined()) rt.fail(*value.text);
  if (value.is_number()) {
    *number = value.as_double();
    return true;
  }
  if (!value.is_string()) return false;
  rt.charge_reading(value.as_string().size());
  return parse_float(value.as_string(), number);
}

Value int_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "int", args, {"default", "base"});
  if (value.is_integral()) return Value::of(value.as_int());
  if (value.is_string()) rt.charge_reading(value.as_string().size());
  int64_t base = !bound.has(1) ? 10 : bound.at(1).is_integral() ? bound.at(1).as_int() : -1, number = 0;
  if (value.is_string() && parse_int(rt, value.as_string(), base, &number)) return Value::of(number);
  double real = 0;
  if (to_float(rt, value, &real) && std::isfinite(real)) {
    if (std::fabs(real) >= 9.2e18) rt.fail("the number is too large");
    return Value::of(static_cast<int64_t>(real));
  }
  return bound.has(0) ? bound.at(0) : Value::of(int64_t{0});
}

Value float_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "float", args, {"default"});
  double real = 0;
  if (to_float(rt, value, &real)) return Value::of(real);
  return bound.has(0) ? bound.at(0) : Value::of(0.0);
}

Value abs_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "abs", args, {});
  if (value.is(Type::kFloat)) return Value::of(std::fabs(value.real));
  if (!value.is_integral()) signed_value(rt, value, true);  // fails
  return value.as_int() < 0 ? signed_value(rt, value, true) : Value::of(value.as_int());
}

double half_even(double value) {
  double floor = std::floor(value), rest = value - floor;
  return rest > 0.5 || (rest == 0.5 && std::fmod(floor, 2) != 0) ? floor + 1 : floor;
}

Value round_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "round", args, {"precision", "method"});
  int64_t precision = bound.has(0) ? int_arg(rt, bound.at(0), "round") : 0;
  std::string method = bound.has(1) ? string_arg(rt, bound.at(1), "round") : "common";
  if (precision > 300 || precision < -300) rt.fail("round: the precision is too large");
  if (value.is_undefined()) rt.fail(*value.text);
  if (!value.is_number()) rt.fail("round: expected a number, got " + type_name(value));
  double factor = std::pow(10.0, static_cast<double>(std::abs(precision)));
  double number = value.as_double();
  if (method == "ceil" || method == "floor") {
    double scaled = precision < 0 ? number / factor : number * factor;
    scaled = method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
    return Value::of(precision < 0 ? scaled * factor : scaled / factor);
  }
  if (method != "common") rt.fail("round: the method must be common, ceil or floor");
  if (value.is_integral() && precision >= 0) return Value::of(value.as_int());
  if (precision < 0) {
    double rounded = half_even(number / factor) * factor;
    if (!value.is_integral()) return Value::of(rounded);
    if (std::fabs(rounded) >= 9.2e18) rt.fail("the number is too large");
    return Value::of(static_cast<int64_t>(rounded));
  }
  if (!std::isfinite(number)) return value;
  std::string digits(400 + 310, '\0');
  std::snprintf(digits.data(), digits.size(), "%.*f", static_cast<int>(precision), number);
  return Value::of(std::strtod(digits.c_str(), nullptr));
}

Value tojson_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = bound.has(0) && truth(rt, bound.at(0));
  style.sort_keys = bound.has(3) && truth(rt, bound.at(3));
  if (bound.has(1) && !bound.at(1).is_none()) {
    style.lines = true;
    style.between_items = ",";
    if (bound.at(1).is_string()) {
      style.indent = string_arg(rt, bound.at(1), "tojson");
    } else {
      int64_t width = std::clamp<int64_t>(int_arg(rt, bound.at(1), "tojson"), 0, 1000);
      style.indent.assign(static_cast<size_t>(width), ' ');
    }
  }
  if (bound.has(2) && !bound.at(2).is_none()) {
    std::vector<Value> separators = to_vector(rt, bound.at(2));
    if (separators.size() != 2) rt.fail("tojson: expected two separators");
    style.between_items = string_arg(rt, separators[0], "tojson");
    style.after_key = string_arg(rt, separators[1], "tojson");
  }
  return rt.string(to_json(rt, value, style));
}

}  // namespace

Filter find_text_filter(const std::string& name) {
  static const std::map<std::string, Filter> kFilters = {
      {"abs", abs_filter},
      {"capitalize", case_filter<capitalize>},
      {"center", center_filter},
      {"e", escape_filter},
      {"escape", escape_filter},
      {"float", float_filter},
      {"forceescape", force_escape_filter},
      {"format", format_filter},
      {"indent", indent_filter},
      {"int", int_filter},
      {"lower", case_filter<lower>},
      {"replace", replace_filter},
      {"round", round_filter},
      {"safe", safe_filter},
      {"string", string_filter},
      {"title", case_filter<title_words>},
      {"tojson", tojson_filter},
      {"trim", trim_filter},
      {"truncate", truncate_filter},
      {"upper", case_filter<upper>},
      {"urlencode", urlencode_filter},
      {"wordcount", wordcount_filter},
  };
  auto place = kFilters.find(name);
  return place == kFilters.end() ? nullptr : place->second;
}

}  // namespace sdft::jinja
