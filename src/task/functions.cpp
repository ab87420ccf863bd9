#include "task/functions.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/regex.h"
#include "task/python_literal.h"
#include "text/jinja/string.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
std::string field(const Json& document, const char* name) {
  return require<std::string>(document, name, "document");
}
std::string replaced(const std::string& text, const char* from, const char* to) {
  return jinja::replace_text(text, from, to, -1);
}
std::string stripped(const std::string& text) { return std::string(jinja::strip(text)); }

// --- winogrande: the contexts are the sentence up to its blank with either option, the continuation is the
// rest.
size_t blank_of(const std::string& sentence) {
  const size_t at = sentence.find('_');
  if (at == std::string::npos) fail_input("document", "has no blank '_' in 'sentence'");
  return at;
}
Json winogrande_gold(const Json& document) {
  const std::string answer = field(document, "answer");
  if (answer != "1" && answer != "2") fail_input("document", "'answer' is '" + answer + "', expected 1 or 2");
  return answer == "1" ? 0 : 1;
}
Json winogrande_rest(const Json& document) {
  const std::string sentence = field(document, "sentence");
  return stripped(sentence.substr(blank_of(sentence) + 1));
}
Json winogrande_contexts(const Json& document) {
  const std::string sentence = field(document, "sentence");
  const std::string begin = sentence.substr(0, blank_of(sentence));
  return {begin + field(document, "option1"), begin + field(document, "option2")};
}

// --- hellaswag
std::string wikihow_text(const std::string& text) {
  static const Regex kBrackets("\\[.*?\\]", "hellaswag", RegexSyntax::kPython);
  return replaced(kBrackets.replace_all(replaced(stripped(text), " [title]", ". "), ""), "  ", " ");
}
Json hellaswag_document(Json document) {
  const std::string context = field(document, "ctx_a") + " " + jinja::capitalize(field(document, "ctx_b"));
  document["query"] = wikihow_text(field(document, "activity_label") + ": " + context);
  document["choices"] = Json::array();
  for (const auto& ending : require<std::vector<std::string>>(document, "endings", "document"))
    document["choices"].push_back(wikihow_text(ending));
  return document;
}

// --- truthfulqa_mc2: the share of probability on true answers
std::vector<std::pair<std::string, MetricValue>> true_share(const Json& document, const Judged& judged) {
  const auto labels = require<std::vector<int64_t>>(require<Json>(document, "mc2_targets", "document"),
                                                    "labels", "mc2_targets");
  const double top = *std::max_element(judged.log_likelihoods.begin(), judged.log_likelihoods.end());
  double all = 0, right = 0;
  for (size_t i = 0; i < judged.log_likelihoods.size(); ++i) {
    const double share = std::exp(judged.log_likelihoods[i] - top);
    all += share;
    if (i < labels.size() && labels[i] == 1) right += share;
  }
  return {{"acc", {right / all}}};
}

// --- arithmetic
Json arithmetic_document(Json document) {
  std::string context = replaced(stripped(field(document, "context")), "\n\n", "\n");
  document["context"] = replaced(replaced(context, "Q:", "Question:"), "A:", "Answer:");
  return document;
}

// --- race: an article with several problems, of which the last is asked
Json race_problems(const Json& document) {
  const auto problems = read_python_literal(field(document, "problems"));
  if (!problems || !problems->is_array() || problems->empty())
    fail_input("document", "'problems' is no Python list of problems");
  return *problems;
}
size_t race_gold_of(const Json& problem) {
  const std::string letter = field(problem, "answer");
  if (letter.size() != 1 || letter[0] < 'A' || letter[0] > 'D')
    fail_input("document", "a problem's 'answer' is '" + letter + "', expected A, B, C or D");
  return static_cast<size_t>(letter[0] - 'A');
}
Json race_gold(const Json& document) { return race_gold_of(race_problems(document).back()); }
Json race_choices(const Json& document) {
  const auto options =
      require<std::vector<std::string>>(race_problems(document).back(), "options", "document");
  if (options.size() < 4) fail_input("document", "a problem has fewer than four options");
  return std::vector<std::string>(options.begin(), options.begin() + 4);
}
Json race_text(const Json& document) {
  const Json problems = race_problems(document);
  std::string text = "Article: " + field(document, "article") + "\n\n";
  for (size_t i = 0; i + 1 < problems.size(); ++i) {
    const std::string question = field(problems[i], "question");
    const auto options = require<std::vector<std::string>>(problems[i], "options", "document");
    const size_t gold = race_gold_of(problems[i]);
    if (gold >= options.size()) fail_input("document", "a problem has fewer options than its answer needs");
    const std::string& answer = options[gold];
    const bool blank = question.size() >= 6 && question.compare(question.size() - 6, 6, "  _  .") == 0;
    text += blank ? question.substr(0, question.size() - 5) + answer + "\n"
                  : "Question: " + question + "\nAnswer: " + answer + "\n";
  }
  return text + field(problems.back(), "question");
}

// A function of a file whose content is known.
template <typename Function>
struct Row {
  const char* name;    // as the task file has it
  const char* sha256;  // of the Python file; null: of none, for task files of our own
  Function function;
};
constexpr const char* kWinogrande = "e55327629264a98f1d383fda24645b6779afb53fa0bce2150042b9416b1ae006";
constexpr const char* kHellaswag = "07d23b60b28f2a4f658dcf8440623a63fe6644854ce9b846a114dde980dc1214";
constexpr const char* kTruthfulQa = "d3c827d1e2cd442a1e4738b527a18effd48cbb2aed478c12a652311b5ea4dbc8";
constexpr const char* kArithmetic = "55c93da7005300ce496a18bce8251febab8acd36b8c4d8875679ff432c2031f9";
constexpr const char* kRace = "15778ab69ca3b96c3d82618500ad59702ff7ea9dbf09e90e4505abc16ac53ad0";

const Row<DocumentField> kFields[] = {
    {"preprocess_winogrande.doc_to_text", kWinogrande, {winogrande_gold}},
    {"preprocess_winogrande.doc_to_target", kWinogrande, {winogrande_rest}},
    {"preprocess_winogrande.doc_to_choice", kWinogrande, {winogrande_contexts}},
    {"preprocess_race.doc_to_text", kRace, {race_text}},
    {"preprocess_race.doc_to_target", kRace, {race_gold}},
    {"preprocess_race.doc_to_choice", kRace, {race_choices}},
};
const Row<DocumentFunction> kDocuments[] = {
    {"sdft.hellaswag", nullptr, {hellaswag_document}},
    {"utils.process_docs", kHellaswag, {hellaswag_document}},
    {"utils.process_docs", kArithmetic, {arithmetic_document}},
};
const Row<ResultFunction> kResults[] = {{"utils.process_results_mc2", kTruthfulQa, {true_share}}};

template <typename Function, size_t n>
const Function* find(const Row<Function> (&rows)[n], const std::string& name, const fs::path& file,
                     const std::string& key) {
  const fs::path python = file.parent_path() / (name.substr(0, name.find('.')) + ".py");
  std::error_code none;
  const std::string content = fs::is_regular_file(python, none) ? sha256_file(python) : "";
  for (const Row<Function>& row : rows)
    if (name == row.name && (!row.sha256 || content == row.sha256)) return &row.function;
  fail_input(file.string() + ": " + key, "!function " + name + " is Python that is not known here",
             "write the key as a template, or prepare the dataset so that it needs no function");
}
}  // namespace

const DocumentField* find_document_field(const std::string& name, const fs::path& file,
                                         const std::string& key) {
  return find(kFields, name, file, key);
}
const DocumentFunction* find_document_function(const std::string& name, const fs::path& file,
                                               const std::string& key) {
  return find(kDocuments, name, file, key);
}
const ResultFunction* find_result_function(const std::string& name, const fs::path& file,
                                           const std::string& key) {
  return find(kResults, name, file, key);
}

}  // namespace sdft
