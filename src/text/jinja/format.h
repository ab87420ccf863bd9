// How Python prints: str, repr, json.dumps, the % operator, str.format and strftime.
#pragma once

#include <ctime>
#include <string>

#include "text/jinja/value.h"

namespace sdft::jinja {

std::string to_str(Runtime& rt, const Value& value);
std::string to_repr(Runtime& rt, const Value& value);
std::string float_repr(double value);
std::string string_repr(std::string_view text);

struct JsonStyle {
  bool ascii = false;
  bool sort_keys = false;
  bool lines = false;  // one item a line, indented
  std::string indent;  // of one level
  std::string between_items = ", ";
  std::string after_key = ": ";
};
std::string to_json(Runtime& rt, const Value& value, const JsonStyle& style);

std::string percent_format(Runtime& rt, const std::string& format, const Value& values);
std::string brace_format(Runtime& rt, const std::string& format, const Args& args);
std::string time_format(Runtime& rt, const std::string& format, const std::tm& time);

}  // namespace sdft::jinja
