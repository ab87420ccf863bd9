// What went wrong, where, what was expected and what to do; and whose fault it is, as an exit code.
#pragma once

#include <stdexcept>
#include <string>

// What libsdft.so shows; all else in it is hidden.
#define SDFT_API __attribute__((visibility("default")))

namespace sdft {

enum class ExitCode {
  kDone = 0,
  kInternal = 1,      // a bug in sdft
  kUsage = 2,         // flags, recipe keys
  kInput = 3,         // files, datasets, models; also a full disk
  kDevice = 4,        // no such device, or out of memory
  kInterrupted = 130  // Ctrl-C or SIGTERM; the same command goes on
};

class SDFT_API Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

}  // namespace sdft
