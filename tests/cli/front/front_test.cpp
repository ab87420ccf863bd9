// sdft without sdft-engine: what it answers by itself, and how it starts the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kModel = SDFT_SOURCE_DIR "/assets/mini-seed";

// A copy of the program in a folder of its own, with no engine beside it.
class Front : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::copy_file(SDFT_BINARY, dir_ / "sdft");
    ::unsetenv("GOMP_SPINCOUNT");
    ::unsetenv("OMP_WAIT_POLICY");
  }
  CommandResult run(const std::vector<std::string>& args, const std::string& input = "") {
    return Command(args, input, nullptr, (dir_ / "sdft").c_str()).wait();
  }
  // One that writes its arguments and what it is told of waiting.
  void add_engine() {
    write_file_atomic(dir_ / "sdft-engine",
                      "#!/bin/sh\nfor word; do echo \"[$word]\"; done\nenv | grep -E "
                      "'^(GOMP_SPINCOUNT|OMP_WAIT_POLICY)='\nexit 9\n");
    fs::permissions(dir_ / "sdft-engine", fs::perms::owner_all);
  }
  ScratchDir dir_;
};

TEST_F(Front, LoadsNoLibtorch) {
  ::setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);  // the dynamic loader lists what it would load
  const CommandResult loaded = run({});
  ::unsetenv("LD_TRACE_LOADED_OBJECTS");
  EXPECT_THAT(loaded.out, HasSubstr("libc.so"));
  for (const char* needless : {"torch", "libc10", "dnnl", "protobuf", "blas", "curl"})
    EXPECT_THAT(loaded.out, Not(HasSubstr(needless)));
}

TEST_F(Front, ReadsDatasetsOfFoldersAndStandardInput) {
  const std::string files = SDFT_SOURCE_DIR "/tests/data/";
  const std::string record = R"({"id":"r4","instruction":"question 4","output":"answer 4"})";
  EXPECT_THAT(run({"convert", files + "arrow/dict/test", "--to", "alpaca"}).out, HasSubstr(record + "\n"));
  EXPECT_THAT(run({"inspect", files + "arrow/saved"}).out, HasSubstr("dataset"));
  const std::vector<std::string> convert = {"convert", "-", "--to", "records"};
  for (const char* name : {"arrow/kinds.jsonl", "arrow/kinds.arrow", "arrow/kinds-file.arrow"})
    EXPECT_THAT(run(convert, read_text(files + name)).out, HasSubstr(R"("nothing":null)")) << name;
  EXPECT_THAT(run(convert, read_text(files + "parquet/chat-zstd-v1-plain.parquet")).out,
              HasSubstr("Be brief."));
  EXPECT_EQ(run(convert,
                "\xef\xbb\xbf"
                "a;b\n1;2\n")
                .out,
            "{\"a\":\"1\",\"b\":\"2\"}\n");
  EXPECT_EQ(run(convert, " [{\"a\": 1}]").out, "{\"a\":1}\n");
  const CommandResult broken = run(convert, "{\"a\": 1}\n{\"a\"\n");
  EXPECT_EQ(broken.exit_code, 3);
  EXPECT_THAT(broken.err, HasSubstr("standard input:2"));
  const CommandResult accepted = run({"convert", "-", "--to", "records", "--accepted"}, "{}");
  EXPECT_EQ(accepted.exit_code, 2);
}

TEST_F(Front, AnswersWithoutTheEngine) {
  EXPECT_THAT(run({"--version"}).out, HasSubstr("\nlibtorch "));
  const CommandResult help = run({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* command : {"demo", "sweep", "generate", "tokenize", "inspect", "export"})
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + command + " "));

  const CommandResult ids = run({"tokenize", "--model", kModel}, "Hello there\n");
  EXPECT_EQ(ids.exit_code, 0) << ids.err;
  EXPECT_EQ(ids.out.substr(0, 1), "[");
  EXPECT_EQ(run({"tokenize", "--model", kModel, "--decode"}, ids.out).out, "Hello there\n");

  write_file_atomic(dir_ / "m.json", R"([{"role": "user", "content": "Hello there"}])");
  const CommandResult text = run({"render", "--model", kModel, "--messages", (dir_ / "m.json").string()});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("Hello there"));

  for (const std::string& path : {kModel, kModel + "/model.safetensors"}) {
    const CommandResult model = run({"inspect", path});
    EXPECT_EQ(model.exit_code, 0) << model.err;
    EXPECT_THAT(model.out, AllOf(HasSubstr("model.layers.*."), HasSubstr("parameters"))) << path;
  }
}

TEST_F(Front, ConvertsDatasets) {
  const std::string path = (dir_ / "d.jsonl").string();
  write_file_atomic(path,
                    R"({"instruction": "1?", "output": "one", "accepted": true, "original": "It is one"})"
                    "\n"
                    R"({"instruction": "2?", "output": "two", "accepted": false, "original": "two"})"
                    "\n");
  const CommandResult alpaca = run({"convert", path, "--to", "alpaca"});
  EXPECT_EQ(alpaca.exit_code, 0) << alpaca.err;
  EXPECT_EQ(alpaca.out,
            "{\"id\":\"0\",\"instruction\":\"1?\",\"output\":\"one\"}\n"
            "{\"id\":\"1\",\"instruction\":\"2?\",\"output\":\"two\"}\n");
  EXPECT_EQ(
      run({"convert", path, "--to", "trl", "--accepted"}).out,
      "{\"id\":\"0\",\"prompt\":[{\"role\":\"user\",\"content\":\"1?\"}],\"privileged_context\":\"It is "
      "one\"}\n");
  EXPECT_EQ(run({"convert", path, "--to", "parquet"}).exit_code, 2);
  write_file_atomic(path, R"({"instruction": "1?", "output": "one"})"
                          "\n");
  const CommandResult none = run({"convert", path, "--to", "trl", "--accepted"});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_EQ(none.out, "");
  EXPECT_THAT(none.err, AllOf(HasSubstr("d.jsonl:1"), HasSubstr("accepted")));
}

TEST_F(Front, ShowsDatasetsOfEveryForm) {
  const std::string folder = std::string(SDFT_SOURCE_DIR) + "/tests/data/parquet/";
  const CommandResult lines = run({"inspect", folder + "chat.jsonl", "--json"});
  const CommandResult parquet = run({"inspect", folder + "chat-zstd-v2-dictionary.parquet", "--json"});
  EXPECT_EQ(parquet.exit_code, 0) << parquet.err;
  for (const char* key : {"examples", "mean_bytes", "fields", "first"})
    EXPECT_EQ(parse_json(parquet.out, "its output").at(key), parse_json(lines.out, "its output").at(key));

  const std::string bytes = read_text(folder + "chat-zstd-v2-dictionary.parquet");
  write_file_atomic(dir_ / "cut.parquet", bytes.substr(0, bytes.size() / 2));
  const CommandResult cut = run({"inspect", (dir_ / "cut.parquet").string()});
  EXPECT_EQ(cut.exit_code, 3);
  EXPECT_THAT(cut.err, HasSubstr("cut.parquet: is cut off: it does not end with PAR1"));
}

TEST_F(Front, SaysThatTheEngineIsMissing) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"generate", "--model", kModel}, {"run", "--help"}, {"--help", "run"}}) {
    const CommandResult result = run(words);
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, AllOf(HasSubstr("sdft: error: "), HasSubstr((dir_ / "sdft-engine").string()),
                                  HasSubstr("is missing")));
  }
}

TEST_F(Front, GivesTheEngineItsCommandLine) {
  add_engine();
  const CommandResult result = run({"run", "--recipe", "a b.yaml", "", "--help"});
  EXPECT_EQ(result.exit_code, 9);
  EXPECT_EQ(result.out, "[run]\n[--recipe]\n[a b.yaml]\n[]\n[--help]\nGOMP_SPINCOUNT=2000\n");
}

TEST_F(Front, HelpMayComeFirst) {
  EXPECT_EQ(run({"help"}).out, run({"--help"}).out);
  EXPECT_EQ(run({"help", "tokenize"}).out, run({"tokenize", "--help"}).out);
  add_engine();
  EXPECT_EQ(run({"help", "run", "more"}).out, "[run]\n[--help]\nGOMP_SPINCOUNT=2000\n");
  EXPECT_THAT(run({"help", "runn"}).err, HasSubstr("did you mean run?"));
}

TEST_F(Front, WhatTheUserSaysOfWaitingStays) {
  add_engine();
  ::setenv("OMP_WAIT_POLICY", "active", 1);
  EXPECT_EQ(run({"run"}).out, "[run]\nOMP_WAIT_POLICY=active\n");
  ::unsetenv("OMP_WAIT_POLICY");
  ::setenv("GOMP_SPINCOUNT", "7", 1);
  EXPECT_EQ(run({"run"}).out, "[run]\nGOMP_SPINCOUNT=7\n");
  ::unsetenv("GOMP_SPINCOUNT");
}

// What names no command, or one of its own, is not for the engine: its words may be the names of others.
TEST_F(Front, WhatItDoesNotUnderstandItSaysItself) {
  add_engine();
  EXPECT_THAT(run({"generat", "run"}).err, HasSubstr("unknown command generat; did you mean generate?"));
  EXPECT_THAT(run({"--nosuch", "tokenize"}).err, HasSubstr("unknown flag --nosuch"));
  EXPECT_THAT(run({"tokenize", "run", "--model", kModel}).err, HasSubstr("not expected: 'run'"));
  EXPECT_THAT(run({}).err, HasSubstr("a command is missing"));
  EXPECT_EQ(run({"generat"}).exit_code, 2);
}

}  // namespace
}  // namespace sdft::testing
