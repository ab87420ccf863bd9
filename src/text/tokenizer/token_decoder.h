// Decoders: tokens of a vocabulary become text again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/normalizer.h"

namespace sdft {

struct DecoderStep {
  enum class Kind {
    kSpaced,        // one string, spaces between the tokens: where there is no decoder
    kByteLevel,     // GPT-2's characters become bytes, all tokens one string
    kReplace,       // pattern by content, token by token
    kByteFallback,  // runs of <0x..> become characters, or one U+FFFD each where they are not UTF-8
    kFuse,          // one string
    kStrip,         // up to `start` times `content` before, `stop` times behind, token by token
    kMetaspace,     // `content` becomes a space, and nothing in the first token if `strip_first`
    kWordPiece,     // a space before tokens that do not start with `content`; English spacing cleaned if
                    // `cleanup`
    kBpe,           // `content` is the end of a word
    kCtc,           // repeats become one, `content` (the padding) nothing, `delimiter` a space
  };
  Kind kind;
  Pattern pattern;
  std::string content, delimiter;
  size_t start = 0, stop = 0;
  bool strip_first = false, cleanup = false;
  std::string where;  // the file and the step's place in it, for messages
};

// Throws Error(kInput) where a step makes the text grow without bound.
std::string decode_tokens(const std::vector<DecoderStep>& steps, std::vector<std::string> tokens);

// True where the text of a sequence's start is the start of the sequence's text, save for its last,
// unfinished character or run of <0x..> tokens.
bool decodes_by_prefix(const std::vector<DecoderStep>& steps);

// "<0x0A>"
bool is_byte_token(std::string_view token);
std::string byte_token(int byte);

}  // namespace sdft
