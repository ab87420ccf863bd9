#include "text/tokenizer/json_stream.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_set>

#include "base/error.h"
#include "base/json_events.h"

namespace sdft {
namespace {

using FastJson = nlohmann::json;
using Form = TokenList::Form;

// As a double.
bool is_exact(const FastJson& integer) {
  constexpr double kMost = 9007199254740992.0;  // 2^53
  return integer.is_number_integer() && std::fabs(integer.get<double>()) < kMost;
}

FastJson empty(bool object) { return object ? FastJson::object() : FastJson::array(); }

// The value of one list.
class ListReader {
 public:
  explicit ListReader(TokenList& list) : list_(list) {
    list_ = {};
    list_.is_there = true;
  }
  bool done() const { return done_; }

  void start(bool object) {
    if (depth_ == 0) list_.value = empty(object);
    if (depth_ == 1) {
      if (!in_object()) open_entry();
      parts_ = 0;
      odd_ = in_object() || object;
      odd_is_object_ = object;
    }
    odd_ = odd_ || depth_ > 1;
    ++depth_;
  }
  void end() {
    --depth_;
    if (depth_ == 1 && (odd_ || parts_ != 2)) other(empty(odd_is_object_));
    done_ = depth_ == 0;
  }
  void key(std::string_view key) {
    if (depth_ != 1) return;
    open_entry();
    append(key, entry().size);
  }
  void string(std::string_view text) {
    if (depth_ == 0) return whole_value(text);
    if (depth_ == 1 && in_object()) return other(text);
    if (depth_ == 1) {
      open_entry();
      append(text, entry().size);
      entry().form = Form::kText;
    } else if (!odd_ && parts_ < 2) {
      append(text, parts_++ == 0 ? entry().size : entry().second);
      entry().form = Form::kPair;
    } else {
      odd_ = true;
    }
  }
  void scalar(const FastJson& value) {
    if (depth_ == 0) return whole_value(value);
    if (depth_ == 1 && !in_object()) open_entry();
    if (depth_ == 1 && !(in_object() && is_exact(value))) return other(value);
    if (depth_ > 1 && (odd_ || parts_++ != 1 || !value.is_number())) {
      odd_ = true;
      return;
    }
    entry().form = Form::kNumber;
    entry().whole = value.is_number_integer();
    entry().number = value.get<double>();
  }

 private:
  bool in_object() const { return list_.value.is_object(); }
  TokenList::Entry& entry() { return list_.entries.back(); }
  void open_entry() { list_.entries.emplace_back().begin = static_cast<uint32_t>(list_.bytes.size()); }
  void append(std::string_view text, uint32_t& size) {
    list_.bytes += text;
    size = static_cast<uint32_t>(text.size());
  }
  void other(FastJson value) {
    entry().form = Form::kOther;
    entry().number = static_cast<double>(list_.others.size());
    list_.others.push_back(std::move(value));
  }
  void whole_value(FastJson value) {
    list_.value = std::move(value);
    done_ = true;
  }

  TokenList& list_;
  size_t depth_ = 0;  // values that are open: the list, an entry, parts of an odd one
  bool done_ = false;
  // Of an entry that is an array or object:
  size_t parts_ = 0;
  bool odd_ = false, odd_is_object_ = false;
};

class FileReader final : public JsonEvents {
 public:
  explicit FileReader(TokenizerJson& file) : file_(file) {}

  void start(bool object) override {
    if (list_) return list_->start(object);
    open_.push_back(place(empty(object)));
  }
  void end() override {
    if (list_) return to_list([&] { list_->end(); });
    open_.pop_back();
  }
  void key(std::string_view key) override {
    if (list_) return list_->key(key);
    if (open_.size() == 1) {
      in_model_ = key == "model";
      if (in_model_) file_.vocab = file_.merges = {};  // the last model counts
    }
    if (open_.size() == 2 && in_model_ && (key == "vocab" || key == "merges"))
      list_.emplace(key == "vocab" ? file_.vocab : file_.merges);
    else
      key_ = key;
  }
  void string(std::string_view text) override {
    if (list_) return to_list([&] { list_->string(text); });
    place(text);
  }
  void scalar(const FastJson& value) override {
    if (list_) return to_list([&] { list_->scalar(value); });
    place(value);
  }

 private:
  template <typename Tell>
  void to_list(Tell tell) {
    tell();
    if (list_->done()) list_.reset();
  }
  FastJson* place(FastJson value) {
    FastJson& parent = open_.empty() ? file_.sections : *open_.back();
    if (open_.empty()) return &(parent = std::move(value));
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }

  TokenizerJson& file_;
  std::vector<FastJson*> open_;  // values around what comes
  std::string key_;              // of the next value
  bool in_model_ = false;
  std::optional<ListReader> list_;
};

}  // namespace

std::string TokenList::describe(const Entry& entry) const {
  if (entry.form == Form::kOther) return sdft::describe(Json(others[static_cast<size_t>(entry.number)]));
  if (entry.form == Form::kText) return sdft::describe(Json(first(entry)));
  if (value.is_array()) return sdft::describe(Json::array());
  return sdft::describe(Json(static_cast<int64_t>(entry.number)));
}

bool TokenList::drop_repeated() {
  std::unordered_set<std::string_view> seen;
  std::vector<Entry> kept;
  for (size_t i = entries.size(); i-- > 0;)
    if (seen.insert(first(entries[i])).second) kept.push_back(entries[i]);
  if (kept.size() == entries.size()) return false;
  std::reverse(kept.begin(), kept.end());
  entries = std::move(kept);
  return true;
}

TokenizerJson read_tokenizer_json(std::string_view text, const std::string& where) {
  TokenizerJson file;
  FileReader reader(file);
  read_json_events(text, where, reader);
  if (!file.sections.is_object()) fail_input(where, "expected an object");
  file.model = std::move(file.sections["model"]);
  file.sections.erase("model");
  return file;
}

}  // namespace sdft
