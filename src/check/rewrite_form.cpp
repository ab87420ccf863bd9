// What a rewrite has to be, whatever it answers: it says something, comes to an end, and is not far longer or
// shorter than the original.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/utf8.h"
#include "check/answer.h"
#include "check/check.h"
#include "check/language.h"
#include "data/code_points.h"

namespace sdft {
namespace {

bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

// A trace that was cut left no answer: that is a matter of the token limit.
std::string_view written(const CheckItem& item) { return item.cut ? item.text : item.answer; }

EvalResult judge_empty(const CheckItem& item) { return result_of(item, !blank(written(item)), "empty"); }

// Bytes of the block that the text repeats at its end; 0: none.
size_t block_at_end(std::string_view text) {
  constexpr size_t kCopies = 4, kBytes = 60, kLongestBlock = 400;
  for (size_t block = 1; block <= std::min(kLongestBlock, text.size() / kCopies); ++block) {
    size_t same = 0;  // bytes from the end that equal those one block earlier
    while (same + block < text.size() && text[text.size() - 1 - same] == text[text.size() - 1 - same - block])
      ++same;
    const size_t copies = same / block + 1;
    if (copies >= kCopies && copies * block >= kBytes) return block;
  }
  return 0;
}

// How many words, and how many different ones, the end of a text has, without its code.
struct Vocabulary {
  size_t words = 0, letters = 0, different = 0;  // letters: words that are no numbers
};
Vocabulary vocabulary_of(std::string_view text) {
  constexpr size_t kWords = 400;
  std::vector<std::u32string> words = words_of(without_code(text));
  if (words.size() > kWords) words.erase(words.begin(), words.end() - kWords);
  Vocabulary found;
  found.words = words.size();
  for (const std::u32string& word : words) found.letters += is_alpha(word[0]);
  found.different = std::set<std::u32string>(words.begin(), words.end()).size();
  return found;
}

// A soup: a text, not the original's kind, that says the same few words over and over, in any order.
bool is_soup(const Vocabulary& text, const Vocabulary& original) {
  constexpr size_t kWords = 24, kUses = 8;
  if (text.words < kWords || text.different * kUses > text.words || text.letters * 2 < text.words)
    return false;
  return original.words < kWords || original.different * (kUses / 2) > original.words;
}

EvalResult judge_repetition(const CheckItem& item) {
  const std::string_view text = written(item);
  if (const size_t block = block_at_end(text))
    return result_of(item, false, "repetition_loop", text.substr(text.size() - block));
  const Vocabulary found = vocabulary_of(text);
  return result_of(item, !is_soup(found, vocabulary_of(item.reference)), "repetition_loop",
                   fmt::format("{} different words of {}", found.different, found.words));
}

EvalResult judge_end(const CheckItem& item) { return result_of(item, !item.cut, "cut_by_token_limit"); }

EvalResult judge_length(const CheckItem& item, const Argument& argument) {
  auto length = [](std::string_view text) { return static_cast<double>(code_points(text).size()); };
  const double ratio = length(item.answer) / std::max(length(item.reference), 1.0);
  return result_of(item, ratio >= argument.low && ratio <= argument.high, "length_ratio",
                   fmt::format("ratio {:.2g}", ratio));
}

void read_range(Argument* argument) {
  const std::string& text = argument->text;
  char* end = nullptr;
  const bool plain = text.find_first_not_of("0123456789.-") == std::string::npos && text[0] != '-';
  argument->low = std::strtod(text.c_str(), &end);
  const bool two = plain && *end == '-' && end[1] != '-' && end[1] != '\0';
  if (two) argument->high = std::strtod(end + 1, &end);
  if (!two || *end != '\0' || !(argument->low < argument->high))
    fail_usage("expected the least and the most of length / original's length, as 0.3-4");
}

}  // namespace

bool ends_in_loop(std::string_view text) { return block_at_end(text) > 0; }

Check empty_check() { return {"empty", kAcceptance, "it says something", each<judge_empty>}; }

Check repetition_check() {
  return {"repetition", kAcceptance, "no loop at its end, no soup of a few words", each<judge_repetition>};
}

Check token_limit_check() {
  return {"token_limit", kAcceptance, "it ended by itself, before max_new_tokens", each<judge_end>};
}

Check length_ratio_check() {
  Check check = {"length_ratio", kAcceptance, "characters / those of the original, from LOW to HIGH",
                 each<judge_length>};
  check.takes = "LOW-HIGH";
  check.read = read_range;
  return check;
}

}  // namespace sdft
