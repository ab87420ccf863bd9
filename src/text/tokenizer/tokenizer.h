// Text to token ids and back, as Hugging Face tokenizers and SentencePiece do it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

struct EncodeOptions {
  bool add_special = false;   // what the post-processor adds: BOS and the like
  bool parse_special = true;  // "<s>" in the text becomes the special token; false: plain characters
  // Of what is given out, what add_special puts around included: the text's last tokens go away. 0: no limit.
  size_t most_tokens = 0;
};

class Tokenizer {
 public:
  // From a model folder: tokenizer.json, else tokenizer.model (SentencePiece or tiktoken), else vocab.txt
  // (BERT's WordPiece), with tokenizer_config.json, special_tokens_map.json and generation_config.json for
  // the special tokens. Throws Error(kInput).
  static Tokenizer load(const std::filesystem::path& model_dir);

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // Thread-safe. Invalid UTF-8 is an Error(kInput) naming the byte.
  std::vector<int32_t> encode(std::string_view text, EncodeOptions options = {}) const;
  // As in HF, ids behind the vocabulary (an embedding may have rows without tokens) have no text, and
  // incomplete characters become U+FFFD. Negative ids are an Error(kInput).
  std::string decode(const std::vector<int32_t>& ids, bool skip_special = true) const;

  int32_t vocab_size() const;                                  // highest id + 1, added tokens included
  std::optional<int32_t> id_of(std::string_view token) const;  // as written in the vocabulary
  std::string token_of(int32_t id) const;
  bool is_special(int32_t id) const;
  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;
  std::optional<int32_t> pad_id() const;

  struct Impl;  // impl.h
  explicit Tokenizer(std::unique_ptr<Impl> impl);

 private:
  friend class StreamDecoder;
  std::unique_ptr<Impl> impl_;
};

// Decodes a growing sequence; never gives out half a character. What it gave out, concatenated, is decode()
// of all ids.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true);
  std::string add(int32_t id);  // the text that became certain, possibly ""
  std::string finish();         // the rest

 private:
  bool unfinished() const;
  std::string text(size_t from_id) const;

  const Tokenizer& tokenizer_;
  bool skip_special_;
  std::vector<int32_t> ids_;  // the last ones: some whose text was given out, as context, then the others
  size_t given_ids_ = 0;
  size_t given_bytes_ = 0;  // of the text of ids_
};

}  // namespace sdft
