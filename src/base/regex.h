// Regular expressions from files, as tokenizer.json writes them (Oniguruma's Ruby syntax) or as evaluation
// tasks do (Python's), run by PCRE2 with JIT. Whatever the pattern and the text, a search ends: its
// backtracking and its memory are limited.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

// What matching needs besides the pattern. One per thread that matches.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(RegexScratch&&) noexcept;

 private:
  friend class Regex;
  struct State;
  State& state();
  std::unique_ptr<State> state_;
};

struct Match {
  size_t begin, end;
};

enum class RegexSyntax { kRuby, kPython };

class Regex {
 public:
  // Throws Error(kInput) naming `where` and the place in the pattern.
  Regex(const std::string& pattern, const std::string& where, RegexSyntax syntax = RegexSyntax::kRuby);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // The leftmost match at or behind byte `from` of valid UTF-8, and its first group: the match itself where
  // the pattern has none, or it took no part. Throws Error(kInput) where matching takes too long.
  bool find(std::string_view text, size_t from, RegexScratch& scratch, Match& match,
            Match* group = nullptr) const;
  // Python's re.findall: of each match in turn its groups, "" of those that took no part; the match itself
  // where the pattern has no groups.
  std::vector<std::vector<std::string>> find_all(std::string_view text) const;
  // Python's re.sub, `replacement` taken as it is.
  std::string replace_all(std::string_view text, std::string_view replacement) const;
  // Whether all of `text` is matched: Python's re.fullmatch. For short texts, such as names of layers.
  bool matches(std::string_view text) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sdft
