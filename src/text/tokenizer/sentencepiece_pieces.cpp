#include "text/tokenizer/sentencepiece_pieces.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/tokenizer/token_decoder.h"

namespace sdft {
namespace {

using Type = SentencePieceType;

constexpr std::string_view kSpace = "▁";

bool is_ordinary(Type type) {
  return type == Type::kNormal || type == Type::kUserDefined || type == Type::kUnused;
}

void add_piece(SentencePieces& pieces, const SentencePieceFile::Piece& piece, bool byte_fallback,
               const std::string& where) {
  const auto id = static_cast<int32_t>(pieces.scores.size());
  auto fail = [&](const std::string& what) {
    fail_input(where, "piece " + std::to_string(id) + " " + what, "the model is damaged");
  };
  if (!(is_ordinary(piece.type) ? pieces.ordinary : pieces.reserved).add(piece.text, id))
    fail("has the same text as another");
  if (utf8_fault(piece.text) != std::string_view::npos) fail("is not UTF-8");
  if (is_ordinary(piece.type)) {
    pieces.longest = std::max(pieces.longest, piece.text.size());
    for (size_t at = piece.text.find(kSpace, 1); at != std::string_view::npos;
         at = piece.text.find(kSpace, at + 1))
      pieces.before_space[static_cast<unsigned char>(piece.text[at - 1])] = true;
  }
  if (piece.type == Type::kUnused) pieces.has_unused = true;
  if (piece.type == Type::kUserDefined) {
    pieces.user_defined.add(piece.text, id);
    pieces.has_user_defined = true;
  }
  if (piece.type == Type::kUnknown) {
    if (pieces.unk != TokenTable::kNone) fail("is a second unknown piece");
    pieces.unk = id;
  }
  if (piece.type == Type::kByte && !byte_fallback) fail("stands for a byte, but byte_fallback is false");
  if (piece.type == Type::kByte && !is_byte_token(piece.text))
    fail("stands for a byte, but is not like <0x0A>");
  pieces.scores.push_back(piece.score);
  pieces.types.push_back(piece.type);
}

}  // namespace

SentencePieces make_sentencepieces(const SentencePieceFile& file, const std::string& where) {
  SentencePieces pieces;
  for (const auto& piece : file.pieces) add_piece(pieces, piece, file.byte_fallback, where);
  if (pieces.unk == TokenTable::kNone)
    fail_input(where, "no piece is the unknown one", "the model is damaged");
  for (int byte = 0; file.byte_fallback && byte < 256; ++byte) {
    const int32_t id = pieces.reserved.find(byte_token(byte));
    if (id == TokenTable::kNone || pieces.types[id] != Type::kByte)
      fail_input(where, "byte_fallback is true, but there is no byte piece " + byte_token(byte),
                 "the model is damaged");
    pieces.byte_tokens.push_back(id);
  }
  return pieces;
}

int32_t SentencePieces::find(std::string_view text) const {
  int32_t id = reserved.find(text);
  if (id == TokenTable::kNone) id = ordinary.find(text);
  return id == TokenTable::kNone ? unk : id;
}

size_t SentencePieces::user_defined_prefix(std::string_view text) const {
  size_t longest_match = 0;
  if (has_user_defined)
    user_defined.find_prefixes(text, [&](size_t length, int32_t) { longest_match = length; });
  return longest_match;
}

size_t bpe_word_end(const SentencePieces& pieces, std::string_view text, size_t begin) {
  size_t end = begin;
  do end = text.find(kSpace, end + 1);
  while (end != std::string_view::npos && pieces.before_space[static_cast<unsigned char>(text[end - 1])]);
  return std::min(end, text.size());
}

size_t first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  return std::min<size_t>(text.size(), lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);
}

}  // namespace sdft
