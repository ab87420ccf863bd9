// A vocabulary: token strings and their ids, both ways.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

inline uint64_t hash_bytes(std::string_view bytes) {
  constexpr uint64_t kMultiplier = 0x9fb21c651e98df25ull;
  uint64_t hash = bytes.size() * kMultiplier;
  auto add = [&hash](uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 32;
  };
  size_t at = 0;
  uint64_t word = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::memcpy(&word, bytes.data() + at, 8);
    add(word);
  }
  word = 0;
  std::memcpy(&word, bytes.data() + at, bytes.size() - at);
  add(word);
  return hash;
}

// Ids may have holes. Strings lie in one buffer: real vocabularies have hundreds of thousands.
class TokenTable {
 public:
  static constexpr int32_t kNone = -1;

  // False where the id or the token is there already. With `again`, a token may have several ids; the last
  // one is what find() gives.
  bool add(std::string_view token, int32_t id, bool again = false) {
    if (has(id)) return false;
    if (2 * (count_ + 1) > slots_.size()) grow();
    const size_t slot = slot_of(token);
    if (slots_[slot] != kNone && !again) return false;
    if (static_cast<size_t>(id) >= places_.size()) places_.resize(id + 1);
    places_[id] = {bytes_.size(), token.size(), true};
    bytes_ += token;
    slots_[slot] = id;
    ++count_;
    return true;
  }
  int32_t find(std::string_view token) const { return slots_.empty() ? kNone : slots_[slot_of(token)]; }
  bool has(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < places_.size() && places_[id].used;
  }
  // "" for a hole.
  std::string_view token(int32_t id) const {
    return has(id) ? std::string_view(bytes_).substr(places_[id].offset, places_[id].size)
                   : std::string_view();
  }
  int32_t end() const { return static_cast<int32_t>(places_.size()); }  // highest id + 1
  size_t size() const { return count_; }

 private:
  struct Place {
    size_t offset = 0, size = 0;
    bool used = false;
  };

  size_t slot_of(std::string_view token) const {
    const size_t mask = slots_.size() - 1;
    size_t slot = hash_bytes(token) & mask;
    while (slots_[slot] != kNone && this->token(slots_[slot]) != token) slot = (slot + 1) & mask;
    return slot;
  }
  void grow() {
    slots_.assign(slots_.empty() ? 1024 : slots_.size() * 2, kNone);
    for (int32_t id = 0; id < end(); ++id)
      if (has(id)) slots_[slot_of(token(id))] = id;
  }

  std::string bytes_;
  std::vector<Place> places_;
  std::vector<int32_t> slots_;
  size_t count_ = 0;
};

}  // namespace sdft
