#include "base/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "base/json.h"
#include "base/printable.h"
#include "base/terminal.h"
#include "base/utf8.h"

namespace sdft {

namespace {
std::string duration(double seconds) {
  const long whole = std::lround(seconds);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

// "━━━━━···": as wide as fits beside `used` columns, "" where that is no bar any more.
std::string bar(double part, size_t used) {
  constexpr size_t kWidest = 24, kNarrowest = 4;
  const auto columns = static_cast<size_t>(terminal_columns(2));
  const size_t width = columns == 0 ? kWidest : std::min(kWidest, columns - std::min(columns, used + 2));
  if (width < kNarrowest) return "";
  const size_t filled = std::min(width, static_cast<size_t>(part * static_cast<double>(width)));
  std::string text;
  for (size_t i = 0; i < width; ++i) text += i < filled ? "━" : "·";
  return text + " ";
}

std::atomic<bool> bar_stands{false};  // the cursor is behind one
}  // namespace

const char* over_progress() { return bar_stands.exchange(false) ? "\r\033[K" : ""; }

Progress::Progress(std::string label, size_t total, std::string unit, ProgressTo to)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      to_(std::move(to)),
      terminal_(is_terminal(2)) {}

Progress::~Progress() {
  if (to_.terminal && terminal_ && bar_stands.exchange(false)) std::fputc('\n', stderr);
  std::error_code none;
  if (!to_.file.empty()) std::filesystem::remove(to_.file, none);
}

void Progress::update(const Standing& standing, const std::string& note) {
  const auto now = std::chrono::steady_clock::now();
  auto passed = [&](auto since) { return std::chrono::duration<double>(now - since).count(); };
  now_ = standing;
  const bool first = !started_;
  if (first) {
    started_ = true;
    start_ = last_print_ = last_kept_ = now;
    first_ = now_.done;
  }
  if (!to_.file.empty() && (first || passed(last_kept_) >= 1)) {
    last_kept_ = now;
    keep(note);
  }
  if (first && now_.done < total_) return;
  const bool last = now_.done >= total_ && !ended_;
  const double pause = terminal_ ? 0.1 : 10.0;
  if (!to_.terminal || ended_ || (!last && passed(last_print_) < pause)) return;
  last_print_ = now;
  print(note, last);
}

Progress::Pace Progress::pace() const {
  Pace pace;
  pace.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  if (pace.seconds <= 0) return pace;
  const double done = static_cast<double>(now_.done - first_);
  if (now_.tokens > 0) pace.tokens_per_second = static_cast<double>(now_.tokens) / pace.seconds;
  if (done > 0) pace.per_second = done / pace.seconds;
  if (now_.share > 0)
    pace.seconds_left = pace.seconds * (1 - now_.share) / now_.share;
  else if (done > 0)
    pace.seconds_left = static_cast<double>(total_ - now_.done) / pace.per_second;
  return pace;
}

void Progress::keep(const std::string& note) {
  const Pace now = pace();
  Json json = {{"label", label_}, {"done", now_.done}, {"total", total_}, {"unit", unit_}};
  json["seconds"] = now.seconds;
  if (now.tokens_per_second > 0) json["tokens_per_second"] = now.tokens_per_second;
  if (now.per_second > 0) json["per_second"] = now.per_second;
  if (now.seconds_left >= 0) json["seconds_left"] = now.seconds_left;
  if (!note.empty()) json["note"] = note;
  write_file_passing(to_.file, to_line(json) + "\n");
}

void Progress::print(const std::string& note, bool last) {
  const Pace now = pace();
  const size_t done = now_.done;
  std::string text = fmt::format("{}/{} {}", done, total_, unit_);
  if (now.tokens_per_second > 0)
    text += fmt::format("  {:.0f} tok/s", now.tokens_per_second);
  else if (now.per_second > 0)
    text += fmt::format("  {:.{}f}/s", now.per_second, now.per_second < 10 ? 1 : 0);
  if (last)
    text += fmt::format("  in {}", duration(now.seconds));
  else if (now.seconds_left >= 0)
    text += fmt::format("  {} left", duration(now.seconds_left));
  if (!note.empty()) text += "  " + note;
  // Labels name tasks of a recipe.
  const std::string label = printable(fmt::format("{:<20} ", label_));
  text = printable(text);
  ended_ = last;
  if (!terminal_) {
    std::fprintf(stderr, "%s%s\n", label.c_str(), text.c_str());
  } else {
    const double all = static_cast<double>(std::max<size_t>(1, total_)),
                 before = static_cast<double>(first_) / all;
    const double part = now_.share > 0 ? before + (1 - before) * now_.share : static_cast<double>(done) / all;
    text = label + bar(last ? 1 : part, utf8_count(label + text)) + text;
    // While it changes the terminal must not wrap it: only one line can be drawn over.
    std::fprintf(stderr, last ? "\r\033[K%s\n" : "\r\033[K\033[?7l%s\033[?7h", text.c_str());
    bar_stands = !last;
  }
  std::fflush(stderr);
}

}  // namespace sdft
