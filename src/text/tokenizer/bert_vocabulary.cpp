// BERT's vocab.txt: a token a line, its id the line's place from 0. How a text is cut into words says
// tokenizer_config.json, as Transformers' BertTokenizer reads it.
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "text/tokenizer/impl.h"

namespace sdft {
namespace {

constexpr size_t kMostTokens = 1 << 22;

TokenTable read_vocabulary(const std::filesystem::path& path) {
  TokenTable table;
  for_each_line(
      path,
      [&](std::string_view line, size_t number) {
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (number > kMostTokens)
          fail_input(path.string(), "has more than " + std::to_string(kMostTokens) + " tokens");
        table.add(line, static_cast<int32_t>(number - 1), true);
      },
      true);
  return table;
}

struct SpecialToken {
  const char *key, *name;  // in the configuration; where it does not say
};
constexpr SpecialToken kUnknown{"unk_token", "[UNK]"}, kBegin{"cls_token", "[CLS]"},
    kEnd{"sep_token", "[SEP]"}, kPadding{"pad_token", "[PAD]"}, kMask{"mask_token", "[MASK]"};

std::string name_of(const SpecialToken& token, const Json& config, const std::string& where) {
  const auto entry = value_or<Json>(config, token.key, Json(token.name), where);
  return entry.is_object() ? require<std::string>(entry, "content", where + ": " + token.key)
                           : require<std::string>(Json{{token.key, entry}}, token.key, where);
}

// Nothing where the vocabulary has none.
std::optional<int32_t> add_special(const SpecialToken& token, const Json& config, const std::string& where,
                                   Tokenizer::Impl& impl) {
  AddedToken added;
  added.content = name_of(token, config, where);
  added.id = impl.vocabulary().find(added.content);
  added.special = true;
  if (added.id == TokenTable::kNone) return std::nullopt;
  impl.added.add(added);
  return added.id;
}

Json normalizer_section(const Json& config, const std::string& where) {
  Json section = {{"type", "BertNormalizer"}, {"clean_text", true}};
  section["lowercase"] = value_or<bool>(config, "do_lower_case", true, where);
  section["handle_chinese_chars"] = value_or<bool>(config, "tokenize_chinese_chars", true, where);
  section["strip_accents"] = value_or<Json>(config, "strip_accents", Json(), where);
  return section;
}

}  // namespace

TokenizerImplPtr load_tokenizer_bert(const std::filesystem::path& path, const Json& config,
                                     const std::string& config_where) {
  const auto kind = value_or<std::string>(config, "tokenizer_class", "BertTokenizer", config_where);
  if (kind != "BertTokenizer" && kind != "BertTokenizerFast")
    fail_input(path.string(), "is read as BERT's vocabulary, but tokenizer_class is '" + kind + "'",
               "load the tokenizer in Transformers and save it again, which writes tokenizer.json");
  WordPieceOptions options;
  options.unk_token = name_of(kUnknown, config, config_where);
  auto impl =
      std::make_unique<Tokenizer::Impl>(WordPieceModel(read_vocabulary(path), options, path.string()));
  impl->where = path.string();
  impl->normalizer = read_normalizer(normalizer_section(config, config_where), config_where);
  impl->pre_tokenizer = read_pre_tokenizer({{"type", "BertPreTokenizer"}}, impl->where);
  impl->decoder = read_decoder({{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}, impl->where);
  auto add = [&](const SpecialToken& token) { return add_special(token, config, config_where, *impl); };
  auto require_token = [&](const SpecialToken& token) {
    if (const auto id = add(token)) return *id;
    fail_input(impl->where, "has no token '" + name_of(token, config, config_where) + "'", "is it a BERT's?");
  };
  require_token(kUnknown);
  impl->before = {require_token(kBegin)};
  impl->after = {require_token(kEnd)};
  impl->pad = add(kPadding);
  add(kMask);
  return impl;
}

}  // namespace sdft
