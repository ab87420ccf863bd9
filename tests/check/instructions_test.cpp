#include "check/instructions.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/error.h"
#include "check/check.h"
#include "check/sentences.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Json> fixture_lines(const char* name) {
  const auto path = std::filesystem::path(SDFT_SOURCE_DIR) / "tests/fixtures/checks" / name;
  std::vector<Json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(parse_json(line, path));
  EXPECT_GT(lines.size(), 100u) << path;
  return lines;
}

bool follows(const char* id, const Json& arguments, const std::string& text, bool loose = false) {
  const Json record = {{"instruction_id_list", {id}}, {"kwargs", Json::array({arguments})}};
  EXPECT_EQ(instructions_fault(record), "");
  return instructions_followed(record, text, loose).at(0);
}

// Texts and instructions of our own; verdicts by lm-eval 0.4.13 (tools/compare-checks --keep). Its langdetect
// draws lots on short texts, so that what depends on it is not compared.
TEST(Instructions, FollowedAsIFEvalSays) {
  std::map<std::string, size_t> compared, followed;
  for (const Json& line : fixture_lines("instructions.jsonl")) {
    ASSERT_EQ(instructions_fault(line), "");
    for (const bool loose : {false, true}) {
      const std::vector<bool> ours = instructions_followed(line, line["text"].get<std::string>(), loose);
      for (size_t i = 0; i < ours.size(); ++i) {
        const std::string id = line["instruction_id_list"][i];
        if (id.find("english") != id.npos || id.find("language") != id.npos) continue;
        EXPECT_EQ(ours[i], line[loose ? "loose" : "strict"][i].get<bool>())
            << id << " " << line["kwargs"][i].dump() << "\n"
            << line["text"];
        ++compared[id];
        followed[id] += ours[i];
      }
    }
  }
  EXPECT_EQ(compared.size(), 22u);
  size_t all = 0;
  for (const auto& [id, count] : followed) all += count;
  EXPECT_GT(all, 200u);
}

TEST(Instructions, LanguageAndCase) {
  const char* kGerman =
      "Der alte Garten liegt hinter dem Haus, und die Kinder spielen dort mit ihren Freunden.";
  EXPECT_TRUE(follows("language:response_language", {{"language", "de"}}, kGerman));
  EXPECT_FALSE(follows("language:response_language", {{"language", "en"}}, kGerman));
  EXPECT_TRUE(follows("language:response_language", {{"language", "en"}}, "1 + 1 = 2"));
  EXPECT_TRUE(follows("change_case:english_capital", Json::object(), "THIS IS IT, AND THERE IS NO MORE."));
  EXPECT_FALSE(follows("change_case:english_capital", Json::object(), "THIS IS it."));
  EXPECT_FALSE(follows("change_case:english_capital", Json::object(), "123"));
  EXPECT_TRUE(follows("change_case:english_lowercase", Json::object(), "this is it."));
  EXPECT_FALSE(
      follows("change_case:english_lowercase", Json::object(),
              "der alte garten liegt hinter dem haus, und die kinder spielen dort mit ihren freunden."));
}

TEST(Instructions, LooseForgivesFirstAndLastLines) {
  EXPECT_FALSE(follows("startend:quotation", Json::object(), "Sure:\n\"So it is.\""));
  EXPECT_TRUE(follows("startend:quotation", Json::object(), "Sure:\n\"So it is.\"", true));
  EXPECT_TRUE(follows("startend:quotation", Json::object(), "**\"So it is.\"**", true));
  EXPECT_TRUE(follows("startend:quotation", Json::object(), "Sure:\n\"So\nit is.\"\nBye.", true));
  EXPECT_FALSE(follows("punctuation:no_comma", Json::object(), " \n ", true));
  EXPECT_FALSE(follows("punctuation:no_comma", Json::object(), ""));
}

TEST(Instructions, CheckTellsWhichWereBroken) {
  Example example;
  example.fields = {{"instruction_id_list", {"punctuation:no_comma", "startend:quotation"}},
                    {"kwargs", {Json::object(), Json()}}};
  auto judged = [&](const char* check, const char* text) {
    return judge(parse_check(check, kTaskCheck), {check_item(example, text)}).at(0);
  };
  EXPECT_EQ(judged("instructions", "\"So it is.\"").verdict, Verdict::kPass);
  EXPECT_EQ(judged("instructions", "So, it is.").matched, "punctuation:no_comma, startend:quotation");
  EXPECT_EQ(judged("instructions", "x\n\"So it is.\"").reason, "not_followed");
  EXPECT_EQ(judged("instructions:loose", "x\n\"So it is.\"").verdict, Verdict::kPass);
  EXPECT_THAT(fault_of_check("instructions:lose", kTaskCheck), HasSubstr("strict or loose"));
}

TEST(Instructions, RecordsThatCannotBeVerifiedAreNamed) {
  auto fault = [](const char* text) { return instructions_fault(parse_json(text, "test")); };
  EXPECT_THAT(fault("{}"), HasSubstr("instruction_id_list"));
  EXPECT_THAT(fault("[]"), HasSubstr("instruction_id_list"));
  EXPECT_THAT(fault(R"({"instruction_id_list": ["punctuation:no_comma"]})"), HasSubstr("kwargs"));
  EXPECT_THAT(fault(R"({"instruction_id_list": ["punctuation:no_coma"], "kwargs": [{}]})"),
              HasSubstr("did you mean 'punctuation:no_comma'?"));
  EXPECT_THAT(fault(R"({"instruction_id_list": ["keywords:existence"], "kwargs": [{}]})"),
              HasSubstr("'keywords': is missing"));
  EXPECT_THAT(fault(R"({"instruction_id_list": ["keywords:existence"], "kwargs": [{"keywords": ["("]}]})"),
              HasSubstr("keywords"));
  EXPECT_THAT(
      fault(R"({"instruction_id_list": ["language:response_language"], "kwargs": [{"language": "xx"}]})"),
      HasSubstr("'xx'"));
  EXPECT_THAT(fault(R"({"instruction_id_list": ["length_constraints:number_words"],
                        "kwargs": [{"num_words": 5, "relation": "exactly"}]})"),
              HasSubstr("at least"));
  EXPECT_THAT(fault(R"({"instruction_id_list": ["length_constraints:number_words"],
                        "kwargs": [{"num_words": "5", "relation": "at least"}]})"),
              HasSubstr("expected a number"));
}

TEST(Sentences, EndWhereTheyEnd) {
  EXPECT_THAT(
      sentences_of("Dr. J. Smith came. \"Is it so?\" he said. (Yes!) It costs $3.5... or more.\n\nEnd"),
      ElementsAre("Dr. J. Smith came.", "\"Is it so?\"", "he said.", "(Yes!)", "It costs $3.5... or more.",
                  "End"));
  EXPECT_THAT(sentences_of(" \n"), ElementsAre());
  EXPECT_THAT(treebank_words("DON'T go, I CANNOT (ever) see U.S. 3,500 A/B"),
              ::testing::IsSupersetOf({"DO", "N'T", "CAN", "NOT", "ever", "U.S.", "3,500", "A/B"}));
}

// Verdicts by transformers' squad_metrics and rouge_score 0.1.2 (tools/compare-checks --keep).
TEST(Overlap, ScoresAsTheReferencePrograms) {
  size_t compared = 0;
  for (const Json& line : fixture_lines("overlap.jsonl")) {
    Example example;
    example.response = line["reference"];
    const std::string text = line["text"];
    for (const char* check : {"f1", "squad_exact", "rouge1", "rouge2", "rougeL", "rougeLsum"}) {
      const EvalResult result = judge(parse_check(check, kTaskCheck), {check_item(example, text)}).at(0);
      EXPECT_NEAR(result.score, line[check].get<double>(), 1e-12) << check << "\n" << line.dump();
      EXPECT_EQ(result.verdict == Verdict::kGraded, std::string(check) != "squad_exact");
      ++compared;
    }
  }
  EXPECT_GE(compared, 600u);
}

TEST(Overlap, TheBestOfSeveralReferencesCounts) {
  Example example;
  example.response = "nothing alike";
  auto score = [&](const char* check) {
    return judge(parse_check(check, kTaskCheck), {check_item(example, "The red boat.")}).at(0).score;
  };
  EXPECT_EQ(score("f1"), 0);
  example.fields = {{"answers", {"a blue boat", "red boat"}}};
  EXPECT_EQ(score("f1"), 1);
  EXPECT_EQ(score("squad_exact"), 1);
  example.fields = {{"answers", {{"text", {"a red car"}}}}};
  EXPECT_EQ(score("f1"), 0.5);
  example.fields = Json::object();
  example.response = " ";
  EXPECT_NE(parse_check("f1", kTaskCheck).missing(check_item(example)), "");
}

}  // namespace
}  // namespace sdft
