// What tests of tokenizer.json files share: small files, loaded from a scratch folder.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "testing.h"
#include "text/tokenizer/byte_level.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft::testing {

using Ids = std::vector<int32_t>;
using Words = std::vector<std::string>;

inline Tokenizer load(const Json& file, const Json& config = Json()) {
  ScratchDir dir;
  write_file_atomic(dir / "tokenizer.json", file.dump());
  if (!config.is_null()) write_file_atomic(dir / "tokenizer_config.json", config.dump());
  return Tokenizer::load(dir.path());
}

inline std::string error_of(const std::string& text) {
  ScratchDir dir;
  write_file_atomic(dir / "tokenizer.json", text);
  try {
    Tokenizer::load(dir.path());
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    return e.what();
  }
  return "no error";
}

// A model that knows some whole words, so that the words that reach it can be read off.
inline Json word_level(const Words& words) {
  Json vocab = {{"<unk>", 0}};
  for (const auto& word : words)
    if (!vocab.contains(word)) vocab[word] = vocab.size();
  return {{"model", {{"type", "WordLevel"}, {"unk_token", "<unk>"}, {"vocab", vocab}}}};
}

inline Json split(const char* pattern, const char* behavior, bool invert = false) {
  return {{"type", "Split"}, {"pattern", {{"String", pattern}}}, {"behavior", behavior}, {"invert", invert}};
}

// A byte-level BPE with a few merges.
inline Json small_bpe() {
  Json vocab = Json::object();
  for (const auto& character : byte_level_characters()) vocab[character] = vocab.size();
  Words merges = {"a b", "ab c", "b c", "Ġ ab"};
  for (const char* token : {"ab", "abc", "bc", "Ġab"}) vocab[token] = vocab.size();
  Json file;
  file["model"] = {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}};
  file["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  file["decoder"] = {{"type", "ByteLevel"}};
  return file;
}

}  // namespace sdft::testing
