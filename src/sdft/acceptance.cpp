#include "sdft/acceptance.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "data/answer.h"

namespace sdft {

namespace {
constexpr std::pair<const char*, AnswerCheck> kChecks[] = {{"none", AnswerCheck::kNone},
                                                           {"number", AnswerCheck::kNumber},
                                                           {"function_call", AnswerCheck::kFunctionCall},
                                                           {"code", AnswerCheck::kCode},
                                                           {"answer", AnswerCheck::kAnswer}};
constexpr const char* kBannedPhrases[] = {"reference answer", "your response", "my response",
                                          "your own response",
                                          "now it's your turn"};  // in lower case, anywhere
constexpr const char* kBannedStart = "Your turn";
constexpr const char* kCodeStarts[] = {"I have", "Here is", "I implemented"};

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

bool keeps_answer(std::string_view rewrite, std::string_view original, AnswerCheck check) {
  switch (check) {
    case AnswerCheck::kNone:
      return true;
    case AnswerCheck::kNumber: {
      const auto wanted = last_number(original);
      return wanted && wanted == last_number(rewrite);
    }
    case AnswerCheck::kFunctionCall:
      return function_call_matches(original, rewrite);
    case AnswerCheck::kCode:
      return rewrite.find("```python") != std::string_view::npos &&
             std::any_of(std::begin(kCodeStarts), std::end(kCodeStarts),
                         [&](const char* s) { return starts_with(rewrite, s); });
    case AnswerCheck::kAnswer:
      return answers_agree(original, rewrite);
  }
  return false;
}

bool has_banned_phrase(std::string_view text) {
  if (starts_with(text, kBannedStart)) return true;
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::any_of(std::begin(kBannedPhrases), std::end(kBannedPhrases),
                     [&](const char* phrase) { return lower.find(phrase) != std::string::npos; });
}
}  // namespace

AnswerCheck parse_answer_check(const std::string& name) {
  for (const auto& [known, check] : kChecks)
    if (name == known) return check;
  const std::string near = nearest(name, answer_check_names());
  fail_usage("answer_check '" + name + "' is not known",
             near.empty() ? "none, number, function_call, code, answer" : "did you mean '" + near + "'?");
}

std::vector<std::string> answer_check_names() {
  std::vector<std::string> names;
  for (const auto& item : kChecks) names.emplace_back(item.first);
  return names;
}

const char* name_of(Rejection reason) {
  constexpr const char* kNames[] = {
      "", "banned_phrase", "empty", "cut_by_token_limit", "repetition_loop", "answer_mismatch"};
  return kNames[static_cast<int>(reason)];
}

Verdict judge_rewrite(const Rewrite& rewrite, std::string_view original, AnswerCheck check) {
  auto reject = [](Rejection reason) { return Verdict{false, reason}; };
  auto blank = [](std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; };
  const std::string_view answer = strip_thinking(rewrite.text);
  if (has_banned_phrase(answer)) return reject(Rejection::kBannedPhrase);
  if (blank(rewrite.text)) return reject(Rejection::kEmpty);
  if (rewrite.cut)
    return reject(ends_in_loop(rewrite.text) ? Rejection::kRepetitionLoop : Rejection::kCutByTokenLimit);
  if (blank(answer)) return reject(Rejection::kEmpty);
  if (ends_in_loop(answer)) return reject(Rejection::kRepetitionLoop);
  if (!keeps_answer(answer, strip_thinking(original), check)) return reject(Rejection::kAnswerMismatch);
  return {};
}

bool ends_in_loop(std::string_view text) {
  constexpr size_t kCopies = 4, kBytes = 60, kLongestBlock = 400;
  for (size_t block = 1; block <= std::min(kLongestBlock, text.size() / kCopies); ++block) {
    size_t same = 0;  // bytes from the end that equal those one block earlier
    while (same + block < text.size() && text[text.size() - 1 - same] == text[text.size() - 1 - same - block])
      ++same;
    const size_t copies = same / block + 1;
    if (copies >= kCopies && copies * block >= kBytes) return true;
  }
  return false;
}

}  // namespace sdft
