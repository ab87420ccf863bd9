// The words of a Jinja template.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sdft::jinja {

enum class TokenType : uint8_t {
  kData,
  kOutputBegin,
  kOutputEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenType type;
  int line;
  std::string text;  // data, name, operator, contents of a string with its escapes resolved
  int64_t integer = 0;
  double real = 0;
};

struct LexerOptions {
  bool trim_blocks = true;             // the line break after a block's end goes
  bool lstrip_blocks = true;           // white space before a block goes where the block is the line's first
  bool keep_trailing_newline = false;  // a line break at the template's end stays
};

// Throws Error(kInput) as "name:line: what".
std::vector<Token> tokenize(const std::string& source, const std::string& name, const LexerOptions& options);

}  // namespace sdft::jinja
