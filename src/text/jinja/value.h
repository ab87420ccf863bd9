// Values of a Jinja template: Python's, as far as chat templates meet them, and the run they live in.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace sdft::jinja {

enum class Type : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kRange,     // a List object as well
  kDictView,  // dict_items and the like: a List object as well
  kDict,
  kGenerator,  // what select, map, items, ... give: read once, no length
  kNamespace,
  kFunction,
  kLoop,
};

struct Runtime;
struct Value;

// Everything with parts lives in the run's arena, so that values may point at each other freely.
struct Object {
  virtual ~Object() = default;
  int nesting = 0;  // of lists, tuples and dicts inside
};

struct Value {
  Type type = Type::kUndefined;
  bool markup = false;  // a string marked by the `safe` filter: `+` escapes what it is joined to
  union {
    bool boolean;
    int64_t integer;
    double real;
    Object* object;
  };
  std::shared_ptr<const std::string> text;  // of a string; of an undefined value, why it is undefined

  Value() : integer(0) {}
  static Value none();
  static Value of(bool value);
  static Value of(int64_t value);
  static Value of(double value);
  static Value undefined(const std::string& why);
  // A string outside a run: constants of the template. Runtime::string for all others.
  static Value constant(std::string value);

  bool is(Type other) const { return type == other; }
  bool is_undefined() const { return type == Type::kUndefined; }
  bool is_none() const { return type == Type::kNone; }
  bool is_string() const { return type == Type::kString; }
  bool is_integral() const { return type == Type::kInt || type == Type::kBool; }
  bool is_number() const { return is_integral() || type == Type::kFloat; }
  // Items in `as_list()`: lists, tuples, ranges, dict views.
  bool is_sequence() const { return type >= Type::kList && type <= Type::kDictView; }
  const std::string& as_string() const { return *text; }
  int64_t as_int() const { return type == Type::kBool ? static_cast<int64_t>(boolean) : integer; }
  double as_double() const { return type == Type::kFloat ? real : static_cast<double>(as_int()); }
  const struct List& as_list() const;
  const struct Dict& as_dict() const;
};

struct List : Object {
  std::vector<Value> items;
  std::string shown;  // what a range prints, the Python type of a view
};

struct Dict : Object {
  std::vector<std::pair<Value, Value>> items;            // in the order of insertion
  std::map<std::string, size_t, std::less<>> by_string;  // string keys; ordered, so that none collide
};

using Next = std::function<bool(Value*)>;  // false: nothing more

struct Generator : Object {
  Next next;
};

struct Namespace : Object {
  std::vector<std::pair<std::string, Value>> items;
};

struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

struct Function : Object {
  std::string name;
  std::function<Value(Runtime&, const Args&)> call;
};

// Whatever takes time or memory is charged as steps before it is done; a step is some 50 ns, and keeps at
// most 16 bytes.
struct Limits {
  uint64_t work = 50'000'000;
  size_t bytes = size_t{64} << 20;  // of the output, and of any one string
  int depth = 400;                  // nested evaluations, and nesting of a list in lists
};

// One run of a template: its memory, its limits and where it is.
struct Runtime {
  Runtime(std::string template_name, const Limits& run_limits)
      : name(std::move(template_name)), limits(run_limits) {}

  std::string name;
  Limits limits;
  int line = 1;
  int depth = 0;
  uint64_t spent = 0;
  std::vector<std::unique_ptr<Object>> arena;

  [[noreturn]] void fail(const std::string& what) const;  // as "name:line: what"
  void charge(uint64_t units);                            // also where an interrupt is noticed
  void charge_copy(size_t bytes) { charge(bytes / 64); }
  void charge_reading(size_t bytes) { charge(bytes / 8); }  // character by character, or searching
  // Refuses a text that becomes too long, before it is made.
  void check_size(uint64_t bytes) const {
    if (bytes > limits.bytes) fail("a string grows without end");
  }

  template <typename T>
  T* make() {
    charge(2 + sizeof(T) / 16);
    auto owned = std::make_unique<T>();
    T* object = owned.get();
    arena.push_back(std::move(owned));
    return object;
  }
  Value string(std::string value, bool markup = false);
  Value sequence(Type type, std::vector<Value> items, std::string shown = "");
  Value list(std::vector<Value> items) { return sequence(Type::kList, std::move(items)); }
  Value tuple(std::vector<Value> items) { return sequence(Type::kTuple, std::move(items)); }
  Value dict(const std::vector<std::pair<Value, Value>>& items);  // the last of equal keys counts
  Value generator(Next next);
  Value function(std::string function_name, std::function<Value(Runtime&, const Args&)> call);
  Value from_json(const Json& json, int nesting = 0);

 private:
  void note_nesting(Object* parent, const Value& child);
};

// Guards against endless recursion; one lives in every recursive call.
struct Deeper {
  explicit Deeper(Runtime& runtime) : rt(runtime) {
    if (++rt.depth > rt.limits.depth) {
      --rt.depth;
      rt.fail("nested too deeply (recursion without end?)");
    }
  }
  ~Deeper() { --rt.depth; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  Runtime& rt;
};

std::string type_name(const Value& value);  // Python's: "str", "dict", ...
bool truth(Runtime& rt, const Value& value);
bool equal(Runtime& rt, const Value& a, const Value& b);
bool less(Runtime& rt, const Value& a, const Value& b, const char* op = "<");
// What may be the key of a dict.
bool is_hashable(Runtime& rt, const Value& value);
void require_hashable(Runtime& rt, const Value& value);
// `item in container`.
bool contains(Runtime& rt, const Value& container, const Value& item);
// Python's len(); false where the value has none.
bool length_of(Runtime& rt, const Value& value, int64_t* length);
Next iterate(Runtime& rt, const Value& value);  // fails on what Python cannot iterate
std::vector<Value> to_vector(Runtime& rt, const Value& value);
const Value* find(Runtime& rt, const Dict& dict, const Value& key);
const Value* find(const Dict& dict, const std::string& key);
const Value* find(const Namespace& names, const std::string& key);
Value call(Runtime& rt, const Value& callee, const Args& args);
std::vector<Value> dict_keys(const Dict& dict);
std::vector<Value> dict_values(const Dict& dict);
std::vector<Value> dict_pairs(Runtime& rt, const Dict& dict);

// obj.name and obj[key], as Jinja's sandbox resolves them; undefined where there is no such thing.
Value get_attribute(Runtime& rt, const Value& object, const std::string& name);
Value get_item(Runtime& rt, const Value& object, const Value& key);
// object[start:stop:step]; parts may be none.
Value get_slice(Runtime& rt, const Value& object, const Value& start, const Value& stop, const Value& step);
// A method of a string or a dict (methods.cpp); undefined where Python has none, an error where Python
// has one that is not supported here.
Value get_method(Runtime& rt, const Value& object, const std::string& name);

// Arguments by Python's rules: params[i] is the value of names[i], or null where it was not given.
struct Bound {
  std::vector<const Value*> params;
  bool has(size_t i) const { return params[i] != nullptr; }
  const Value& at(size_t i) const { return *params[i]; }
};
Bound bind(Runtime& rt, const std::string& callee, const Args& args, std::initializer_list<const char*> names,
           size_t required = 0);
std::string string_arg(Runtime& rt, const Value& value, const char* what);  // charged as a copy
int64_t int_arg(Runtime& rt, const Value& value, const char* what);

}  // namespace sdft::jinja
