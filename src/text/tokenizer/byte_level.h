// GPT-2's way of writing bytes as printable characters, in which byte-level vocabularies are written.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace sdft {

// The character of each byte: itself where Latin-1 prints it, else the next free one from U+0100 on.
const std::array<std::string, 256>& byte_level_characters();
// "Ġa" for " a".
std::string to_byte_level(std::string_view bytes);
// Appends what `token` stands for. A token with any other character (an added token) stands for itself.
void append_from_byte_level(std::string_view token, std::string& bytes);

// The split regex of GPT-2's ByteLevel.
inline constexpr const char* kGpt2SplitRegex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace sdft
