// Flatbuffers read without a schema, a field by its number: https://flatbuffers.dev/internals. Every access
// is checked against the bytes, which must outlive the table. Failures are Error(kInput) naming `where`,
// which must outlive it, too.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

[[noreturn]] void fail_arrow(const std::string& where, const std::string& what);  // "is damaged: WHAT"

class FlatTable {
 public:
  FlatTable(std::string_view bytes, const std::string& where);  // the buffer's root

  bool has(int field) const { return place_of(field) != 0; }
  template <typename T>
  T number(int field, T fallback = T()) const {
    const uint64_t at = place_of(field);
    return at ? at_place<T>(at) : fallback;
  }
  std::string_view text(int field) const;          // "" where it is not there
  FlatTable table(int field) const;                // must be there
  std::vector<FlatTable> tables(int field) const;  // none where it is not there
  // A vector of numbers or of structs of numbers; none where it is not there.
  template <typename T>
  std::vector<T> numbers(int field) const {
    const std::string_view bytes = elements(field, sizeof(T));
    std::vector<T> all(bytes.size() / sizeof(T));
    if (!all.empty()) std::memcpy(all.data(), bytes.data(), bytes.size());
    return all;
  }

 private:
  FlatTable(std::string_view bytes, const std::string& where, uint64_t at);
  template <typename T>
  T at_place(uint64_t at) const {
    T value;
    std::memcpy(&value, part(at, sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view part(uint64_t at, uint64_t size) const;
  uint64_t place_of(int field) const;  // 0: not there
  uint64_t follow(uint64_t at) const { return at + at_place<uint32_t>(at); }
  std::string_view elements(int field, uint64_t size) const;

  std::string_view bytes_;
  const std::string* where_;
  uint64_t at_ = 0, layout_ = 0, layout_size_ = 0;
};

}  // namespace sdft
