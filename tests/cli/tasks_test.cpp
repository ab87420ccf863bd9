// Task files through the real executable: the same numbers as lm-evaluation-harness (tools/harness-fixtures),
// and errors before anything is asked.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "cli/bad_input.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path kTop = SDFT_SOURCE_DIR, kHere = kTop / "tests" / "task";

std::map<std::string, Json> lines_by_id(const fs::path& path) {
  std::map<std::string, Json> lines;
  for_each_line(path, [&](std::string_view text, size_t) {
    const Json line = parse_json(text, path.string());
    lines[line["id"]] = line;
  });
  return lines;
}

class TaskCommand : public ::testing::Test {
 protected:
  CommandResult eval(const std::string& tasks, const std::vector<std::string>& more = {},
                     const std::string& model = "") {
    std::vector<std::string> args = {"eval",
                                     "--model_name_or_path",
                                     model.empty() ? (kTop / "assets" / "mini-seed").string() : model,
                                     "--tasks",
                                     tasks,
                                     "--include_path",
                                     (kHere / "tasks").string(),
                                     "--data_dir",
                                     (kHere / "data").string(),
                                     "--output_dir",
                                     out()};
    args.insert(args.end(), more.begin(), more.end());
    return run_command(args);
  }
  std::string out() const { return (dir_ / "out").string(); }
  fs::path of_seed(const std::string& task) const { return dir_ / "out" / "eval" / "seed" / task; }
  ScratchDir dir_;
};

void expect_like_harness(const Json& run, const fs::path& dir) {
  const auto lines = lines_by_id(dir / "items.jsonl");
  for (size_t i = 0; i < run["items"].size(); ++i) {
    const Json& wanted = run["items"][i];
    const std::string id = run["task"].get<std::string>() + "/" + std::to_string(i);
    SCOPED_TRACE(id);
    ASSERT_TRUE(lines.count(id));
    const Json& line = lines.at(id);
    if (wanted.contains("answers")) {
      EXPECT_EQ(line["answers"], wanted["answers"]);
    } else {
      ASSERT_EQ(line["log_likelihoods"].size(), wanted["log_likelihoods"].size());
      for (size_t c = 0; c < line["log_likelihoods"].size(); ++c) {
        // The harness adds up in f32, whose numbers stand 2^-23 of their size apart.
        const double theirs = wanted["log_likelihoods"][c].get<double>();
        EXPECT_NEAR(line["log_likelihoods"][c].get<double>(), theirs,
                    std::max(1e-4, std::ldexp(std::abs(theirs), -23)));
      }
      EXPECT_EQ(line["greedy"], wanted["greedy"]);
    }
    for (const auto& [metric, value] : line["metrics"].items())
      if (wanted["metrics"].contains(metric) && wanted["metrics"][metric].is_number()) {
        EXPECT_NEAR(value.get<double>(), wanted["metrics"][metric].get<double>(), 1e-4) << metric;
      }
  }
}

TEST_F(TaskCommand, LikelihoodsAndAnswersAreTheHarnesss) {
  std::map<std::string, std::string> tasks;  // by number of examples
  const Json runs = read_json(kHere / "harness-mini.json");
  auto known = [](const std::string& task) {
    return fs::exists(kHere / "tasks" / (task + ".yaml")) ||
           fs::exists(kTop / "assets" / "tasks" / (task + ".yaml"));
  };
  auto shots = [](const Json& run) { return run["num_fewshot"].is_null() ? "" : run["num_fewshot"].dump(); };
  for (const Json& run : runs)
    if (known(run["task"]))
      tasks[shots(run)] += (tasks[shots(run)].empty() ? "" : ",") + run["task"].get<std::string>();
  for (const auto& [number, names] : tasks) {
    std::vector<std::string> more;
    if (!number.empty()) more = {"--num_fewshot", number};
    const CommandResult result = eval(names, more);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    for (const Json& run : runs)
      if (known(run["task"]) && shots(run) == number) expect_like_harness(run, of_seed(run["task"]));
    fs::remove_all(out());
  }
}

TEST_F(TaskCommand, AKilledOneGoesOnAndNothingIsAskedTwice) {
  ASSERT_EQ(eval("arc_easy").exit_code, 0);
  const std::string items = read_text(of_seed("arc_easy") / "items.jsonl"),
                    all = read_text(of_seed("arc_easy") / "likelihoods.jsonl");
  fs::remove(of_seed("arc_easy") / "DONE");
  fs::remove(of_seed("arc_easy") / "items.jsonl");
  write_text(of_seed("arc_easy") / "likelihoods.jsonl", all.substr(0, all.size() / 2));  // ends within a line
  ASSERT_EQ(eval("arc_easy").exit_code, 0);
  EXPECT_EQ(read_text(of_seed("arc_easy") / "items.jsonl"), items);
  EXPECT_EQ(read_text(of_seed("arc_easy") / "likelihoods.jsonl"), all);
}

// Answers are kept by what was asked: another task with the same prompts takes them as they are.
TEST_F(TaskCommand, TheSamePromptIsAnsweredOnce) {
  write_text(dir_ / "first.yaml",
             "task: first\ndataset_path: texts\ndataset_kwargs: {data_files: {test: " +
                 (dir_ / "texts.jsonl").string() +
                 "}}\ntest_split: test\noutput_type: generate_until\ndoc_to_text: '{{q}}'\n"
                 "doc_to_target: '{{a}}'\ngeneration_kwargs: {max_gen_toks: 6}\n");
  write_text(dir_ / "second.yaml",
             "include: first.yaml\ntask: second\nmetric_list: [{metric: exact_match, ignore_case: true}]\n");
  write_text(dir_ / "texts.jsonl", "{\"q\": \"one two\", \"a\": \"x\"}\n{\"q\": \"three\", \"a\": \"y\"}\n");
  ASSERT_EQ(eval((dir_ / "first.yaml").string()).exit_code, 0);
  fs::path said;
  for (const auto& entry : fs::directory_iterator(dir_ / "out" / "eval"))
    if (entry.is_regular_file()) said = entry.path();
  ASSERT_FALSE(said.empty());
  // Another answer in its place shows who was asked.
  std::string lines = read_text(said);
  const size_t ids = lines.find("\"ids\":[") + 6, end = lines.find(']', ids);
  lines.replace(ids, end + 1 - ids, "[65,65,65]");
  write_text(said, lines);
  const CommandResult second = eval((dir_ / "second.yaml").string());
  ASSERT_EQ(second.exit_code, 0) << second.err;
  const auto before = lines_by_id(of_seed("first") / "items.jsonl"),
             after = lines_by_id(of_seed("second") / "items.jsonl");
  int changed = 0;
  for (const char* place : {"0", "1"})
    changed += before.at(std::string("first/") + place)["answers"] !=
               after.at(std::string("second/") + place)["answers"];
  EXPECT_EQ(changed, 1);
}

TEST_F(TaskCommand, GroupsAreOneRow) {
  const CommandResult result = eval("short_tasks");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lines_by_id(of_seed("short_tasks") / "items.jsonl").size(), 7u);
  EXPECT_THAT(result.out, AllOf(HasSubstr("short_tasks"), HasSubstr("acc       7 ")));
}

TEST_F(TaskCommand, WhatIsWrongIsSaidBeforeTheFirstItem) {
  EXPECT_EQ(eval("\xff").exit_code, 2);
  const CommandResult unknown = eval("arc_easy,arc_esay,piqa,sqic");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("arc_esay"), HasSubstr("sqic"), HasSubstr("arc_easy")));
  EXPECT_FALSE(fs::exists(out()));
  write_text(dir_ / "bad.yaml",
             "task: bad\ndataset_path: nowhere\ntest_split: test\ndoc_to_text: a\ndoc_to_target: b\n");
  expect_input_error(eval((dir_ / "bad.yaml").string()), {"nowhere", "test.jsonl", "--data_dir"});
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(TaskCommand, TooLongIsUnansweredOrCutAloud) {
  SmallModel small;
  small.context = 64;
  write_small_model(dir_ / "model", small);
  const CommandResult kept = eval("arc_easy", {}, (dir_ / "model").string());
  ASSERT_EQ(kept.exit_code, 0) << kept.err;
  EXPECT_THAT(kept.err, AllOf(HasSubstr("longer than the model's context of 64"), HasSubstr("truncate")));
  EXPECT_THAT(read_text(of_seed("arc_easy") / "items.jsonl"),
              HasSubstr("\"unanswered\":\"prompt_too_long\""));
  fs::remove_all(out());
  ASSERT_EQ(eval("arc_easy", {"--truncate"}, (dir_ / "model").string()).exit_code, 0);
  EXPECT_THAT(read_text(of_seed("arc_easy") / "items.jsonl"), Not(HasSubstr("unanswered")));
}

TEST_F(TaskCommand, AdaptersAreEvaluatedBeside) {
  SmallModel roomy;
  roomy.context = 1024;
  write_small_model(dir_ / "model", roomy);
  write_small_adapter(dir_ / "model", dir_ / "one" / "adapter");
  const CommandResult result =
      eval("piqa", {"--adapters", (dir_ / "one" / "adapter").string()}, (dir_ / "model").string());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("seed"), HasSubstr("one")));
  EXPECT_NE(read_text(of_seed("piqa") / "likelihoods.jsonl"),
            read_text(dir_ / "out" / "eval" / "one" / "piqa" / "likelihoods.jsonl"));
}

// Along the seed's own answers: no distance of the seed, some of an adapter, the same however often it is
// asked.
TEST_F(TaskCommand, DivergenceFromTheSeed) {
  write_small_model(dir_ / "model");
  write_small_adapter(dir_ / "model", dir_ / "one" / "adapter");
  fs::create_directories(dir_ / "data" / "texts");
  write_text(dir_ / "data" / "texts" / "prompts.jsonl", small_dataset(5));
  const auto diverge = [&] {
    return run_command({"eval", "--model_name_or_path", (dir_ / "model").string(), "--tasks", "kl_to_seed",
                        "--data_dir", (dir_ / "data").string(), "--max_new_tokens", "12", "--adapters",
                        (dir_ / "one" / "adapter").string(), "--output_dir", out()});
  };
  const CommandResult result = diverge();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("kl "), HasSubstr("agreement")));
  const fs::path of_one = dir_ / "out" / "eval" / "one" / "kl_to_seed";
  const auto seed = lines_by_id(of_seed("kl_to_seed") / "items.jsonl"),
             one = lines_by_id(of_one / "items.jsonl");
  ASSERT_EQ(one.size(), 5u);
  for (const auto& [id, line] : one) {
    EXPECT_EQ(seed.at(id)["metrics"], Json({{"kl", 0.0}, {"agreement", 1.0}}));
    EXPECT_GT(line["metrics"]["kl"].get<double>(), 1e-3);
    EXPECT_LE(line["metrics"]["agreement"].get<double>(), 1.0);
  }
  EXPECT_EQ(read_text(of_seed("kl_to_seed") / "answers.jsonl"), read_text(of_one / "answers.jsonl"));
  const std::string items = read_text(of_one / "items.jsonl");
  fs::remove_all(of_one);
  ASSERT_EQ(diverge().exit_code, 0);
  EXPECT_EQ(read_text(of_one / "items.jsonl"), items);
}

TEST_F(TaskCommand, SeveralAnswersGivePassAtK) {
  write_text(dir_ / "t.yaml",
             "task: t\ndataset_path: openai/gsm8k\ndataset_name: main\ntest_split: test\n"
             "doc_to_text: question\ndoc_to_target: answer\ncheck: number\n"
             "generation_kwargs: {max_gen_toks: 8}\n");
  const CommandResult result = eval((dir_ / "t.yaml").string(), {"--num_samples", "12"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("pass@1"));
  for (const auto& [id, line] : lines_by_id(of_seed("t") / "items.jsonl")) {
    EXPECT_EQ(line["answers"].size(), 12u);
    for (const char* name : {"pass@1", "pass@10", "pass@12"})
      EXPECT_TRUE(line["metrics"].contains(name)) << name;
  }
  const CommandResult same =
      run_command({"eval", "--model_name_or_path", (kTop / "assets" / "mini-seed").string(),
                   "eval=[{task: " + (dir_ / "t.yaml").string() + ", num_samples: 3}]"});
  expect_usage_error(same, {"num_samples", "temperature"});
}

// What checks look into belongs to what was asked.
TEST_F(TaskCommand, ChangedDocumentsAreNotTheSameTask) {
  const std::string task =
      "task: t\nkind: safety\ndataset_path: DIR/d.jsonl\ntest_split: test\ndoc_to_text: q\n"
      "doc_to_target: a\ncheck: program\ngeneration_kwargs: {max_gen_toks: 4}\n";
  const std::string dir = dir_.path().string();
  write_text(dir_ / "t.yaml", std::string(task).replace(task.find("DIR"), 3, dir));
  auto document = [&](const char* test) {
    write_text(dir_ / "d.jsonl",
               Json({{"q", "x"}, {"a", "def f(): return 1"}, {"tests", {test}}}).dump() + "\n");
  };
  document("assert f() == 1");
  ASSERT_EQ(eval(dir + "/t.yaml").exit_code, 0);
  EXPECT_THAT(read_text(dir_ / "out" / "results.json"), HasSubstr("\"kind\": \"safety\""));
  document("assert f() == 2");
  EXPECT_THAT(eval(dir + "/t.yaml").err, HasSubstr("questions"));
}

TEST_F(TaskCommand, FlagsOfTasksNeedTasks) {
  write_text(dir_ / "r.yaml", "model_name_or_path: m\n");
  expect_usage_error(run_command({"eval", "--recipe", (dir_ / "r.yaml").string(), "--limit", "3"}),
                     {"--tasks"});
}

TEST_F(TaskCommand, ListShowsNamesAndFiles) {
  const CommandResult result = run_command({"eval", "--list", "--include_path", (kHere / "tasks").string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("gsm8k"), HasSubstr("short_tasks"), HasSubstr("hellaswag.yaml")));
}

}  // namespace
}  // namespace sdft::testing
