// "choice": the letter of a multiple choice question: "(B)", "The answer is B.", "B) Paris", "Option B".
#include "base/utf8.h"
#include "check/answer.h"
#include "check/check.h"

namespace sdft {
namespace {

// The first group of the last match.
std::optional<std::string> last_letter(const Regex& pattern, const std::string& text) {
  RegexScratch scratch;
  std::optional<std::string> letter;
  Match match, group;
  for (size_t from = 0; pattern.find(text, from, scratch, match, &group); from = match.end)
    letter = text.substr(group.begin, 1);
  if (letter && (*letter)[0] >= 'a') (*letter)[0] = static_cast<char>((*letter)[0] - 'a' + 'A');
  return letter;
}

}  // namespace

std::optional<std::string> chosen_letter(std::string_view text) {
  // The letter alone, or in front of what it stands for; (b) in brackets may be a small one. "A" and "I" that
  // go on in small letters are words.
  static const Regex kAlone(
      R"(\A\W*(?:(?i:option|choice|answer):? )?\W?([A-Ja-j])(?:[).:\]]+(?=\s|[*_]|\z)|\W*\z))", "choice"),
      kAnnounced(
          R"(\b(?i:answer|option|choice|alternative)(?i: (?:is|was|would be|should be|must be))?[\s:=*_"'(\[]++)"
          R"((?:(?i:option|choice|letter)\s+)?[*_"'(\[]*([A-J])(?![\w'’])(?! (?!because|since|as |is |and |or )[a-z]))",
          "choice"),
      kInBrackets(R"((?<!\w)\(([A-J])\))", "choice");
  const std::string all = utf8_lossy(std::string(text)), answer = final_answer(text);
  for (const std::string& part : {answer, all})
    if (auto letter = last_letter(kAlone, part)) return letter;
  for (const Regex* pattern : {&kAnnounced, &kInBrackets})
    if (auto letter = last_letter(*pattern, all)) return letter;
  return std::nullopt;
}

namespace {
std::string missing(const CheckItem& item, const Argument&) {
  return chosen_letter(item.reference) ? "" : "the reference answer names no choice from A to J";
}

EvalResult judge_choice(const CheckItem& item) {
  return agreement(item, chosen_letter(item.reference), chosen_letter(item.answer));
}
}  // namespace

Check choice_check() {
  Check check = {"choice",
                 kAcceptance | kAnswerCheck | kTaskCheck,
                 "the same letter of a multiple choice: (B), \"The answer is B\"",
                 each<judge_choice>,
                 kNeedsReference,
                 "accuracy",
                 missing};
  return check;
}

}  // namespace sdft
