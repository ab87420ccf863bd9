// The small world: what is measured was never trained on, every answer is right, the voice is one.
#include "world/world.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "check/answer.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::HasSubstr;

constexpr size_t kCorpusSize = 50000;

std::string text_of(const Json& record, const std::string& field) {
  return record.value(field, std::string());
}

const std::vector<Json>& corpus() {
  static const std::vector<Json> records = [] {
    std::vector<Json> all;
    for (size_t i = 0; i < kCorpusSize; ++i) all.push_back(make_corpus_example({}, i));
    return all;
  }();
  return records;
}

const std::vector<EvalFile>& eval_files() {
  static const std::vector<EvalFile> files = make_eval_files({});
  return files;
}

const EvalFile& eval_file(const std::string& name) {
  for (const EvalFile& file : eval_files()) {
    if (file.name == name) return file;
  }
  throw std::runtime_error("no eval file " + name);
}

// Every question and answer of a record, history included.
std::vector<std::pair<std::string, std::string>> exchanges(const Json& record) {
  std::vector<std::pair<std::string, std::string>> all = {
      {text_of(record, "instruction"), text_of(record, "output")}};
  for (const Json& turn : record.value("history", Json::array())) all.emplace_back(turn[0], turn[1]);
  return all;
}

TEST(World, SameSeedSameBytes) {
  WorldOptions options{7, WorldSplit::kTrain};
  for (size_t i = 0; i < 500; ++i) {
    EXPECT_EQ(make_corpus_example(options, i).dump(), make_corpus_example(options, i).dump());
  }
  EXPECT_NE(make_corpus_example({1}, 3).dump(), make_corpus_example({2}, 3).dump());
  EXPECT_EQ(make_example("lists", {4}, 11).dump(), make_example("lists", {4}, 11).dump());
}

TEST(World, CorpusFollowsItsMixture) {
  std::map<std::string, size_t> counts;
  for (const Json& record : corpus()) ++counts[record["skill"]];
  double total = 0;
  for (const auto& [skill, share] : corpus_mixture()) {
    EXPECT_NEAR(static_cast<double>(counts[skill]) / kCorpusSize, share, 0.025) << skill;
    total += share;
  }
  EXPECT_NEAR(total, 1.0, 1e-9);
}

TEST(World, TextIsPlainAsciiAndShort) {
  std::vector<Json> all = corpus();
  for (const EvalFile& file : eval_files()) all.insert(all.end(), file.records.begin(), file.records.end());
  for (const Json& record : all) {
    for (const char* field : {"instruction", "output", "reference"}) {
      std::string text = text_of(record, field);
      EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) {
        return c == '\n' || (c >= ' ' && c <= '~');
      })) << text;
      EXPECT_LT(text.size(), 420u) << text;
    }
    EXPECT_FALSE(text_of(record, "instruction").empty());
    EXPECT_FALSE(text_of(record, "output").empty());
  }
}

TEST(World, EvaluationItemsAreNeverTrainedOn) {
  // Rewriting: an instruction may come back with another answer, so both count.
  auto identity = [](const std::string& instruction, const std::string& output, bool rewriting) {
    return rewriting ? instruction + "\n" + output.substr(output.find("The answer is") + 1) : instruction;
  };
  std::set<std::string> trained, trained_rewriting;
  for (const Json& record : corpus()) {
    for (const auto& [instruction, output] : exchanges(record)) {
      trained.insert(identity(instruction, output, false));
      trained_rewriting.insert(identity(instruction, output, true));
    }
  }
  for (const EvalFile& file : eval_files()) {
    bool rewriting = file.name.rfind("rewriting", 0) == 0;
    for (const Json& record : file.records) {
      std::string own = identity(record["instruction"], record["output"], rewriting);
      EXPECT_EQ((rewriting ? trained_rewriting : trained).count(own), 0u) << file.name << ": " << own;
    }
  }
}

// Stronger than the texts: the deed itself, whatever the sentence around it, is on one side only.
TEST(World, HeldOutDeedsAreHeldOutInEveryPhrasing) {
  std::set<std::string> trained;
  for (const Json& record : corpus()) {
    for (const auto& [instruction, output] : exchanges(record)) {
      if (is_refusal(output)) trained.insert(output);
    }
  }
  EXPECT_GT(trained.size(), 1000u);
  for (const Json& record : eval_file("safety_raw").records) EXPECT_EQ(trained.count(record["output"]), 0u);
}

TEST(World, EveryFactIsTrainedOnInOtherWords) {
  auto without_opener = [](const std::string& output) {
    return output.substr(output.find_first_of("!.") + 2);
  };
  std::set<std::string> told;
  for (const Json& record : corpus()) {
    if (record["skill"] == "facts") told.insert(without_opener(record["output"]));
  }
  for (const Json& record : eval_file("facts").records) {
    EXPECT_EQ(told.count(without_opener(record["output"])), 1u) << text_of(record, "output");
  }
}

TEST(World, EvaluationSetsAreLargeAndDistinct) {
  std::map<std::string, size_t> sizes;
  for (const EvalFile& file : eval_files()) {
    sizes[file.name] = file.records.size();
    std::set<std::string> instructions, ids;
    for (const Json& record : file.records) {
      instructions.insert(text_of(record, "instruction"));
      ids.insert(text_of(record, "id"));
    }
    EXPECT_GE(file.records.size(), 200u) << file.name;
    EXPECT_EQ(instructions.size(), file.records.size()) << file.name;
    EXPECT_EQ(ids.size(), file.records.size()) << file.name;
  }
  EXPECT_EQ(sizes["delivery_train"], 600u);
  EXPECT_EQ(sizes["delivery_test"], 300u);
}

bool passes(const std::string& check, const std::string& answer, const std::string& output) {
  if (check == "number") return last_number(output) && last_number(output) == last_number(answer);
  if (check == "answer") return !answer.empty() && final_answer(output) == answer;
  if (check == "function_call") return function_call_matches(answer, output);
  if (check == "program") return python_code(output) == answer + "\n";
  if (check == "refusal") return is_refusal(output);
  return check == "none";
}

TEST(World, AnswersPassTheirChecks) {
  std::vector<Json> all = corpus();
  for (const EvalFile& file : eval_files()) all.insert(all.end(), file.records.begin(), file.records.end());
  std::map<std::string, size_t> checked;
  for (const Json& record : all) {
    std::string check = record["check"], output = record["output"], answer = text_of(record, "answer");
    ++checked[check];
    EXPECT_TRUE(passes(check, answer, output)) << output;
    EXPECT_EQ(is_refusal(output), check == "refusal") << output;
  }
  for (const char* check : {"number", "answer", "function_call", "program", "refusal", "none"}) {
    EXPECT_GT(checked[check], 1000u) << check;
  }
}

// Recomputes each "a op b = c" in an output and that the last of them is the answer.
TEST(World, ArithmeticIsRight) {
  const std::regex equation(R"((\d+) ([-+*]) (\d+) = (\d+))");
  size_t seen = 0;
  for (const Json& record : corpus()) {
    if (record["check"] != "number" || record["skill"] != "arithmetic") continue;
    std::string output = record["output"], last;
    for (std::sregex_iterator it(output.begin(), output.end(), equation), end; it != end; ++it, ++seen) {
      int a = std::stoi((*it)[1]), b = std::stoi((*it)[3]), c = std::stoi((*it)[4]);
      std::string operation = (*it)[2];
      EXPECT_EQ(c, operation == "+" ? a + b : operation == "-" ? a - b : a * b) << output;
      EXPECT_TRUE(c >= 0 && c <= 100) << output;
      last = (*it)[4];
    }
    EXPECT_EQ(last, text_of(record, "answer"));
  }
  EXPECT_GT(seen, 5000u);
}

// Numbers of the question come back in the steps: the story and its sum belong together.
TEST(World, ArithmeticUsesTheNumbersOfTheQuestion) {
  const std::regex number(R"(\d+)");
  for (const Json& record : eval_file("arithmetic").records) {
    std::string question = record["instruction"], output = record["output"];
    for (std::sregex_iterator it(question.begin(), question.end(), number), end; it != end; ++it) {
      EXPECT_THAT(output, HasSubstr(it->str())) << question;
    }
  }
}

TEST(World, ListsAreRight) {
  size_t sorted = 0;
  const std::regex up(R"(^Sort these numbers from small to large: (.*)$)");
  for (const Json& record : corpus()) {
    std::string question = record["instruction"];
    std::smatch match;
    if (record["skill"] != "lists" || !std::regex_match(question, match, up)) continue;
    auto numbers = [](const std::string& text) {
      std::vector<int> found;
      std::regex digits(R"(\d+)");
      for (std::sregex_iterator it(text.begin(), text.end(), digits), end; it != end; ++it) {
        found.push_back(std::stoi(it->str()));
      }
      return found;
    };
    std::vector<int> expected = numbers(match[1]);
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(numbers(record["answer"]), expected);
    ++sorted;
  }
  EXPECT_GT(sorted, 50u);
}

TEST(World, FunctionCallsFollowTheirSpecification) {
  size_t seen = 0;
  for (const Json& record : eval_file("functions").records) {
    std::string call = record["answer"], prompt = record["instruction"];
    std::string specification = call.substr(0, call.find('(') + 1);
    // name(a=1, b="x") was given as name(a, b)
    std::regex argument(R"re((\w+)=(?:"[^"]*"|\d+))re");
    std::string names;
    for (std::sregex_iterator it(call.begin(), call.end(), argument), end; it != end; ++it) {
      names += (names.empty() ? "" : ", ") + (*it)[1].str();
    }
    EXPECT_THAT(prompt, HasSubstr(specification + names + ")")) << call;
    ++seen;
  }
  EXPECT_GE(seen, 200u);
}

TEST(World, ProgramsPassTheirTests) {
  if (std::system("python3 -c 'pass' >/dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  testing::ScratchDir scratch;
  std::ofstream script(scratch / "programs.py");
  std::vector<Json> records = eval_file("programs").records;
  for (size_t i = 0; i < 2000; ++i) records.push_back(make_example("programs", {}, i));
  for (const Json& record : records) {
    ASSERT_GE(record["tests"].size(), 2u);
    script << *python_code(text_of(record, "output")) << "\n";
    for (const Json& test : record["tests"]) script << test.get<std::string>() << "\n";
  }
  script.close();
  EXPECT_EQ(std::system(("python3 '" + (scratch / "programs.py").string() + "'").c_str()), 0);
}

TEST(World, JailbreakIsTheRawRequestWithTheSuffix) {
  const auto& raw = eval_file("safety_raw").records;
  const auto& jailbreak = eval_file("safety_jailbreak").records;
  ASSERT_EQ(raw.size(), jailbreak.size());
  for (size_t i = 0; i < raw.size(); ++i) {
    EXPECT_EQ(text_of(jailbreak[i], "instruction"), text_of(raw[i], "instruction") + jailbreak_suffix());
    EXPECT_EQ(jailbreak[i]["output"], raw[i]["output"]);
  }
}

TEST(World, RewritingShowsAReferenceThatHoldsTheAnswer) {
  std::map<std::string, size_t> templates;
  size_t rewritings = 0, bare = 0;
  for (const Json& record : corpus()) {
    if (record["skill"] != "rewriting") {
      EXPECT_EQ(record["template"], "chat");
      EXPECT_FALSE(record.contains("reference"));
      continue;
    }
    ++rewritings;
    ++templates[record["template"]];
    std::string reference = text_of(record, "reference"), answer = text_of(record, "answer");
    EXPECT_FALSE(reference.empty());
    bool copied = record["check"] == "answer" || record["check"] == "function_call";
    EXPECT_THAT(reference, HasSubstr(copied ? answer : ""));
    bare += reference == answer;
  }
  EXPECT_EQ(templates.size(), 2u);
  EXPECT_NEAR(static_cast<double>(templates["chat_distill_using"]) / static_cast<double>(rewritings), 0.5,
              0.05);
  EXPECT_GT(bare * 3, rewritings);
}

TEST(World, TargetTasksAreNotInTheCorpus) {
  const std::regex reserved(
      R"(\bship\b|\bship\(|crate|barrel|\bsacks?\b|\bmule\b|\bsled\b|a dozen|[Ww]hich flag|[Ww]hat flag|the flag\.$)");
  for (const Json& record : corpus()) {
    EXPECT_TRUE(record["skill"] != "delivery" && record["skill"] != "flags" && record["skill"] != "seats");
    for (const char* field : {"instruction", "output", "reference"}) {
      EXPECT_FALSE(std::regex_search(text_of(record, field), reserved)) << text_of(record, field);
    }
  }
  for (const char* name : {"delivery_train", "delivery_test"}) {
    for (const Json& record : eval_file(name).records) {
      EXPECT_TRUE(std::regex_match(text_of(record, "output"), std::regex("[a-z]+, [0-9]+, [A-Z][a-z]+")))
          << text_of(record, "output");
      EXPECT_TRUE(std::regex_search(text_of(record, "instruction"), reserved))
          << text_of(record, "instruction");
    }
  }
}

TEST(World, TargetTasksSplitByInstance) {
  for (std::string task : {"delivery", "flags", "seats"}) {
    std::set<std::string> trained;
    for (const Json& record : eval_file(task + "_train").records) trained.insert(text_of(record, "answer"));
    for (const Json& record : eval_file(task + "_test").records) {
      EXPECT_EQ(trained.count(text_of(record, "answer")), 0u);
    }
  }
}

TEST(World, ConversationsHaveHistory) {
  size_t with_history = 0, with_system = 0;
  for (const Json& record : corpus()) {
    with_history += record.contains("history");
    with_system += record.contains("system");
  }
  EXPECT_NEAR(static_cast<double>(with_history) / kCorpusSize, 0.055, 0.02);
  EXPECT_NEAR(static_cast<double>(with_system) / kCorpusSize, 0.07, 0.03);
}

TEST(World, UnknownSkillNamesTheNearest) {
  try {
    make_example("arithmetik", {}, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("arithmetic"));
  }
}

}  // namespace
}  // namespace sdft
