#include "text/tokenizer/sentencepiece_model.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"

namespace sdft {
namespace {

constexpr std::string_view kSpace = "▁";

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

// The id of a special piece, -1 where no piece of that type has its name.
int32_t special_id(const SentencePieces& pieces, std::string_view name, SentencePieceType type) {
  const int32_t id = pieces.find(name);
  return pieces.types[id] == type ? id : TokenTable::kNone;
}

// Unknown pieces become bytes, or neighbouring ones become one.
void append_ids(const SentencePieces& pieces, const std::vector<SentencePieceCut>& cuts,
                std::vector<int32_t>& ids) {
  bool after_unknown = false;
  for (const auto& cut : cuts) {
    // As in SentencePiece: else a text could put tokens into a prompt that only the program may.
    if (pieces.types[cut.id] == SentencePieceType::kControl)
      fail_input("text to tokenize", "'" + std::string(cut.text) + "' is a control token of the model");
    const bool unknown = cut.id == pieces.unk;
    if (unknown && !pieces.byte_tokens.empty())
      for (char c : cut.text) ids.push_back(pieces.byte_tokens[static_cast<unsigned char>(c)]);
    else if (!unknown || !after_unknown)
      ids.push_back(cut.id);
    after_unknown = unknown;
  }
}

}  // namespace

SentencePieceModel::SentencePieceModel(const std::filesystem::path& path, bool legacy, bool prefix_space)
    : SentencePieceModel(read_text(path), path.string(), legacy, prefix_space) {}

SentencePieceModel::SentencePieceModel(std::string_view bytes, const std::string& where, bool legacy,
                                       bool prefix_space)
    : legacy_(legacy) {
  SentencePieceFile file = read_sentencepiece_file(bytes, where);
  if (!legacy) file.add_dummy_prefix = false;
  algorithm_ = file.algorithm;
  pieces_ = make_sentencepieces(file, where);
  normalizer_ = make_sentencepiece_normalizer(file, where);
  if (algorithm_ == SentencePieceAlgorithm::kUnigram) unigram_ = make_sentencepiece_unigram(pieces_);
  for (const auto& piece : file.pieces)
    vocabulary_.add(piece.text, static_cast<int32_t>(&piece - file.pieces.data()));
  unk_ = special_id(pieces_, file.unk_piece, SentencePieceType::kUnknown);
  bos_ = special_id(pieces_, file.bos_piece, SentencePieceType::kControl);
  eos_ = special_id(pieces_, file.eos_piece, SentencePieceType::kControl);
  pad_ = special_id(pieces_, file.pad_piece, SentencePieceType::kControl);
  if (legacy) {
    starts_with_space_ = starts_with(normalize_for_sentencepiece(normalizer_, pieces_, "a"), kSpace);
  } else {
    starts_with_space_ = prefix_space;
    guard_text_ = file.pieces[pieces_.unk].text;
    WordCache cache;
    encode_line(guard_text_, cache, guard_);
  }
}

void SentencePieceModel::cut(std::string_view normalized, std::vector<SentencePieceCut>& cuts) const {
  switch (algorithm_) {
    case SentencePieceAlgorithm::kUnigram:
      return cut_unigram(pieces_, unigram_, normalized, cuts);
    case SentencePieceAlgorithm::kBpe:
      return cut_bpe(pieces_, normalized, cuts);
    case SentencePieceAlgorithm::kWord:
      return cut_words(pieces_, normalized, cuts);
    case SentencePieceAlgorithm::kChar:
      return cut_characters(pieces_, normalized, cuts);
  }
}

void SentencePieceModel::encode_line(std::string_view text, WordCache& cache,
                                     std::vector<int32_t>& ids) const {
  const std::string normalized = normalize_for_sentencepiece(normalizer_, pieces_, text);
  const std::string_view line = normalized;
  const bool by_words = algorithm_ == SentencePieceAlgorithm::kBpe && !pieces_.has_unused;
  const size_t first = ids.size();
  std::vector<SentencePieceCut> cuts;
  std::vector<int32_t> word_ids;
  for (size_t begin = 0, end; begin < line.size(); begin = end) {
    end = by_words ? bpe_word_end(pieces_, line, begin) : line.size();
    const std::string_view word = line.substr(begin, end - begin);
    word_ids.clear();
    if (!by_words || !cache.get(word, word_ids)) {
      cuts.clear();
      cut(word, cuts);
      append_ids(pieces_, cuts, word_ids);
      if (by_words) cache.put(word, word_ids.data(), word_ids.size());
    }
    const bool unknown_goes_on =
        ids.size() > first && ids.back() == pieces_.unk && word_ids[0] == pieces_.unk;
    ids.insert(ids.end(), word_ids.begin() + unknown_goes_on, word_ids.end());
  }
}

void SentencePieceModel::encode(std::string_view text, bool at_start, WordCache& cache,
                                std::vector<int32_t>& ids) const {
  const bool prefixed = !legacy_ && at_start && starts_with_space_;
  if (legacy_ || (!prefixed && !starts_with(text, " ") && !starts_with(text, kSpace))) {
    encode_line(text, cache, ids);
    return;
  }
  // Normalization may strip leading spaces, so a text without any goes first and its ids are taken away
  // again.
  std::string guarded = guard_text_;
  if (prefixed) guarded += kSpace;
  guarded += text;
  std::vector<int32_t> more;
  encode_line(guarded, cache, more);
  ids.insert(ids.end(), more.begin() + static_cast<std::ptrdiff_t>(std::min(guard_.size(), more.size())),
             more.end());
}

}  // namespace sdft
