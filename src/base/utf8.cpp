#include "base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace sdft {
namespace {

struct Scan {
  size_t length;  // of the character, or of the ill-formed part
  bool valid;
};

// Well-formed byte sequences: Unicode 15, table 3-7.
Scan scan_character(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {1, true};
  if (lead < 0xc2 || lead > 0xf4) return {1, false};
  const size_t length = utf8_length(lead);
  unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  for (size_t i = 1; i < length; ++i) {
    if (at + i == text.size()) return {i, false};
    const auto byte = static_cast<unsigned char>(text[at + i]);
    if (byte < low || byte > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {length, true};
}

// Skips eight ASCII bytes at a time.
size_t skip_ascii(std::string_view text, size_t at) {
  while (at + 8 <= text.size()) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if (word & 0x8080808080808080ull) break;
    at += 8;
  }
  return at;
}

}  // namespace

size_t utf8_fault(std::string_view text) {
  for (size_t at = 0; (at = skip_ascii(text, at)) < text.size();) {
    const Scan scan = scan_character(text, at);
    if (!scan.valid) return at;
    at += scan.length;
  }
  return std::string_view::npos;
}

char32_t utf8_next_lossy(std::string_view text, size_t& at) {
  if (scan_character(text, at).valid) return utf8_next(text, at);
  ++at;
  return U'\uFFFD';
}

void utf8_append(std::string& out, char32_t c) {
  auto put = [&](char32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      put(0xe0 | c >> 12);
    } else {
      put(0xf0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3f));
    }
    put(0x80 | (c >> 6 & 0x3f));
  }
  put(0x80 | (c & 0x3f));
}

std::string utf8_of(char32_t c) {
  std::string out;
  utf8_append(out, c);
  return out;
}

size_t utf8_count(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

std::string utf8_lossy(std::string bytes) {
  size_t at = utf8_fault(bytes);
  if (at == std::string::npos) return bytes;
  std::string out = bytes.substr(0, at);
  while (at < bytes.size()) {
    const Scan scan = scan_character(bytes, at);
    if (scan.valid)
      out.append(bytes, at, scan.length);
    else
      out += "\xef\xbf\xbd";
    at += scan.length;
  }
  return out;
}

}  // namespace sdft
