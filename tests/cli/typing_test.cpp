// What is typed at a terminal: chat and new, through a pseudo terminal.
#include <gmock/gmock.h>
#include <pty.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;

using ::testing::HasSubstr;

// `sdft` at a terminal of its own, in a folder.
class Session {
 public:
  Session(const std::vector<std::string>& args, const fs::path& folder) {
    std::vector<char*> argv = {const_cast<char*>(SDFT_BINARY)};
    for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    pid_ = ::forkpty(&fd_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      ::setenv("TERM", "xterm", 1);
      if (::chdir(folder.c_str()) != 0) ::_exit(126);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  ~Session() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(fd_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void type(const std::string& text) {
    EXPECT_EQ(::write(fd_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // What appears from the last expected text on, up to this one; all that came where it does not.
  std::string expect(const std::string& text) {
    for (;;) {
      const size_t at = seen_.find(text);
      if (at != std::string::npos) {
        const std::string before = seen_.substr(0, at + text.size());
        seen_.erase(0, at + text.size());
        return before;
      }
      pollfd wait{fd_, POLLIN, 0};
      char bytes[4096];
      const ssize_t count = ::poll(&wait, 1, 60000) > 0 ? ::read(fd_, bytes, sizeof bytes) : 0;
      if (count <= 0) {
        ADD_FAILURE() << "no '" << text << "' in: " << seen_;
        return seen_;
      }
      seen_.append(bytes, static_cast<size_t>(count));
    }
  }
  // Typed while nobody asks, a line would not be edited.
  void answer(const std::string& prompt, const std::string& text) {
    expect(prompt);
    type(text);
  }
  int exit_code() {
    char bytes[4096];
    while (::read(fd_, bytes, sizeof bytes) > 0) continue;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  int fd_ = -1;
  pid_t pid_ = 0;
  std::string seen_;
};

class Typing : public ::testing::Test {
 protected:
  void SetUp() override {
    write_small_model(dir_ / "model");
    ::setenv("XDG_STATE_HOME", (dir_ / "state").c_str(), 1);  // not the user's history
  }
  void TearDown() override { ::unsetenv("XDG_STATE_HOME"); }
  ScratchDir dir_;
};

TEST_F(Typing, ChatHasCommandsAndCtrlCAtThePromptDoesNotQuit) {
  Session chat({"chat", "--model", "model", "--max_new_tokens", "8"}, dir_.path());
  chat.answer("> ", "/help\r");
  chat.expect("/regen");
  chat.answer("> ", "half a line\x03");
  chat.expect("^C");
  chat.answer("> ", "/regen\r");
  chat.expect("nothing was asked yet");
  chat.answer("> ", "What is 2 plus 3?\r");
  chat.answer("> ", "/regen\r");
  chat.expect("greedy: the same again");
  chat.answer("> ", "/save said.jsonl\r");
  chat.expect("saved to said.jsonl");
  chat.answer("> ", "/save said.jsonl\r");
  chat.expect("exists");
  chat.answer("> ", "/sav x\r");
  chat.expect("did you mean /save?");
  chat.answer("> ", "/clear\r");
  chat.expect("a new conversation");
  chat.answer("> ", "\x04");
  EXPECT_EQ(chat.exit_code(), 0);
  const Json saved = parse_json(read_text(dir_ / "said.jsonl"), "said.jsonl");
  ASSERT_EQ(saved["messages"].size(), 2u);
  EXPECT_EQ(saved["messages"][0]["content"], "What is 2 plus 3?");
}

TEST_F(Typing, ChatHasHistoryAndEditing) {
  Session chat({"chat", "--model", "model", "--max_new_tokens", "4"}, dir_.path());
  chat.answer("> ", "/system Grüße\r");
  chat.expect("with that system message");
  chat.answer("> ", "What is 2 plus 3\xC3\xA4?\r");
  chat.answer("> ", "\x1b[A\x7f\x7f!\r");  // the line again, its end mended
  chat.answer("> ", "/save said.jsonl\r");
  chat.expect("saved to");
  chat.answer("> ", "/quit\r");
  EXPECT_EQ(chat.exit_code(), 0);
  const Json saved = parse_json(read_text(dir_ / "said.jsonl"), "said.jsonl");
  ASSERT_EQ(saved["messages"].size(), 5u);
  EXPECT_EQ(saved["messages"][0]["content"], "Grüße");
  EXPECT_EQ(saved["messages"][1]["content"], "What is 2 plus 3ä?");
  EXPECT_EQ(saved["messages"][3]["content"], "What is 2 plus 3!");
}

TEST_F(Typing, NewAsksAgainWhereAnAnswerIsWrongAndWritesARecipeThatIsRead) {
  write_text(dir_ / "sums.jsonl", small_dataset(5));
  write_text(dir_ / "odd.jsonl", R"({"task": "2 plus 2?", "solution": "The answer is 4."})"
                                 "\n");
  write_text(dir_ / "kept.jsonl", small_dataset(3, 50));
  Session session({"new", "mine.yaml"}, dir_.path());
  session.answer("> ", "nowhere\r");
  session.expect("nowhere: ");
  session.answer("> ", "model\r");
  session.expect("2. The dataset");
  session.answer("> ", "sums.json\r");
  session.expect("sums.json: ");
  session.answer("> ", "sums.jsonl\r");
  session.expect("5 examples");
  session.expect("3. How");
  session.answer("> ", "odd.jsonl number\r");
  session.expect("odd.jsonl:1: ");
  session.answer("> ", "odd.jsonl numbr prompt=task response=solution\r");
  session.expect("did you mean 'number'?");
  session.answer("> ", "odd.jsonl number prompt=task response=solution\r");
  session.expect("1 examples");
  session.expect("4. What");
  session.answer("> ", "kept.jsonl number, gsm8kk\r");
  session.expect("gsm8k'");
  session.answer("> ", "kept.jsonl number, gsm8k\r");
  session.answer("[runs/mine] > ", "\r");
  session.expect("sdft run --recipe mine.yaml");
  EXPECT_EQ(session.exit_code(), 0);
  const std::string recipe = read_text(dir_ / "mine.yaml");
  EXPECT_THAT(recipe, HasSubstr("model_name_or_path: \"model\"\ndataset: \"sums.jsonl\"\n"));
  EXPECT_THAT(
      recipe,
      HasSubstr(
          R"({name: target, kind: target, dataset: "odd.jsonl", check: "number", columns: {prompt: "task", response: "solution"}})"));
  EXPECT_THAT(recipe, HasSubstr(R"({name: "kept", kind: retained, dataset: "kept.jsonl", check: "number"})"));
  EXPECT_THAT(recipe, HasSubstr("{task: \"gsm8k\", kind: retained}"));
  Session again({"new", "mine.yaml"}, dir_.path());
  again.expect("exists");
  EXPECT_EQ(again.exit_code(), 3);
}

TEST_F(Typing, NewLeavesNothingWhereItIsEnded) {
  Session session({"new"}, dir_.path());
  session.expect("> ");
  session.type("\x04");
  session.expect("nothing was written");
  EXPECT_EQ(session.exit_code(), 130);
  EXPECT_FALSE(fs::exists(dir_ / "recipe.yaml"));
}

TEST_F(Typing, NewRefusesAPipe) {
  const CommandResult result = run_command({"new"}, "model\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("at a terminal"));
}

TEST_F(Typing, ChatKeepsItsHistoryForTheUserAlone) {
  for (const char* line : {"What is 2 plus 3?\r", "\x1b[A\x1b[A\r"}) {
    Session chat({"chat", "--model", "model", "--max_new_tokens", "4"}, dir_.path());
    chat.answer("> ", line);
    chat.answer("> ", std::string("/save ") + (line[0] == 'W' ? "one" : "two") + "\r");
    chat.expect("saved to");
    chat.answer("> ", "\x04");
    EXPECT_EQ(chat.exit_code(), 0);
  }
  EXPECT_EQ(read_text(dir_ / "one"), read_text(dir_ / "two"));
  EXPECT_EQ(fs::status(dir_ / "state" / "sdft.cpp" / "chat_history").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace
}  // namespace sdft::testing
