#include "text/jinja/operators.h"

#include <cmath>

#include "text/jinja/format.h"
#include "text/jinja/string.h"

namespace sdft::jinja {
namespace {

[[noreturn]] void unsupported(Runtime& rt, const std::string& op, const Value& left, const Value& right) {
  for (const Value* value : {&left, &right}) {
    if (value->is_undefined()) rt.fail(*value->text);
  }
  if (op == "+" && left.is_string())
    rt.fail("can only concatenate str (not \"" + type_name(right) + "\") to str");
  rt.fail("unsupported operand type(s) for " + op + ": '" + type_name(left) + "' and '" + type_name(right) +
          "'");
}

Value added(Runtime& rt, const Value& left, const Value& right) {
  if (left.is_string() && right.is_string()) {
    bool markup = left.markup || right.markup;
    auto part = [&](const Value& v) {
      return markup && !v.markup ? escape_html(v.as_string()) : v.as_string();
    };
    rt.check_size(left.as_string().size() + right.as_string().size());
    if (markup) rt.charge_reading(left.as_string().size() + right.as_string().size());
    return rt.string(part(left) + part(right), markup);
  }
  if (left.type == right.type && (left.is(Type::kList) || left.is(Type::kTuple))) {
    std::vector<Value> items = left.as_list().items;
    const auto& more = right.as_list().items;
    items.insert(items.end(), more.begin(), more.end());
    return rt.sequence(left.type, std::move(items));
  }
  unsupported(rt, "+", left, right);
}

Value repeated(Runtime& rt, const Value& value, int64_t times) {
  if (times < 0) times = 0;
  auto check = [&](size_t size) {
    if (size > 0 && static_cast<uint64_t>(times) > rt.limits.bytes / size)
      rt.fail("a string or list grows without end");
    rt.charge(size * static_cast<uint64_t>(times) / 16);
  };
  if (value.is_string()) {
    check(value.as_string().size());
    std::string text;
    if (!value.as_string().empty())
      for (int64_t i = 0; i < times; ++i) text += value.as_string();
    return rt.string(std::move(text), value.markup);
  }
  const auto& unit = value.as_list().items;
  check(unit.size() * sizeof(Value));
  std::vector<Value> items;
  if (!unit.empty())
    for (int64_t i = 0; i < times; ++i) items.insert(items.end(), unit.begin(), unit.end());
  return rt.sequence(value.type, std::move(items));
}

int64_t power(Runtime& rt, int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) rt.fail("the number is too large");
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) rt.fail("the number is too large");
  }
  return result;
}

Value real_power(Runtime& rt, double base, double exponent) {
  if (base == 0 && exponent < 0) rt.fail("zero to a negative power");
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) && exponent != std::floor(exponent))
    rt.fail("complex numbers are not supported");
  double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent))
    rt.fail("the number is too large");
  return Value::of(result);
}

Value integers(Runtime& rt, const std::string& op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else if (op == "**") {
    if (b < 0) return real_power(rt, static_cast<double>(a), static_cast<double>(b));
    result = power(rt, a, b);
  } else {
    if (b == 0) rt.fail("division by zero");
    if (op == "/") return Value::of(static_cast<double>(a) / static_cast<double>(b));
    if (b == -1) {  // the one division that overflows
      overflow = op == "//" && __builtin_sub_overflow(int64_t{0}, a, &result);
    } else {
      int64_t rest = a % b;
      bool adjust = rest != 0 && (rest < 0) != (b < 0);  // Python rounds down
      result = op == "//" ? a / b - (adjust ? 1 : 0) : rest + (adjust ? b : 0);
    }
  }
  if (overflow) rt.fail("the number is too large");
  return Value::of(result);
}

Value reals(Runtime& rt, const std::string& op, double a, double b) {
  if (op == "+") return Value::of(a + b);
  if (op == "-") return Value::of(a - b);
  if (op == "*") return Value::of(a * b);
  if (op == "**") return real_power(rt, a, b);
  if (b == 0) rt.fail("division by zero");
  if (op == "/") return Value::of(a / b);
  double rest = std::fmod(a, b);
  double whole = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) {
      rest += b;
      whole -= 1;
    }
  } else {
    rest = std::copysign(0.0, b);
  }
  if (op == "%") return Value::of(rest);
  if (whole == 0) return Value::of(std::copysign(0.0, a / b));
  double floor = std::floor(whole);
  return Value::of(whole - floor > 0.5 ? floor + 1 : floor);
}

}  // namespace

Value signed_value(Runtime& rt, const Value& value, bool negate) {
  if (value.is_undefined()) rt.fail(*value.text);
  if (value.is(Type::kFloat)) return Value::of(negate ? -value.real : value.real);
  if (!value.is_integral())
    rt.fail(std::string("bad operand type for unary ") + (negate ? "-" : "+") + ": '" + type_name(value) +
            "'");
  return negate ? integers(rt, "-", 0, value.as_int()) : Value::of(value.as_int());
}

Value binary(Runtime& rt, const std::string& op, const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral()) return integers(rt, op, left.as_int(), right.as_int());
  if (left.is_number() && right.is_number()) return reals(rt, op, left.as_double(), right.as_double());
  if (op == "+") return added(rt, left, right);
  if (op == "%" && left.is_string())
    return rt.string(percent_format(rt, left.as_string(), right), left.markup);
  if (op == "*") {
    auto repeats = [](const Value& v) { return v.is_string() || v.is(Type::kList) || v.is(Type::kTuple); };
    if (repeats(left) && right.is_integral()) return repeated(rt, left, right.as_int());
    if (repeats(right) && left.is_integral()) return repeated(rt, right, left.as_int());
  }
  unsupported(rt, op, left, right);
}

bool holds(Runtime& rt, const std::string& op, const Value& left, const Value& right) {
  if (op == "==") return equal(rt, left, right);
  if (op == "!=") return !equal(rt, left, right);
  if (op == "in") return contains(rt, right, left);
  if (op == "not in") return !contains(rt, right, left);
  if (op == "<") return less(rt, left, right, "<");
  if (op == ">") return less(rt, right, left, ">");
  bool ordered = left.is_number() && right.is_number();
  if (ordered && (std::isnan(left.as_double()) || std::isnan(right.as_double()))) return false;
  return op == "<=" ? !less(rt, right, left, "<=") : !less(rt, left, right, ">=");
}

}  // namespace sdft::jinja
