// What tests share: where fixtures lie, a scratch folder, a way to run the real executable.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace sdft::testing {

// Reference material beside the checkout; absent for most people.
inline std::filesystem::path shared_dir() {
  const char* env = std::getenv("SDFT_SHARED");
  return env ? std::filesystem::path(env) : std::filesystem::path(SDFT_SOURCE_DIR).parent_path() / "shared";
}

// Of ../shared where it is there, else of the project's own smaller selection (tests/fixtures).
inline std::filesystem::path fixture(const std::string& name) {
  const std::filesystem::path shared = shared_dir() / "fixtures" / name,
                              own = std::filesystem::path(SDFT_SOURCE_DIR) / "tests" / "fixtures" / name;
  return !std::filesystem::exists(shared) && std::filesystem::exists(own) ? own : shared;
}

// A folder of its own for one test, removed at the end.
class ScratchDir {
 public:
  ScratchDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sdft-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace sdft::testing

// Skips the test, saying which file is missing, where ../shared is not there.
#define REQUIRE_FIXTURE(path)                                                                    \
  do {                                                                                           \
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << (path) << " (set SDFT_SHARED)"; \
  } while (0)
