// Jinja's expressions: from tokens to a tree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace sdft::jinja {

constexpr size_t kMostNames = 1000;  // of arguments and of parameters

// Reads expressions off a list of tokens; the statement parser reads the rest.
class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, const std::string& name);

 protected:
  // Where a comma-separated list may end besides at the end of a tag or at ")".
  struct ListRules {
    bool simple = false;       // targets: names, nested lists of them
    bool namespaces = false;   // targets: ns.field too
    bool if_else = true;       // a if b else c
    bool in_brackets = false;  // () is a value
    std::string_view end_name;
  };

  const Token& current() const { return tokens_[pos_]; }
  const Token& look() const { return tokens_[pos_ + 1 < tokens_.size() ? pos_ + 1 : pos_]; }
  Token next();
  bool at_operator(std::string_view op) const;
  bool at_name(std::string_view name) const;
  bool skip_operator(std::string_view op);
  bool skip_name(std::string_view name);
  void expect_operator(std::string_view op);
  [[noreturn]] void fail(const std::string& what, int line = 0) const;
  std::string shown(const Token& token) const;

  ExprPtr expression(bool if_else = true);
  ExprPtr list(const ListRules& rules);
  ExprPtr target(std::string_view end_name, bool namespaces);
  // A chain of filters behind `value`, which is null in filter blocks; `inline_start`: without the first "|".
  ExprPtr filters(ExprPtr value, bool inline_start);

  // Unknown filters and tests of the expressions read: an error, unless conditional, when they only fail once
  // reached.
  void settle_problems(bool conditional);

 private:
  struct Nested;  // counts depth while it lives

  ExprPtr make(ExprKind kind, int line, std::vector<ExprPtr> operands = {}, std::string name = "");
  ExprPtr finished(ExprPtr expr);
  ExprPtr or_expression();
  ExprPtr and_expression();
  ExprPtr not_expression();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concatenation();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filters);
  ExprPtr primary();
  ExprPtr simple_target(bool namespaces);
  ExprPtr list_literal();
  ExprPtr dict_literal();
  ExprPtr postfix(ExprPtr value);
  ExprPtr subscript(ExprPtr value);
  ExprPtr subscript_part(ExprPtr value);
  ExprPtr call(ExprPtr callee);
  void call_arguments(Expr* into);
  ExprPtr filter_or_test(ExprKind kind, ExprPtr value);
  ExprPtr test(ExprPtr value);
  void check_target(const Expr& expr) const;

  std::vector<Token> tokens_;
  size_t pos_ = 0;
  int depth_ = 0;
  std::vector<std::pair<int, std::string>> problems_;  // line, what

 protected:
  const std::string& name_;
};

}  // namespace sdft::jinja
