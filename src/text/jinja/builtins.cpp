#include "text/jinja/builtins.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/string.h"

namespace sdft::jinja {
namespace {

using Test = bool (*)(Runtime&, const Value&, const Bound&);

struct TestEntry {
  size_t arguments;
  Test test;
};

template <bool even>
bool parity(Runtime& rt, const Value& value, const Bound&) {
  Value rest = binary(rt, "%", value, Value::of(int64_t{2}));
  return equal(rt, rest, Value::of(int64_t{even ? 0 : 1}));
}

// Whether a text's letters all have one case, and there are some.
template <bool upper_case>
bool has_case(Runtime& rt, const Value& value, const Bound&) {
  Value text = rt.string(to_str(rt, value));
  return truth(rt, call(rt, get_method(rt, text, upper_case ? "isupper" : "islower"), {}));
}

bool same_as(Runtime&, const Value& a, const Value& b) {
  if (a.type != b.type) return false;
  switch (a.type) {
    case Type::kNone:
      return true;
    case Type::kBool:
      return a.boolean == b.boolean;
    case Type::kInt:
      return a.integer == b.integer && a.integer >= -5 &&
             a.integer <= 256;  // those are the same object in Python
    case Type::kString:
    case Type::kUndefined:
      return a.text == b.text;
    case Type::kFloat:
      return false;
    default:
      return a.object == b.object;
  }
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.is_sequence() || value.is(Type::kDict) ||
         value.is(Type::kGenerator) || value.is(Type::kLoop);
}

const std::map<std::string, TestEntry>& tests() {
  using R = Runtime;
  using V = Value;
  using B = Bound;
  static const std::map<std::string, TestEntry> kTests = {
      {"odd", {0, parity<false>}},
      {"even", {0, parity<true>}},
      {"divisibleby",
       {1, [](R& rt, const V& v, const B& b) { return !truth(rt, binary(rt, "%", v, b.at(0))); }}},
      {"defined", {0, [](R&, const V& v, const B&) { return !v.is_undefined(); }}},
      {"undefined", {0, [](R&, const V& v, const B&) { return v.is_undefined(); }}},
      {"filter",
       {0,
        [](R& rt, const V& v, const B&) {
          require_hashable(rt, v);
          return v.is_string() && filter_problem(v.as_string()).empty();
        }}},
      {"test",
       {0,
        [](R& rt, const V& v, const B&) {
          require_hashable(rt, v);
          return v.is_string() && test_problem(v.as_string()).empty();
        }}},
      {"none", {0, [](R&, const V& v, const B&) { return v.is_none(); }}},
      {"boolean", {0, [](R&, const V& v, const B&) { return v.is(Type::kBool); }}},
      {"false", {0, [](R&, const V& v, const B&) { return v.is(Type::kBool) && !v.boolean; }}},
      {"true", {0, [](R&, const V& v, const B&) { return v.is(Type::kBool) && v.boolean; }}},
      {"integer", {0, [](R&, const V& v, const B&) { return v.is(Type::kInt); }}},
      {"float", {0, [](R&, const V& v, const B&) { return v.is(Type::kFloat); }}},
      {"lower", {0, has_case<false>}},
      {"upper", {0, has_case<true>}},
      {"string", {0, [](R&, const V& v, const B&) { return v.is_string(); }}},
      {"mapping", {0, [](R&, const V& v, const B&) { return v.is(Type::kDict); }}},
      {"number", {0, [](R&, const V& v, const B&) { return v.is_number(); }}},
      {"sequence",
       {0,
        [](R&, const V& v, const B&) {
          return v.is_undefined() || v.is_string() || v.is(Type::kDict) ||
                 (v.is_sequence() && !v.is(Type::kDictView));
        }}},
      {"iterable", {0, [](R&, const V& v, const B&) { return is_iterable(v); }}},
      {"callable",
       {0, [](R&, const V& v,
              const B&) { return v.is(Type::kFunction) || v.is(Type::kLoop) || v.is_undefined(); }}},
      {"sameas", {1, [](R& rt, const V& v, const B& b) { return same_as(rt, v, b.at(0)); }}},
      {"escaped", {0, [](R&, const V& v, const B&) { return v.markup; }}},
      {"in", {1, [](R& rt, const V& v, const B& b) { return contains(rt, b.at(0), v); }}},
      {"==", {1, [](R& rt, const V& v, const B& b) { return holds(rt, "==", v, b.at(0)); }}},
      {"!=", {1, [](R& rt, const V& v, const B& b) { return holds(rt, "!=", v, b.at(0)); }}},
      {">", {1, [](R& rt, const V& v, const B& b) { return holds(rt, ">", v, b.at(0)); }}},
      {">=", {1, [](R& rt, const V& v, const B& b) { return holds(rt, ">=", v, b.at(0)); }}},
      {"<", {1, [](R& rt, const V& v, const B& b) { return holds(rt, "<", v, b.at(0)); }}},
      {"<=", {1, [](R& rt, const V& v, const B& b) { return holds(rt, "<=", v, b.at(0)); }}},
  };
  return kTests;
}

const TestEntry* find_test(const std::string& name) {
  static const std::map<std::string, std::string> kAliases = {
      {"eq", "=="}, {"equalto", "=="}, {"ne", "!="}, {"gt", ">"},       {"greaterthan", ">"},
      {"ge", ">="}, {"lt", "<"},       {"le", "<="}, {"lessthan", "<"},
  };
  auto alias = kAliases.find(name);
  auto place = tests().find(alias == kAliases.end() ? name : alias->second);
  return place == tests().end() ? nullptr : &place->second;
}

Filter find_filter(const std::string& name) {
  Filter filter = find_text_filter(name);
  return filter ? filter : find_list_filter(name);
}

// ---- global functions

Value make_range(Runtime& rt, const Args& args) {
  Bound bound = bind(rt, "range()", args, {"start", "stop", "step"}, 1);
  int64_t start = int_arg(rt, bound.at(0), "range()"), stop = start, step = 1;
  if (bound.has(1)) {
    stop = int_arg(rt, bound.at(1), "range()");
  } else {
    start = 0;
  }
  if (bound.has(2)) step = int_arg(rt, bound.at(2), "range()");
  if (step == 0) rt.fail("range(): the step must not be zero");
  std::vector<Value> items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (items.size() == 100'000) rt.fail("range(): more than 100000 items");  // the sandbox's own limit
    items.push_back(Value::of(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  std::string shown = "range(" + std::to_string(start) + ", " + std::to_string(stop);
  return rt.sequence(Type::kRange, std::move(items),
                     shown + (step == 1 ? "" : ", " + std::to_string(step)) + ")");
}

// dict(pairs or a mapping, key=value, ...), also for namespaces.
std::vector<std::pair<Value, Value>> dict_items(Runtime& rt, const Args& args) {
  std::vector<std::pair<Value, Value>> items;
  if (args.positional.size() > 1) rt.fail("dict() takes at most one positional argument");
  if (!args.positional.empty()) {
    const Value& source = args.positional[0];
    if (source.is_undefined()) rt.fail(*source.text);
    if (source.is(Type::kDict)) {
      items = source.as_dict().items;
    } else {
      for (const Value& pair : to_vector(rt, source)) {
        std::vector<Value> parts = to_vector(rt, pair);
        if (parts.size() != 2) rt.fail("dict(): expected pairs");
        items.emplace_back(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [key, value] : args.named) items.emplace_back(rt.string(key), value);
  return items;
}

Value make_namespace(Runtime& rt, const Args& args) {
  Value made;
  made.type = Type::kNamespace;
  Namespace* names = rt.make<Namespace>();
  made.object = names;
  for (const auto& [key, value] : rt.dict(dict_items(rt, args)).as_dict().items)
    names->items.emplace_back(string_arg(rt, key, "namespace()"), value);
  return made;
}

Value make_joiner(Runtime& rt, const Args& args) {
  Bound bound = bind(rt, "joiner()", args, {"sep"});
  Value between = bound.has(0) ? bound.at(0) : rt.string(", ");
  return rt.function("joiner", [between, used = std::make_shared<bool>(false)](Runtime& run, const Args&) {
    return std::exchange(*used, true) ? between : run.string("");
  });
}

}  // namespace

bool is_unsupported_global(const std::string& name) {
  return name == "cycler" || name == "lipsum" || name == "self";
}

std::string filter_problem(const std::string& name) {
  if (find_filter(name)) return "";
  static const std::vector<std::string> kUnsupported = {"filesizeformat", "pprint",   "random", "striptags",
                                                        "urlize",         "wordwrap", "xmlattr"};
  if (std::find(kUnsupported.begin(), kUnsupported.end(), name) != kUnsupported.end())
    return "the filter '" + name + "' is not supported in chat templates";
  return "no filter named '" + name + "'";
}

std::string test_problem(const std::string& name) {
  return find_test(name) ? "" : "no test named '" + name + "'";
}

Value apply_filter(Runtime& rt, const std::string& name, const Value& value, const Args& args) {
  Filter filter = find_filter(name);
  if (filter == nullptr) rt.fail(filter_problem(name));
  rt.charge(1);
  return filter(rt, value, args);
}

bool apply_test(Runtime& rt, const std::string& name, const Value& value, const Args& args) {
  const TestEntry* entry = find_test(name);
  if (entry == nullptr) rt.fail(test_problem(name));
  std::string callee = "the test '" + name + "'";
  return entry->test(
      rt, value, entry->arguments == 0 ? bind(rt, callee, args, {}) : bind(rt, callee, args, {"other"}, 1));
}

std::vector<std::pair<std::string, Value>> global_functions(Runtime& rt, const std::tm& now) {
  auto raise = [](Runtime& run, const Args& args) -> Value {
    Bound bound = bind(run, "raise_exception()", args, {"message"}, 1);
    run.fail("the template refuses: \"" + to_str(run, bound.at(0)) + '"');
  };
  auto strftime_now = [now](Runtime& run, const Args& args) {
    Bound bound = bind(run, "strftime_now()", args, {"format"}, 1);
    return run.string(time_format(run, string_arg(run, bound.at(0), "strftime_now()"), now));
  };
  return {
      {"range", rt.function("range", make_range)},
      {"dict",
       rt.function("dict", [](Runtime& run, const Args& args) { return run.dict(dict_items(run, args)); })},
      {"namespace", rt.function("namespace", make_namespace)},
      {"joiner", rt.function("joiner", make_joiner)},
      {"raise_exception", rt.function("raise_exception", raise)},
      {"strftime_now", rt.function("strftime_now", strftime_now)},
  };
}

}  // namespace sdft::jinja
