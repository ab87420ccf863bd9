#include "text/tokenizer/byte_level.h"

#include "base/utf8.h"

namespace sdft {
namespace {

constexpr char32_t kLastCharacter = 0x143;  // 188 bytes print as themselves, 68 are written from U+0100 on

bool prints_as_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

struct Alphabet {
  std::array<std::string, 256> character;
  std::array<int, kLastCharacter + 1> byte;  // -1: not of the alphabet

  Alphabet() {
    byte.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const char32_t c = prints_as_itself(b) ? static_cast<char32_t>(b) : next++;
      character[b] = utf8_of(c);
      byte[c] = b;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const std::array<std::string, 256>& byte_level_characters() { return alphabet().character; }

std::string to_byte_level(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 4);
  for (unsigned char b : bytes) out += alphabet().character[b];
  return out;
}

void append_from_byte_level(std::string_view token, std::string& bytes) {
  const size_t before = bytes.size();
  for (size_t at = 0; at < token.size();) {
    const char32_t c = utf8_next(token, at);
    const int byte = c <= kLastCharacter ? alphabet().byte[c] : -1;
    if (byte < 0) {
      bytes.resize(before);
      bytes += token;
      return;
    }
    bytes.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
  }
}

}  // namespace sdft
