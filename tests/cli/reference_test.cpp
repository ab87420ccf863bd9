// What is made from the tables of commands and settings: docs/settings.md, completions, the manual page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/file.h"
#include "cli/run_command.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

std::string made(const std::vector<std::string>& args) {
  const CommandResult result = run_command(args);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

// Of a program of the system: sh -c.
CommandResult run_shell(const std::string& line, const char* shell = "/bin/bash") {
  return Command({"-c", line}, "", nullptr, shell).wait();
}

bool is_there(const std::string& program) { return run_shell("command -v " + program).exit_code == 0; }

TEST(Settings, TheirReferenceIsUpToDate) {
  EXPECT_EQ(read_text(SDFT_SOURCE_DIR "/docs/settings.md"), made({"settings"}))
      << "make it anew: build/sdft settings > docs/settings.md";
}

TEST(Settings, OneIsTold) {
  EXPECT_EQ(made({"settings", "learning_rate"}),
            "learning_rate\n  peak\n  may be: above 0 and up to 10\n  default: 0.0001\n");
  const CommandResult result = run_command({"settings", "learning_rat"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("did you mean 'learning_rate'?"));
}

// A real bash: what it would offer behind these words, of which the last is unfinished.
std::vector<std::string> offered(const fs::path& script, const std::string& words) {
  const CommandResult result =
      run_shell("source '" + script.string() + "'; COMP_WORDS=(" + words +
                "); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); _sdft; printf '%s\\n' \"${COMPREPLY[@]}\"");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  std::vector<std::string> list;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) list.push_back(line);
  return list;
}

TEST(Completions, OfBash) {
  const ScratchDir dir;
  const fs::path script = dir / "sdft.bash";
  write_file_atomic(script, made({"completions", "bash"}));
  using Words = std::vector<std::string>;
  EXPECT_EQ(offered(script, "sdft to"), Words{"tokenize"});
  EXPECT_THAT(offered(script, "sdft ''"), IsSupersetOf({"run", "inspect", "man"}));
  EXPECT_THAT(offered(script, "sdft run --lora_ra"), Words{"--lora_rank"});
  EXPECT_THAT(offered(script, "sdft run --fresh --lora_d"), Words{"--lora_dropout"});
  EXPECT_THAT(offered(script, "sdft tokenize --"), Contains("--decode"));
  EXPECT_THAT(offered(script, "sdft tokenize --"), Not(Contains("--lora_rank")));
  EXPECT_EQ(offered(script, "sdft run --device c"), (Words{"cpu", "cuda"}));
  EXPECT_EQ(offered(script, "sdft train lora_ra"), Words{"lora_rank="});
  EXPECT_EQ(offered(script, "sdft train dtype '=' b"), Words{"bf16"});  // as bash splits dtype=b
  EXPECT_EQ(offered(script, "sdft train use_dora '='"), (Words{"true", "false"}));
  EXPECT_EQ(offered(script, "sdft run --recipe r"), Words{});  // files, by bash itself
  EXPECT_EQ(offered(script, "sdft nosuch --x"), Words{});
}

TEST(Completions, OtherShellsReadTheirs) {
  const ScratchDir dir;
  for (const std::string shell : {"zsh", "fish"}) {
    const fs::path script = dir / shell;
    write_file_atomic(script, made({"completions", shell}));
    EXPECT_THAT(read_text(script), HasSubstr("lora_rank"));
    if (!is_there(shell)) {
      std::printf("%s is not here: its script is not read\n", shell.c_str());
      continue;
    }
    const CommandResult result = run_shell(shell + " -n '" + script.string() + "'");
    EXPECT_EQ(result.exit_code, 0) << shell << ": " << result.err;
  }
  if (!is_there("fish")) GTEST_SKIP() << "fish is not here";
  const CommandResult result =
      run_shell("fish -N -c \"source '" + (dir / "fish").string() + "'; complete -C 'sdft run --device c'\"");
  EXPECT_THAT(result.out, HasSubstr("cuda"));
}

TEST(Completions, AnotherShellIsRefused) {
  const CommandResult result = run_command({"completions", "tcsh"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("tcsh"));
}

TEST(ManualPage, IsRead) {
  const ScratchDir dir;
  write_file_atomic(dir / "sdft.1", made({"man"}));
  if (!is_there("groff")) GTEST_SKIP() << "groff is not here";
  const CommandResult page =
      run_shell("groff -ww -man -Tutf8 -K utf8 -P-cbou '" + (dir / "sdft.1").string() + "'");
  EXPECT_EQ(page.exit_code, 0);
  EXPECT_EQ(page.err, "");
  for (const char* text : {"lora_rank 8", "tokenize", "NO_COLOR", "{instruction}"})
    EXPECT_THAT(page.out, HasSubstr(text));
}

// On a terminal of script(1).
TEST(Terminal, ColoursAreLeftOutWhereNoneAreWanted) {
  if (!is_there("script")) GTEST_SKIP() << "script is not here";
  const auto shown = [](const std::string& variables) {
    return run_shell(variables + " script -qec '" SDFT_BINARY " preview --model_name_or_path " SDFT_SOURCE_DIR
                                 "/assets/mini-seed --dataset " SDFT_SOURCE_DIR
                                 "/assets/mini-world/delivery_train.jsonl overwrite_cache=1' /dev/null")
        .out;
  };
  const std::string coloured = shown("TERM=xterm NO_COLOR=");
  EXPECT_THAT(coloured, HasSubstr("changes nothing here"));
  EXPECT_THAT(coloured, HasSubstr("\033["));
  EXPECT_THAT(shown("TERM=xterm NO_COLOR=1"), Not(HasSubstr("\033[")));
  EXPECT_THAT(shown("TERM=dumb NO_COLOR="), Not(HasSubstr("\033[")));
}

}  // namespace
}  // namespace sdft::testing
