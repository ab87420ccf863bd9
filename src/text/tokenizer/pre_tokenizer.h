// Pre-tokenizers: a text is cut into the words that the model sees one by one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"

namespace sdft {

// What to look for: a regex, else a character class, else a literal string.
struct Pattern {
  std::optional<Regex> regex;
  bool (*character)(char32_t) = nullptr;
  std::string literal;

  bool find(std::string_view text, size_t from, RegexScratch& scratch, Match& match) const;
};

// Calls use(begin, end, is_match) for the matches and what lies between them, in order.
void for_each_segment(const Pattern& pattern, std::string_view text, RegexScratch& scratch,
                      const std::function<void(size_t begin, size_t end, bool is_match)>& use);

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
enum class PrependScheme { kAlways, kFirst, kNever };

// One step; the published pre-tokenizers are made of these.
struct PreTokenizerStep {
  enum class Kind {
    kSplit,           // at pattern, by behavior
    kPrefixSpace,     // a space before a word that has none
    kMetaspace,       // spaces become `replacement`, one is put before by `scheme`
    kByteCharacters,  // bytes become GPT-2's printable characters
    kFixedLength,     // every `length` characters
  };
  Kind kind;
  Pattern pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
  std::string replacement;
  PrependScheme scheme = PrependScheme::kAlways;
  size_t length = 0;
  std::string where;  // the file and the step's place in it, for messages
};

using WordSink = std::function<void(std::string_view word)>;

// Throws Error(kInput) where a step makes the text grow without bound. `at_start`: the text is at the very
// beginning, for PrependScheme::kFirst. Empty words are left out.
void pre_tokenize(const std::vector<PreTokenizerStep>& steps, std::string_view text, bool at_start,
                  RegexScratch& scratch, const WordSink& sink);

}  // namespace sdft
