#include "infer/json_text.h"

namespace sdft {

namespace {
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
}  // namespace

bool JsonText::add(std::string_view bytes) {
  for (const char c : bytes)
    if (!add_byte(c)) return false;
  return true;
}

bool JsonText::add_byte(char c) {
  switch (state_) {
    case State::kString:
    case State::kEscape:
    case State::kHex:
      return add_to_string(c);
    case State::kLiteral:
      if (literal_.front() != c) return false;
      literal_.remove_prefix(1);
      if (literal_.empty()) state_ = State::kComma;
      return true;
    case State::kMinus:
    case State::kZero:
    case State::kWhole:
    case State::kPoint:
    case State::kFraction:
    case State::kExponent:
    case State::kSign:
    case State::kPower:
      return add_to_number(c);
    default:
      break;
  }
  if (is_space(c)) return add_space();
  run_ = 0;
  switch (state_) {
    case State::kFirstKey:
    case State::kKey:
      if (c == '}' && state_ == State::kFirstKey) return end_value(c);
      in_key_ = true;
      state_ = State::kString;
      return c == '"';
    case State::kColon:
      state_ = State::kValue;
      return c == ':';
    case State::kComma:
      if (c == '}' || c == ']') return end_value(c);
      state_ = open_.back() == '{' ? State::kKey : State::kValue;
      return c == ',';
    case State::kBegin:
      return c == '{' && begin_value(c);
    case State::kFirstValue:
      if (c == ']') return end_value(c);
      return begin_value(c);
    case State::kValue:
      return begin_value(c);
    default:
      return false;  // behind the object
  }
}

// Not in front of the object either: a model that would rather say something else begins with blanks.
bool JsonText::add_space() {
  return state_ != State::kBegin && state_ != State::kDone && ++run_ <= kLongestRun;
}

bool JsonText::begin_value(char c) {
  if (c == '{' || c == '[') {
    open_ += c;
    state_ = c == '{' ? State::kFirstKey : State::kFirstValue;
    return true;
  }
  if (c == '"') {
    in_key_ = false;
    state_ = State::kString;
    return true;
  }
  if (c == '-' || is_digit(c)) {
    state_ = c == '-' ? State::kMinus : c == '0' ? State::kZero : State::kWhole;
    return true;
  }
  for (const std::string_view literal : {"true", "false", "null"})
    if (literal.front() == c) {
      literal_ = literal.substr(1);
      state_ = State::kLiteral;
      return true;
    }
  return false;
}

bool JsonText::add_to_string(char c) {
  if (state_ == State::kHex) {
    if (--left_ == 0) state_ = State::kString;
    return is_hex(c);
  }
  if (state_ == State::kEscape) {
    state_ = c == 'u' ? State::kHex : State::kString;
    left_ = 4;
    return std::string_view("\"\\/bfnrtu").find(c) != std::string_view::npos;
  }
  if (c == '\\') state_ = State::kEscape;
  if (c == '"') state_ = in_key_ ? State::kColon : State::kComma;
  return static_cast<unsigned char>(c) >= 0x20;
}

// A number ends with what is no part of it.
bool JsonText::add_to_number(char c) {
  const bool digit = is_digit(c), exponent = c == 'e' || c == 'E';
  switch (state_) {
    case State::kMinus:
      state_ = c == '0' ? State::kZero : State::kWhole;
      return digit;
    case State::kPoint:
      state_ = State::kFraction;
      return digit;
    case State::kExponent:
      state_ = digit ? State::kPower : State::kSign;
      return digit || c == '+' || c == '-';
    case State::kSign:
      state_ = State::kPower;
      return digit;
    default:
      break;
  }
  if (digit && state_ != State::kZero) return true;
  if (c == '.' && (state_ == State::kZero || state_ == State::kWhole)) return state_ = State::kPoint, true;
  if (exponent && state_ != State::kPower) return state_ = State::kExponent, true;
  state_ = State::kComma;
  run_ = 0;
  return add_byte(c);
}

bool JsonText::end_value(char c) {
  if (open_.empty() || open_.back() != (c == '}' ? '{' : '[')) return false;
  open_.pop_back();
  state_ = open_.empty() ? State::kDone : State::kComma;
  return true;
}

std::shared_ptr<const std::vector<std::string>> token_pieces(const Tokenizer& tokenizer) {
  auto pieces = std::make_shared<std::vector<std::string>>();
  const std::vector<int32_t> before = tokenizer.encode("a", {false, false});
  const size_t skipped = tokenizer.decode(before).size();
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    std::vector<int32_t> ids = before;
    ids.push_back(id);
    const std::string text = tokenizer.decode(ids);
    pieces->push_back(text.size() > skipped && !tokenizer.is_special(id) ? text.substr(skipped) : "");
  }
  return pieces;
}

}  // namespace sdft
