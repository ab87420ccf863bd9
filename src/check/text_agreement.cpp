// "exact", "regex": the rewrite says what the original does, as a text or in the part that a pattern finds.
#include "base/error.h"
#include "base/utf8.h"
#include "check/check.h"
#include "data/prompt_text.h"

namespace sdft {
namespace {

constexpr unsigned kUses = kAcceptance | kAnswerCheck | kTaskCheck;

std::string exact_missing(const CheckItem& item, const Argument&) {
  return stripped(std::string(item.reference)).empty() ? "the reference answer is empty" : "";
}

EvalResult judge_exact(const CheckItem& item) {
  return result_of(item, stripped(std::string(item.reference)) == stripped(std::string(item.answer)),
                   kMismatch);
}

// What the pattern's first group finds, else the match; none where it finds nothing.
std::optional<std::string> found_by(const Argument& argument, std::string_view text) {
  const std::string valid = utf8_lossy(std::string(text));
  RegexScratch scratch;
  Match match, group;
  if (!argument.pattern->find(valid, 0, scratch, match, &group)) return std::nullopt;
  return valid.substr(group.begin, group.end - group.begin);
}

std::string regex_missing(const CheckItem& item, const Argument& argument) {
  return found_by(argument, item.reference) ? "" : "the pattern finds nothing in the reference answer";
}

EvalResult judge_regex(const CheckItem& item, const Argument& argument) {
  return agreement(item, found_by(argument, item.reference), found_by(argument, item.answer));
}

void read_pattern(Argument* argument) {
  if (utf8_fault(argument->text) != std::string::npos) fail_usage("the pattern is not UTF-8");
  argument->pattern = std::make_shared<const Regex>(argument->text, "pattern");
}

}  // namespace

Check exact_check() {
  return {"exact",           kUses,           "the same text, but for white space around it",
          each<judge_exact>, kNeedsReference, "accuracy",
          exact_missing};
}

Check regex_check() {
  return {"regex",           kUses,           "PATTERN's first group, else its first match, is the same",
          each<judge_regex>, kNeedsReference, "accuracy",
          regex_missing,     "PATTERN",       read_pattern};
}

}  // namespace sdft
