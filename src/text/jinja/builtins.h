// The filters, tests and global functions of Jinja, and those that Transformers adds.
#pragma once

#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace sdft::jinja {

// "" where the name is known, else what is wrong with it.
std::string filter_problem(const std::string& name);
std::string test_problem(const std::string& name);

Value apply_filter(Runtime& rt, const std::string& name, const Value& value, const Args& args);
bool apply_test(Runtime& rt, const std::string& name, const Value& value, const Args& args);
// What Jinja has and this does not.
bool is_unsupported_global(const std::string& name);
std::vector<std::pair<std::string, Value>> global_functions(Runtime& rt, const std::tm& now);

// One family of filters each: they look up `name`, and give false where it is not theirs.
using Filter = Value (*)(Runtime&, const Value&, const Args&);
Filter find_text_filter(const std::string& name);
Filter find_list_filter(const std::string& name);

}  // namespace sdft::jinja
