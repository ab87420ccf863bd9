#include "text/sentencepiece_model.h"

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

}  // namespace

SentencePieceModel::SentencePieceModel(const std::filesystem::path& path, bool legacy, bool prefix_space)
    : legacy_(legacy) {
  const std::string bytes = read_text(path);
  SentencePieceFile file = read_sentencepiece_file(bytes, path.string());
  if (!legacy) file.add_dummy_prefix = false;
  algorithm_ = file.algorithm;
  pieces_ = make_sentencepieces(file, path.string());
  normalizer_ = make_sentencepiece_normalizer(file, path.string());
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
    encode_line(guard_text_, guard_);
  }
}

void SentencePieceModel::encode_line(std::string_view text, std::vector<int32_t>& ids) const {
  const std::string normalized = normalize_for_sentencepiece(normalizer_, pieces_, text);
  std::vector<SentencePieceCut> cuts;
  switch (algorithm_) {
    case SentencePieceAlgorithm::kUnigram:
      cut_unigram(pieces_, unigram_, normalized, cuts);
      break;
    case SentencePieceAlgorithm::kBpe:
      cut_bpe(pieces_, normalized, cuts);
      break;
    case SentencePieceAlgorithm::kWord:
      cut_words(pieces_, normalized, cuts);
      break;
    case SentencePieceAlgorithm::kChar:
      cut_characters(pieces_, normalized, cuts);
      break;
  }
  bool after_unknown = false;
  for (const auto& cut : cuts) {
    const bool unknown = cut.id == pieces_.unk;
    if (unknown && !pieces_.byte_tokens.empty())
      for (char c : cut.text) ids.push_back(pieces_.byte_tokens[static_cast<unsigned char>(c)]);
    else if (!unknown || !after_unknown)  // neighbouring unknown pieces become one
      ids.push_back(cut.id);
    after_unknown = unknown;
  }
}

void SentencePieceModel::encode(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
  const bool prefixed = !legacy_ && at_start && starts_with_space_;
  if (legacy_ || (!prefixed && !starts_with(text, " ") && !starts_with(text, kSpace))) {
    encode_line(text, ids);
    return;
  }
  // Normalization may strip leading spaces, so a text without any goes first and its ids are taken away
  // again.
  std::string guarded = guard_text_;
  if (prefixed) guarded += kSpace;
  guarded += text;
  std::vector<int32_t> more;
  encode_line(guarded, more);
  ids.insert(ids.end(), more.begin() + static_cast<std::ptrdiff_t>(std::min(guard_.size(), more.size())),
             more.end());
}

}  // namespace sdft
