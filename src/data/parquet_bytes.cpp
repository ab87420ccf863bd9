#include "data/parquet_bytes.h"

namespace sdft {

uint64_t bits_at(std::string_view bytes, size_t at, int width, const std::string& where) {
  if ((at + static_cast<size_t>(width) + 7) / 8 > bytes.size()) fail_parquet(where, "a run ends too early");
  uint64_t value = 0;
  for (int taken = 0; taken < width;) {
    const int skipped = static_cast<int>(at % 8), part = std::min(8 - skipped, width - taken);
    const int byte = static_cast<unsigned char>(bytes[at / 8]) >> skipped & ((1 << part) - 1);
    value |= static_cast<uint64_t>(byte) << taken;
    taken += part;
    at += static_cast<size_t>(part);
  }
  return value;
}

std::vector<int64_t> read_deltas(ByteReader& reader, int64_t count) {
  const std::string& where = reader.where();
  const uint64_t block = reader.varint(), parts = reader.varint(), total = reader.varint();
  constexpr uint64_t kLargestBlock = 1 << 20;
  if (block == 0 || block > kLargestBlock || parts == 0 || block % parts != 0 || block / parts % 8 != 0)
    fail_parquet(where, "its blocks of numbers have no such size");
  if (total != static_cast<uint64_t>(count))
    fail_parquet(where, "a page has another count of numbers than it says");
  const uint64_t part_size = block / parts;
  std::vector<int64_t> numbers;
  auto value = static_cast<uint64_t>(reader.zigzag());
  if (total > 0) numbers.push_back(static_cast<int64_t>(value));
  while (numbers.size() < total) {
    const auto least = static_cast<uint64_t>(reader.zigzag());
    const std::string_view widths = reader.take(parts);
    for (size_t i = 0; i < parts && numbers.size() < total; ++i) {
      const int width = static_cast<unsigned char>(widths[i]);
      if (width > 64) fail_parquet(where, "numbers of " + std::to_string(width) + " bits");
      const uint64_t size = part_size / 8 * static_cast<uint64_t>(width);
      // The last part may lack what stands behind the last number.
      const std::string_view packed = reader.take(std::min<uint64_t>(size, reader.rest().size()));
      for (size_t k = 0; k < part_size && numbers.size() < total; ++k) {
        value += least + bits_at(packed, k * static_cast<size_t>(width), width, where);
        numbers.push_back(static_cast<int64_t>(value));
      }
    }
  }
  return numbers;
}

void read_delta_lengths(ByteReader& reader, int64_t count, const UseText& use) {
  for (const int64_t length : read_deltas(reader, count)) use(reader.take(static_cast<uint64_t>(length)));
}

void read_delta_texts(ByteReader& reader, int64_t count, const UseText& use) {
  const std::vector<int64_t> kept = read_deltas(reader, count);  // of the text before
  std::string text;
  size_t at = 0;
  read_delta_lengths(reader, count, [&](std::string_view rest) {
    const auto same = static_cast<uint64_t>(kept[at++]);
    if (same > text.size()) fail_parquet(reader.where(), "a text begins like more than there is");
    text.resize(same);
    text += rest;
    use(text);
  });
}

std::string join_split_bytes(ByteReader& reader, int64_t count, size_t width) {
  const auto numbers = static_cast<size_t>(count);
  const std::string_view split = reader.take(numbers * width);
  std::string joined(split.size(), '\0');
  for (size_t i = 0; i < numbers; ++i)
    for (size_t k = 0; k < width; ++k) joined[i * width + k] = split[k * numbers + i];
  return joined;
}

}  // namespace sdft
