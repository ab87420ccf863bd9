// Whether a text that grows can still become a JSON object (RFC 8259), and whether it is one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/tokenizer.h"

namespace sdft {

// Bytes above 0x7f in strings are taken as they are. White space between tokens comes in runs of up to
// kLongestRun, so that no answer consists of it.
class JsonText {
 public:
  static constexpr int kLongestRun = 32;

  bool add(std::string_view bytes);  // false: no object begins like this any more; nothing may be added then
  bool complete() const { return state_ == State::kDone; }

 private:
  enum class State {
    kBegin,       // of the object
    kValue,       // a value comes
    kFirstValue,  // a value, or the end of an empty list
    kKey,         // a key comes
    kFirstKey,    // a key, or the end of an empty object
    kColon,
    kComma,  // or the end of the object or list
    kString,
    kEscape,
    kHex,  // left_ more digits
    kLiteral,
    kMinus,
    kZero,
    kWhole,
    kPoint,
    kFraction,
    kExponent,
    kSign,
    kPower,
    kDone
  };
  bool add_byte(char c);
  bool add_space();
  bool begin_value(char c);
  bool add_to_string(char c);
  bool add_to_number(char c);
  bool end_value(char c);

  State state_ = State::kBegin;
  std::string open_;  // objects and lists, '{' and '['
  bool in_key_ = false;
  std::string_view literal_;  // what is left of it
  int left_ = 0, run_ = 0;
};

// The text of each token in the middle of an answer; "" of special ones. For Constraints::json_pieces; takes
// some tenths of a second.
std::shared_ptr<const std::vector<std::string>> token_pieces(const Tokenizer& tokenizer);

}  // namespace sdft
