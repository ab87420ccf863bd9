// A vocabulary: token strings and their ids, both ways.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
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

  // Room for that many tokens, of that many bytes together; there may be more.
  void reserve(size_t tokens, size_t bytes) {
    places_.reserve(tokens);
    bytes_.reserve(bytes);
    size_t slots = kFewestSlots;
    while (slots < 2 * tokens) slots *= 2;
    if (slots > slots_.size()) resize(slots);
  }
  // False where the id or the token is there already. With `again`, a token may have several ids; the last
  // one is what find() gives.
  bool add(std::string_view token, int32_t id, bool again = false) {
    if (has(id)) return false;
    if (2 * (count_ + 1) > slots_.size()) resize(std::max(kFewestSlots, 2 * slots_.size()));
    const auto hash = static_cast<uint32_t>(hash_bytes(token));
    Slot& slot = slots_[slot_of(token, hash)];
    if (slot.id != kNone && !again) return false;
    if (bytes_.size() + token.size() >= kHole) throw std::length_error("a vocabulary of 4 GiB");
    if (static_cast<size_t>(id) >= places_.size()) places_.resize(id + 1);
    places_[id] = {static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(token.size())};
    bytes_ += token;
    slot = {id, hash};
    ++count_;
    return true;
  }
  int32_t find(std::string_view token) const {
    return slots_.empty() ? kNone : slots_[slot_of(token, static_cast<uint32_t>(hash_bytes(token)))].id;
  }
  bool has(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < places_.size() && places_[id].size != kHole;
  }
  // "" for a hole.
  std::string_view token(int32_t id) const {
    return has(id) ? std::string_view(bytes_).substr(places_[id].begin, places_[id].size)
                   : std::string_view();
  }
  int32_t end() const { return static_cast<int32_t>(places_.size()); }  // highest id + 1
  size_t size() const { return count_; }

 private:
  static constexpr size_t kFewestSlots = 1024;
  static constexpr uint32_t kHole = ~0u;
  struct Place {
    uint32_t begin = 0, size = kHole;
  };
  struct Slot {
    int32_t id = kNone;
    uint32_t hash = 0;  // of the token; mostly spares a look at another one
  };

  size_t slot_of(std::string_view token, uint32_t hash) const {
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    while (slots_[at].id != kNone && (slots_[at].hash != hash || this->token(slots_[at].id) != token))
      at = (at + 1) & mask;
    return at;
  }
  void resize(size_t slots) {
    std::vector<Slot> old(slots);
    old.swap(slots_);
    const size_t mask = slots - 1;
    for (const Slot& slot : old) {
      if (slot.id == kNone) continue;
      size_t at = slot.hash & mask;
      while (slots_[at].id != kNone) at = (at + 1) & mask;
      slots_[at] = slot;
    }
  }

  std::string bytes_;
  std::vector<Place> places_;
  std::vector<Slot> slots_;  // open addressing, a power of two
  size_t count_ = 0;
};

}  // namespace sdft
