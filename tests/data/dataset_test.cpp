#include "data/dataset.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "data/csv.h"
#include "testing.h"

namespace sdft {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class DatasetTest : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text) {
    write_file_atomic(dir_ / name, text);
    return dir_ / name;
  }
  Dataset read(const std::string& name, const std::string& text, const DatasetOptions& options = {}) {
    return read_dataset(write(name, text), options);
  }
  // The message of the Error(kInput) that reading this must give.
  std::string fault(const std::string& name, const std::string& text, const DatasetOptions& options = {}) {
    fs::path path = write(name, text);
    return fault_of([&] { read_dataset(path, options); });
  }
  template <typename F>
  static std::string fault_of(F&& run) {
    try {
      run();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  sdft::testing::ScratchDir dir_;
};

std::vector<std::string> ids(const Dataset& dataset) {
  std::vector<std::string> all;
  for (const auto& example : dataset.examples) all.push_back(example.id);
  return all;
}

TEST_F(DatasetTest, AlpacaArray) {
  Dataset data = read("tasks.json", R"([
    {"instruction": "Add.", "input": "1 and 2", "output": "3", "history": [["Hi", "Hello"], ["a", "b"]],
     "system": "Be brief."},
    {"instruction": "Say hi.", "input": "", "output": " hi\n", "history": [], "extra": {"k": [1]}},
    {"instruction": "", "input": "only input", "output": "x", "history": null}])");
  ASSERT_EQ(data.examples.size(), 3u);
  EXPECT_EQ(data.name, "tasks");
  EXPECT_EQ(data.sha256, sha256_file(dir_ / "tasks.json"));
  EXPECT_THAT(ids(data), ElementsAre("0", "1", "2"));
  const Example& first = data.examples[0];
  EXPECT_EQ(first.instruction, "Add.\n1 and 2");
  EXPECT_EQ(first.response, "3");
  EXPECT_EQ(first.system, "Be brief.");
  ASSERT_EQ(first.history.size(), 2u);
  EXPECT_EQ(first.history[0].query, "Hi");
  EXPECT_EQ(first.history[1].response, "b");
  EXPECT_EQ(data.examples[1].instruction, "Say hi.");
  EXPECT_EQ(data.examples[1].response, " hi\n");  // as it was: stripping is the template's
  EXPECT_EQ(data.examples[1].fields["extra"]["k"][0], 1);
  EXPECT_EQ(data.examples[2].instruction, "only input");
}

TEST_F(DatasetTest, DefaultColumnNames) {
  EXPECT_EQ(read("a.jsonl", R"({"question": "q", "answer": "a"})").examples[0].response, "a");
  EXPECT_EQ(read("b.jsonl", R"({"prompt": "q", "response": "a"})").examples[0].instruction, "q");
  EXPECT_EQ(read("c.csv", "goal,target\nx,y\n").examples[0].response, "y");
  EXPECT_EQ(read("d.jsonl", R"({"prompt": "q", "completion": "a"})").examples[0].response, "a");
}

TEST_F(DatasetTest, NamedColumns) {
  DatasetOptions options;
  options.columns.prompt = "text";
  options.columns.response = "code";
  options.columns.id = "task";
  Dataset data =
      read("a.jsonl", R"({"task": 7, "text": "t", "code": "c", "instruction": "not this"})", options);
  EXPECT_EQ(data.examples[0].id, "7");
  EXPECT_EQ(data.examples[0].instruction, "t");
  EXPECT_EQ(data.examples[0].response, "c");
  EXPECT_THAT(fault("b.jsonl", R"({"task": "7", "text": "t"})", options),
              HasSubstr("b.jsonl:1: field 'code' is missing (the record has: task, text)"));
  EXPECT_THAT(fault("c.jsonl", R"({"text": "t", "code": "c"})", options),
              HasSubstr("field 'task' is missing"));
  options = {};
  options.columns.query = "inptu";
  EXPECT_THAT(fault("d.jsonl", R"({"prompt": "p", "answer": "a", "input": "i"})", options),
              HasSubstr("no record has the field 'inptu'"));
}

TEST_F(DatasetTest, Conversations) {
  Dataset data = read("chat.json", R"([
    {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "u1"},
                  {"role": "assistant", "content": "a1"}, {"role": "user", "content": "u2"},
                  {"role": "assistant", "content": "a2"}]},
    {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "more?"},
                       {"from": "human", "value": "r"}, {"from": "gpt", "value": "done"}],
     "system": "T"},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]},
                  {"role": "assistant", "content": "z"}]}])");
  const Example& chat = data.examples[0];
  EXPECT_EQ(chat.system, "S");
  EXPECT_EQ(chat.instruction, "u2");
  EXPECT_EQ(chat.response, "a2");
  ASSERT_EQ(chat.history.size(), 1u);
  EXPECT_EQ(chat.history[0].query, "u1");
  EXPECT_EQ(chat.history[0].response, "a1");
  EXPECT_EQ(data.examples[1].system, "T");
  EXPECT_EQ(data.examples[1].instruction, "r");
  EXPECT_EQ(data.examples[1].response, "done");
  EXPECT_EQ(data.examples[1].history[0].response, "more?");
  EXPECT_EQ(data.examples[2].instruction, "xy");
}

TEST_F(DatasetTest, BadConversationsSayWhere) {
  const std::pair<const char*, const char*> cases[] = {
      {R"([])", "holds no user message"},
      {R"([{"role": "user", "content": "u"}])", "ends with a user message"},
      {R"([{"role": "assistant", "content": "a"}])", "field 'messages[0]': expected a user message"},
      {R"([{"role": "user", "content": "u"}, {"role": "user", "content": "u"}])",
       "field 'messages[1]': expected an assistant message, found a user's"},
      {R"([{"role": "user", "content": "u"}, {"role": "system", "content": "u"}])", "must be the first"},
      {R"([{"role": "wizard", "content": "u"}])", "field 'messages[0].role': unknown role 'wizard'"},
      {R"([{"role": "user", "content": 3}])",
       "field 'messages[0].content': expected a string, found number 3"},
      {R"([{"role": "user"}])", "field 'messages[0]': 'content' is missing (the record has: role)"},
      {R"([{"role": "user", "content": " "}, {"role": "assistant", "content": "a"}])", "message is empty"},
      {R"([{"role": "user", "content": "u"}, {"role": "assistant", "content": " \n"}])", "answer is empty"},
      {R"([{"role": "user", "content": [{"type": "image_url"}]}])", "not text"},
      {R"(["hi"])", "expected a message, found string \"hi\""},
      {R"({"role": "user"})", "expected an array, found an object"},
      {R"(null)", "the conversation is empty"},
  };
  for (const auto& [messages, reason] : cases)
    EXPECT_THAT(fault("c.jsonl", std::string("{\"messages\": ") + messages + "}"), HasSubstr(reason));
}

TEST_F(DatasetTest, PromptsWithoutResponses) {
  DatasetOptions options;
  options.response_required = false;
  Dataset data = read("p.jsonl",
                      "{\"prompt\": \"a\"}\n{\"prompt\": \"b\", \"response\": null}\n"
                      "{\"messages\": [{\"role\": \"user\", \"content\": \"c\"}]}\n",
                      options);
  EXPECT_EQ(data.examples[1].response, "");
  EXPECT_EQ(data.examples[2].instruction, "c");
  EXPECT_THAT(fault("q.jsonl", "{\"prompt\": \"  \"}", options),
              HasSubstr("field 'prompt': the prompt is empty"));
}

TEST_F(DatasetTest, JsonLinesAndTheirDisguises) {
  const std::string lines =
      "{\"prompt\": \"a\", \"answer\": \"1\"}\r\n\n{\"prompt\": \"b\", \"answer\": \"2\"}";
  EXPECT_EQ(read("a.jsonl", lines).examples.size(), 2u);
  EXPECT_EQ(read("a.json", lines).examples.size(), 2u);
  EXPECT_EQ(read("bom.jsonl", "\xef\xbb\xbf" + lines).examples.size(), 2u);
  EXPECT_EQ(read("bom.json", "\xef\xbb\xbf \n[" + lines.substr(0, lines.find('\r')) + "]").examples.size(),
            1u);
  EXPECT_EQ(read("array.jsonl", "[{\"prompt\": \"a\",\n\"answer\": \"1\"}]").examples.size(), 1u);
  EXPECT_THAT(fault("o.json", "{\n \"data\": []}"), HasSubstr("expected an array of records"));
}

TEST_F(DatasetTest, CsvQuotesBomAndLineEnds) {
  Dataset data =
      read("t.csv",
           "\xef\xbb\xbfprompt,response,id\r\n\"say \"\"hi\"\", please\",\"two\r\nlines\",x\r\n\r\n"
           "plain \"quote\",\xc3\xa9,y");
  ASSERT_EQ(data.examples.size(), 2u);
  EXPECT_EQ(data.examples[0].instruction, "say \"hi\", please");
  EXPECT_EQ(data.examples[0].response, "two\r\nlines");
  EXPECT_EQ(data.examples[1].instruction, "plain \"quote\"");
  EXPECT_THAT(ids(data), ElementsAre("x", "y"));
  EXPECT_EQ(read("t.tsv", "prompt\tresponse\na,b\tc\n").examples[0].instruction, "a,b");
  EXPECT_EQ(read("mac.csv", "prompt,response\ra,b\rc,d").examples.size(), 2u);
  Dataset chat = read("h.csv", "prompt,response,history\nq,r,\"[[\"\"a\"\",\"\"b\"\"]]\"\nq,r,\n");
  EXPECT_EQ(chat.examples[0].history[0].response, "b");
  EXPECT_TRUE(chat.examples[1].history.empty());
}

TEST_F(DatasetTest, CsvFaultsNameTheLine) {
  EXPECT_THAT(fault("a.csv", "prompt,response\na,b\nc\n"),
              HasSubstr("a.csv:3: expected 2 cells, as in the header"));
  EXPECT_THAT(fault("b.csv", "prompt,response\n\"x\ny\",b\nc,\"open"),
              HasSubstr("b.csv:4: a quoted cell begins"));
  EXPECT_THAT(fault("c.csv", "prompt,response\n\"a\"b,c\n"),
              HasSubstr("c.csv:2: text follows a closing quote"));
  EXPECT_THAT(fault("d.csv", "prompt,response\na,b\n\"x\n\xff\",c\n"),
              HasSubstr("d.csv:4: is not valid UTF-8"));
  EXPECT_THAT(fault("e.csv", "prompt,prompt\na,b\n"), HasSubstr("two columns are called 'prompt'"));
  EXPECT_THAT(fault("f.csv", "prompt,\na,b\n"), HasSubstr("column 2 has no name"));
  EXPECT_THAT(fault("i.csv", "prompt,response,history\na,b,\"[[\"\n"),
              HasSubstr("i.csv:2: field 'history': its text:1:3: not valid JSON"));
  EXPECT_THAT(fault("j.csv", "prompt,response,history\na,b," + std::string(100000, '[') + "\n"),
              HasSubstr("nested too deep"));
  EXPECT_THAT(fault("g.csv", "prompt,response\n"), HasSubstr("holds no examples"));
  EXPECT_THAT(fault("h.csv", "prompt,response\n,b\n"),
              HasSubstr("h.csv:2: field 'prompt': the prompt is empty"));
}

// As pandas, spreadsheets and other countries write tables.
TEST_F(DatasetTest, TablesOfOtherPrograms) {
  Dataset pandas = read("p.csv", ",instruction,output\n0,a,b\n1,c,d\n");
  ASSERT_EQ(pandas.examples.size(), 2u);
  EXPECT_EQ(pandas.examples[1].response, "d");
  EXPECT_THAT(pandas.notes, ElementsAre(HasSubstr("the first column has no name and is left out")));
  EXPECT_EQ(read("u.csv", "Unnamed: 0,instruction,output\n0,a,b\n").examples[0].response, "b");
  EXPECT_EQ(read("t.csv", "instruction,output,\na,b,\nc,d\n").examples.size(), 2u);
  EXPECT_EQ(read("r.csv", "instruction,output\na,b,,\n").examples[0].response, "b");
  EXPECT_EQ(read("s.csv", "instruction;output\na,b;c\n").examples[0].instruction, "a,b");
  EXPECT_EQ(read("tab.csv", "instruction\toutput\na\tb\n").examples[0].response, "b");
  EXPECT_EQ(read("comma.tsv", "instruction,output\na,b\n").examples[0].response, "b");
  EXPECT_EQ(read("sep.csv", "\xef\xbb\xbfsep=;\r\ninstruction;output\r\na,b;c\r\n").examples[0].response,
            "c");
  const Dataset excel = read("e.csv", "\xef\xbb\xbfid;instruction;output\r\n7;\"a;b, \"\"c\"\"\";d,e\r\n");
  EXPECT_EQ(excel.examples[0].id, "7");
  EXPECT_EQ(excel.examples[0].instruction, "a;b, \"c\"");
  EXPECT_EQ(excel.examples[0].response, "d,e");
  EXPECT_THAT(fault("m.csv", "instruction,,output\na,x,b\n"), HasSubstr("m.csv:2: column 2 has no name"));
  EXPECT_THAT(fault("n.csv", ",,\na,x,b\n"), HasSubstr("no column has a name"));
}

// Each row names many cells: the time must grow with their number, not with its square.
TEST_F(DatasetTest, ManyColumnsAreRead) {
  std::string header = "instruction,output", row = "a,b";
  for (int i = 0; i < 100000; ++i) {
    header += ",c" + std::to_string(i);
    row += ",";
  }
  EXPECT_EQ(read("wide.csv", header + "\n" + row + "\n" + row + "\n").examples.size(), 2u);
  EXPECT_LT(fault("wide.csv", "x" + header + "\n" + row + "\n").size(), 2000u);  // not all names
}

TEST_F(DatasetTest, MixedTypes) {
  Dataset data = read("a.jsonl",
                      "{\"id\": null, \"prompt\": \"a\", \"answer\": \"1\"}\n"
                      "{\"id\": 2.0, \"prompt\": \"a\", \"answer\": \"1\"}\n"
                      "{\"id\": 3, \"prompt\": \"a\", \"answer\": \"1\"}\n");
  EXPECT_THAT(ids(data), ElementsAre("0", "2", "3"));
  EXPECT_THAT(fault("b.jsonl", R"({"prompt": "a", "answer": "1", "answer": "2"})"),
              HasSubstr("has the key 'answer' twice"));
  EXPECT_THAT(fault("c.json", R"([{"prompt": "a", "answer": "1", "more": [{"k\"": 1, "k\"": 2}]}])"),
              HasSubstr("twice"));
  EXPECT_EQ(
      read("d.jsonl", R"({"prompt": "a: \"b\":", "answer": "1", "m": {"answer": "1"}})").examples.size(), 1u);
  EXPECT_THAT(fault("e.jsonl", R"({"prompt": "NaN", "answer": "1", "n": NaN})"),
              HasSubstr("e.jsonl:1: holds NaN"));
  EXPECT_THAT(fault("f.json", R"([{"prompt": "a", "answer": "1", "n": -Infinity}])"),
              HasSubstr("holds Infinity"));
}

// One record that is no JSON does not spoil the others of an array.
TEST_F(DatasetTest, BrokenElementsOfAnArrayAreSkipped) {
  DatasetOptions options;
  options.skip_bad = true;
  const std::string text = R"([{"prompt": "a", "answer": "1"}, {"prompt": NaN, "answer": "2"},
    {"prompt": "c", "answer": "3"}])";
  Dataset data = read("a.json", text, options);
  EXPECT_THAT(ids(data), ElementsAre("0", "2"));
  ASSERT_EQ(data.skipped.size(), 1u);
  EXPECT_THAT(data.skipped[0].where, HasSubstr("a.json: record 1"));
  EXPECT_THAT(fault("b.json", text), HasSubstr("record 1: holds NaN"));
  EXPECT_THAT(fault("c.json", text + " more", options), HasSubstr("c.json"));
}

TEST_F(DatasetTest, RecordsOfOtherKinds) {
  Dataset stanford = read("s.json", R"([{"id": "seed_task_0", "instruction": "Add.",
    "instances": [{"input": "1 and 2", "output": "3"}]}])");
  EXPECT_EQ(stanford.examples[0].instruction, "Add.\n1 and 2");
  EXPECT_EQ(stanford.examples[0].response, "3");
  EXPECT_THAT(fault("t.jsonl", R"({"instruction": "a", "instances": [{"output": "b"}, {"output": "c"}]})"),
              HasSubstr("expected one instance with input and output, found 2"));
  for (const char* bad :
       {R"({"prompt": "a", "completion": "b", "label": false})",
        R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
                              "kto_tag": false})"})
    EXPECT_THAT(fault("k.json", std::string("[") + bad + "]"), HasSubstr("must not be learned (KTO)"));
  EXPECT_THAT(fault("k.csv", "prompt,completion,label\na,b,False\n"), HasSubstr("must not be learned"));
  EXPECT_EQ(read("l.jsonl", R"({"prompt": "a", "completion": "b", "label": true})").examples.size(), 1u);
  EXPECT_EQ(read("m.jsonl", R"({"prompt": "a", "output": "b", "label": "neutral"})").examples.size(), 1u);
  EXPECT_THAT(fault("d.jsonl", R"({"prompt": "a", "chosen": "b", "rejected": "c"})"),
              HasSubstr("is a preference record"));
  DatasetOptions options;
  options.columns.response = "chosen";
  EXPECT_EQ(
      read("d.jsonl", R"({"prompt": "a", "chosen": "b", "rejected": "c"})", options).examples[0].response,
      "b");
  EXPECT_THAT(fault("i.jsonl", R"({"prompt": "a", "output": "b", "images": ["x.png"]})"),
              HasSubstr("field 'images': the record is about more than text"));
}

TEST_F(DatasetTest, EveryProblemIsReportedAtOnce) {
  std::string lines =
      "{\"id\": \"a\", \"prompt\": \"p\", \"answer\": \"x\"}\n"
      "{\"id\": \"b\", \"prompt\": \"p\", \"answer\": \n"
      "{\"id\": \"c\", \"prompt\": \"p\"}\n"
      "{\"id\": \"d\", \"prompt\": \"p\", \"answer\": 4}\n"
      "{\"id\": \"e\", \"prompt\": \"p\", \"answer\": \" \"}\n"
      "{\"id\": \"a\", \"prompt\": \"p\", \"answer\": \"y\"}\n"
      "[1]\n"
      "{\"id\": 1.5, \"prompt\": \"p\", \"answer\": \"y\"}\n";
  std::string message = fault("bad.jsonl", lines);
  EXPECT_THAT(message, HasSubstr("7 of 8 records are bad"));
  EXPECT_THAT(message, HasSubstr("bad.jsonl:2: column "));
  EXPECT_THAT(message, HasSubstr("bad.jsonl:3: field 'output' is missing, and so are answer"));
  EXPECT_THAT(message, HasSubstr("bad.jsonl:4: field 'answer': expected a string, found number 4"));
  EXPECT_THAT(message, HasSubstr("bad.jsonl:5: field 'answer': the answer is empty"));
  EXPECT_THAT(message, HasSubstr("bad.jsonl:6: duplicate id 'a' (first at "));
  EXPECT_THAT(message, HasSubstr("bad.jsonl:7: expected an object, found an array"));
  EXPECT_THAT(message, HasSubstr("bad.jsonl:8: field 'id': expected a string, found number 1.5"));

  DatasetOptions options;
  options.skip_bad = true;
  Dataset data = read("bad.jsonl", lines, options);
  EXPECT_THAT(ids(data), ElementsAre("a"));
  ASSERT_EQ(data.skipped.size(), 7u);
  EXPECT_EQ(data.skipped[0].where, (dir_ / "bad.jsonl").string() + ":2");
  EXPECT_EQ(data.skipped[3].reason, "field 'answer': the answer is empty");

  std::string many = "[";
  for (int i = 0; i < 30; ++i) many += i ? ",{}" : "{}";
  message = fault("many.json", many + "]");
  EXPECT_THAT(message, HasSubstr("many.json: record 19: "));
  EXPECT_THAT(message, Not(HasSubstr("record 20")));
  EXPECT_THAT(message, HasSubstr("and 10 more"));
  EXPECT_THAT(fault("many.json", many + "]", options), HasSubstr("none of its 30 records can be used"));
}

// Skipping must not rename the examples that stay.
TEST_F(DatasetTest, IdsArePlacesInTheFile) {
  DatasetOptions options;
  options.skip_bad = true;
  std::string lines =
      "{\"prompt\": \"p\", \"answer\": \"x\"}\nbroken\n\n{\"prompt\": \"p\", \"answer\": \"x\"}\n";
  EXPECT_THAT(ids(read("a.jsonl", lines, options)), ElementsAre("0", "2"));
  options.limit = 1;
  Dataset one = read("a.jsonl", lines, options);
  EXPECT_THAT(ids(one), ElementsAre("0"));
  EXPECT_TRUE(one.skipped.empty());
}

TEST_F(DatasetTest, MalformedFiles) {
  EXPECT_THAT(fault("a.txt", "x"), HasSubstr("unknown kind of dataset '.txt'"));
  EXPECT_THAT(fault("a.json", ""), HasSubstr("holds no examples"));
  EXPECT_THAT(fault("a.jsonl", "\n\n"), HasSubstr("holds no examples"));
  EXPECT_THAT(fault("a.json", "[{\"prompt\": \"p\",\n \"answer\": }]"), HasSubstr("a.json:2:"));
  EXPECT_THAT(fault("a.json", "\xff\xfe[\0"), HasSubstr("UTF-16"));
  EXPECT_THAT(fault("a.jsonl", "{\"prompt\": \"\xc3\", \"answer\": \"x\"}"), HasSubstr("column"));
  EXPECT_THAT(fault("a.json", std::string(100000, '[') + std::string(100000, ']')),
              HasSubstr("nested too deep"));
  EXPECT_THAT(fault("a.jsonl", "{\"prompt\": " + std::string(100000, '[')), HasSubstr("nested too deep"));
  EXPECT_THAT(fault_of([&] { read_dataset(dir_ / "none.json"); }), HasSubstr("cannot open"));
  EXPECT_THAT(fault_of([&] { read_dataset(dir_.path()); }), HasSubstr(dir_.path().string()));
}

TEST_F(DatasetTest, DatasetInfo) {
  write("d.json", R"([{"q": "ask", "more": "this", "a": "answer"}, {"q": "2", "more": "", "a": "3"}])");
  write("c.json", R"([{"talk": [{"who": "me", "says": "hi"}, {"who": "it", "says": "ho"}]}])");
  write("s.jsonl", R"({"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "g"}]})");
  write("dataset_info.json", R"({
    "flat": {"file_name": "d.json", "columns": {"prompt": "q", "query": "more", "response": "a"}},
    "few": {"file_name": "d.json", "num_samples": 1, "columns": {"prompt": "q", "response": "a"}},
    "chat": {"file_name": "c.json", "formatting": "sharegpt", "columns": {"messages": "talk"},
             "tags": {"role_tag": "who", "content_tag": "says", "user_tag": "me", "assistant_tag": "it"}},
    "share": {"file_name": "s.jsonl", "formatting": "sharegpt"},
    "hub": {"hf_hub_url": "someone/something"},
    "dpo": {"file_name": "d.json", "ranking": true},
    "odd": {"file_name": "d.json", "formatting": "xml"},
    "wrong": {"file_name": "d.json", "columns": {"prompt": 3}}})");
  Dataset flat = read_dataset_by_name(dir_.path(), "flat");
  EXPECT_EQ(flat.name, "flat");
  EXPECT_EQ(flat.examples[0].instruction, "ask\nthis");
  EXPECT_EQ(read_dataset_by_name(dir_.path(), "few").examples.size(), 1u);
  EXPECT_EQ(read_dataset_by_name(dir_.path(), "chat").examples[0].response, "ho");
  EXPECT_EQ(read_dataset_by_name(dir_.path(), "share").examples[0].instruction, "u");
  auto fault_named = [&](const char* name) {
    return fault_of([&] { read_dataset_by_name(dir_.path(), name); });
  };
  EXPECT_THAT(fault_named("falt"), HasSubstr("did you mean 'flat'?"));
  EXPECT_THAT(fault_named("hub"), HasSubstr("names no local file (hf_hub_url string \"someone/something\")"));
  EXPECT_THAT(fault_named("dpo"), HasSubstr("preference dataset"));
  EXPECT_THAT(fault_named("odd"), HasSubstr("unknown formatting 'xml'"));
  EXPECT_THAT(fault_named("wrong"), HasSubstr("field 'prompt'"));
}

TEST_F(DatasetTest, PartsOfADataset) {
  std::string lines;
  for (int i = 0; i < 10; ++i) lines += "{\"prompt\": \"p\", \"answer\": \"x\"}\n";
  write("ten.jsonl", lines);
  auto named = [&](const std::string& keys) {
    const bool has_file = keys.find("file_name") != std::string::npos;
    write("dataset_info.json",
          R"({"x": {)" + std::string(has_file ? "" : R"("file_name": "ten.jsonl", )") + keys + "}}");
    return read_dataset_by_name(dir_.path(), "x");
  };
  EXPECT_THAT(ids(named(R"("split": "train[:2]")")), ElementsAre("0", "1"));
  EXPECT_THAT(ids(named(R"("split": "train[-2:]")")), ElementsAre("8", "9"));
  EXPECT_THAT(ids(named(R"("split": "train[10%:30%]+train[8:9]")")), ElementsAre("1", "2", "8"));
  EXPECT_THAT(ids(named(R"("split": "train[-10%:]")")), ElementsAre("9"));
  EXPECT_THAT(ids(named(R"("split": "train[4:]", "num_samples": 1)")), ElementsAre("4"));
  EXPECT_EQ(named(R"("split": "train", "folder": "x", "hf_hub_url": "a/b", "subset": null)").examples.size(),
            10u);
  std::filesystem::create_directory(dir_ / "set");
  for (const char* file : {"set/train.jsonl", "set/test.jsonl"})
    write(file, lines.substr(0, lines.size() / 2));
  EXPECT_EQ(named(R"("file_name": "set", "split": "test[:3]")").examples.size(), 3u);
  EXPECT_EQ(named(R"("file_name": "set")").examples.size(), 5u);
  const std::pair<const char*, const char*> faults[] = {
      {R"("split": "test")", "names 'test', but a local file is one split"},
      {R"("split": "train+test")", "names 'test'"},
      {R"("split": "train[1]")", "'train[1]' is not understood"},
      {R"("split": "train[:200%]")", "is not understood"},
      {R"("split": "train[5:5]")", "leaves no record"},
      {R"("split": "train[:2]+train[1:3]")", "duplicate id '1'"},
      {R"("subset": "main")", "subset string \"main\" names a part of a hub's dataset"},
      {R"("spilt": "train")", "unknown key 'spilt' (did you mean 'split'?)"},
      {R"("columns": {"promt": "prompt"})", "unknown key 'promt' (did you mean 'prompt'?)"},
      {R"("tags": {"user_tg": "u"})", "unknown key 'user_tg' (did you mean 'user_tag'?)"},
      {R"("columns": {"images": "images"})", "names images"},
      {R"("file_name": "set", "split": "tset")", "no split 'tset' (there are: test, train)"},
  };
  for (const auto& [keys, reason] : faults)
    EXPECT_THAT(fault_of([&, k = keys] { named(k); }), HasSubstr(reason));
}

// Counts as the datasets' own pages give them.
TEST(SharedDatasets, ThePapersFiles) {
  const fs::path dir = sdft::testing::shared_dir() / "data";
  REQUIRE_FIXTURE(dir);
  const std::pair<const char*, size_t> expected[] = {
      {"gsm8k_train", 7473},        {"gsm8k_test", 1319},       {"multiarith_test", 180},
      {"openfunction_train", 2211}, {"openfunction_test", 112}, {"distilled_openfunction", 2211},
      {"alpaca_train", 2000},       {"distilled_alpaca", 2000}, {"dolly_train", 2000},
      {"lima_train", 1029},         {"advbench", 520},          {"alpaca_eval", 805}};
  for (const auto& [name, count] : expected) {
    Dataset named = read_dataset_by_name(dir, name);
    EXPECT_EQ(named.examples.size(), count) << name;
    Dataset guessed = read_dataset(named.path);
    ASSERT_EQ(guessed.examples.size(), count) << name;
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(guessed.examples[i].instruction, named.examples[i].instruction);
      EXPECT_EQ(guessed.examples[i].response, named.examples[i].response);
    }
    if (std::string(name) == "lima_train") {
      auto multi = std::count_if(named.examples.begin(), named.examples.end(),
                                 [](const Example& example) { return !example.history.empty(); });
      EXPECT_EQ(multi, 29);
    }
  }
  EXPECT_THROW(read_dataset_by_name(dir, "magicoder_train"), Error);  // not shipped
}

TEST(SharedDatasets, OtherTrainersFiles) {
  const fs::path dir = sdft::testing::fixture("datasets");
  REQUIRE_FIXTURE(dir);
  const fs::path factory = dir / "llama_factory";
  EXPECT_EQ(read_dataset_by_name(factory, "identity").examples.size(), 91u);
  EXPECT_EQ(read_dataset_by_name(factory, "alpaca_en_demo").examples.size(), 999u);
  EXPECT_EQ(read_dataset_by_name(factory, "glaive_toolcall_en_demo").examples.size(), 300u);
  EXPECT_THROW(read_dataset_by_name(factory, "mllm_demo"), Error);  // pictures
  EXPECT_THROW(read_dataset_by_name(factory, "c4_demo"), Error);    // plain text has no answers
  DatasetOptions prompts;
  prompts.response_required = false;
  EXPECT_EQ(read_dataset_by_name(factory, "c4_demo", prompts).examples.size(), 300u);
  Dataset example = read_dataset(factory / "example_dataset.json");
  EXPECT_EQ(example.examples[0].history.size(), 2u);
  EXPECT_EQ(read_dataset(dir / "torchtune" / "alpaca_tiny.json").examples.size(), 100u);
  Dataset chat = read_dataset(dir / "torchtune" / "chat_tiny.json");
  EXPECT_EQ(chat.examples[0].system, "You are an AI assistant.");
  EXPECT_EQ(chat.examples[0].response, "I agree.");
  EXPECT_EQ(chat.examples[0].history.size(), 1u);
  const fs::path gsm8k = sdft::testing::fixture("eval/gsm8k/test.jsonl");
  REQUIRE_FIXTURE(gsm8k);
  EXPECT_EQ(read_dataset(gsm8k).examples.size(), 1319u);
}

std::vector<std::vector<std::string>> csv_rows(const fs::path& path) {
  std::vector<std::vector<std::string>> rows;
  for_each_csv_row(read_text(path), path.string(), [&](CsvRow&& row) {
    rows.push_back(std::move(row.cells));
    return true;
  });
  return rows;
}

TEST(SharedCsv, Spectrum) {
  const fs::path dir = sdft::testing::fixture("csv/spectrum");
  REQUIRE_FIXTURE(dir);
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(dir / "csvs")) {
    const std::string name = entry.path().stem().string();
    if (name == "newlines_crlf") continue;  // the file as stored here has LF only, its verdict CRLF
    auto rows = csv_rows(entry.path());
    Json found = Json::array();
    for (size_t i = 1; i < rows.size(); ++i) {
      Json record = Json::object();
      for (size_t j = 0; j < rows[i].size(); ++j) record[rows[0].at(j)] = rows[i][j];
      found.push_back(record);
    }
    EXPECT_EQ(found, read_json(dir / "json" / (name + ".json"))) << name;
    ++files;
  }
  EXPECT_EQ(files, 7u);
}

TEST(SharedCsv, MmluHasSixCellsARow) {
  const fs::path dir = sdft::testing::fixture("eval/mmlu/test");
  REQUIRE_FIXTURE(dir);
  size_t rows = 0;
  for (const auto& entry : fs::directory_iterator(dir)) {
    for (const auto& row : csv_rows(entry.path())) {
      ASSERT_EQ(row.size(), 6u) << entry.path();
      ++rows;
    }
  }
  EXPECT_GT(rows, 5000u);
}

// n_: must be refused, y_: accepted, i_: either; never anything but an Error.
TEST(SharedJson, Verdicts) {
  const fs::path dir = sdft::testing::fixture("json/test_parsing");
  REQUIRE_FIXTURE(dir);
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(dir)) {
    const std::string name = entry.path().filename().string();
    if (name[0] == 'i') continue;
    if (name == "n_multidigit_number_then_00.json")
      continue;  // a NUL byte: refused by read_dataset, see below
    bool accepted = true;
    try {
      read_json(entry.path());
    } catch (const Error& error) {
      accepted = false;
      EXPECT_EQ(error.code(), ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr(name));
    }
    EXPECT_EQ(accepted, name[0] == 'y') << name;
    ++files;
  }
  EXPECT_GT(files, 180u);
}

// None of them holds records: whatever the verdict on the JSON, reading it as a dataset is a clear error.
TEST_F(DatasetTest, EveryOddJsonFileIsAClearError) {
  for (const char* folder : {"json/test_parsing", "json/test_transform"}) {
    const fs::path dir = sdft::testing::fixture(folder);
    REQUIRE_FIXTURE(dir);
    for (const auto& entry : fs::directory_iterator(dir)) {
      const std::string text = read_text(entry.path());
      for (const char* name : {"odd.json", "odd.jsonl"})
        EXPECT_THAT(fault(name, text), HasSubstr(name)) << entry.path();
    }
  }
}

}  // namespace
}  // namespace sdft
