#include "base/lock.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace sdft {

namespace {
std::string holder(int fd) {
  char text[32];
  const ssize_t count = ::pread(fd, text, sizeof text, 0);
  std::string process(text, count > 0 ? static_cast<size_t>(count) : 0);
  process.erase(process.find_last_not_of(" \n") + 1);
  const bool number = !process.empty() && process.find_first_not_of("0123456789") == std::string::npos;
  return number ? " (process " + process + ")" : "";
}

bool same_file(int fd, const std::filesystem::path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}
// is_locked() of somebody else holds a lock for a moment.
bool lock_soon(int fd) {
  for (int tries = 5; ::flock(fd, LOCK_EX | LOCK_NB) != 0;) {
    if (errno != EWOULDBLOCK || --tries == 0) return false;
    constexpr timespec kPause{0, 20'000'000};
    ::nanosleep(&kPause, nullptr);
  }
  return true;
}
}  // namespace

FolderLock::FolderLock(const std::filesystem::path& dir) : path_(dir / ".lock") {
  make_directories(dir);
  do {  // once more where the holder before removed the file between the two calls
    if (fd_ >= 0) ::close(fd_);
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);
    if (fd_ < 0) fail_input(path_.string(), std::string("cannot be opened: ") + std::strerror(errno));
    if (lock_soon(fd_)) continue;
    const int cause = errno;
    const std::string other = holder(fd_);
    if (cause == EWOULDBLOCK) {
      ::close(fd_);
      fail_input(dir.string(), "another sdft" + other + " works in this folder",
                 "wait until it is done, or give another output_dir");
    }
    spdlog::warn("{}: this file system has no locks ({}); let no second sdft work in this folder",
                 dir.string(), std::strerror(cause));
    return;
  } while (!same_file(fd_, path_));
  const std::string process = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, process.data(), process.size(), 0) < 0) {
    const int cause = errno;  // only the name of the holder is missing, unless the disk is full
    ::unlink(path_.c_str());
    ::close(fd_);
    fail_input(path_.string(), std::string("cannot be written: ") + std::strerror(cause));
  }
}

bool is_locked(const std::filesystem::path& dir) {
  const Descriptor file(
      ::open((dir / ".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  return file.get() >= 0 && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

FolderLock::~FolderLock() {
  ::unlink(path_.c_str());  // while it is still locked, so that nobody else's file is removed
  ::close(fd_);
}

}  // namespace sdft
