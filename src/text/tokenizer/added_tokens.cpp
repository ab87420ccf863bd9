#include "text/tokenizer/added_tokens.h"

#include <algorithm>

#include "base/interrupt.h"
#include "base/utf8.h"
#include "text/unicode/characters.h"

namespace sdft {
namespace {

// Of the white space that ends at `end`, as far as `least`.
size_t spaces_begin(std::string_view text, size_t end, size_t least) {
  while (end > least) {
    const size_t last = utf8_previous(text, end);
    size_t at = last;
    if (!is_unicode_space(utf8_next(text, at))) break;
    end = last;
  }
  return end;
}

size_t spaces_end(std::string_view text, size_t begin) {
  for (size_t at = begin; at < text.size(); begin = at)
    if (!is_unicode_space(utf8_next(text, at))) break;
  return begin;
}

bool word_before(std::string_view text, size_t at) {
  if (at == 0) return false;
  size_t last = utf8_previous(text, at);
  return is_word_character(utf8_next(text, last));
}

bool word_behind(std::string_view text, size_t at) {
  return at < text.size() && is_word_character(utf8_next(text, at));
}

}  // namespace

StringFinder::StringFinder() { first_.fill(0); }

void StringFinder::add(std::string_view text, int32_t value) {
  if (text.empty()) return;
  uint32_t at = 0;  // node + 1
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    uint32_t next = i == 0 ? first_[byte] : nodes_[at - 1].child;
    while (i > 0 && next != 0 && nodes_[next - 1].byte != byte) next = nodes_[next - 1].sibling;
    if (next == 0) {
      Node node;
      node.byte = byte;
      if (i > 0) node.sibling = nodes_[at - 1].child;
      nodes_.push_back(node);
      next = static_cast<uint32_t>(nodes_.size());
      (i == 0 ? first_[byte] : nodes_[at - 1].child) = next;
    }
    at = next;
  }
  nodes_[at - 1].value = value;
}

bool StringFinder::find(std::string_view text, size_t from, size_t& begin, size_t& end,
                        int32_t& value) const {
  if (nodes_.empty()) return false;
  for (begin = from; begin < text.size(); ++begin) {
    uint32_t at = first_[static_cast<unsigned char>(text[begin])];
    bool found = false;
    for (size_t i = begin; at != 0;) {
      const Node& node = nodes_[at - 1];
      ++i;
      if (node.value >= 0) {
        found = true;
        end = i;
        value = node.value;
      }
      if (i == text.size()) break;
      if ((i - begin) % 1024 == 0) stop_if_interrupted();
      at = node.child;
      while (at != 0 && nodes_[at - 1].byte != static_cast<unsigned char>(text[i]))
        at = nodes_[at - 1].sibling;
    }
    if (found) return true;
  }
  return false;
}

void AddedTokens::add(const AddedToken& token) {
  if (token.content.empty()) return;
  if (const AddedToken* old = by_id(token.id)) ids_.erase(old->content);
  if (const AddedToken* old = by_content(token.content)) tokens_.erase(old->id);
  tokens_[token.id] = token;
  ids_[token.content] = token.id;
}

void AddedTokens::prepare(const std::function<std::string(std::string_view)>& normalize) {
  finder_ = {};
  texts_.clear();
  specials_.clear();
  for (const auto& [id, token] : tokens_) {
    const std::string text = token.normalized ? normalize(token.content) : token.content;
    finder_[token.normalized].add(text, id);
    if (text != token.content) texts_[id] = text;
    if (token.special) specials_.insert(token.content);
  }
}

const std::string* AddedTokens::text_of(int32_t id) const {
  if (auto found = texts_.find(id); found != texts_.end()) return &found->second;
  const AddedToken* token = by_id(id);
  return token ? &token->content : nullptr;
}

const AddedToken* AddedTokens::by_id(int32_t id) const {
  auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : &found->second;
}

const AddedToken* AddedTokens::by_content(std::string_view content) const {
  auto found = ids_.find(content);
  return found == ids_.end() ? nullptr : by_id(found->second);
}

void AddedTokens::split(std::string_view text, bool normalized, bool parse_special,
                        const std::function<void(std::string_view, const AddedToken*)>& use) const {
  const StringFinder& finder = finder_[normalized];
  size_t done = 0, begin = 0, end = 0;
  int32_t id = 0;
  size_t run_end = 0;  // of the last run of white space that was looked at
  for (size_t from = 0; finder.find(text, from, begin, end, id);) {
    from = end;
    const AddedToken& token = tokens_.at(id);
    if (token.special && !parse_special) continue;
    if (token.single_word && (word_before(text, begin) || word_behind(text, end))) continue;
    if (token.lstrip) begin = std::max(done, spaces_begin(text, begin, done));
    if (token.rstrip) {
      if (end > run_end) run_end = spaces_end(text, end);
      end = std::max(end, run_end);
    }
    if (begin >= end) continue;  // white space that the token before took along
    // A token inside of what the one before took along still counts; the text goes on behind it.
    if (done < begin) use(text.substr(done, begin - done), nullptr);
    use(text.substr(begin, end - begin), &token);
    done = end;
  }
  if (done < text.size()) use(text.substr(done), nullptr);
}

}  // namespace sdft
