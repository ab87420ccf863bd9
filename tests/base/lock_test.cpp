#include "base/lock.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/error.h"
#include "base/file.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::ScratchDir;

// What locking fails with, or "".
std::string refusal(const fs::path& dir) {
  try {
    FolderLock lock(dir);
    return "";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    return e.what();
  }
}

TEST(FolderLock, OneAtATimeAndNothingIsLeft) {
  ScratchDir dir;
  {
    FolderLock lock(dir / "new");
    EXPECT_THAT(refusal(dir / "new"), HasSubstr("another sdft (process " + std::to_string(::getpid()) + ")"));
  }
  EXPECT_TRUE(fs::is_empty(dir / "new"));
  EXPECT_EQ(refusal(dir / "new"), "");
}

TEST(FolderLock, AnotherProcessIsNamedAndItsDeathFrees) {
  ScratchDir dir;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    FolderLock lock(dir.path());
    if (::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(1);
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(refusal(dir.path()), HasSubstr("process " + std::to_string(child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]), ::close(ready[1]);
  EXPECT_TRUE(fs::exists(dir / ".lock"));  // what it left behind
  EXPECT_EQ(refusal(dir.path()), "");
}

TEST(FolderLock, ALinkIsNotFollowed) {
  ScratchDir dir;
  write_file_atomic(dir / "precious", "text");
  fs::create_symlink(dir / "precious", dir / ".lock");
  EXPECT_THAT(refusal(dir.path()), HasSubstr(".lock"));
  EXPECT_EQ(read_text(dir / "precious"), "text");
}

}  // namespace
}  // namespace sdft
