// Added tokens: strings that are found in the text before the model sees it, special ones among them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

struct AddedToken {
  int32_t id = -1;
  std::string content;
  bool single_word = false;  // not inside a word
  bool lstrip = false;       // takes white space before it along
  bool rstrip = false;       // ... behind it
  bool normalized = false;   // looked for in the normalized text
  bool special = false;      // left out by decode with skip_special, plain text without parse_special
};

// Finds the leftmost longest of some strings.
class StringFinder {
 public:
  StringFinder();
  void add(std::string_view text, int32_t value);  // the last value of a text stays
  bool empty() const { return nodes_.empty(); }
  // The first hit at or behind `from`: its place and value; false if none.
  bool find(std::string_view text, size_t from, size_t& begin, size_t& end, int32_t& value) const;

 private:
  struct Node {
    unsigned char byte;
    int32_t value = -1;
    uint32_t child = 0, sibling = 0;  // 0: none
  };
  std::array<uint32_t, 256> first_;  // node + 1 by first byte; 0: none
  std::vector<Node> nodes_;
};

class AddedTokens {
 public:
  // A token with a known id or content replaces the earlier one.
  void add(const AddedToken& token);
  // `normalize` is applied to the contents of normalized tokens, which are also decoded as that. To be called
  // when all are added.
  void prepare(const std::function<std::string(std::string_view)>& normalize);

  const AddedToken* by_id(int32_t id) const;
  const AddedToken* by_content(std::string_view content) const;
  const std::map<int32_t, AddedToken>& all() const { return tokens_; }
  // What an added token's id is decoded to; nullptr for other ids.
  const std::string* text_of(int32_t id) const;
  // `text` is that of a special token.
  bool is_special(std::string_view text) const { return specials_.count(text) > 0; }
  int32_t end() const { return tokens_.empty() ? 0 : tokens_.rbegin()->first + 1; }

  // Cuts `text` at the tokens that are looked for before (normalized = false) or after normalization. Calls
  // use(piece, nullptr) for text and use(piece, token) for a token, in order.
  void split(std::string_view text, bool normalized, bool parse_special,
             const std::function<void(std::string_view piece, const AddedToken* token)>& use) const;
  bool any(bool normalized) const { return !finder_[normalized].empty(); }

 private:
  std::map<int32_t, AddedToken> tokens_;
  std::map<std::string, int32_t, std::less<>> ids_;
  std::map<int32_t, std::string> texts_;         // where they are not the contents
  std::set<std::string, std::less<>> specials_;  // contents
  std::array<StringFinder, 2> finder_;           // by AddedToken::normalized
};

}  // namespace sdft
