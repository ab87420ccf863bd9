#include "data/arrow_batch.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/utf8.h"
#include "data/compression.h"
#include "data/record_text.h"

namespace sdft {
namespace {

enum BatchPart { kLength, kNodes, kBuffers, kCompression, kPieceCounts };

struct BatchNode {
  int64_t length, missing;
};
struct BatchBuffer {
  int64_t offset, length;
};
// A text of up to 12 bytes stands in its view, behind its length.
struct View {
  int32_t length;
  char first[4];
  int32_t piece, offset;
};
constexpr int32_t kInView = 12;

template <typename T>
T number_at(std::string_view bytes, int64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + static_cast<size_t>(at) * sizeof(T), sizeof value);
  return value;
}

template <typename T>
int64_t whole(std::string_view bytes, int64_t at) {
  return static_cast<int64_t>(number_at<T>(bytes, at));
}

int64_t whole_at(std::string_view bytes, int width, bool is_signed, int64_t at) {
  switch (width) {
    case 1:
      return is_signed ? whole<int8_t>(bytes, at) : whole<uint8_t>(bytes, at);
    case 2:
      return is_signed ? whole<int16_t>(bytes, at) : whole<uint16_t>(bytes, at);
    case 4:
      return is_signed ? whole<int32_t>(bytes, at) : whole<uint32_t>(bytes, at);
    default:
      return whole<int64_t>(bytes, at);
  }
}

bool bit_at(std::string_view bits, int64_t at) {
  return (bits[static_cast<size_t>(at / 8)] >> (at % 8) & 1) != 0;
}

bool there(const ArrowArray& array, int64_t at) {
  return array.validity.empty() || bit_at(array.validity, at);
}

int64_t offset_at(const ArrowArray& array, int64_t at) {
  return whole_at(array.values, array.field->bytes, true, at);
}

class BatchReader {
 public:
  BatchReader(const FlatTable& message, std::string_view body, ArrowContext& context, const std::string& path)
      : body_(body),
        context_(context),
        path_(path),
        nodes_(message.numbers<BatchNode>(kNodes)),
        buffers_(message.numbers<BatchBuffer>(kBuffers)),
        piece_counts_(message.numbers<int64_t>(kPieceCounts)),
        codec_(context.codec) {
    if (message.has(kCompression)) codec_ = message.table(kCompression).number<uint8_t>(0);
    // Buffers do not share bytes, or few bytes would be many columns.
    uint64_t whole = 0;
    for (const BatchBuffer& buffer : buffers_) {
      const auto offset = static_cast<uint64_t>(buffer.offset), length = static_cast<uint64_t>(buffer.length);
      if (offset > body.size() || length > body.size() - offset || (whole += length) > body.size())
        fail_arrow(path, "a batch's buffers are larger than the batch");
    }
    batch_->unpacked.reserve(buffers_.size());  // they are pointed into
  }

  std::shared_ptr<const ArrowBatch> read(const ArrowField* fields, size_t count, int64_t length) {
    for (const ArrowField* field = fields; field < fields + count; ++field) {
      batch_->columns.push_back(array(*field));
      if (batch_->columns.back().length != length)
        fail_arrow(field->where, "it has not a value for each record");
      count_name(*field, length);
    }
    constexpr int64_t kAlways = 1 << 20;  // values that take no bytes
    if (free_values_ > 8 * static_cast<int64_t>(body_.size()) + kAlways)
      fail_arrow(path_, "a batch has more values than its bytes could hold");
    return batch_;
  }

 private:
  ArrowArray array(const ArrowField& field) {
    stop_if_interrupted();
    ArrowArray made;
    made.field = &field;
    if (node_ >= nodes_.size()) fail_arrow(field.where, "a batch lacks values of it");
    const BatchNode node = nodes_[node_++];
    made.length = node.length;
    constexpr int64_t kMost = int64_t{1} << 40;
    if (node.length < 0 || node.length > kMost)
      fail_arrow(field.where, "its count of values is not possible");
    if (field.buffers > 0) made.validity = buffer(field);
    if (made.validity.empty() && node.missing > 0 && field.form != ArrowForm::kNull &&
        field.form < ArrowForm::kLeftOut)
      fail_arrow(field.where, "it does not say which values are missing");
    if (!made.validity.empty()) need(field, made.validity, (node.length + 7) / 8);
    if (field.buffers > 1) made.values = buffer(field);
    if (field.buffers > 2) made.text = buffer(field);
    if (field.form == ArrowForm::kTextView || field.form == ArrowForm::kLeftOutView) take_pieces(made);
    if (field.form < ArrowForm::kDictionary)
      for (const ArrowField& child : field.children) made.children.push_back(array(child));
    check(made);
    return made;
  }

  void take_pieces(ArrowArray& made) {
    if (piece_ >= piece_counts_.size()) fail_arrow(made.field->where, "a batch lacks texts of it");
    for (int64_t i = piece_counts_[piece_++]; i > 0; --i) made.pieces.push_back(buffer(*made.field));
  }

  // Compressed ones begin with their size, or with -1 where they are as they were.
  std::string_view buffer(const ArrowField& field) {
    if (buffer_ >= buffers_.size()) fail_arrow(field.where, "a batch lacks values of it");
    const BatchBuffer place = buffers_[buffer_++];
    std::string_view bytes =
        body_.substr(static_cast<size_t>(place.offset), static_cast<size_t>(place.length));
    if (codec_ == kArrowPlain || bytes.empty()) return bytes;
    if (bytes.size() < sizeof(int64_t)) fail_arrow(field.where, "a compressed buffer is too short");
    const auto size = number_at<int64_t>(bytes, 0);
    bytes.remove_prefix(sizeof size);
    if (size == -1) return bytes;
    if (size < 0 || (context_.unpacked_bytes += static_cast<uint64_t>(size)) > kLargestDataset)
      fail_arrow(field.where, "a compressed buffer's size is not possible");
    if (field.form >= ArrowForm::kLeftOut) return {};
    const auto expected = static_cast<uint64_t>(size);
    if (codec_ != kArrowLz4 && codec_ != kArrowZstd)
      fail_input(field.where,
                 "is compressed by number " + std::to_string(codec_) + ", which is not known yet");
    batch_->unpacked.push_back(codec_ == kArrowZstd ? unpack_zstd(bytes, field.where, expected)
                                                    : unpack_lz4_frame(bytes, field.where, expected));
    if (batch_->unpacked.back().size() != expected)
      fail_arrow(field.where, "a buffer unpacks to another size than it says");
    return batch_->unpacked.back();
  }

  static void need(const ArrowField& field, std::string_view bytes, int64_t count) {
    if (static_cast<int64_t>(bytes.size()) < count) fail_arrow(field.where, "it ends too early");
  }

  void check(ArrowArray& made) {
    const ArrowField& field = *made.field;
    switch (field.form) {
      case ArrowForm::kNull:
        free_values_ += made.length;
        break;
      case ArrowForm::kWhole:
      case ArrowForm::kFloat:
        need(field, made.values, made.length * field.bytes);
        break;
      case ArrowForm::kBool:
        need(field, made.values, (made.length + 7) / 8);
        break;
      case ArrowForm::kText:
        check_offsets(made, static_cast<int64_t>(made.text.size()));
        break;
      case ArrowForm::kTextView:
        check_views(made);
        break;
      case ArrowForm::kList:
      case ArrowForm::kMap:
        check_offsets(made, made.children[0].length);
        break;
      case ArrowForm::kFixedList:
        if (made.children[0].length / field.bytes < made.length) fail_arrow(field.where, "it ends too early");
        break;
      case ArrowForm::kStruct:
        if (made.children.empty()) free_values_ += made.length;
        for (const ArrowArray& child : made.children) {
          if (child.length < made.length) fail_arrow(child.field->where, "it ends too early");
          count_name(*child.field, made.length);
        }
        break;
      case ArrowForm::kDictionary:
        check_places(made);
        break;
      case ArrowForm::kLeftOut:
      case ArrowForm::kLeftOutView:
        break;
    }
  }

  // None goes back: each value has bytes of its own.
  static void check_offsets(const ArrowArray& made, int64_t most) {
    if (made.length == 0) return;
    need(*made.field, made.values, (made.length + 1) * made.field->bytes);
    int64_t last = 0;
    for (int64_t i = 0; i <= made.length; ++i) {
      const int64_t offset = offset_at(made, i);
      if (offset < last || offset > most) fail_arrow(made.field->where, "a value's bytes are not possible");
      last = offset;
    }
  }

  void count_text(const ArrowField& field, int64_t bytes) {
    if ((context_.repeated_bytes += static_cast<uint64_t>(bytes)) > kLargestDataset)
      fail_input(field.where,
                 "has more than " + std::to_string(kLargestDataset) + " bytes of text and names");
  }

  // Each object repeats its names.
  void count_name(const ArrowField& field, int64_t times) {
    constexpr auto kEnough = static_cast<int64_t>(kLargestDataset);
    const auto bytes = static_cast<int64_t>(field.name.size() + 1);
    count_text(field, times > kEnough / bytes ? kEnough + 1 : times * bytes);
  }

  void check_views(const ArrowArray& made) {
    need(*made.field, made.values, made.length * static_cast<int64_t>(sizeof(View)));
    for (int64_t i = 0; i < made.length; ++i) {
      if (!there(made, i)) continue;
      const auto view = number_at<View>(made.values, i);
      const bool inside = view.length >= 0 && view.length <= kInView;
      if (inside) continue;
      if (view.length < 0 || view.piece < 0 || view.offset < 0 ||
          static_cast<size_t>(view.piece) >= made.pieces.size() ||
          made.pieces[static_cast<size_t>(view.piece)].size() <
              static_cast<uint64_t>(view.offset) + static_cast<uint64_t>(view.length))
        fail_arrow(made.field->where, "a value's bytes are not possible");
      count_text(*made.field, view.length);
    }
  }

  void check_places(ArrowArray& made) {
    const ArrowField& field = *made.field;
    need(field, made.values, made.length * field.bytes);
    const auto found = context_.dictionaries.find(field.dictionary);
    if (found == context_.dictionaries.end()) fail_arrow(field.where, "the values that it names are missing");
    made.dictionary = found->second;
    const ArrowArray& values = *made.dictionary;
    const bool text = values.field->form == ArrowForm::kText;
    for (int64_t i = 0; i < made.length; ++i) {
      if (!there(made, i)) continue;
      const int64_t place = whole_at(made.values, field.bytes, field.is_signed, i);
      if (place < 0 || place >= values.length)
        fail_arrow(field.where, "a value's place is beyond its dictionary");
      if (text) count_text(field, offset_at(values, place + 1) - offset_at(values, place));
      if (values.field->form == ArrowForm::kTextView)
        count_text(field, number_at<View>(values.values, place).length);
    }
  }

  std::string_view body_;
  ArrowContext& context_;
  const std::string& path_;
  std::vector<BatchNode> nodes_;
  std::vector<BatchBuffer> buffers_;
  std::vector<int64_t> piece_counts_;
  int codec_;
  size_t node_ = 0, buffer_ = 0, piece_ = 0;
  int64_t free_values_ = 0;  // that take no bytes
  std::shared_ptr<ArrowBatch> batch_ = std::make_shared<ArrowBatch>();
};

Json text_value(const ArrowField& field, std::string_view text) {
  if (utf8_fault(text) != std::string_view::npos) fail_arrow(field.where, "a text is not UTF-8");
  return field.is_json ? parse_json(text, field.where) : Json(std::string(text));
}

std::string_view view_text(const ArrowArray& array, int64_t at) {
  const auto view = number_at<View>(array.values, at);
  const auto length = static_cast<size_t>(view.length);
  if (view.length <= kInView)
    return array.values.substr(static_cast<size_t>(at) * sizeof(View) + sizeof view.length, length);
  return array.pieces[static_cast<size_t>(view.piece)].substr(static_cast<size_t>(view.offset), length);
}

Json arrow_value(const ArrowArray& array, int64_t at);

Json list_value(const ArrowArray& values, int64_t begin, int64_t end) {
  Json list = Json::array();
  for (int64_t i = begin; i < end; ++i) list.push_back(arrow_value(values, i));
  return list;
}

Json map_value(const ArrowArray& pairs, int64_t begin, int64_t end) {
  std::vector<std::pair<std::string, Json>> named;
  for (int64_t i = begin; i < end; ++i) {
    const Json key = arrow_value(pairs.children[0], i);
    named.emplace_back(key.is_string() ? key.get<std::string>() : key.dump(),
                       arrow_value(pairs.children[1], i));
  }
  return object_of(std::move(named));
}

Json struct_value(const std::vector<ArrowArray>& fields, int64_t at) {
  Json made = Json::object();
  auto& object = made.get_ref<Json::object_t&>();  // operator[] would search all keys
  for (const ArrowArray& child : fields)
    if (child.field->form < ArrowForm::kLeftOut)
      object.emplace_back(child.field->name, arrow_value(child, at));
  return made;
}

Json arrow_value(const ArrowArray& array, int64_t at) {
  if (!there(array, at)) return {};
  const ArrowField& field = *array.field;
  switch (field.form) {
    case ArrowForm::kWhole:
      if (field.bytes == 8 && !field.is_signed) return number_at<uint64_t>(array.values, at);
      return whole_at(array.values, field.bytes, field.is_signed, at);
    case ArrowForm::kFloat: {
      const double number = field.bytes == 4 ? static_cast<double>(number_at<float>(array.values, at))
                                             : number_at<double>(array.values, at);
      return std::isfinite(number) ? Json(number) : Json();
    }
    case ArrowForm::kBool:
      return bit_at(array.values, at);
    case ArrowForm::kText: {
      const auto begin = static_cast<size_t>(offset_at(array, at)),
                 end = static_cast<size_t>(offset_at(array, at + 1));
      return text_value(field, array.text.substr(begin, end - begin));
    }
    case ArrowForm::kTextView:
      return text_value(field, view_text(array, at));
    case ArrowForm::kList:
      return list_value(array.children[0], offset_at(array, at), offset_at(array, at + 1));
    case ArrowForm::kFixedList:
      return list_value(array.children[0], at * field.bytes, (at + 1) * field.bytes);
    case ArrowForm::kStruct:
      return struct_value(array.children, at);
    case ArrowForm::kMap:
      return map_value(array.children[0], offset_at(array, at), offset_at(array, at + 1));
    case ArrowForm::kDictionary:
      return arrow_value(*array.dictionary, whole_at(array.values, field.bytes, field.is_signed, at));
    case ArrowForm::kNull:
    case ArrowForm::kLeftOut:
    case ArrowForm::kLeftOutView:
      break;
  }
  return {};
}

}  // namespace

std::shared_ptr<const ArrowBatch> read_arrow_batch(const FlatTable& message, std::string_view body,
                                                   const ArrowField* fields, size_t count,
                                                   ArrowContext& context, const std::string& path) {
  return BatchReader(message, body, context, path).read(fields, count, message.number<int64_t>(kLength));
}

Json arrow_record(const ArrowBatch& batch, int64_t at) { return struct_value(batch.columns, at); }

}  // namespace sdft
