#include "text/jinja/scopes.h"

#include <set>
#include <utility>

namespace sdft::jinja {
namespace {

// The names of one block with a scope of its own, as far as it has been read.
struct Names {
  const Names* parent = nullptr;
  std::set<std::string> known, unset;
  bool in_branch = false;

  bool finds(const std::string& name) const {
    return known.count(name) > 0 || (parent != nullptr && parent->finds(name));
  }
  void load(const std::string& name) {
    if (!finds(name)) known.insert(name);  // from the context, once the block is entered
  }
  // What only a branch of an `if` sets comes from the context, too.
  void store(const std::string& name) {
    if (!in_branch && !finds(name)) unset.insert(name);
    known.insert(name);
  }
};

void read(const Expr* expr, Names* names) {
  if (expr == nullptr) return;
  if (expr->kind == ExprKind::kName || expr->kind == ExprKind::kNamespaceField) names->load(expr->name);
  for (const auto& part : expr->operands) read(part.get(), names);
  for (const auto& part : expr->named) read(part.second.get(), names);
  read(expr->star.get(), names);
  read(expr->star_star.get(), names);
}

void read(const Body& body, Names* names);

void store(const Expr& target, Names* names, bool as_parameter = false) {
  if (target.kind == ExprKind::kName) {
    as_parameter ? (void)names->known.insert(target.name) : names->store(target.name);
  } else if (target.kind == ExprKind::kNamespaceField) {
    names->load(target.name);
  }
  for (const auto& part : target.operands) store(*part, names, as_parameter);
}

void read_if(const Stmt& stmt, Names* names) {
  bool outer = std::exchange(names->in_branch, true);
  for (const auto& [condition, body] : stmt.branches) {
    read(condition.get(), names);
    read(body, names);
  }
  read(stmt.else_body, names);
  names->in_branch = outer;
}

// The names of a block itself, without those of the scopes inside it.
void read(const Body& body, Names* names) {
  for (const auto& stmt : body) {
    if (stmt->kind == StmtKind::kIf) {
      read_if(*stmt, names);
    } else if (stmt->kind == StmtKind::kMacro) {
      names->store(stmt->text);
    } else if (stmt->kind == StmtKind::kSetBlock) {
      store(*stmt->target, names);
    } else {
      read(stmt->expr.get(), names);
      for (const auto& binding : stmt->bindings) read(binding.second.get(), names);
      if (stmt->kind == StmtKind::kSet) store(*stmt->target, names);
    }
  }
}

void settle(const Body& body, const Names& names);

void settle_scope(const Body& body, Names names, std::vector<std::string>* unset) {
  read(body, &names);
  unset->assign(names.unset.begin(), names.unset.end());
  settle(body, names);
}

// The scopes inside a block.
void settle(const Body& body, const Names& names) {
  for (const auto& stmt : body) {
    Names inner;
    inner.parent = &names;
    for (const char* name : {"caller", "varargs", "kwargs"}) {
      bool call = stmt->kind == StmtKind::kMacro || stmt->kind == StmtKind::kCallBlock ||
                  stmt->kind == StmtKind::kGeneration;
      if (call) inner.known.insert(name);
    }
    for (const std::string& name : stmt->params.names) inner.known.insert(name);
    for (const auto& value : stmt->params.defaults) read(value.get(), &inner);
    for (const auto& binding : stmt->bindings) store(*binding.first, &inner);
    if (stmt->kind == StmtKind::kIf) {
      for (const auto& branch : stmt->branches) settle(branch.second, names);
      settle(stmt->else_body, names);
    } else if (stmt->kind == StmtKind::kFor) {
      settle_scope(stmt->else_body, inner, &stmt->else_unset);
      inner.known.insert("loop");
      store(*stmt->target, &inner, true);
      settle_scope(stmt->body, inner, &stmt->unset);
    } else {
      settle_scope(stmt->body, inner, &stmt->unset);
    }
  }
}

}  // namespace

void note_unset_names(const Body& body, std::vector<std::string>* root) { settle_scope(body, {}, root); }

}  // namespace sdft::jinja
