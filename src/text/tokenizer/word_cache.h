// Remembers the tokens of short words: in real text, nearly all words were seen before.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "text/tokenizer/token_table.h"

namespace sdft {

// Each word has one place, where a later word may push it out. Belongs to one model.
class WordCache {
 public:
  static constexpr size_t kLongestWord = 38;

  // Appends the tokens of `word` if they are known.
  bool get(std::string_view word, std::vector<int32_t>& ids) const {
    if (word.size() > kLongestWord) return false;
    const Entry& entry = entries_[slot(word)];
    if (entry.size != word.size() || !std::equal(word.begin(), word.end(), entry.word.begin())) return false;
    ids.insert(ids.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
    return true;
  }
  void put(std::string_view word, const int32_t* ids, size_t count) {
    if (word.empty() || word.size() > kLongestWord || count > kMostIds) return;
    Entry& entry = entries_[slot(word)];
    std::copy(word.begin(), word.end(), entry.word.begin());
    std::copy(ids, ids + count, entry.ids.begin());
    entry.size = static_cast<uint8_t>(word.size());
    entry.count = static_cast<uint8_t>(count);
  }

 private:
  static constexpr size_t kEntries = 1 << 16;
  static constexpr size_t kMostIds = 6;
  struct Entry {  // one cache line
    std::array<char, kLongestWord> word;
    uint8_t size, count;
    std::array<int32_t, kMostIds> ids;
  };
  static_assert(sizeof(Entry) == 64);
  struct Free {
    void operator()(Entry* entries) const { std::free(entries); }
  };
  // Zeros that become memory only where they are written: a short text touches few of them.
  static Entry* allocate() {
    void* zeros = std::calloc(kEntries, sizeof(Entry));
    if (!zeros) throw std::bad_alloc();
    return static_cast<Entry*>(zeros);
  }

  static size_t slot(std::string_view word) { return hash_bytes(word) >> 20 & (kEntries - 1); }

  std::unique_ptr<Entry[], Free> entries_{allocate()};
};

}  // namespace sdft
