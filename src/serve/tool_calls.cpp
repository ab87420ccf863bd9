#include "serve/tool_calls.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace sdft::serve {

namespace {
constexpr std::string_view kOpened = "<tool_call>", kClosed = "</tool_call>", kBlanks = " \t\r\n";
constexpr std::string_view kLists[] = {"[TOOL_CALLS]", "<|python_tag|>"};
constexpr std::string_view kMarks[] = {kOpened, kLists[0], kLists[1]};

std::string stripped(const std::string& text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

std::optional<ToolCall> call_of(const Json& json) {
  const Json& call = json.is_object() && json.value("function", Json()).is_object() ? json["function"] : json;
  if (!call.is_object() || !call.value("name", Json()).is_string()) return std::nullopt;
  Json arguments = call.contains("arguments") ? call["arguments"] : call.value("parameters", Json::object());
  if (arguments.is_string()) arguments = Json::parse(arguments.get<std::string>(), nullptr, false);
  if (!arguments.is_object()) return std::nullopt;
  return ToolCall{call["name"], arguments.dump(-1, ' ', false, Json::error_handler_t::replace)};
}
}  // namespace

std::string ToolCallText::add(const std::string& text) {
  held_ += text;
  return released();
}

std::string ToolCallText::released() {
  if (holding_) return "";
  const size_t first = held_.find_first_not_of(kBlanks);
  if (!begun_ && first == std::string::npos) return "";
  holding_ = !std::exchange(begun_, true) && (held_[first] == '{' || held_[first] == '[');
  if (holding_) return "";
  size_t end = held_.size();
  for (const std::string_view mark : kMarks) {
    const size_t found = held_.find(mark);
    if (found != std::string::npos) holding_ = true, end = std::min(end, found);
  }
  if (!holding_)
    for (const std::string_view mark : kMarks) {
      size_t same = std::min(mark.size() - 1, held_.size());
      while (same > 0 && held_.compare(held_.size() - same, same, mark, 0, same) != 0) --same;
      end = std::min(end, held_.size() - same);
    }
  const std::string text = held_.substr(0, end);
  held_.erase(0, end);
  return text;
}

// An object or a list of them; `any`: also of tools that are not offered, which the client may know of.
bool ToolCallText::read_list(const std::string& text, bool any) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_object()) json = Json::array({std::move(json)});
  if (!json.is_array() || json.empty()) return false;
  std::vector<ToolCall> calls;
  for (const Json& one : json) {
    const std::optional<ToolCall> call = call_of(one);
    if (!call || (!any && !offered_.count(call->name))) return false;
    calls.push_back(*call);
  }
  calls_.insert(calls_.end(), calls.begin(), calls.end());
  return true;
}

std::string ToolCallText::finish() {
  std::string text = std::exchange(held_, "");
  const std::string bare = stripped(text);
  for (const std::string_view mark : kLists)
    if (bare.compare(0, mark.size(), mark) == 0 && read_list(bare.substr(mark.size()), true)) return "";
  if (bare.compare(0, kOpened.size(), kOpened) != 0) return read_list(bare, false) ? "" : text;
  std::string rest;  // beside the calls
  for (size_t at = 0; at < bare.size();) {
    const size_t begin = bare.find(kOpened, at), end = std::min(bare.size(), bare.find(kClosed, begin));
    rest += stripped(bare.substr(at, std::min(begin, bare.size()) - at));
    if (begin == std::string::npos) break;
    if (!read_list(bare.substr(begin + kOpened.size(), end - begin - kOpened.size()), true)) {
      calls_.clear();
      return text;
    }
    at = end + kClosed.size();
  }
  return rest;
}

Json tool_calls_json(const std::vector<ToolCall>& calls, const std::string& id, bool streamed) {
  Json list = Json::array();
  for (size_t i = 0; i < calls.size(); ++i) {
    list.push_back({{"id", id + "-" + std::to_string(i)},
                    {"type", "function"},
                    {"function", {{"name", calls[i].name}, {"arguments", calls[i].arguments}}}});
    if (streamed) list.back()["index"] = i;
  }
  return list;
}

}  // namespace sdft::serve
