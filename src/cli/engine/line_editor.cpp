#include "cli/engine/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

#include "base/error.h"
#include "base/interrupt.h"

namespace sdft::cli {

namespace {
constexpr char kCtrlC = 3;
}

struct LineEditor::State {
  std::string prompt;
  std::filesystem::path kept;
  EditLine* editor = nullptr;
  History* history = nullptr;
  bool taken_back = false;  // by Ctrl-C

  static char* prompt_of(EditLine* editor) { return of(editor)->prompt.data(); }
  static State* of(EditLine* editor) {
    State* state = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &state);
    return state;
  }
  static int next_character(EditLine* editor, wchar_t* to);
};

// As libedit asks for it: 1, 0 at the end, -1 where the line ends without one. No exception may leave it.
int LineEditor::State::next_character(EditLine* editor, wchar_t* to) {
  for (std::mbstate_t state{};;) {
    pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {interrupt_descriptor(), POLLIN, 0}};
    if (::poll(waits, 2, 1000) < 0 && errno != EINTR) return -1;
    if (interrupted) return -1;
    if (!waits[0].revents) continue;
    char byte;
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return static_cast<int>(count);
    if (byte == kCtrlC) {
      of(editor)->taken_back = true;
      return -1;
    }
    const size_t used = std::mbrtowc(to, &byte, 1, &state);
    if (used <= 1) return 1;
    if (used == static_cast<size_t>(-1)) state = {};  // no UTF-8: left out
  }
}

LineEditor::LineEditor(std::string prompt, std::filesystem::path history)
    : state_(std::make_unique<State>()) {
  std::setlocale(LC_CTYPE, "C.UTF-8");  // libedit converts by it
  state_->prompt = std::move(prompt);
  state_->kept = std::move(history);
  state_->editor = ::el_init("sdft.cpp", stdin, stderr, stderr);
  state_->history = ::history_init();
  if (!state_->editor || !state_->history) throw memory_error("cannot edit lines");
  EditLine* editor = state_->editor;
  HistEvent event;
  ::history(state_->history, &event, H_SETSIZE, 1000);
  ::history(state_->history, &event, H_SETUNIQUE, 1);
  if (!state_->kept.empty()) ::history(state_->history, &event, H_LOAD, state_->kept.c_str());
  ::el_set(editor, EL_CLIENTDATA, state_.get());
  ::el_set(editor, EL_PROMPT, State::prompt_of);
  ::el_set(editor, EL_EDITOR, "emacs");
  ::el_set(editor, EL_HIST, ::history, state_->history);
  ::el_set(editor, EL_GETCFN, State::next_character);
  ::el_set(editor, EL_SETTY, "-d", "-isig", nullptr);  // Ctrl-C is a character while a line is typed
  ::el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  ::el_source(editor, nullptr);  // ~/.editrc
}

LineEditor::~LineEditor() {
  HistEvent event;
  if (!state_->kept.empty()) ::history(state_->history, &event, H_SAVE, state_->kept.c_str());  // as 0600
  if (state_->history) ::history_end(state_->history);
  if (state_->editor) ::el_end(state_->editor);
}

std::filesystem::path history_file(const std::string& name) {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state && *state)
    folder = state;
  else if (home && *home)
    folder = std::filesystem::path(home) / ".local" / "state";
  else
    return {};
  std::error_code fault;
  std::filesystem::create_directories(folder / "sdft.cpp", fault);
  return fault ? std::filesystem::path() : folder / "sdft.cpp" / name;
}

bool LineEditor::read_line(std::string* line) {
  for (;;) {
    state_->taken_back = false;
    int count = 0;
    // Before the prompt and not, as libedit has it, behind it: a Ctrl-C in between would end the program.
    ::el_set(state_->editor, EL_PREP_TERM, 1);
    const char* text = ::el_gets(state_->editor, &count);
    if (state_->taken_back) {
      std::fputs("^C\n", stderr);
      continue;
    }
    if (interrupted) std::fputc('\n', stderr);
    stop_if_interrupted();
    if (!text || count <= 0) return std::fputc('\n', stderr), false;
    line->assign(text, static_cast<size_t>(count));
    if (line->back() == '\n') line->pop_back();
    HistEvent event;
    if (!line->empty()) ::history(state_->history, &event, H_ENTER, line->c_str());
    return true;
  }
}

}  // namespace sdft::cli
