#include "task/python_literal.h"

#include <cstdlib>
#include <string>

#include "base/utf8.h"

namespace sdft {

namespace {
constexpr int kDeepest = 64;

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::optional<Json> all() {
    auto value = read(0);
    space();
    if (!value || at_ != text_.size()) return std::nullopt;
    return value;
  }

 private:
  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool take(std::string_view word) {
    space();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  std::optional<Json> read(int depth) {
    if (depth > kDeepest) return std::nullopt;
    space();
    if (at_ >= text_.size()) return std::nullopt;
    switch (text_[at_]) {
      case '[':
        return sequence(']', depth);
      case '(':
        return sequence(')', depth);
      case '{':
        return dict(depth);
      case '\'':
      case '"':
        return string();
    }
    if (take("True")) return Json(true);
    if (take("False")) return Json(false);
    if (take("None")) return Json(nullptr);
    return number();
  }

  std::optional<Json> sequence(char end, int depth) {
    ++at_;
    Json items = Json::array();
    while (!take(std::string_view(&end, 1))) {
      if (!items.empty() && !take(",")) return std::nullopt;
      if (!items.empty() && take(std::string_view(&end, 1))) break;  // a comma behind the last
      auto item = read(depth + 1);
      if (!item) return std::nullopt;
      items.push_back(std::move(*item));
    }
    return items;
  }

  std::optional<Json> dict(int depth) {
    ++at_;
    Json items = Json::object();
    while (!take("}")) {
      if (!items.empty() && !take(",")) return std::nullopt;
      if (!items.empty() && take("}")) break;
      auto key = read(depth + 1);
      if (!key || !key->is_string() || !take(":")) return std::nullopt;
      auto item = read(depth + 1);
      if (!item) return std::nullopt;
      items[key->get<std::string>()] = std::move(*item);
    }
    return items;
  }

  std::optional<Json> number() {
    const std::string rest(text_.substr(at_, 64));
    char* end = nullptr;
    const long long whole = std::strtoll(rest.c_str(), &end, 10);
    size_t length = static_cast<size_t>(end - rest.c_str());
    Json value = static_cast<int64_t>(whole);
    if (length < rest.size() && std::string_view(".eE").find(rest[length]) != std::string_view::npos) {
      value = std::strtod(rest.c_str(), &end);
      length = static_cast<size_t>(end - rest.c_str());
    }
    if (length == 0) return std::nullopt;
    at_ += length;
    return value;
  }

  std::optional<Json> string() {
    const char quote = text_[at_++];
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] != '\\') {
        value += text_[at_++];
      } else if (!escape(&value)) {
        return std::nullopt;
      }
    }
    if (at_++ >= text_.size()) return std::nullopt;
    return value;
  }

  bool escape(std::string* value) {
    if (++at_ >= text_.size()) return false;
    const char kind = text_[at_++];
    static constexpr std::string_view kFrom = "ntr\\'\"abfv0", kTo("\n\t\r\\'\"\a\b\f\v\0", 11);
    if (const size_t place = kFrom.find(kind); place != std::string_view::npos) {
      *value += kTo[place];
      return true;
    }
    const size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits == 0 || at_ + digits > text_.size()) return false;
    const std::string hex(text_.substr(at_, digits));
    char* end = nullptr;
    const unsigned long point = std::strtoul(hex.c_str(), &end, 16);
    if (end != hex.c_str() + digits || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    utf8_append(*value, static_cast<char32_t>(point));
    at_ += digits;
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};
}  // namespace

std::optional<Json> read_python_literal(std::string_view text) { return Reader(text).all(); }

}  // namespace sdft
