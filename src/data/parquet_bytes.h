// Bytes, bits and encodings of Parquet's pages. Every failure is an Error(kInput) naming `where`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

[[noreturn]] void fail_parquet(const std::string& where, const std::string& what);  // "is damaged: WHAT"

// Takes bytes from the front; numbers are little-endian.
class ByteReader {
 public:
  ByteReader(std::string_view bytes, const std::string& where) : rest_(bytes), where_(&where) {}

  std::string_view rest() const { return rest_; }
  const std::string& where() const { return *where_; }

  std::string_view take(uint64_t count) {
    if (count > rest_.size()) fail_parquet(*where_, "it ends too early");
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  uint8_t byte() { return number<uint8_t>(); }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint64_t next = byte();
      value |= (next & 0x7f) << shift;
      if (next < 0x80) return value;
    }
    fail_parquet(*where_, "a number is too long");
  }
  int64_t zigzag() {
    const uint64_t value = varint();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }

 private:
  std::string_view rest_;
  const std::string* where_;
};

// A number of `width` bits from the bit `at` on, the lowest first.
uint64_t bits_at(std::string_view bytes, size_t at, int width, const std::string& where);

// Runs of one value and of bit-packed values, which levels and places in a dictionary are written as.
class RunReader {
 public:
  RunReader(ByteReader bytes, int width) : bytes_(bytes), width_(width) {
    if (width > 32) fail_parquet(bytes.where(), "numbers of " + std::to_string(width) + " bits");
  }

  uint32_t next() {
    while (left_ == 0) begin_run();
    --left_;
    return packed_.data() ? unpack() : repeated_;
  }

 private:
  void begin_run() {
    const uint64_t head = bytes_.varint();
    if (head >> 32) fail_parquet(bytes_.where(), "a run is too long");
    left_ = head >> 1;
    packed_ = {};
    if (head & 1) {
      const uint64_t bytes = left_ * static_cast<uint64_t>(width_);
      left_ *= 8;
      packed_ = bytes_.take(std::min<uint64_t>(bytes, bytes_.rest().size()));  // the last may be cut short
      at_ = 0;
      return;
    }
    repeated_ = 0;
    for (int i = 0; i < (width_ + 7) / 8; ++i) repeated_ |= static_cast<uint32_t>(bytes_.byte()) << (8 * i);
  }

  uint32_t unpack() {
    const uint64_t bits = bits_at(packed_, at_, width_, bytes_.where());
    at_ += static_cast<size_t>(width_);
    return static_cast<uint32_t>(bits);
  }

  ByteReader bytes_;
  int width_;
  uint64_t left_ = 0;        // values of the run
  std::string_view packed_;  // of a bit-packed run
  size_t at_ = 0;            // bit
  uint32_t repeated_ = 0;
};

// DELTA_BINARY_PACKED: `count` numbers, which wrap as those of 64 bits. The reader is behind them then.
std::vector<int64_t> read_deltas(ByteReader& reader, int64_t count);

// DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY: `use` gets each text, valid during its call.
using UseText = std::function<void(std::string_view text)>;
void read_delta_lengths(ByteReader& reader, int64_t count, const UseText& use);
void read_delta_texts(ByteReader& reader, int64_t count, const UseText& use);

// BYTE_STREAM_SPLIT as PLAIN: first bytes of all numbers stood before all second ones.
std::string join_split_bytes(ByteReader& reader, int64_t count, size_t width);

}  // namespace sdft
