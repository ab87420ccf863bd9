// The vocabulary: tokenizer.ggml.* -> a model folder's tokenizer files.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <protozero/pbf_writer.hpp>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "model/format/architectures.h"
#include "model/gguf_import.h"

namespace sdft {
namespace {

// tokenizer.ggml.token_type, with SentencePiece's numbers.
enum TokenType { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

// As in llama.cpp, for which a file may have many unknown tokens (fillers of Phi-3).
bool is_special(int type) { return type == kControl || type == kUnknown; }

struct Vocabulary {
  std::vector<std::string> tokens;  // their places are their ids
  std::vector<int> types;
  std::optional<int64_t> bos, eos, unk, pad;
  bool add_bos = false, add_eos = false;
  bool spaced = false;  // special tokens take the white space behind them along
};

const std::string kPrefix = "tokenizer.ggml.";

std::optional<int64_t> token_id(const GgufFile& file, const std::string& name, size_t count) {
  const std::string key = kPrefix + name + "_token_id";
  if (file.metadata().count(key) == 0) return std::nullopt;
  const auto id = file.require<int64_t>(key);
  if (id < 0 || id >= static_cast<int64_t>(count))
    fail_input(file.where(), fmt::format("metadata '{}' is {}; there are {} tokens", key, id, count));
  return id;
}

// Which the file cannot say: by the model's name, as llama.cpp does it.
bool is_spaced(const GgufFile& file) {
  std::string name = file.value_or<std::string>("general.name", "");
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Architecture& row : architectures())
    for (const std::string& part : row.gguf.spaced_names)
      if (name.find(part) != std::string::npos) return true;
  return false;
}

Vocabulary read_vocabulary(const GgufFile& file, bool add_bos) {
  Vocabulary v;
  v.tokens = file.require<std::vector<std::string>>(kPrefix + "tokens");
  for (size_t id = 0; id < v.tokens.size(); ++id)
    if (v.tokens[id].empty()) v.tokens[id] = fmt::format("[EMPTY_{}]", id);  // llama.cpp's name for it
  v.types = file.value_or(kPrefix + "token_type", std::vector<int>(v.tokens.size(), kNormal));
  if (v.types.size() != v.tokens.size())
    fail_input(file.where(),
               fmt::format("has {} tokens, but {} token types", v.tokens.size(), v.types.size()));
  v.bos = token_id(file, "bos", v.tokens.size());
  v.eos = token_id(file, "eos", v.tokens.size());
  v.unk = token_id(file, "unknown", v.tokens.size());
  v.pad = token_id(file, "padding", v.tokens.size());
  v.add_bos = file.value_or(kPrefix + "add_bos_token", add_bos);
  v.add_eos = file.value_or(kPrefix + "add_eos_token", false);
  v.spaced = is_spaced(file);
  return v;
}

// JSON text; what is not UTF-8 cannot be said in it.
std::string written(const Json& json, int indent, const std::string& where) {
  try {
    return json.dump(indent) + "\n";
  } catch (const nlohmann::json::type_error&) {
    fail_input(where, "its vocabulary or chat template holds bytes that are not UTF-8");
  }
}

// Tokens that are looked for in the text before anything else happens to it.
bool is_added(const Vocabulary& v, size_t id) {
  return is_special(v.types[id]) || v.types[id] == kUserDefined;
}

Json added_token(const Vocabulary& v, size_t id) {
  const std::string& content = v.tokens[id];
  const bool special = is_special(v.types[id]),
             keeps_space = content == "<unk>" || content == "<s>" || content == "<|endoftext|>";
  return {{"content", content},  {"single_word", false},
          {"lstrip", false},     {"rstrip", v.spaced && !keeps_space && (special || content == "</s>")},
          {"normalized", false}, {"special", special}};
}

// ---- Byte-level BPE

// How text is cut before the merges: patterns, each applied to what the one before left. What stands between
// their matches is a word too.
struct PreTokenizer {
  std::vector<const char*> names;  // tokenizer.ggml.pre
  std::vector<const char*> patterns;
  bool ignore_merges = false;  // a word that is a token needs no merges
  bool add_bos = false;        // where the file does not say
  bool nfc = false;
};

#define SDFT_ENGLISH "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SDFT_REST "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define SDFT_WORDS(digits) \
  SDFT_ENGLISH "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SDFT_REST
// Words in which lower case ends what upper case began.
#define SDFT_CASED(end, digits)                                                                    \
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+" end  \
  "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*" end \
  "|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SDFT_REST
constexpr const char* kGpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const std::vector<PreTokenizer>& pre_tokenizers() {
  static const std::vector<PreTokenizer> list = {
      {{"default"},
       {"[\\p{P}\\$\\+<=>\\^~\\|]+",
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)", "\\p{N}+",
        "[0-9][0-9][0-9]"}},
      {{"gpt-2", "phi-2", "olmo", "mpt", "jais", "exaone4"}, {kGpt2}},
      {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2"},
       {SDFT_WORDS("\\p{N}{1,3}")},
       true,
       true},
      {{"dbrx", "smaug-bpe"}, {SDFT_WORDS("\\p{N}{1,3}")}},
      // Qwen's own tokenizer composes characters first, which llama.cpp leaves out.
      {{"qwen2"}, {SDFT_WORDS("\\p{N}")}, false, false, true},
      {{"deepseek-r1-qwen", "stablelm2"}, {SDFT_WORDS("\\p{N}")}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"},
       {"\\p{N}", kGpt2}},
      {{"tekken"}, {SDFT_CASED("", "\\p{N}")}, true, true},
      {{"gpt-4o", "llama4"}, {SDFT_CASED(SDFT_ENGLISH "?", "\\p{N}{1,3}")}},
  };
  return list;
}

const PreTokenizer& find_pre_tokenizer(const std::string& name, const std::string& where) {
  std::string known;
  for (const PreTokenizer& row : pre_tokenizers()) {
    for (const char* candidate : row.names) {
      if (name == candidate) return row;
      known += (known.empty() ? "" : ", ") + std::string(candidate);
    }
  }
  fail_input(where, "metadata 'tokenizer.ggml.pre': the pre-tokenizer '" + name + "' is not known",
             "known: " + known);
}

Json pre_tokenizer_json(const PreTokenizer& pre) {
  Json steps = Json::array();
  for (const char* pattern : pre.patterns)
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  steps.push_back(
      {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}});
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

// {"type": "TemplateProcessing", ...} that puts BOS and EOS around a text; null where neither is wanted.
Json post_processor_json(const Vocabulary& v) {
  Json single = Json::array(), special = Json::object();
  auto put = [&](bool wanted, const std::optional<int64_t>& id) {
    if (!wanted || !id) return;
    const std::string& token = v.tokens[static_cast<size_t>(*id)];
    single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    special[token] = {{"id", token}, {"ids", {*id}}, {"tokens", {token}}};
  };
  put(v.add_bos, v.bos);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  put(v.add_eos, v.eos);
  if (special.empty()) return nullptr;
  Json pair = single;
  for (const Json& step : single) {
    Json second = step;
    second.begin().value()["type_id"] = 1;
    if (second.contains("Sequence")) second["Sequence"]["id"] = "B";
    pair.push_back(second);
  }
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
}

Json ids_json(const GgufFile& file, const Vocabulary& v) {
  Json::object_t ids;
  std::set<std::string> seen;
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    if (v.types[id] == kUnused) continue;  // fills a hole
    if (!seen.insert(v.tokens[id]).second)
      fail_input(file.where(), fmt::format("has the token '{}' twice, once as id {}", v.tokens[id], id));
    ids.emplace_back(v.tokens[id], id);  // not ids[...], which searches
  }
  return ids;
}

Json bpe_model_json(const Json& ids, const Json& merges) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", ""},
          {"end_of_word_suffix", ""},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", ids},
          {"merges", merges}};
}

Json byte_level_json() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
}

Json replace_json(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

// What of tokenizer.json both kinds of vocabulary have: all but the steps of their own.
std::string tokenizer_json(const GgufFile& file, const Vocabulary& v, const Json& steps) {
  Json added = Json::array();
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    if (!is_added(v, id)) continue;
    Json entry = {{"id", id}};
    entry.update(added_token(v, id));
    added.push_back(entry);
  }
  Json json = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", added}};
  json["post_processor"] = post_processor_json(v);
  json.update(steps);
  return written(json, 1, file.where());
}

// ---- SentencePiece

// SentencePiece must have exactly one unknown piece. Converters that take types from Hugging Face's list of
// added tokens make it a control token; others give its type to every id that they find no token for.
void find_unknown(Vocabulary& v) {
  for (size_t id = 0; id < v.tokens.size() && !v.unk; ++id)
    if (v.tokens[id] == "<unk>") v.unk = static_cast<int64_t>(id);
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    if (v.types[id] != kUnknown) continue;
    if (!v.unk) v.unk = static_cast<int64_t>(id);
    v.types[id] = kControl;
  }
  if (v.unk) v.types[static_cast<size_t>(*v.unk)] = kUnknown;
}

std::vector<float> scores_of(const GgufFile& file, const Vocabulary& v) {
  auto scores = file.require<std::vector<float>>(kPrefix + "scores");
  if (scores.size() != v.tokens.size())
    fail_input(file.where(), fmt::format("has {} tokens, but {} scores", v.tokens.size(), scores.size()));
  for (const float score : scores)
    if (std::isnan(score)) fail_input(file.where(), "has a score that is not a number");
  return scores;
}

// Field numbers are those of sentencepiece_model.proto.
std::string sentencepiece_model(const GgufFile& file, const Vocabulary& v) {
  const std::vector<float> scores = scores_of(file, v);
  std::string written;
  protozero::pbf_writer model(written);
  bool bytes = false;
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    protozero::pbf_writer piece(model, 1);
    piece.add_string(1, v.tokens[id]);
    piece.add_float(2, scores[id]);
    piece.add_enum(3, v.types[id]);
    bytes = bytes || v.types[id] == kByte;
  }
  {
    protozero::pbf_writer trainer(model, 2);
    trainer.add_enum(3, 2);  // BPE
    trainer.add_int32(4, static_cast<int32_t>(v.tokens.size()));
    trainer.add_bool(35, bytes);
    auto special = [&](const std::optional<int64_t>& id, uint32_t id_field, uint32_t piece_field) {
      if (!id) return;
      trainer.add_int32(id_field, static_cast<int32_t>(*id));
      trainer.add_string(piece_field, v.tokens[static_cast<size_t>(*id)]);
    };
    special(v.unk, 40, 45);
    special(v.bos, 41, 46);
    special(v.eos, 42, 47);
    special(v.pad, 43, 48);
  }
  const auto map = file.value_or(kPrefix + "precompiled_charsmap", std::vector<uint8_t>());
  protozero::pbf_writer normalizer(model, 3);
  normalizer.add_string(1, "identity");
  if (!map.empty()) normalizer.add_bytes(2, reinterpret_cast<const char*>(map.data()), map.size());
  normalizer.add_bool(3, file.value_or(kPrefix + "add_space_prefix", true));
  normalizer.add_bool(4, file.value_or(kPrefix + "remove_extra_whitespaces", false));
  normalizer.add_bool(5, true);
  normalizer.commit();
  return written;
}

// The pieces that two neighbours may become, best ones first: SentencePiece's rule as merges.
Json merges_json(const Vocabulary& v, const std::vector<float>& scores) {
  std::unordered_map<std::string_view, size_t> ids;
  std::vector<size_t> best;
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    // A plain space is never in the text that merges see, and merges are written with one.
    if (v.types[id] != kNormal || v.tokens[id].find(' ') != std::string::npos) continue;
    ids.emplace(v.tokens[id], id);
    best.push_back(id);
  }
  std::stable_sort(best.begin(), best.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  Json merges = Json::array();
  for (const size_t id : best) {
    const std::string_view piece = v.tokens[id];
    for (size_t at = 1; at < piece.size(); ++at)
      if (ids.count(piece.substr(0, at)) && ids.count(piece.substr(at)))
        merges.push_back(fmt::format("{} {}", piece.substr(0, at), piece.substr(at)));
  }
  return merges;
}

// The same vocabulary for Transformers, whose own reading of tokenizer.model takes ids for scores, and leaves
// out the space in front of a text that starts with one.
std::string sentencepiece_json(const GgufFile& file, const Vocabulary& v, bool prefix_space) {
  Json model = bpe_model_json(ids_json(file, v), merges_json(v, scores_of(file, v)));
  if (v.unk) model["unk_token"] = v.tokens[static_cast<size_t>(*v.unk)];
  model["fuse_unk"] = true;
  model["byte_fallback"] = std::count(v.types.begin(), v.types.end(), kByte) > 0;
  Json before = Json::array(), behind = Json::array();
  if (prefix_space) before.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
  before.push_back(replace_json(" ", "▁"));
  behind.push_back(replace_json("▁", " "));
  behind.push_back({{"type", "ByteFallback"}});
  behind.push_back({{"type", "Fuse"}});
  if (prefix_space) behind.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return tokenizer_json(file, v,
                        {{"normalizer", {{"type", "Sequence"}, {"normalizers", before}}},
                         {"pre_tokenizer", nullptr},
                         {"decoder", {{"type", "Sequence"}, {"decoders", behind}}},
                         {"model", model}});
}

// SentencePiece itself never cuts control pieces out of text, nor user-defined ones with a plain space
// (Gemma's runs of spaces), for it has made "▁" of every space by then: they are added tokens as well.
Json added_tokens_decoder(const Vocabulary& v) {
  Json::object_t tokens;
  for (size_t id = 0; id < v.tokens.size(); ++id)
    if (is_added(v, id)) tokens.emplace_back(std::to_string(id), added_token(v, id));
  return tokens;
}

// ---- What is the same for both

std::string pre_tokenizer_name(const GgufFile& file) {
  const auto name = file.value_or<std::string>(kPrefix + "pre", "");
  if (!name.empty()) return name;
  spdlog::warn(
      "{}: metadata 'tokenizer.ggml.pre' is missing: text is cut as llama.cpp's 'default' does, which may "
      "not be what the model was trained with (convert the model again with a current llama.cpp)",
      file.where());
  return "default";
}

Json tokenizer_config(const GgufFile& file, const Vocabulary& v) {
  Json config = Json::object();
  auto name = [&](const char* key, const std::optional<int64_t>& id) {
    config[key] = id ? Json(v.tokens[static_cast<size_t>(*id)]) : Json();
  };
  name("bos_token", v.bos);
  name("eos_token", v.eos);
  name("pad_token", v.pad);
  config["add_bos_token"] = v.add_bos;
  config["add_eos_token"] = v.add_eos;
  config["clean_up_tokenization_spaces"] = false;
  const auto chat = file.value_or<std::string>("tokenizer.chat_template", "");
  if (!chat.empty()) config["chat_template"] = chat;
  return config;
}

// All that ends an answer: llama.cpp keeps the end of a turn and the end of a text apart.
std::string generation_config(const GgufFile& file, const Vocabulary& v) {
  std::vector<int64_t> ends;
  for (const char* name : {"eos", "eot", "eom"})
    if (const auto id = token_id(file, name, v.tokens.size()))
      if (std::find(ends.begin(), ends.end(), *id) == ends.end()) ends.push_back(*id);
  Json json = Json::object();
  if (v.bos) json["bos_token_id"] = *v.bos;
  if (ends.size() == 1) json["eos_token_id"] = ends[0];
  if (ends.size() > 1) json["eos_token_id"] = ends;
  if (v.pad) json["pad_token_id"] = *v.pad;
  return written(json, 2, file.where());
}

}  // namespace

std::vector<std::string> gguf_pre_tokenizers() {
  std::vector<std::string> names;
  for (const PreTokenizer& row : pre_tokenizers())
    if (row.names[0] != std::string("default")) names.push_back(row.names[0]);
  return names;
}

std::map<std::string, std::string> gguf_tokenizer_files(const GgufFile& file) {
  const auto model = file.require<std::string>(kPrefix + "model");
  std::map<std::string, std::string> files;
  Json config;
  Vocabulary v;
  if (model == "gpt2") {
    const PreTokenizer& pre = find_pre_tokenizer(pre_tokenizer_name(file), file.where());
    v = read_vocabulary(file, pre.add_bos);
    Json bpe = bpe_model_json(ids_json(file, v), file.require<std::vector<std::string>>(kPrefix + "merges"));
    bpe["ignore_merges"] = pre.ignore_merges;
    files["tokenizer.json"] = tokenizer_json(file, v,
                                             {{"normalizer", pre.nfc ? Json{{"type", "NFC"}} : Json()},
                                              {"pre_tokenizer", pre_tokenizer_json(pre)},
                                              {"decoder", byte_level_json()},
                                              {"model", bpe}});
    config = tokenizer_config(file, v);
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
  } else if (model == "llama") {
    v = read_vocabulary(file, true);
    find_unknown(v);
    files["tokenizer.model"] = sentencepiece_model(file, v);
    config = tokenizer_config(file, v);
    if (v.unk) config["unk_token"] = v.tokens[static_cast<size_t>(*v.unk)];
    config["added_tokens_decoder"] = added_tokens_decoder(v);
    const bool prefix_space = file.value_or(kPrefix + "add_space_prefix", true);
    config["legacy"] = true;  // llama.cpp: a space in front of each stretch between special tokens
    config["add_prefix_space"] = prefix_space;
    const bool normalizes = file.metadata().count(kPrefix + "precompiled_charsmap") > 0 ||
                            file.value_or(kPrefix + "remove_extra_whitespaces", false);
    config["tokenizer_class"] = normalizes ? "LlamaTokenizer" : "PreTrainedTokenizerFast";
    if (!normalizes) files["tokenizer.json"] = sentencepiece_json(file, v, prefix_space);
  } else {
    fail_input(file.where(),
               "metadata 'tokenizer.ggml.model': the vocabulary kind '" + model + "' is not read",
               "known: gpt2 (byte-level BPE), llama (SentencePiece)");
  }
  files["tokenizer_config.json"] = written(config, 2, file.where());
  files["generation_config.json"] = generation_config(file, v);
  return files;
}

}  // namespace sdft
