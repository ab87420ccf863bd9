// A parsed Jinja template.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace sdft::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class ExprKind : uint8_t {
  kConst,
  kName,
  kNamespaceField,  // ns.field, as a target: `name` and `field`
  kTuple,
  kList,
  kDict,  // operands: key, value, key, value, ...
  kNot,
  kNegate,
  kPositive,
  kBinary,  // `name` is the operator
  kAnd,
  kOr,
  kCompare,  // operands[0] ops[0] operands[1] ops[1] ...
  kConcat,
  kIfElse,  // value, condition, else (may be null)
  kAttribute,
  kItem,
  kSlice,   // object, start, stop, step (may be null)
  kCall,    // operands[0] is called
  kFilter,  // operands[0] is filtered (null in a filter block); `name`
  kTest,    // operands[0] is tested; `name`
};

struct Expr {
  ExprKind kind = ExprKind::kConst;
  int line = 0;
  int height = 1;  // of the tree, which is limited
  std::string name;
  std::string field;
  Value constant;
  std::vector<ExprPtr> operands;  // and the positional arguments of calls, filters and tests
  std::vector<std::string> ops;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star, star_star;  // *args, **kwargs
};

struct Stmt;
using Body = std::vector<std::unique_ptr<Stmt>>;

enum class StmtKind : uint8_t {
  kText,
  kOutput,       // expr
  kIf,           // branches (condition and body), else_body
  kFor,          // target in expr if condition; body, else_body
  kSet,          // target = expr
  kSetBlock,     // target, expr is the chain of filters or null, body
  kMacro,        // name, params, body
  kCallBlock,    // expr is the call, params, body
  kFilterBlock,  // expr, body
  kWith,         // bindings, body
  kGeneration,   // body
  kBreak,
  kContinue,
};

// What macros and call blocks have.
struct Params {
  std::vector<std::string> names;
  std::vector<ExprPtr> defaults;  // of the last names
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;
};

struct Stmt {
  StmtKind kind = StmtKind::kText;
  int line = 0;
  std::string text;  // or the name of a macro
  ExprPtr expr, target, condition;
  bool recursive = false;
  std::vector<std::pair<ExprPtr, Body>> branches;
  std::vector<std::pair<ExprPtr, ExprPtr>> bindings;
  Params params;
  Body body, else_body;
  std::vector<std::string> unset, else_unset;  // undefined when the body is entered: scopes.h
};

}  // namespace sdft::jinja
