#include "text/tokenizer/sentencepiece_file.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/utf8.h"

namespace sdft {
namespace {

enum Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  uint32_t wire = kVarint;
  uint64_t number_value = 0;  // of a varint or a fixed number
  std::string_view bytes;
};

// The fields of one protobuf message, one after the other.
class Message {
 public:
  Message(std::string_view bytes, std::string name, const std::string& where)
      : bytes_(bytes), name_(std::move(name)), where_(where) {}

  bool next(Field& field) {
    if (at_ == bytes_.size()) return false;
    const uint64_t key = varint();
    if (key >> 3 == 0 || key > UINT32_MAX) fail("a field has the number " + std::to_string(key >> 3));
    field.number = static_cast<uint32_t>(key >> 3);
    field.wire = key & 7;
    field.bytes = {};
    switch (field.wire) {
      case kVarint:
        field.number_value = varint();
        break;
      case kFixed64:
        field.number_value = fixed(8);
        break;
      case kFixed32:
        field.number_value = fixed(4);
        break;
      case kBytes:
        field.bytes = take(varint());
        break;
      default:
        fail("a field has the wire type " + std::to_string(field.wire));
    }
    return true;
  }
  std::string_view string(const Field& field) const { return expect(field, kBytes).bytes; }
  Message message(const Field& field, std::string name) const {
    return Message(expect(field, kBytes).bytes, std::move(name), where_);
  }
  bool boolean(const Field& field) const { return expect(field, kVarint).number_value != 0; }
  float number(const Field& field) const {
    const auto bits = static_cast<uint32_t>(expect(field, kFixed32).number_value);
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  template <typename Enum>
  Enum enumeration(const Field& field, Enum last, const char* what) const {
    const uint64_t value = expect(field, kVarint).number_value;
    if (value < 1 || value > static_cast<uint64_t>(last))
      fail(std::string(what) + " " + std::to_string(value) + " is not known");
    return static_cast<Enum>(value);
  }
  [[noreturn]] void fail(const std::string& what) const {
    fail_input(where_,
               "not a SentencePiece model: in " + name_ + ", " + what + " (before byte " +
                   std::to_string(at_) + " of its " + std::to_string(bytes_.size()) + ")",
               "is the file complete, and not a Git LFS pointer to it?");
  }

 private:
  const Field& expect(const Field& field, Wire wire) const {
    if (field.wire != wire)
      fail("field " + std::to_string(field.number) + " has the wire type " + std::to_string(field.wire) +
           " in place of " + std::to_string(wire));
    return field;
  }
  std::string_view take(uint64_t size) {
    if (size > bytes_.size() - at_) fail("a field of " + std::to_string(size) + " bytes is cut off");
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  uint64_t fixed(size_t size) {
    uint64_t value = 0;
    const std::string_view bytes = take(size);
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail("a number has more than 10 bytes");
  }

  std::string_view bytes_;
  std::string name_;
  const std::string& where_;
  size_t at_ = 0;
};

SentencePieceFile::Piece read_piece(Message message) {
  SentencePieceFile::Piece piece;
  for (Field field; message.next(field);) {
    if (field.number == 1) piece.text = message.string(field);
    if (field.number == 2) piece.score = message.number(field);
    if (field.number == 3)
      piece.type = message.enumeration(field, SentencePieceType::kByte, "the piece type");
  }
  if (piece.text.empty()) message.fail("the text is empty");
  if (std::isnan(piece.score)) message.fail("the score is not a number");
  return piece;
}

void read_trainer_spec(Message message, SentencePieceFile& file) {
  auto name = [&](const Field& field, std::string_view otherwise) {
    const std::string_view text = message.string(field);
    return text.empty() ? otherwise : text;
  };
  for (Field field; message.next(field);) {
    switch (field.number) {
      case 3:
        file.algorithm = message.enumeration(field, SentencePieceAlgorithm::kChar, "the model type");
        break;
      case 24:
        file.whitespace_as_suffix = message.boolean(field);
        break;
      case 35:
        file.byte_fallback = message.boolean(field);
        break;
      case 45:
        file.unk_piece = name(field, "<unk>");
        break;
      case 46:
        file.bos_piece = name(field, "<s>");
        break;
      case 47:
        file.eos_piece = name(field, "</s>");
        break;
      case 48:
        file.pad_piece = name(field, "<pad>");
        break;
      default:
        break;
    }
  }
}

void read_normalizer_spec(Message message, SentencePieceFile& file) {
  for (Field field; message.next(field);) {
    switch (field.number) {
      case 2:
        file.precompiled_map = message.string(field);
        break;
      case 3:
        file.add_dummy_prefix = message.boolean(field);
        break;
      case 4:
        file.remove_extra_whitespaces = message.boolean(field);
        break;
      case 5:
        file.escape_whitespaces = message.boolean(field);
        break;
      default:
        break;
    }
  }
}

}  // namespace

SentencePieceFile read_sentencepiece_file(std::string_view bytes, const std::string& where) {
  SentencePieceFile file;
  Message message(bytes, "the model", where);
  for (Field field; message.next(field);) {
    if (field.number == 1)
      file.pieces.push_back(
          read_piece(message.message(field, "piece " + std::to_string(file.pieces.size()))));
    if (field.number == 2) read_trainer_spec(message.message(field, "trainer_spec"), file);
    if (field.number == 3) read_normalizer_spec(message.message(field, "normalizer_spec"), file);
  }
  if (file.pieces.empty()) message.fail("there are no pieces");
  return file;
}

}  // namespace sdft
