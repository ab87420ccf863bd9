#include "text/tokenizer/word_piece.h"

#include "base/error.h"
#include "base/interrupt.h"
#include "base/utf8.h"

namespace sdft {

WordPieceModel::WordPieceModel(TokenTable vocabulary, WordPieceOptions options, const std::string& where)
    : vocabulary_(std::move(vocabulary)),
      options_(std::move(options)),
      unk_(vocabulary_.find(options_.unk_token)),
      where_(where) {
  const std::string& prefix = options_.continuing_subword_prefix;
  for (int32_t id = 0; id < vocabulary_.end() && !options_.whole_words; ++id) {
    const std::string_view token = vocabulary_.token(id);
    first_.add(token, id);
    if (token.substr(0, prefix.size()) == prefix) later_.add(token.substr(prefix.size()), id);
  }
}

int32_t WordPieceModel::unk() const {
  if (unk_ == TokenTable::kNone)
    fail_input(where_, "a text needs unk_token '" + options_.unk_token + "', which is not in the vocabulary");
  return unk_;
}

// False where some part of the word has no piece.
bool WordPieceModel::pieces(std::string_view word, std::vector<int32_t>& ids) const {
  if (utf8_count(word) > options_.max_input_chars_per_word) return false;
  for (size_t begin = 0; begin < word.size();) {
    stop_if_interrupted();
    size_t size = 0;
    int32_t longest = TokenTable::kNone;
    (begin > 0 ? later_ : first_).find_prefixes(word.substr(begin), [&](size_t length, int32_t id) {
      size = length;
      longest = id;
    });
    if (longest == TokenTable::kNone) return false;
    ids.push_back(longest);
    begin += size;
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
