// "json": both answers hold JSON, alone, in a fenced block or between words, of the same value: the order of
// keys does not matter, nor whether 1 is written 1.0.
#include "base/error.h"
#include "base/json.h"
#include "check/check.h"

namespace sdft {
namespace {

using Value = nlohmann::json;  // objects without order

std::optional<Value> parsed(std::string_view text) {
  try {
    return parse_json<Value>(text, "answer");
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInput) throw;
    return std::nullopt;
  }
}

// The contents of ``` blocks, in their order.
std::vector<std::string_view> fenced_blocks(std::string_view text) {
  std::vector<std::string_view> blocks;
  for (size_t open = text.find("```"); open != text.npos;) {
    const size_t begin = std::min(text.find('\n', open), text.size());
    const size_t close = text.find("```", begin);
    if (close == text.npos) break;
    blocks.push_back(text.substr(begin, close - begin));
    open = text.find("```", close + 3);
  }
  return blocks;
}

std::optional<Value> json_in(std::string_view text) {
  if (auto value = parsed(text)) return value;
  for (std::string_view block : fenced_blocks(text))
    if (auto value = parsed(block)) return value;
  for (const char* marks : {"{}", "[]"}) {
    const size_t begin = text.find(marks[0]), end = text.rfind(marks[1]);
    if (begin == text.npos || end == text.npos || end < begin) continue;
    if (auto value = parsed(text.substr(begin, end + 1 - begin))) return value;
  }
  return std::nullopt;
}

std::string missing(const CheckItem& item, const Argument&) {
  return json_in(item.reference) ? "" : "the reference answer holds no JSON";
}

EvalResult judge_json(const CheckItem& item) {
  const auto wanted = json_in(item.reference), given = json_in(item.answer);
  return result_of(item, wanted && given && *wanted == *given, kMismatch, given ? "other JSON" : "no JSON");
}

}  // namespace

Check json_check() {
  return {"json",
          kAcceptance | kAnswerCheck | kTaskCheck,
          "the same JSON, in whatever order of keys",
          each<judge_json>,
          kNeedsReference,
          "accuracy",
          missing};
}

}  // namespace sdft
