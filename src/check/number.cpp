// "number": the last number of an answer, as an integer (GSM8K, MultiArith).
#include <vector>

#include "check/answer.h"
#include "check/check.h"
#include "data/code_points.h"

namespace sdft {
namespace {

bool is_digit(char32_t c) { return digit_value(c).has_value(); }

size_t skip_digits(const std::u32string& text, size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

bool digit_at(const std::u32string& text, size_t at) { return at < text.size() && is_digit(text[at]); }

struct Number {
  size_t begin, fraction, end;  // fraction: where its point is, or end
};

// The last match of -?\d+(?:[,\s]\d+)*(?:\.\d+)? from the left.
std::optional<Number> find_last_number(const std::u32string& text) {
  std::optional<Number> last;
  for (size_t at = 0; at < text.size();) {
    if (!is_digit(text[at])) {
      ++at;
      continue;
    }
    // A minus sign that ended the number before is not there: numbers end in digits.
    Number number{at > 0 && text[at - 1] == '-' ? at - 1 : at, 0, 0};
    at = skip_digits(text, at);
    while (at < text.size() && (text[at] == ',' || is_space(text[at])) && digit_at(text, at + 1))
      at = skip_digits(text, at + 1);
    number.fraction = at;
    if (at < text.size() && text[at] == '.' && digit_at(text, at + 1)) at = skip_digits(text, at + 1);
    number.end = at;
    last = number;
  }
  return last;
}

}  // namespace

std::optional<std::string> last_number(std::string_view text) {
  const std::u32string codes = code_points(text);
  const std::optional<Number> number = find_last_number(codes);
  if (!number) return std::nullopt;
  for (size_t i = number->fraction + 1; i < number->end; ++i)
    if (*digit_value(codes[i]) != 0) return std::nullopt;
  std::string digits;
  for (size_t i = number->begin; i < number->fraction; ++i) {
    if (std::optional<int> value = digit_value(codes[i]))
      digits += static_cast<char>('0' + *value);
    else if (codes[i] != ',' && codes[i] != ' ' && codes[i] != '-')
      return std::nullopt;
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  bool negative = codes[number->begin] == '-' && digits != "0";
  return negative ? "-" + digits : digits;
}

namespace {
std::string missing(const CheckItem& item, const Argument&) {
  return last_number(item.reference) ? "" : "the reference answer does not end in an integer";
}

EvalResult judge_number(const CheckItem& item) {
  return agreement(item, last_number(item.reference), last_number(item.answer));
}
}  // namespace

Check number_check() {
  return {"number",
          kAcceptance | kAnswerCheck | kTaskCheck,
          "the same last number, an integer",
          each<judge_number>,
          kNeedsReference,
          "accuracy",
          missing};
}

}  // namespace sdft
