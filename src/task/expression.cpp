#include "task/expression.h"

#include <ctime>

#include "base/error.h"
#include "task/functions.h"
#include "task/python_literal.h"

namespace sdft {

namespace {
constexpr jinja::LexerOptions kLexing = {false, false, true};  // as the harness: every line break stays

// What stands inside "{{ ... }}", where that is all there is; "" else.
std::string only_expression(const std::string& text) {
  if (text.size() < 4 || text.rfind("{{", 0) != 0 || text.compare(text.size() - 2, 2, "}}") != 0) return "";
  const std::string inside = text.substr(2, text.size() - 4);
  return inside.find("{{") == std::string::npos && inside.find("}}") == std::string::npos &&
                 inside.find("{%") == std::string::npos
             ? inside
             : "";
}

std::string print(const jinja::Program& program, const Json& document) {
  jinja::RenderSettings settings;
  settings.strict = true;
  return jinja::render(program, document, settings);
}
}  // namespace

Expression::Expression(const Json& value, const std::string& where, const DocumentField* function)
    : where_(where), function_(function) {
  if (function) return;
  constant_ = value;
  if (!value.is_string()) return;
  const std::string text = value.get<std::string>();
  program_ = std::make_shared<jinja::Program>(jinja::parse(text, where, kLexing));
  if (const std::string inside = only_expression(text); !inside.empty())
    typed_ =
        std::make_shared<jinja::Program>(jinja::parse("{{ [" + inside + "] | tojson }}", where, kLexing));
}

Json Expression::of(const Json& document) const {
  if (function_) return function_->of(document);
  if (!constant_.is_string()) return constant_;
  if (const std::string& name = constant_.get_ref<const std::string&>(); document.contains(name))
    return document[name];
  return print(*program_, document);
}

Json Expression::list_or_text(const Json& document) const {
  Json value = of(document);
  if (!value.is_string() || !program_) return value;
  if (const std::string& name = constant_.get_ref<const std::string&>(); document.contains(name))
    return value;
  if (typed_) {
    // Printed as JSON it is what it was; a printed Python list would have to be read again.
    Json typed = parse_json(print(*typed_, document), where_)[0];
    if (typed.is_array()) return typed;
  }
  const std::string& text = value.get_ref<const std::string&>();
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
    if (auto list = read_python_literal(text)) return *list;
  return value;
}

std::string Expression::text(const Json& document) const {
  if (empty()) return "";
  const Json value = of(document);
  if (value.is_string()) return value.get<std::string>();
  fail_input(where_, "expected a text, found " + describe(value));
}

}  // namespace sdft
