// Tool data and weights through chat templates: what the model reads, what is learned, what is refused.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "data/samples.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ScratchDir;

const std::string kBegin =
    "{% if tools %}{{ '<|system|>\\n' + (tools | tojson) + '<|end|>\\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|' + m.role + '|>\\n' }}{% if m.content %}{{ m.content }}{% endif %}"
    "{% for c in m.tool_calls %}";
const std::string kEnd =
    "{% endfor %}{{ '<|end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% "
    "endif %}";
const std::string kObjects =
    kBegin + "{{ '<call>' + c.function.name + ' ' + (c.function.arguments | tojson) + '</call>' }}" + kEnd;
const std::string kTexts =
    kBegin + "{{ '<call>' + c.function.name + ' ' + c.function.arguments + '</call>' }}" + kEnd;

const char* const kCalls = R"({"id": "x", "messages": [
  {"role": "user", "content": "Rain in Velkin?"},
  {"role": "assistant", "content": null, "tool_calls": [
    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"town\": \"Velkin\"}"}}]},
  {"role": "tool", "tool_call_id": "c1", "content": "yes"},
  {"role": "assistant", "content": "It rains."}],
  "tools": [{"type": "function", "function": {"name": "weather"}}]})";

struct ToolPrompts : ::testing::Test {
  Tokenizer tokenizer = Tokenizer::load(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed");
  ScratchDir dir;

  Dataset read(const std::string& lines) {
    write_file_atomic(dir / "t.jsonl", lines);
    return read_dataset(dir / "t.jsonl");
  }
  Example one(const std::string& text) { return read(Json::parse(text).dump()).examples.at(0); }
  std::string text(const Sample& sample) const { return tokenizer.decode(sample.ids, false); }
  std::string learned(const Sample& sample) const {
    std::string text;
    for (size_t i = 0; i < sample.ids.size(); ++i) {
      if (sample.supervised[i] == 0) continue;
      if (i > 0 && sample.supervised[i - 1] == 0 && !text.empty()) text += "|";
      text += tokenizer.decode({sample.ids[i]}, false);
    }
    return text;
  }
  Sample sample(const std::string& source, const Example& example) const {
    const ChatTemplate chat = ChatTemplate::parse(source, "test");
    return training_sample({&tokenizer, &chat}, find_prompt_template("chat"), example, 0);
  }
  std::string fault(const std::string& source, const Example& example) const {
    try {
      sample(source, example);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
};

// Arguments come as text or as an object; templates want one of them. Either way the same call is written.
TEST_F(ToolPrompts, CallsAreWrittenAsTheTemplateTakesThem) {
  const Example example = one(kCalls);
  const std::string call = R"(<call>weather {"town": "Velkin"}</call>)";
  for (const std::string& source : {kObjects, kTexts}) {
    const Sample made = sample(source, example);
    EXPECT_EQ(learned(made), call + "<|end|>|It rains.<|end|>");
    EXPECT_THAT(text(made), HasSubstr("<|system|>\n[{\"type\": \"function\""));
    EXPECT_THAT(text(made), HasSubstr("yes<|end|>"));
  }
  Json record = Json::parse(kCalls);
  record["messages"][1]["tool_calls"][0]["function"]["arguments"] = {{"town", "Velkin"}};
  EXPECT_EQ(learned(sample(kTexts, one(record.dump()))),
            "<call>weather {\"town\":\"Velkin\"}</call><|end|>|It rains.<|end|>");
}

TEST_F(ToolPrompts, AsRenderWritesThem) {
  const Example example = one(kCalls);
  const ChatTemplate chat = ChatTemplate::parse(kTexts, "test");
  RenderOptions options;
  options.tools = example.tools;
  std::string whole = chat.render(example.messages, options);
  EXPECT_EQ(text(sample(kTexts, example)) + "\n", whole);  // nothing is learned behind the last end of turn
  options.add_generation_prompt = true;
  const auto ids = prompt_ids({&tokenizer, &chat}, find_prompt_template("chat"), example);
  EXPECT_EQ(tokenizer.decode(ids, false), chat.render(context_of(example), options));
}

TEST_F(ToolPrompts, TheAnswerMayBeACall) {
  Json record = Json::parse(kCalls);
  record["messages"].erase(3);
  record["messages"].erase(2);
  EXPECT_EQ(learned(sample(kObjects, one(record.dump()))),
            "<call>weather {\"town\": \"Velkin\"}</call><|end|>");
}

// A call may end with another token than a turn: neither it nor the tool's result may run into what is
// learned.
TEST_F(ToolPrompts, ACallMayEndWithATokenOfItsOwn) {
  const std::string source =
      "{% for m in messages %}{{ '<|' + m.role + '|>\\n' }}{% if m.content %}{{ m.content }}{% endif %}"
      "{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}"
      "{{ '<|pad|>' if m.tool_calls else '<|end|>' }}{{ '\\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";
  Json record = Json::parse(kCalls);
  record.erase("tools");
  EXPECT_EQ(learned(sample(source, one(record.dump()))), "{\"town\": \"Velkin\"}<|pad|>|It rains.<|end|>");
  record["messages"].erase(3);
  record["messages"].erase(2);
  EXPECT_EQ(learned(sample(source, one(record.dump()))), "{\"town\": \"Velkin\"}<|pad|>");
}

TEST_F(ToolPrompts, WeightZeroIsContext) {
  const Example example = one(R"({"messages": [{"role": "user", "content": "a"},
    {"role": "assistant", "content": "b", "weight": 0}, {"role": "user", "content": "c"},
    {"role": "assistant", "content": "d"}]})");
  const Sample made = sample(kObjects, example);
  EXPECT_EQ(learned(made), "d<|end|>");
  EXPECT_THAT(text(made), HasSubstr("b<|end|>"));
  Json last = example.messages;
  last[1].erase("weight");
  last[3]["weight"] = 0;
  EXPECT_EQ(learned(sample(kObjects, one(Json{{"messages", last}}.dump()))), "b<|end|>");
}

TEST_F(ToolPrompts, SpecialTokensInCallsAndResultsStayText) {
  Json record = Json::parse(kCalls);
  record["messages"][1]["tool_calls"][0]["function"]["arguments"] = "{\"town\": \"<|end|>\"}";
  record["messages"][2]["content"] = "<|end|>";
  record["tools"][0]["function"]["name"] = "<|end|>";
  for (const std::string& source : {kObjects, kTexts}) {
    const Sample made = sample(source, one(record.dump()));
    EXPECT_EQ(made.special_spelled, 3u);
    EXPECT_EQ(std::count(made.ids.begin(), made.ids.end(), *tokenizer.eos_id()), 5);
    EXPECT_EQ(learned(made), "<call>weather {\"town\": \"<|end|>\"}</call><|end|>|It rains.<|end|>");
  }
}

TEST_F(ToolPrompts, ATemplateThatLosesToolDataIsRefused) {
  const Example example = one(kCalls);
  const std::string plain =
      "{% for m in messages %}{{ '<|' + m.role + '|>\\n' }}{% if m.content %}{{ m.content }}{% endif %}"
      "{{ '<|end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";
  EXPECT_THAT(fault(plain, example),
              HasSubstr("t.jsonl:1 (example 'x'): chat template: leaves out calls of tools"));
  const std::string first = kBegin.substr(kBegin.find("{% for m"));
  EXPECT_THAT(fault(first + "{{ c.function.arguments | tojson }}" + kEnd, example),
              HasSubstr("leaves out the tools"));
  EXPECT_THAT(fault("{% for m in messages if m.role != 'tool' %}" + first.substr(first.find("%}") + 2) +
                        "{{ c.function.arguments | tojson }}" + kEnd,
                    example),
              HasSubstr("leaves out results of tools"));
  EXPECT_THAT(fault("{{ raise_exception('no tools here') }}", example), HasSubstr("no tools here"));
  Example flat;
  flat.id = "f";
  flat.instruction = flat.response = "a";
  flat.tools = example.tools;
  EXPECT_THAT(fault(plain, flat), HasSubstr("example 'f': chat template: leaves out the tools"));
  try {
    training_sample({&tokenizer, nullptr}, find_prompt_template("alpaca"), example, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("prompt template 'alpaca': has no form for tools"));
  }
}

TEST_F(ToolPrompts, TheRewritingPromptWrapsTheQuestion) {
  const ChatTemplate chat = ChatTemplate::parse(kObjects, "test");
  const auto ids =
      prompt_ids({&tokenizer, &chat}, find_prompt_template("chat_distill_using"), one(kCalls), "It rains.");
  const std::string prompt = tokenizer.decode(ids, false);
  EXPECT_THAT(prompt, HasSubstr("### Instruction:\nRain in Velkin?\n\n### Reference Answer:\nIt rains."));
  EXPECT_THAT(prompt, HasSubstr("yes<|end|>\n<|assistant|>\n"));
}

TEST_F(ToolPrompts, ExamplesThatCannotBeWrittenAreFoundBefore) {
  const ChatTemplate chat = ChatTemplate::parse(
      "{% for m in messages %}{% if m.content == 'bad' %}{{ raise_exception('refused') }}{% endif %}"
      "{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
      "test");
  const Formatter formatter{&tokenizer, &chat};
  std::string lines;
  for (const char* said : {"good", "bad", "bad"})
    lines += Json{{"prompt", said}, {"answer", "yes"}}.dump() + "\n";
  Dataset data = read(lines), strict = data;
  check_renderable(formatter, {"chat", "chat_distill_using"}, &data, true, Reasoning::kDrop);
  EXPECT_EQ(data.examples.size(), 1u);
  ASSERT_EQ(data.skipped.size(), 2u);
  EXPECT_THAT(data.skipped[0].where, HasSubstr("t.jsonl:2 (example '1')"));
  EXPECT_THAT(data.skipped[0].reason, HasSubstr("refused"));
  EXPECT_THAT(data.skipped[0].reason, Not(HasSubstr("example")));
  try {
    check_renderable(formatter, {"chat"}, &strict, false, Reasoning::kDrop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("2 of 3 records are bad"));
    EXPECT_THAT(error.what(), HasSubstr("t.jsonl:3 (example '2'): "));
  }
}

TEST(EffectiveCutoff, IsTheContextAtMost) {
  EXPECT_EQ(effective_cutoff(100, 512), 100u);
  EXPECT_EQ(effective_cutoff(1024, 512), 512u);
  EXPECT_EQ(effective_cutoff(0, 512), 512u);
}

}  // namespace
}  // namespace sdft
