#include "check/sentences.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "data/code_points.h"

namespace sdft {
namespace {

using View = std::u32string_view;

// In lower case, without their last full stop. Punkt's English model knows no "e.g" and no "etc", so neither
// is here.
constexpr std::array<std::string_view, 45> kAbbreviations = {
    "mr",  "mrs", "ms",   "dr",   "prof", "gen", "col",  "lt",     "maj", "sen", "rep", "st",
    "ft",  "jr",  "sr",   "inc",  "ltd",  "co",  "corp", "bros",   "vs",  "v",   "p",   "jan",
    "feb", "aug", "sep",  "sept", "oct",  "nov", "dec",  "wed",    "fri", "u.s", "u.k", "u.n",
    "a.m", "p.m", "ph.d", "d.c",  "a.d",  "n.y", "l.a",  "messrs", "adm"};
// Words that mostly begin sentences where they have a capital.
constexpr std::array<std::string_view, 34> kStarters = {
    "The", "This",  "That", "These", "Those", "It",      "He",   "She",      "They",  "We",  "You", "I",
    "In",  "On",    "At",   "But",   "And",   "However", "If",   "When",     "While", "As",  "For", "After",
    "So",  "There", "Here", "What",  "Why",   "How",     "Then", "Although", "Some",  "Many"};

template <size_t N>
bool among(const std::string& word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool one_of(char32_t c, View set) { return set.find(c) != View::npos; }
constexpr View kEnds = U".?!", kClosing = U"\"')]}*_”’»";

View word_from(View text, size_t at) {
  while (at < text.size() && one_of(text[at], U"\"'([{*_“‘«")) ++at;
  size_t end = at;
  while (end < text.size() && !is_space(text[end])) ++end;
  return text.substr(at, end - at);
}

// Whether the full stop at `at` may belong to its word, which began at `begin`.
bool abbreviates(View text, size_t begin, size_t at, View next) {
  while (begin < at && one_of(text[begin], U"\"'([{*_“‘«-")) ++begin;
  const View word = text.substr(begin, at - begin);
  const bool initial = word.size() == 1 && is_alpha(word[0]) && word != U"I";
  if (!initial && !among(unicode_lowercase(to_utf8(word)), kAbbreviations)) return false;
  size_t letters = 0;
  while (letters < next.size() && is_alpha(next[letters])) ++letters;
  return !among(to_utf8(next.substr(0, letters)), kStarters);
}

// Whether a sentence ends with the marks from `at` to `end` of the word that began at `begin`.
bool ends_sentence(View text, size_t begin, size_t at, size_t end, size_t next_at) {
  const View marks = text.substr(at, end - at), next = word_from(text, next_at);
  if (marks.find_first_of(U"?!") != View::npos) return true;
  if (marks.size() > 1) return false;
  return !abbreviates(text, begin, at, next);
}

// The ends of words that a contraction parts, longest first.
constexpr std::array<View, 7> kContractions = {U"n't", U"'ll", U"'re", U"'ve", U"'s", U"'m", U"'d"};

}  // namespace

std::vector<std::string> sentences_of(std::string_view whole) {
  const std::u32string codes = code_points(whole);
  const View text(codes);
  std::vector<std::string> sentences;
  size_t from = 0, word = 0;
  auto add = [&](size_t end) {
    std::string sentence = to_utf8(text.substr(from, end - from));
    if (!collapse_space(sentence).empty()) sentences.push_back(std::move(sentence));
    from = end;
  };
  for (size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      word = at + 1;
      ++at;
      while (from < text.size() && from < at && is_space(text[from])) ++from;
      continue;
    }
    if (!one_of(text[at], kEnds)) {
      ++at;
      continue;
    }
    size_t marks = at;
    while (marks < text.size() && one_of(text[marks], kEnds)) ++marks;
    size_t end = marks;
    while (end < text.size() && one_of(text[end], kClosing)) ++end;
    size_t next = end;
    while (next < text.size() && is_space(text[next])) ++next;
    if (next > end && next < text.size() && ends_sentence(text, word, at, marks, next)) add(end);
    at = end;
  }
  add(text.size());
  return sentences;
}

std::vector<std::string> treebank_words(std::string_view whole) {
  std::vector<std::string> words;
  auto add = [&](View word) {
    const std::u32string lower = code_points(unicode_lowercase(to_utf8(word)));
    size_t end = word.size();
    while (end > 0 && one_of(word[end - 1], U".'")) --end;
    for (View ending : kContractions) {
      if (lower.size() != word.size() || end <= ending.size() ||
          View(lower).substr(end - ending.size(), ending.size()) != ending)
        continue;
      words.push_back(to_utf8(word.substr(0, end - ending.size())));
      word.remove_prefix(end - ending.size());
      break;
    }
    if (lower == U"cannot" && word.size() == 6) {
      words.push_back(to_utf8(word.substr(0, 3)));
      word.remove_prefix(3);
    }
    if (!word.empty()) words.push_back(to_utf8(word));
  };
  const std::u32string codes = code_points(whole);
  const View text(codes);
  size_t from = 0;
  for (size_t at = 0; at <= text.size(); ++at) {
    const bool end = at == text.size();
    const char32_t next = at + 1 < text.size() ? text[at + 1] : U' ';
    const bool parts = end || is_space(text[at]) || one_of(text[at], U"[](){}<>\";@#$%&?!“”") ||
                       (one_of(text[at], U",:") && !is_decimal(next)) || text.substr(at, 2) == U"--" ||
                       text.substr(at, 3) == U"...";
    if (!parts) continue;
    add(text.substr(from, at - from));
    from = at + 1;
  }
  return words;
}

}  // namespace sdft
