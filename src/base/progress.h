// Progress on stderr: a bar with rate and time left on a terminal, never wider than it, a plain line now and
// then otherwise.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace sdft {

// Where work stands that is known in finer steps than what is counted.
struct Standing {
  size_t done = 0;     // of what is counted
  double share = 0;    // of the work that began with the first update, about; 0: not known
  int64_t tokens = 0;  // dealt with since then; 0: none, or not counted
};

struct ProgressTo {
  bool terminal = true;             // stderr
  std::filesystem::path file = {};  // for whoever follows a run: what is shown, as JSON; "": none
};

// What another line on stderr begins with, so that it takes the place of a bar that stands there (the next
// update draws it again); "" where none does. Thread safe.
const char* over_progress();

class Progress {
 public:
  // "distill", 2211, "answers". The file is there as long as this is.
  Progress(std::string label, size_t total, std::string unit, ProgressTo to = {});
  ~Progress();  // ends the bar's line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // `done` of total; the first call sets what was already there. note: shown behind, "loss 1.23".
  void update(size_t done, const std::string& note = "") { update(Standing{done}, note); }
  // With rate and time left before the first of what is counted is done.
  void update(const Standing& now, const std::string& note = "");

 private:
  // How fast it goes; negative: not known.
  struct Pace {
    double seconds = 0, tokens_per_second = -1, per_second = -1, seconds_left = -1;
  };
  Pace pace() const;
  void print(const std::string& note, bool last);
  void keep(const std::string& note);
  std::string label_, unit_;
  size_t total_, first_ = 0;
  Standing now_;
  ProgressTo to_;
  bool terminal_, started_ = false, ended_ = false;
  std::chrono::steady_clock::time_point start_, last_print_, last_kept_;
};

}  // namespace sdft
