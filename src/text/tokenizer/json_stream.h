// tokenizer.json as it is read: its two long lists (hundreds of thousands of tokens and merges) flat, all
// else as trees.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace sdft {

// A model's "vocab" or "merges". What should stand there depends on the model's type, and is judged later.
struct TokenList {
  enum class Form : uint8_t {
    kNumber,  // "text": 7, or ["text", -1.5]
    kText,    // "text"
    kPair,    // ["first", "second"]
    kOther,   // anything else; in an object, its key is the first text
  };
  struct Entry {
    uint32_t begin = 0, size = 0, second = 0;  // texts in `bytes`, the second right behind the first
    Form form = Form::kOther;
    bool whole = false;   // the number is an integer
    double number = 0.0;  // kOther: the place in `others`
  };

  bool is_there = false;
  nlohmann::json value;  // an object or array is empty here
  std::string bytes;
  std::vector<Entry> entries;
  std::vector<nlohmann::json> others;  // objects and arrays are empty here

  std::string_view first(const Entry& entry) const { return view(entry.begin, entry.size); }
  std::string_view second(const Entry& entry) const { return view(entry.begin + entry.size, entry.second); }
  std::string describe(const Entry& entry) const;  // what is written there, without its key
  // Of an object's entries with the same key, only the last stays. False where there were none.
  bool drop_repeated();

 private:
  std::string_view view(size_t begin, size_t size) const {
    return std::string_view(bytes).substr(begin, size);
  }
};

struct TokenizerJson {
  nlohmann::json sections;  // the file without "model"
  nlohmann::json model;     // without its lists; null where there is none
  TokenList vocab, merges;
};

// Throws Error(kInput) naming `where` if the text is not a JSON object. At most 4 GiB.
TokenizerJson read_tokenizer_json(std::string_view text, const std::string& where);

}  // namespace sdft
