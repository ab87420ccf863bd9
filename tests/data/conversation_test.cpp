#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "data/dataset.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConversationTest : public ::testing::Test {
 protected:
  Dataset read(const std::string& line, const DatasetOptions& options = {}) {
    write_file_atomic(dir_ / "c.json", "[" + line + "]");
    return read_dataset(dir_ / "c.json", options);
  }
  Example one(const std::string& line, const DatasetOptions& options = {}) {
    return read(line, options).examples.at(0);
  }
  std::string fault(const std::string& line) {
    try {
      read(line);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      return error.what();
    }
    ADD_FAILURE() << "no error: " << line;
    return "";
  }
  // What record_of() writes must be the same example again.
  void expect_round_trip(const Example& example) {
    const Example again = one(record_of(example, example.response).dump());
    EXPECT_EQ(again.id, example.id);
    EXPECT_EQ(again.messages, example.messages);
    EXPECT_EQ(again.tools, example.tools);
    EXPECT_EQ(context_of(again), context_of(example));
    EXPECT_EQ(answer_of(again), answer_of(example));
    EXPECT_EQ(again.response, example.response);
  }
  sdft::testing::ScratchDir dir_;
};

const char* const kOpenAi = R"({"messages": [
  {"role": "system", "content": "Be brief."},
  {"role": "user", "content": "Rain in Velkin?"},
  {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
    "function": {"name": "weather", "arguments": "{\"town\": \"Velkin\"}"}}]},
  {"role": "tool", "content": "yes", "tool_call_id": "c1"},
  {"role": "assistant", "content": "Yes, it rains."}],
  "tools": [{"type": "function", "function": {"name": "weather"}}]})";

TEST_F(ConversationTest, OpenAiFormStaysAsItIs) {
  const Example example = one(kOpenAi);
  Json record = Json::parse(kOpenAi);
  EXPECT_EQ(example.messages, record["messages"]);
  EXPECT_EQ(example.tools, record["tools"]);
  EXPECT_EQ(example.instruction, "Rain in Velkin?");
  EXPECT_EQ(example.response, "Yes, it rains.");
  EXPECT_EQ(example.system, "Be brief.");
  EXPECT_EQ(context_of(example).size(), 4u);
  EXPECT_FALSE(answer_is_call(example));
  expect_round_trip(example);
}

TEST_F(ConversationTest, ShareGptBecomesOpenAiForm) {
  const Example example = one(R"({"conversations": [
    {"from": "human", "value": "Rain?"},
    {"from": "function_call", "value": "{\"name\": \"weather\", \"arguments\": {\"town\": \"Velkin\"}}"},
    {"from": "function_call", "value": "{\"name\": \"time\", \"arguments\": {}}"},
    {"from": "observation", "value": "{\"rain\": true}"}, {"from": "observation", "value": "noon"},
    {"from": "gpt", "value": "Yes, at noon."}],
    "tools": "[{\"name\": \"weather\", \"parameters\": {}}]"})");
  ASSERT_EQ(example.messages.size(), 5u);
  const Json& calls = example.messages[1]["tool_calls"];
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0]["id"], "call00001");
  EXPECT_EQ(calls[0]["function"], Json({{"name", "weather"}, {"arguments", {{"town", "Velkin"}}}}));
  EXPECT_TRUE(example.messages[1]["content"].is_null());
  EXPECT_EQ(example.messages[2],
            Json({{"role", "tool"}, {"content", "{\"rain\": true}"}, {"tool_call_id", "call00001"}}));
  EXPECT_EQ(example.messages[3]["tool_call_id"], "call00002");
  EXPECT_EQ(example.tools[0],
            Json::parse(R"({"type": "function", "function": {"name": "weather", "parameters": {}}})"));
  expect_round_trip(example);
}

TEST_F(ConversationTest, AnAnswerMayCallTools) {
  const Example example = one(R"({"messages": [{"role": "user", "content": "Rain?"},
    {"role": "assistant", "content": "Let me look.", "tool_calls": [
      {"function": {"name": "weather", "arguments": {"town": "Velkin"}}}]}]})");
  EXPECT_TRUE(answer_is_call(example));
  EXPECT_EQ(example.response, "Let me look.\n{\"name\":\"weather\",\"arguments\":{\"town\":\"Velkin\"}}");
  expect_round_trip(example);
  Example rewritten = example;
  rewritten.response = "It rains.";
  EXPECT_EQ(answer_of(rewritten), Json({{"role", "assistant"}, {"content", "It rains."}}));
}

TEST_F(ConversationTest, WhereNothingIsLearned) {
  for (const char* key :
       {R"("weight": 0)", R"("loss_weight": 0.0)", R"("train": false)", R"("mask": true)"}) {
    const Example example = one(std::string(R"({"messages": [{"role": "user", "content": "a"},
      {"role": "assistant", "content": "b", )") +
                                key + R"(}, {"role": "user", "content": "c"},
      {"role": "assistant", "content": "d", "weight": 1}]})");
    ASSERT_EQ(example.messages.size(), 4u) << key;
    EXPECT_EQ(example.messages[1]["weight"], 0);
    EXPECT_FALSE(example.messages[3].contains("weight"));
    EXPECT_EQ(example.messages[1].size(), 3u);
    expect_round_trip(example);
  }
  const char* const talk =
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", )";
  EXPECT_THAT(fault(std::string(talk) + R"("weight": 0}]})"), HasSubstr("no message is learned"));
  EXPECT_THAT(fault(std::string(talk) + R"("weight": 0.5}]})"), HasSubstr("expected 0 or 1"));
  EXPECT_THAT(
      fault(
          R"({"messages": [{"role": "user", "content": "a", "weight": 1}, {"role": "assistant", "content": "b"}]})"),
      HasSubstr("only an assistant's messages can be learned"));
}

TEST_F(ConversationTest, ContentParts) {
  const Example example = one(R"({"messages": [
    {"role": "user", "content": [{"type": "text", "value": "Rain "}, {"type": "text", "text": "here?"}], "loss_weight": 0.0},
    {"role": "assistant", "content": [{"type": "reasoning", "value": "Look."},
      {"type": "tool_call", "value": "{\"name\": \"weather\", \"arguments\": {}}"}], "loss_weight": 1.0}]})");
  EXPECT_EQ(example.instruction, "Rain here?");
  EXPECT_EQ(example.messages[1]["reasoning_content"], "Look.");
  EXPECT_EQ(example.messages[1]["tool_calls"][0]["function"]["name"], "weather");
  EXPECT_EQ(
      one(R"({"messages": [{"role": "user", "content": ["a", "b"]}, {"role": "assistant", "content": "c"}]})")
          .instruction,
      "ab");
}

// TRL's conversational form; what the prompt's assistant has said is not learned there either.
TEST_F(ConversationTest, PromptAndCompletionOfMessages) {
  const Example example = one(R"({"prompt": [{"role": "system", "content": "Be brief."},
    {"role": "user", "content": "1 + 1?"}], "completion": [{"role": "assistant", "content": "2"}]})");
  EXPECT_EQ(example.system, "Be brief.");
  EXPECT_EQ(example.instruction, "1 + 1?");
  EXPECT_EQ(example.response, "2");
  EXPECT_TRUE(example.messages.empty());
  EXPECT_EQ(one(R"({"prompt": [{"role": "user", "content": "q"}], "completion": "a"})").response, "a");
  const Example longer = one(R"({"prompt": [{"role": "user", "content": "1 + 1?"}, {"role": "assistant",
    "content": "2"}, {"role": "user", "content": "And 1?"}], "completion": [{"role": "assistant", "content": "3"}]})");
  EXPECT_EQ(longer.messages[1]["weight"], 0);
  EXPECT_FALSE(longer.messages[3].contains("weight"));
  expect_round_trip(longer);
  DatasetOptions options;
  options.response_required = false;
  EXPECT_EQ(read(R"({"prompt": [{"role": "user", "content": "q"}]})", options).examples[0].instruction, "q");
  EXPECT_THAT(fault(R"({"prompt": [{"role": "user", "content": "q"}]})"),
              HasSubstr("field 'output' is missing"));
  EXPECT_THAT(fault(R"({"prompt": [], "completion": []})"), HasSubstr("prompt + completion"));
  EXPECT_THAT(fault(R"({"prompt": ["q"], "completion": "a"})"), HasSubstr("prompt[0]': expected a message"));
  EXPECT_THAT(fault(R"({"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "user",
    "content": "a"}]})"),
              HasSubstr("prompt + completion[1]': expected an assistant message"));
}

TEST_F(ConversationTest, PreferencesOfMessagesAreRefusedOrNamed) {
  const std::string asked = R"([{"role": "user", "content": "q"}])",
                    good = R"([{"role": "assistant", "content": "a"}])",
                    bad = R"([{"role": "assistant", "content": "b"}])";
  const std::string pair =
      R"({"prompt": )" + asked + R"(, "chosen": )" + good + R"(, "rejected": )" + bad + "}";
  EXPECT_THAT(fault(pair), HasSubstr("is a preference record"));
  DatasetOptions options;
  options.columns.response = "chosen";
  EXPECT_EQ(one(pair, options).response, "a");
  const std::string whole = R"([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}])";
  const std::string implicit = R"({"chosen": )" + whole + R"(, "rejected": )" + whole + "}";
  EXPECT_THAT(fault(implicit), HasSubstr("is a preference record"));
  options.columns.response = "";
  options.columns.messages = "chosen";
  EXPECT_EQ(one(implicit, options).response, "a");
}

TEST_F(ConversationTest, KeysThatNobodyReadsAreTold) {
  Dataset data =
      read(R"({"messages": [{"role": "user", "content": "a", "mood": "good", "id": 1, "refusal": null},
    {"role": "assistant", "content": "b", "mood": "bad"}]})");
  EXPECT_THAT(data.notes, ElementsAre(HasSubstr("'mood' of messages is not read")));
  EXPECT_TRUE(data.examples[0].messages.is_null());
}

TEST_F(ConversationTest, FaultsAreNamed) {
  auto with = [&](const std::string& assistant) {
    return fault(R"({"messages": [{"role": "user", "content": "a"}, )" + assistant + "]}");
  };
  EXPECT_THAT(with(R"({"role": "assistant", "content": null})"),
              HasSubstr("is null, and there are no tool_calls"));
  EXPECT_THAT(with(R"({"role": "tool", "content": "x"})"), HasSubstr("must follow an assistant's message"));
  EXPECT_THAT(with(R"({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]})"),
              HasSubstr("messages[1].tool_calls: the tool call's arguments': its text:1:"));
  EXPECT_THAT(with(R"({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]})"),
              HasSubstr("expected an object, found an array"));
  EXPECT_THAT(with(R"({"role": "assistant", "tool_calls": [{"function": {}}]})"), HasSubstr("has no name"));
  EXPECT_THAT(
      with(
          R"({"role": "assistant", "content": "b", "tool_calls": {"name": "f"}}, {"role": "tool", "content": "r"})"),
      HasSubstr("ends with a tool's result"));
  EXPECT_THAT(fault(R"({"conversations": [{"from": "human", "value": "a"},
    {"from": "function_call", "value": "f[]"}]})"),
              HasSubstr("field 'conversations[1].value': its text:1:"));
  EXPECT_THAT(fault(R"({"prompt": "a", "output": "b", "tools": "hammer"})"), HasSubstr("field 'tools'"));
}

TEST_F(ConversationTest, FlatRecordsMayHaveTools) {
  const Example example =
      one(R"({"id": "x", "prompt": "a", "system": "s", "history": [["q", "r"]], "output": "b",
                                  "tools": [{"name": "f"}]})");
  EXPECT_TRUE(example.messages.is_null());
  EXPECT_EQ(example.tools[0]["function"]["name"], "f");
  expect_round_trip(example);
  EXPECT_TRUE(one(R"({"prompt": "a", "output": "b", "tools": "[]"})").tools.is_null());
}

}  // namespace
}  // namespace sdft
