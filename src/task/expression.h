// What a task takes from a document: a field, a Jinja template over its fields, a function, or a constant.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "text/jinja/jinja.h"

namespace sdft {

struct DocumentField;  // functions.h

class Expression {
 public:
  Expression() = default;  // none
  // From a task file: a text (a field's name or a template), a number, list or map, or {"!function": name}
  // (`function`, which may be null for other values). Throws Error(kInput) naming `where`.
  Expression(const Json& value, const std::string& where, const DocumentField* function = nullptr);

  bool empty() const { return constant_.is_null() && !program_ && !function_; }
  // The value as the harness has it: of a text a field's own value, else what the template prints. Undefined
  // names are an Error(kInput).
  Json of(const Json& document) const;
  // The same where a list may be meant: what prints as a Python list is one.
  Json list_or_text(const Json& document) const;
  std::string text(const Json& document) const;

 private:
  Json constant_;
  std::string where_;
  std::shared_ptr<const jinja::Program> program_;  // prints text
  std::shared_ptr<const jinja::Program> typed_;    // of "{{ ... }}" alone: prints its value as JSON
  const DocumentField* function_ = nullptr;
};

}  // namespace sdft
