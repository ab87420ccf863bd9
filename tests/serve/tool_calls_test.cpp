#include "serve/tool_calls.h"

#include <gmock/gmock.h>

namespace sdft::serve {
namespace {
using ::testing::ElementsAre;

// Text, and calls as "name arguments", of an answer that comes in pieces of so many bytes.
std::pair<std::string, std::vector<std::string>> read(const std::string& answer, size_t piece) {
  ToolCallText reader({"weather", "time"});
  std::string text;
  for (size_t at = 0; at < answer.size(); at += piece) text += reader.add(answer.substr(at, piece));
  text += reader.finish();
  std::vector<std::string> calls;
  for (const ToolCall& call : reader.calls()) calls.push_back(call.name + " " + call.arguments);
  return {text, calls};
}

struct Case {
  const char *answer, *text;
  std::vector<std::string> calls;
};

TEST(ToolCalls, EachFamilysWayInPiecesOfAnySize) {
  const Case cases[] = {
      {"It is warm.", "It is warm.", {}},
      {"<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>",
       "",
       {"weather {\"city\":\"Rome\"}"}},
      {"I look. <tool_call>{\"name\": \"time\", \"arguments\": {}}</tool_call>\n<tool_call>{\"name\": "
       "\"other\", "
       "\"arguments\": \"{\\\"a\\\": 1}\"}</tool_call> Wait.",
       "I look. Wait.",
       {"time {}", "other {\"a\":1}"}},
      {"<tool_call>{\"name\": \"time\"}", "", {"time {}"}},  // cut, or its end is a special token
      {"[TOOL_CALLS] [{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}]",
       "",
       {"weather {\"city\":\"Oslo\"}"}},
      {"<|python_tag|>{\"type\": \"function\", \"name\": \"time\", \"parameters\": {\"zone\": 1}}",
       "",
       {"time {\"zone\":1}"}},
      {" {\"name\": \"time\", \"parameters\": {}}", "", {"time {}"}},
      {"[{\"type\": \"function\", \"function\": {\"name\": \"time\", \"arguments\": \"{}\"}}]",
       "",
       {"time {}"}},
      {"{\"name\": \"Ada\", \"arguments\": {}}",
       "{\"name\": \"Ada\", \"arguments\": {}}",
       {}},  // no such tool
      {"{\"a\": 1}", "{\"a\": 1}", {}},
      {"[1] as they say", "[1] as they say", {}},
      {"a <tool_call>{\"name\": }</tool_call>", "a <tool_call>{\"name\": }</tool_call>", {}},
      {"<tool_call>{\"name\": \"time\", \"arguments\": [1]}</tool_call>",
       "<tool_call>{\"name\": \"time\", \"arguments\": [1]}</tool_call>",
       {}},
      {"a < b and <tool", "a < b and <tool", {}},
      {"  \n", "  \n", {}},
      {"", "", {}},
  };
  for (const Case& c : cases)
    for (const size_t piece : {size_t{1}, size_t{5}, size_t{1000}}) {
      const auto [text, calls] = read(c.answer, piece);
      EXPECT_EQ(text, c.text) << c.answer;
      EXPECT_EQ(calls, c.calls) << c.answer;
    }
}

TEST(ToolCalls, TextIsNotHeldBackWithoutNeed) {
  ToolCallText reader({"time"});
  EXPECT_EQ(reader.add("It is"), "It is");
  EXPECT_EQ(reader.add(" <tool"), " ");
  EXPECT_EQ(reader.add("box>"), "<toolbox>");
  EXPECT_EQ(reader.add("<tool_call>"), "");
  EXPECT_EQ(reader.add("{"), "");
}

TEST(ToolCalls, AsOpenAiHasThem) {
  const Json json = tool_calls_json({{"time", "{}"}, {"weather", "{\"a\":1}"}}, "call_7-0", true);
  EXPECT_EQ(json[1], (Json{{"id", "call_7-0-1"},
                           {"type", "function"},
                           {"function", {{"name", "weather"}, {"arguments", "{\"a\":1}"}}},
                           {"index", 1}}));
  EXPECT_FALSE(tool_calls_json({{"time", "{}"}}, "c", false)[0].contains("index"));
}

}  // namespace
}  // namespace sdft::serve
