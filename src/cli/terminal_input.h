// Lines of standard input, from which Ctrl-C is noticed while waiting for one.
#pragma once

#include <string>

namespace sdft::cli {

class TerminalInput {
 public:
  // The next line without its line break; false at the end. Error(kInterrupted) once `interrupted` is set.
  bool read_line(std::string* line);

 private:
  bool fill();  // false at the end of the input
  std::string buffer_;
  size_t begin_ = 0;
};

}  // namespace sdft::cli
