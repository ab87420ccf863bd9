// "function_call": the reference's call occurs in the answer (OpenFunctions).
#include <cctype>

#include "check/answer.h"
#include "check/check.h"
#include "data/code_points.h"

namespace sdft {
namespace {

// White space runs to one space, ' to ", ", " to ",".
std::u32string even_out_call(std::string_view text) {
  std::u32string spaced;
  for (char32_t c : code_points(text)) {
    if (!is_space(c))
      spaced += c == U'\'' ? U'"' : c;
    else if (spaced.empty() || spaced.back() != U' ')
      spaced += U' ';
  }
  std::u32string out;
  for (char32_t c : spaced)
    if (!(c == U' ' && !out.empty() && out.back() == U',')) out += c;
  return out;
}

bool starts_name(char32_t c) { return c < 0x80 && (std::isalpha(static_cast<int>(c)) || c == '_'); }
bool in_name(char32_t c) { return c < 0x80 && (std::isalnum(static_cast<int>(c)) || c == '_'); }

// Where a dotted name that begins at `at` ends; `at` itself where none does.
size_t skip_name(const std::u32string& text, size_t at) {
  if (at >= text.size() || !starts_name(text[at])) return at;
  for (;;) {
    while (at < text.size() && in_name(text[at])) ++at;
    if (at + 1 >= text.size() || text[at] != '.' || !starts_name(text[at + 1])) return at;
    ++at;
  }
}

// The first "name(" with everything up to the last closing parenthesis.
std::optional<std::u32string> call_in(const std::u32string& text) {
  const size_t last = text.rfind(U')');
  if (last == std::u32string::npos) return std::nullopt;
  for (size_t at = 0; at < last; ++at) {
    size_t end = skip_name(text, at);
    if (end > at && end < last && text[end] == '(') return text.substr(at, last + 1 - at);
  }
  return std::nullopt;
}

}  // namespace

bool function_call_matches(std::string_view reference, std::string_view answer) {
  const std::optional<std::u32string> call = call_in(even_out_call(reference));
  if (!call) return false;
  const std::u32string text = even_out_call(answer);
  for (size_t at = text.find(*call); at != std::u32string::npos; at = text.find(*call, at + 1))
    if (at == 0 || !is_word(text[at - 1])) return true;
  return false;
}

namespace {
std::string missing(const CheckItem& item, const Argument&) {
  return function_call_matches(item.reference, item.reference)
             ? ""
             : "the reference answer holds no function call";
}

EvalResult judge_call(const CheckItem& item) {
  return result_of(item, function_call_matches(item.reference, item.answer), kMismatch);
}
}  // namespace

Check function_call_check() {
  return {"function_call",
          kAcceptance | kAnswerCheck | kTaskCheck,
          "the original's call name(parameters) occurs in it",
          each<judge_call>,
          kNeedsReference,
          "accuracy",
          missing};
}

}  // namespace sdft
