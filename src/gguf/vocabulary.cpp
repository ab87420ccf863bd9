#include "gguf/vocabulary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "model/gguf_import.h"
#include "text/tokenizer/sentencepiece_file.h"

namespace sdft::gguf {
namespace fs = std::filesystem;
namespace {

// What tokenizers differ in: capital contractions, digits of all lengths, runs of white space and line
// breaks, cased words, marks that compose, other scripts, emoji, code.
constexpr const char* kPitfalls[] = {
    "It's HE'S we'LL They'RE I'd",
    "7 42 365 2024 12345 1234567 3.14159 x9y99z999 ¾ Ⅷ ४२",
    "a  b   c    d\t\te\n\nf \n g\r\nh  \n\n\n  i   ",
    "HelloWorld helloWORLD iPhone McDonald's USA_today",
    "caf\u00e9 cafe\u0301 \u00c5ngstro\u0308m Straße naïve",
    "你好，世界 こんにちは 안녕 Привет שלום नमस्ते",
    "👍🏽 👨‍👩‍👧 ✨",
    "for (i=0;i<10;++i){ x[i]+=\"$y\"; } // ok?! ...\n\tpath/to\\file http://a.b/c?d=e&f#g",
    "!!! ??? -- === <<>> `~^|",
    " leading",
    "trailing ",
    "\n",
    "  ",
    "The answer is: (a) yes, (b) no."};

// A folder that is gone in the end.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "vocabulary-XXXXXX").string();
    if (!::mkdtemp(name.data())) fail_input(name, "cannot be made");
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// tokenizer.ggml.tokens and the lists beside it, a row for each of the embedding's.
struct Lists {
  Json tokens = Json::array(), types = Json::array(), scores = Json::array();

  explicit Lists(int64_t rows) {
    for (int64_t id = 0; id < rows; ++id) {
      tokens.push_back(fmt::format("[PAD{}]", id));
      types.push_back(SentencePieceType::kUnused);
      scores.push_back(-1000.0);
    }
  }
  void set(int64_t id, const std::string& text, SentencePieceType type) {
    tokens.at(static_cast<size_t>(id)) = text;
    types.at(static_cast<size_t>(id)) = type;
  }
};

void set_added(const Json& added, const std::string& where, Lists* lists) {
  for (const Json& token : added)
    lists->set(require<int64_t>(token, "id", where), require<std::string>(token, "content", where),
               value_or(token, "special", false, where) ? SentencePieceType::kControl
                                                        : SentencePieceType::kUserDefined);
}

// "gpt2" without tokenizer.ggml.pre.
GgufMetadata byte_level(const Json& json, const std::string& where, int64_t rows) {
  Lists lists(rows);
  for (const auto& [text, id] : json["model"]["vocab"].items())
    lists.set(id.get<int64_t>(), text, SentencePieceType::kNormal);
  set_added(json.value("added_tokens", Json::array()), where, &lists);
  Json merges = Json::array();
  for (const Json& merge : json["model"]["merges"])
    merges.push_back(merge.is_string()
                         ? merge.get<std::string>()
                         : merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>());
  return {{"tokenizer.ggml.model", "gpt2"},
          {"tokenizer.ggml.tokens", lists.tokens},
          {"tokenizer.ggml.token_type", lists.types},
          {"tokenizer.ggml.merges", merges}};
}

GgufMetadata sentencepiece(const fs::path& dir, int64_t rows) {
  const std::string where = (dir / "tokenizer.model").string(), bytes = read_text(where);
  const SentencePieceFile file = read_sentencepiece_file(bytes, where);
  if (file.algorithm != SentencePieceAlgorithm::kBpe)
    fail_input(where, "is SentencePiece's unigram or words, which is not exported", "only BPE is");
  Lists lists(rows);
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    lists.set(static_cast<int64_t>(id), std::string(file.pieces[id].text), file.pieces[id].type);
    lists.scores.at(id) = file.pieces[id].score;
  }
  if (fs::exists(dir / "tokenizer.json"))
    set_added(read_json(dir / "tokenizer.json").value("added_tokens", Json::array()), where, &lists);
  return {{"tokenizer.ggml.model", "llama"},
          {"tokenizer.ggml.tokens", lists.tokens},
          {"tokenizer.ggml.scores", lists.scores},
          {"tokenizer.ggml.token_type", lists.types},
          {"tokenizer.ggml.add_space_prefix", file.add_dummy_prefix},
          {"tokenizer.ggml.remove_extra_whitespaces", file.remove_extra_whitespaces}};
}

bool is_byte_level(const Json& json) {
  if (!json.contains("model") || !json["model"].is_object()) return false;
  const Json& model = json["model"];
  return model.value("type", "BPE") == "BPE" && !model.value("byte_fallback", false) &&
         model.contains("vocab") && model["vocab"].is_object() && model.contains("merges") &&
         model["merges"].is_array() &&
         json.dump(-1, ' ', false, Json::error_handler_t::replace).find("\"ByteLevel\"") != std::string::npos;
}

std::vector<int32_t> ends_of(const ModelBundle& bundle) {
  std::vector<int32_t> ends = generate_options(bundle).stop_ids;
  if (const auto eos = bundle.tokenizer.eos_id()) {  // the one that llama.cpp puts behind a turn
    const auto found = std::find(ends.begin(), ends.end(), *eos);
    if (found != ends.end()) std::rotate(ends.begin(), found, found + 1);
  }
  return ends;
}

void add_special(const ModelBundle& bundle, GgufMetadata* metadata) {
  const Tokenizer& tokenizer = bundle.tokenizer;
  const auto put = [&](const std::string& key, const Json& value) {
    metadata->emplace_back("tokenizer.ggml." + key, value);
  };
  const std::vector<int32_t> ends = ends_of(bundle);
  const char* names[] = {"eos_token_id", "eot_token_id", "eom_token_id"};  // all three end an answer there
  for (size_t i = 0; i < std::min<size_t>(3, ends.size()); ++i) put(names[i], ends[i]);
  if (const auto bos = tokenizer.bos_id()) put("bos_token_id", *bos);
  if (const auto pad = tokenizer.pad_id()) put("padding_token_id", *pad);
  const std::vector<int32_t> around = tokenizer.encode("a", {true, true}), plain = tokenizer.encode("a");
  const bool begins =
      tokenizer.bos_id() && around.front() == *tokenizer.bos_id() && around.size() > plain.size();
  put("add_bos_token", begins);
  put("add_eos_token", around.size() > plain.size() + (begins ? 1 : 0));
  if (bundle.chat_template.has())
    metadata->emplace_back("tokenizer.chat_template", bundle.chat_template.source());
}

// "": the vocabulary gives the same ids as the folder's tokenizer; else the first text for which it does not.
std::string parts_at(const GgufMetadata& metadata, const ModelBundle& bundle) {
  Scratch scratch;
  write_gguf(scratch.path() / "vocabulary.gguf", metadata, {});
  for (const auto& [name, bytes] : gguf_tokenizer_files(GgufFile(scratch.path() / "vocabulary.gguf")))
    write_file_atomic(scratch.path() / name, bytes);
  const Tokenizer read = Tokenizer::load(scratch.path());
  std::vector<std::string> texts(std::begin(kPitfalls), std::end(kPitfalls));
  for (const std::string& stop : stop_texts(bundle)) texts.push_back("a" + stop + "\n b");
  for (const std::string& text : texts)
    for (const bool whole : {true, false})
      if (read.encode(text, {whole, true}) != bundle.tokenizer.encode(text, {whole, true})) return text;
  return "";
}

}  // namespace

std::vector<std::string> stop_texts(const ModelBundle& bundle) {
  std::vector<std::string> texts;
  for (const int32_t id : ends_of(bundle)) texts.push_back(bundle.tokenizer.token_of(id));
  return texts;
}

GgufMetadata vocabulary(const ModelBundle& bundle) {
  const fs::path file = bundle.dir / "tokenizer.json";
  const Json json = fs::exists(file) ? read_json(file) : Json::object();
  const bool bytes = is_byte_level(json);
  if (!bytes && !fs::exists(bundle.dir / "tokenizer.model"))
    fail_input(bundle.dir.string(), "has a vocabulary of a kind that is not exported",
               "exported: byte-level BPE (tokenizer.json), SentencePiece's BPE (tokenizer.model)");
  const int64_t rows = bundle.config.vocab_size;
  GgufMetadata metadata = bytes ? byte_level(json, file.string(), rows) : sentencepiece(bundle.dir, rows);
  add_special(bundle, &metadata);
  const std::vector<std::string> names = bytes ? gguf_pre_tokenizers() : std::vector<std::string>{"default"};
  std::string text;
  for (const std::string& name : names) {
    GgufMetadata named = metadata;
    named.emplace_back("tokenizer.ggml.pre", name);
    text = parts_at(named, bundle);
    if (text.empty()) return named;
  }
  fail_input(bundle.dir.string(),
             fmt::format("llama.cpp would cut text into other tokens, for example {}", Json(text).dump()),
             fmt::format("tokenizer.ggml.pre tried: {}", fmt::join(names, ", ")));
}

}  // namespace sdft::gguf
