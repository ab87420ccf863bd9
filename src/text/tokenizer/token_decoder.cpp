#include "text/tokenizer/token_decoder.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/find.h"
#include "base/utf8.h"
#include "text/tokenizer/byte_level.h"

namespace sdft {
namespace {

using Kind = DecoderStep::Kind;
using Tokens = std::vector<std::string>;

// Nothing is found before each character and at the end.
void replace_nothing(std::string& text, std::string_view by) {
  std::string out(by);
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    at += utf8_length(static_cast<unsigned char>(text[at]));
    out.append(text, begin, at - begin) += by;
  }
  text = std::move(out);
}

void replace_literal(std::string& text, std::string_view what, std::string_view by) {
  if (what.empty()) return replace_nothing(text, by);
  std::string out;
  size_t at = 0;
  for (size_t found; (found = find_text(text, what, at)) != std::string::npos; at = found + what.size()) {
    out.append(text, at, found - at);
    out += by;
  }
  text = out.append(text, at);
}

std::string join(const Tokens& tokens, const char* between) {
  std::string out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += between;
    out += tokens[i];
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string byte_level_text(const Tokens& tokens) {
  std::string bytes;
  for (const auto& token : tokens) append_from_byte_level(token, bytes);
  return utf8_lossy(std::move(bytes));
}

Tokens byte_fallback(const Tokens& tokens) {
  Tokens out;
  std::string run;
  auto end_run = [&] {
    if (run.empty()) return;
    if (utf8_fault(run) == std::string::npos)
      out.push_back(run);
    else
      out.insert(out.end(), run.size(), "\xef\xbf\xbd");
    run.clear();
  };
  for (const auto& token : tokens) {
    if (is_byte_token(token)) {
      run.push_back(static_cast<char>(hex_digit(token[3]) * 16 + hex_digit(token[4])));
    } else {
      end_run();
      out.push_back(token);
    }
  }
  end_run();
  return out;
}

std::string strip(const std::string& token, const DecoderStep& step) {
  const std::string_view text = token;
  const std::string_view what = step.content;
  size_t begin = 0, end = text.size();
  for (size_t i = 0; i < step.start && text.substr(begin, what.size()) == what; ++i) begin += what.size();
  for (size_t i = 0;
       i < step.stop && end >= begin + what.size() && text.substr(end - what.size(), what.size()) == what;
       ++i)
    end -= what.size();
  return token.substr(begin, end - begin);
}

// What tokenizing put spaces into: "do n't ." is "don't.".
void clean_english(std::string& text) {
  static constexpr std::pair<const char*, const char*> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [what, by] : kRules) replace_literal(text, what, by);
}

void word_piece(Tokens& tokens, const DecoderStep& step) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) {
      if (tokens[i].compare(0, step.content.size(), step.content) == 0)
        tokens[i].erase(0, step.content.size());
      else
        tokens[i].insert(0, " ");
    }
    if (step.cleanup) clean_english(tokens[i]);
  }
}

Tokens ctc(const Tokens& tokens, const DecoderStep& step) {
  Tokens out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && tokens[i] == tokens[i - 1]) continue;
    std::string text = tokens[i];
    replace_literal(text, step.content, "");
    if (step.cleanup) {
      clean_english(text);
      replace_literal(text, step.delimiter, " ");
    }
    if (!text.empty()) out.push_back(std::move(text));
  }
  return out;
}

size_t total_size(const Tokens& tokens) {
  size_t size = 0;
  for (const auto& token : tokens) size += token.size() + 1;
  return size;
}

void replace(Tokens& tokens, const DecoderStep& step, Growth growth) {
  RegexScratch scratch;
  for (auto& token : tokens) {
    token = replace_all(step.pattern, step.content, token, scratch, growth, step.where);
    growth.most -= std::min(growth.most, token.size());  // what is left for the others
  }
}

Tokens apply(const DecoderStep& step, Tokens tokens, const Growth& growth) {
  switch (step.kind) {
    case Kind::kSpaced:
      return {join(tokens, " ")};
    case Kind::kByteLevel:
      return {byte_level_text(tokens)};
    case Kind::kReplace:
      replace(tokens, step, growth);
      return tokens;
    case Kind::kByteFallback:
      return byte_fallback(tokens);
    case Kind::kFuse:
      return {join(tokens, "")};
    case Kind::kStrip:
      for (auto& token : tokens) token = strip(token, step);
      return tokens;
    case Kind::kMetaspace:
      for (size_t i = 0; i < tokens.size(); ++i)
        replace_literal(tokens[i], step.content, i == 0 && step.strip_first ? "" : " ");
      return tokens;
    case Kind::kWordPiece:
      word_piece(tokens, step);
      return tokens;
    case Kind::kBpe:
      for (size_t i = 0; i < tokens.size(); ++i)
        replace_literal(tokens[i], step.content, i + 1 < tokens.size() ? " " : "");
      return tokens;
    case Kind::kCtc:
      return ctc(tokens, step);
  }
  return tokens;
}

}  // namespace

bool is_byte_token(std::string_view token) {
  return token.size() == 6 && token.substr(0, 3) == "<0x" && token[5] == '>' && hex_digit(token[3]) >= 0 &&
         hex_digit(token[4]) >= 0;
}

std::string byte_token(int byte) {
  char text[8];
  std::snprintf(text, sizeof text, "<0x%02X>", byte);
  return text;
}

std::string decode_tokens(const std::vector<DecoderStep>& steps, std::vector<std::string> tokens) {
  const Growth growth(total_size(tokens));
  for (const DecoderStep& step : steps) {
    tokens = apply(step, std::move(tokens), growth);
    growth.check(total_size(tokens), step.where);
  }
  return join(tokens, "");
}

bool decodes_by_prefix(const std::vector<DecoderStep>& steps) {
  bool fused = false;  // the steps behind see one string
  for (const DecoderStep& step : steps) {
    if (step.kind == Kind::kBpe || step.kind == Kind::kCtc) return false;
    if (fused && (step.kind != Kind::kStrip || step.stop > 0)) return false;
    fused = fused || step.kind == Kind::kSpaced || step.kind == Kind::kFuse || step.kind == Kind::kByteLevel;
  }
  return true;
}

}  // namespace sdft
