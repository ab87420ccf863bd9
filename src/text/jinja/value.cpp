#include "text/jinja/value.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/find.h"
#include "base/interrupt.h"
#include "text/jinja/string.h"

namespace sdft::jinja {
namespace {

constexpr int kMaxNesting = 100;  // of lists in lists

}  // namespace

Value Value::none() {
  Value value;
  value.type = Type::kNone;
  return value;
}
Value Value::of(bool content) {
  Value value;
  value.type = Type::kBool;
  value.boolean = content;
  return value;
}
Value Value::of(int64_t content) {
  Value value;
  value.type = Type::kInt;
  value.integer = content;
  return value;
}
Value Value::of(double content) {
  Value value;
  value.type = Type::kFloat;
  value.real = content;
  return value;
}
Value Value::undefined(const std::string& why) {
  Value value;
  value.text = std::make_shared<const std::string>(why);
  return value;
}
Value Value::constant(std::string content) {
  Value value;
  value.type = Type::kString;
  value.text = std::make_shared<const std::string>(std::move(content));
  return value;
}
const List& Value::as_list() const { return *static_cast<const List*>(object); }
const Dict& Value::as_dict() const { return *static_cast<const Dict*>(object); }

// The template has its say in most messages.
void Runtime::fail(const std::string& what) const {
  fail_input(name + ":" + std::to_string(line), printable(what));
}

void Runtime::charge(uint64_t units) {
  stop_if_interrupted();
  spent += units;
  if (spent > limits.work)
    fail("the template does not come to an end (more steps than any real template takes)");
}

Value Runtime::string(std::string value, bool markup) {
  check_size(value.size());
  charge(5 + value.size() / 16);
  Value result = Value::constant(std::move(value));
  result.markup = markup;
  return result;
}

void Runtime::note_nesting(Object* parent, const Value& child) {
  if (!child.is_sequence() && !child.is(Type::kDict)) return;
  parent->nesting = std::max(parent->nesting, child.object->nesting + 1);
  if (parent->nesting > kMaxNesting) fail("a list or dict is nested too deeply");
}

Value Runtime::sequence(Type type, std::vector<Value> items, std::string shown) {
  charge(4 * items.size());  // memory is bounded by the work, too
  List* made = make<List>();
  for (const Value& item : items) note_nesting(made, item);
  made->items = std::move(items);
  made->shown = std::move(shown);
  Value value;
  value.type = type;
  value.object = made;
  return value;
}

Value Runtime::dict(const std::vector<std::pair<Value, Value>>& items) {
  charge(8 * items.size());
  Dict* made = make<Dict>();
  for (const auto& [key, item] : items) {
    note_nesting(made, item);
    note_nesting(made, key);
    require_hashable(*this, key);
    if (const Value* known = find(*this, *made, key)) {
      *const_cast<Value*>(known) = item;
      continue;
    }
    if (key.is_string()) made->by_string.emplace(key.as_string(), made->items.size());
    made->items.emplace_back(key, item);
  }
  Value value;
  value.type = Type::kDict;
  value.object = made;
  return value;
}

Value Runtime::generator(Next next) {
  Generator* made = make<Generator>();
  made->next = std::move(next);
  Value value;
  value.type = Type::kGenerator;
  value.object = made;
  return value;
}

Value Runtime::function(std::string function_name, std::function<Value(Runtime&, const Args&)> body) {
  Function* made = make<Function>();
  made->name = std::move(function_name);
  made->call = std::move(body);
  Value value;
  value.type = Type::kFunction;
  value.object = made;
  return value;
}

Value Runtime::from_json(const Json& json, int nesting) {
  if (nesting > kMaxNesting) fail("the data given to the template is nested too deeply");
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value::of(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::of(json.get<int64_t>());
    case Json::value_t::number_unsigned: {
      uint64_t number = json.get<uint64_t>();
      if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        fail("the number " + std::to_string(number) + " is too large");
      return Value::of(static_cast<int64_t>(number));
    }
    case Json::value_t::number_float:
      return Value::of(json.get<double>());
    case Json::value_t::string:
      return string(json.get_ref<const std::string&>());
    case Json::value_t::array: {
      std::vector<Value> items;
      for (const Json& item : json) items.push_back(from_json(item, nesting + 1));
      return list(std::move(items));
    }
    case Json::value_t::object: {
      std::vector<std::pair<Value, Value>> items;
      for (const auto& [key, item] : json.items())
        items.emplace_back(string(key), from_json(item, nesting + 1));
      return dict(items);
    }
    default:
      return Value::none();
  }
}

std::string type_name(const Value& value) {
  switch (value.type) {
    case Type::kUndefined:
      return "Undefined";
    case Type::kNone:
      return "NoneType";
    case Type::kBool:
      return "bool";
    case Type::kInt:
      return "int";
    case Type::kFloat:
      return "float";
    case Type::kString:
      return value.markup ? "Markup" : "str";
    case Type::kList:
      return "list";
    case Type::kTuple:
      return "tuple";
    case Type::kRange:
      return "range";
    case Type::kDictView:
      return value.as_list().shown;
    case Type::kDict:
      return "dict";
    case Type::kGenerator:
      return "generator";
    case Type::kNamespace:
      return "Namespace";
    case Type::kFunction:
      return "function";
    case Type::kLoop:
      return "LoopContext";
  }
  return "object";
}

bool length_of(Runtime& rt, const Value& value, int64_t* length) {
  if (value.is_undefined()) {
    *length = 0;
  } else if (value.is_string()) {
    rt.charge_reading(value.as_string().size());
    *length = static_cast<int64_t>(char_count(value.as_string()));
  } else if (value.is_sequence()) {
    *length = static_cast<int64_t>(value.as_list().items.size());
  } else if (value.is(Type::kDict)) {
    *length = static_cast<int64_t>(value.as_dict().items.size());
  } else {
    return false;
  }
  return true;
}

bool truth(Runtime&, const Value& value) {
  switch (value.type) {
    case Type::kUndefined:
    case Type::kNone:
      return false;
    case Type::kBool:
      return value.boolean;
    case Type::kInt:
      return value.integer != 0;
    case Type::kFloat:
      return value.real != 0;
    case Type::kString:
      return !value.as_string().empty();
    case Type::kDict:
      return !value.as_dict().items.empty();
    default:
      return !value.is_sequence() || !value.as_list().items.empty();
  }
}

bool equal(Runtime& rt, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return a.as_int() == b.as_int();
  if (a.is_number() && b.is_number()) return a.as_double() == b.as_double();
  if (a.type != b.type) return false;
  if (a.is_string()) {
    if (a.as_string().size() != b.as_string().size()) return false;
    rt.charge_copy(a.as_string().size());
    return a.as_string() == b.as_string();
  }
  if (a.is_undefined() || a.is_none()) return true;
  if (a.object == b.object) return true;
  Deeper deeper(rt);
  if (a.is_sequence()) {
    const auto& left = a.as_list().items;
    const auto& right = b.as_list().items;
    rt.charge(std::min(left.size(), right.size()));
    return left.size() == right.size() &&
           std::equal(left.begin(), left.end(), right.begin(),
                      [&](const Value& x, const Value& y) { return equal(rt, x, y); });
  }
  if (!a.is(Type::kDict)) return false;
  const auto& items = a.as_dict().items;
  rt.charge(items.size());
  return items.size() == b.as_dict().items.size() &&
         std::all_of(items.begin(), items.end(), [&](const auto& item) {
           const Value* other = find(rt, b.as_dict(), item.first);
           return other != nullptr && equal(rt, item.second, *other);
         });
}

bool less(Runtime& rt, const Value& a, const Value& b, const char* op) {
  if (a.is_integral() && b.is_integral()) return a.as_int() < b.as_int();
  if (a.is_number() && b.is_number()) return a.as_double() < b.as_double();
  if (a.is_string() && b.is_string()) {
    rt.charge_copy(std::min(a.as_string().size(), b.as_string().size()));
    return a.as_string() < b.as_string();  // UTF-8 keeps the order
  }
  if (a.is_undefined() || b.is_undefined()) rt.fail(*(a.is_undefined() ? a : b).text);
  if (a.type == b.type && (a.is(Type::kList) || a.is(Type::kTuple))) {
    Deeper deeper(rt);
    const auto& left = a.as_list().items;
    const auto& right = b.as_list().items;
    for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
      rt.charge(1);
      if (!equal(rt, left[i], right[i])) return less(rt, left[i], right[i], op);
    }
    return left.size() < right.size();
  }
  rt.fail(std::string("'") + op + "' not supported between instances of '" + type_name(a) + "' and '" +
          type_name(b) + "'");
}

bool is_hashable(Runtime& rt, const Value& value) {
  rt.charge(1);
  if (value.is(Type::kTuple)) {
    const auto& items = value.as_list().items;
    return std::all_of(items.begin(), items.end(), [&](const Value& item) { return is_hashable(rt, item); });
  }
  return !value.is(Type::kList) && !value.is(Type::kDict) && !value.is(Type::kDictView);
}

void require_hashable(Runtime& rt, const Value& value) {
  if (!is_hashable(rt, value)) rt.fail("unhashable type: '" + type_name(value) + "'");
}

bool contains(Runtime& rt, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) rt.fail("'in <string>' requires string as left operand, not " + type_name(item));
    rt.charge_reading(container.as_string().size() + item.as_string().size());
    return find_text(container.as_string(), item.as_string()) != std::string::npos;
  }
  if (container.is(Type::kDict)) {
    require_hashable(rt, item);
    return find(rt, container.as_dict(), item) != nullptr;
  }
  Next next = iterate(rt, container);
  for (Value candidate; next(&candidate);) {
    if (equal(rt, candidate, item)) return true;
  }
  return false;
}

const Value* find(Runtime& rt, const Dict& dict, const Value& key) {
  if (key.is_string()) {
    rt.charge_reading(key.as_string().size());
    return find(dict, key.as_string());
  }
  if (dict.by_string.size() == dict.items.size()) return nullptr;
  rt.charge(dict.items.size());
  for (const auto& [known, item] : dict.items) {
    if (equal(rt, known, key)) return &item;
  }
  return nullptr;
}

const Value* find(const Dict& dict, const std::string& key) {
  auto place = dict.by_string.find(key);
  return place == dict.by_string.end() ? nullptr : &dict.items[place->second].second;
}

const Value* find(const Namespace& names, const std::string& key) {
  for (const auto& [known, item] : names.items) {
    if (known == key) return &item;
  }
  return nullptr;
}

std::vector<Value> dict_keys(const Dict& dict) {
  std::vector<Value> keys;
  for (const auto& item : dict.items) keys.push_back(item.first);
  return keys;
}
std::vector<Value> dict_values(const Dict& dict) {
  std::vector<Value> values;
  for (const auto& item : dict.items) values.push_back(item.second);
  return values;
}
std::vector<Value> dict_pairs(Runtime& rt, const Dict& dict) {
  std::vector<Value> pairs;
  for (const auto& item : dict.items) pairs.push_back(rt.tuple({item.first, item.second}));
  return pairs;
}

Next iterate(Runtime& rt, const Value& value) {
  if (value.is_undefined()) return [](Value*) { return false; };
  if (value.is_sequence()) {
    return [&rt, list = &value.as_list(), i = size_t{0}](Value* item) mutable {
      if (i == list->items.size()) return false;
      rt.charge(1);
      *item = list->items[i++];
      return true;
    };
  }
  if (value.is(Type::kDict)) {
    return [&rt, dict = &value.as_dict(), i = size_t{0}](Value* item) mutable {
      if (i == dict->items.size()) return false;
      rt.charge(1);
      *item = dict->items[i++].first;
      return true;
    };
  }
  if (value.is_string()) {
    return [&rt, text = value.text, at = size_t{0}](Value* item) mutable {
      if (at == text->size()) return false;
      size_t begin = at;
      next_char(*text, &at);
      *item = rt.string(text->substr(begin, at - begin));
      return true;
    };
  }
  if (value.is(Type::kGenerator)) {
    return [&rt, generator = static_cast<Generator*>(value.object)](Value* item) {
      Deeper deeper(rt);
      rt.charge(1);
      return generator->next(item);
    };
  }
  rt.fail("'" + type_name(value) + "' object is not iterable");
}

std::vector<Value> to_vector(Runtime& rt, const Value& value) {
  std::vector<Value> items;
  Next next = iterate(rt, value);
  for (Value item; next(&item);) {
    rt.charge(2);  // for its place in the list
    items.push_back(item);
  }
  return items;
}

Value call(Runtime& rt, const Value& callee, const Args& args) {
  if (callee.is_undefined()) rt.fail(*callee.text);
  if (!callee.is(Type::kFunction)) rt.fail("'" + type_name(callee) + "' object is not callable");
  Deeper deeper(rt);
  return static_cast<Function*>(callee.object)->call(rt, args);
}

Bound bind(Runtime& rt, const std::string& callee, const Args& args, std::initializer_list<const char*> names,
           size_t required) {
  if (args.positional.size() > names.size())
    rt.fail(callee + " takes at most " + std::to_string(names.size()) + " arguments, " +
            std::to_string(args.positional.size()) + " given");
  Bound bound;
  bound.params.resize(names.size());
  for (size_t i = 0; i < args.positional.size(); ++i) bound.params[i] = &args.positional[i];
  for (const auto& [key, value] : args.named) {
    auto place = std::find(names.begin(), names.end(), key);
    if (place == names.end()) rt.fail(callee + " got an unexpected keyword argument '" + key + "'");
    const Value*& param = bound.params[static_cast<size_t>(place - names.begin())];
    if (param != nullptr) rt.fail(callee + " got multiple values for argument '" + key + "'");
    param = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (bound.params[i] == nullptr)
      rt.fail(callee + " is missing the argument '" + std::string(names.begin()[i]) + "'");
  }
  return bound;
}

std::string string_arg(Runtime& rt, const Value& value, const char* what) {
  if (value.is_undefined()) rt.fail(*value.text);
  if (!value.is_string()) rt.fail(std::string(what) + ": expected a string, got " + type_name(value));
  rt.charge_copy(value.as_string().size());
  return value.as_string();
}

int64_t int_arg(Runtime& rt, const Value& value, const char* what) {
  if (value.is_undefined()) rt.fail(*value.text);
  if (!value.is_integral()) rt.fail(std::string(what) + ": expected an integer, got " + type_name(value));
  return value.as_int();
}

}  // namespace sdft::jinja
