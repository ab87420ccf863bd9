#include "check/python_value.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace sdft {
namespace {

bool is_number(const PyValue& value) {
  return value.type == PyValue::kBool || value.type == PyValue::kInt || value.type == PyValue::kFloat;
}

PyValue whole(int64_t number) { return {PyValue::kInt, std::to_string(number), static_cast<double>(number)}; }

// The same as a machine's number; none of other types and of what is too large.
std::optional<int64_t> small(const PyValue& value) {
  if (value.type == PyValue::kBool) return static_cast<int64_t>(value.number);
  if (value.type != PyValue::kInt || value.text.size() > 18) return std::nullopt;
  return std::strtoll(value.text.c_str(), nullptr, 10);
}

int64_t floor_division(int64_t a, int64_t b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

std::optional<PyValue> power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return std::nullopt;
    return py_number(PyValue::kFloat, std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  if (base == 0 || base == 1 || base == -1)
    return whole(exponent == 0 ? 1 : exponent % 2 ? base : base * base);
  for (; exponent > 0; --exponent)
    if (__builtin_mul_overflow(result, base, &result)) return std::nullopt;
  return whole(result);
}

std::optional<PyValue> of_integers(const std::string& name, int64_t a, int64_t b) {
  int64_t result = 0;
  if (name == "+") return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(whole(result));
  if (name == "-") return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(whole(result));
  if (name == "*") return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(whole(result));
  if (name == "**") return power(a, b);
  if (name == "|") return whole(a | b);
  if (name == "&") return whole(a & b);
  if (name == "^") return whole(a ^ b);
  if (name == "<<" && b >= 0 && b < 62) return of_integers("*", a, int64_t{1} << b);
  if (name == ">>" && b >= 0) return whole(b > 62 ? (a < 0 ? -1 : 0) : a >> b);
  if (b == 0) return std::nullopt;
  if (name == "/") return py_number(PyValue::kFloat, static_cast<double>(a) / static_cast<double>(b));
  if (name == "//") return whole(floor_division(a, b));
  if (name == "%") return whole(a - b * floor_division(a, b));
  return std::nullopt;
}

std::optional<PyValue> of_floats(const std::string& name, double a, double b) {
  double result = 0;
  if (name == "+") {
    result = a + b;
  } else if (name == "-") {
    result = a - b;
  } else if (name == "*") {
    result = a * b;
  } else if (name == "**") {
    if ((a == 0 && b < 0) || (a < 0 && b != std::trunc(b))) return std::nullopt;
    result = std::pow(a, b);
    if (std::isinf(result) && !std::isinf(a) && !std::isinf(b)) return std::nullopt;
  } else if (b == 0) {
    return std::nullopt;
  } else if (name == "/") {
    result = a / b;
  } else if (name == "//" || name == "%") {
    double rest = std::fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
    result = name == "%" ? rest : std::floor((a - rest) / b + 0.5);
  } else {
    return std::nullopt;
  }
  return py_number(PyValue::kFloat, result);
}

std::optional<PyValue> of_strings(const std::string& name, const PyValue& a, const PyValue& b) {
  constexpr int64_t kLongest = 1 << 16;
  if (name == "+" && a.type == b.type) return py_string(a.text + b.text);
  if (name != "*" || a.type == b.type) return std::nullopt;
  const PyValue& text = a.type == PyValue::kString ? a : b;
  const std::optional<int64_t> times = small(a.type == PyValue::kString ? b : a);
  if (!times || *times * static_cast<int64_t>(text.text.size() + 1) > kLongest) return std::nullopt;
  std::string repeated;
  for (int64_t i = 0; i < *times; ++i) repeated += text.text;
  return py_string(repeated);
}

std::optional<PyValue> signed_value(const std::string& name, const PyValue& value) {
  if (!is_number(value)) return std::nullopt;
  if (value.type == PyValue::kFloat) {
    if (name == "~") return std::nullopt;
    return py_number(PyValue::kFloat, name == "-" ? -value.number : value.number);
  }
  const std::optional<int64_t> number = small(value);
  if (!number) return std::nullopt;
  return whole(name == "-" ? -*number : name == "~" ? ~*number : *number);
}

}  // namespace

const PyValue* PyValue::find(const PyValue& key) const {
  for (size_t i = 0; i < keys.size(); ++i)
    if (keys[i] == key) return &items[i];
  return nullptr;
}

bool operator==(const PyValue& a, const PyValue& b) {
  if (a.type == PyValue::kInt && b.type == PyValue::kInt) return a.text == b.text;
  if (is_number(a) && is_number(b)) return a.number == b.number;
  if (a.type != b.type) return false;
  switch (a.type) {
    case PyValue::kNone:
      return true;
    case PyValue::kString:
    case PyValue::kOther:
      return a.text == b.text;
    case PyValue::kList:
    case PyValue::kTuple:
      return a.items == b.items;
    default:
      break;
  }
  if (a.keys.size() != b.keys.size()) return false;
  for (size_t i = 0; i < a.keys.size(); ++i) {
    const PyValue* other = b.find(a.keys[i]);
    if (!other || !(a.items[i] == *other)) return false;
  }
  return true;
}

bool hashable(const PyValue& value) {
  if (value.type == PyValue::kList || value.type == PyValue::kDict) return false;
  for (const PyValue& item : value.items)
    if (!hashable(item)) return false;
  return true;
}

void set_item(PyValue* dict, PyValue key, PyValue value) {
  for (size_t i = 0; i < dict->keys.size(); ++i)
    if (dict->keys[i] == key) {
      dict->items[i] = std::move(value);
      return;
    }
  dict->keys.push_back(std::move(key));
  dict->items.push_back(std::move(value));
}

PyValue py_string(std::string text) { return {PyValue::kString, std::move(text)}; }
PyValue py_number(PyValue::Type type, double number) { return {type, "", number}; }

PyValue py_value(const Json& json) {
  PyValue value;
  if (json.is_string()) return py_string(json.get<std::string>());
  if (json.is_boolean()) return py_number(PyValue::kBool, json.get<bool>() ? 1 : 0);
  if (json.is_number_float()) return py_number(PyValue::kFloat, json.get<double>());
  if (json.is_number()) return {PyValue::kInt, json.dump(), json.get<double>()};
  if (json.is_array()) {
    value.type = PyValue::kList;
    for (const Json& item : json) value.items.push_back(py_value(item));
  } else if (json.is_object()) {
    value.type = PyValue::kDict;
    for (const auto& [key, item] : json.items()) set_item(&value, py_string(key), py_value(item));
  }
  return value;
}

std::optional<PyValue> py_arithmetic(const PyNode& node) {
  if (node.kind == PyNode::kBool) return py_number(PyValue::kBool, node.number);
  if (node.kind == PyNode::kInt) return PyValue{PyValue::kInt, node.text, node.number};
  if (node.kind == PyNode::kFloat) return py_number(PyValue::kFloat, node.number);
  if (node.kind == PyNode::kString) return py_string(node.text);
  if (node.kind != PyNode::kUnary && node.kind != PyNode::kBinary) return std::nullopt;
  const std::optional<PyValue> a = py_arithmetic(node.parts[0]);
  if (!a || node.kind == PyNode::kUnary)
    return a && node.text != "not" ? signed_value(node.text, *a) : std::nullopt;
  const std::optional<PyValue> b = py_arithmetic(node.parts[1]);
  if (!b) return std::nullopt;
  if (!is_number(*a) || !is_number(*b)) return of_strings(node.text, *a, *b);
  if (a->type == PyValue::kFloat || b->type == PyValue::kFloat)
    return of_floats(node.text, a->number, b->number);
  const std::optional<int64_t> left = small(*a), right = small(*b);
  return left && right ? of_integers(node.text, *left, *right) : std::nullopt;
}

}  // namespace sdft
