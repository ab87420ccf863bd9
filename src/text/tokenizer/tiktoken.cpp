// tiktoken's vocabulary files, as Llama 3's original tokenizer.model: "base64-bytes id" lines. An id is also
// the rank at which its bytes are merged.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/file.h"
#include "text/tokenizer/byte_level.h"
#include "text/tokenizer/impl.h"
#include "text/tokenizer/precompiled_map.h"

namespace sdft {
namespace {

constexpr const char* kLlama3SplitRegex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Behind the file's tokens, where no configuration lists them; the rest up to 256 is reserved.
constexpr size_t kLlama3Specials = 256;
constexpr std::array<const char*, 11> kLlama3Named = {"<|begin_of_text|>",
                                                      "<|end_of_text|>",
                                                      "<|reserved_special_token_0|>",
                                                      "<|reserved_special_token_1|>",
                                                      "<|finetune_right_pad_id|>",
                                                      "<|step_id|>",
                                                      "<|start_header_id|>",
                                                      "<|end_header_id|>",
                                                      "<|eom_id|>",
                                                      "<|eot_id|>",
                                                      "<|python_tag|>"};

constexpr size_t kLongestToken = 4096;  // in base64: each is cut at every place

bool parse_line(std::string_view line, std::string_view& base64, std::string_view& id) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0) return false;
  base64 = line.substr(0, space);
  id = line.substr(space + 1);
  if (!id.empty() && id.back() == '\r') id.remove_suffix(1);
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  auto base64_letter = [&](char c) {
    return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/' || c == '=';
  };
  return !id.empty() && std::all_of(id.begin(), id.end(), digit) &&
         std::all_of(base64.begin(), base64.end(), base64_letter);
}

TokenTable read_vocabulary(const std::filesystem::path& path) {
  TokenTable table;
  for_each_line(
      path,
      [&](std::string_view line, size_t number) {
        const std::string where = path.string() + ":" + std::to_string(number);
        if (line.empty()) return;
        std::string_view base64, id;
        if (!parse_line(line, base64, id)) fail_input(where, "expected base64 bytes, a space and an id");
        const int32_t value = parse_token_id(std::string(id), where);
        if (base64.size() > kLongestToken)
          fail_input(where, "a token of more than " + std::to_string(kLongestToken) + " characters");
        if (!table.add(to_byte_level(decode_base64(base64, where)), value))
          fail_input(where, "the token or its id " + std::to_string(value) + " was there before");
      },
      true);
  return table;
}

// Any two tokens that together are a token may be merged, at the rank of what they give.
std::vector<BpeModel::Merge> all_merges(const TokenTable& table) {
  std::vector<BpeModel::Merge> merges;
  for (int32_t id = 0; id < table.end(); ++id) {
    const std::string_view token = table.token(id);
    for (size_t cut = 1; cut < token.size(); ++cut) {
      if ((token[cut] & 0xc0) == 0x80) continue;  // inside a byte-level character
      const int32_t left = table.find(token.substr(0, cut)), right = table.find(token.substr(cut));
      if (left != TokenTable::kNone && right != TokenTable::kNone)
        merges.push_back({left, right, id, static_cast<uint32_t>(id)});
    }
  }
  return merges;
}

void add_llama3_specials(Tokenizer::Impl& impl) {
  size_t reserved = 2;
  for (size_t i = 0; i < kLlama3Specials; ++i) {
    AddedToken token;
    token.id = impl.vocabulary().end() + static_cast<int32_t>(i);
    token.content = i < kLlama3Named.size() ? kLlama3Named[i]
                                            : "<|reserved_special_token_" + std::to_string(reserved++) + "|>";
    token.special = true;
    impl.added.add(token);
  }
  impl.bos = impl.added.by_content("<|begin_of_text|>")->id;
  impl.eos = impl.added.by_content("<|end_of_text|>")->id;
  impl.add_bos = true;
}

}  // namespace

bool is_tiktoken_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  const std::string_view start(reinterpret_cast<const char*>(file.data()),
                               std::min<size_t>(file.size(), 4096));
  std::string_view base64, id;
  return parse_line(start.substr(0, start.find('\n')), base64, id);
}

TokenizerImplPtr load_tokenizer_tiktoken(const std::filesystem::path& path, const Json& config,
                                         const std::string& config_where) {
  TokenTable table = read_vocabulary(path);
  const auto merges = all_merges(table);
  BpeOptions options;
  options.byte_level = options.ignore_merges = true;
  auto impl = std::make_unique<Tokenizer::Impl>(BpeModel(std::move(table), merges, options, path.string()));
  impl->where = path.string();
  PreTokenizerStep& split = impl->pre_tokenizer.emplace_back();
  split.kind = PreTokenizerStep::Kind::kSplit;
  split.pattern.regex.emplace(kLlama3SplitRegex, path.string());
  impl->decoder.emplace_back().kind = DecoderStep::Kind::kByteLevel;
  if (value_or<Json>(config, "added_tokens_decoder", Json(), config_where).is_null())
    add_llama3_specials(*impl);
  return impl;
}

}  // namespace sdft
