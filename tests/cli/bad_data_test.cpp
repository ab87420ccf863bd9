// What users get wrong about prompt templates, datasets and what is made of them for training.
#include "base/file.h"
#include "base/json.h"
#include "cli/bad_input.h"

namespace sdft::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using BadData = BadInput;

// A recipe's prompt templates, all problems at once and before anything is made.
TEST_F(BadData, PromptTemplateFiles) {
  const std::string misspelt = file("misspelt.txt", "{Instruction} {instruction}\n");
  const std::string unknown = file("unknown.yaml", "turn: '{instruction} {response}'\nprefix: a\n");
  auto run = [&](const std::vector<std::string>& words) {
    std::vector<std::string> args = {"run", "model_name_or_path=" + path("model"),
                                     "dataset=" + path("d.jsonl"), "output_dir=" + path("out")};
    args.insert(args.end(), words.begin(), words.end());
    const CommandResult result = run_command(args);
    EXPECT_FALSE(fs::exists(dir_ / "out"));
    return result;
  };
  expect_input_error(run({"template=" + misspelt, "distill_template=" + unknown}),
                     {"2 problems", "did you mean {instruction}?", "unknown key 'prefix'",
                      "template: ", "distill_template: "});
  expect_input_error(run({"template=" + path("nowhere.txt")}), {"nowhere.txt"});
  expect_input_error(run({"template=" + file("empty.txt", "\n")}), {"empty.txt", "is empty"});
  const std::string shows = file("shows.txt", "{instruction} {response}"),
                    plain = file("plain.txt", "{instruction}");
  expect_usage_error(
      run({"template=" + shows, "distill_template=" + plain,
           "eval=[{name: a, dataset: " + path("d.jsonl") + ", check: none, template: " + shows + "}]"}),
      {"3 problems", "eval task 'a': template", "shows {response}", "lacks {response}"});
  expect_usage_error(run({"template=alpaca_distill_using"}), {"shows {response}"});
  expect_usage_error(run({"template=alpacca"}), {"did you mean 'alpaca'?"});
}

// What was made with a template's old text is not passed off as made with the new one.
TEST_F(BadData, AnEditedPromptTemplateIsNoticed) {
  const std::string edited = file("t.yaml", "turn: 'Q: {instruction}'\n");
  const std::string data = path("d.jsonl");
  ASSERT_EQ(train(data, {"--template", edited}).exit_code, 0);
  EXPECT_EQ(train(data, {"--template", edited}).exit_code, 0);
  const std::string again = path("out/recipe.yaml");
  EXPECT_EQ(run_command({"train", "--recipe", again}).exit_code, 0);
  const std::string copy = file("copy.yaml", "turn: 'Q: {instruction}'\n");
  EXPECT_EQ(train(data, {"--template", copy}).exit_code, 0);
  file("t.yaml", "turn: 'Question: {instruction}'\n");
  expect_input_error(train(data, {"--template", edited}), {"template", "--fresh"});
}

TEST_F(BadData, DatasetsWeightsAndReplay) {
  const std::string a = path("d.jsonl"), b = file("b.jsonl", small_dataset(4, 30));
  const std::string comma = file("with, comma.jsonl", small_dataset(3));
  EXPECT_EQ(train(comma, {"--max_steps", "1"}).exit_code, 0);
  expect_usage_error(train(a + ", " + b, {"--fresh", "--dataset_weights", "1,2,3"}),
                     {"3 numbers, but 2 datasets"});
  expect_usage_error(train(a + ",," + b, {"--fresh"}), {"empty dataset between commas"});
  expect_usage_error(train(a + "," + a, {"--fresh"}), {"twice"});
  expect_usage_error(train(a, {"dataset_weights=[0]"}), {"dataset_weights", "above 0"});
  expect_usage_error(train(a, {"dataset_weights=many"}), {"a list of numbers"});
  expect_input_error(train(a, {"--fresh", "--replay_dataset", b, "--replay_fraction", "1"}),
                     {"has 4 examples to replay, replay_fraction asks for 6"});
  expect_input_error(train(a, {"--fresh", "--replay_dataset", path("nowhere.jsonl")}), {"nowhere.jsonl"});
  ASSERT_EQ(train(a + ", " + b, {"--fresh", "--dataset_weights", "2,1", "--replay_dataset", b,
                                 "--replay_fraction", "0.2", "--max_samples", "9"})
                .exit_code,
            0);
  EXPECT_EQ(read_json(dir_ / "out/vanilla/samples.json")["samples"], 11);  // 6 + 3, and 2 replayed
}

TEST_F(BadData, WeightsOfExamples) {
  auto line = [](const std::string& weight) {
    return R"({"instruction": "a", "output": "b", "weight": )" + weight + "}\n";
  };
  for (const char* bad : {"-1", "\"heavy\"", "1e300", "[1]", "true"})
    expect_input_error(train(file("w.jsonl", line("1") + line(bad))), {"w.jsonl:2", "'weight'"});
  expect_input_error(train(file("w.jsonl", line("0"))), {"no example is left"});
  const CommandResult left = train(file("w.csv", "instruction,output,weight\na,b,2.5\nc,d,0\ne,f,\n"));
  EXPECT_EQ(left.exit_code, 0) << left.err;
  EXPECT_THAT(left.err, HasSubstr("1 examples of weight 0 are left out"));
  expect_input_error(train(file("w.jsonl", line("1")), {"columns={weight: importance}"}),
                     {"'importance' is missing"});
}

TEST_F(BadData, ReasoningAndRenamedSettings) {
  const std::string data = path("d.jsonl");
  expect_usage_error(train(data, {"--reasoning", "forget"}), {"'forget' is not known", "drop, keep, learn"});
  expect_usage_error(train(data, {"reasoning=keep", "train_on_prompt=true"}),
                     {"train_on_prompt", "reasoning: keep"});
  expect_usage_error(train(data, {"template_variables={a: 1}"}), {"is now called 'chat_template_kwargs'"});
  expect_usage_error(
      run_command({"generate", "--model", path("model"), "--prompt", "a", "--variables", "{}"}),
      {"is now called --chat_template_kwargs"});
  expect_input_error(train(file("open.jsonl", R"({"instruction": "a", "output": "<think>never ends"})")),
                     {"open.jsonl:1", "reasoning trace does not end"});
}

}  // namespace
}  // namespace sdft::testing
