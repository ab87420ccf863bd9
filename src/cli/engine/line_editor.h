// Lines typed at a terminal, with editing, a history and Ctrl-C that takes back the line and nothing else.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace sdft::cli {

class LineEditor {
 public:
  // One at a time. history: a file that keeps the newest lines from one call to the next, for the user's eyes
  // alone; "": none.
  explicit LineEditor(std::string prompt, std::filesystem::path history = {});
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // The next line without its line break; false at the end (Ctrl-D). Error(kInterrupted) on a signal, which
  // Ctrl-C is not while a line is typed: it only begins the line anew.
  bool read_line(std::string* line);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// XDG_STATE_HOME/sdft.cpp/NAME (else ~/.local/state/…), its folder made; "" where there is no home.
std::filesystem::path history_file(const std::string& name);

}  // namespace sdft::cli
