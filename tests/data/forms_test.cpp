// Forms of other trainers: what is written reads back as the same example, or is refused by name.
#include "data/forms.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "data/dataset.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::HasSubstr;

struct FormsTest : ::testing::Test {
  testing::ScratchDir dir;
  Example read(const std::string& record) {
    DatasetOptions options;
    options.weights = true;
    write_file_atomic(dir / "d.json", "[" + record + "]");
    return read_dataset(dir / "d.json", options).examples.at(0);
  }
  void expect_refused(const std::string& record, const std::string& form, const char* why) {
    try {
      in_form(read(record), form);
      ADD_FAILURE() << form << " said " << record;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr(why));
      EXPECT_THAT(error.what(), HasSubstr("d.json"));
    }
  }
};

const char* const kFlat =
    R"({"id":"a","instruction":"Add","input":"1 and 2","output":"3","system":"Be brief.",
        "history":[["Hello","Hi"]],"weight":2,"accepted":true,"original":"It is 3"})";
const char* const kCalls = R"({"id":"b","messages":[{"role":"user","content":"Rain?"},
    {"role":"assistant","content":null,"tool_calls":[
      {"id":"c1","type":"function","function":{"name":"sky","arguments":"{\"at\": 1}"}},
      {"id":"c2","type":"function","function":{"name":"sky","arguments":{"at":2}}}]},
    {"role":"tool","content":"yes","tool_call_id":"c1"},{"role":"tool","content":"no","tool_call_id":"c2"},
    {"role":"assistant","content":"At one."}],"tools":[{"type":"function","function":{"name":"sky"}}]})";

TEST_F(FormsTest, EveryFormReadsBack) {
  for (const char* form : {"alpaca", "sharegpt", "messages"}) {
    const Example example = read(kFlat), again = read(in_form(example, form).dump());
    EXPECT_EQ(again.id, "a") << form;
    EXPECT_EQ(context_of(again), context_of(example)) << form;
    EXPECT_EQ(answer_of(again), answer_of(example)) << form;
    EXPECT_EQ(again.weight, 2) << form;
  }
  for (const char* form : {"sharegpt", "messages"}) {
    const Example example = read(kCalls), again = read(in_form(example, form).dump());
    EXPECT_EQ(again.tools, example.tools);
    ASSERT_EQ(again.messages.size(), 5u);
    EXPECT_EQ(text_of_message(again.messages[1]), text_of_message(example.messages[1])) << form;
    EXPECT_EQ(again.messages[3]["content"], "no");
    EXPECT_EQ(again.response, "At one.");
  }
}

TEST_F(FormsTest, TrlSeesTheOriginal) {
  EXPECT_EQ(
      in_form(read(kFlat), "trl").dump(),
      R"({"id":"a","prompt":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello"},)"
      R"({"role":"assistant","content":"Hi"},{"role":"user","content":"Add\n1 and 2"}],)"
      R"("privileged_context":"It is 3"})");
  EXPECT_EQ(in_form(read(R"({"question":"1?","answer":"one"})"), "trl")["privileged_context"], "one");
  EXPECT_TRUE(rewrite_accepted(read(kFlat)));
}

TEST_F(FormsTest, WhatAFormCannotSayIsRefused) {
  const std::string thought =
      R"({"messages":[{"role":"user","content":"1?"},{"role":"assistant","content":"one","reasoning_content":"so"}]})";
  expect_refused(kCalls, "alpaca", "Alpaca's form cannot say");
  expect_refused(thought, "alpaca", "messages");
  expect_refused(thought, "sharegpt", "reasoning_content");
  std::string turned = kCalls;
  for (size_t at = turned.find("_id\":\"c"); at != turned.npos; at = turned.find("_id\":\"c", at + 1))
    turned[at + 7] = turned[at + 7] == '1' ? '2' : '1';
  expect_refused(turned, "sharegpt", "another order");
  const std::string call =
      R"({"messages":[{"role":"user","content":"1?"},{"role":"assistant","tool_calls":[{"name":"f"}]}]})";
  expect_refused(call, "trl", "no text for privileged_context");
  EXPECT_THROW(rewrite_accepted(read(kCalls)), Error);
  EXPECT_THROW(in_form(read(kFlat), "parquet"), Error);
}

}  // namespace
}  // namespace sdft
