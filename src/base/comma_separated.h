// "a, b,,c" as a list.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace sdft {

// The parts without the spaces around them; empty ones too.
inline std::vector<std::string> comma_separated(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t first = std::min(part.find_first_not_of(' '), part.size());
    parts.push_back(part.substr(first, part.find_last_not_of(' ') + 1 - first));
    begin = end + 1;
  }
  return parts;
}

// And back: "a, b".
inline std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace sdft
