// "paper", "banned_phrase": the rewrite does not talk about its task. The phrases of Yang et al. (2024);
// beside them what models were seen to write when they are shown a reference answer; and the user's own.
#include <algorithm>
#include <cctype>
#include <iterator>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "check/answer.h"
#include "check/check.h"
#include "check/language.h"
#include "data/code_points.h"

namespace sdft {
namespace {

constexpr std::string_view kPaper[] = {"reference answer", "your response", "my response",
                                       "your own response", "now it's your turn"};  // in lower case, anywhere
constexpr std::string_view kPaperStart = "Your turn";

// In lower case, as whole words. A phrase that the original has, too, is no artefact.
constexpr std::string_view kArtefacts[] = {"based on the reference",
                                           "according to the reference",
                                           "as per the reference",
                                           "the reference provided",
                                           "the reference is correct",
                                           "provided reference",
                                           "reference response",
                                           "your answer",
                                           "your solution is",
                                           "your explanation is",
                                           "the given answer",
                                           "the provided answer",
                                           "answer provided",
                                           "answer you provided",
                                           "answer you gave",
                                           "answer you have given",
                                           "the original answer",
                                           "the original response",
                                           "my own answer",
                                           "my rewritten",
                                           "### other answer",
                                           "### reference",
                                           "### instruction",
                                           "### response"};
constexpr std::string_view kPraise[] = {"great job",    "good job",    "nice job",         "well done!",
                                        "great answer", "good answer", "excellent answer", "correct!"};

std::string ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

// The first of the paper's phrases in the text, or "".
std::string_view paper_phrase(std::string_view text) {
  if (text.substr(0, kPaperStart.size()) == kPaperStart) return kPaperStart;
  const std::string lower = ascii_lower(text);
  for (std::string_view phrase : kPaper)
    if (lower.find(phrase) != std::string::npos) return phrase;
  return "";
}

bool has_words(std::string_view text, std::string_view phrase) {
  auto inside = [&](size_t i) {
    return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i]));
  };
  for (size_t at = text.find(phrase); at != text.npos; at = text.find(phrase, at + 1))
    if (!(at > 0 && inside(at - 1)) && !inside(at + phrase.size())) return true;
  return false;
}

std::string_view artefact(std::string_view original, std::string_view text) {
  const std::string before = ascii_lower(straight_quotes(original)), now = ascii_lower(straight_quotes(text));
  if (const std::string_view phrase = paper_phrase(now); !phrase.empty()) return phrase;
  for (std::string_view phrase : kArtefacts)
    if (has_words(now, phrase) && !has_words(before, phrase)) return phrase;
  const size_t start = std::min(now.find_first_not_of(" \t\r\n*_\"'"), now.size());
  for (std::string_view phrase : kPraise)
    if (now.compare(start, phrase.size(), phrase) == 0 && before.find(phrase) == std::string::npos)
      return phrase;
  return "";
}

EvalResult judge_paper(const CheckItem& item) {
  const std::string_view phrase = paper_phrase(item.answer);
  return result_of(item, phrase.empty(), "banned_phrase", phrase);
}

EvalResult judge_phrases(const CheckItem& item, const Argument& own) {
  if (own.text.empty()) {
    std::string_view phrase = paper_phrase(item.answer);
    if (phrase.empty()) phrase = artefact(item.reference, item.answer);
    return result_of(item, phrase.empty(), "banned_phrase", phrase);
  }
  const std::string lower = unicode_lowercase(straight_quotes(item.answer));
  const std::string language = language_of(item.answer);
  for (const auto& [of, phrase] : own.phrases) {
    if (!of.empty() && !language.empty() && of != language) continue;
    if (lower.find(phrase) != std::string::npos) return result_of(item, false, "banned_phrase", phrase);
  }
  return result_of(item, true, "");
}

// A phrase a line; "# ..." is a comment, "[de]" begins the phrases of a language.
void read_phrases(Argument* own) {
  own->file = read_text(own->text);
  if (const size_t fault = utf8_fault(own->file); fault != std::string::npos)
    fail_usage(own->text + ": is not UTF-8 at byte " + std::to_string(fault));
  const std::vector<std::string> languages = language_names();
  std::string language;
  size_t number = 0;
  std::string_view rest = own->file;
  if (rest.substr(0, 3) == "\xef\xbb\xbf") rest.remove_prefix(3);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string line = collapse_space(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const bool name =
        line.size() > 2 && line[0] == '[' && line.back() == ']' &&
        std::all_of(line.begin() + 1, line.end() - 1, [](char c) { return c >= 'a' && c <= 'z'; });
    if (!name) {
      own->phrases.emplace_back(language, unicode_lowercase(straight_quotes(line)));
      continue;
    }
    language = line.substr(1, line.size() - 2);
    if (std::find(languages.begin(), languages.end(), language) != languages.end()) continue;
    std::string known;
    for (const std::string& one : languages) known += (known.empty() ? "" : ", ") + one;
    fail_usage(own->text + ":" + std::to_string(number) + ": no language is called '" + language +
               "'; known are " + known);
  }
  if (own->phrases.empty()) fail_usage(own->text + ": holds no phrase, expected one a line");
}

}  // namespace

std::string straight_quotes(std::string_view text) {
  std::string out;
  for (char32_t c : code_points(text)) {
    const bool single = (c >= 0x2018 && c <= 0x201b) || c == 0x2032 || c == 0x2bc;
    const bool twofold = (c >= 0x201c && c <= 0x201f) || c == 0x2033;
    utf8_append(out, single ? U'\'' : twofold ? U'"' : c);
  }
  return out;
}

Check paper_check() {
  return {"paper", kAcceptance, "no phrase of the paper's about the reference answer (its rule, alone)",
          each<judge_paper>};
}

Check banned_phrase_check() {
  Check check = {"banned_phrase", kAcceptance,
                 "nothing said about the reference answer or \"your answer\"; FILE: own phrases instead",
                 each<judge_phrases>};
  check.takes = "[FILE]";
  check.read = read_phrases;
  return check;
}

}  // namespace sdft
