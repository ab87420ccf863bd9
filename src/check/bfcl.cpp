// "bfcl": the verdicts of the Berkeley Function-Calling Leaderboard (version 4) for Python, single turn:
// the categories simple, multiple, parallel and parallel_multiple, live_* too, by one rule; and with an
// argument irrelevance and relevance. A record has its fields: "function", the schemas shown, and
// "ground_truth", for each expected call {name: {parameter: [accepted values]}}, "" among these where the
// parameter may be left out. Where its checker would end with an exception, the answer fails.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/utf8.h"
#include "check/bfcl_answer.h"
#include "check/check.h"
#include "data/code_points.h"

namespace sdft {
namespace {

using Type = PyValue::Type;
using Values = std::vector<PyValue>;

struct TypeName {
  std::string_view name;
  Type type;
};
constexpr TypeName kTypes[] = {
    {"string", PyValue::kString}, {"integer", PyValue::kInt}, {"float", PyValue::kFloat},
    {"boolean", PyValue::kBool},  {"array", PyValue::kList},  {"tuple", PyValue::kList},
    {"dict", PyValue::kDict},     {"any", PyValue::kString},  {"number", PyValue::kFloat},
    {"object", PyValue::kDict}};  // the last two are JSON schema's, not in its data

std::optional<Type> type_of(const Json& schema) {
  if (!schema.is_object() || !schema.contains("type") || !schema["type"].is_string()) return std::nullopt;
  for (const TypeName& one : kTypes)
    if (one.name == schema["type"].get_ref<const std::string&>()) return one.type;
  return std::nullopt;
}

bool is_optional_mark(const PyValue& value) { return value.type == PyValue::kString && value.text.empty(); }

bool among(const PyValue& value, const Values& values) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// The type of the first accepted value that says one.
std::optional<Type> accepted_type(const Values& accepted) {
  for (const PyValue& one : accepted)
    if (!is_optional_mark(one)) return one.type;
  return std::nullopt;
}

// What iterating over it gives: the items of a list, the characters of a string; none of what cannot be.
std::optional<Values> iterated(const PyValue& value) {
  if (value.type == PyValue::kList || value.type == PyValue::kTuple) return value.items;
  if (value.type == PyValue::kDict) return value.keys;
  if (value.type != PyValue::kString) return std::nullopt;
  Values characters;
  for (char32_t c : code_points(value.text)) characters.push_back(py_string(to_utf8(std::u32string(1, c))));
  return characters;
}

// Strings are compared without spaces and , . / - _ * ^, in any case, and with one kind of quotes.
PyValue even_out(PyValue value) {
  if (value.type != PyValue::kString) return value;
  std::string text;
  for (char c : value.text)
    if (std::string_view(" ,./-_*^").find(c) == std::string_view::npos) text += c == '\'' ? '"' : c;
  value.text = unicode_lowercase(text);
  return value;
}
Values even_out(Values values) {
  for (PyValue& value : values) value = even_out(std::move(value));
  return values;
}

// A parameter's type, and whether the value is compared as it is, since the accepted ones are of another
// type than the schema's (a variable's name, say).
struct TypeMatch {
  bool valid = false, as_it_is = false;
};

TypeMatch match_type(const PyValue& value, const Values& accepted, Type type) {
  const std::optional<Type> other = accepted_type(accepted);
  if (value.type == type) return {true, other && *other != type};
  return {other && value.type == *other, true};
}

TypeMatch match_items(const PyValue& value, const Values& accepted, Type type, Type item_type) {
  if (value.type != type) return match_type(value, accepted, type);
  for (const PyValue& one : accepted) {
    const bool fit = one.type != PyValue::kList ||
                     std::all_of(value.items.begin(), value.items.end(), [&](const PyValue& item) {
                       return match_type(item, one.items, item_type).valid;
                     });
    if (fit) return {true, match_type(value, accepted, type).as_it_is};
  }
  return {};
}

bool match_list(const PyValue& value, const Values& accepted) {
  const Values given = even_out(value.items);
  bool found = false;
  for (const PyValue& one : accepted) {
    const std::optional<Values> items = iterated(one);
    if (!items || one.type == PyValue::kDict) return false;
    found = found || even_out(*items) == given;
  }
  return found;
}

bool match_dict(const PyValue& value, const PyValue& accepted) {
  if (value.type != PyValue::kDict || accepted.type != PyValue::kDict) return false;
  for (size_t i = 0; i < value.keys.size(); ++i) {
    const PyValue* values = accepted.find(value.keys[i]);
    const std::optional<Values> possible = values ? iterated(*values) : std::nullopt;
    if (!possible || values->type == PyValue::kDict || !among(even_out(value.items[i]), even_out(*possible)))
      return false;
  }
  for (size_t i = 0; i < accepted.keys.size(); ++i) {
    if (value.find(accepted.keys[i])) continue;
    // "" is in every string, too.
    if (accepted.items[i].type != PyValue::kString && !among(py_string(""), accepted.items[i].items))
      return false;
  }
  return true;
}

bool match_dicts(const Values& given, const Values& accepted) {
  return std::any_of(accepted.begin(), accepted.end(), [&](const PyValue& one) {
    const std::optional<Values> wanted = iterated(one);
    if (!wanted || wanted->size() != given.size()) return false;
    for (size_t i = 0; i < given.size(); ++i)
      if (!match_dict(given[i], (*wanted)[i])) return false;
    return true;
  });
}

bool match_value(PyValue value, const Values& accepted, const Json& schema) {
  const std::optional<Type> type = type_of(schema);
  if (!type) return false;
  const std::string name = schema["type"];
  const bool nested = name == "array" || name == "tuple";
  const std::optional<Type> item_type =
      nested && schema.contains("items") ? type_of(schema["items"]) : std::nullopt;
  if (nested && !item_type) return false;
  if (name == "tuple" && value.type == PyValue::kTuple) value.type = PyValue::kList;
  if (*type == PyValue::kFloat && value.type == PyValue::kInt)
    value = py_number(PyValue::kFloat, value.number);

  const TypeMatch match =
      nested ? match_items(value, accepted, *type, *item_type) : match_type(value, accepted, *type);
  if (!match.valid) return false;
  if (match.as_it_is) return among(value, accepted);
  if (*type == PyValue::kDict)
    return std::any_of(accepted.begin(), accepted.end(),
                       [&](const PyValue& one) { return match_dict(value, one); });
  if (nested && *item_type == PyValue::kDict) return match_dicts(value.items, accepted);
  if (*type == PyValue::kString) return among(even_out(value), even_out(accepted));
  return nested ? match_list(value, accepted) : among(value, accepted);
}

// The schema of a function, of several by its name.
const Json* schema_of(const Json& functions, const std::string& name) {
  for (const Json& one : functions)
    if (one.is_object() && one.contains("name") && one["name"] == name) return &one;
  return nullptr;
}

// Names of parameters that every call needs.
std::vector<std::string> required_of(const Json& schema) {
  std::vector<std::string> names;
  for (const Json& name : schema["parameters"]["required"])
    if (name.is_string()) names.push_back(name);
  return names;
}

// Why the call is not the expected one, or "". `accepted`: {parameter: [values]}.
std::string fault_of_call(const BfclCall& call, const std::string& name, const Json& accepted,
                          const Json& schema) {
  if (call.name != name) return "the function " + call.name;
  for (const std::string& needed : required_of(schema))
    if (!call.arguments.find(py_string(needed))) return "no argument " + needed;
  const Json& properties = schema["parameters"]["properties"];
  for (size_t i = 0; i < call.arguments.keys.size(); ++i) {
    const PyValue& key = call.arguments.keys[i];
    if (key.type != PyValue::kString || !properties.contains(key.text) || !accepted.contains(key.text))
      return "an argument " + key.text;
    if (!match_value(call.arguments.items[i], py_value(accepted[key.text]).items, properties[key.text]))
      return "another " + key.text;
  }
  for (const auto& [parameter, values] : accepted.items())
    if (!call.arguments.find(py_string(parameter)) &&
        std::find(values.begin(), values.end(), "") == values.end())
      return "no argument " + parameter;
  return "";
}

std::string without_dots(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// `dots`: functions have their names as they are, and not with _ for every dot.
// Each expected call takes the first of the answer's calls that it fits and that no one took.
std::string fault_of_calls(const std::vector<BfclCall>& calls, const Json& functions, const Json& truth,
                           bool dots) {
  if (calls.size() != truth.size())
    return std::to_string(calls.size()) + (calls.size() == 1 ? " call" : " calls") + " instead of " +
           std::to_string(truth.size());
  std::vector<bool> taken(calls.size());
  for (const Json& expected : truth) {
    const std::string name = expected.items().begin().key();
    std::string fault;
    bool found = false;
    for (size_t i = 0; i < calls.size() && !found; ++i) {
      if (taken[i]) continue;
      const std::string why = fault_of_call(calls[i], dots ? name : without_dots(name), expected[name],
                                            *schema_of(functions, name));
      if (fault.empty()) fault = why;
      found = taken[i] = why.empty();
    }
    if (!found) return fault;
  }
  return "";
}

std::string fault_of_schema(const Json& schema, const Json& accepted) {
  const std::string name = schema["name"];
  const bool whole =
      schema.contains("parameters") && schema["parameters"].is_object() &&
      schema["parameters"].contains("properties") && schema["parameters"].contains("required") &&
      schema["parameters"]["properties"].is_object() && schema["parameters"]["required"].is_array();
  if (!whole) return "field 'function': " + name + " has no parameters with properties and required";
  for (const auto& [parameter, values] : accepted.items()) {
    const std::string where = "field 'function': parameter '" + parameter + "' of " + name;
    if (!values.is_array())
      return "field 'ground_truth': '" + parameter + "' of " + name + " is no list of values";
    const Json& properties = schema["parameters"]["properties"];
    if (!properties.contains(parameter)) continue;
    const Json& about = properties[parameter];
    const std::optional<Type> type = type_of(about);
    if (!type) return where + " has no type of " + "string, integer, float, boolean, array, tuple, dict, any";
    if (*type == PyValue::kList && !(about.contains("items") && type_of(about["items"])))
      return where + " has no items of a known type";
  }
  return "";
}

enum class Category { kCalls, kIrrelevance, kRelevance };
Category category_of(const Argument& argument) {
  return argument.text == "irrelevance" ? Category::kIrrelevance
         : argument.text == "relevance" ? Category::kRelevance
                                        : Category::kCalls;
}

std::string missing(const CheckItem& item, const Argument& argument) {
  if (category_of(argument) != Category::kCalls) return "";
  const Json& fields = item.fields ? *item.fields : Json();
  if (!fields.is_object() || !fields.contains("function") || !fields["function"].is_array())
    return "field 'function': expected a list of function descriptions";
  const Json truth = fields.contains("ground_truth") ? fields["ground_truth"] : Json();
  if (!truth.is_array() || truth.empty())
    return "field 'ground_truth': expected a list of calls, {name: {parameter: [accepted values]}}";
  for (const Json& expected : truth) {
    if (!expected.is_object() || expected.size() != 1 || !expected.begin()->is_object())
      return "field 'ground_truth': expected each call as {name: {parameter: [accepted values]}}";
    const Json* schema = schema_of(fields["function"], expected.items().begin().key());
    if (!schema) return "field 'function': describes no '" + expected.items().begin().key() + "'";
    if (std::string fault = fault_of_schema(*schema, *expected.begin()); !fault.empty()) return fault;
  }
  return "";
}

EvalResult judge_bfcl(const CheckItem& item, const Argument& argument) {
  const std::optional<std::vector<BfclCall>> calls = bfcl_calls(utf8_lossy(std::string(item.answer)));
  const bool any = calls && !calls->empty();
  const Category category = category_of(argument);
  if (category != Category::kCalls)
    return result_of(item, any == (category == Category::kRelevance), any ? "call" : "no_call",
                     any ? calls->front().name : "");
  if (!calls) return result_of(item, false, "no_call");
  if (const std::string lacks = missing(item, argument); !lacks.empty())
    return result_of(item, false, kMismatch, lacks);
  const Json &functions = item.fields->at("function"), &truth = item.fields->at("ground_truth");
  std::string fault = fault_of_calls(*calls, functions, truth, true);
  if (any && calls->front().json && fault_of_calls(*calls, functions, truth, false).empty()) fault = "";
  return result_of(item, fault.empty(), kMismatch, fault);
}

void read_category(Argument* argument) {
  if (argument->text != "irrelevance" && argument->text != "relevance")
    fail_usage("expected irrelevance or relevance; the other categories need no word");
}

}  // namespace

Check bfcl_check() {
  Check check = {"bfcl", kTaskCheck,
                 "the calls that the Berkeley leaderboard accepts (fields function, ground_truth)",
                 each<judge_bfcl>};
  check.metric = "accuracy";
  check.missing = missing;
  check.takes = "[CATEGORY]";
  check.read = read_category;
  return check;
}

}  // namespace sdft
