#include "data/flatbuffer.h"

#include "base/error.h"

namespace sdft {

void fail_arrow(const std::string& where, const std::string& what) {
  fail_input(where, "is damaged: " + what, "copy or download it again");
}

FlatTable::FlatTable(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(&where) {
  *this = FlatTable(bytes, where, follow(0));
}

FlatTable::FlatTable(std::string_view bytes, const std::string& where, uint64_t at)
    : bytes_(bytes), where_(&where), at_(at) {
  // Where the table's layout lies is said backwards; a wrapped number is beyond the end.
  layout_ = at - static_cast<uint64_t>(static_cast<int64_t>(at_place<int32_t>(at)));
  layout_size_ = at_place<uint16_t>(layout_);
}

std::string_view FlatTable::part(uint64_t at, uint64_t size) const {
  if (at > bytes_.size() || size > bytes_.size() - at) fail_arrow(*where_, "its metadata ends too early");
  return bytes_.substr(at, size);
}

uint64_t FlatTable::place_of(int field) const {
  const uint64_t entry = 4 + 2 * static_cast<uint64_t>(field);
  if (entry + 2 > layout_size_) return 0;
  const uint16_t offset = at_place<uint16_t>(layout_ + entry);
  return offset ? at_ + offset : 0;
}

std::string_view FlatTable::elements(int field, uint64_t size) const {
  const uint64_t at = place_of(field);
  if (!at) return {};
  const uint64_t vector = follow(at);
  return part(vector + 4, size * at_place<uint32_t>(vector));
}

std::string_view FlatTable::text(int field) const { return elements(field, 1); }

FlatTable FlatTable::table(int field) const {
  const uint64_t at = place_of(field);
  if (!at) fail_arrow(*where_, "its metadata lacks a part");
  return {bytes_, *where_, follow(at)};
}

std::vector<FlatTable> FlatTable::tables(int field) const {
  std::vector<FlatTable> all;
  const std::string_view offsets = elements(field, 4);
  for (size_t i = 0; i < offsets.size(); i += 4)
    all.push_back({bytes_, *where_, follow(static_cast<uint64_t>(offsets.data() - bytes_.data()) + i)});
  return all;
}

}  // namespace sdft
