#include "text/sentencepiece_model.h"

#include <sentencepiece_processor.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"

namespace sdft {
namespace {

constexpr std::string_view kSpace = "▁";

// A protobuf message may be followed by a second one with fields to overwrite. This is
// ModelProto{normalizer_spec{ add_dummy_prefix: false}}: field 3 (2 bytes), in it field 3 = 0.
constexpr std::string_view kNoDummyPrefix("\x1a\x02\x18\x00", 4);

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

std::vector<int> encode_ids(const sentencepiece::SentencePieceProcessor& processor, std::string_view text) {
  std::vector<int> ids;
  const auto status = processor.Encode(text, &ids);
  if (!status.ok()) fail_input("text to tokenize", "SentencePiece failed: " + status.ToString());
  return ids;
}

}  // namespace

SentencePieceModel::SentencePieceModel(const std::filesystem::path& path, bool legacy, bool prefix_space)
    : legacy_(legacy) {
  std::string bytes = read_text(path);
  if (!legacy) bytes += kNoDummyPrefix;
  auto processor = std::make_shared<sentencepiece::SentencePieceProcessor>();
  const auto status = processor->LoadFromSerializedProto(bytes);
  if (!status.ok())
    fail_input(path.string(), "not a SentencePiece model: " + status.ToString(), "is the file complete?");
  for (int id = 0; id < processor->GetPieceSize(); ++id) vocabulary_.add(processor->IdToPiece(id), id);
  processor_ = processor;
  if (legacy) {
    std::vector<std::string> pieces;
    const bool encoded = processor->Encode("a", &pieces).ok();
    starts_with_space_ = encoded && !pieces.empty() && starts_with(pieces[0], kSpace);
  } else {
    starts_with_space_ = prefix_space;
    guard_text_ = processor->IdToPiece(processor->unk_id());
    guard_ = encode_ids(*processor, guard_text_);
  }
}

int32_t SentencePieceModel::unk() const { return processor_->unk_id(); }
int32_t SentencePieceModel::bos() const { return processor_->bos_id(); }
int32_t SentencePieceModel::eos() const { return processor_->eos_id(); }
int32_t SentencePieceModel::pad() const { return processor_->pad_id(); }

void SentencePieceModel::encode(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
  const bool prefixed = !legacy_ && at_start && starts_with_space_;
  if (legacy_ || (!prefixed && !starts_with(text, " ") && !starts_with(text, kSpace))) {
    const auto more = encode_ids(*processor_, text);
    ids.insert(ids.end(), more.begin(), more.end());
    return;
  }
  // SentencePiece may strip leading spaces, so a text without any goes first and its ids are taken away
  // again.
  std::string guarded = guard_text_;
  if (prefixed) guarded += kSpace;
  guarded += text;
  const auto more = encode_ids(*processor_, guarded);
  ids.insert(ids.end(), more.begin() + static_cast<std::ptrdiff_t>(std::min(guard_.size(), more.size())),
             more.end());
}

}  // namespace sdft
