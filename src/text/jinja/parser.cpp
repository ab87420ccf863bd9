#include <algorithm>

#include "base/error.h"
#include "text/jinja/expression.h"
#include "text/jinja/jinja.h"
#include "text/jinja/scopes.h"

namespace sdft::jinja {
namespace {

constexpr int kMaxBlocks = 100;                  // nested in one another
constexpr size_t kMostSource = size_t{4} << 20;  // a hundred times the longest that is published

// Whether any expression or nested block reads the variable `name`.
bool reads(const Body& body, const std::string& name);

bool reads(const Expr* expr, const std::string& name) {
  if (expr == nullptr) return false;
  auto any = [&](const ExprPtr& part) { return reads(part.get(), name); };
  return (expr->kind == ExprKind::kName && expr->name == name) || any(expr->star) || any(expr->star_star) ||
         std::any_of(expr->operands.begin(), expr->operands.end(), any) ||
         std::any_of(expr->named.begin(), expr->named.end(),
                     [&](const auto& part) { return any(part.second); });
}

bool reads(const Stmt& stmt, const std::string& name) {
  auto any = [&](const ExprPtr& part) { return reads(part.get(), name); };
  auto in_branch = [&](const auto& branch) { return any(branch.first) || reads(branch.second, name); };
  auto in_binding = [&](const auto& binding) { return any(binding.second); };
  return any(stmt.expr) || any(stmt.condition) ||
         std::any_of(stmt.branches.begin(), stmt.branches.end(), in_branch) ||
         std::any_of(stmt.bindings.begin(), stmt.bindings.end(), in_binding) ||
         std::any_of(stmt.params.defaults.begin(), stmt.params.defaults.end(), any) ||
         reads(stmt.body, name) || reads(stmt.else_body, name);
}

bool reads(const Body& body, const std::string& name) {
  return std::any_of(body.begin(), body.end(), [&](const auto& stmt) { return reads(*stmt, name); });
}

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Body run() { return body({}); }

 private:
  using Ends = std::vector<std::string_view>;
  using StmtPtr = std::unique_ptr<Stmt>;

  static StmtPtr make(StmtKind kind, int line) {
    auto stmt = std::make_unique<Stmt>();
    stmt->kind = kind;
    stmt->line = line;
    return stmt;
  }

  // Statements up to one of the block names in `ends`, which is current then; without ends, all.
  Body body(const Ends& ends) {
    Body result;
    for (;;) {
      switch (current().type) {
        case TokenType::kData:
          result.push_back(make(StmtKind::kText, current().line));
          result.back()->text = next().text;
          break;
        case TokenType::kOutputBegin:
          next();
          result.push_back(make(StmtKind::kOutput, current().line));
          result.back()->expr = whole_list({});
          if (current().type != TokenType::kOutputEnd) fail("expected '}}', got " + shown(current()));
          next();
          break;
        case TokenType::kBlockBegin:
          next();
          if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return at_name(end); })) return result;
          result.push_back(block(ends));
          end_block();
          break;
        default:
          if (current().type == TokenType::kEnd && ends.empty()) return result;
          fail("unexpected " + shown(current()) + expectation(ends));
      }
    }
  }

  static std::string expectation(const Ends& ends) {
    std::string text;
    for (auto end : ends) text += (text.empty() ? ": expected '" : " or '") + std::string(end) + "'";
    return text;
  }

  void end_block() {
    if (current().type != TokenType::kBlockEnd) fail("expected '%}', got " + shown(current()));
    next();
  }

  // "%}", the statements, and the name that ended them, which is consumed.
  std::string block_body(const Ends& ends, Body* into) {
    if (at_operator(":")) next();
    end_block();
    *into = body(ends);
    return next().text;
  }

  // As block_body, for a block with a scope of its own. An unknown filter in it is an error even where the
  // block is inside an `if`.
  std::string scope_body(const Ends& ends, Body* into) {
    int conditional = std::exchange(conditional_, 0);
    std::string end = block_body(ends, into);
    conditional_ = conditional;
    return end;
  }

  ExprPtr whole_list(const ListRules& rules) {
    ExprPtr expr = list(rules);
    settle_problems(conditional_ > 0);
    return expr;
  }
  ExprPtr whole_expression() {
    ExprPtr expr = expression();
    settle_problems(conditional_ > 0);
    return expr;
  }

  // An expression that is evaluated in the block's own scope.
  ExprPtr inner_expression() {
    ExprPtr expr = expression();
    settle_problems(false);
    return expr;
  }

  StmtPtr block(const Ends& ends) {
    if (current().type != TokenType::kName) fail("expected the name of a block, got " + shown(current()));
    if (++blocks_ > kMaxBlocks) fail("blocks are nested too deeply");
    Token token = next();
    StmtPtr stmt = known_block(token);
    if (!stmt) fail(unknown_block(token.text, ends), token.line);
    --blocks_;
    return stmt;
  }

  StmtPtr known_block(const Token& token) {
    const std::string& tag = token.text;
    if (tag == "if") return if_block(token.line);
    if (tag == "for") return for_block(token.line);
    if (tag == "set") return set_block(token.line);
    if (tag == "macro") return macro_block(token.line);
    if (tag == "call") return call_block(token.line);
    if (tag == "filter") return filter_block(token.line);
    if (tag == "with") return with_block(token.line);
    if (tag == "generation") {
      StmtPtr stmt = make(StmtKind::kGeneration, token.line);
      outside_loops([&] { scope_body({"endgeneration"}, &stmt->body); });
      return stmt;
    }
    if (tag == "break" || tag == "continue") {
      if (loops_ == 0) fail("'" + tag + "' outside of a loop", token.line);
      return make(tag == "break" ? StmtKind::kBreak : StmtKind::kContinue, token.line);
    }
    return nullptr;
  }

  static std::string unknown_block(const std::string& tag, const Ends& ends) {
    static const std::vector<std::string_view> kUnsupported = {
        "block", "extends", "include", "import", "from", "autoescape", "do", "trans", "debug"};
    if (std::find(kUnsupported.begin(), kUnsupported.end(), tag) != kUnsupported.end())
      return "{% " + tag + " %} is not supported in chat templates";
    return "unknown block '" + tag + "'" + expectation(ends);
  }

  StmtPtr if_block(int line) {
    StmtPtr stmt = make(StmtKind::kIf, line);
    std::string tag = "elif";
    ++conditional_;
    while (tag == "elif") {
      ListRules rules;
      rules.if_else = false;
      ExprPtr condition = whole_list(rules);
      Body branch;
      tag = block_body({"elif", "else", "endif"}, &branch);
      stmt->branches.emplace_back(std::move(condition), std::move(branch));
    }
    if (tag == "else") block_body({"endif"}, &stmt->else_body);
    --conditional_;
    return stmt;
  }

  StmtPtr for_block(int line) {
    StmtPtr stmt = make(StmtKind::kFor, line);
    stmt->target = target("in", false);
    if (!skip_name("in")) fail("expected 'in', got " + shown(current()));
    ListRules rules;
    rules.if_else = false;
    rules.end_name = "recursive";
    stmt->expr = whole_list(rules);
    if (skip_name("if")) stmt->condition = inner_expression();
    stmt->recursive = skip_name("recursive");
    ++loops_;
    std::string tag = scope_body({"endfor", "else"}, &stmt->body);
    --loops_;
    if (tag == "else") scope_body({"endfor"}, &stmt->else_body);
    return stmt;
  }

  StmtPtr set_block(int line) {
    ExprPtr to = target("", true);
    StmtPtr stmt = make(StmtKind::kSet, line);
    stmt->target = std::move(to);
    if (skip_operator("=")) {
      stmt->expr = whole_list({});
      return stmt;
    }
    stmt->kind = StmtKind::kSetBlock;
    stmt->expr = filters(nullptr, false);
    settle_problems(false);
    scope_body({"endset"}, &stmt->body);
    return stmt;
  }

  // "(a, b=1)".
  void parameters(Params* params) {
    if (!skip_operator("(")) fail("expected '(', got " + shown(current()));
    while (!at_operator(")")) {
      if (!params->names.empty()) expect_operator(",");
      if (current().type != TokenType::kName)
        fail("expected the name of a parameter, got " + shown(current()));
      std::string name = next().text;
      if (params->names.size() == kMostNames) fail("too many parameters");
      if (std::find(params->names.begin(), params->names.end(), name) != params->names.end())
        fail("the parameter '" + name + "' is there twice");
      params->names.push_back(name);
      if (skip_operator("=")) {
        params->defaults.push_back(inner_expression());
      } else if (!params->defaults.empty()) {
        fail("a parameter without a default value follows one with");
      }
    }
    expect_operator(")");
  }

  template <typename Parse>
  void outside_loops(Parse parse) {
    int loops = std::exchange(loops_, 0);
    parse();
    loops_ = loops;
  }

  void function_body(const char* end, Stmt* stmt) {
    outside_loops([&] { scope_body({end}, &stmt->body); });
    stmt->params.uses_caller = reads(stmt->body, "caller");
    stmt->params.uses_varargs = reads(stmt->body, "varargs");
    stmt->params.uses_kwargs = reads(stmt->body, "kwargs");
  }

  StmtPtr macro_block(int line) {
    StmtPtr stmt = make(StmtKind::kMacro, line);
    if (current().type != TokenType::kName) fail("expected the name of a macro, got " + shown(current()));
    stmt->text = next().text;
    parameters(&stmt->params);
    function_body("endmacro", stmt.get());
    return stmt;
  }

  StmtPtr call_block(int line) {
    StmtPtr stmt = make(StmtKind::kCallBlock, line);
    stmt->text = "caller";
    if (at_operator("(")) parameters(&stmt->params);
    stmt->expr = whole_expression();
    if (stmt->expr->kind != ExprKind::kCall) fail("expected a call", line);
    function_body("endcall", stmt.get());
    return stmt;
  }

  StmtPtr filter_block(int line) {
    StmtPtr stmt = make(StmtKind::kFilterBlock, line);
    stmt->expr = filters(nullptr, true);
    settle_problems(false);
    scope_body({"endfilter"}, &stmt->body);
    return stmt;
  }

  StmtPtr with_block(int line) {
    StmtPtr stmt = make(StmtKind::kWith, line);
    while (current().type != TokenType::kBlockEnd) {
      if (!stmt->bindings.empty()) expect_operator(",");
      ExprPtr to = target("", false);
      expect_operator("=");
      stmt->bindings.emplace_back(std::move(to), whole_expression());
    }
    scope_body({"endwith"}, &stmt->body);
    return stmt;
  }

  int loops_ = 0;
  int blocks_ = 0;
  int conditional_ = 0;
};

}  // namespace

Program parse(const std::string& source, const std::string& name, const LexerOptions& options) {
  if (source.size() > kMostSource)
    fail_input(name, "the template is " + std::to_string(source.size()) + " bytes long, more than " +
                         std::to_string(kMostSource));
  Program program;
  program.name = name;
  program.body = Parser(tokenize(source, name, options), name).run();
  note_unset_names(program.body, &program.unset);
  return program;
}

}  // namespace sdft::jinja
