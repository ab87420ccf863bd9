#include <algorithm>
#include <optional>

#include "text/jinja/builtins.h"
#include "text/jinja/format.h"
#include "text/jinja/jinja.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/string.h"

namespace sdft::jinja {
namespace {

// Names and values of one block; what is not there is looked for in the one around it.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<std::string, Value>> names;
};
using ScopePtr = std::shared_ptr<Scope>;

enum class Flow { kNext, kBreak, kContinue };

class Interpreter {
 public:
  Interpreter(const Program& program, const RenderSettings& settings)
      : program_(program), settings_(settings), rt_(program.name, settings.limits) {}

  std::string run(const Json& context) {
    auto globals = std::make_shared<Scope>();
    globals->names = global_functions(rt_, settings_.now);
    auto root = std::make_shared<Scope>();
    root->parent = globals;
    for (const auto& [key, item] : context.items()) root->names.emplace_back(key, rt_.from_json(item));
    scope_ = root;
    leave_unset(program_.unset);
    std::string result;
    out_ = &result;
    exec(program_.body);
    out_ = nullptr;
    return result;
  }

 private:
  // ---- names

  const Value* lookup(const std::string& name) {
    for (const Scope* scope = scope_.get(); scope; scope = scope->parent.get()) {
      rt_.charge(scope->names.size() / 16);
      for (const auto& [known, value] : scope->names) {
        if (known == name) return &value;
      }
    }
    return nullptr;
  }

  void set(const std::string& name, Value value) {
    rt_.charge(scope_->names.size() / 16);
    for (auto& [known, old] : scope_->names) {
      if (known == name) {
        old = std::move(value);
        return;
      }
    }
    scope_->names.emplace_back(name, std::move(value));
  }

  // The names that a block sets are its own before it sets them.
  void leave_unset(const std::vector<std::string>& names) {
    for (const std::string& name : names) set(name, Value::undefined("'" + name + "' is undefined"));
  }

  void assign(const Expr& target, const Value& value) {
    rt_.line = target.line;
    if (target.kind == ExprKind::kName) {
      set(target.name, value);
    } else if (target.kind == ExprKind::kNamespaceField) {
      const Value* names = lookup(target.name);
      if (names == nullptr || !names->is(Type::kNamespace))
        rt_.fail("cannot assign to " + target.name + "." + target.field + ": '" + target.name +
                 "' is no namespace");
      auto& items = static_cast<Namespace*>(names->object)->items;
      rt_.charge(8 + items.size() / 8);
      auto place =
          std::find_if(items.begin(), items.end(), [&](auto& item) { return item.first == target.field; });
      if (place == items.end()) {
        items.emplace_back(target.field, value);
      } else {
        place->second = value;
      }
    } else {
      std::vector<Value> items = to_vector(rt_, value);
      if (items.size() != target.operands.size())
        rt_.fail("expected " + std::to_string(target.operands.size()) + " values to unpack, got " +
                 std::to_string(items.size()));
      for (size_t i = 0; i < items.size(); ++i) assign(*target.operands[i], items[i]);
    }
  }

  // Runs `work` in a new scope inside `parent`.
  template <typename Work>
  auto in_scope(ScopePtr parent, Work work) {
    struct Restore {
      ScopePtr& scope;
      ScopePtr outer;
      ~Restore() { scope = std::move(outer); }
    } restore{scope_, scope_};
    scope_ = std::make_shared<Scope>();
    scope_->parent = std::move(parent);
    rt_.charge(8);
    return work();
  }

  // `body` in a scope of its own.
  Flow exec_inside(const Stmt& stmt) {
    return in_scope(scope_, [&] {
      leave_unset(stmt.unset);
      return exec(stmt.body);
    });
  }

  // What `work` writes.
  template <typename Work>
  std::string captured(Work work) {
    struct Restore {
      std::string*& out;
      int& captures;
      std::string* outer;
      ~Restore() {
        out = outer;
        --captures;
      }
    } restore{out_, captures_, out_};
    std::string text;
    out_ = &text;
    ++captures_;
    work();
    return text;
  }

  void write(std::string_view text) {
    rt_.charge(text.size() / 16);
    if (out_->size() + text.size() > rt_.limits.bytes) rt_.fail("the output grows without end");
    out_->append(text);
  }

  // What a filter block or call block gives, which Jinja does not turn into text.
  void write_text(const Value& value) {
    if (!value.is_string()) rt_.fail("the block gives a value of type " + type_name(value) + ", not text");
    write(value.as_string());
  }

  // ---- statements

  Flow exec(const Body& body) {
    Deeper deeper(rt_);
    for (const auto& stmt : body) {
      Flow flow = exec(*stmt);
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  Flow exec(const Stmt& stmt) {
    rt_.line = stmt.line;
    rt_.charge(1);
    switch (stmt.kind) {
      case StmtKind::kText:
        write(stmt.text);
        break;
      case StmtKind::kOutput: {
        Value value = eval(*stmt.expr);
        if (value.is_undefined()) require_defined(*stmt.expr, value);
        write(value.is_string() ? value.as_string() : to_str(rt_, value));
        break;
      }
      case StmtKind::kIf:
        return exec_if(stmt);
      case StmtKind::kFor:
        return exec_for(stmt);
      case StmtKind::kSet:
        assign(*stmt.target, eval(*stmt.expr));
        break;
      case StmtKind::kSetBlock:
        exec_set_block(stmt);
        break;
      case StmtKind::kMacro:
        set(stmt.text, macro(stmt));
        break;
      case StmtKind::kCallBlock:
        exec_call_block(stmt);
        break;
      case StmtKind::kFilterBlock: {
        std::string text = captured([&] { exec_inside(stmt); });
        write_text(filtered(*stmt.expr, rt_.string(std::move(text))));
        break;
      }
      case StmtKind::kWith:
        return exec_with(stmt);
      case StmtKind::kGeneration:
        exec_generation(stmt);
        break;
      case StmtKind::kBreak:
        return Flow::kBreak;
      case StmtKind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNext;
  }

  Flow exec_if(const Stmt& stmt) {
    for (const auto& [condition, body] : stmt.branches) {
      if (truth(rt_, eval(*condition))) return exec(body);
    }
    return exec(stmt.else_body);
  }

  Flow exec_with(const Stmt& stmt) {
    std::vector<Value> values;
    for (const auto& binding : stmt.bindings) values.push_back(eval(*binding.second));
    return in_scope(scope_, [&] {
      leave_unset(stmt.unset);
      for (size_t i = 0; i < values.size(); ++i) assign(*stmt.bindings[i].first, values[i]);
      return exec(stmt.body);
    });
  }

  void exec_set_block(const Stmt& stmt) {
    std::string text = captured([&] { exec_inside(stmt); });
    Value value = rt_.string(std::move(text));
    if (stmt.expr) value = filtered(*stmt.expr, value);
    assign(*stmt.target, value);
  }

  void require_defined(const Expr& expr, const Value& value) {
    if (settings_.strict) rt_.fail(value.text ? *value.text : "prints what is undefined");
    const auto& names = settings_.not_to_print_undefined;
    if (expr.kind == ExprKind::kName && std::find(names.begin(), names.end(), expr.name) != names.end())
      rt_.fail("prints " + expr.name + ", which tokenizer_config.json does not define");
  }

  void exec_generation(const Stmt& stmt) {
    size_t begin = out_->size();
    // For Jinja the block is the body of a call, which has these variables.
    in_scope(scope_, [&] {
      set("varargs", rt_.tuple({}));
      set("kwargs", rt_.dict({}));
      set("caller", Value::undefined("No caller defined"));
      exec_inside(stmt);
    });
    if (settings_.generation_ranges == nullptr || out_->size() == begin) return;
    if (captures_ > 0) {
      rt_.line = stmt.line;
      rt_.fail("{% generation %} inside a macro or a captured block: its place in the output is unknown");
    }
    settings_.generation_ranges->emplace_back(begin, out_->size());
  }

  Flow exec_for(const Stmt& stmt) {
    Value iterable = eval(*stmt.expr);
    run_loop(stmt, iterable, 0, scope_);
    return Flow::kNext;
  }

  // `outer` is a copy: scope_, which it comes from, changes meanwhile.
  // NOLINTNEXTLINE(performance-unnecessary-value-param)
  void run_loop(const Stmt& stmt, const Value& iterable, int64_t depth0, ScopePtr outer) {
    Loop* loop = rt_.make<Loop>();
    Value loop_value;
    loop_value.type = Type::kLoop;
    loop_value.object = loop;
    loop->depth0 = depth0;
    loop->iterable = iterable;
    loop->source = iterate(rt_, iterable);
    if (stmt.condition) {
      loop->iterable = Value::none();  // has no length
      loop->source = selected(stmt, loop->source, outer);
    }
    set_loop_functions(stmt, loop, outer);
    bool completed = false;  // an iteration, without break or continue: that is what Jinja's `else` asks
    for (Value item; loop->next(&item);) {
      Flow flow = in_scope(outer, [&] {
        scope_->names.emplace_back("loop", loop_value);
        leave_unset(stmt.unset);
        assign(*stmt.target, item);
        return exec(stmt.body);
      });
      completed |= flow == Flow::kNext;
      if (flow == Flow::kBreak) break;
    }
    if (completed) return;
    in_scope(outer, [&] {
      leave_unset(stmt.else_unset);
      exec(stmt.else_body);
    });
  }

  // The items for which the loop's condition holds, found out one by one.
  Next selected(const Stmt& stmt, Next source, const ScopePtr& outer) {
    return [this, &stmt, source = std::move(source), outer](Value* item) {
      while (source(item)) {
        bool holds = in_scope(outer, [&] {
          assign(*stmt.target, *item);
          return truth(rt_, eval(*stmt.condition));
        });
        if (holds) {
          *item = repacked(*stmt.target, *item);
          return true;
        }
      }
      return false;
    };
  }

  // What a loop with a condition hands on of an item is the target's values: a tuple, where it takes apart.
  Value repacked(const Expr& target, const Value& item) {
    if (target.kind != ExprKind::kTuple) return item;
    std::vector<Value> parts = to_vector(rt_, item);
    for (size_t i = 0; i < parts.size(); ++i) parts[i] = repacked(*target.operands[i], parts[i]);
    return rt_.tuple(std::move(parts));
  }

  void set_loop_functions(const Stmt& stmt, Loop* loop, const ScopePtr& outer) {
    loop->cycle_function = rt_.function("cycle", [loop](Runtime& rt, const Args& args) {
      if (args.positional.empty()) rt.fail("no items for cycling given");
      return args.positional[static_cast<size_t>(loop->index0) % args.positional.size()];
    });
    loop->changed_function = rt_.function("changed", [loop](Runtime& rt, const Args& args) {
      rt.charge(args.positional.size());
      bool same = loop->changed && loop->changed->size() == args.positional.size() &&
                  std::equal(loop->changed->begin(), loop->changed->end(), args.positional.begin(),
                             [&](const Value& a, const Value& b) { return equal(rt, a, b); });
      loop->changed = args.positional;
      return Value::of(!same);
    });
    if (!stmt.recursive) return;
    loop->recurse = rt_.function("loop", [this, &stmt, loop, outer](Runtime& rt, const Args& args) {
      Bound bound = bind(rt, "loop", args, {"iterable"}, 1);
      std::string text = captured([&] { run_loop(stmt, bound.at(0), loop->depth0 + 1, outer); });
      return rt.string(std::move(text));
    });
  }

  // ---- macros

  Value macro(const Stmt& stmt) {
    return rt_.function(stmt.text, [this, &stmt, outer = scope_](Runtime& rt, const Args& args) {
      int line = rt.line;
      std::string text = captured([&] {
        in_scope(outer, [&] {
          leave_unset(stmt.unset);
          bind_macro(stmt, args);
          exec(stmt.body);
        });
      });
      rt.line = line;
      return rt.string(std::move(text));
    });
  }

  void bind_macro(const Stmt& stmt, const Args& args) {
    const Params& params = stmt.params;
    std::vector<std::pair<std::string, Value>> named = args.named;
    rt_.charge(8 * (params.names.size() + args.positional.size() + named.size()));
    auto take = [&](const std::string& name) -> std::optional<Value> {
      rt_.charge(named.size() / 4);
      auto place = std::find_if(named.begin(), named.end(), [&](auto& item) { return item.first == name; });
      if (place == named.end()) return std::nullopt;
      Value value = place->second;
      named.erase(place);
      return value;
    };
    size_t count = params.names.size();
    std::vector<std::optional<Value>> given(count);
    for (size_t i = 0; i < count; ++i)
      given[i] =
          i < args.positional.size() ? std::optional<Value>(args.positional[i]) : take(params.names[i]);
    std::string what = "macro '" + stmt.text + "'";
    bool has_own_caller = std::find(params.names.begin(), params.names.end(), "caller") != params.names.end();
    if (params.uses_caller && !has_own_caller)
      set("caller", take("caller").value_or(Value::undefined("No caller defined")));
    if (params.uses_kwargs) {
      std::vector<std::pair<Value, Value>> items;
      for (auto& [key, value] : named) items.emplace_back(rt_.string(key), value);
      set("kwargs", rt_.dict(items));
    } else if (!named.empty()) {
      rt_.fail(what + " takes no keyword argument '" + named[0].first + "'");
    }
    std::vector<Value> more(
        args.positional.begin() + static_cast<std::ptrdiff_t>(std::min(count, args.positional.size())),
        args.positional.end());
    if (params.uses_varargs) {
      set("varargs", rt_.tuple(more));
    } else if (!more.empty()) {
      rt_.fail(what + " takes not more than " + std::to_string(count) + " argument(s)");
    }
    for (size_t i = 0; i < count; ++i)
      set(params.names[i], given[i] ? *given[i] : Value::undefined("'" + params.names[i] + "' is undefined"));
    for (size_t i = 0; i < count; ++i) {
      if (!given[i]) set(params.names[i], default_of(params, i));
    }
  }

  Value default_of(const Params& params, size_t i) {
    size_t without = params.names.size() - params.defaults.size();
    if (i >= without) return eval(*params.defaults[i - without]);
    return Value::undefined("parameter '" + params.names[i] + "' was not provided");
  }

  void exec_call_block(const Stmt& stmt) {
    Value caller = macro(stmt);
    Value callee = eval(*stmt.expr->operands[0]);
    Args args = arguments(*stmt.expr);
    args.named.emplace_back("caller", caller);
    write_text(call_value(callee, args));
  }

  // ---- expressions

  Value eval(const Expr& expr) {
    Deeper deeper(rt_);
    rt_.charge(1);
    rt_.line = expr.line;
    switch (expr.kind) {
      case ExprKind::kConst:
        return expr.constant;
      case ExprKind::kName: {
        const Value* value = lookup(expr.name);
        if (value == nullptr && is_unsupported_global(expr.name))
          rt_.fail("'" + expr.name + "' is not supported in chat templates");
        return value ? *value : Value::undefined("'" + expr.name + "' is undefined");
      }
      case ExprKind::kTuple:
        return rt_.tuple(eval_all(expr, 0));
      case ExprKind::kList:
        return rt_.list(eval_all(expr, 0));
      case ExprKind::kDict: {
        std::vector<std::pair<Value, Value>> items;
        for (size_t i = 0; i < expr.operands.size(); i += 2) {
          Value key = eval(*expr.operands[i]);
          items.emplace_back(key, eval(*expr.operands[i + 1]));
        }
        return rt_.dict(items);
      }
      case ExprKind::kNot:
        return Value::of(!truth(rt_, eval(*expr.operands[0])));
      case ExprKind::kNegate:
      case ExprKind::kPositive:
        return signed_value(rt_, eval(*expr.operands[0]), expr.kind == ExprKind::kNegate);
      case ExprKind::kAnd:
      case ExprKind::kOr: {
        Value left = eval(*expr.operands[0]);
        return truth(rt_, left) == (expr.kind == ExprKind::kOr) ? left : eval(*expr.operands[1]);
      }
      default:
        return eval_compound(expr);
    }
  }

  Value eval_compound(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kBinary: {
        Value left = eval(*expr.operands[0]);
        Value right = eval(*expr.operands[1]);
        rt_.line = expr.line;
        return binary(rt_, expr.name, left, right);
      }
      case ExprKind::kCompare:
        return compare(expr);
      case ExprKind::kConcat: {
        std::string text;
        for (const auto& part : expr.operands) {
          text += to_str(rt_, eval(*part));
          rt_.check_size(text.size());
        }
        return rt_.string(std::move(text));
      }
      case ExprKind::kIfElse:
        if (truth(rt_, eval(*expr.operands[1]))) return eval(*expr.operands[0]);
        if (expr.operands[2]) return eval(*expr.operands[2]);
        return Value::undefined("the inline if-expression on line " + std::to_string(expr.line) +
                                " evaluated to false and no else section was defined");
      case ExprKind::kAttribute: {
        Value object = eval(*expr.operands[0]);
        return get_attribute(rt_, object, expr.name);
      }
      case ExprKind::kItem: {
        Value object = eval(*expr.operands[0]);
        Value key = eval(*expr.operands[1]);
        return get_item(rt_, object, key);
      }
      case ExprKind::kSlice: {
        Value parts[4];
        for (size_t i = 0; i < 4; ++i) parts[i] = expr.operands[i] ? eval(*expr.operands[i]) : Value::none();
        return get_slice(rt_, parts[0], parts[1], parts[2], parts[3]);
      }
      case ExprKind::kCall: {
        Value callee = eval(*expr.operands[0]);
        Args args = arguments(expr);
        rt_.line = expr.line;
        return call_value(callee, args);
      }
      case ExprKind::kFilter:
        return filtered(expr, Value());
      case ExprKind::kTest: {
        Value value = eval(*expr.operands[0]);
        Args args = arguments(expr);
        rt_.line = expr.line;
        return Value::of(apply_test(rt_, expr.name, value, args));
      }
      default:
        rt_.fail("cannot be evaluated");
    }
  }

  Value call_value(const Value& callee, const Args& args) {
    if (!callee.is(Type::kLoop)) return call(rt_, callee, args);
    const Value& recurse = static_cast<Loop*>(callee.object)->recurse;
    if (!recurse.is(Type::kFunction))
      rt_.fail("the loop must have the 'recursive' marker to be called recursively");
    return call(rt_, recurse, args);
  }

  std::vector<Value> eval_all(const Expr& expr, size_t from) {
    std::vector<Value> values;
    for (size_t i = from; i < expr.operands.size(); ++i) values.push_back(eval(*expr.operands[i]));
    return values;
  }

  Args arguments(const Expr& expr) {
    Args args;
    args.positional = eval_all(expr, 1);
    for (const auto& [key, part] : expr.named) args.named.emplace_back(key, eval(*part));
    if (expr.star) {
      for (Value& item : to_vector(rt_, eval(*expr.star))) args.positional.push_back(item);
    }
    if (expr.star_star) {
      Value more = eval(*expr.star_star);
      if (!more.is(Type::kDict)) rt_.fail("argument after ** must be a mapping, not " + type_name(more));
      for (const auto& [key, item] : more.as_dict().items)
        add_named(&args, string_arg(rt_, key, "keyword argument"), item);
    }
    return args;
  }

  void add_named(Args* args, const std::string& key, const Value& value) {
    rt_.charge(1 + args->named.size() / 8);
    for (const auto& other : args->named) {
      if (other.first == key) rt_.fail("got multiple values for keyword argument '" + key + "'");
    }
    args->named.emplace_back(key, value);
  }

  // The filter of `expr`; at the inner end of a chain of a filter block stands `block`.
  Value filtered(const Expr& expr, const Value& block) {
    const Expr* inner = expr.operands[0].get();
    Value value = inner == nullptr                   ? block
                  : inner->kind == ExprKind::kFilter ? filtered(*inner, block)
                                                     : eval(*inner);
    Args args = arguments(expr);
    rt_.line = expr.line;
    return apply_filter(rt_, expr.name, value, args);
  }

  Value compare(const Expr& expr) {
    Value left = eval(*expr.operands[0]);
    for (size_t i = 0; i < expr.ops.size(); ++i) {
      Value right = eval(*expr.operands[i + 1]);
      rt_.line = expr.line;
      if (!holds(rt_, expr.ops[i], left, right)) return Value::of(false);
      left = right;
    }
    return Value::of(true);
  }

  const Program& program_;
  const RenderSettings& settings_;
  Runtime rt_;
  ScopePtr scope_;
  std::string* out_ = nullptr;
  int captures_ = 0;
};

}  // namespace

std::string render(const Program& program, const Json& context, const RenderSettings& settings) {
  if (settings.generation_ranges != nullptr) settings.generation_ranges->clear();
  return Interpreter(program, settings).run(context);
}

}  // namespace sdft::jinja
