#include "report/word_marks.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/utf8.h"
#include "report/format.h"

namespace sdft::report {
namespace {

constexpr size_t kMostCells = size_t{1} << 20;
constexpr char kDifferent = static_cast<char>(Mark::kDifferent), kMatched = static_cast<char>(Mark::kMatched),
               kNone = static_cast<char>(Mark::kNone);

struct Word {
  size_t begin, end;  // bytes
};

bool is_space(char32_t c) { return c <= ' ' || c == 0xa0; }
bool is_letter(char32_t c) {
  const bool ascii = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return ascii || (c >= 0xc0 && c < 0x2000);  // behind it are signs, then scripts without spaces
}

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  bool open = false;  // the last word goes on
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = utf8_next(text, at);
    const bool letter = is_letter(c);
    if (letter && open)
      words.back().end = at;
    else if (!is_space(c))
      words.push_back({begin, at});
    open = letter;
  }
  return words;
}

std::string_view of(std::string_view text, const Word& word) {
  return text.substr(word.begin, word.end - word.begin);
}

// Whether each word is in the longest common subsequence.
struct Shared {
  std::vector<bool> a, b;
};

Shared shared_words(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b) {
  Shared shared{std::vector<bool>(a.size()), std::vector<bool>(b.size())};
  size_t first = 0, a_end = a.size(), b_end = b.size();
  while (first < a_end && first < b_end && a[first] == b[first])
    shared.a[first] = shared.b[first] = true, ++first;
  while (a_end > first && b_end > first && a[a_end - 1] == b[b_end - 1])
    shared.a[--a_end] = shared.b[--b_end] = true;
  const size_t rows = a_end - first, columns = b_end - first;
  if (rows == 0 || columns == 0) return shared;
  if ((rows + 1) * (columns + 1) > kMostCells)
    return {std::vector<bool>(a.size(), true), std::vector<bool>(b.size(), true)};
  std::vector<uint16_t> length((rows + 1) * (columns + 1));  // of the rest of a and b from here
  auto at = [&](size_t i, size_t k) -> uint16_t& { return length[i * (columns + 1) + k]; };
  for (size_t i = rows; i-- > 0;)
    for (size_t k = columns; k-- > 0;)
      at(i, k) = a[first + i] == b[first + k] ? static_cast<uint16_t>(at(i + 1, k + 1) + 1)
                                              : std::max(at(i + 1, k), at(i, k + 1));
  for (size_t i = 0, k = 0; i < rows && k < columns;) {
    if (a[first + i] == b[first + k])
      shared.a[first + i++] = shared.b[first + k++] = true;
    else if (at(i + 1, k) >= at(i, k + 1))
      ++i;
    else
      ++k;
  }
  return shared;
}

std::string marks_of(std::string_view text, const std::vector<Word>& words, const std::vector<bool>& shared) {
  std::string marks(text.size(), kNone);
  for (size_t i = 0; i < words.size(); ++i) {
    if (shared[i]) continue;
    const size_t begin = i > 0 && !shared[i - 1] ? words[i - 1].end : words[i].begin;
    std::fill(marks.begin() + static_cast<std::ptrdiff_t>(begin),
              marks.begin() + static_cast<std::ptrdiff_t>(words[i].end), kDifferent);
  }
  return marks;
}

std::vector<std::string_view> texts_of(std::string_view text, const std::vector<Word>& words) {
  std::vector<std::string_view> all;
  for (const Word& word : words) all.push_back(of(text, word));
  return all;
}

// Without case (of ASCII) and with straight quotes.
std::string plain(std::string_view word) {
  if (word == "‘" || word == "’") return "'";
  if (word == "“" || word == "”") return "\"";
  std::string out(word);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

std::pair<std::string, std::string> word_marks(std::string_view a, std::string_view b) {
  const std::vector<Word> a_words = words_of(a), b_words = words_of(b);
  const Shared shared = shared_words(texts_of(a, a_words), texts_of(b, b_words));
  return {marks_of(a, a_words, shared.a), marks_of(b, b_words, shared.b)};
}

void mark_phrase(std::string_view text, std::string_view phrase, std::string* marks) {
  const std::vector<Word> words = words_of(text);
  std::vector<std::string> plain_words, wanted;
  for (const Word& word : words) plain_words.push_back(plain(of(text, word)));
  for (const Word& word : words_of(phrase)) wanted.push_back(plain(of(phrase, word)));
  if (!wanted.empty() && wanted.back() == "…") wanted.pop_back();  // it was cut there
  if (wanted.empty()) return;
  for (auto found = plain_words.begin();;) {
    found = std::search(found, plain_words.end(), wanted.begin(), wanted.end());
    if (found == plain_words.end()) return;
    const auto first = static_cast<size_t>(found - plain_words.begin());
    const size_t begin = words[first].begin, end = words[first + wanted.size() - 1].end;
    marks->replace(begin, end - begin, end - begin, kMatched);
    found += static_cast<std::ptrdiff_t>(wanted.size());
  }
}

std::string marked_html(const std::string& text, const std::string& marks, const char* element) {
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(marks.find_first_not_of(marks[begin], begin), text.size());
    const std::string piece = escape_html(std::string_view(text).substr(begin, end - begin));
    const std::string name = marks[begin] == kDifferent ? element : marks[begin] == kMatched ? "mark" : "";
    out += name.empty() ? piece : "<" + name + ">" + piece + "</" + name + ">";
    begin = end;
  }
  return out;
}

}  // namespace sdft::report
