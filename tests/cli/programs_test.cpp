// sdft and sdft-engine are one program to the user.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/registry.h"
#include "cli/run_command.h"

namespace sdft::testing {
namespace {
using ::testing::HasSubstr;

CommandResult run_engine(const std::vector<std::string>& args) {
  return Command(args, "", nullptr, SDFT_BINARY "-engine").wait();
}

TEST(Programs, SayTheSame) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"--help"},
                                                {"generat"},
                                                {"nosuch", "run"},
                                                {"--nosuch"},
                                                {"--help", "nosuch"}}) {
    const CommandResult front = run_command(words), engine = run_engine(words);
    EXPECT_EQ(front.exit_code, engine.exit_code);
    EXPECT_EQ(front.out, engine.out);
    EXPECT_EQ(front.err, engine.err);
  }
}

TEST(Programs, EveryCommandIsThere) {
  for (const cli::Command& command : cli::commands()) {
    const CommandResult help = run_command({command.name, "--help"});
    EXPECT_EQ(help.exit_code, 0) << command.name << ": " << help.err;
    EXPECT_THAT(help.out, HasSubstr(command.help));
    EXPECT_THAT(help.out, HasSubstr("Examples:\n")) << command.name;
  }
}

TEST(Programs, TheEngineHasAllCommands) {
  for (const char* command : {"tokenize", "inspect", "generate"})
    EXPECT_EQ(run_engine({command, "--help"}).out, run_command({command, "--help"}).out);
}

}  // namespace
}  // namespace sdft::testing
