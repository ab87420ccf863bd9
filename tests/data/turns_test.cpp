#include "data/turns.h"

#include <gmock/gmock.h>

#include "data/record.h"
#include "testing.h"

namespace sdft {
namespace {

Example conversation() {
  std::set<std::string> unread;
  const Json call = {{{"function", {{"name", "rain"}, {"arguments", Json::object()}}}}};
  const Json record = {{"id", "c"},
                       {"messages",
                        {{{"role", "system"}, {"content", "Be curt."}},
                         {{"role", "user"}, {"content", "Hello."}},
                         {{"role", "assistant"}, {"content", "Hi."}},
                         {{"role", "user"}, {"content", "And?"}},
                         {{"role", "assistant"}, {"content", "Not this."}, {"weight", 0}},
                         {{"role", "user"}, {"content", "Rain?"}},
                         {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", call}},
                         {{"role", "tool"}, {"content", "no"}},
                         {{"role", "assistant"}, {"content", "No rain."}, {"reasoning_content", "look"}}}}};
  return example_from_record(record, {}, &unread);
}

TEST(Turns, OfPlainTexts) {
  Example example;
  example.id = "x";
  example.history = {{"Say A.", "A."}, {"Say B.", "B."}};
  example.instruction = "Add.\n1 and 2";
  example.input = "1 and 2";
  example.response = "3";
  example.fields = {{"tests", 1}};
  example.weight = 3;
  const auto turns = turns_of(example);
  ASSERT_EQ(turns.size(), 3u);
  EXPECT_EQ(turns[0].id, "x turn 1");
  EXPECT_EQ(turns[0].instruction, "Say A.");
  EXPECT_EQ(turns[0].response, "A.");
  EXPECT_EQ(turns[0].input, "");
  EXPECT_TRUE(turns[0].history.empty());
  EXPECT_TRUE(turns[0].fields.is_null());
  EXPECT_EQ(turns[0].weight, 3);
  EXPECT_EQ(turns[1].id, "x turn 2");
  EXPECT_EQ(turns[1].history.size(), 1u);
  EXPECT_EQ(turns[2].id, "x");
  EXPECT_EQ(record_of(turns[2], "3"), record_of(example, "3"));
  const Example other = with_responses(example, {{"x", "three"}, {"x turn 2", "b"}});
  EXPECT_EQ(other.response, "three");
  EXPECT_EQ(other.history[0].response, "A.");
  EXPECT_EQ(other.history[1].response, "b");
}

TEST(Turns, OfMessages) {
  const Example example = conversation();
  const auto turns = turns_of(example);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].id, "c turn 1");
  EXPECT_EQ(turns[0].messages.size(), 3u);
  EXPECT_EQ(turns[0].instruction, "Hello.");
  EXPECT_EQ(turns[0].response, "Hi.");
  EXPECT_EQ(turns[1].id, "c");
  EXPECT_EQ(turns[1].messages, example.messages);
  const Example other = with_responses(example, {{"c turn 1", "Hey."}, {"c", "Dry."}});
  EXPECT_EQ(other.messages[2]["content"], "Hey.");
  EXPECT_EQ(other.messages[4]["content"], "Not this.");
  EXPECT_EQ(other.response, "Dry.");
  EXPECT_EQ(answer_of(other)["content"], "Dry.");
  EXPECT_FALSE(answer_of(other).contains("reasoning_content"));
  EXPECT_EQ(turns_of(other).size(), 2u);
}

// The same answers change nothing, whatever is in the conversation.
TEST(Turns, TheirOwnAnswersChangeNothing) {
  for (Example example : {conversation(), Example()}) {
    if (example.id.empty()) {
      example.id = "flat";
      example.instruction = "q";
      example.response = "r";
      example.history = {{"a", "b"}};
    }
    std::map<std::string, std::string> own;
    for (const Example& turn : turns_of(example)) own[turn.id] = turn.response;
    const Example same = with_responses(example, own);
    EXPECT_EQ(record_of(same, same.response), record_of(example, example.response));
  }
}

TEST(Turns, ACallAsTheLastAnswerIsNone) {
  Example example = conversation();
  example.messages.erase(8);
  example.messages.erase(7);
  example.response = text_of_message(example.messages.back());
  const auto turns = turns_of(example);
  ASSERT_EQ(turns.size(), 1u);
  EXPECT_EQ(turns[0].id, "c turn 1");
}

}  // namespace
}  // namespace sdft
