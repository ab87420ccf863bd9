// Values as Python compares them, for checks that judge by the rules of Python programs. Thread safe.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "check/python_expression.h"

namespace sdft {

struct PyValue {
  enum Type { kNone, kBool, kInt, kFloat, kString, kList, kTuple, kDict, kOther };
  Type type = kNone;
  std::string text = {};            // of kString; of kInt its decimal digits; of kOther what it is
  double number = 0;                // of kBool, kInt (the nearest), kFloat
  std::vector<PyValue> items = {};  // of kList and kTuple; of kDict its values
  std::vector<PyValue> keys = {};   // of kDict, a key a value
  const PyValue* find(const PyValue& key) const;  // the value of a kDict's key, or null
};

// Python's ==: True == 1 == 1.0, a tuple is no list, a dict has no order.
bool operator==(const PyValue& a, const PyValue& b);
// Whether it can be a dict's key.
bool hashable(const PyValue& value);
// A later value of the same key takes the earlier one's place.
void set_item(PyValue* dict, PyValue key, PyValue value);

PyValue py_string(std::string text);
PyValue py_number(PyValue::Type type, double number);
PyValue py_value(const Json& json);

// The value of an arithmetic expression of numbers and strings, as eval() finds it. None where a name, a call
// or a fault (1 / 0) is in it, or a whole number needs more than 64 bits.
std::optional<PyValue> py_arithmetic(const PyNode& node);

}  // namespace sdft
