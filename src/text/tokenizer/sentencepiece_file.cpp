#include "text/tokenizer/sentencepiece_file.h"

#include <cmath>
#include <protozero/pbf_reader.hpp>
#include <type_traits>

#include "base/error.h"
#include "base/utf8.h"

namespace sdft {
namespace {

using protozero::pbf_wire_type;

// The fields of one protobuf message, one after the other. protozero checks lengths and numbers, here wire
// types (which it leaves to asserts) and what values mean.
class Message {
 public:
  Message(std::string_view bytes, std::string name, const std::string& where)
      : fields_(bytes.data(), bytes.size()), size_(bytes.size()), name_(std::move(name)), where_(where) {}

  // 0: no more.
  uint32_t next() {
    return checked([&] { return fields_.next() ? fields_.tag() : 0; });
  }
  void skip() {
    checked([&] { return fields_.skip(), 0; });
  }
  std::string_view string() {
    expect(pbf_wire_type::length_delimited);
    const protozero::data_view view = checked([&] { return fields_.get_view(); });
    return {view.data(), view.size()};
  }
  Message message(std::string name) { return Message(string(), std::move(name), where_); }
  bool boolean() {
    expect(pbf_wire_type::varint);
    return checked([&] { return fields_.get_uint64() != 0; });
  }
  float number() {
    expect(pbf_wire_type::fixed32);
    return checked([&] { return fields_.get_float(); });
  }
  template <typename Enum>
  Enum enumeration(Enum last, const char* what) {
    expect(pbf_wire_type::varint);
    const uint64_t value = checked([&] { return fields_.get_uint64(); });
    if (value < 1 || value > static_cast<uint64_t>(last))
      fail(std::string(what) + " " + std::to_string(value) + " is not known");
    return static_cast<Enum>(value);
  }
  [[noreturn]] void fail(const std::string& what) const {
    fail_input(where_,
               "not a SentencePiece model: in " + name_ + ", " + what + " (before byte " +
                   std::to_string(size_ - fields_.length()) + " of its " + std::to_string(size_) + ")",
               "is the file complete, and not a Git LFS pointer to it?");
  }

 private:
  void expect(pbf_wire_type type) const {
    if (!fields_.has_wire_type(type))
      fail("field " + std::to_string(fields_.tag()) + " has the wire type " +
           std::to_string(static_cast<uint32_t>(fields_.wire_type())) + " in place of " +
           std::to_string(static_cast<uint32_t>(type)));
  }
  template <typename Read>
  std::invoke_result_t<Read> checked(Read read) const {
    try {
      return read();
    } catch (const protozero::exception& e) {
      fail(e.what());
    }
  }

  protozero::pbf_reader fields_;
  size_t size_;
  std::string name_;
  const std::string& where_;
};

SentencePieceFile::Piece read_piece(Message message) {
  SentencePieceFile::Piece piece;
  while (const uint32_t field = message.next()) {
    if (field == 1)
      piece.text = message.string();
    else if (field == 2)
      piece.score = message.number();
    else if (field == 3)
      piece.type = message.enumeration(SentencePieceType::kByte, "the piece type");
    else
      message.skip();
  }
  if (piece.text.empty()) message.fail("the text is empty");
  if (std::isnan(piece.score)) message.fail("the score is not a number");
  return piece;
}

void read_trainer_spec(Message message, SentencePieceFile& file) {
  auto name = [&](std::string_view otherwise) {
    const std::string_view text = message.string();
    return text.empty() ? otherwise : text;
  };
  while (const uint32_t field = message.next()) {
    switch (field) {
      case 3:
        file.algorithm = message.enumeration(SentencePieceAlgorithm::kChar, "the model type");
        break;
      case 24:
        file.whitespace_as_suffix = message.boolean();
        break;
      case 35:
        file.byte_fallback = message.boolean();
        break;
      case 45:
        file.unk_piece = name("<unk>");
        break;
      case 46:
        file.bos_piece = name("<s>");
        break;
      case 47:
        file.eos_piece = name("</s>");
        break;
      case 48:
        file.pad_piece = name("<pad>");
        break;
      default:
        message.skip();
    }
  }
}

void read_normalizer_spec(Message message, SentencePieceFile& file) {
  while (const uint32_t field = message.next()) {
    switch (field) {
      case 2:
        file.precompiled_map = message.string();
        break;
      case 3:
        file.add_dummy_prefix = message.boolean();
        break;
      case 4:
        file.remove_extra_whitespaces = message.boolean();
        break;
      case 5:
        file.escape_whitespaces = message.boolean();
        break;
      default:
        message.skip();
    }
  }
}

}  // namespace

SentencePieceFile read_sentencepiece_file(std::string_view bytes, const std::string& where) {
  SentencePieceFile file;
  Message message(bytes, "the model", where);
  while (const uint32_t field = message.next()) {
    if (field == 1)
      file.pieces.push_back(read_piece(message.message("piece " + std::to_string(file.pieces.size()))));
    else if (field == 2)
      read_trainer_spec(message.message("trainer_spec"), file);
    else if (field == 3)
      read_normalizer_spec(message.message("normalizer_spec"), file);
    else
      message.skip();
  }
  if (file.pieces.empty()) message.fail("there are no pieces");
  return file;
}

}  // namespace sdft
