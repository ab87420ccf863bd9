// Jinja templates: parsed once, rendered any number of times, on any thread.
#pragma once

#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace sdft::jinja {

struct Program {
  std::string name;  // stands in messages
  Body body;
  std::vector<std::string> unset;  // names that are undefined at first: scopes.h
};

// Throws Error(kInput) as "name:line: what" on a syntax error and on what is not supported.
Program parse(const std::string& source, const std::string& name, const LexerOptions& options = {});

struct RenderSettings {
  Limits limits;
  std::tm now{};                                                        // what strftime_now prints
  std::vector<std::pair<size_t, size_t>>* generation_ranges = nullptr;  // bytes of {% generation %} blocks
  bool strict = false;  // printing what is undefined fails, as Jinja2's StrictUndefined
  std::vector<std::string> not_to_print_undefined;  // variables that {{ name }} may not print while undefined
};

// context: an object, the variables. Throws Error(kInput) as "name:line: what".
std::string render(const Program& program, const Json& context, const RenderSettings& settings);

}  // namespace sdft::jinja
