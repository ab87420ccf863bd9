#include "data/thinking.h"

#include <algorithm>

namespace sdft {

namespace {
std::string_view trim_left(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t\r\n\f\v"), text.size()));
}
}  // namespace

std::string_view strip_thinking(std::string_view text, bool opened) {
  for (bool first = true;; first = false) {
    const std::string_view rest = trim_left(text);
    bool found = false;
    for (const auto& [open, close] : kTraceMarks) {
      const size_t begin = rest.find(open), end = rest.find(close);
      // Marks further on are the answer's own words, unless a closing one was opened before the text began.
      if (begin != 0 && !(first && end < begin)) continue;
      if (end == std::string_view::npos) return {};
      text = trim_left(rest.substr(end + close.size()));
      found = true;
      break;
    }
    if (!found) return first && opened ? std::string_view() : text;
  }
}

}  // namespace sdft
