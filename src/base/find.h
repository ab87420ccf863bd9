// Searching in texts that nobody vouches for: linear in the worst case, where std::string::find multiplies
// the two lengths.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

namespace sdft {

// As text.find(wanted, from).
inline size_t find_text(std::string_view text, std::string_view wanted, size_t from = 0) {
  if (from > text.size()) return std::string_view::npos;
  if (wanted.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

// As text.rfind(wanted).
inline size_t find_text_last(std::string_view text, std::string_view wanted) {
  const std::string back(text.rbegin(), text.rend()), wanted_back(wanted.rbegin(), wanted.rend());
  const size_t found = find_text(back, wanted_back);
  return found == std::string_view::npos ? found : text.size() - found - wanted.size();
}

}  // namespace sdft
