#include "serve/text.h"

#include <algorithm>

namespace sdft::serve {

std::string AnswerText::add(int32_t token) {
  held_ += decoder_.add(token);
  return released(false);
}

std::string AnswerText::finish() {
  held_ += decoder_.finish();
  return released(true);
}

std::string AnswerText::released(bool all) {
  if (stopped_) return "";
  size_t end = held_.size();
  for (const std::string& stop : stops_) {
    const size_t found = held_.find(stop);
    if (found != std::string::npos && found <= end) end = found, stopped_ = true;
  }
  if (!stopped_ && !all)
    for (const std::string& stop : stops_) {
      // The longest end of the text with which this one may begin.
      size_t same = std::min(stop.size() - 1, held_.size());
      while (same > 0 && held_.compare(held_.size() - same, same, stop, 0, same) != 0) --same;
      end = std::min(end, held_.size() - same);
    }
  const std::string text = held_.substr(0, end);
  held_.erase(0, end);
  return text;
}

}  // namespace sdft::serve
