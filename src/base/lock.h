// One process at a time in a folder.
#pragma once

#include <filesystem>

namespace sdft {

// Holds DIR/.lock (made with the folder where missing) while it lives. Another holder, in whatever process:
// Error(kInput) that names its process. The file goes with its holder; what a killed process leaves behind
// locks nobody out. Neither copied nor shared with child processes.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& dir);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

// Whether somebody holds it just now; false where there is no such folder.
bool is_locked(const std::filesystem::path& dir);

}  // namespace sdft
