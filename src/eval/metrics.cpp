#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "data/code_points.h"

namespace sdft {
namespace {

using Counts = std::unordered_map<std::u32string_view, size_t>;

Counts count_ngrams(std::u32string_view text, size_t n) {
  Counts counts;
  for (size_t i = 0; i + n <= text.size(); ++i) ++counts[text.substr(i, n)];
  return counts;
}

size_t shared_ngrams(std::u32string_view a, std::u32string_view b, size_t n) {
  const Counts in_a = count_ngrams(a, n);
  size_t shared = 0;
  for (const auto& [ngram, count] : count_ngrams(b, n))
    if (auto at = in_a.find(ngram); at != in_a.end()) shared += std::min(count, at->second);
  return shared;
}

template <typename T>
size_t common_subsequence(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<size_t> row(b.size() + 1, 0);
  for (const T& x : a) {
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

double bleu4(std::string_view reference, std::string_view answer) {
  const std::u32string expected = code_points(reference), found = code_points(answer);
  double log_sum = 0;
  double smoothing = 1;
  for (size_t n = 1; n <= 4; ++n) {
    size_t shared = shared_ngrams(expected, found, n);
    if (n == 1 && shared == 0) return 0;
    double total = found.size() >= n ? static_cast<double>(found.size() - n + 1) : 1.0;
    double hits = shared > 0 ? static_cast<double>(shared) : smoothing /= 2;
    log_sum += 0.25 * std::log(hits / total);
  }
  double ratio = static_cast<double>(expected.size()) / static_cast<double>(found.size());
  return std::min(1.0, std::exp(1 - ratio)) * std::exp(log_sum);
}

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

double token_similarity(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  if (a.empty() && b.empty()) return 1;
  return 2 * static_cast<double>(common_subsequence(a, b)) / static_cast<double>(a.size() + b.size());
}

double mean(const std::vector<double>& values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace sdft
