#include "check/preference.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "testing.h"

namespace sdft {
namespace {

using sdft::testing::ScratchDir;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string fault_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
  return "no error";
}

std::vector<Annotation> some_pairs(size_t n) {
  std::vector<Annotation> pairs;
  for (size_t i = 0; i < n; ++i) {
    const std::string number = std::to_string(i);
    pairs.push_back({"do " + number, "baseline " + number, "model " + number, "base", "mine", "", kNan});
  }
  return pairs;
}

// A judge that replies by what the prompt is; counts how often it is asked.
struct FakeJudge {
  std::function<JudgeReply(const JudgePrompt&)> reply;
  size_t asked = 0;
  Judge judge() {
    return [this](const std::vector<JudgePrompt>& prompts,
                  const std::function<void(size_t, JudgeReply)>& on_reply) {
      for (size_t i = prompts.size(); i-- > 0;) {  // in no particular order
        ++asked;
        on_reply(i, reply(prompts[i]));
      }
    };
  }
};

bool model_is_first(const JudgePrompt& prompt) {
  return prompt.user.find("model ") < prompt.user.find("baseline ");
}

TEST(Verdict, WeighsCandidates) {
  JudgeTemplate labels;
  labels.first = "m";
  labels.second = "M";
  const auto first = [&](const JudgeReply& reply) { return first_is_better(labels, reply); };
  // alpaca_eval's logprob_parser gives 2 minus this.
  EXPECT_NEAR(*first({"m", {{"m", -0.1}, {"M", -2.5}, {"x", -1}}}),
              std::exp(-0.1) / (std::exp(-0.1) + std::exp(-2.5)), 1e-15);
  EXPECT_EQ(first({"M", {{"M", -0.1}, {"x", -1}}}), 0);
  EXPECT_EQ(first({"m", {{"m", -5}}}), 1);
  EXPECT_EQ(first({"", {{"x", -5}}}), std::nullopt);
  EXPECT_NEAR(*first({"", {{" m", -1}, {" M", -1}}}), 0.5, 1e-15);
}

TEST(Verdict, ReadsTexts) {
  const JudgeTemplate& letters = default_judge_template();
  for (const char* text : {"A", " A.", "**A**", "[[A]]", "\"A\"\n", "Answer: A", "A. It is clearer than B."})
    EXPECT_EQ(first_is_better(letters, {text}), 1) << text;
  for (const char* text : {"B", "B: because", "The better answer is B."})
    EXPECT_EQ(first_is_better(letters, {text}), 0) << text;
  for (const char* text : {"", "I cannot say", "a good answer", "C", "Both"})
    EXPECT_EQ(first_is_better(letters, {text}), std::nullopt) << text;
  JudgeTemplate marks = letters;
  marks.first = "m";
  marks.second = "M";
  EXPECT_EQ(first_is_better(marks, {"m"}), 1);
  EXPECT_EQ(first_is_better(marks, {"`M`"}), 0);
  EXPECT_EQ(first_is_better(marks, {"A"}), std::nullopt);
}

TEST(JudgePairs, BothOrdersTakeThePlaceOut) {
  const ScratchDir dir;
  FakeJudge first{[](const JudgePrompt&) { return JudgeReply{"A"}; }};
  auto pairs = some_pairs(3);
  EXPECT_TRUE(judge_pairs(&pairs, {}, first.judge(), dir / "first.jsonl").empty());
  for (const Annotation& pair : pairs) EXPECT_EQ(pair.preference, 1.5);
  EXPECT_EQ(first.asked, 6u);

  FakeJudge fair{[](const JudgePrompt& prompt) { return JudgeReply{model_is_first(prompt) ? "A" : "B"}; }};
  pairs = some_pairs(3);
  pairs[1].output_2 = pairs[1].output_1;  // equal: a tie without a question
  pairs[2].preference = 1.25;             // known
  judge_pairs(&pairs, {}, fair.judge(), dir / "fair.jsonl");
  EXPECT_EQ(pairs[0].preference, 2);
  EXPECT_EQ(pairs[1].preference, 1.5);
  EXPECT_EQ(pairs[2].preference, 1.25);
  EXPECT_EQ(fair.asked, 2u);

  FakeJudge weighted{[](const JudgePrompt& prompt) {
    return JudgeReply{"", {{"A", std::log(model_is_first(prompt) ? 0.8 : 0.6)}, {"B", std::log(0.2)}}};
  }};
  pairs = some_pairs(1);
  judge_pairs(&pairs, {}, weighted.judge(), dir / "weighted.jsonl");
  EXPECT_NEAR(pairs[0].preference, (1.8 + 1.25) / 2, 1e-12);
}

TEST(JudgePairs, ARandomOrderIsTheInstructions) {
  const ScratchDir dir;
  size_t model_first = 0;
  FakeJudge fair{[&](const JudgePrompt& prompt) {
    model_first += model_is_first(prompt);
    return JudgeReply{model_is_first(prompt) ? "B" : "A"};  // the baseline is better
  }};
  PreferenceOptions options;
  options.order = JudgeOrder::kRandom;
  auto pairs = some_pairs(200);
  judge_pairs(&pairs, options, fair.judge(), dir / "a.jsonl");
  EXPECT_EQ(fair.asked, 200u);
  EXPECT_GT(model_first, 70u);
  EXPECT_LT(model_first, 130u);
  for (const Annotation& pair : pairs) EXPECT_EQ(pair.preference, 1);
  // The same pairs in another order are asked in the same way.
  auto reversed = some_pairs(200);
  std::reverse(reversed.begin(), reversed.end());
  judge_pairs(&reversed, options, fair.judge(), dir / "a.jsonl");
  EXPECT_EQ(fair.asked, 200u);
}

TEST(JudgePairs, WhatFailsIsNeitherWonNorLost) {
  const ScratchDir dir;
  bool broken = true;
  FakeJudge judge{[&](const JudgePrompt& prompt) {
    if (prompt.user.find("do 1\n") != std::string::npos) return JudgeReply{"Hard to\nsay"};
    if (prompt.user.find("do 2\n") != std::string::npos && broken) return JudgeReply{"", {}, "HTTP 500"};
    return JudgeReply{"A"};
  }};
  auto pairs = some_pairs(4);
  auto failures = judge_pairs(&pairs, {}, judge.judge(), dir / "a.jsonl");
  ASSERT_EQ(failures.size(), 2u);
  EXPECT_EQ(failures[0].pair, 1u);
  EXPECT_EQ(failures[0].what, "no verdict in: Hard to say");
  EXPECT_EQ(failures[1].what, "HTTP 500");
  EXPECT_TRUE(std::isnan(pairs[1].preference) && std::isnan(pairs[2].preference));
  EXPECT_EQ(pairs[3].preference, 1.5);
  EXPECT_EQ(judge.asked, 8u);

  // Going on asks what there was no reply to.
  broken = false;
  pairs = some_pairs(4);
  failures = judge_pairs(&pairs, {}, judge.judge(), dir / "a.jsonl");
  EXPECT_EQ(judge.asked, 10u);
  EXPECT_EQ(failures.size(), 1u);
  EXPECT_EQ(pairs[2].preference, 1.5);
  // Another prompt is another question.
  PreferenceOptions other;
  other.prompt.user += " ";
  pairs = some_pairs(4);
  judge_pairs(&pairs, other, judge.judge(), dir / "a.jsonl");
  EXPECT_EQ(judge.asked, 18u);

  FakeJudge silent{};
  pairs = some_pairs(1);
  failures = judge_pairs(
      &pairs, {}, [](const auto&, const auto&) {}, dir / "b.jsonl");
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].what, "the judge did not reply");
  write_file_atomic(dir / "b.jsonl", "{\"prompt\": 3}\n");
  EXPECT_THAT(fault_of([&] { judge_pairs(&pairs, {}, silent.judge(), dir / "b.jsonl"); }),
              HasSubstr("b.jsonl:1"));
}

TEST(JudgePairs, PlacesAreFilledOnce) {
  const ScratchDir dir;
  FakeJudge judge{[](const JudgePrompt& prompt) {
    EXPECT_THAT(prompt.user, HasSubstr("# Instruction\nsay {output_1}\n"));
    EXPECT_THAT(prompt.user, HasSubstr("{instruction} {x}"));
    return JudgeReply{"A"};
  }};
  std::vector<Annotation> pairs = {{"say {output_1}", "{instruction} {x}", "b", "", "", "", kNan}};
  EXPECT_TRUE(judge_pairs(&pairs, {}, judge.judge(), dir / "a.jsonl").empty());
}

TEST(JudgeTemplateFile, IsAlpacaEvals) {
  const ScratchDir dir;
  write_file_atomic(
      dir / "clf.txt",
      "<|im_start|>system\nBe fair.\n<|im_end|>\n<|im_start|>user\n{instruction}\nm: {output_1}\nM: "
      "{output_2}\n<|im_end|>");
  const JudgeTemplate judge = read_judge_template(dir / "clf.txt");
  EXPECT_EQ(judge.system, "Be fair.");
  EXPECT_EQ(judge.user, "{instruction}\nm: {output_1}\nM: {output_2}");
  EXPECT_EQ(judge.first + judge.second, "mM");
  write_file_atomic(dir / "plain.txt", "{instruction} {output_1} {output_2}");
  EXPECT_EQ(read_judge_template(dir / "plain.txt", "1", "2").user, "{instruction} {output_1} {output_2}");
  write_file_atomic(dir / "bad.txt", "{instruction} {output_1}");
  EXPECT_THAT(fault_of([&] { read_judge_template(dir / "bad.txt"); }), HasSubstr("{output_2}"));
  write_file_atomic(dir / "role.txt", "<|im_start|>tool\n{instruction} {output_1} {output_2}<|im_end|>");
  EXPECT_THAT(fault_of([&] { read_judge_template(dir / "role.txt"); }), HasSubstr("role.txt"));
  write_file_atomic(dir / "open.txt", "<|im_start|>user\n{instruction} {output_1} {output_2}");
  EXPECT_THAT(fault_of([&] { read_judge_template(dir / "open.txt"); }), HasSubstr("<|im_end|>"));
}

TEST(JudgeTemplateFile, TheOriginalsAreRead) {
  const auto file = sdft::testing::shared_dir() /
                    "fixtures/eval/alpaca_eval/alpaca_eval_clf_gpt4_turbo/alpaca_eval_clf.txt";
  REQUIRE_FIXTURE(file);
  const JudgeTemplate judge = read_judge_template(file);
  EXPECT_THAT(judge.system, HasSubstr("evaluates and selects"));
  EXPECT_THAT(judge.user, HasSubstr("\"model_identifier\": \"M\""));
}

TEST(AlpacaFiles, ModelOutputsGoBothWays) {
  const ScratchDir dir;
  const std::vector<ModelOutput> outputs = {{"Größe?", "ja\n\"so\"", "m", "helpful_base"}, {"b", "", "m"}};
  write_model_outputs(dir / "o.json", outputs);
  const auto read = read_model_outputs(dir / "o.json");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].output, outputs[0].output);
  EXPECT_EQ(read[0].dataset, "helpful_base");
  EXPECT_EQ(read[1].generator, "m");
  EXPECT_EQ(read[1].dataset, "");
  for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
           {"{}", "expected a list"},
           {"[{\"instruction\": \"a\"}]", "'output'"},
           {"[[]]", "entry 0"},
           {"[{\"instruction\": \"a\", \"output\": 3}]", "output"},
           {"[", "o.json"}}) {
    write_file_atomic(dir / "o.json", text);
    EXPECT_THAT(fault_of([&] { read_model_outputs(dir / "o.json"); }),
                AllOf(HasSubstr("o.json"), HasSubstr(expected)));
  }
}

TEST(AlpacaFiles, TheEvaluationSetIsRead) {
  const auto file = sdft::testing::shared_dir() / "data/alpaca_eval.json";
  REQUIRE_FIXTURE(file);
  EXPECT_EQ(read_model_outputs(file).size(), 805u);
}

TEST(AlpacaFiles, AnnotationsGoBothWays) {
  const ScratchDir dir;
  auto pairs = some_pairs(3);
  pairs[0].preference = 1.25;
  pairs[1].annotator = "judge";
  pairs[2].preference = 2;
  write_annotations(dir / "a.json", pairs);
  const auto read = read_annotations(dir / "a.json");
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].preference, 1.25);
  EXPECT_TRUE(std::isnan(read[1].preference));
  EXPECT_EQ(read[1].annotator, "judge");
  EXPECT_EQ(read[2].output_2, "model 2");
  EXPECT_EQ(read[2].generator_1, "base");
  const auto with = [&](const std::string& preference) {
    write_file_atomic(
        dir / "a.json",
        R"([{"instruction": "a", "output_1": "b", "output_2": "c", "preference": )" + preference + "}]");
    return read_annotations(dir / "a.json").at(0).preference;
  };
  EXPECT_EQ(with("0"), 1.5);
  EXPECT_EQ(with("1.0"), 1);
  for (const char* bad : {"2.5", "-1", "\"2\""})
    EXPECT_THAT(fault_of([&] { with(bad); }), AllOf(HasSubstr("entry 0"), HasSubstr("preference"))) << bad;
}

TEST(AlpacaFiles, OutputsMeetTheBaselines) {
  const std::vector<ModelOutput> baseline = {
      {"a", "1", "base"}, {"b", "2", "base"}, {"a", "3", "base"}, {"c", "4", "base"}};
  const auto pairs = paired(baseline, {{"c", "x", "mine"}, {"a", "y", "mine"}, {"a", "z", "mine"}}, "o.json");
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].output_1 + pairs[0].output_2, "1y");
  EXPECT_EQ(pairs[1].output_1 + pairs[1].output_2, "3z");
  EXPECT_EQ(pairs[2].output_1 + pairs[2].output_2, "4x");
  EXPECT_EQ(pairs[2].generator_2, "mine");
  EXPECT_THAT(fault_of([&] {
                paired(baseline, {{"a", "y"}, {"q", "z"}}, "o.json");
              }),
              AllOf(HasSubstr("o.json"), HasSubstr("lacks 1 of 2"), HasSubstr("'q'")));
}

TEST(AlpacaFiles, LengthReference) {
  const ScratchDir dir;
  const std::string head = "preference,index,std_delta_len,instruction_difficulty,not_gamed_baseline,model\n";
  write_file_atomic(
      dir / "g.csv",
      head + "0.25,0,1.5,-0.5,False,concise\n1.0,1,0.5,2.0,False,concise\n0.5,0,-1,-0.5,False,v\n");
  const LengthReference reference = read_length_reference(dir / "g.csv");
  EXPECT_EQ(reference.gamed.size(), 3u);
  EXPECT_EQ(reference.gamed[2].length_difference, -1);
  EXPECT_EQ(reference.difficulty, (std::vector<double>{-0.5, 2}));
  std::vector<Annotation> pairs = {{"a", "Größe", "x", "", "", "", 1.5}};
  const auto judged = judged_pairs(pairs, &reference, "a.json");
  EXPECT_EQ(judged[0].baseline_length, 5);  // characters, not bytes
  EXPECT_EQ(judged[0].difficulty, -0.5);
  EXPECT_THAT(fault_of([&] { judged_pairs(some_pairs(3), &reference, "a.json"); }), HasSubstr("a.json"));
  for (const auto& [rows, expected] :
       std::vector<std::pair<std::string, std::string>>{{"", "no judgements"},
                                                        {"0.5,1,1,1,False,x\n", "no instruction 0"},
                                                        {"0.5,0,x,1,False,x\n", "std_delta_len"},
                                                        {"1.5,0,1,1,False,x\n", "from 0 to 1"},
                                                        {"0.5,0\n", "2 cells"}}) {
    write_file_atomic(dir / "g.csv", head + rows);
    EXPECT_THAT(fault_of([&] { read_length_reference(dir / "g.csv"); }),
                AllOf(HasSubstr("g.csv"), HasSubstr(expected)));
  }
  write_file_atomic(dir / "g.csv", "a,b\n1,2\n");
  EXPECT_THAT(fault_of([&] { read_length_reference(dir / "g.csv"); }), HasSubstr("no column 'preference'"));
}

TEST(AlpacaFiles, LeaderboardsGoBothWays) {
  const ScratchDir dir;
  LeaderboardRow row;
  row.name = "my, model";
  row.rate = win_rate({1, 2, 2, 1.5, kNan});
  row.average_length = 812.7;
  row.length_controlled_win_rate = 0.6125;
  row.length_controlled_standard_error = kNan;
  write_leaderboard(dir / "l.csv", {row});
  EXPECT_THAT(read_text(dir / "l.csv"), HasSubstr("\n\"my, model\",62.5,"));
  const auto read = read_leaderboard(dir / "l.csv");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].name, row.name);
  EXPECT_DOUBLE_EQ(read[0].rate.win_rate, 0.625);
  EXPECT_DOUBLE_EQ(read[0].rate.standard_error, row.rate.standard_error);
  EXPECT_EQ(read[0].rate.wins, 2u);
  EXPECT_EQ(read[0].rate.ties, 1u);
  EXPECT_EQ(read[0].average_length, 812);
  EXPECT_DOUBLE_EQ(read[0].length_controlled_win_rate, 0.6125);
  EXPECT_TRUE(std::isnan(read[0].length_controlled_standard_error));
  // An older one has fewer columns, some of them empty.
  write_file_atomic(
      dir / "l.csv",
      ",win_rate,standard_error,n_wins,n_wins_base,n_draws,n_total,mode\nx,50.0,,1,1,0,2,minimal\n");
  EXPECT_TRUE(std::isnan(read_leaderboard(dir / "l.csv")[0].length_controlled_win_rate));
}

}  // namespace
}  // namespace sdft
