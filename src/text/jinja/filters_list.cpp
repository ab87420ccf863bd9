// Filters of lists and dicts.
#include <algorithm>
#include <map>
#include <set>

#include "text/jinja/builtins.h"
#include "text/jinja/format.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/string.h"

namespace sdft::jinja {
namespace {

using Key = std::function<Value(const Value&)>;

// Follows a path such as "a.b.0" from an item; `fallback` (may be null) stands for what is undefined on the
// way.
Key path_key(Runtime& rt, const Value& attribute, const Value* fallback = nullptr) {
  std::vector<Value> parts;
  if (attribute.is_string()) {
    static const std::string kDot = ".";
    rt.charge_reading(attribute.as_string().size());
    split(attribute.as_string(), &kDot, -1, [&](std::string_view part) {
      bool digits =
          !part.empty() && part.find_first_not_of("0123456789") == std::string::npos && part.size() < 18;
      parts.push_back(digits ? Value::of(int64_t{std::stoll(std::string(part))})
                             : rt.string(std::string(part)));
    });
  } else if (!attribute.is_none()) {
    parts.push_back(attribute);
  }
  bool has_fallback = fallback != nullptr && !fallback->is_none();
  return [&rt, parts, has_fallback, other = has_fallback ? *fallback : Value()](const Value& item) {
    Value value = item;
    for (const Value& part : parts) {
      value = get_item(rt, value, part);
      if (has_fallback && value.is_undefined()) value = other;
    }
    return value;
  };
}

Value lowered(Runtime& rt, const Value& value, bool case_sensitive) {
  if (!value.is_string() || case_sensitive) return value;
  rt.charge_reading(value.as_string().size());
  return rt.string(lower(value.as_string()));
}

bool flag(Runtime& rt, const Bound& bound, size_t i) { return bound.has(i) && truth(rt, bound.at(i)); }
Value or_none(const Bound& bound, size_t i) { return bound.has(i) ? bound.at(i) : Value::none(); }

std::vector<Value> sorted(Runtime& rt, const std::vector<Value>& items, const Key& key, bool reverse) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : items) keyed.emplace_back(key(item), item);
  rt.charge(items.size() * 8);
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    rt.charge(1);
    return reverse ? less(rt, b.first, a.first) : less(rt, a.first, b.first);
  });
  std::vector<Value> result;
  for (auto& item : keyed) result.push_back(item.second);
  return result;
}

Value sort_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "sort", args, {"reverse", "case_sensitive", "attribute"});
  bool sensitive = flag(rt, bound, 1);
  std::vector<Key> keys;
  Value attribute = or_none(bound, 2);
  static const std::string kComma = ",";
  if (attribute.is_string()) {
    rt.charge_reading(attribute.as_string().size());
    split(attribute.as_string(), &kComma, -1,
          [&](std::string_view part) { keys.push_back(path_key(rt, rt.string(std::string(part)))); });
  } else {
    keys.push_back(path_key(rt, attribute));
  }
  Key key = [&](const Value& item) {
    std::vector<Value> parts;
    for (const Key& part : keys) parts.push_back(lowered(rt, part(item), sensitive));
    return rt.list(std::move(parts));
  };
  return rt.list(sorted(rt, to_vector(rt, value), key, flag(rt, bound, 0)));
}

Value dictsort_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "dictsort", args, {"case_sensitive", "by", "reverse"});
  std::string by = bound.has(1) ? string_arg(rt, bound.at(1), "dictsort") : "key";
  if (by != "key" && by != "value") rt.fail("dictsort: you can only sort by \"key\" or \"value\"");
  if (value.is_undefined()) rt.fail(*value.text);
  if (!value.is(Type::kDict)) rt.fail("dictsort: expected a dict, got " + type_name(value));
  size_t place = by == "key" ? 0 : 1;
  Key key = [&](const Value& pair) { return lowered(rt, pair.as_list().items[place], flag(rt, bound, 0)); };
  return rt.list(sorted(rt, dict_pairs(rt, value.as_dict()), key, flag(rt, bound, 2)));
}

Value groupby_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "groupby", args, {"attribute", "default", "case_sensitive"}, 1);
  bool sensitive = flag(rt, bound, 2);
  Key path = path_key(rt, bound.at(0), bound.has(1) ? &bound.at(1) : nullptr);
  Key key = [&](const Value& item) { return lowered(rt, path(item), sensitive); };
  std::vector<Value> groups, members;
  auto close = [&] {
    if (!members.empty())
      groups.push_back(rt.sequence(Type::kTuple, {path(members[0]), rt.list(members)}, "group"));
    members.clear();
  };
  for (const Value& item : sorted(rt, to_vector(rt, value), key, false)) {
    if (!members.empty() && !equal(rt, key(members[0]), key(item))) close();
    members.push_back(item);
  }
  close();
  return rt.list(std::move(groups));
}

Value unique_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "unique", args, {"case_sensitive", "attribute"});
  struct Seen {
    std::set<std::string> strings;
    std::vector<Value> others;
  };
  auto path = path_key(rt, or_none(bound, 1));
  auto seen = std::make_shared<Seen>();
  return rt.generator(
      [&rt, next = iterate(rt, value), sensitive = flag(rt, bound, 0), path, seen](Value* item) {
        while (next(item)) {
          Value key = lowered(rt, path(*item), sensitive);
          require_hashable(rt, key);
          if (key.is_string()) {
            rt.charge(8 + key.as_string().size() / 8);
            if (seen->strings.insert(key.as_string()).second) return true;
            continue;
          }
          rt.charge(seen->others.size());
          if (std::any_of(seen->others.begin(), seen->others.end(),
                          [&](const Value& v) { return equal(rt, v, key); }))
            continue;
          seen->others.push_back(key);
          return true;
        }
        return false;
      });
}

template <bool largest>
Value extreme_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, largest ? "max" : "min", args, {"case_sensitive", "attribute"});
  Key path = path_key(rt, or_none(bound, 1));
  std::vector<Value> items = to_vector(rt, value);
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  Value best = items[0], best_key = lowered(rt, path(best), flag(rt, bound, 0));
  for (size_t i = 1; i < items.size(); ++i) {
    Value key = lowered(rt, path(items[i]), flag(rt, bound, 0));
    if (!(largest ? less(rt, best_key, key) : less(rt, key, best_key))) continue;
    best = items[i];
    best_key = key;
  }
  return best;
}

Value sum_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "sum", args, {"attribute", "start"});
  Key path = path_key(rt, or_none(bound, 0));
  Value total = bound.has(1) ? bound.at(1) : Value::of(int64_t{0});
  if (total.is_string()) rt.fail("sum: the start must not be a string");
  for (const Value& item : to_vector(rt, value)) total = binary(rt, "+", total, path(item));
  return total;
}

Value join_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "join", args, {"d", "attribute"});
  std::string between = bound.has(0) ? to_str(rt, bound.at(0)) : "";
  Key path = path_key(rt, or_none(bound, 1));
  std::string text;
  bool first = true;
  Next next = iterate(rt, value);
  for (Value item; next(&item); first = false) {
    if (!first) text += between;
    text += to_str(rt, path(item));
    rt.check_size(text.size());
  }
  return rt.string(std::move(text));
}

Value length_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "length", args, {});
  int64_t length = 0;
  if (value.is(Type::kLoop)) return loop_attribute(rt, value, "length");
  if (!length_of(rt, value, &length)) rt.fail("object of type '" + type_name(value) + "' has no len()");
  return Value::of(length);
}

Value list_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "list", args, {});
  return rt.list(to_vector(rt, value));
}

Value first_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "first", args, {});
  Value item;
  return iterate(rt, value)(&item) ? item : Value::undefined("No first item, sequence was empty.");
}

Value last_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "last", args, {});
  if (value.is(Type::kGenerator)) rt.fail("'generator' object is not reversible");
  if (value.is_string() && !value.as_string().empty()) {
    return rt.string(std::string(last_character(value.as_string())));
  }
  std::vector<Value> items = to_vector(rt, value);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value reverse_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "reverse", args, {});
  if (value.is_string()) {
    rt.charge_reading(value.as_string().size());
    return rt.string(reversed(value.as_string()), value.markup);
  }
  std::vector<Value> items = to_vector(rt, value);
  std::reverse(items.begin(), items.end());
  if (value.is(Type::kGenerator)) return rt.list(std::move(items));
  return rt.generator([items, i = size_t{0}](Value* item) mutable {
    if (i == items.size()) return false;
    *item = items[i++];
    return true;
  });
}

Value default_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "default", args, {"default_value", "boolean"});
  if (!value.is_undefined() && !(flag(rt, bound, 1) && !truth(rt, value))) return value;
  return bound.has(0) ? bound.at(0) : rt.string("");
}

Value items_filter(Runtime& rt, const Value& value, const Args& args) {
  bind(rt, "items", args, {});
  return rt.generator(
      [&rt, value, items = std::vector<Value>(), i = size_t{0}, begun = false](Value* item) mutable {
        if (!begun) {
          begun = true;
          if (value.is_undefined()) return false;
          if (!value.is(Type::kDict)) rt.fail("Can only get item pairs from a mapping.");
          items = dict_pairs(rt, value.as_dict());
        }
        if (i == items.size()) return false;
        *item = items[i++];
        return true;
      });
}

Value attr_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "attr", args, {"name"}, 1);
  std::string name = string_arg(rt, bound.at(0), "attr");
  if (value.is_undefined()) rt.fail(*value.text);
  return value.is(Type::kDict) ? get_method(rt, value, name) : get_attribute(rt, value, name);
}

std::vector<Value> chunk(const std::vector<Value>& items, size_t begin, size_t end) {
  return {items.begin() + static_cast<std::ptrdiff_t>(std::min(begin, items.size())),
          items.begin() + static_cast<std::ptrdiff_t>(std::min(end, items.size()))};
}

Value batch_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "batch", args, {"linecount", "fill_with"}, 1);
  int64_t size = int_arg(rt, bound.at(0), "batch");
  if (size < 1 || size > 1'000'000) rt.fail("batch: expected a positive size");
  std::vector<Value> items = to_vector(rt, value), batches;
  for (size_t i = 0; i < items.size(); i += static_cast<size_t>(size)) {
    std::vector<Value> batch = chunk(items, i, i + static_cast<size_t>(size));
    if (bound.has(1) && !bound.at(1).is_none()) batch.resize(static_cast<size_t>(size), bound.at(1));
    batches.push_back(rt.list(std::move(batch)));
  }
  return reverse_filter(rt, rt.sequence(Type::kTuple, {batches.rbegin(), batches.rend()}), {});
}

Value slice_filter(Runtime& rt, const Value& value, const Args& args) {
  Bound bound = bind(rt, "slice", args, {"slices", "fill_with"}, 1);
  int64_t count = int_arg(rt, bound.at(0), "slice");
  if (count < 1 || count > 1'000'000) rt.fail("slice: expected a positive number of slices");
  std::vector<Value> items = to_vector(rt, value), slices;
  size_t each = items.size() / static_cast<size_t>(count), longer = items.size() % static_cast<size_t>(count);
  size_t begin = 0;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    size_t end = begin + each + (i < longer ? 1 : 0);
    std::vector<Value> slice = chunk(items, begin, end);
    if (bound.has(1) && !bound.at(1).is_none() && i >= longer) slice.push_back(bound.at(1));
    slices.push_back(rt.list(std::move(slice)));
    begin = end;
  }
  return reverse_filter(rt, rt.sequence(Type::kTuple, {slices.rbegin(), slices.rend()}), {});
}

Value map_filter(Runtime& rt, const Value& value, const Args& args) {
  if (!truth(rt, value)) return rt.generator([](Value*) { return false; });
  Next next = iterate(rt, value);
  if (args.positional.empty()) {
    Bound bound = bind(rt, "map", args, {"attribute", "default"}, 1);
    Key path = path_key(rt, bound.at(0), bound.has(1) ? &bound.at(1) : nullptr);
    return rt.generator([next, path](Value* item) {
      if (!next(item)) return false;
      *item = path(*item);
      return true;
    });
  }
  std::string name = string_arg(rt, args.positional[0], "map");
  Args rest = args;
  rest.positional.erase(rest.positional.begin());
  return rt.generator([&rt, next, name, rest](Value* item) {
    if (!next(item)) return false;
    *item = apply_filter(rt, name, *item, rest);
    return true;
  });
}

// select, reject (of the items themselves) and selectattr, rejectattr (of an attribute).
template <bool keep, bool by_attribute>
Value select_filter(Runtime& rt, const Value& value, const Args& args) {
  if (!truth(rt, value)) return rt.generator([](Value*) { return false; });
  Args rest = args;
  Key path = path_key(rt, Value::none());
  if (by_attribute) {
    if (rest.positional.empty()) rt.fail("missing parameter for the attribute's name");
    path = path_key(rt, rest.positional[0]);
    rest.positional.erase(rest.positional.begin());
  }
  bool has_test = !rest.positional.empty();
  std::string test;
  if (has_test) {
    test = string_arg(rt, rest.positional[0], "select");
    rest.positional.erase(rest.positional.begin());
  }
  return rt.generator([&rt, next = iterate(rt, value), path, has_test, test, rest](Value* item) {
    while (next(item)) {
      Value part = path(*item);
      if ((has_test ? apply_test(rt, test, part, rest) : truth(rt, part)) == keep) return true;
    }
    return false;
  });
}

}  // namespace

Filter find_list_filter(const std::string& name) {
  static const std::map<std::string, Filter> kFilters = {
      {"attr", attr_filter},
      {"batch", batch_filter},
      {"count", length_filter},
      {"d", default_filter},
      {"default", default_filter},
      {"dictsort", dictsort_filter},
      {"first", first_filter},
      {"groupby", groupby_filter},
      {"items", items_filter},
      {"join", join_filter},
      {"last", last_filter},
      {"length", length_filter},
      {"list", list_filter},
      {"map", map_filter},
      {"max", extreme_filter<true>},
      {"min", extreme_filter<false>},
      {"reject", select_filter<false, false>},
      {"rejectattr", select_filter<false, true>},
      {"reverse", reverse_filter},
      {"select", select_filter<true, false>},
      {"selectattr", select_filter<true, true>},
      {"slice", slice_filter},
      {"sort", sort_filter},
      {"sum", sum_filter},
      {"unique", unique_filter},
  };
  auto place = kFilters.find(name);
  return place == kFilters.end() ? nullptr : place->second;
}

}  // namespace sdft::jinja
