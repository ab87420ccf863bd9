#include "text/jinja/loop.h"

namespace sdft::jinja {

Value loop_attribute(Runtime& rt, const Value& value, const std::string& name) {
  Loop& loop = *static_cast<Loop*>(value.object);
  if (name == "index") return Value::of(loop.index0 + 1);
  if (name == "index0") return Value::of(loop.index0);
  if (name == "first") return Value::of(loop.index0 == 0);
  if (name == "last") return Value::of(!loop.peek());
  if (name == "length") return Value::of(loop.total(rt));
  if (name == "revindex") return Value::of(loop.total(rt) - loop.index0);
  if (name == "revindex0") return Value::of(loop.total(rt) - loop.index0 - 1);
  if (name == "depth") return Value::of(loop.depth0 + 1);
  if (name == "depth0") return Value::of(loop.depth0);
  if (name == "previtem")
    return loop.index0 > 0 ? *loop.before : Value::undefined("there is no previous item");
  if (name == "nextitem") return loop.peek() ? *loop.ahead : Value::undefined("there is no next item");
  if (name == "cycle") return loop.cycle_function;
  if (name == "changed") return loop.changed_function;
  return Value::undefined("'LoopContext' has no attribute '" + name + "'");
}

}  // namespace sdft::jinja
