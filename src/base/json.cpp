#include "base/json.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json_events.h"

namespace sdft {

namespace {
constexpr int kDeepest = 200;  // nesting of values

// What the parser reads its text through; it stops once `interrupted` is set.
struct Reading {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  const char* at;
  reference operator*() const { return *at; }
  Reading& operator++() {
    if ((reinterpret_cast<uintptr_t>(++at) & 4095) == 0) stop_if_interrupted();
    return *this;
  }
  bool operator==(const Reading& other) const { return at == other.at; }
  bool operator!=(const Reading& other) const { return at != other.at; }
};

// "WHERE:LINE:COLUMN"
std::string place(std::string_view text, size_t at, const std::string& where) {
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  const size_t column = at - (text.substr(0, at).rfind('\n') + 1) + 1;  // npos + 1 == 0
  return where + ":" + std::to_string(line) + ":" + std::to_string(column);
}

void check_nul(std::string_view text, const std::string& where) {
  if (const size_t at = text.find('\0'); at != std::string_view::npos)
    fail_input(place(text, at, where), "not valid JSON: it holds a NUL byte");
}

void check_depth(std::string_view text, const std::string& where) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i % (1 << 20) == 0) stop_if_interrupted();
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest)
        fail_input(place(text, i, where),
                   "values are nested too deep (more than " + std::to_string(kDeepest) + " levels)");
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

struct TooDeep {};

// nlohmann's events as ours.
class Forward final : public nlohmann::json::json_sax_t {
 public:
  explicit Forward(JsonEvents& events) : events_(events) {}
  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value); }
  bool string(string_t& text) override { return events_.string(text), true; }
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool start_object(std::size_t) override { return start(true); }
  bool key(string_t& text) override { return events_.key(text), true; }
  bool end_object() override { return end(); }
  bool start_array(std::size_t) override { return start(false); }
  bool end_array() override { return end(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
    if (const auto* syntax = dynamic_cast<const nlohmann::json::parse_error*>(&e)) throw *syntax;
    throw e;
  }

 private:
  bool scalar(const nlohmann::json& value) { return events_.scalar(value), true; }
  bool start(bool object) {
    if (++depth_ > kDeepest) throw TooDeep();
    return events_.start(object), true;
  }
  bool end() { return --depth_, events_.end(), true; }

  JsonEvents& events_;
  int depth_ = 0;
};

// Calls parse(begin, end), and says where and what its errors are.
template <typename Parse>
auto with_places(std::string_view text, const std::string& where, Parse parse) {
  try {
    return parse(Reading{text.data()}, Reading{text.data() + text.size()});
  } catch (const nlohmann::json::parse_error& e) {
    const size_t at = std::min(text.size(), e.byte > 0 ? e.byte - 1 : 0);
    std::string what = e.what();
    if (size_t colon = what.find(": ", what.find("parse error")); colon != std::string::npos)
      what = what.substr(colon + 2);
    // The parser quotes what it read last, be it a text of megabytes.
    constexpr size_t kLongest = 200;
    if (what.size() > kLongest) what = what.substr(0, kLongest) + "...";
    fail_input(place(text, at, where), "not valid JSON: " + what);
  } catch (const nlohmann::json::exception& e) {
    fail_input(where, "not valid JSON: a number is out of range");
  }
}
}  // namespace

template <typename Value>
Value parse_json(std::string_view text, const std::string& where) {
  check_nul(text, where);
  check_depth(text, where);
  return with_places(text, where, [](Reading begin, Reading end) { return Value::parse(begin, end); });
}

void read_json_events(std::string_view text, const std::string& where, JsonEvents& events) {
  check_nul(text, where);
  Forward forward(events);
  try {
    with_places(text, where,
                [&](Reading begin, Reading end) { return nlohmann::json::sax_parse(begin, end, &forward); });
  } catch (const TooDeep&) {
    check_depth(text, where);  // which knows the place
  }
}

template Json parse_json<Json>(std::string_view text, const std::string& where);
template nlohmann::json parse_json<nlohmann::json>(std::string_view text, const std::string& where);

Json read_json(const std::filesystem::path& path) { return parse_json(read_text(path), path.string()); }

std::string to_line(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

void write_json(const std::filesystem::path& path, const Json& value) {
  write_file_atomic(path, value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string describe(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (value.is_null()) return "null";
  std::string text = to_line(value);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return std::string(value.type_name()) + " " + text;
}

void fail_field(const Json& object, const std::string& key, const std::string& where) {
  if (!object.is_object())
    fail_input(where, "expected an object with field '" + key + "', found " + describe(object));
  if (!object.contains(key)) fail_input(where, "field '" + key + "' is missing");
  fail_input(where + ": field '" + key + "'", "has an unexpected type: " + describe(object.at(key)));
}

}  // namespace sdft
