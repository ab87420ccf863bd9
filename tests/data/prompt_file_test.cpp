// Prompt templates from files: what is filled, what is refused.
#include <gmock/gmock.h>

#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "data/prompt.h"
#include "data/prompt_text.h"
#include "data/record.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ScratchDir;

struct PromptFiles : ::testing::Test {
  ScratchDir dir;
  Tokenizer tokenizer = Tokenizer::load(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed");
  ChatTemplate chat = ChatTemplate::parse(
      "{% for m in messages %}{{ '<' + m.role + '>' + m.content + '<|end|>' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}",
      "test");
  Example example;

  PromptFiles() {
    example.id = "e";
    example.instruction = "Add.\n1 and 2";
    example.input = "1 and 2";
    example.response = "3";
    example.history = {{"Say A.", "A."}, {"Say B.", "B."}};
  }
  std::string file(const std::string& name, const std::string& text) {
    write_file_atomic(dir / name, text);
    reread_prompt_files();
    return (dir / name).string();
  }
  Formatter formatter() const { return {&tokenizer, &chat}; }
  std::string prompt(const std::string& name, const std::string& reference = "") const {
    return tokenizer.decode(prompt_ids(formatter(), find_prompt_template(name), example, reference), false);
  }
  std::string fault(const std::string& name) const {
    try {
      find_prompt_template(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput) << error.what();
      return error.what();
    }
    return "";
  }
};

TEST_F(PromptFiles, ATextIsTheTurnAndEarlierTurnsAreMessages) {
  const std::string path = file("t.txt", "Q: {instruction}\nDo {it} as {answer} says.\n");
  EXPECT_EQ(prompt(path),
            "<user>Q: Say A.\nDo {it} as {answer} says.<|end|><assistant>A.<|end|>"
            "<user>Q: Say B.\nDo {it} as {answer} says.<|end|><assistant>B.<|end|>"
            "<user>Q: Add.\n1 and 2\nDo {it} as {answer} says.<|end|><assistant>");
}

TEST_F(PromptFiles, InputIsApartWhereItHasAPlace) {
  example.history.clear();
  EXPECT_EQ(prompt(file("t.txt", "{instruction}|{input}")), "<user>Add.|1 and 2<|end|><assistant>");
  example.instruction = example.input;  // the record had no instruction
  EXPECT_EQ(prompt(file("u.txt", "{instruction}|{input}")), "<user>|1 and 2<|end|><assistant>");
}

TEST_F(PromptFiles, HistoryIsTextWhereItHasAPlace) {
  const std::string path = file("t.yaml", "turn: \"{history}\\nNow: {instruction}\"\nsystem: Be curt.\n");
  EXPECT_EQ(prompt(path),
            "<system>Be curt.<|end|><user>User: Say A.\nAssistant: A.\nUser: Say B.\nAssistant: B.\n"
            "Now: Add.\n1 and 2<|end|><assistant>");
  const Sample sample = training_sample(formatter(), find_prompt_template(path), example, 0);
  EXPECT_EQ(std::count(sample.supervised.begin(), sample.supervised.end(), 1), 2);  // "3" and its end
  example.system = "Be long.";
  EXPECT_THAT(prompt(path), AllOf(HasSubstr("<system>Be long."), Not(HasSubstr("curt"))));
}

TEST_F(PromptFiles, WithoutAChatTemplateTheTextIsAsItStands) {
  const std::string path =
      file("t.yaml", "turn: \"Q: {instruction}\\nA:\"\nsystem: Facts.\nprefill: \" Well,\"\nchat: false\n");
  example.history.pop_back();
  const PromptTemplate& prompt_template = find_prompt_template(path);
  const Formatter bare{&tokenizer, nullptr};
  const Sample sample = training_sample(bare, prompt_template, example, 0);
  const std::string end = tokenizer.token_of(*tokenizer.eos_id());
  EXPECT_EQ(tokenizer.decode(sample.ids, false),
            "Facts.\n\nQ: Say A.\nA: Well,A." + end + "Q: Add.\n1 and 2\nA: Well,3" + end);
  const auto asked = prompt_ids(bare, prompt_template, example);
  ASSERT_LT(asked.size(), sample.ids.size());
  EXPECT_TRUE(std::equal(asked.begin(), asked.end(), sample.ids.begin()));
}

// Whatever the texts hold, they come out as they went in.
TEST_F(PromptFiles, FilledOnceNeverAgain) {
  Random random(1);
  const std::vector<std::string> parts = {
      "{instruction}", "{input}", "{response}", "{history}", "{x}", "{", "}", " text ", "{{", "}}"};
  auto some = [&] {
    std::string text;
    for (int i = 0; i < 6; ++i) text += random.pick(parts);
    return text;
  };
  for (int i = 0; i < 500; ++i) {
    const Fillings given{some(), some(), some(), some()};
    EXPECT_EQ(fill_turn("<{instruction}><{input}><{response}><{history}><{x}>", given),
              "<" + given.instruction + "><" + given.input + "><" + given.response + "><" + given.history +
                  "><{x}>");
  }
  example.history.clear();
  example.instruction = "What is {response}?";
  example.input.clear();
  EXPECT_EQ(prompt(file("d.txt", "{instruction} {response}"), "{instruction}!"),
            "<user>What is {response}? {instruction}!<|end|><assistant>");
}

TEST_F(PromptFiles, AllThatIsWrongIsSaidAtOnce) {
  EXPECT_THAT(
      fault(file("a.txt", "{instructions} {Response} { input } {histroy} {answer} {x}")),
      AllOf(HasSubstr("{instructions}; did you mean {instruction}?"),
            HasSubstr("{Response}; did you mean {response}?"), HasSubstr("{ input }; did you mean {input}?"),
            HasSubstr("{histroy}; did you mean {history}?"), Not(HasSubstr("{answer}"))));
  EXPECT_THAT(fault(file("b.yaml", "trun: x\nchat: maybe\nprefill: [a]\nsystem: \"{instruction}\"\n")),
              AllOf(HasSubstr("'trun'; did you mean 'turn'?"), HasSubstr("'turn' is missing"),
                    HasSubstr("'chat': expected true or false"), HasSubstr("'prefill': expected a text"),
                    HasSubstr("'system': {instruction} is filled in 'turn' alone")));
  EXPECT_THAT(fault(file("c.yaml", "turn: a\nturn: b\n")), HasSubstr("'turn' stands twice"));
  EXPECT_THAT(fault(file("d.yaml", "- a\n")), HasSubstr("expected a map"));
  EXPECT_THAT(fault(file("e.yaml", "turn: [\n")), HasSubstr("e.yaml:"));
  EXPECT_THAT(fault(file("f.txt", " \n")), HasSubstr("is empty"));
  EXPECT_THAT(fault(file("g.yaml", "turn: ' '\n")), HasSubstr("'turn' is empty"));
  EXPECT_THAT(fault(file("h.txt", "{instruction} \xff")), HasSubstr("not UTF-8 at byte 14"));
  EXPECT_THAT(fault((dir / "none.txt").string()), HasSubstr("none.txt"));
  EXPECT_THAT(fault(dir.path().string() + "/"), HasSubstr(dir.path().string()));
}

TEST_F(PromptFiles, AnsweringAndRewritingNeedTheirPlaces) {
  auto refused = [](const std::string& name, TemplateUse use) {
    try {
      check_use(find_prompt_template(name), use);
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  const std::string both = file("both.txt", "{instruction}{response}"), none = file("none.txt", "text");
  EXPECT_EQ(refused(both, TemplateUse::kRewriting), "");
  EXPECT_THAT(refused(both, TemplateUse::kAnswering), HasSubstr("{response}"));
  EXPECT_THAT(refused(none, TemplateUse::kRewriting),
              AllOf(HasSubstr("lacks {instruction}"), HasSubstr("lacks {response}")));
  for (const std::string& name : prompt_template_names()) {
    const bool rewriting = name.find("distill") != name.npos || name == "chat_demonstration";
    EXPECT_EQ(refused(name, rewriting ? TemplateUse::kRewriting : TemplateUse::kAnswering), "");
    EXPECT_NE(refused(name, rewriting ? TemplateUse::kAnswering : TemplateUse::kRewriting), "");
  }
}

TEST_F(PromptFiles, AnEditIsSeenByTheNextRunAndNotByThisOne) {
  const std::string path = file("t.txt", "{instruction} one");
  const PromptTemplate& first = find_prompt_template(path);
  write_file_atomic(path, "{instruction} two");
  EXPECT_EQ(&find_prompt_template(path), &first);
  reread_prompt_files();
  EXPECT_EQ(find_prompt_template(path).turn, "{instruction} two");
  EXPECT_EQ(first.turn, "{instruction} one");  // who has it keeps it
  EXPECT_NE(identity_of(first), identity_of(find_prompt_template(path)));
  const std::string copy = file("copy.txt", "{instruction} two");
  EXPECT_EQ(identity_of(find_prompt_template(copy)), identity_of(find_prompt_template(path)));
}

TEST_F(PromptFiles, ManyThreadsFindTheSame) {
  const std::string path = file("t.txt", "{instruction}");
  std::vector<const PromptTemplate*> found(8);
  std::vector<std::thread> threads;
  for (auto& one : found)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) one = &find_prompt_template(path);
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto* one : found) EXPECT_EQ(one, found[0]);
}

TEST_F(PromptFiles, ARecordReadsBackWithItsInput) {
  std::set<std::string> unread;
  example.weight = 2.5;
  DatasetOptions options;
  options.weights = true;
  const Example back = example_from_record(record_of(example, "4"), options, &unread);
  EXPECT_EQ(back.instruction, example.instruction);
  EXPECT_EQ(back.input, example.input);
  EXPECT_EQ(back.response, "4");
  EXPECT_EQ(back.weight, 2.5);
}

}  // namespace
}  // namespace sdft
