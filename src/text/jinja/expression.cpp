#include "text/jinja/expression.h"

#include <algorithm>

#include "base/error.h"
#include "text/jinja/builtins.h"

namespace sdft::jinja {
namespace {

constexpr int kMaxHeight = 200;

}  // namespace

struct ExpressionParser::Nested {
  explicit Nested(ExpressionParser* owner) : parser(owner) {
    if (++parser->depth_ > kMaxHeight) parser->fail("the expression is nested too deeply");
  }
  ~Nested() { --parser->depth_; }
  ExpressionParser* parser;
};

ExpressionParser::ExpressionParser(std::vector<Token> tokens, const std::string& name)
    : tokens_(std::move(tokens)), name_(name) {}

Token ExpressionParser::next() {
  Token token = tokens_[pos_];
  if (pos_ + 1 < tokens_.size()) ++pos_;
  return token;
}

bool ExpressionParser::at_operator(std::string_view op) const {
  return current().type == TokenType::kOperator && current().text == op;
}
bool ExpressionParser::at_name(std::string_view name) const {
  return current().type == TokenType::kName && current().text == name;
}
bool ExpressionParser::skip_operator(std::string_view op) {
  bool there = at_operator(op);
  if (there) next();
  return there;
}
bool ExpressionParser::skip_name(std::string_view name) {
  bool there = at_name(name);
  if (there) next();
  return there;
}
void ExpressionParser::expect_operator(std::string_view op) {
  if (!skip_operator(op)) fail("expected '" + std::string(op) + "', got " + shown(current()));
}

void ExpressionParser::fail(const std::string& what, int line) const {
  fail_input(name_ + ":" + std::to_string(line ? line : current().line), what);
}

void ExpressionParser::settle_problems(bool conditional) {
  if (!conditional && !problems_.empty()) fail(problems_[0].second, problems_[0].first);
  problems_.clear();
}

std::string ExpressionParser::shown(const Token& token) const {
  switch (token.type) {
    case TokenType::kName:
    case TokenType::kOperator:
    case TokenType::kInteger:
    case TokenType::kFloat:
      return "'" + token.text + "'";
    case TokenType::kString:
      return "the string '" + token.text.substr(0, 40) + "'";
    case TokenType::kData:
      return "text";
    default:
      return token.text;
  }
}

ExprPtr ExpressionParser::make(ExprKind kind, int line, std::vector<ExprPtr> operands, std::string name) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = line;
  expr->operands = std::move(operands);
  expr->name = std::move(name);
  return finished(std::move(expr));
}

// Notes the tree's height, once all parts are in.
ExprPtr ExpressionParser::finished(ExprPtr expr) {
  int below = 0;
  auto visit = [&](const ExprPtr& part) {
    if (part) below = std::max(below, part->height);
  };
  for (const auto& part : expr->operands) visit(part);
  for (const auto& part : expr->named) visit(part.second);
  visit(expr->star);
  visit(expr->star_star);
  expr->height = below + 1;
  if (expr->height > kMaxHeight) fail("the expression is nested too deeply", expr->line);
  return expr;
}

namespace {
// std::vector of move-only items from a list.
template <typename... Parts>
std::vector<ExprPtr> parts(Parts... items) {
  std::vector<ExprPtr> result;
  (result.push_back(std::move(items)), ...);
  return result;
}
}  // namespace

ExprPtr ExpressionParser::expression(bool if_else) {
  Nested nested(this);
  if (!if_else) return or_expression();
  int line = current().line;
  size_t known_problems = problems_.size();
  ExprPtr value = or_expression();
  while (skip_name("if")) {
    ExprPtr condition = or_expression();
    ExprPtr otherwise = skip_name("else") ? expression() : nullptr;
    value =
        make(ExprKind::kIfElse, line, parts(std::move(value), std::move(condition), std::move(otherwise)));
    problems_.resize(known_problems);
  }
  return value;
}

ExprPtr ExpressionParser::or_expression() {
  int line = current().line;
  ExprPtr left = and_expression();
  while (skip_name("or")) left = make(ExprKind::kOr, line, parts(std::move(left), and_expression()));
  return left;
}

ExprPtr ExpressionParser::and_expression() {
  int line = current().line;
  ExprPtr left = not_expression();
  while (skip_name("and")) left = make(ExprKind::kAnd, line, parts(std::move(left), not_expression()));
  return left;
}

ExprPtr ExpressionParser::not_expression() {
  Nested nested(this);
  int line = current().line;
  if (skip_name("not")) return make(ExprKind::kNot, line, parts(not_expression()));
  return comparison();
}

ExprPtr ExpressionParser::comparison() {
  int line = current().line;
  std::vector<ExprPtr> operands = parts(sum());
  std::vector<std::string> ops;
  static const std::vector<std::string> kComparisons = {"==", "!=", "<=", ">=", "<", ">"};
  for (;;) {
    std::string op;
    if (current().type == TokenType::kOperator &&
        std::find(kComparisons.begin(), kComparisons.end(), current().text) != kComparisons.end()) {
      op = next().text;
    } else if (skip_name("in")) {
      op = "in";
    } else if (at_name("not") && look().type == TokenType::kName && look().text == "in") {
      next();
      next();
      op = "not in";
    } else {
      break;
    }
    ops.push_back(op);
    operands.push_back(sum());
  }
  if (ops.empty()) return std::move(operands[0]);
  ExprPtr expr = make(ExprKind::kCompare, line, std::move(operands));
  expr->ops = std::move(ops);
  return expr;
}

ExprPtr ExpressionParser::sum() {
  int line = current().line;
  ExprPtr left = concatenation();
  while (at_operator("+") || at_operator("-")) {
    std::string op = next().text;
    left = make(ExprKind::kBinary, line, parts(std::move(left), concatenation()), op);
  }
  return left;
}

ExprPtr ExpressionParser::concatenation() {
  int line = current().line;
  std::vector<ExprPtr> operands = parts(product());
  while (skip_operator("~")) operands.push_back(product());
  if (operands.size() == 1) return std::move(operands[0]);
  return make(ExprKind::kConcat, line, std::move(operands));
}

ExprPtr ExpressionParser::product() {
  int line = current().line;
  ExprPtr left = power();
  while (at_operator("*") || at_operator("/") || at_operator("//") || at_operator("%")) {
    std::string op = next().text;
    left = make(ExprKind::kBinary, line, parts(std::move(left), power()), op);
  }
  return left;
}

ExprPtr ExpressionParser::power() {
  int line = current().line;
  ExprPtr left = unary(true);
  while (skip_operator("**")) left = make(ExprKind::kBinary, line, parts(std::move(left), unary(true)), "**");
  return left;
}

ExprPtr ExpressionParser::unary(bool with_filters) {
  Nested nested(this);
  int line = current().line;
  ExprPtr value;
  if (skip_operator("-")) {
    value = make(ExprKind::kNegate, line, parts(unary(false)));
  } else if (skip_operator("+")) {
    value = make(ExprKind::kPositive, line, parts(unary(false)));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters(std::move(value), false) : std::move(value);
}

ExprPtr ExpressionParser::primary() {
  Token token = current();
  ExprPtr expr = make(ExprKind::kConst, token.line);
  switch (token.type) {
    case TokenType::kName:
      next();
      if (token.text == "true" || token.text == "True") {
        expr->constant = Value::of(true);
      } else if (token.text == "false" || token.text == "False") {
        expr->constant = Value::of(false);
      } else if (token.text == "none" || token.text == "None") {
        expr->constant = Value::none();
      } else {
        expr->kind = ExprKind::kName;
        expr->name = token.text;
      }
      return expr;
    case TokenType::kString: {
      std::string text;
      while (current().type == TokenType::kString) text += next().text;  // adjacent strings are one
      expr->constant = Value::constant(std::move(text));
      return expr;
    }
    case TokenType::kInteger:
      expr->constant = Value::of(next().integer);
      return expr;
    case TokenType::kFloat:
      expr->constant = Value::of(next().real);
      return expr;
    default:
      break;
  }
  if (skip_operator("(")) {
    ListRules rules;
    rules.in_brackets = true;
    ExprPtr value = list(rules);
    expect_operator(")");
    return value;
  }
  if (at_operator("[")) return list_literal();
  if (at_operator("{")) return dict_literal();
  fail("unexpected " + shown(token));
}

ExprPtr ExpressionParser::list_literal() {
  int line = next().line;
  std::vector<ExprPtr> items;
  while (!at_operator("]")) {
    if (!items.empty()) expect_operator(",");
    if (at_operator("]")) break;
    items.push_back(expression());
  }
  expect_operator("]");
  return make(ExprKind::kList, line, std::move(items));
}

ExprPtr ExpressionParser::dict_literal() {
  int line = next().line;
  std::vector<ExprPtr> items;
  while (!at_operator("}")) {
    if (!items.empty()) expect_operator(",");
    if (at_operator("}")) break;
    items.push_back(expression());
    expect_operator(":");
    items.push_back(expression());
  }
  expect_operator("}");
  return make(ExprKind::kDict, line, std::move(items));
}

ExprPtr ExpressionParser::list(const ListRules& rules) {
  Nested nested(this);
  int line = current().line;
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) expect_operator(",");
    bool end = current().type == TokenType::kOutputEnd || current().type == TokenType::kBlockEnd ||
               at_operator(")") || (!rules.end_name.empty() && at_name(rules.end_name));
    if (end) break;
    items.push_back(rules.simple ? simple_target(rules.namespaces) : expression(rules.if_else));
    if (!at_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return std::move(items[0]);
    if (!rules.in_brackets) fail("expected an expression, got " + shown(current()));
  }
  return make(ExprKind::kTuple, line, std::move(items));
}

ExprPtr ExpressionParser::target(std::string_view end_name, bool namespaces) {
  ListRules rules;
  rules.simple = true;
  rules.namespaces = namespaces;
  rules.end_name = end_name;
  ExprPtr expr = list(rules);
  check_target(*expr);
  return expr;
}

// A name to assign to, a tuple of them, or ns.field.
ExprPtr ExpressionParser::simple_target(bool namespaces) {
  bool has_field = look().type == TokenType::kOperator && look().text == ".";
  if (!namespaces || !has_field || current().type != TokenType::kName) return primary();
  ExprPtr expr = make(ExprKind::kNamespaceField, current().line, {}, next().text);
  next();
  if (current().type != TokenType::kName) fail("expected a name, got " + shown(current()));
  expr->field = next().text;
  return expr;
}

void ExpressionParser::check_target(const Expr& expr) const {
  if (expr.kind == ExprKind::kTuple) {
    for (const auto& item : expr.operands) check_target(*item);
  } else if (expr.kind != ExprKind::kName && expr.kind != ExprKind::kNamespaceField) {
    fail("cannot assign to this", expr.line);
  } else if (expr.name == "loop") {
    fail("cannot assign to the special variable 'loop'", expr.line);
  }
}

ExprPtr ExpressionParser::postfix(ExprPtr value) {
  for (;;) {
    if (at_operator(".") || at_operator("[")) {
      value = subscript(std::move(value));
    } else if (at_operator("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExprPtr ExpressionParser::filters(ExprPtr value, bool inline_start) {
  for (;;) {
    if (inline_start || at_operator("|")) {
      if (!inline_start) next();
      inline_start = false;
      value = filter_or_test(ExprKind::kFilter, std::move(value));
    } else if (value && at_name("is")) {
      next();
      value = test(std::move(value));
    } else if (value && at_operator("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExprPtr ExpressionParser::subscript(ExprPtr value) {
  Token token = next();
  if (token.text == ".") {
    Token attribute = next();
    if (attribute.type == TokenType::kName)
      return make(ExprKind::kAttribute, token.line, parts(std::move(value)), attribute.text);
    if (attribute.type != TokenType::kInteger) fail("expected a name or a number behind '.'", attribute.line);
    ExprPtr index = make(ExprKind::kConst, attribute.line);
    index->constant = Value::of(attribute.integer);
    return make(ExprKind::kItem, token.line, parts(std::move(value), std::move(index)));
  }
  if (skip_operator("]"))  // for Jinja an index of no parts: ()
    return make(ExprKind::kItem, token.line, parts(std::move(value), make(ExprKind::kTuple, token.line)));
  ExprPtr expr = subscript_part(std::move(value));
  if (at_operator(",")) {
    if (expr->kind != ExprKind::kItem) fail("an index of several slices is not supported");
    std::vector<ExprPtr> keys = parts(std::move(expr->operands[1]));
    while (skip_operator(",")) keys.push_back(expression());
    expr->operands[1] = make(ExprKind::kTuple, token.line, std::move(keys));
    expr = finished(std::move(expr));
  }
  expect_operator("]");
  return expr;
}

// One index, or a slice with up to three parts.
ExprPtr ExpressionParser::subscript_part(ExprPtr value) {
  int line = current().line;
  ExprPtr bounds[3];
  if (!at_operator(":")) {
    bounds[0] = expression();
    if (!at_operator(":")) return make(ExprKind::kItem, line, parts(std::move(value), std::move(bounds[0])));
  }
  for (int i = 1; i < 3 && skip_operator(":"); ++i) {
    if (!at_operator("]") && !at_operator(":")) bounds[i] = expression();
  }
  return make(ExprKind::kSlice, line,
              parts(std::move(value), std::move(bounds[0]), std::move(bounds[1]), std::move(bounds[2])));
}

ExprPtr ExpressionParser::call(ExprPtr callee) {
  ExprPtr expr = make(ExprKind::kCall, current().line, parts(std::move(callee)));
  call_arguments(expr.get());
  return finished(std::move(expr));
}

void ExpressionParser::call_arguments(Expr* into) {
  int line = current().line;
  expect_operator("(");
  bool first = true;
  while (!at_operator(")")) {
    if (!first) {
      expect_operator(",");
      if (at_operator(")")) break;
    }
    first = false;
    auto in_order = [&](bool ok) {
      if (!ok) fail("arguments in an order that Python does not allow", line);
    };
    if (skip_operator("*")) {
      in_order(!into->star && !into->star_star);
      into->star = expression();
    } else if (skip_operator("**")) {
      in_order(!into->star_star);
      into->star_star = expression();
    } else if (current().type == TokenType::kName && look().type == TokenType::kOperator &&
               look().text == "=") {
      in_order(!into->star_star);
      std::string key = next().text;
      if (into->named.size() == kMostNames) fail("too many keyword arguments", line);
      for (const auto& other : into->named) {
        if (other.first == key) fail("the keyword argument '" + key + "' is there twice", line);
      }
      next();
      into->named.emplace_back(key, expression());
    } else {
      in_order(into->named.empty() && !into->star && !into->star_star);
      into->operands.push_back(expression());
    }
  }
  expect_operator(")");
}

ExprPtr ExpressionParser::filter_or_test(ExprKind kind, ExprPtr value) {
  Token token = next();
  const char* what = kind == ExprKind::kFilter ? "filter" : "test";
  if (token.type != TokenType::kName) fail(std::string("expected the name of a ") + what, token.line);
  std::string name = token.text;
  while (at_operator(".")) {
    next();
    if (current().type != TokenType::kName) fail("expected a name, got " + shown(current()));
    name += "." + next().text;
  }
  ExprPtr expr = make(kind, token.line, parts(std::move(value)), name);
  std::string problem = kind == ExprKind::kFilter ? filter_problem(name) : test_problem(name);
  if (!problem.empty()) problems_.emplace_back(token.line, problem);
  if (at_operator("(")) call_arguments(expr.get());
  return finished(std::move(expr));
}

ExprPtr ExpressionParser::test(ExprPtr value) {
  int line = current().line;
  bool negated = skip_name("not");
  ExprPtr expr = filter_or_test(ExprKind::kTest, std::move(value));
  bool has_brackets = pos_ > 0 && tokens_[pos_ - 1].type == TokenType::kOperator;  // "is name(...)"
  TokenType type = current().type;
  // One argument may stand without brackets; for Jinja even `if`, `in` and `not` begin one.
  bool starts_value = type == TokenType::kName || type == TokenType::kString || type == TokenType::kInteger ||
                      type == TokenType::kFloat || at_operator("[") || at_operator("{");
  if (!has_brackets && starts_value && !(at_name("else") || at_name("or") || at_name("and"))) {
    if (at_name("is")) fail("tests cannot be chained with 'is'");
    expr->operands.push_back(postfix(primary()));
    expr = finished(std::move(expr));
  }
  return negated ? make(ExprKind::kNot, line, parts(std::move(expr))) : std::move(expr);
}

}  // namespace sdft::jinja
