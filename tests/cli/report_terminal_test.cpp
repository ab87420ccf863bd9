// A run on a terminal: its bar and its report.
#include <gmock/gmock.h>
#include <pty.h>

#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {
using ::testing::HasSubstr;
using ::testing::Not;

struct Seen {
  int exit_code;
  std::string text;
};

// `sdft` on a terminal of 60 columns.
Seen on_terminal(const std::vector<std::string>& args) {
  std::vector<char*> argv = {const_cast<char*>(SDFT_BINARY)};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  winsize size{24, 60, 0, 0};
  int fd = -1;
  const pid_t pid = ::forkpty(&fd, nullptr, nullptr, &size);
  if (pid == 0) {
    ::setenv("TERM", "xterm", 1);
    ::unsetenv("NO_COLOR");
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  Seen seen;
  char bytes[4096];
  for (ssize_t count; (count = ::read(fd, bytes, sizeof bytes)) > 0;) seen.text.append(bytes, count);
  int status = 0;
  ::waitpid(pid, &status, 0);
  ::close(fd);
  seen.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return seen;
}

TEST(RunOnATerminal, ColoursItsReportAndNothingOfARecipeSteersIt) {
  ScratchDir dir;
  SmallModel roomy;
  roomy.context = 1024;
  write_small_model(dir / "model", roomy);
  write_text(dir / "train\x1b[35m.jsonl", small_dataset(6));
  write_text(dir / "eval.jsonl", small_dataset(3, 50));
  const std::string out = (dir / "out\x1b[35m").string();
  const std::vector<std::string> recipe = {"model_name_or_path=" + (dir / "model").string(),
                                           "dataset=" + (dir / "train\x1b[35m.jsonl").string(),
                                           "output_dir=" + out,
                                           "max_new_tokens=8",
                                           "num_train_epochs=1",
                                           "threads=1",
                                           "variants=[{name: vanilla, method: sft}]",
                                           R"(eval=[{name: "sums", kind: target, dataset: )" +
                                               (dir / "eval.jsonl").string() + ", check: number}]"};
  for (const char* command : {"run", "report"}) {
    std::vector<std::string> args = {command};
    args.insert(args.end(), recipe.begin(), recipe.end());
    const Seen seen = on_terminal(args);
    EXPECT_EQ(seen.exit_code, 0) << seen.text;
    EXPECT_THAT(seen.text, HasSubstr("\x1b[1m")) << command;
    EXPECT_THAT(seen.text, Not(HasSubstr("\\u001b[1m"))) << command;
    EXPECT_THAT(seen.text, Not(HasSubstr("\x1b[35m"))) << command;
  }
}

}  // namespace
}  // namespace sdft::testing
