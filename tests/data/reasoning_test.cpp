// Traces in answers: dropped, kept as context, learned; through templates that write, move or drop them.
#include "data/reasoning.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/random.h"
#include "data/samples.h"
#include "data/thinking.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// As ChatML: contents as they are.
constexpr const char* kPlain =
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
// As Qwen3's: takes the content apart, writes the trace of the last answer (an empty one where it has none)
// and drops those of earlier ones.
constexpr const char* kLastOnly =
    "{% for m in messages %}{% set content = m.content %}{% set trace = m.reasoning_content or '' %}"
    "{% if m.role == 'assistant' and '</think>' in content %}"
    "{% set trace = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}"
    "{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}"
    "{{ '<|' + m.role + '|>' }}{% if m.role == 'assistant' and loop.last %}"
    "{{ '<think>\\n' + trace.strip('\\n') + '\\n</think>\\n\\n' }}{% endif %}"
    "{{ content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
// Reads the trace from beside the content only.
constexpr const char* kBeside =
    "{% for m in messages %}{{ '<|' + m.role + '|>' }}{% if m.reasoning_content %}"
    "{{ '<think>' + m.reasoning_content + '</think>' }}{% endif %}"
    "{% if '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}"
    "{% endif %}{{ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
// As DeepSeek-R1's: drops every trace and opens one in the prompt.
constexpr const char* kDropping =
    "{% for m in messages %}{{ '<|' + m.role + '|>' }}{% if m.role == 'assistant' %}"
    "{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}{{ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|><think>\\n' }}{% endif %}";
// Opens a trace in the prompt and writes contents as they are.
constexpr const char* kOpening =
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|><think>\\n' }}{% endif %}";

struct Traces : ::testing::Test {
  Tokenizer tokenizer = Tokenizer::load(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed");
  Example example;

  Traces() {
    example.id = "e";
    example.instruction = "Add 1 and 2.";
    example.response = "<think>\none two three\n</think>\n\nIt is 3.";
  }
  Sample sample(const char* source, Reasoning reasoning, const char* prompt = "chat") const {
    const ChatTemplate chat = ChatTemplate::parse(source, "test");
    SampleSettings settings;
    settings.prompt_template = prompt;
    settings.reasoning = reasoning;
    return sample_of({&tokenizer, &chat}, settings, example);
  }
  std::string text(const Sample& made, int learned = -1) const {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < made.ids.size(); ++i)
      if (learned < 0 || made.supervised[i] == learned) ids.push_back(made.ids[i]);
    return tokenizer.decode(ids, false);
  }
  std::string refusal(const char* source, Reasoning reasoning) const {
    try {
      sample(source, reasoning);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      return error.what();
    }
    return "";
  }
};

TEST_F(Traces, DroppedKeptOrLearned) {
  for (const char* source : {kPlain, kLastOnly, kBeside}) {
    const Sample drop = sample(source, Reasoning::kDrop), keep = sample(source, Reasoning::kKeep),
                 learn = sample(source, Reasoning::kLearn);
    EXPECT_THAT(text(drop), Not(HasSubstr("one two three"))) << source;
    EXPECT_THAT(text(drop, 1), HasSubstr("It is 3.<|end|>")) << source;
    EXPECT_EQ(text(keep, 1), "It is 3.<|end|>") << source;
    EXPECT_THAT(text(keep, 0), HasSubstr("one two three")) << source;
    EXPECT_THAT(text(learn, 1), AllOf(HasSubstr("one two three"), HasSubstr("It is 3.<|end|>"))) << source;
    EXPECT_EQ(keep.ids, learn.ids) << source;
  }
}

TEST_F(Traces, ATraceBesideTheContentIsTheSame) {
  const Example in_text = example;
  for (const char* source : {kPlain, kLastOnly, kBeside}) {
    example = in_text;
    const Sample first = sample(source, Reasoning::kLearn);
    example.messages = {
        {{"role", "user"}, {"content", example.instruction}},
        {{"role", "assistant"}, {"content", "It is 3."}, {"reasoning_content", "one two three"}}};
    example.response = "It is 3.";
    const Sample beside = sample(source, Reasoning::kLearn);
    EXPECT_EQ(text(beside), text(first)) << source;
    EXPECT_EQ(text(sample(source, Reasoning::kKeep), 1), "It is 3.<|end|>") << source;
    EXPECT_THAT(text(sample(source, Reasoning::kDrop)), Not(HasSubstr("one two"))) << source;
    // A rewrite takes the answer's place, reasoning and all.
    example.response = "<think>new</think>3!";
    EXPECT_THAT(text(sample(source, Reasoning::kLearn), 1),
                AllOf(HasSubstr("new"), HasSubstr("3!"), Not(HasSubstr("one two"))))
        << source;
  }
}

TEST_F(Traces, TemplatesThatLoseTheTraceAreRefusedByName) {
  for (const Reasoning reasoning : {Reasoning::kKeep, Reasoning::kLearn})
    EXPECT_THAT(refusal(kDropping, reasoning),
                AllOf(HasSubstr("example 'e'"), HasSubstr("leaves out the reasoning trace"),
                      HasSubstr("reasoning: drop")));
  EXPECT_THAT(refusal(kDropping, Reasoning::kDrop), HasSubstr("opens a reasoning trace before every answer"));
}

TEST_F(Traces, APromptMayOpenTheTrace) {
  for (const char* response :
       {"<think>\none two three\n</think>\n\nIt is 3.", "one two three\n</think>\n\nIt is 3."}) {
    example.response = response;
    EXPECT_EQ(text(sample(kOpening, Reasoning::kLearn), 1), "one two three\n</think>\n\nIt is 3.<|end|>");
    EXPECT_EQ(text(sample(kOpening, Reasoning::kKeep), 1), "It is 3.<|end|>");
  }
}

TEST_F(Traces, EarlierAnswersToo) {
  example.history = {{"Say A.", "<think>hm</think>A."}};
  EXPECT_EQ(text(sample(kPlain, Reasoning::kDrop), 1), "A.<|end|>It is 3.<|end|>");
  EXPECT_EQ(text(sample(kPlain, Reasoning::kKeep), 1), "A.<|end|>It is 3.<|end|>");
  EXPECT_THAT(text(sample(kPlain, Reasoning::kLearn), 1), HasSubstr("<think>hm</think>A."));
  // A template that drops earlier traces: their answers are learned without.
  EXPECT_THAT(text(sample(kLastOnly, Reasoning::kLearn), 1),
              AllOf(StartsWith("A.<|end|>"), Not(HasSubstr("hm"))));
}

TEST_F(Traces, WithoutAChatTemplate) {
  auto learned = [&](Reasoning reasoning) {
    PromptTemplate prompt = find_prompt_template("chat");
    prompt.chat = false;
    prompt.family = PromptFamily::kFile;
    const Sample made =
        training_sample({&tokenizer, nullptr}, prompt, apply_reasoning(reasoning, example), 0, "", reasoning);
    return text(made, 1);
  };
  const std::string end = tokenizer.token_of(*tokenizer.eos_id());
  EXPECT_EQ(learned(Reasoning::kDrop), "It is 3." + end);
  EXPECT_EQ(learned(Reasoning::kKeep), "It is 3." + end);
  EXPECT_EQ(learned(Reasoning::kLearn), example.response + end);
}

TEST_F(Traces, AnswersThatAreNothingElseAreRefused) {
  for (const char* response : {"<think>no end", "<think>only</think>  "}) {
    example.response = response;
    for (const Reasoning reasoning : {Reasoning::kDrop, Reasoning::kKeep, Reasoning::kLearn})
      EXPECT_THAT(refusal(kPlain, reasoning), AllOf(HasSubstr("example 'e'"), HasSubstr("reasoning trace")))
          << response;
  }
}

TEST_F(Traces, CallsKeepTheirCalls) {
  example.messages = {
      {{"role", "user"}, {"content", "Rain?"}},
      {{"role", "assistant"},
       {"content", "<think>look</think>"},
       {"tool_calls",
        {{{"type", "function"}, {"function", {{"name", "rain"}, {"arguments", Json::object()}}}}}}}};
  example.response = text_of_message(example.messages.back());
  const Example dropped = apply_reasoning(Reasoning::kDrop, example);
  EXPECT_TRUE(answer_is_call(dropped));
  EXPECT_THAT(dropped.response, Not(HasSubstr("look")));
}

// Any text is its trace and its answer; a text without one is left alone.
TEST_F(Traces, NothingIsLostWhenTextsAreTakenApart) {
  Random random(3);
  const std::vector<std::string> parts = {"<think>", "</think>", "[THINK]", "[/THINK]", "\n",
                                          " ",       "a",        "b c",     "<",        "think>"};
  for (int i = 0; i < 3000; ++i) {
    std::string made;
    for (uint64_t k = random.below(8); k > 0; --k) made += random.pick(parts);
    const auto apart = take_apart(made);
    EXPECT_EQ(trace_size(made) > 0, apart.has_value()) << made;
    EXPECT_EQ(apply_reasoning(Reasoning::kDrop, made), std::string(strip_thinking(made))) << made;
    EXPECT_EQ(apply_reasoning(Reasoning::kKeep, made), made);
    if (!apart) continue;
    const std::string back = (apart->opened ? std::string(apart->open) : "") + std::string(apart->trace) +
                             std::string(apart->close) + std::string(apart->space) +
                             std::string(apart->answer);
    EXPECT_EQ(back, made.substr(made.size() - back.size())) << made;
    EXPECT_EQ(made.substr(0, made.size() - back.size()).find_first_not_of(" \n"), std::string::npos) << made;
  }
}

TEST(Reasonings, UnknownOnesAreNamed) { EXPECT_THROW(find_reasoning("forget"), Error); }

}  // namespace
}  // namespace sdft
