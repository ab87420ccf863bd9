// "call": the answer calls the functions that the reference calls, with the same arguments, however they are
// spelled (OpenFunctions): both are read as Python. The paper's own rule, textual, is "function_call".
#include <algorithm>
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
  if (node.kind == PyNode::kFloat &&
      node.number == static_cast<double>(static_cast<long long>(node.number)) && std::abs(node.number) < 1e15)
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

// The calls in a text, each once. What stands in a call belongs to it. "print (x)" with a space is a word and
// a remark, unless it has a keyword.
std::set<std::string> calls_of(const std::string& text) {
  std::set<std::string> calls;
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
      calls.insert(unparse(canonical(std::move(found->call))));
      end = found->end;
    }
    at = end;
  }
  return calls;
}

// Curly quotes are read as they are within others, and as quotes where a call is not one otherwise.
std::set<std::string> calls_in(std::string_view text) {
  std::set<std::string> calls = calls_of(std::string(text));
  return calls.empty() ? calls_of(straight_quotes(text)) : calls;
}

// References that Python cannot read (parent=<MemoryPool>) are left to the textual rule.
std::string missing(const CheckItem& item, const Argument&) {
  return !calls_in(item.reference).empty() || function_call_matches(item.reference, item.reference)
             ? ""
             : "the reference answer holds no function call";
}

EvalResult judge_calls(const CheckItem& item) {
  const std::set<std::string> wanted = calls_in(item.reference), given = calls_in(item.answer);
  if (wanted.empty()) return result_of(item, function_call_matches(item.reference, item.answer), kMismatch);
  std::string others;
  for (const std::string& call : given)
    if (wanted.count(call) == 0) others += (others.empty() ? "" : ", ") + call;
  return result_of(item, wanted == given, kMismatch, others.empty() ? "no call" : others);
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
