// "number": the last number of an answer, as an integer, by the paper's rule (GSM8K, MultiArith);
// "final_number": the last number of an answer, by a rule of this project's.
#include <algorithm>
#include <tuple>
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

namespace {
// A number in plain characters: digits with groups of three, a fraction; its sign where one belongs to it.
struct Written {
  std::string whole, fraction;  // of digits; the fraction without zeros at its end
  bool negative = false;
  size_t begin = 0, end = 0;
};

bool is_minus(char32_t c) { return c == '-' || c == 0x2212 || c == 0x2010 || c == 0x2011 || c == 0x2013; }

Written number_at(const std::u32string& text, size_t at) {
  Written number;
  number.begin = at;
  auto take = [&](std::string& digits) {
    for (; digit_at(text, at); ++at) digits += static_cast<char>('0' + *digit_value(text[at]));
  };
  take(number.whole);
  auto group = [&] {  // ",080", and no digit behind it
    return number.whole.size() > 0 && at < text.size() && text[at] == ',' &&
           skip_digits(text, at + 1) == at + 4;
  };
  if (number.whole.size() <= 3)
    while (group()) {
      ++at;
      take(number.whole);
    }
  if (at < text.size() && text[at] == '.' && digit_at(text, at + 1)) {
    ++at;
    take(number.fraction);
  }
  number.end = at;
  number.whole.erase(0, std::min(number.whole.find_first_not_of('0'), number.whole.size() - 1));
  number.fraction.resize(number.fraction.find_last_not_of('0') + 1);
  return number;
}

// By value, of numbers without a sign.
bool smaller(const Written& a, const Written& b) {
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size();
  return std::tie(a.whole, a.fraction) < std::tie(b.whole, b.fraction);
}

// "3.5", "-7", "1080"; a minus sign behind a smaller number is a dash between two: "5-10" ends in 10.
std::optional<std::string> final_number(std::string_view text) {
  const std::u32string codes = code_points(text);
  std::optional<Written> last;
  for (size_t at = 0; at < codes.size();) {
    if (!is_digit(codes[at])) {
      ++at;
      continue;
    }
    Written number = number_at(codes, at);
    size_t sign = at;
    while (sign > 0 && (codes[sign - 1] == '$' || codes[sign - 1] == 0x20ac || codes[sign - 1] == 0xa3))
      --sign;
    if (sign > 0 && is_minus(codes[sign - 1])) {
      const bool range = last && last->end == sign - 1 && smaller(*last, number);
      number.negative = !range && !(sign > 1 && is_alpha(codes[sign - 2]));
    }
    at = number.end;
    last = std::move(number);
  }
  if (!last) return std::nullopt;
  const std::string number = last->whole + (last->fraction.empty() ? "" : "." + last->fraction);
  return (last->negative && number != "0" ? "-" : "") + number;
}

std::string final_missing(const CheckItem& item, const Argument&) {
  return final_number(item.reference) ? "" : "the reference answer holds no number";
}

EvalResult judge_final_number(const CheckItem& item) {
  return agreement(item, final_number(item.reference), final_number(item.answer));
}
}  // namespace

Check final_number_check() {
  return {"final_number",
          kAcceptance | kAnswerCheck | kTaskCheck,
          "the same last number, fractions too; 5-10 ends in 10, and no space is part of a number",
          each<judge_final_number>,
          kNeedsReference,
          "accuracy",
          final_missing};
}

}  // namespace sdft
