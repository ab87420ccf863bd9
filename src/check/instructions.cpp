// "instructions": the answer follows all of the record's instructions.
#include "check/instructions.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/utf8.h"
#include "check/check.h"
#include "check/language.h"
#include "check/sentences.h"
#include "data/code_points.h"
#include "data/prompt_text.h"

namespace sdft {
namespace {

using Texts = std::vector<std::string>;

std::string text_of(const Json& arguments, const char* name) { return stripped(arguments.at(name)); }
Texts texts_of(const Json& arguments, const char* name) { return arguments.at(name).get<Texts>(); }
double number_of(const Json& arguments, const char* name) { return arguments.at(name).get<double>(); }

// "at least" or "less than" a number.
bool related(size_t count, const Json& arguments, const char* relation, const char* number) {
  const bool less = arguments.at(relation) == "less than";
  return less == (static_cast<double>(count) < number_of(arguments, number));
}

// What a pattern finds, match by match.
Texts matches(const std::string& pattern, const std::string& text) {
  const Regex regex(pattern, "instruction");
  RegexScratch scratch;
  Texts found;
  Match match{};
  for (size_t at = 0; at <= text.size() && regex.find(text, at, scratch, match);) {
    found.push_back(text.substr(match.begin, match.end - match.begin));
    at = match.end > match.begin   ? match.end
         : match.end < text.size() ? match.end + utf8_length(static_cast<unsigned char>(text[match.end]))
                                   : text.size() + 1;
  }
  return found;
}

// The parts between the matches.
Texts split(const std::string& pattern, const std::string& text) {
  const Regex regex(pattern, "instruction");
  RegexScratch scratch;
  Texts parts;
  Match match{};
  size_t at = 0;
  while (regex.find(text, at, scratch, match) && match.end > match.begin) {
    parts.push_back(text.substr(at, match.begin - at));
    at = match.end;
  }
  parts.push_back(text.substr(at));
  return parts;
}

bool blank(const std::string& text) { return collapse_space(text).empty(); }

bool is_lower(char32_t c) { return is_cased(c) && unicode_lowercase(utf8_of(c)) == utf8_of(c); }
// With letters of a case, and none of the other.
bool all_of_case(std::string_view text, bool lower) {
  bool some = false;
  for (char32_t c : code_points(text)) {
    if (!is_cased(c)) continue;
    if (is_lower(c) != lower) return false;
    some = true;
  }
  return some;
}

// --- keywords ---

bool has_keywords(const std::string& text, const Json& arguments) {
  const Texts words = texts_of(arguments, "keywords");
  return std::all_of(words.begin(), words.end(),
                     [&](const std::string& word) { return !matches("(?i)" + word, text).empty(); });
}

bool keyword_frequency(const std::string& text, const Json& arguments) {
  return related(matches("(?i)" + text_of(arguments, "keyword"), text).size(), arguments, "relation",
                 "frequency");
}

bool no_forbidden_words(const std::string& text, const Json& arguments) {
  const Texts words = texts_of(arguments, "forbidden_words");
  return std::none_of(words.begin(), words.end(), [&](const std::string& word) {
    return !matches("(?i)\\b" + word + "\\b", text).empty();
  });
}

bool letter_frequency(const std::string& text, const Json& arguments) {
  const std::string letter = unicode_lowercase(text_of(arguments, "letter"));
  size_t count = 0;
  const std::string lower = unicode_lowercase(text);
  for (size_t at = lower.find(letter); at != lower.npos; at = lower.find(letter, at + letter.size())) ++count;
  return related(count, arguments, "let_relation", "let_frequency");
}

// --- language and case ---

// By what language_of() says of a language's texts; more than one language may have a script.
const char* told_as(const std::string& language) {
  static const std::map<std::string, const char*> kScripts = {
      {"ru", "cyrillic"},   {"uk", "cyrillic"},   {"bg", "cyrillic"}, {"mk", "cyrillic"},
      {"ar", "arabic"},     {"fa", "arabic"},     {"ur", "arabic"},   {"hi", "devanagari"},
      {"mr", "devanagari"}, {"ne", "devanagari"}, {"bn", "bengali"},  {"pa", "gurmukhi"},
      {"gu", "gujarati"},   {"ta", "tamil"},      {"te", "telugu"},   {"kn", "kannada"},
      {"ml", "malayalam"},  {"th", "thai"},       {"el", "greek"},    {"he", "hebrew"},
      {"zh-cn", "zh"},      {"zh-tw", "zh"}};
  const auto found = kScripts.find(language);
  return found == kScripts.end() ? nullptr : found->second;
}

bool can_tell(const std::string& language) {
  const Texts names = language_names();
  const char* as = told_as(language);
  return std::find(names.begin(), names.end(), as ? as : language) != names.end();
}

bool in_language(const std::string& text, const Json& arguments) {
  const std::u32string letters = code_points(text);
  if (std::none_of(letters.begin(), letters.end(), is_alpha)) return true;  // in any, as in IFEval
  const std::string language = arguments.at("language");
  const char* as = told_as(language);
  return language_of(text) == (as ? as : language);
}

bool not_surely_foreign(const std::string& text) {
  const std::string language = language_of(unicode_lowercase(text));
  return language.empty() || language == "en";
}
bool in_capitals(const std::string& text, const Json&) {
  return all_of_case(text, false) && not_surely_foreign(text);
}
bool in_lower_case(const std::string& text, const Json&) {
  return all_of_case(text, true) && not_surely_foreign(text);
}

// Words as the Penn Treebank parts them, as far as their case depends on it: "DON'T" is two.
bool capital_words(const std::string& text, const Json& arguments) {
  size_t count = 0;
  for (const std::string& word : treebank_words(text)) count += all_of_case(word, false);
  return related(count, arguments, "capital_relation", "capital_frequency");
}

// --- lengths ---

bool number_of_sentences(const std::string& text, const Json& arguments) {
  return related(sentences_of(text).size(), arguments, "relation", "num_sentences");
}

bool number_of_words(const std::string& text, const Json& arguments) {
  return related(matches(R"(\w+)", text).size(), arguments, "relation", "num_words");
}

bool number_of_paragraphs(const std::string& text, const Json& arguments) {
  const Texts paragraphs = split(R"(\s?\*\*\*\s?)", text);
  size_t count = paragraphs.size();
  for (size_t i = 0; i < paragraphs.size(); ++i) {
    if (!blank(paragraphs[i])) continue;
    if (i > 0 && i + 1 < paragraphs.size()) return false;
    --count;
  }
  return static_cast<double>(count) == number_of(arguments, "num_paragraphs");
}

bool first_word_of_paragraph(const std::string& text, const Json& arguments) {
  const Texts paragraphs = split("\n\n", text);
  const auto count = static_cast<size_t>(std::count_if(paragraphs.begin(), paragraphs.end(),
                                                       [](const std::string& one) { return !blank(one); }));
  const double nth = number_of(arguments, "nth_paragraph");
  if (!(nth >= 1) || nth > static_cast<double>(count)) return false;
  const std::string paragraph = collapse_space(paragraphs[static_cast<size_t>(nth) - 1]);
  if (paragraph.empty()) return false;
  std::string word = paragraph.substr(0, paragraph.find(' '));
  for (char quote : {'\'', '"'}) word.erase(0, std::min(word.find_first_not_of(quote), word.size()));
  word = word.substr(0, word.find_first_of(".,?!'\""));
  return static_cast<double>(count) == number_of(arguments, "num_paragraphs") &&
         unicode_lowercase(word) == unicode_lowercase(arguments.at("first_word").get<std::string>());
}

// --- contents and formats ---

bool has_placeholders(const std::string& text, const Json& arguments) {
  return static_cast<double>(matches(R"(\[.*?\])", text).size()) >= number_of(arguments, "num_placeholders");
}

bool has_postscript(const std::string& text, const Json& arguments) {
  const std::string marker = text_of(arguments, "postscript_marker");
  const std::string pattern = marker == "P.P.S"  ? R"(p\.\s?p\.\s?s)"
                              : marker == "P.S." ? R"(p\.\s?s\.)"
                                                 : unicode_lowercase(marker);
  return !matches(pattern, unicode_lowercase(text)).empty();
}

bool number_of_bullets(const std::string& text, const Json& arguments) {
  const size_t count = matches(R"(^\s*\*[^\*].*$)", text).size() + matches(R"(^\s*-.*$)", text).size();
  return static_cast<double>(count) == number_of(arguments, "num_bullets");
}

bool one_of_the_answers(const std::string& text, const Json&) {
  for (const char* answer : {"My answer is yes.", "My answer is no.", "My answer is maybe."})
    if (text.find(answer) != text.npos) return true;
  return false;
}

bool has_highlights(const std::string& text, const Json& arguments) {
  size_t count = 0;
  for (const char* pattern : {R"(\*[^\n\*]*\*)", R"(\*\*[^\n\*]*\*\*)"})
    for (std::string found : matches(pattern, text)) {
      found.erase(std::remove(found.begin(), found.end(), '*'), found.end());
      count += !blank(found);
    }
  return static_cast<double>(count) >= number_of(arguments, "num_highlights");
}

bool has_sections(const std::string& text, const Json& arguments) {
  const size_t count =
      matches(R"(\s?)" + text_of(arguments, "section_spliter") + R"(\s?\d+\s?)", text).size();
  return static_cast<double>(count) >= number_of(arguments, "num_sections");
}

bool is_json(const std::string& text, const Json&) {
  std::string json = stripped(text);
  for (const std::string_view mark : {"```json", "```Json", "```JSON", "```"})
    if (json.compare(0, mark.size(), mark) == 0) json.erase(0, mark.size());
  if (json.size() >= 3 && json.compare(json.size() - 3, 3, "```") == 0) json.resize(json.size() - 3);
  try {
    parse_json<nlohmann::json>(stripped(json), "answer");
    return true;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInput) throw;
    return false;
  }
}

bool has_title(const std::string& text, const Json&) {
  for (std::string title : matches(R"(<<[^\n]+>>)", text)) {
    title.erase(0, std::min(title.find_first_not_of('<'), title.size()));
    title.resize(title.find_last_not_of('>') + 1);
    if (!blank(title)) return true;
  }
  return false;
}

bool two_responses(const std::string& text, const Json&) {
  const Texts parts = split(R"(\*{6})", text);
  Texts responses;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!blank(parts[i]))
      responses.push_back(stripped(parts[i]));
    else if (i > 0 && i + 1 < parts.size())
      return false;
  }
  return responses.size() == 2 && responses[0] != responses[1];
}

bool begins_with_prompt(const std::string& text, const Json& arguments) {
  const std::string prompt = unicode_lowercase(text_of(arguments, "prompt_to_repeat"));
  return unicode_lowercase(stripped(text)).compare(0, prompt.size(), prompt) == 0;
}

bool ends_with_phrase(const std::string& text, const Json& arguments) {
  std::string end = stripped(text);
  end.erase(0, std::min(end.find_first_not_of('"'), end.size()));
  end.resize(end.find_last_not_of('"') + 1);
  end = unicode_lowercase(end);
  const std::string phrase = unicode_lowercase(text_of(arguments, "end_phrase"));
  return end.size() >= phrase.size() && end.compare(end.size() - phrase.size(), phrase.size(), phrase) == 0;
}

bool no_comma(const std::string& text, const Json&) { return text.find(',') == text.npos; }

bool is_quoted(const std::string& text, const Json&) {
  const std::string whole = stripped(text);
  return whole.size() > 1 && whole.front() == '"' && whole.back() == '"';
}

struct Instruction {
  const char* id;
  bool (*followed)(const std::string& text, const Json& arguments);
  std::vector<const char*> arguments = {};  // relations, texts, numbers: by their names below
};

const std::vector<Instruction>& instructions() {
  static const std::vector<Instruction> kRows = {
      {"keywords:existence", has_keywords, {"keywords"}},
      {"keywords:frequency", keyword_frequency, {"keyword", "frequency", "relation"}},
      {"keywords:forbidden_words", no_forbidden_words, {"forbidden_words"}},
      {"keywords:letter_frequency", letter_frequency, {"letter", "let_frequency", "let_relation"}},
      {"language:response_language", in_language, {"language"}},
      {"length_constraints:number_sentences", number_of_sentences, {"num_sentences", "relation"}},
      {"length_constraints:number_paragraphs", number_of_paragraphs, {"num_paragraphs"}},
      {"length_constraints:number_words", number_of_words, {"num_words", "relation"}},
      {"length_constraints:nth_paragraph_first_word",
       first_word_of_paragraph,
       {"num_paragraphs", "nth_paragraph", "first_word"}},
      {"detectable_content:number_placeholders", has_placeholders, {"num_placeholders"}},
      {"detectable_content:postscript", has_postscript, {"postscript_marker"}},
      {"detectable_format:number_bullet_lists", number_of_bullets, {"num_bullets"}},
      {"detectable_format:constrained_response", one_of_the_answers},
      {"detectable_format:number_highlighted_sections", has_highlights, {"num_highlights"}},
      {"detectable_format:multiple_sections", has_sections, {"section_spliter", "num_sections"}},
      {"detectable_format:json_format", is_json},
      {"detectable_format:title", has_title},
      {"combination:two_responses", two_responses},
      {"combination:repeat_prompt", begins_with_prompt, {"prompt_to_repeat"}},
      {"startend:end_checker", ends_with_phrase, {"end_phrase"}},
      {"startend:quotation", is_quoted},
      {"change_case:capital_word_frequency", capital_words, {"capital_frequency", "capital_relation"}},
      {"change_case:english_capital", in_capitals},
      {"change_case:english_lowercase", in_lower_case},
      {"punctuation:no_comma", no_comma}};
  return kRows;
}

const Instruction* find_instruction(const std::string& id) {
  for (const Instruction& one : instructions())
    if (id == one.id) return &one;
  return nullptr;
}

bool is_text_list(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& one) { return one.is_string(); });
}

// What is wrong with an argument, or "". Keywords are patterns, as in IFEval.
std::string fault_of_argument(const std::string& name, const Json& value) {
  const bool relation = name.find("relation") != name.npos;
  const bool list = name == "keywords" || name == "forbidden_words";
  const bool number =
      name.rfind("num_", 0) == 0 || name.find("frequency") != name.npos || name == "nth_paragraph";
  if (relation)
    return value == "at least" || value == "less than" ? "" : "expected \"at least\" or \"less than\"";
  if (number) return value.is_number() ? "" : "expected a number";
  if (list ? !is_text_list(value) : !value.is_string() || blank(value.get<std::string>()))
    return list ? "expected a list of texts" : "expected a text";
  if (name == "language")
    return can_tell(value) ? "" : "cannot tell whether a text is in '" + value.get<std::string>() + "'";
  const bool pattern = list || name == "keyword" || name == "section_spliter" || name == "postscript_marker";
  try {
    for (const Json& one : list ? value : Json::array({value}))
      if (pattern) Regex(one.get<std::string>(), name);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string fault_of_instruction(const std::string& id, const Json& arguments) {
  const Instruction* instruction = find_instruction(id);
  if (!instruction) {
    std::vector<std::string> names;
    for (const Instruction& one : instructions()) names.emplace_back(one.id);
    const std::string near = nearest(id, names);
    return "unknown instruction '" + id + "'" + (near.empty() ? "" : "; did you mean '" + near + "'?");
  }
  for (const char* name : instruction->arguments) {
    const std::string where = "instruction " + id + ": '" + name + "': ";
    if (!arguments.is_object() || !arguments.contains(name)) return where + "is missing in field 'kwargs'";
    if (const std::string fault = fault_of_argument(name, arguments[name]); !fault.empty())
      return where + fault;
  }
  return "";
}

// The answer as it is; loose: without its first and last lines, each also without asterisks.
Texts readings(const std::string& answer, bool loose) {
  Texts all = {answer};
  if (!loose) return all;
  const size_t first = answer.find('\n'), last = answer.rfind('\n');
  const std::string behind = first == answer.npos ? "" : answer.substr(first + 1);
  all.push_back(stripped(behind));
  all.push_back(last == answer.npos ? "" : stripped(answer.substr(0, last)));
  const size_t end = behind.rfind('\n');
  all.push_back(end == behind.npos ? "" : stripped(behind.substr(0, end)));
  for (size_t i = 0; i < 4; ++i) {
    std::string plain = all[i];
    plain.erase(std::remove(plain.begin(), plain.end(), '*'), plain.end());
    all.push_back(std::move(plain));
  }
  return all;
}

}  // namespace

std::string instructions_fault(const Json& record) {
  const char* kList = "instruction_id_list";
  if (!record.is_object() || !record.contains(kList) || !is_text_list(record[kList]))
    return "field 'instruction_id_list': expected a list of names";
  const Json& ids = record[kList];
  if (!record.contains("kwargs") || !record["kwargs"].is_array() || record["kwargs"].size() != ids.size())
    return "field 'kwargs': expected a list of the same length as instruction_id_list";
  for (size_t i = 0; i < ids.size(); ++i)
    if (std::string fault = fault_of_instruction(ids[i], record["kwargs"][i]); !fault.empty()) return fault;
  return "";
}

std::vector<bool> instructions_followed(const Json& record, std::string_view answer, bool loose) {
  const Texts all = readings(utf8_lossy(std::string(answer)), loose);
  std::vector<bool> followed;
  for (size_t i = 0; i < record["instruction_id_list"].size(); ++i) {
    const Instruction& one = *find_instruction(record["instruction_id_list"][i]);
    followed.push_back(std::any_of(all.begin(), all.end(), [&](const std::string& text) {
      return !blank(text) && one.followed(text, record["kwargs"][i]);
    }));
  }
  return followed;
}

namespace {

std::string missing(const CheckItem& item, const Argument&) {
  return instructions_fault(item.fields ? *item.fields : Json());
}

EvalResult judge_instructions(const CheckItem& item, const Argument& argument) {
  if (const std::string fault = missing(item, argument); !fault.empty())
    return result_of(item, false, "not_followed", fault);
  const std::vector<bool> followed =
      instructions_followed(*item.fields, item.answer, argument.text == "loose");
  std::string broken;
  for (size_t i = 0; i < followed.size(); ++i)
    if (!followed[i])
      broken += (broken.empty() ? "" : ", ") + item.fields->at("instruction_id_list")[i].get<std::string>();
  return result_of(item, broken.empty(), "not_followed", broken);
}

void read_mode(Argument* argument) {
  if (argument->text != "strict" && argument->text != "loose") fail_usage("expected strict or loose");
}

}  // namespace

Check instructions_check() {
  Check check = {
      "instructions", kTaskCheck,
      "it follows the record's instruction_id_list (IFEval); loose: but for its first or last line",
      each<judge_instructions>};
  check.metric = "instructions followed";
  check.missing = missing;
  check.takes = "[MODE]";
  check.read = read_mode;
  return check;
}

}  // namespace sdft
