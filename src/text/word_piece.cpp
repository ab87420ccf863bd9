#include "text/word_piece.h"

#include "base/error.h"
#include "base/utf8.h"

namespace sdft {

WordPieceModel::WordPieceModel(TokenTable vocabulary, WordPieceOptions options, const std::string& where)
    : vocabulary_(std::move(vocabulary)),
      options_(std::move(options)),
      unk_(vocabulary_.find(options_.unk_token)),
      where_(where) {}

int32_t WordPieceModel::unk() const {
  if (unk_ == TokenTable::kNone)
    fail_input(where_, "a text needs unk_token '" + options_.unk_token + "', which is not in the vocabulary");
  return unk_;
}

// False where some part of the word has no piece.
bool WordPieceModel::pieces(std::string_view word, std::vector<int32_t>& ids) const {
  if (utf8_count(word) > options_.max_input_chars_per_word) return false;
  std::string piece;
  for (size_t begin = 0; begin < word.size();) {
    piece = begin > 0 ? options_.continuing_subword_prefix : "";
    const size_t prefix = piece.size();
    piece += word.substr(begin);
    int32_t id = TokenTable::kNone;
    while (piece.size() > prefix && (id = vocabulary_.find(piece)) == TokenTable::kNone)
      piece.resize(utf8_previous(piece, piece.size()));
    if (id == TokenTable::kNone) return false;
    ids.push_back(id);
    begin += piece.size() - prefix;
  }
  return true;
}

void WordPieceModel::encode(std::string_view word, WordCache& cache, std::vector<int32_t>& ids) const {
  if (cache.get(word, ids)) return;
  const size_t before = ids.size();
  if (options_.whole_words) {
    const int32_t id = vocabulary_.find(word);
    ids.push_back(id == TokenTable::kNone ? unk() : id);
  } else if (!pieces(word, ids)) {
    ids.resize(before);
    ids.push_back(unk());
  }
  cache.put(word, ids.data() + before, ids.size() - before);
}

}  // namespace sdft
