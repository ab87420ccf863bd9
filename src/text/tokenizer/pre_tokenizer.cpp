#include "text/tokenizer/pre_tokenizer.h"

#include "base/find.h"
#include "base/interrupt.h"
#include "base/utf8.h"
#include "text/tokenizer/byte_level.h"
#include "text/tokenizer/growth.h"

namespace sdft {
namespace {

using Kind = PreTokenizerStep::Kind;

struct Run {
  const std::vector<PreTokenizerStep>& steps;
  RegexScratch& scratch;
  const WordSink& sink;
  Growth growth;

  void go(size_t step, std::string_view text, bool at_start) const;
  void split(size_t step, std::string_view text, bool at_start) const;
  void fixed_length(size_t step, std::string_view text, bool at_start) const;
  void go_grown(size_t step, std::string_view text, bool at_start) const {
    growth.check(text.size(), steps[step].where);
    go(step + 1, text, at_start);
  }
};

std::string replace_spaces(std::string_view text, const std::string& replacement) {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  for (char c : text) {
    if (c == ' ')
      out += replacement;
    else
      out.push_back(c);
  }
  return out;
}

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

// Depth first, so that no list of all words is ever held.
void Run::go(size_t step, std::string_view text, bool at_start) const {
  if (text.empty()) return;
  if (step == steps.size()) return sink(text);
  const PreTokenizerStep& s = steps[step];
  switch (s.kind) {
    case Kind::kSplit:
      return split(step, text, at_start);
    case Kind::kPrefixSpace:
      return text[0] == ' ' ? go(step + 1, text, at_start)
                            : go_grown(step, " " + std::string(text), at_start);
    case Kind::kMetaspace: {
      std::string spaced = replace_spaces(text, s.replacement);
      const bool wanted =
          s.scheme == PrependScheme::kAlways || (s.scheme == PrependScheme::kFirst && at_start);
      if (wanted && !starts_with(spaced, s.replacement)) spaced.insert(0, s.replacement);
      return go_grown(step, spaced, at_start);
    }
    case Kind::kByteCharacters:
      return go_grown(step, to_byte_level(text), at_start);
    case Kind::kFixedLength:
      return fixed_length(step, text, at_start);
  }
}

void Run::fixed_length(size_t step, std::string_view text, bool at_start) const {
  for (size_t at = 0; at < text.size();) {
    stop_if_interrupted();
    const size_t begin = at;
    for (size_t i = 0; i < steps[step].length && at < text.size(); ++i)
      at += utf8_length(static_cast<unsigned char>(text[at]));
    go(step + 1, text.substr(begin, at - begin), at_start && begin == 0);
  }
}

// A segment is held back for as long as the next one may still join it.
void Run::split(size_t step, std::string_view text, bool at_start) const {
  const PreTokenizerStep& s = steps[step];
  auto give = [&](size_t begin, size_t end) {
    if (begin < end) go(step + 1, text.substr(begin, end - begin), at_start && begin == 0);
  };
  bool held = false, held_is_match = false;
  size_t held_begin = 0, held_end = 0;
  for_each_segment(s.pattern, text, scratch, [&](size_t begin, size_t end, bool is_match) {
    is_match = is_match != s.invert;
    bool joins = false;
    switch (s.behavior) {
      case SplitBehavior::kRemoved:
        return is_match ? void() : give(begin, end);
      case SplitBehavior::kIsolated:
        return give(begin, end);
      case SplitBehavior::kMergedWithPrevious:
        joins = is_match && !held_is_match;
        break;
      case SplitBehavior::kMergedWithNext:
        joins = !is_match && held_is_match;
        break;
      case SplitBehavior::kContiguous:
        joins = is_match == held_is_match;
        break;
    }
    if (held && joins) {
      held_end = end;
    } else {
      if (held) give(held_begin, held_end);
      held = true;
      held_begin = begin;
      held_end = end;
    }
    held_is_match = is_match;
  });
  if (held) give(held_begin, held_end);
}

}  // namespace

bool Pattern::find(std::string_view text, size_t from, RegexScratch& scratch, Match& match) const {
  if (regex) return regex->find(text, from, scratch, match);
  if (character) {
    for (size_t at = from; at < text.size();) {
      const size_t begin = at;
      if (character(utf8_next(text, at))) {
        match = {begin, at};
        return true;
      }
    }
    return false;
  }
  const size_t at = find_text(text, literal, from);
  match = {at, at + literal.size()};
  return at != std::string_view::npos;
}

void for_each_segment(const Pattern& pattern, std::string_view text, RegexScratch& scratch,
                      const std::function<void(size_t, size_t, bool)>& use) {
  size_t done = 0, from = 0, last_end = std::string_view::npos;
  Match match;
  while (from <= text.size() && pattern.find(text, from, scratch, match)) {
    stop_if_interrupted();
    if (match.begin == match.end &&
        match.end == last_end) {  // an empty match right behind a match does not count
      from += from < text.size() ? utf8_length(static_cast<unsigned char>(text[from])) : 1;
      continue;
    }
    from = last_end = match.end;
    if (done < match.begin) use(done, match.begin, false);
    use(match.begin, match.end, true);
    done = match.end;
  }
  if (done < text.size()) use(done, text.size(), false);
}

void pre_tokenize(const std::vector<PreTokenizerStep>& steps, std::string_view text, bool at_start,
                  RegexScratch& scratch, const WordSink& sink) {
  Run{steps, scratch, sink, Growth(text.size())}.go(0, text, at_start);
}

}  // namespace sdft
