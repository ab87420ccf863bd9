// tokenize, render, preview.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TextCommands : public ::testing::Test {
 protected:
  void SetUp() override { write_small_model(dir_ / "model"); }
  std::string model() const { return (dir_ / "model").string(); }
  std::string file(const std::string& name, const std::string& text) {
    write_text(dir_ / name, text);
    return (dir_ / name).string();
  }
  ScratchDir dir_;
};

TEST_F(TextCommands, TokenizeNamesTheBadLine) {
  const CommandResult text = run_command({"tokenize", "--model", model()}, "good\nbad \xff\n");
  EXPECT_EQ(text.exit_code, 3);
  EXPECT_THAT(text.err, HasSubstr("standard input:2"));
  const std::pair<const char*, const char*> bad[] = {{"[1, 2", "standard input:2"},
                                                     {"{}", "expected a JSON array"},
                                                     {"[1, \"a\"]", "token id"},
                                                     {"[99999]", "99999"},
                                                     {"[-1]", "-1"}};
  for (const auto& [line, message] : bad) {
    const CommandResult ids =
        run_command({"tokenize", "--model", model(), "--decode"}, std::string("[1]\n") + line + "\n");
    EXPECT_EQ(ids.exit_code, 3) << line;
    EXPECT_THAT(ids.err, HasSubstr(message)) << line;
  }
}

TEST_F(TextCommands, TokenizeAndBack) {
  const std::string text = "What is 12 plus 30?\n\n  tabs\tand spaces \nGrüße, 世界 🙂<end>\n";
  const CommandResult ids = run_command({"tokenize", "--model", model()}, text);
  ASSERT_EQ(ids.exit_code, 0) << ids.err;
  const auto lines = lines_of(ids.out);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[1], "[]");
  EXPECT_EQ(parse_json(lines[3], "ids").back(), 3) << "<end> is one token";
  const CommandResult back = run_command({"tokenize", "--model", model(), "--decode"}, ids.out);
  EXPECT_EQ(back.out, text);
  const CommandResult without =
      run_command({"tokenize", "--model", model(), "--decode", "--skip-special"}, lines[3] + "\n");
  EXPECT_EQ(without.out, "Grüße, 世界 🙂\n");
  const CommandResult split =
      run_command({"tokenize", "--model", model(), "--split-special-tokens"}, "<end>\n");
  EXPECT_GT(parse_json(split.out, "ids").size(), 1u);
}

TEST_F(TextCommands, TokenizeTakesAVeryLongLine) {
  std::string line;
  while (line.size() < 3000000) line += "What is 12 plus 30? ";
  const CommandResult ids = run_command({"tokenize", "--model", model()}, line + "\n");
  ASSERT_EQ(ids.exit_code, 0) << ids.err;
  EXPECT_EQ(run_command({"tokenize", "--model", model(), "--decode"}, ids.out).out, line + "\n");
}

TEST_F(TextCommands, RenderIsExact) {
  const std::string messages =
      file("m.json", R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi\n"}])");
  const std::string text = "<bos><turn>system: Be brief.<end>\n<turn>user: Hi\n<end>\n";
  EXPECT_EQ(run_command({"render", "--model", model(), "--messages", messages}).out, text);
  EXPECT_EQ(
      run_command({"render", "--model", model(), "--messages", messages, "--add-generation-prompt"}).out,
      text + "<turn>assistant: ");
}

TEST_F(TextCommands, RenderTakesToolsVariablesAndWrappedMessages) {
  Json config = read_json(dir_ / "model" / "tokenizer_config.json");
  config["chat_template"] =
      "{% if tools %}{{ tools[0]['name'] }}|{% endif %}{{ mood }}|{{ messages[0]['content'] }}";
  file("model/tokenizer_config.json", config.dump());
  const std::string messages = file("m.json", R"({"messages": [{"role": "user", "content": "Hi"}]})");
  const std::string tools = file("t.json", R"([{"name": "clock"}])");
  EXPECT_EQ(run_command({"render", "--model", model(), "--messages", messages, "--tools", tools,
                         "--chat_template_kwargs", R"({"mood": "glad"})"})
                .out,
            "clock|glad|Hi");
  EXPECT_EQ(
      run_command({"render", "--model", model(), "--messages", messages, "--chat_template_kwargs", "[1]"})
          .exit_code,
      2);
}

TEST_F(TextCommands, RenderErrorsNameTheirPlace) {
  const std::string broken = file("broken.json", "[{\"role\": ]");
  CommandResult result = run_command({"render", "--model", model(), "--messages", broken});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("broken.json"));
  result = run_command({"render", "--model", model(), "--messages", file("n.json", "17")});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("array of messages"));
  SmallModel options;
  options.chat_template = false;
  write_small_model(dir_ / "model", options);
  result = run_command({"render", "--model", model(), "--messages", file("m.json", "[]")});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("no chat template"));
}

TEST_F(TextCommands, PreviewShowsWhatIsLearned) {
  const std::string data = file("d.jsonl", small_dataset(5));
  const CommandResult result =
      run_command({"preview", "--model_name_or_path", model(), "--dataset", data, "--examples", "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("What is 1 plus 7?«<end>»"));
  EXPECT_THAT(result.out, HasSubstr("[The answer is 8.«<end>»]"));
  EXPECT_THAT(result.out, HasSubstr("What is 2 plus 7?"));
  EXPECT_THAT(result.out, Not(HasSubstr("What is 3 plus 7?")));
  EXPECT_THAT(result.out, HasSubstr("5 examples"));
  EXPECT_THAT(result.out, HasSubstr("none is longer than 192 tokens (the model's context)"));
}

TEST_F(TextCommands, PreviewCountsWhatIsCut) {
  const std::string data = file("d.jsonl", small_dataset(5));
  const CommandResult result = run_command({"preview", "model_name_or_path=" + model(), "dataset=" + data,
                                            "cutoff_len=12", "--json", "--examples", "1"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 2u);
  const Json sample = parse_json(lines[0], "sample"), lengths = parse_json(lines[1], "lengths");
  EXPECT_EQ(sample["ids"].size(), 12u);
  EXPECT_EQ(sample["supervised"].size(), 12u);
  EXPECT_EQ(sample["length"].get<size_t>(), 12u);
  EXPECT_GT(sample["cut"].get<int>(), 0);
  EXPECT_EQ(lengths["cut"].size(), 5u);
  EXPECT_EQ(lengths["length"]["min"].get<int>(), 12 + sample["cut"].get<int>());
}

TEST_F(TextCommands, PreviewOfOneTokenByToken) {
  const std::string data = file("d.jsonl", small_dataset(5));
  const CommandResult result = run_command({"preview", "--model_name_or_path", model(), "--dataset", data,
                                            "--id", "3", "--tokens", "--rewriting"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("example 3"));
  EXPECT_THAT(result.out, HasSubstr(".S  \"<bos>\""));
  EXPECT_THAT(result.out, HasSubstr("LS  \"<end>\""));
  EXPECT_THAT(result.out, HasSubstr("### Reference Answer:\nThe answer is 11."));
  EXPECT_EQ(run_command({"preview", "--model_name_or_path", model(), "--dataset", data, "--id", "nobody"})
                .exit_code,
            2);
}

}  // namespace
}  // namespace sdft::testing
