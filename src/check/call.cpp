// "call": the answer calls the functions that the reference calls, with the same arguments, however they are
// spelled (OpenFunctions): both are read as Python. The paper's own rule, textual, is "function_call".
#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "check/answer.h"
#include "check/check.h"
#include "check/python_expression.h"
#include "data/code_points.h"

namespace sdft {
namespace {

// The expression in one spelling: keywords in the order of their names, 1 for 1.0, True for true.
PyNode canonical(PyNode node) {
  for (PyNode& part : node.parts) part = canonical(std::move(part));
  if (node.kind == PyNode::kFloat && std::abs(node.number) < 1e15 && node.number == std::trunc(node.number))
    node = {PyNode::kInt, std::to_string(static_cast<long long>(node.number)), node.number};
  if (node.kind == PyNode::kName && (node.text == "true" || node.text == "false"))
    node = {PyNode::kBool, "", node.text == "true" ? 1.0 : 0.0};
  if (node.kind == PyNode::kName && node.text == "null") node = {};
  const auto keywords = std::stable_partition(
      node.parts.begin(), node.parts.end(), [](const PyNode& part) { return part.kind != PyNode::kKeyword; });
  std::stable_sort(keywords, node.parts.end(),
                   [](const PyNode& a, const PyNode& b) { return a.text < b.text; });
  return node;
}

bool has_keyword(const PyNode& call) {
  return std::any_of(call.parts.begin(), call.parts.end(),
                     [](const PyNode& part) { return part.kind == PyNode::kKeyword; });
}

// The calls in a text, each once, in one spelling.
struct Calls {
  std::set<std::string> calls;
  std::set<std::string> remarks;  // what may be one and may be words: "item(s)", "print(x)", "use main()"
};

bool is_remark(const PyNode& call) {
  return std::all_of(call.parts.begin(), call.parts.end(),
                     [](const PyNode& part) { return part.kind == PyNode::kName; });
}

// What stands in a call belongs to it. "print (x)" with a space is a word and a remark, unless it has a
// keyword.
Calls calls_of(const std::string& text) {
  Calls calls;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_' ||
                                 text[end] == '.' || static_cast<unsigned char>(text[end]) >= 0x80))
      ++end;
    if (end == at) {
      ++at;
      continue;
    }
    std::optional<PyCallAt> found = python_call_at(text, at);
    if (found && (text[end] == '(' || has_keyword(found->call))) {
      end = found->end;
      auto& kind = is_remark(found->call) ? calls.remarks : calls.calls;
      kind.insert(unparse(canonical(std::move(found->call))));
    }
    at = end;
  }
  return calls;
}

// Curly quotes are read as they are within others, and as quotes where a call is not one otherwise.
Calls calls_in(std::string_view text) {
  Calls found = calls_of(std::string(text));
  return found.calls.empty() ? calls_of(straight_quotes(text)) : found;
}

// The calls that the reference makes. One that Python cannot read (parent=<MemoryPool>) is left to the
// textual rule.
std::set<std::string> wanted_by(std::string_view reference) {
  const Calls found = calls_in(reference);
  return found.calls.empty() ? found.remarks : found.calls;
}

std::string missing(const CheckItem& item, const Argument&) {
  return !wanted_by(item.reference).empty() || function_call_matches(item.reference, item.reference)
             ? ""
             : "the reference answer holds no function call";
}

EvalResult judge_calls(const CheckItem& item) {
  const std::set<std::string> wanted = wanted_by(item.reference);
  if (wanted.empty()) return result_of(item, function_call_matches(item.reference, item.answer), kMismatch);
  const Calls given = calls_in(item.answer);
  std::string others;
  for (const std::string& call : given.calls)
    if (wanted.count(call) == 0) others += (others.empty() ? "" : ", ") + call;
  const bool all = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& call) {
    return given.calls.count(call) + given.remarks.count(call) > 0;
  });
  return result_of(item, all && others.empty(), kMismatch, others.empty() ? "no such call" : others);
}

}  // namespace

Check call_check() {
  return {"call",
          kAcceptance | kAnswerCheck | kTaskCheck,
          "the original's calls, in whatever spelling and order of keywords",
          each<judge_calls>,
          kNeedsReference,
          "accuracy",
          missing};
}

}  // namespace sdft
