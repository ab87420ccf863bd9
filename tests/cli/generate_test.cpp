// generate and chat.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class GenerateCommand : public ::testing::Test {
 protected:
  void SetUp() override { write_small_model(dir_ / "model"); }
  std::string model() const { return (dir_ / "model").string(); }
  std::string data(const std::string& text) {
    write_text(dir_ / "data.jsonl", text);
    return (dir_ / "data.jsonl").string();
  }
  std::vector<std::string> args(std::vector<std::string> more) const {
    std::vector<std::string> all = {"generate", "--model", model(), "--max_new_tokens", "24"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // Answers by id.
  std::map<std::string, std::string> answers(const std::vector<std::string>& flags) {
    const CommandResult result = run_command(args(flags));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::map<std::string, std::string> by_id;
    for (const std::string& line : lines_of(result.out)) {
      const Json json = parse_json(line, "answer");
      EXPECT_TRUE(by_id.emplace(json["id"], json["answer"]).second) << "twice: " << line;
    }
    return by_id;
  }

  ScratchDir dir_;
};

TEST_F(GenerateCommand, OnePromptIsTextAndWithJsonTheSameInALine) {
  const CommandResult text = run_command(args({"--prompt", "What is 3 plus 7?"}));
  ASSERT_EQ(text.exit_code, 0) << text.err;
  const CommandResult line = run_command(args({"--prompt", "What is 3 plus 7?", "--json"}));
  ASSERT_EQ(line.exit_code, 0) << line.err;
  const Json json = parse_json(line.out, "answer");
  EXPECT_EQ(json["answer"].get<std::string>() + "\n", text.out);
  EXPECT_LE(json["tokens"].get<int>(), 24);
  EXPECT_GT(text.out.size(), 4u);
}

TEST_F(GenerateCommand, SystemMessageMatters) {
  const CommandResult without = run_command(args({"--prompt", "What is 3 plus 7?"}));
  const CommandResult with = run_command(args({"--prompt", "What is 3 plus 7?", "--system", "plus"}));
  EXPECT_EQ(with.exit_code, 0) << with.err;
  EXPECT_NE(with.out, without.out);
}

TEST_F(GenerateCommand, EveryExampleOfAFileOnceWhateverTheBatch) {
  const std::string file = data(small_dataset(9));
  const auto one = answers({"--data", file, "--batch_size", "1", "--temperature", "0.8", "--seed", "3"});
  EXPECT_EQ(one.size(), 9u);
  EXPECT_EQ(answers({"--data", file, "--batch-size", "4", "--temperature", "0.8", "--seed", "3"}), one);
  EXPECT_NE(answers({"--data", file, "--temperature", "0.8", "--seed", "4"}), one);
  const auto two = answers({"--data", file, "--max_samples", "2", "--temperature", "0.8", "--seed", "3"});
  EXPECT_EQ(two, (std::map<std::string, std::string>(one.begin(), std::next(one.begin(), 2))));
}

TEST_F(GenerateCommand, LinesOfStandardInputAreLikeAFile) {
  const CommandResult lines = run_command(args({}), "What is 1 plus 7?\nWhat is 2 plus 7?");
  ASSERT_EQ(lines.exit_code, 0) << lines.err;
  const auto file = answers({"--data", data(small_dataset(2))});
  ASSERT_EQ(lines_of(lines.out).size(), 2u) << lines.out;
  for (const std::string& line : lines_of(lines.out)) {
    const Json json = parse_json(line, "answer");
    EXPECT_EQ(json["answer"], file.at(json["id"]));
  }
}

TEST_F(GenerateCommand, NothingToAnswerIsAUsageError) {
  const CommandResult result = run_command(args({}), "");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--prompt"));
}

TEST_F(GenerateCommand, GenerationConfigIsHonouredAndTold) {
  write_text(
      dir_ / "model" / "generation_config.json",
      R"({"do_sample": true, "temperature": 3.0, "top_k": 40, "top_p": 0.9, "repetition_penalty": 1.1, "min_p": 0.1})");
  const CommandResult result = run_command(args({"--prompt", "What is 3 plus 7?", "--seed", "1"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("temperature 3, top_k 40, top_p 0.9"));
  EXPECT_THAT(result.err, HasSubstr("do_sample"));
  EXPECT_THAT(result.err, HasSubstr("repetition_penalty 1.1"));
  EXPECT_THAT(result.err, HasSubstr("min_p is not supported"));
  const CommandResult other = run_command(args({"--prompt", "What is 3 plus 7?", "--seed", "2"}));
  EXPECT_NE(other.out, result.out);
  const CommandResult greedy = run_command(args({"--prompt", "What is 3 plus 7?", "--temperature", "0"}));
  EXPECT_THAT(greedy.err, Not(HasSubstr("sampling with")));
}

TEST_F(GenerateCommand, AnswersComeInTheOrderOfTheQuestions) {
  std::string text;
  for (int i = 0; i < 30; ++i) {
    std::string question = "What is";
    for (int k = 0; k < (i * 7) % 11; ++k) question += " 3 plus";
    text += Json({{"id", "q" + std::to_string(i)}, {"instruction", question}}).dump() + "\n";
  }
  const std::string file = data(text);
  for (const char* batch : {"0", "1", "7"}) {
    const CommandResult result = run_command(args({"--data", file, "--batch_size", batch}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto lines = lines_of(result.out);
    ASSERT_EQ(lines.size(), 30u);
    for (size_t i = 0; i < lines.size(); ++i)
      EXPECT_EQ(parse_json(lines[i], "answer")["id"], "q" + std::to_string(i)) << batch;
  }
  EXPECT_EQ(answers({"--data", file, "--unordered"}), answers({"--data", file}));
}

TEST_F(GenerateCommand, ConstraintsOfTheModelHold) {
  const CommandResult free = run_command(args({"--prompt", "What is 3 plus 7?"}));
  ASSERT_GT(free.out.size(), 12u);
  size_t plain = 2;  // where a character is ASCII
  while (static_cast<unsigned char>(free.out[plain]) >= 0x80) ASSERT_LT(++plain + 2, free.out.size());
  const std::string stop = free.out.substr(plain, 1);
  write_text(dir_ / "model" / "generation_config.json", Json({{"stop_strings", {stop}}}).dump());
  const Json ended = parse_json(run_command(args({"--prompt", "What is 3 plus 7?", "--json"})).out, "answer");
  EXPECT_EQ(ended["finish"], "stop");
  EXPECT_THAT(ended["answer"].get<std::string>(), HasSubstr(stop));
  EXPECT_LT(ended["answer"].get<std::string>().size() + 1, free.out.size());
  std::string line = free.out;
  std::replace(line.begin(), line.end(), '\n', ' ');
  const CommandResult ids = run_command({"tokenize", "--model", model()}, line);
  write_text(dir_ / "model" / "generation_config.json", R"({"suppress_tokens": )" + ids.out + "}");
  const CommandResult suppressed = run_command(args({"--prompt", "What is 3 plus 7?"}));
  EXPECT_EQ(suppressed.exit_code, 0) << suppressed.err;
  EXPECT_NE(suppressed.out, free.out);
  write_text(dir_ / "model" / "generation_config.json", R"({"suppress_tokens": [99999]})");
  const CommandResult bad = run_command(args({"--prompt", "a"}));
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_THAT(bad.err, HasSubstr("suppress_tokens has token id 99999"));
}

// The files name another EOS than the token that the template writes, and the model learned, at a turn's end.
TEST_F(GenerateCommand, TheTemplatesOwnEndOfTurnEndsAnAnswer) {
  const auto seed = std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed", copy = dir_ / "copy";
  std::filesystem::copy(seed, copy);
  Json config = read_json(copy / "config.json"), tokenizer = read_json(copy / "tokenizer_config.json");
  config["eos_token_id"] = 0;
  tokenizer["eos_token"] = "<|pad|>";
  write_text(copy / "config.json", config.dump());
  write_text(copy / "tokenizer_config.json", tokenizer.dump());
  write_text(copy / "generation_config.json", R"({"eos_token_id": 0})");
  auto answer = [&](const std::filesystem::path& model) {
    const CommandResult result = run_command({"generate", "--model", model.string(), "--prompt",
                                              "What is 3 plus 7?", "--max_new_tokens", "64", "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return parse_json(result.out, "answer");
  };
  EXPECT_EQ(answer(seed)["finish"], "stop");
  EXPECT_EQ(answer(copy), answer(seed));
}

// A template that renders only with its variable and on its day.
TEST_F(GenerateCommand, TemplateVariablesAndDateReachTheTemplate) {
  Json config = read_json(dir_ / "model" / "tokenizer_config.json");
  config["chat_template"] =
      "{% if mood != 'glad' %}{{ raise_exception('no mood') }}{% endif %}"
      "{% if strftime_now('%d %b %Y') != '10 Jul 1999' %}{{ raise_exception('today') }}"
      "{% endif %}" +
      config["chat_template"].get<std::string>();
  write_text(dir_ / "model" / "tokenizer_config.json", config.dump());
  const std::string file = data(small_dataset(2));
  const std::vector<std::string> commands[] = {{"generate", "--model", model(), "--data", file},
                                               {"score", "--model", model(), "--data", file},
                                               {"chat", "--model", model(), "--max_new_tokens", "4"}};
  for (std::vector<std::string> command : commands) {
    EXPECT_EQ(run_command(command, "Hi\n").exit_code, 3) << command[0];
    for (const char* word : {"--chat_template_kwargs", R"({"mood": "glad"})", "--date", "1999-07-10"})
      command.emplace_back(word);
    const CommandResult result = run_command(command, "Hi\n");
    EXPECT_EQ(result.exit_code, 0) << command[0] << ": " << result.err;
  }
}

TEST_F(GenerateCommand, VariablesThatMakeNoSenseAreNamed) {
  for (const char* variables : {"{", "[1]", R"({"messages": []})", R"({"tools": 1})", ""}) {
    const CommandResult result = run_command(args({"--prompt", "a", "--chat_template_kwargs", variables}));
    EXPECT_EQ(result.exit_code, 2) << variables;
    EXPECT_THAT(result.err, HasSubstr("--chat_template_kwargs")) << variables;
  }
  const CommandResult unread =
      run_command(args({"--prompt", "a", "--chat_template_kwargs", R"({"enable_thinking": false})"}));
  EXPECT_EQ(unread.exit_code, 0);
  EXPECT_THAT(unread.err, HasSubstr("reads no variable enable_thinking"));
  EXPECT_EQ(run_command(args({"--prompt", "a", "--date", "tomorrow"})).exit_code, 2);
}

TEST_F(GenerateCommand, WithoutChatTemplateRawIsNeededAndWorks) {
  SmallModel options;
  options.chat_template = false;
  write_small_model(dir_ / "model", options);
  const CommandResult chat = run_command(args({"--prompt", "What is"}));
  EXPECT_EQ(chat.exit_code, 3);
  EXPECT_THAT(chat.err, HasSubstr("has no chat template"));
  EXPECT_THAT(chat.err, HasSubstr("--raw"));
  EXPECT_EQ(run_command(args({"--prompt", "What is", "--raw"})).exit_code, 0);
  const CommandResult paper =
      run_command(args({"--prompt", "What is", "--template", "alpaca", "--prompt_layout", "reference"}));
  EXPECT_EQ(paper.exit_code, 0) << paper.err;
}

TEST_F(GenerateCommand, AdapterChangesTheAnswer) {
  write_small_adapter(dir_ / "model", dir_ / "adapter");
  const std::string file = data(small_dataset(4));
  const auto seed = answers({"--data", file});
  EXPECT_NE(answers({"--data", file, "--adapter_name_or_path", (dir_ / "adapter").string()}), seed);
}

TEST_F(GenerateCommand, PromptsLongerThanTheContextAreNamedAndCounted) {
  std::string text = small_dataset(2);
  std::string words;
  for (int i = 0; i < 200; ++i) words += "plus ";
  text += Json({{"id", "long one"}, {"instruction", words}}).dump() + "\n";
  const CommandResult all = run_command(args({"--data", data(text)}));
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr(R"({"id":"long one","answer":"","finish":"prompt_too_long","tokens":0})"));
  EXPECT_EQ(lines_of(all.out).size(), 3u);
  EXPECT_THAT(all.err, HasSubstr("1 of 3 prompts"));
  EXPECT_THAT(all.err, HasSubstr("long one"));
  const CommandResult one = run_command(args({"--prompt", words}));
  EXPECT_EQ(one.exit_code, 3);
  EXPECT_EQ(one.out, "");
  EXPECT_THAT(one.err, HasSubstr("context of 192"));
}

TEST_F(GenerateCommand, InterruptedEndsWith130) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += small_dataset(50, 50 * i + 1);
  const std::string file = data(text);
  Command command(
      {"generate", "--model", model(), "--max_new_tokens", "150", "--data", file, "--batch_size", "2"});
  for (int i = 0; i < 600 && command.out().empty(); ++i) command.run_for(0.1);
  command.kill(SIGINT);
  const CommandResult result = command.wait(60);
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_FALSE(result.out.empty());
  EXPECT_EQ(result.out.back(), '\n');
  for (const std::string& line : lines_of(result.out)) parse_json(line, "answer");
}

TEST_F(GenerateCommand, FullDiskIsAnInputError) {
  const CommandResult stream = run_command(args({"--prompt", "What is 3 plus 7?"}), "", "/dev/full");
  EXPECT_EQ(stream.exit_code, 3);
  EXPECT_THAT(stream.err, HasSubstr("No space left"));
  EXPECT_EQ(run_command(args({"--data", data(small_dataset(3))}), "", "/dev/full").exit_code, 3);
}

TEST_F(GenerateCommand, ImpossibleSamplingIsAUsageError) {
  const CommandResult result = run_command(args({"--prompt", "a", "--temperature", "-1", "--top_p", "2"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("temperature"));
  EXPECT_THAT(result.err, HasSubstr("top_p"));
  const std::pair<const char*, const char*> cases[] = {
      {"--temperature", "nan"},      {"--temperature", "inf"},  {"--top_k", "-1"},
      {"--repetition_penalty", "0"}, {"--max-new-tokens", "0"}, {"--max-new-tokens", "-5"},
      {"--batch_size", "-1"},        {"--top_p", "nan"}};
  for (const auto& [flag, value] : cases) {
    const CommandResult one = run_command({"generate", "--model", model(), "--prompt", "a", flag, value});
    EXPECT_EQ(one.exit_code, 2) << flag << ' ' << value << one.err;
  }
  EXPECT_EQ(run_command(args({"--prompt", "a", "--top_k", "9223372036854775807"})).exit_code, 0);
  const CommandResult most = run_command(
      {"generate", "--model", model(), "--prompt", "a", "--max-new-tokens", "9223372036854775807"});
  EXPECT_EQ(most.exit_code, 0) << most.err;
}

TEST_F(GenerateCommand, ChatRemembersUntilReset) {
  const CommandResult chat = run_command({"chat", "--model", model(), "--max_new_tokens", "12", "--json"},
                                         "What is 1 plus 2?\nWhat is 3?\n/reset\nWhat is 3?\n/system Be "
                                         "brief.\nWhat is 3?\n/quit\nnever read\n");
  ASSERT_EQ(chat.exit_code, 0) << chat.err;
  const auto lines = lines_of(chat.out);
  ASSERT_EQ(lines.size(), 4u) << chat.out;
  auto answer = [&](size_t i) { return parse_json(lines[i], "turn")["answer"].get<std::string>(); };
  const CommandResult fresh =
      run_command({"generate", "--model", model(), "--max_new_tokens", "12", "--prompt", "What is 3?"});
  EXPECT_EQ(answer(2) + "\n", fresh.out);
  EXPECT_NE(answer(1), answer(2));
  EXPECT_NE(answer(3), answer(2));
}

TEST_F(GenerateCommand, ChatShowsSeedAndTunedSideBySide) {
  write_small_adapter(dir_ / "model", dir_ / "adapter");
  const std::vector<std::string> args = {
      "chat", "--model", model(), "--adapter", (dir_ / "adapter").string(), "--max_new_tokens", "12"};
  const CommandResult chat = run_command(args, "What is 1 plus 2?\nWhat is 3?\n");
  ASSERT_EQ(chat.exit_code, 0) << chat.err;
  EXPECT_THAT(chat.out, StartsWith("seed: "));
  EXPECT_THAT(chat.out, HasSubstr("\ntuned: "));
  std::vector<std::string> json_args = args;
  json_args.push_back("--json");
  const CommandResult json = run_command(json_args, "What is 1 plus 2?\nWhat is 3?\n");
  const auto lines = lines_of(json.out);
  ASSERT_EQ(lines.size(), 2u) << json.err;
  const Json first = parse_json(lines[0], "turn");
  EXPECT_NE(first["seed"], first["tuned"]);
  EXPECT_THAT(chat.out, StartsWith("seed: " + first["seed"].get<std::string>() +
                                   "\ntuned: " + first["tuned"].get<std::string>() + "\n"));
  const CommandResult alone = run_command(
      {"generate", "--model", model(), "--max_new_tokens", "12", "--prompt", "What is 1 plus 2?"});
  EXPECT_EQ(first["seed"].get<std::string>() + "\n", alone.out) << "the adapter stayed on";
}

TEST_F(GenerateCommand, ChatThatFillsTheContextSaysSo) {
  std::string lines;
  for (int i = 0; i < 30; ++i) lines += "What is 11 plus 22 plus 33 plus 44?\n";
  const CommandResult chat = run_command({"chat", "--model", model(), "--max_new_tokens", "12"}, lines);
  EXPECT_EQ(chat.exit_code, 3);
  EXPECT_THAT(chat.err, HasSubstr("/clear"));
}

TEST(Stories, GreedyTextIsTheKnownOne) {
  const auto model = fixture("weights/stories260k-hf"), known = fixture("weights/stories260k/stories260K.md");
  REQUIRE_FIXTURE(model);
  REQUIRE_FIXTURE(known);
  const std::string page = read_text(known);
  const size_t begin = page.find("Once upon a time"), end = page.find("\n```", begin);
  ASSERT_NE(end, std::string::npos);
  const std::string expected = page.substr(begin, end - begin);
  const CommandResult result = run_command(
      {"generate", "--model", model.string(), "--raw", "--prompt", "", "--max_new_tokens", "200"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string text = result.out.substr(0, result.out.size() - 1);
  EXPECT_GT(text.size(), 400u);
  EXPECT_THAT(expected, StartsWith(text));
}

}  // namespace
}  // namespace sdft::testing
