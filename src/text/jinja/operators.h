// Python's operators.
#pragma once

#include <string>

#include "text/jinja/value.h"

namespace sdft::jinja {

Value signed_value(Runtime& rt, const Value& value, bool negate);
// op: + - * / // % **
Value binary(Runtime& rt, const std::string& op, const Value& left, const Value& right);
// op: == != < <= > >= in "not in"
bool holds(Runtime& rt, const std::string& op, const Value& left, const Value& right);

}  // namespace sdft::jinja
