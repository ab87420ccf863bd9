// "language": the rewrite is in the original's language.
#include "check/language.h"

#include <algorithm>
#include <map>
#include <set>

#include "check/check.h"
#include "check/language_words.h"
#include "data/code_points.h"

namespace sdft {
namespace {

struct Block {
  char32_t first, last;
  const char* script;
};
constexpr const char kLatin[] = "latin", kHan[] = "zh", kKana[] = "ja";
constexpr Block kBlocks[] = {
    {'A', 'Z', kLatin},           {'a', 'z', kLatin},           {0xc0, 0x2af, kLatin},
    {0x370, 0x3ff, "greek"},      {0x400, 0x52f, "cyrillic"},   {0x530, 0x58f, "armenian"},
    {0x590, 0x5ff, "hebrew"},     {0x600, 0x6ff, "arabic"},     {0x750, 0x77f, "arabic"},
    {0x900, 0x97f, "devanagari"}, {0x980, 0x9ff, "bengali"},    {0xa00, 0xa7f, "gurmukhi"},
    {0xa80, 0xaff, "gujarati"},   {0xb00, 0xb7f, "oriya"},      {0xb80, 0xbff, "tamil"},
    {0xc00, 0xc7f, "telugu"},     {0xc80, 0xcff, "kannada"},    {0xd00, 0xd7f, "malayalam"},
    {0xd80, 0xdff, "sinhala"},    {0xe00, 0xe7f, "thai"},       {0xe80, 0xeff, "lao"},
    {0xf00, 0xfff, "tibetan"},    {0x1000, 0x109f, "burmese"},  {0x10a0, 0x10ff, "georgian"},
    {0x1100, 0x11ff, "ko"},       {0x1200, 0x139f, "ethiopic"}, {0x1780, 0x17ff, "khmer"},
    {0x1e00, 0x1eff, kLatin},     {0x1f00, 0x1fff, "greek"},    {0x3040, 0x30ff, kKana},
    {0x3130, 0x318f, "ko"},       {0x31f0, 0x31ff, kKana},      {0x3400, 0x4dbf, kHan},
    {0x4e00, 0x9fff, kHan},       {0xac00, 0xd7af, "ko"},       {0xf900, 0xfaff, kHan},
    {0xfb50, 0xfdff, "arabic"},   {0xfe70, 0xfeff, "arabic"},   {0xff21, 0xff5a, kLatin},
    {0xff66, 0xff9f, kKana},      {0x20000, 0x323af, kHan}};

// "" of what is no letter of these.
std::string_view script_of(char32_t c) {
  if (!is_alpha(c)) return "";
  const Block* block = std::upper_bound(std::begin(kBlocks), std::end(kBlocks), c,
                                        [](char32_t x, const Block& b) { return x < b.first; });
  return block == std::begin(kBlocks) || c > (block - 1)->last ? "" : (block - 1)->script;
}

// A text's letters, by script.
struct Letters {
  std::map<std::string_view, size_t> of;
  size_t all = 0;

  explicit Letters(const std::string& text) {
    for (char32_t c : code_points(text))
      if (const std::string_view script = script_of(c); !script.empty()) {
        ++of[script];
        ++all;
      }
    // Japanese is written in kana and Chinese characters.
    if (const auto kana = of.find(kKana), han = of.find(kHan);
        kana != of.end() && han != of.end() && kana->second * 10 >= han->second) {
      kana->second += han->second;
      of.erase(han);
    }
  }
  size_t count(std::string_view script) const {
    const auto found = of.find(script);
    return found == of.end() ? 0 : found->second;
  }
  // The script of at least seven letters in ten, where there are enough to tell: a character of Chinese,
  // Japanese or Korean says as much as some letters of others.
  std::string_view main() const {
    for (const auto& [script, n] : of) {
      const bool syllables = script == kHan || script == kKana || script == "ko";
      if (n * 10 >= all * 7 && n >= (syllables ? 8u : 20u)) return script;
    }
    return "";
  }
};

// How many languages have a word in their list, and which.
const std::map<std::u32string, std::vector<size_t>>& languages_of_words() {
  static const auto kMap = [] {
    std::map<std::u32string, std::vector<size_t>> map;
    for (size_t i = 0; i < std::size(kLanguageWords); ++i) {
      const std::u32string_view words = kLanguageWords[i].words;
      for (size_t begin = 0; begin < words.size();) {
        const size_t end = std::min(words.find(U' ', begin), words.size());
        std::vector<size_t>& list = map[std::u32string(words.substr(begin, end - begin))];
        if (list.empty() || list.back() != i) list.push_back(i);
        begin = end + 1;
      }
    }
    return map;
  }();
  return kMap;
}

// A language must have so much of the text's words: in all (a word of n lists counts 1 / n in each), of each
// word, times the next best, and different ones. Ordinary prose has about 0.35 a word.
constexpr double kLeastScore = 3, kLeastShare = 0.12, kTimesNext = 2;
constexpr size_t kDifferent = 3;

std::string latin_language(const std::vector<std::u32string>& words) {
  std::vector<double> score(std::size(kLanguageWords), 0);
  std::vector<std::set<std::u32string>> different(score.size());
  for (const std::u32string& word : words) {
    const auto found = languages_of_words().find(word);
    if (found == languages_of_words().end()) continue;
    for (size_t i : found->second) {
      score[i] += 1.0 / static_cast<double>(found->second.size());
      different[i].insert(word);
    }
  }
  const auto best = static_cast<size_t>(std::max_element(score.begin(), score.end()) - score.begin());
  double next = 0;
  for (size_t i = 0; i < score.size(); ++i)
    if (i != best) next = std::max(next, score[i]);
  const bool sure = score[best] >= kLeastScore && different[best].size() >= kDifferent &&
                    score[best] >= kLeastShare * static_cast<double>(words.size()) &&
                    score[best] >= kTimesNext * next;
  return sure ? kLanguageWords[best].name : "";
}

// Of the words that are no numbers, each once, the share that `other` has; 1 where there is none.
double share_in(const std::vector<std::u32string>& words, const std::vector<std::u32string>& other) {
  const std::set<std::u32string> here(words.begin(), words.end()), there(other.begin(), other.end());
  size_t all = 0, shared = 0;
  for (const std::u32string& word : here) {
    if (!is_alpha(word[0])) continue;
    ++all;
    shared += there.count(word);
  }
  return all == 0 ? 1 : static_cast<double>(shared) / static_cast<double>(all);
}

bool has_letters(const std::vector<std::u32string>& words) {
  return std::any_of(words.begin(), words.end(), [](const auto& word) { return is_alpha(word[0]); });
}

// Whether the answer has much in a script that neither question nor reference has, or nothing in the
// reference's.
bool changes_script(const Letters& question, const Letters& reference, const Letters& answer) {
  size_t foreign = 0;
  for (const auto& [script, n] : answer.of)
    if (question.count(script) + reference.count(script) == 0) foreign += n;
  if (question.all + reference.all > 0 && foreign >= 8 && foreign * 10 >= answer.all * 3) return true;
  const std::string_view wanted = reference.main();
  return !wanted.empty() && !answer.main().empty() && answer.count(wanted) * 20 < answer.all;
}

EvalResult judge_language(const CheckItem& item) {
  const std::string change = language_change(item.question, item.reference, item.answer);
  return result_of(item, change.empty(), "language", change);
}

}  // namespace

std::vector<std::string> language_names() {
  std::vector<std::string> names;
  for (const LanguageWords& language : kLanguageWords) names.emplace_back(language.name);
  for (const Block& block : kBlocks)
    if (block.script != kLatin && std::find(names.begin(), names.end(), block.script) == names.end())
      names.emplace_back(block.script);
  return names;
}

std::string without_code(std::string_view text) {
  std::string prose;
  std::string_view fence;  // the marks that opened a block
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    const std::string_view mark = line.substr(std::min(line.find_first_not_of(" \t>"), line.size()), 3);
    if (fence.empty() ? mark == "```" || mark == "~~~" : mark == fence) {
      fence = fence.empty() ? mark : std::string_view();
      continue;
    }
    if (!fence.empty()) continue;
    for (size_t at = 0; at < line.size();) {
      const size_t open = std::min(line.find('`', at), line.size());
      prose.append(line, at, open - at);
      const size_t close = open < line.size() ? line.find('`', open + 1) : line.npos;
      if (open < line.size()) prose += ' ';
      at = close == line.npos ? open + 1 : close + 1;
    }
  }
  return prose;
}

std::vector<std::u32string> words_of(std::string_view text) {
  std::vector<std::u32string> words;
  bool open = false;  // the last word goes on
  for (char32_t c : code_points(unicode_lowercase(std::string(text)))) {
    const std::string_view script = script_of(c);
    const bool alone = script == kHan || script == kKana;
    const bool belongs = is_alnum(c) || (open && is_unicode_mark(c));
    if (belongs && open && !alone) {
      words.back() += c;
    } else if (belongs) {
      words.emplace_back(1, c);
    }
    open = belongs && !alone;
  }
  return words;
}

std::string language_of(std::string_view text) {
  const std::string prose = without_code(text);
  const std::string_view script = Letters(prose).main();
  return script == kLatin ? latin_language(words_of(prose)) : std::string(script);
}

std::string language_change(std::string_view question, std::string_view reference, std::string_view answer) {
  const std::string asked = without_code(question), before = without_code(reference),
                    now = without_code(answer);
  const std::vector<std::u32string> old_words = words_of(before), new_words = words_of(now);
  const Letters letters(now);
  std::string language = language_of(now), wanted = language_of(before);
  if (wanted.empty() && share_in(old_words, words_of(asked)) >= 0.5) wanted = language_of(asked);
  bool changed = !language.empty() && !wanted.empty() && language != wanted;
  // Who keeps the original's words and talks about them in another language translates or explains.
  if (changed && has_letters(old_words) && share_in(old_words, new_words) >= 0.5) changed = false;
  if (!changed && !changes_script(Letters(asked), Letters(before), letters)) return "";
  if (language.empty()) language = letters.main().empty() ? "mixed scripts" : letters.main();
  return wanted.empty() ? language : language + " instead of " + wanted;
}

Check language_check() {
  return {"language", kAcceptance, "in the original's language, as far as script and common words tell",
          each<judge_language>};
}

}  // namespace sdft
