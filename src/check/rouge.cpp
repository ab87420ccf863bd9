// "similarity": ROUGE-L over words, between two models' answers, or of a rewrite to its original.
#include "check/rouge.h"

#include <fmt/format.h>

#include <algorithm>

#include "check/check.h"
#include "data/code_points.h"

namespace sdft {
namespace {

size_t common_subsequence(const std::vector<std::u32string>& a, const std::vector<std::u32string>& b) {
  std::vector<size_t> row(b.size() + 1, 0);
  for (const std::u32string& x : a) {
    size_t diagonal = 0;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = x == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return row.back();
}

bool one_of(char32_t c, std::u32string_view set) { return set.find(c) != std::u32string_view::npos; }

bool is_latin(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Where the word that begins at `at` ends.
size_t word_end(std::u32string_view text, size_t at) {
  constexpr std::u32string_view kSymbols = U"+#&._%-";
  auto run = [&](size_t from, auto&& belongs) {
    while (from < text.size() && belongs(text[from])) ++from;
    return from;
  };
  auto digit = [](char32_t c) { return c >= '0' && c <= '9'; };
  if (is_latin(text[at])) {
    size_t end = run(at, is_latin);
    if (end < text.size() && text[end] == '.') {
      size_t fraction = run(end + 1, digit);
      if (fraction > end + 1) end = fraction;
    }
    return end < text.size() && text[end] == '%' ? end + 1 : end;
  }
  if (one_of(text[at], kSymbols)) return run(at, [&](char32_t c) { return one_of(c, kSymbols); });
  return text.substr(at, 2) == U"\r\n" ? at + 2 : at + 1;
}

// Puts a line break after each match of `length` (0: none here) whose next character is there and not in
// `unless`.
template <typename Length>
std::u32string break_after(const std::u32string& text, Length length, std::u32string_view unless) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    size_t matched = length(at);
    if (matched > 0 && at + matched < text.size() && !one_of(text[at + matched], unless)) {
      out.append(text, at, matched).append(1, U'\n').append(1, text[at + matched]);
      at += matched + 1;
    } else {
      out += text[at++];
    }
  }
  return out;
}

std::u32string break_sentences(std::u32string text) {
  constexpr std::u32string_view kEnds = U"。！？?", kQuotes = U"”’";
  text = break_after(
      text, [&](size_t i) -> size_t { return one_of(text[i], kEnds); }, kQuotes);
  text = break_after(
      text, [&](size_t i) -> size_t { return text.compare(i, 6, U"......") == 0 ? 6 : 0; }, kQuotes);
  text = break_after(
      text, [&](size_t i) -> size_t { return text.compare(i, 2, U"……") == 0 ? 2 : 0; }, kQuotes);
  auto quoted_end = [&](size_t i) -> size_t {
    return one_of(text[i], kEnds) && i + 1 < text.size() && one_of(text[i + 1], kQuotes) ? 2 : 0;
  };
  return break_after(text, quoted_end, U"，。！？?");
}

// What rouge_chinese compares: the words, joined with spaces, cut into sentences and split again. A sentence
// of white space only counts as one empty word.
std::vector<std::u32string> compared_words(const std::vector<std::string>& words) {
  std::u32string joined;
  for (const auto& word : words) joined.append(joined.empty() ? U"" : U" ").append(code_points(word));
  joined = break_sentences(joined);
  while (!joined.empty() && is_space(joined.back())) joined.pop_back();

  std::vector<std::u32string> compared;
  for (size_t begin = 0; begin < joined.size();) {
    size_t end = std::min(joined.find(U'\n', begin), joined.size());
    size_t before = compared.size();
    for (size_t at = begin; at < end;) {
      size_t stop = at;
      while (stop < end && !is_space(joined[stop])) ++stop;
      if (stop > at) compared.push_back(joined.substr(at, stop - at));
      at = stop + 1;
    }
    if (end > begin && compared.size() == before) compared.emplace_back();
    begin = end + 1;
  }
  return compared;
}

bool is_blank(const std::vector<std::string>& words) {
  return std::all_of(words.begin(), words.end(),
                     [](const auto& word) { return collapse_space(word).empty(); });
}

}  // namespace

std::vector<std::string> rouge_words(std::string_view text) {
  const std::u32string codes = code_points(text);
  std::vector<std::string> words;
  for (size_t at = 0; at < codes.size();) {
    size_t end = word_end(codes, at);
    words.push_back(to_utf8(std::u32string_view(codes).substr(at, end - at)));
    at = end;
  }
  return words;
}

double rouge_l(const std::vector<std::string>& reference, const std::vector<std::string>& answer) {
  if (is_blank(reference) || is_blank(answer)) return 0;
  const std::vector<std::u32string> expected = compared_words(reference), found = compared_words(answer);
  auto common = static_cast<double>(common_subsequence(expected, found));
  double precision = common / static_cast<double>(found.size());
  double recall = common / static_cast<double>(expected.size());
  return 2 * (precision * recall / (precision + recall + 1e-8));
}

double rouge_l(std::string_view reference, std::string_view answer) {
  return rouge_l(rouge_words(reference), rouge_words(answer));
}

namespace {
// Equal texts are just under 1 by the formula.
double similarity(const CheckItem& item) {
  return item.answer == item.reference ? 1.0 : rouge_l(item.reference, item.answer);
}

EvalResult grade_similarity(const CheckItem& item) {
  return {item.id, Verdict::kGraded, similarity(item), ""};
}

EvalResult judge_similarity(const CheckItem& item, const Argument& argument) {
  const double found = similarity(item);
  return result_of(item, found >= argument.low, "similarity", fmt::format("{:.2g}", found));
}
}  // namespace

Check similarity_check() {
  Check check = {"similarity", kAcceptance, "ROUGE-L to the original at least this, from 0 to 1",
                 each<judge_similarity>};
  check.takes = "MIN";
  check.read = read_share;
  return check;
}

Check closeness_check() {
  Check check = {"similarity", kBetweenModels, "ROUGE-L to the seed's answer", each<grade_similarity>};
  check.needs = kNeedsReference;
  check.metric = "ROUGE-L";
  return check;
}

}  // namespace sdft
