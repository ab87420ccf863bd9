#include "base/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/printable.h"
#include "base/terminal.h"

namespace sdft {

namespace {
std::string duration(double seconds) {
  const long whole = std::lround(seconds);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}
}  // namespace

Progress::Progress(std::string label, size_t total, std::string unit, bool enabled)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      enabled_(enabled),
      terminal_(is_terminal(2)) {}

Progress::~Progress() {
  if (enabled_ && started_ && terminal_ && !ended_) std::fputc('\n', stderr);
}

void Progress::update(const Standing& standing, const std::string& note) {
  const auto now = std::chrono::steady_clock::now();
  now_ = standing;
  if (!started_) {
    started_ = true;
    start_ = last_print_ = now;
    first_ = now_.done;
    if (now_.done < total_) return;
  }
  const bool last = now_.done >= total_ && !ended_;
  const double pause = terminal_ ? 0.1 : 10.0;
  if (!enabled_ || ended_ || (!last && std::chrono::duration<double>(now - last_print_).count() < pause))
    return;
  last_print_ = now;
  print(note, last);
}

void Progress::print(const std::string& note, bool last) {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const size_t done = now_.done;
  const double rate = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
  std::string text = fmt::format("{:<16} {}/{} {}", label_, done, total_, unit_);
  if (terminal_) {
    const size_t width = 24;
    const double all = static_cast<double>(std::max<size_t>(1, total_)),
                 before = static_cast<double>(first_) / all;
    const double part = now_.share > 0 ? before + (1 - before) * now_.share : static_cast<double>(done) / all;
    const size_t filled =
        last ? width : std::min(width, static_cast<size_t>(part * static_cast<double>(width)));
    std::string bar;
    for (size_t i = 0; i < width; ++i) bar += i < filled ? "━" : "·";
    text = fmt::format("{:<16} {} {}/{} {}", label_, bar, done, total_, unit_);
  }
  if (now_.tokens > 0 && seconds > 0)
    text += fmt::format("  {:.0f} tok/s", static_cast<double>(now_.tokens) / seconds);
  else if (rate > 0)
    text += fmt::format("  {:.{}f}/s", rate, rate < 10 ? 1 : 0);
  if (last) {
    text += fmt::format("  in {}", duration(seconds));
  } else if (now_.share > 0) {
    text += fmt::format("  {} left", duration(seconds * (1 - now_.share) / now_.share));
  } else if (rate > 0) {
    text += fmt::format("  {} left", duration(static_cast<double>(total_ - done) / rate));
  }
  if (!note.empty()) text += "  " + note;
  text = printable(text);  // labels name tasks of a recipe
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s%s", text.c_str(), last ? "\n" : "");
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
  std::fflush(stderr);
  ended_ = last;
}

}  // namespace sdft
