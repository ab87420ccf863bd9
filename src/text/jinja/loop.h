// The state behind the variable `loop`.
#pragma once

#include <optional>

#include "text/jinja/value.h"

namespace sdft::jinja {

struct Loop : Object {
  Value iterable;
  Next source;
  int64_t index0 = -1;
  int64_t depth0 = 0;
  std::optional<int64_t> length;
  std::optional<Value> ahead, current, before;
  std::optional<std::vector<Value>> changed;
  Value cycle_function, changed_function, recurse;

  bool next(Value* item) {
    if (ahead) {
      *item = *std::exchange(ahead, std::nullopt);
    } else if (!source(item)) {
      return false;
    }
    ++index0;
    before = std::exchange(current, *item);
    return true;
  }

  bool peek() {
    Value item;
    if (!ahead && source(&item)) ahead = item;
    return ahead.has_value();
  }

  int64_t total(Runtime& rt) {
    int64_t known = 0;
    if (!length && length_of(rt, iterable, &known)) length = known;
    if (!length) {  // a generator: read to its end
      auto rest = std::make_shared<std::vector<Value>>();
      for (Value item; source(&item);) {
        rt.charge(2);
        rest->push_back(item);
      }
      length = static_cast<int64_t>(rest->size()) + index0 + 1 + (ahead ? 1 : 0);
      source = [rest, i = size_t{0}](Value* item) mutable {
        if (i == rest->size()) return false;
        *item = (*rest)[i++];
        return true;
      };
    }
    return *length;
  }
};

// A field of the variable `loop`.
Value loop_attribute(Runtime& rt, const Value& loop, const std::string& name);

}  // namespace sdft::jinja
