// "f1", "squad_exact", "rouge1", "rouge2", "rougeL", "rougeLsum": how many words an answer shares with the
// reference, or with the best of several (the record's field "answers": texts, or SQuAD's {"text": [...]}).
#include <algorithm>
#include <cctype>
#include <map>

#include "base/utf8.h"
#include "check/check.h"
#include "data/code_points.h"

namespace sdft {
namespace {

using Words = std::vector<std::string>;

std::vector<std::string> references_of(const CheckItem& item) {
  if (item.fields && item.fields->is_object() && item.fields->contains("answers")) {
    const Json& field = item.fields->at("answers");
    const Json& texts = field.is_object() && field.contains("text") ? field["text"] : field;
    std::vector<std::string> found;
    if (texts.is_array())
      for (const Json& text : texts)
        if (text.is_string()) found.push_back(text);
    if (!found.empty()) return found;
  }
  return {std::string(item.reference)};
}

std::string missing(const CheckItem& item, const Argument&) {
  const std::vector<std::string> all = references_of(item);
  const bool blank = std::all_of(all.begin(), all.end(),
                                 [](const std::string& text) { return collapse_space(text).empty(); });
  return blank ? "the reference answer is empty" : "";
}

// --- SQuAD's (Rajpurkar et al. 2016) ---

// In lower case, without ASCII punctuation, then without articles; white space parts words.
Words squad_words(std::string_view text) {
  std::string plain;
  for (char c : unicode_lowercase(utf8_lossy(std::string(text))))
    if (static_cast<unsigned char>(c) >= 0x80 || !std::ispunct(static_cast<unsigned char>(c))) plain += c;
  Words words;
  std::u32string word;
  auto end_word = [&](Words* parts) {
    if (!word.empty()) parts->push_back(to_utf8(word));
    word.clear();
  };
  // An article is a whole word in the sense of \b, where a space takes its place.
  std::u32string spaced, run;
  auto end_run = [&] {
    spaced += run == U"a" || run == U"an" || run == U"the" ? U" " : run;
    run.clear();
  };
  for (char32_t c : code_points(plain)) {
    if (is_word(c)) {
      run += c;
      continue;
    }
    end_run();
    spaced += c;
  }
  end_run();
  for (char32_t c : spaced) {
    if (is_space(c))
      end_word(&words);
    else
      word += c;
  }
  end_word(&words);
  return words;
}

size_t common(const Words& a, const Words& b) {
  std::map<std::string, size_t> left;
  for (const std::string& word : a) ++left[word];
  size_t count = 0;
  for (const std::string& word : b) {
    const auto found = left.find(word);
    if (found == left.end() || found->second == 0) continue;
    --found->second;
    ++count;
  }
  return count;
}

double harmonic(size_t shared, size_t reference, size_t answer) {
  if (shared == 0) return 0;
  const double precision = static_cast<double>(shared) / static_cast<double>(answer);
  const double recall = static_cast<double>(shared) / static_cast<double>(reference);
  return 2 * precision * recall / (precision + recall);
}

double token_f1(std::string_view reference, std::string_view answer) {
  const Words wanted = squad_words(reference), given = squad_words(answer);
  if (wanted.empty() || given.empty()) return wanted.empty() && given.empty() ? 1 : 0;
  return harmonic(common(wanted, given), wanted.size(), given.size());
}

double squad_exact(std::string_view reference, std::string_view answer) {
  return squad_words(reference) == squad_words(answer) ? 1 : 0;
}

// --- ROUGE (Lin 2004), as Google's rouge_score without its stemmer ---

// Runs of a-z and 0-9 in lower case; everything else parts them.
Words rouge_tokens(std::string_view text) {
  Words words;
  std::string word;
  for (char c : unicode_lowercase(utf8_lossy(std::string(text))) + " ") {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

Words ngrams(const Words& words, size_t n) {
  Words grams;
  for (size_t i = 0; i + n <= words.size(); ++i) {
    std::string gram;
    for (size_t k = 0; k < n; ++k) gram += words[i + k] + " ";
    grams.push_back(gram);
  }
  return grams;
}

template <size_t n>
double rouge_n(std::string_view reference, std::string_view answer) {
  const Words wanted = ngrams(rouge_tokens(reference), n), given = ngrams(rouge_tokens(answer), n);
  return harmonic(common(wanted, given), wanted.size(), given.size());
}

// The lengths of the longest common subsequences of all beginnings.
std::vector<std::vector<unsigned>> subsequences(const Words& a, const Words& b) {
  std::vector<std::vector<unsigned>> table(a.size() + 1, std::vector<unsigned>(b.size() + 1));
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j)
      table[i][j] =
          a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1 : std::max(table[i - 1][j], table[i][j - 1]);
  return table;
}

double rouge_lcs(std::string_view reference, std::string_view answer) {
  const Words wanted = rouge_tokens(reference), given = rouge_tokens(answer);
  std::vector<unsigned> row(given.size() + 1);
  for (const std::string& word : wanted) {
    unsigned diagonal = 0;
    for (size_t j = 1; j <= given.size(); ++j) {
      const unsigned above = row[j];
      row[j] = word == given[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return harmonic(row.back(), wanted.size(), given.size());
}

std::vector<Words> lines_of(std::string_view text) {
  std::vector<Words> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (Words words = rouge_tokens(text.substr(0, end)); end > 0) lines.push_back(std::move(words));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Marks which words of the reference's line are in its longest common subsequence with the answer's line.
void mark(const Words& line, const Words& other, std::vector<bool>& marked) {
  const auto table = subsequences(line, other);
  for (size_t i = line.size(), j = other.size(); i > 0 && j > 0;) {
    if (line[i - 1] == other[j - 1]) {
      marked[i - 1] = true;
      --i;
      --j;
    } else if (table[i][j - 1] > table[i - 1][j]) {
      --j;
    } else {
      --i;
    }
  }
}

// Sentences are lines: of each line of the reference the union of what it shares with the answer's lines.
double rouge_lsum(std::string_view reference, std::string_view answer) {
  const std::vector<Words> wanted = lines_of(reference), given = lines_of(answer);
  std::map<std::string, size_t> left, left_of_answer;
  size_t wanted_size = 0, given_size = 0, shared = 0;
  for (const Words& line : wanted)
    for (const std::string& word : line) ++left[word], ++wanted_size;
  for (const Words& line : given)
    for (const std::string& word : line) ++left_of_answer[word], ++given_size;
  for (const Words& line : wanted) {
    std::vector<bool> marked(line.size());
    for (const Words& other : given) mark(line, other, marked);
    for (size_t i = 0; i < line.size(); ++i) {
      if (!marked[i] || left[line[i]] == 0 || left_of_answer[line[i]] == 0) continue;
      ++shared;
      --left[line[i]];
      --left_of_answer[line[i]];
    }
  }
  return harmonic(shared, wanted_size, given_size);
}

template <double (*score)(std::string_view, std::string_view)>
double best(const CheckItem& item) {
  double found = 0;
  for (const std::string& reference : references_of(item))
    found = std::max(found, score(reference, item.answer));
  return found;
}

template <double (*score)(std::string_view, std::string_view)>
EvalResult grade(const CheckItem& item) {
  return {item.id, Verdict::kGraded, best<score>(item), ""};
}

EvalResult judge_squad(const CheckItem& item) {
  return result_of(item, best<squad_exact>(item) == 1, kMismatch);
}

Check row(const char* name, const char* help, decltype(Check::judge) judge, const char* metric) {
  return {name, kTaskCheck, help, judge, kNeedsReference, metric, missing};
}

}  // namespace

std::vector<Check> overlap_checks() {
  return {
      row("f1", "graded: words shared with the reference, as SQuAD counts them", each<grade<token_f1>>, "F1"),
      row("squad_exact", "the same words but for case, punctuation and articles (SQuAD)", each<judge_squad>,
          "exact match"),
      row("rouge1", "graded: ROUGE-1 F to the reference (rouge_score)", each<grade<rouge_n<1>>>, "ROUGE-1"),
      row("rouge2", "graded: ROUGE-2 F to the reference (rouge_score)", each<grade<rouge_n<2>>>, "ROUGE-2"),
      row("rougeL", "graded: ROUGE-L F to the reference (rouge_score)", each<grade<rouge_lcs>>, "ROUGE-L"),
      row("rougeLsum", "graded: the same, line by line (rouge_score)", each<grade<rouge_lsum>>,
          "ROUGE-Lsum")};
}

}  // namespace sdft
