#include "cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "base/printable.h"

namespace sdft::cli {

namespace {
void require_written(bool good) {
  if (good) return;
  if (errno == EPIPE) throw Error(ExitCode::kInterrupted, "nobody reads the output any more");
  fail_input("standard output", std::string("cannot be written: ") + std::strerror(errno));
}
}  // namespace

void write_marked(std::string_view text) {
  require_written(std::fwrite(text.data(), 1, text.size(), stdout) == text.size());
}

std::string shown(std::string_view text) {
  static const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  return terminal ? printable(text) : std::string(text);
}

void write_out(std::string_view text) { write_marked(shown(text)); }

void flush_out() { require_written(std::fflush(stdout) == 0 && !std::ferror(stdout)); }

void write_line(const Json& json) {
  write_out(to_line(json) + "\n");
  flush_out();
}

std::string list_of(const std::vector<std::string>& names, size_t most) {
  std::string text;
  for (size_t i = 0; i < std::min(most, names.size()); ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

}  // namespace sdft::cli
