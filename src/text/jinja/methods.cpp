// Attributes, items, slices, and the methods of strings, dicts and lists.
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/find.h"
#include "text/jinja/format.h"
#include "text/jinja/loop.h"
#include "text/jinja/string.h"
#include "text/unicode/characters.h"

namespace sdft::jinja {
namespace {

using Method = Value (*)(Runtime&, const Value& self, const Args&);

int64_t optional_int(Runtime& rt, const Bound& bound, size_t i, int64_t fallback, const char* what) {
  return bound.has(i) && !bound.at(i).is_none() ? int_arg(rt, bound.at(i), what) : fallback;
}

// Collects parts of a text as strings.
struct Strings {
  Runtime& rt;
  bool markup;
  std::vector<Value> items = {};

  void operator()(std::string_view part) { items.push_back(rt.string(std::string(part), markup)); }
};

// Byte places of the characters [start, end) of a text, Python's rules for negative and large ones.
std::string_view part_of(Runtime& rt, const std::string& text, const Bound& bound, size_t first,
                         size_t* offset) {
  *offset = 0;
  if (!bound.has(first) && !bound.has(first + 1)) return text;
  int64_t size = static_cast<int64_t>(char_count(text));
  auto place = [&](size_t i, int64_t fallback) {
    int64_t at = optional_int(rt, bound, i, fallback, "index");
    return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size);
  };
  int64_t start = place(first, 0), end = place(first + 1, size);
  bool beyond = optional_int(rt, bound, first, 0, "index") > size || start > end;
  end = std::max(start, end);
  const size_t begin_byte = char_place(text, static_cast<size_t>(start));
  const size_t end_byte = char_place(text, static_cast<size_t>(end - start), begin_byte);
  *offset = beyond ? std::string::npos : begin_byte;
  return std::string_view(text).substr(begin_byte, end_byte - begin_byte);
}

template <int sides>
Value strip_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "strip()", args, {"chars"});
  if (!bound.has(0) || bound.at(0).is_none())
    return rt.string(std::string(strip(self.as_string(), sides)), self.markup);
  std::string chars = string_arg(rt, bound.at(0), "strip()");
  rt.charge_reading(chars.size());
  return rt.string(std::string(strip(self.as_string(), sides, &chars)), self.markup);
}

template <bool from_right>
Value split_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "split()", args, {"sep", "maxsplit"});
  int64_t limit = bound.has(1) ? int_arg(rt, bound.at(1), "split()") : -1;
  std::string separator;
  const std::string* by = nullptr;
  if (bound.has(0) && !bound.at(0).is_none()) {
    separator = string_arg(rt, bound.at(0), "split()");
    if (separator.empty()) rt.fail("split(): empty separator");
    by = &separator;
  }
  Strings parts{rt, self.markup};
  (from_right ? rsplit : split)(self.as_string(), by, limit, [&](std::string_view part) { parts(part); });
  if (from_right) std::reverse(parts.items.begin(), parts.items.end());
  return rt.list(std::move(parts.items));
}

// startswith and endswith: a string or a tuple of them, within [start, end).
template <bool at_end>
Value affix_method(Runtime& rt, const Value& self, const Args& args) {
  const char* name = at_end ? "endswith()" : "startswith()";
  Bound bound = bind(rt, name, args, {"prefix", "start", "end"}, 1);
  size_t offset = 0;
  std::string_view text = part_of(rt, self.as_string(), bound, 1, &offset);
  std::vector<Value> candidates = {bound.at(0)};
  if (bound.at(0).is(Type::kTuple)) candidates = bound.at(0).as_list().items;
  rt.charge(candidates.size());
  for (const Value& candidate : candidates) {
    std::string affix = string_arg(rt, candidate, name);
    if (offset == std::string::npos || affix.size() > text.size()) continue;
    if (text.substr(at_end ? text.size() - affix.size() : 0, affix.size()) == affix) return Value::of(true);
  }
  return Value::of(false);
}

int64_t find_in(Runtime& rt, const Value& self, const Args& args, bool from_right, const char* name) {
  Bound bound = bind(rt, name, args, {"sub", "start", "end"}, 1);
  std::string wanted = string_arg(rt, bound.at(0), name);
  size_t offset = 0;
  std::string_view text = part_of(rt, self.as_string(), bound, 1, &offset);
  size_t found = from_right ? find_text_last(text, wanted) : find_text(text, wanted);
  if (offset == std::string::npos || found == std::string_view::npos) return -1;
  return static_cast<int64_t>(char_count(std::string_view(self.as_string()).substr(0, offset + found)));
}

template <bool from_right>
Value find_method(Runtime& rt, const Value& self, const Args& args) {
  return Value::of(find_in(rt, self, args, from_right, "find()"));
}

template <bool from_right>
Value index_method(Runtime& rt, const Value& self, const Args& args) {
  int64_t found = find_in(rt, self, args, from_right, "index()");
  if (found < 0) rt.fail("index(): substring not found");
  return Value::of(found);
}

Value count_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "count()", args, {"sub", "start", "end"}, 1);
  std::string wanted = string_arg(rt, bound.at(0), "count()");
  size_t offset = 0;
  std::string_view text = part_of(rt, self.as_string(), bound, 1, &offset);
  if (offset == std::string::npos) return Value::of(int64_t{0});
  return Value::of(count_text(text, wanted));
}

Value replace_method(Runtime& rt, const Value& self, const Args& args) {
  if (!args.named.empty()) rt.fail("str.replace() takes no keyword arguments");
  Bound bound = bind(rt, "replace()", args, {"old", "new", "count"}, 2);
  std::string from = string_arg(rt, bound.at(0), "replace()"), to = string_arg(rt, bound.at(1), "replace()");
  int64_t limit = bound.has(2) ? int_arg(rt, bound.at(2), "replace()") : -1;
  if (to.size() > from.size()) {
    int64_t times = count_text(self.as_string(), from);
    if (limit >= 0) times = std::min(times, limit);
    rt.check_size(self.as_string().size() + static_cast<uint64_t>(times) * (to.size() - from.size()));
  }
  return rt.string(replace_text(self.as_string(), from, to, limit), self.markup);
}

Value join_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "join()", args, {"iterable"}, 1);
  std::string text;
  bool first = true;
  Next next = iterate(rt, bound.at(0));
  for (Value item; next(&item); first = false) {
    if (!first) text += self.as_string();
    if (!item.is_string()) rt.fail("join(): expected strings, found " + type_name(item));
    text += item.as_string();
    rt.check_size(text.size());
  }
  return rt.string(std::move(text), self.markup);
}

template <std::string (*change)(std::string_view)>
Value case_method(Runtime& rt, const Value& self, const Args& args) {
  bind(rt, "method", args, {});
  return rt.string(change(self.as_string()), self.markup);
}

template <char align>
Value justify_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "justify", args, {"width", "fillchar"}, 1);
  int64_t width = std::max<int64_t>(int_arg(rt, bound.at(0), "width"), 0);
  std::string fill = bound.has(1) ? string_arg(rt, bound.at(1), "fillchar") : " ";
  if (char_count(fill) != 1) rt.fail("the fill character must be exactly one character long");
  rt.check_size(static_cast<uint64_t>(width));
  rt.charge_reading(static_cast<size_t>(width));
  int64_t missing = std::max<int64_t>(width - static_cast<int64_t>(char_count(self.as_string())), 0);
  int64_t left = align == '<' ? 0 : align == '>' ? missing : missing / 2 + (missing & width & 1);
  std::string text;
  for (int64_t i = 0; i < left; ++i) text += fill;
  text += self.as_string();
  for (int64_t i = left; i < missing; ++i) text += fill;
  return rt.string(std::move(text), self.markup);
}

Value zfill_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "zfill()", args, {"width"}, 1);
  int64_t width = std::max<int64_t>(int_arg(rt, bound.at(0), "zfill()"), 0);
  rt.check_size(static_cast<uint64_t>(width));
  std::string text = self.as_string();
  int64_t missing = std::max<int64_t>(width - static_cast<int64_t>(char_count(text)), 0);
  bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  text.insert(sign ? 1 : 0, static_cast<size_t>(missing), '0');
  return rt.string(std::move(text));
}

Value splitlines_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "splitlines()", args, {"keepends"});
  Strings lines{rt, self.markup};
  split_lines(self.as_string(), bound.has(0) && truth(rt, bound.at(0)),
              [&](std::string_view line) { lines(line); });
  return rt.list(std::move(lines.items));
}

template <bool from_right>
Value partition_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "partition()", args, {"sep"}, 1);
  std::string by = string_arg(rt, bound.at(0), "partition()");
  if (by.empty()) rt.fail("partition(): empty separator");
  const std::string& text = self.as_string();
  size_t found = from_right ? find_text_last(text, by) : find_text(text, by);
  if (found == std::string::npos) {
    Value none = rt.string("", self.markup);
    return from_right ? rt.tuple({none, none, self}) : rt.tuple({self, none, none});
  }
  return rt.tuple({rt.string(text.substr(0, found), self.markup), rt.string(by, self.markup),
                   rt.string(text.substr(found + by.size()), self.markup)});
}

template <bool at_end>
Value remove_affix_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "removeprefix()", args, {"prefix"}, 1);
  std::string affix = string_arg(rt, bound.at(0), "removeprefix()");
  const std::string& text = self.as_string();
  if (affix.size() > text.size()) return self;
  size_t rest = text.size() - affix.size();
  if (text.compare(at_end ? rest : 0, affix.size(), affix) != 0) return self;
  return rt.string(text.substr(at_end ? 0 : affix.size(), rest));
}

// isdigit and the like: all characters are `wanted`, and there is one.
template <bool (*wanted)(char32_t)>
Value all_method(Runtime& rt, const Value& self, const Args& args) {
  bind(rt, "method", args, {});
  const std::string& text = self.as_string();
  for (size_t at = 0; at < text.size();) {
    if (!wanted(next_char(text, &at))) return Value::of(false);
  }
  return Value::of(!text.empty());
}

template <bool upper_case>
Value cased_method(Runtime& rt, const Value& self, const Args& args) {
  bind(rt, "method", args, {});
  const std::string& text = self.as_string();
  bool any = false;
  for (size_t at = 0; at < text.size();) any |= is_cased(next_char(text, &at));
  return Value::of(any && (upper_case ? upper(text) : lower(text)) == text);
}

Value istitle_method(Runtime& rt, const Value& self, const Args& args) {
  bind(rt, "istitle()", args, {});
  const std::string& text = self.as_string();
  bool any = false;
  for (size_t at = 0; at < text.size();) any |= is_cased(next_char(text, &at));
  return Value::of(any && title(text) == text);
}

Value isprintable_method(Runtime& rt, const Value& self, const Args& args) {
  return Value::of(self.as_string().empty() || all_method<is_printable>(rt, self, args).boolean);
}

Value isascii_method(Runtime& rt, const Value& self, const Args& args) {
  bind(rt, "isascii()", args, {});
  const std::string& text = self.as_string();
  return Value::of(std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; }));
}

Value format_method(Runtime& rt, const Value& self, const Args& args) {
  return rt.string(brace_format(rt, self.as_string(), args), self.markup);
}

const std::map<std::string, Method>& string_methods() {
  static const std::map<std::string, Method> kMethods = {
      {"strip", strip_method<3>},
      {"lstrip", strip_method<1>},
      {"rstrip", strip_method<2>},
      {"split", split_method<false>},
      {"rsplit", split_method<true>},
      {"splitlines", splitlines_method},
      {"startswith", affix_method<false>},
      {"endswith", affix_method<true>},
      {"find", find_method<false>},
      {"rfind", find_method<true>},
      {"index", index_method<false>},
      {"rindex", index_method<true>},
      {"count", count_method},
      {"replace", replace_method},
      {"join", join_method},
      {"upper", case_method<upper>},
      {"lower", case_method<lower>},
      {"title", case_method<title>},
      {"capitalize", case_method<capitalize>},
      {"swapcase", case_method<swap_case>},
      {"ljust", justify_method<'<'>},
      {"rjust", justify_method<'>'>},
      {"center", justify_method<'^'>},
      {"zfill", zfill_method},
      {"partition", partition_method<false>},
      {"rpartition", partition_method<true>},
      {"removeprefix", remove_affix_method<false>},
      {"removesuffix", remove_affix_method<true>},
      {"isdigit", all_method<is_digit>},
      {"isdecimal", all_method<is_decimal>},
      {"isnumeric", all_method<is_unicode_number>},
      {"isalpha", all_method<is_alpha>},
      {"isalnum", all_method<is_alnum>},
      {"isspace", all_method<is_space>},
      {"isupper", cased_method<true>},
      {"islower", cased_method<false>},
      {"isprintable", isprintable_method},
      {"isascii", isascii_method},
      {"casefold", case_method<casefold>},
      {"istitle", istitle_method},
      {"format", format_method},
  };
  return kMethods;
}

Value get_method_of_dict(Runtime& rt, const Value& self, const Args& args) {
  if (!args.named.empty()) rt.fail("dict.get() takes no keyword arguments");
  Bound bound = bind(rt, "get()", args, {"key", "default"}, 1);
  const Value& key = bound.at(0);
  require_hashable(rt, key);
  const Value* found = find(rt, self.as_dict(), key);
  return found ? *found : bound.has(1) ? bound.at(1) : Value::none();
}

Value items_method(Runtime& rt, const Value& self, const Args& args) {
  bind(rt, "items()", args, {});
  return rt.sequence(Type::kDictView, dict_pairs(rt, self.as_dict()), "dict_items");
}
Value keys_method(Runtime& rt, const Value& self, const Args& args) {
  bind(rt, "keys()", args, {});
  return rt.sequence(Type::kDictView, dict_keys(self.as_dict()), "dict_keys");
}
Value values_method(Runtime& rt, const Value& self, const Args& args) {
  bind(rt, "values()", args, {});
  return rt.sequence(Type::kDictView, dict_values(self.as_dict()), "dict_values");
}
Value copy_method(Runtime& rt, const Value& self, const Args& args) {
  bind(rt, "copy()", args, {});
  return self;  // nothing changes a value here
}

Value list_count_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "count()", args, {"value"}, 1);
  const auto& items = self.as_list().items;
  rt.charge(items.size());
  return Value::of(static_cast<int64_t>(std::count_if(
      items.begin(), items.end(), [&](const Value& item) { return equal(rt, item, bound.at(0)); })));
}
Value list_index_method(Runtime& rt, const Value& self, const Args& args) {
  Bound bound = bind(rt, "index()", args, {"value"}, 1);
  const auto& items = self.as_list().items;
  rt.charge(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    if (equal(rt, items[i], bound.at(0))) return Value::of(static_cast<int64_t>(i));
  }
  rt.fail("index(): the value is not in the list");
}

// Attributes that Python has and chat templates do not use.
bool is_unsupported(const Value& object, const std::string& name) {
  using Names = std::vector<std::string>;
  static const Names kOfStrings = {"encode",       "expandtabs", "format_map",
                                   "isidentifier", "maketrans",  "translate"};
  static const Names kOfMarkup = {"unescape", "striptags", "escape"};
  static const Names kOfNumbers = {"real",        "imag",       "conjugate",  "numerator",
                                   "denominator", "is_integer", "bit_length", "as_integer_ratio",
                                   "to_bytes",    "from_bytes", "bit_count",  "hex",
                                   "fromhex",     "from_number"};
  static const Names kOfViews = {"mapping", "isdisjoint"};
  static const Names kOfRanges = {"start", "stop", "step"};
  static const Names kOfFunctions = {"arguments", "caller", "catch_kwargs", "catch_varargs",
                                     "explicit_caller"};
  auto has = [&](const Names& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  return (object.is_string() && (has(kOfStrings) || (object.markup && has(kOfMarkup)))) ||
         (object.is_number() && has(kOfNumbers)) || (object.is(Type::kDictView) && has(kOfViews)) ||
         (object.is(Type::kRange) && has(kOfRanges)) || (object.is(Type::kFunction) && has(kOfFunctions)) ||
         (object.is(Type::kDict) && name == "fromkeys");
}

// Methods that change their object: the sandbox keeps them away.
bool is_forbidden(const Value& object, const std::string& name) {
  static const std::vector<std::string> kOfLists = {"append", "clear",  "extend",  "insert",
                                                    "pop",    "remove", "reverse", "sort"};
  static const std::vector<std::string> kOfDicts = {"clear", "pop", "popitem", "setdefault", "update"};
  auto has = [&](const auto& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  return (object.is(Type::kList) && has(kOfLists)) || (object.is(Type::kDict) && has(kOfDicts));
}

Method find_method_of(const Value& object, const std::string& name) {
  if (object.is_string()) {
    auto place = string_methods().find(name);
    return place == string_methods().end() ? nullptr : place->second;
  }
  if (object.is(Type::kDict)) {
    if (name == "get") return get_method_of_dict;
    if (name == "items") return items_method;
    if (name == "keys") return keys_method;
    if (name == "values") return values_method;
    if (name == "copy") return copy_method;
  }
  if (object.is_sequence() && !object.is(Type::kDictView)) {
    if (name == "count") return list_count_method;
    if (name == "index") return list_index_method;
    if (name == "copy" && object.is(Type::kList)) return copy_method;
  }
  return nullptr;
}

std::string described(const Value& object) {
  return object.is_none() ? "None" : type_name(object) + " object";
}

Value no_attribute(const Value& object, const std::string& name) {
  return Value::undefined("'" + described(object) + "' has no attribute '" + printable(name) + "'");
}

// The characters from, from + step, ... before `to`.
std::string text_slice(const std::string& text, int64_t from, int64_t to, int64_t step) {
  if (step > 0 ? from >= to : from <= to) return "";
  if (step == 1) {
    const size_t begin = char_place(text, static_cast<size_t>(from));
    return text.substr(begin, char_place(text, static_cast<size_t>(to - from), begin) - begin);
  }
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  const uint64_t count = static_cast<uint64_t>(step > 0 ? to - from - 1 : from - to - 1) / stride + 1;
  // Always read from left to right.
  const auto first = static_cast<uint64_t>(from) - (step > 0 ? 0 : (count - 1) * stride);
  std::string result;
  size_t at = char_place(text, first);
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) at = char_place(text, stride, at);
    result.append(text, at, char_place(text, 1, at) - at);
  }
  return step > 0 ? result : reversed(result);
}

// What a range's slice [from:to:step] prints.
std::string shown_slice(Runtime& rt, const List& range, int64_t from, int64_t to, int64_t step) {
  long long start = 0, stop = 0, by = 1;
  std::sscanf(range.shown.c_str(), "range(%lld, %lld, %lld)", &start, &stop, &by);
  auto fitting = [&](__int128 number) {
    if (number != static_cast<int64_t>(number)) rt.fail("the number is too large");
    return std::to_string(static_cast<int64_t>(number));
  };
  using Wide = __int128;
  const Wide whole_step = static_cast<Wide>(by) * step;
  return "range(" + fitting(start + static_cast<Wide>(from) * by) + ", " +
         fitting(start + static_cast<Wide>(to) * by) +
         (whole_step == 1 ? ")" : ", " + fitting(whole_step) + ")");
}

// object[key] where there is such an item.
const Value* find_item(Runtime& rt, const Value& object, const Value& key, Value* made) {
  if (object.is(Type::kDict)) {
    if (!is_hashable(rt, key)) return nullptr;
    return find(rt, object.as_dict(), key);
  }
  int64_t size = 0;
  bool indexable = object.is_string() || (object.is_sequence() && !object.is(Type::kDictView));
  if (!indexable || !key.is_integral() || !length_of(rt, object, &size)) return nullptr;
  int64_t index = key.as_int() < 0 ? key.as_int() + size : key.as_int();
  if (index < 0 || index >= size) return nullptr;
  if (!object.is_string()) return &object.as_list().items[static_cast<size_t>(index)];
  const std::string& text = object.as_string();
  const size_t begin = char_place(text, static_cast<size_t>(index));
  *made = rt.string(text.substr(begin, char_place(text, 1, begin) - begin), object.markup);
  return made;
}

}  // namespace

Value get_method(Runtime& rt, const Value& object, const std::string& name) {
  if (Method method = find_method_of(object, name)) {
    return rt.function(name, [object, method](Runtime& run, const Args& args) {
      if (object.is_string()) run.charge_reading(object.as_string().size());
      return method(run, object, args);
    });
  }
  if (is_unsupported(object, name))
    rt.fail("the attribute '" + name + "' of " + type_name(object) + " is not supported");
  if (is_forbidden(object, name))
    return Value::undefined("access to attribute '" + name + "' of '" + type_name(object) +
                            "' object is unsafe");
  return no_attribute(object, name);
}

Value get_attribute(Runtime& rt, const Value& object, const std::string& name) {
  if (object.is_undefined()) rt.fail(*object.text);
  if (object.is(Type::kLoop)) return loop_attribute(rt, object, name);
  if (object.is(Type::kNamespace)) {
    const Namespace& names = *static_cast<const Namespace*>(object.object);
    rt.charge(names.items.size() / 8);
    const Value* value = find(names, name);
    return value ? *value : no_attribute(object, name);
  }
  if (object.is(Type::kTuple) && object.as_list().shown == "group" && (name == "grouper" || name == "list"))
    return object.as_list().items[name == "grouper" ? 0 : 1];
  if (object.is(Type::kFunction) && name == "name")
    return rt.string(static_cast<const Function*>(object.object)->name);
  bool is_method = find_method_of(object, name) || is_forbidden(object, name) || is_unsupported(object, name);
  if (!is_method && object.is(Type::kDict)) {
    if (const Value* item = find(object.as_dict(), name)) return *item;
  }
  return get_method(rt, object, name);
}

Value get_item(Runtime& rt, const Value& object, const Value& key) {
  if (object.is_undefined()) rt.fail(*object.text);
  Value made;
  if (const Value* item = find_item(rt, object, key, &made)) return *item;
  if (key.is_string()) {
    return get_attribute(rt, object, key.as_string());
  }
  return Value::undefined(described(object) + " has no element " + to_repr(rt, key));
}

Value get_slice(Runtime& rt, const Value& object, const Value& start, const Value& stop,
                const Value& step_value) {
  if (object.is_undefined()) rt.fail(*object.text);
  bool sliceable = object.is_string() || (object.is_sequence() && !object.is(Type::kDictView));
  if (!sliceable) {
    if (object.is(Type::kDict)) rt.fail("unhashable type: 'slice'");
    rt.fail("'" + type_name(object) + "' object is not subscriptable");
  }
  int64_t step = step_value.is_none() ? 1 : int_arg(rt, step_value, "slice");
  if (step == 0) rt.fail("slice step cannot be zero");
  int64_t size = 0;
  length_of(rt, object, &size);
  int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  auto place = [&](const Value& value, int64_t fallback) {
    if (value.is_none()) return fallback;
    int64_t at = int_arg(rt, value, "slice");
    return std::clamp(at < 0 ? at + size : at, low, high);
  };
  int64_t from = place(start, step > 0 ? low : high), to = place(stop, step > 0 ? high : low);
  if (object.is_string()) return rt.string(text_slice(object.as_string(), from, to, step), object.markup);
  std::vector<Value> items;
  for (int64_t i = from; step > 0 ? i < to : i > to;) {
    items.push_back(object.as_list().items[static_cast<size_t>(i)]);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return rt.sequence(object.type, std::move(items),
                     object.is(Type::kRange) ? shown_slice(rt, object.as_list(), from, to, step) : "");
}

}  // namespace sdft::jinja
