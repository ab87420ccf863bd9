// What every rewrite has to pass, whatever it answers: it does not talk about its task (phrases of Yang et
// al. 2024), says something, and comes to an end.
#include <algorithm>
#include <cctype>
#include <iterator>

#include "check/answer.h"
#include "check/check.h"

namespace sdft {
namespace {

constexpr std::string_view kBannedPhrases[] = {"reference answer", "your response", "my response",
                                               "your own response",
                                               "now it's your turn"};  // in lower case, anywhere
constexpr std::string_view kBannedStart = "Your turn";

bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

bool has_banned_phrase(std::string_view text) {
  if (text.substr(0, kBannedStart.size()) == kBannedStart) return true;
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::any_of(std::begin(kBannedPhrases), std::end(kBannedPhrases),
                     [&](std::string_view phrase) { return lower.find(phrase) != std::string::npos; });
}

EvalResult judge_phrases(const CheckItem& item) {
  return result_of(item, !has_banned_phrase(item.answer), "banned_phrase");
}

// A trace that was cut left no answer: that is a matter of the token limit.
EvalResult judge_empty(const CheckItem& item) {
  return result_of(item, !blank(item.cut ? item.text : item.answer), "empty");
}

EvalResult judge_loop(const CheckItem& item) {
  return result_of(item, !ends_in_loop(item.cut ? item.text : item.answer), "repetition_loop");
}

EvalResult judge_end(const CheckItem& item) { return result_of(item, !item.cut, "cut_by_token_limit"); }

Check row(const char* name,
          std::vector<EvalResult> (*judge)(const std::vector<CheckItem>&, const SandboxOptions&)) {
  return {name, kEveryRewrite, kNeedsNothing, "", nothing_missing, judge};
}

}  // namespace

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

Check banned_phrase_check() { return row("banned_phrase", each<judge_phrases>); }
Check empty_check() { return row("empty", each<judge_empty>); }
Check repetition_loop_check() { return row("repetition_loop", each<judge_loop>); }
Check token_limit_check() { return row("cut_by_token_limit", each<judge_end>); }

}  // namespace sdft
