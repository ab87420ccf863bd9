#include "check/bfcl_answer.h"

#include "base/error.h"
#include "base/find.h"

namespace sdft {
namespace {

struct Unreadable {};  // thrown and caught in this file

PyValue value_of(const PyNode& node);

PyValue keyword_arguments(const PyNode& call) {
  PyValue arguments;
  arguments.type = PyValue::kDict;
  for (size_t i = 1; i < call.parts.size(); ++i) {
    const PyNode& part = call.parts[i];
    if (part.kind != PyNode::kKeyword) continue;
    PyValue key = part.text.empty() ? PyValue() : py_string(part.text);  // f(**d): the key None
    set_item(&arguments, std::move(key), value_of(part.parts[0]));
  }
  return arguments;
}

PyValue dict_of(const PyNode& node) {
  PyValue dict;
  dict.type = PyValue::kDict;
  for (size_t i = 0; i + 1 < node.parts.size(); i += 2) {
    PyValue key = value_of(node.parts[i]);
    PyValue value = value_of(node.parts[i + 1]);
    if (!hashable(key)) throw Unreadable();
    set_item(&dict, std::move(key), std::move(value));
  }
  return dict;
}

// A sign or `not` before a constant is a minus there, whichever it is.
PyValue negative(const PyNode& node) {
  const PyNode& operand = node.parts[0];
  const bool constant =
      operand.kind == PyNode::kBool || operand.kind == PyNode::kInt || operand.kind == PyNode::kFloat;
  if (operand.kind == PyNode::kOpaque && !operand.text.empty() && (operand.text.back() | 0x20) == 'j')
    return {PyValue::kOther, "-" + operand.text};
  if (!constant) throw Unreadable();
  if (operand.kind == PyNode::kFloat) return py_number(PyValue::kFloat, -operand.number);
  std::string digits = operand.kind == PyNode::kBool ? std::to_string(int(operand.number)) : operand.text;
  if (digits != "0") digits.insert(0, "-");
  return {PyValue::kInt, digits, -operand.number};
}

PyValue value_of(const PyNode& node) {
  switch (node.kind) {
    case PyNode::kNone:
      return {};
    case PyNode::kBool:
    case PyNode::kInt:
    case PyNode::kFloat:
    case PyNode::kString:
      return *py_arithmetic(node);
    case PyNode::kEllipsis:
    case PyNode::kSubscript:
      return py_string(unparse(node));
    case PyNode::kName:
      return py_string(node.text);
    case PyNode::kUnary:
      return negative(node);
    case PyNode::kBinary:
      if (std::optional<PyValue> computed = py_arithmetic(node)) return *computed;
      throw Unreadable();
    case PyNode::kDict:
      return dict_of(node);
    case PyNode::kOpaque:
      if (node.text.find_first_of("fF") < node.text.find_first_of("\"'")) throw Unreadable();
      return {PyValue::kOther, node.text};
    case PyNode::kCall: {
      PyValue arguments = keyword_arguments(node), call;
      if (arguments.keys.empty()) return py_string(unparse(node));
      call.type = PyValue::kDict;
      set_item(&call, py_string(dotted_name(node.parts[0])), std::move(arguments));
      return call;
    }
    case PyNode::kList:
    case PyNode::kTuple: {
      PyValue list;
      list.type = node.kind == PyNode::kList ? PyValue::kList : PyValue::kTuple;
      for (const PyNode& part : node.parts) list.items.push_back(value_of(part));
      return list;
    }
    default:
      throw Unreadable();
  }
}

std::string_view stripped_of(std::string_view text, std::string_view characters) {
  const size_t begin = text.find_first_not_of(characters);
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(characters) + 1 - begin);
}

std::optional<std::vector<BfclCall>> python_calls(std::string_view answer) {
  std::string text(stripped_of(answer, "`\n "));
  if (text.empty() || text.front() != '[') text.insert(0, "[");
  if (text.back() != ']') text += "]";
  const std::optional<PyNode> list = parse_python(text);
  if (!list || list->kind != PyNode::kList) return std::nullopt;
  std::vector<BfclCall> calls;
  for (const PyNode& call : list->parts) {
    if (call.kind != PyNode::kCall) return std::nullopt;
    try {
      calls.push_back({dotted_name(call.parts[0]), keyword_arguments(call)});
    } catch (const Unreadable&) {
      return std::nullopt;
    }
  }
  return calls;
}

std::optional<Json> parsed(std::string_view text) {
  try {
    return parse_json(text, "answer");
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInput) throw;
    return std::nullopt;
  }
}

BfclCall json_call(const Json& json) {
  if (!json.is_object()) throw Unreadable();
  if (json.contains("function") && json["function"].is_object()) return json_call(json["function"]);
  const char* key = json.contains("arguments") ? "arguments" : "parameters";
  if (!json.contains("name") || !json["name"].is_string() || !json.contains(key)) throw Unreadable();
  Json arguments = json[key];
  if (arguments.is_string()) arguments = parsed(arguments.get<std::string>()).value_or(Json());
  if (!arguments.is_object()) throw Unreadable();
  return {json["name"], py_value(arguments), true};
}

std::optional<std::vector<BfclCall>> json_calls(const Json& json) {
  if (json.is_object() && json.contains("tool_calls") && json["tool_calls"].is_array())
    return json_calls(json["tool_calls"]);
  std::vector<BfclCall> calls;
  try {
    if (!json.is_array()) return std::vector<BfclCall>{json_call(json)};
    for (const Json& one : json) calls.push_back(json_call(one));
  } catch (const Unreadable&) {
    return std::nullopt;
  }
  return calls;
}

// Of <tool_call> blocks; one that is no JSON is passed over, as there.
std::optional<std::vector<BfclCall>> tagged_calls(std::string_view answer) {
  constexpr std::string_view kOpen = "<tool_call>\n", kClose = "\n</tool_call>";
  Json list = Json::array();
  for (size_t at = find_text(answer, kOpen); at != answer.npos;) {
    const size_t begin = at + kOpen.size(), end = find_text(answer, kClose, begin);
    if (end == answer.npos) break;
    if (std::optional<Json> one = parsed(answer.substr(begin, end - begin))) list.push_back(std::move(*one));
    at = find_text(answer, kOpen, end + kClose.size());
  }
  return json_calls(list);
}

}  // namespace

std::optional<std::vector<BfclCall>> bfcl_calls(std::string_view answer) {
  if (std::optional<std::vector<BfclCall>> calls = python_calls(answer)) return calls;
  if (find_text(answer, "<tool_call>") != answer.npos) return tagged_calls(answer);
  const std::optional<Json> json = parsed(stripped_of(answer, "`\n\r\t "));
  return json ? json_calls(*json) : std::nullopt;
}

}  // namespace sdft
