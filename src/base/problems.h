// Problems gathered, so that one run shows all of them.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace sdft {

class Problems {
 public:
  void add(const std::string& problem, ExitCode code = ExitCode::kUsage) {
    if (list_.empty()) code_ = code;
    list_.push_back(problem);
  }
  bool empty() const { return list_.empty(); }
  // Runs check(), whose Error is a problem among others. An interruption goes on.
  template <typename Check>
  void gather(Check check) {
    try {
      check();
    } catch (const Error& error) {
      if (error.code() == ExitCode::kInterrupted) throw;
      add(error.what(), error.code());
    }
  }
  // Error with everything that was gathered, and the code of the first; nothing where nothing was.
  void raise() const {
    if (list_.empty()) return;
    std::string text = list_.size() == 1 ? "" : std::to_string(list_.size()) + " problems:\n  ";
    for (size_t i = 0; i < list_.size(); ++i) text += (i ? "\n  " : "") + list_[i];
    throw Error(code_, text);
  }

 private:
  std::vector<std::string> list_;
  ExitCode code_ = ExitCode::kUsage;
};

}  // namespace sdft
