#include "data/turn_end.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/error.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::Contains;
using ::testing::UnorderedElementsAre;

struct TurnEnds : ::testing::Test {
  Tokenizer tokenizer = Tokenizer::load(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed");
  const PromptTemplate& chat = find_prompt_template("chat");
  int32_t eos = *tokenizer.eos_id();
  // Special tokens of the mini seed that are not its EOS.
  std::vector<int32_t> others = [this] {
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id)
      if (tokenizer.is_special(id) && id != eos) ids.push_back(id);
    return ids;
  }();
  int32_t other = others.at(1);

  std::string spelled(int32_t id) const { return tokenizer.token_of(id); }
  // A template whose turns end with `end`.
  ChatTemplate ending(const std::string& end) const {
    return ChatTemplate::parse("{% for m in messages %}{{ m.role + ': ' + m.content + '" + end +
                                   "' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
                               "test");
  }
};

// Training's end and generation's are one token, whatever the tokenizer calls EOS.
TEST_F(TurnEnds, WhatIsLearnedStopsGeneration) {
  Example example;
  example.instruction = "Count.";
  example.response = "One.";
  example.history = {{"Say A.", "A."}};
  for (const int32_t end : {eos, other}) {
    const ChatTemplate written = ending(spelled(end) + "\\n");
    const Formatter formatter{&tokenizer, &written};
    const Sample sample = training_sample(formatter, chat, example, 0);
    EXPECT_EQ(sample.ids.back(), end);
    EXPECT_EQ(std::count(sample.ids.begin(), sample.ids.end(), end), 4);
    EXPECT_EQ(turn_end(formatter, chat), end);
    EXPECT_THAT(stop_ids(formatter, {7}), Contains(end));
  }
}

TEST_F(TurnEnds, StopsAreTheUnionEachOnce) {
  const ChatTemplate written = ending(spelled(other));
  const Formatter formatter{&tokenizer, &written};
  EXPECT_THAT(stop_ids(formatter, {7, eos, 7}), UnorderedElementsAre(7, eos, other));
  EXPECT_THAT(stop_ids({&tokenizer, nullptr}, {}), UnorderedElementsAre(eos));
  EXPECT_EQ(unnamed_end(formatter, {7, eos}), other);
  EXPECT_EQ(unnamed_end(formatter, {other}), std::nullopt);
}

// Phi-3's template: a turn's end, and EOS behind the whole conversation.
TEST_F(TurnEnds, TheFirstTokenBehindTheAnswerEndsIt) {
  const ChatTemplate written =
      ChatTemplate::parse("{% for m in messages %}{{ m.role + ': ' + m.content + '" + spelled(other) +
                              "\\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% else %}" +
                              spelled(eos) + "{% endif %}",
                          "test");
  EXPECT_EQ(turn_end({&tokenizer, &written}, chat), other);
}

TEST_F(TurnEnds, ATemplateThatWritesNoneGetsEos) {
  const ChatTemplate written = ending("\\n");
  EXPECT_EQ(turn_end({&tokenizer, &written}, chat), eos);
  EXPECT_EQ(turn_end({&tokenizer, nullptr}, find_prompt_template("alpaca")), eos);
}

TEST_F(TurnEnds, ATemplateMayDemandASystemMessage) {
  const ChatTemplate written = ChatTemplate::parse(
      "{% if messages[0].role != 'system' %}{{ raise_exception('no system message') }}{% endif %}" +
          ending(spelled(other)).source(),
      "test");
  EXPECT_EQ(turn_end({&tokenizer, &written}, chat), other);
}

TEST_F(TurnEnds, AThinkingBlockThatThePromptOpensIsSeen) {
  const ChatTemplate thinks = ChatTemplate::parse(
      "{% for m in messages %}{{ m.content }}{% endfor %}"
      "{% if add_generation_prompt %}{{ 'A:' }}{% if enable_thinking %}{{ '<think>\\n' }}{% endif %}"
      "{% endif %}",
      "test");
  Formatter formatter{&tokenizer, &thinks};
  EXPECT_FALSE(opens_thinking(formatter));
  formatter.render.extra["enable_thinking"] = true;
  EXPECT_TRUE(opens_thinking(formatter));
  EXPECT_FALSE(opens_thinking({&tokenizer, nullptr}));
}

// As Qwen3's: the block before the last answer and in the prompt, not before earlier answers.
TEST_F(TurnEnds, EarlierTurnsMayLackTheEmptyThinkingBlock) {
  const std::string end = spelled(eos);
  const ChatTemplate thinks = ChatTemplate::parse(
      "{% for m in messages %}{{ m.role + ':\\n' }}{% if loop.last and m.role == 'assistant' %}"
      "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{{ m.content + '" +
          end +
          "\\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ 'assistant:\\n' }}{% if enable_thinking is false %}"
          "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}",
      "test");
  Formatter formatter{&tokenizer, &thinks};
  formatter.render.extra["enable_thinking"] = false;
  Example example;
  example.instruction = "Count.";
  example.response = "One.";
  example.history = {{"Say A.", "A."}};
  const Sample sample = training_sample(formatter, chat, example, 0);
  std::string learned;
  for (size_t i = 0; i < sample.ids.size(); ++i)
    if (sample.supervised[i]) learned += tokenizer.decode({sample.ids[i]}, false);
  EXPECT_EQ(learned, "A." + end + "One." + end);
  EXPECT_EQ(without_empty_thinking("a\n<think>\n\n</think>\n\n"), "a\n");
  for (const char* text : {"a\n<think>\n", "a\n", "</think>", "<think>x</think>\n", ""})
    EXPECT_EQ(without_empty_thinking(text), text);
}

}  // namespace
}  // namespace sdft
