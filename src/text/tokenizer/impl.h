// What a Tokenizer is made of. Loaders (tokenizer_json, tokenizer_sentencepiece, tokenizer_tiktoken) fill it
// in.
#pragma once

#include <filesystem>
#include <mutex>
#include <variant>

#include "base/json.h"
#include "text/tokenizer/added_tokens.h"
#include "text/tokenizer/bpe.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/tokenizer/sentencepiece_model.h"
#include "text/tokenizer/token_decoder.h"
#include "text/tokenizer/tokenizer.h"
#include "text/tokenizer/unigram.h"
#include "text/tokenizer/word_piece.h"

namespace sdft {

using TokenModel = std::variant<BpeModel, UnigramModel, WordPieceModel, SentencePieceModel>;

// What one call to encode needs; kept for the next one.
struct EncodeScratch {
  RegexScratch regex;
  WordCache words;
  BpeScratch bpe;
  UnigramScratch unigram;
};

struct Tokenizer::Impl {
  explicit Impl(TokenModel m) : model(std::move(m)) {}

  std::string where;  // the file, for messages
  AddedTokens added;
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  TokenModel model;
  std::vector<int32_t> before, after;    // what add_special puts around a text
  std::optional<bool> add_bos, add_eos;  // where set, take the place of before and after
  std::vector<DecoderStep> decoder;
  std::optional<int32_t> bos, eos, pad;

  // Scratches not in use. A caller takes one and brings it back, so threads share nothing.
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<EncodeScratch>> scratches;

  const TokenTable& vocabulary() const;
  int32_t end() const { return std::max(vocabulary().end(), added.end()); }
  std::optional<int32_t> id_of(std::string_view token) const;
  std::string_view token_of(int32_t id) const;
  // What the decoder makes text of; nullopt for ids of no token.
  std::optional<std::string_view> decoded_text(int32_t id) const;
  void check_id(int32_t id) const;
  void encode_word(std::string_view word, bool at_start, EncodeScratch& scratch,
                   std::vector<int32_t>& ids) const;
  void encode_text(std::string_view text, bool at_start, bool parse_special, EncodeScratch& scratch,
                   std::vector<int32_t>& ids) const;
  std::unique_ptr<EncodeScratch> take_scratch() const;
  void give_back(std::unique_ptr<EncodeScratch> scratch) const;
};

using TokenizerImplPtr = std::unique_ptr<Tokenizer::Impl>;

TokenizerImplPtr load_tokenizer_json(const std::filesystem::path& path);
TokenizerImplPtr load_tokenizer_sentencepiece(const std::filesystem::path& path, const Json& config,
                                              const std::string& config_where);
TokenizerImplPtr load_tokenizer_tiktoken(const std::filesystem::path& path, const Json& config,
                                         const std::string& config_where);
TokenizerImplPtr load_tokenizer_bert(const std::filesystem::path& path, const Json& config,
                                     const std::string& config_where);
// "aGk= 17" lines, not a protobuf.
bool is_tiktoken_file(const std::filesystem::path& path);

// Adds what tokenizer_config.json (`config`; an empty object where there is none) and its neighbours in `dir`
// say.
void apply_config(Tokenizer::Impl& impl, const std::filesystem::path& dir, const Json& config);
// Without its id.
AddedToken read_added_token(const Json& entry, const std::string& where);
int32_t parse_token_id(const std::string& text, const std::string& where);

// The steps of a tokenizer.json's sections; null gives none. `where` names the file and the section.
std::vector<NormalizerStep> read_normalizer(const Json& section, const std::string& where);
std::vector<PreTokenizerStep> read_pre_tokenizer(const Json& section, const std::string& where);
std::vector<DecoderStep> read_decoder(const Json& section, const std::string& where);
struct AroundText {
  std::vector<int32_t> before, after;
};
AroundText read_post_processor(const Json& section, const std::string& where);

}  // namespace sdft
