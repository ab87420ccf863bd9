#include "data/prompt.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "data/prompt_text.h"
#include "testing.h"

namespace sdft {
namespace {

using testing::fixture;
using ::testing::HasSubstr;
using testing::ScratchDir;
using ::testing::StartsWith;

// The vocabulary of the mini seed model, under a chat template of the test's own.
struct Prompts : ::testing::Test {
  Tokenizer tokenizer = Tokenizer::load(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed");
  ChatTemplate chat = ChatTemplate::load(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed");
  Example example;

  Prompts() {
    example.id = "e";
    example.instruction = "Count to two.";
    example.response = "One, two.";
  }

  Formatter formatter() const { return {&tokenizer, &chat}; }
  std::string prompt(const std::string& name, const std::string& reference = "") const {
    return tokenizer.decode(prompt_ids(formatter(), find_prompt_template(name), example, reference), false);
  }
  Sample sample(const std::string& name = "chat", size_t cutoff = 0) const {
    return training_sample(formatter(), find_prompt_template(name), example, cutoff);
  }
  // What is learned, the pieces set apart by "|".
  std::string learned(const Sample& made) const {
    std::string text;
    for (size_t i = 0; i < made.ids.size(); ++i) {
      if (made.supervised[i] == 0) continue;
      if (i > 0 && made.supervised[i - 1] == 0 && !text.empty()) text += "|";
      text += tokenizer.decode({made.ids[i]}, false);
    }
    return text;
  }
};

TEST_F(Prompts, TheRewritingPromptShowsTheReference) {
  const std::string text = prompt("chat_distill_using", "1, 2");
  EXPECT_THAT(text, HasSubstr("Using the reference answer as a guide, write your own response."));
  EXPECT_THAT(text,
              HasSubstr("### Instruction:\nCount to two.\n\n### Reference Answer:\n1, 2\n\n### Response:"));
  EXPECT_THAT(prompt("chat_distill_refer", "1, 2"), HasSubstr("Refer to the reference answer"));
}

TEST_F(Prompts, EveryAnswerAndItsEndIsLearned) {
  const std::string end = tokenizer.token_of(*tokenizer.eos_id());
  EXPECT_EQ(learned(sample()), "One, two." + end);
  example.history = {{"Say A.", "A."}, {"Say B.", "B."}};
  EXPECT_EQ(learned(sample()), "A." + end + "|B." + end + "|One, two." + end);
}

TEST_F(Prompts, TheSampleBeginsWithThePromptOfGeneration) {
  example.history = {{"Say A.", "A."}};
  example.system = "You are curt.";
  for (const char* name : {"chat", "chat_gcg"}) {
    const auto ids = prompt_ids(formatter(), find_prompt_template(name), example);
    const Sample made = sample(name);
    ASSERT_GT(made.ids.size(), ids.size());
    EXPECT_TRUE(std::equal(ids.begin(), ids.end(), made.ids.begin())) << name;
    EXPECT_EQ(made.supervised[ids.size()], 1);
    EXPECT_EQ(made.supervised[ids.size() - 1], 0);
  }
}

TEST_F(Prompts, LongSamplesAreCutAtTheirEnd) {
  const Sample whole = sample(), cut = sample("chat", whole.ids.size() - 3);
  EXPECT_EQ(cut.cut, 3u);
  EXPECT_EQ(cut.ids.size() + 3, whole.ids.size());
  EXPECT_EQ(cut.supervised.size(), cut.ids.size());
  EXPECT_EQ(whole.cut, 0u);
  EXPECT_EQ(cut.cut_prompt, 0u);
}

// A cut that takes a part of a question is told apart from one of the last answer.
TEST_F(Prompts, ACutWithinAPromptIsSaid) {
  const size_t asked = prompt_ids(formatter(), find_prompt_template("chat"), example).size();
  const Sample cut = sample("chat", asked - 2);
  EXPECT_EQ(cut.cut_prompt, 2u);
  example.history = {{"Say A.", "A."}};
  const Sample whole = sample();
  const auto learned = static_cast<size_t>(std::count(whole.supervised.begin(), whole.supervised.end(), 1));
  EXPECT_EQ(sample("chat", 1).cut_prompt, whole.ids.size() - learned - 1);
}

// A text that spells out the end of a turn must not end one.
TEST_F(Prompts, SpecialTokensInTextsStayText) {
  const int32_t eos = *tokenizer.eos_id();
  const std::string end = tokenizer.token_of(eos);
  example.instruction = "Say " + end + " twice: " + end;
  example.response = end + end;
  const Sample made = sample();
  EXPECT_EQ(made.special_spelled, 4u);
  EXPECT_EQ(learned(made), end + end + end);  // spelled twice, then the real one
  Example plain = example;
  plain.instruction = plain.response = "x";
  const Sample other = training_sample(formatter(), find_prompt_template("chat"), plain, 0);
  EXPECT_EQ(std::count(made.ids.begin(), made.ids.end(), eos),
            std::count(other.ids.begin(), other.ids.end(), eos));
}

TEST_F(Prompts, ATextMayHoldTheGuardsOwnMark) {
  example.instruction =
      "\uE0F0"
      "0\uE0F1 and " +
      tokenizer.token_of(*tokenizer.eos_id());
  const auto ids = prompt_ids(formatter(), find_prompt_template("chat"), example);
  EXPECT_THAT(tokenizer.decode(ids, false), HasSubstr(example.instruction));
}

TEST_F(Prompts, UnknownTemplatesAreNamedWithTheNearest) {
  try {
    find_prompt_template("alpacca");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'alpaca'?"));
    EXPECT_THAT(error.what(), HasSubstr("gsm8k_distill_llama3"));
  }
}

TEST_F(Prompts, AnswersAreFoundWithoutAnEndOfTurnToken) {
  const ChatTemplate bare = ChatTemplate::parse(
      "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
      "bare");
  const Sample made = training_sample({&tokenizer, &bare}, find_prompt_template("chat"), example, 0);
  EXPECT_THAT(learned(made), HasSubstr("One, two."));
  EXPECT_EQ(made.ids.back(), *tokenizer.eos_id());
  EXPECT_EQ(made.supervised.back(), 1);
}

TEST_F(Prompts, ATemplateThatRewritesEarlierTextIsRefused) {
  const ChatTemplate moving = ChatTemplate::parse(
      "{{ messages | length }}{% for m in messages %}{{ m.content + '\\n' }}{% endfor %}", "moving");
  try {
    training_sample({&tokenizer, &moving}, find_prompt_template("chat"), example, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("answers cannot be told apart"));
  }
  const ChatTemplate marked = ChatTemplate::parse(
      "{{ messages | length }}{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}"
      "{{ m.content }}{% endgeneration %}{% else %}{{ m.content + '\\n' }}{% endif %}{% endfor %}",
      "marked");
  const Sample made = training_sample({&tokenizer, &marked}, find_prompt_template("chat"), example, 0);
  EXPECT_THAT(learned(made), StartsWith("One, two."));
}

TEST_F(Prompts, AModelWithoutChatTemplateSaysWhatNeedsNone) {
  try {
    training_sample({&tokenizer, nullptr}, find_prompt_template("chat"), example, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("alpaca"));
  }
}

// Token by token as the paper's two code branches lay prompts out.
TEST(PromptLayouts, AsThePapersCode) {
  const auto path = fixture("prompts/reference_llama2.json");
  REQUIRE_FIXTURE(path);
  const Json expected = read_json(path);
  ScratchDir dir;
  std::filesystem::copy_file(fixture(expected["tokenizer"]), dir / "tokenizer.model");
  const Tokenizer tokenizer = Tokenizer::load(dir.path());
  for (const Json& entry : expected["cases"]) {
    Example example;
    example.id = "e";
    for (const Json& turn : entry["turns"]) example.history.push_back({turn[0], turn[1]});
    example.instruction = example.history.back().query;
    example.response = example.history.back().response;
    example.history.pop_back();
    const std::string name = entry["template"], style = entry["style"];
    const Formatter formatter{&tokenizer, nullptr,
                              style == "reference" ? PromptLayout::kReference : PromptLayout::kReferenceMain};
    const PromptTemplate& prompt = find_prompt_template(name);
    const Sample sample = training_sample(formatter, prompt, example, 0, example.response);
    const std::string where = style + " " + name + ": " + example.instruction;
    EXPECT_EQ(sample.ids, entry["input_ids"].get<std::vector<int32_t>>()) << where;
    EXPECT_EQ(sample.supervised, entry["supervised"].get<std::vector<uint8_t>>()) << where;
    EXPECT_EQ(prompt_ids(formatter, prompt, example, example.response),
              entry["generation_prompt_ids"].get<std::vector<int32_t>>())
        << where;
  }
}

}  // namespace
}  // namespace sdft
