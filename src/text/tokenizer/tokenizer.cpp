#include "text/tokenizer/tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/model_folder.h"
#include "base/utf8.h"
#include "text/tokenizer/impl.h"

namespace sdft {

std::optional<int32_t> Tokenizer::Impl::id_of(std::string_view token) const {
  if (const AddedToken* found = added.by_content(token)) return found->id;
  const int32_t id = vocabulary().find(token);
  return id == TokenTable::kNone ? std::nullopt : std::optional<int32_t>(id);
}

std::string_view Tokenizer::Impl::token_of(int32_t id) const {
  if (const AddedToken* found = added.by_id(id)) return found->content;
  return vocabulary().token(id);
}

std::optional<std::string_view> Tokenizer::Impl::decoded_text(int32_t id) const {
  if (const std::string* text = added.text_of(id)) return *text;
  return vocabulary().has(id) ? std::optional<std::string_view>(vocabulary().token(id)) : std::nullopt;
}

void Tokenizer::Impl::check_id(int32_t id) const {
  if (id < 0 || id >= end())
    fail_input(where, "token id " + std::to_string(id) + " is out of range: ids go from 0 to " +
                          std::to_string(end() - 1));
}

const TokenTable& Tokenizer::Impl::vocabulary() const {
  return std::visit([](const auto& m) -> const TokenTable& { return m.vocabulary(); }, model);
}

std::unique_ptr<EncodeScratch> Tokenizer::Impl::take_scratch() const {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (!scratches.empty()) {
      auto scratch = std::move(scratches.back());
      scratches.pop_back();
      return scratch;
    }
  }
  return std::make_unique<EncodeScratch>();
}

void Tokenizer::Impl::give_back(std::unique_ptr<EncodeScratch> scratch) const {
  std::lock_guard<std::mutex> lock(mutex);
  scratches.push_back(std::move(scratch));
}

void Tokenizer::Impl::encode_word(std::string_view word, bool at_start, EncodeScratch& scratch,
                                  std::vector<int32_t>& ids) const {
  if (const auto* bpe = std::get_if<BpeModel>(&model))
    return bpe->encode(word, scratch.bpe, scratch.words, ids);
  if (const auto* m = std::get_if<UnigramModel>(&model))
    return m->encode(word, scratch.unigram, scratch.words, ids);
  if (const auto* m = std::get_if<WordPieceModel>(&model)) return m->encode(word, scratch.words, ids);
  std::get<SentencePieceModel>(model).encode(word, at_start, scratch.words, ids);
}

// A stretch without added tokens that are looked for in the text as it is.
void Tokenizer::Impl::encode_text(std::string_view text, bool at_start, bool parse_special,
                                  EncodeScratch& scratch, std::vector<int32_t>& ids) const {
  std::string normalized;
  if (!normalizer.empty()) {
    normalized = normalize(normalizer, text, scratch.regex);
    text = normalized;
  }
  const WordSink to_model = [&](std::string_view word) { encode_word(word, at_start, scratch, ids); };
  auto encode_piece = [&](std::string_view piece, const AddedToken* token) {
    if (token)
      ids.push_back(token->id);
    else
      pre_tokenize(pre_tokenizer, piece, at_start && piece.data() == text.data(), scratch.regex, to_model);
  };
  if (added.any(true))
    added.split(text, true, parse_special, encode_piece);
  else
    encode_piece(text, nullptr);
}

Tokenizer Tokenizer::load(const std::filesystem::path& model_dir) {
  namespace fs = std::filesystem;
  require_folder(model_dir, FolderKind::kModel);
  const fs::path json = model_dir / "tokenizer.json", model = model_dir / "tokenizer.model",
                 words = model_dir / "vocab.txt", config_path = model_dir / "tokenizer_config.json";
  const Json config = fs::exists(config_path) ? read_json(config_path) : Json::object();
  if (!config.is_object()) fail_input(config_path.string(), "expected an object, found " + describe(config));
  std::unique_ptr<Impl> impl;
  if (fs::exists(json))
    impl = load_tokenizer_json(json);
  else if (!fs::exists(model) && fs::exists(words))
    impl = load_tokenizer_bert(words, config, config_path.string());
  else if (!fs::exists(model))
    fail_no_tokenizer(model_dir);
  else if (is_tiktoken_file(model))
    impl = load_tokenizer_tiktoken(model, config, config_path.string());
  else
    impl = load_tokenizer_sentencepiece(model, config, config_path.string());
  apply_config(*impl, model_dir, config);
  RegexScratch scratch;
  impl->added.prepare([&](std::string_view text) {
    std::string normalized = normalize(impl->normalizer, text, scratch);
    if (normalized.empty())
      fail_input(impl->where,
                 "nothing is left of the added token '" + std::string(text) + "' when it is normalized",
                 "set its \"normalized\" to false");
    return normalized;
  });
  return Tokenizer(std::move(impl));
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (size_t fault = utf8_fault(text); fault != std::string_view::npos)
    fail_input("text to tokenize", "not valid UTF-8 at byte " + std::to_string(fault));
  std::vector<int32_t> ids;
  if (options.add_special) ids = impl_->before;
  auto scratch = impl_->take_scratch();
  auto encode_piece = [&](std::string_view piece, const AddedToken* token) {
    if (token)
      ids.push_back(token->id);
    else
      impl_->encode_text(piece, piece.data() == text.data(), options.parse_special, *scratch, ids);
  };
  if (impl_->added.any(false))
    impl_->added.split(text, false, options.parse_special, encode_piece);
  else
    encode_piece(text, nullptr);
  impl_->give_back(std::move(scratch));
  const size_t behind = options.add_special ? impl_->after.size() : 0;
  if (options.most_tokens > 0 && ids.size() + behind > options.most_tokens)
    ids.resize(std::max(options.add_special ? impl_->before.size() : 0,
                        options.most_tokens - std::min(behind, options.most_tokens)));
  if (options.add_special) ids.insert(ids.end(), impl_->after.begin(), impl_->after.end());
  return ids;
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids, bool skip_special) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (int32_t id : ids) {
    if (id >= impl_->end()) continue;
    impl_->check_id(id);
    const auto text = impl_->decoded_text(id);
    if (text && !(skip_special && impl_->added.is_special(*text))) tokens.emplace_back(*text);
  }
  return decode_tokens(impl_->decoder, std::move(tokens));
}

int32_t Tokenizer::vocab_size() const { return impl_->end(); }
std::optional<int32_t> Tokenizer::id_of(std::string_view token) const { return impl_->id_of(token); }

std::string Tokenizer::token_of(int32_t id) const {
  impl_->check_id(id);
  return std::string(impl_->token_of(id));
}

bool Tokenizer::is_special(int32_t id) const {
  const AddedToken* token = impl_->added.by_id(id);
  return token && token->special;
}

std::optional<int32_t> Tokenizer::bos_id() const { return impl_->bos; }
std::optional<int32_t> Tokenizer::eos_id() const { return impl_->eos; }
std::optional<int32_t> Tokenizer::pad_id() const { return impl_->pad; }

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special) {}

std::string StreamDecoder::text(size_t from_id) const {
  return tokenizer_.decode({ids_.begin() + static_cast<std::ptrdiff_t>(from_id), ids_.end()}, skip_special_);
}

// What comes next could still change the text of the last token.
bool StreamDecoder::unfinished() const {
  return !decodes_by_prefix(tokenizer_.impl_->decoder) ||
         is_byte_token(tokenizer_.impl_->token_of(ids_.back()));
}

std::string StreamDecoder::add(int32_t id) {
  if (id >= tokenizer_.impl_->end()) return "";
  tokenizer_.impl_->check_id(id);
  const auto text_of_id = tokenizer_.impl_->decoded_text(id);
  if (!text_of_id || (skip_special_ && tokenizer_.impl_->added.is_special(*text_of_id))) return "";
  ids_.push_back(id);
  if (unfinished()) return "";
  const std::string all = text(0);
  const std::string_view replacement_character = "\xef\xbf\xbd";
  if (all.size() >= 3 && all.compare(all.size() - 3, 3, replacement_character) == 0) return "";
  std::string news = all.substr(std::min(given_bytes_, all.size()));
  // The new tokens are context enough for the next ones if they have text of their own: what a decoder strips
  // at the start, it then strips from them.
  const size_t behind_given = given_ids_;
  given_ids_ = ids_.size();
  given_bytes_ = all.size();
  if (std::string context = text(behind_given); !context.empty() && behind_given < ids_.size()) {
    ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(behind_given));
    given_ids_ = ids_.size();
    given_bytes_ = context.size();
  }
  return news;
}

std::string StreamDecoder::finish() {
  const std::string all = text(0);
  std::string news = all.substr(std::min(given_bytes_, all.size()));
  ids_.clear();
  given_ids_ = given_bytes_ = 0;
  return news;
}

}  // namespace sdft
