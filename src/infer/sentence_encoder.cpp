// A sentence encoder out of its folder: what modules.json and the files beside it say.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/model_folder.h"
#include "infer/embeddings.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
Json read_object(const fs::path& path) {
  Json json = read_json(path);
  if (!json.is_object()) fail_input(path.string(), "expected an object, found " + describe(json));
  return json;
}
Json read_if_there(const fs::path& path) { return fs::exists(path) ? read_object(path) : Json::object(); }

struct Modules {
  fs::path transformer, pooling;  // folders; pooling: "" where there is none
  bool normalize = false;
};

// "sentence_transformers.models.Pooling": Pooling. Newer versions have other packages in front.
std::string kind_of(const std::string& type) { return type.substr(type.rfind('.') + 1); }

// Without the file the folder is a plain BERT's.
Modules read_modules(const fs::path& dir) {
  const fs::path path = dir / "modules.json";
  if (!fs::exists(path)) return {dir, "", false};
  const std::string where = path.string();
  const Json list = read_json(path);
  if (!list.is_array()) fail_input(where, "expected an array, found " + describe(list));
  Modules modules;
  constexpr const char* kOrder[] = {"Transformer", "Pooling", "Normalize"};
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = where + "[" + std::to_string(i) + "]";
    const auto type = require<std::string>(list[i], "type", place);
    if (i >= std::size(kOrder) || kind_of(type) != kOrder[i])
      fail_input(place, "module '" + type + "' is not supported there",
                 "an encoder is Transformer, Pooling and perhaps Normalize, in this order");
    const auto name = require<std::string>(list[i], "path", place);
    if (name.find("..") != name.npos || fs::path(name).is_absolute())
      fail_input(place, "names a folder outside: " + name);
    const fs::path folder = name.empty() ? dir : dir / name;
    if (i == 0) modules.transformer = folder;
    if (i == 1) modules.pooling = folder;
    if (i == 2) modules.normalize = true;
  }
  if (list.size() < 2) fail_input(where, "names no Pooling module", "only sentence encoders are supported");
  return modules;
}

// "mean" or ["mean"] of new versions, flags of old ones.
std::vector<std::string> pooling_modes(const Json& json, const std::string& where) {
  if (json.contains("pooling_mode")) {
    if (!json["pooling_mode"].is_array()) return {require<std::string>(json, "pooling_mode", where)};
    return require<std::vector<std::string>>(json, "pooling_mode", where);
  }
  std::vector<std::string> modes;
  const std::string prefix = "pooling_mode_";
  for (const auto& [key, value] : json.items())
    if (key.rfind(prefix, 0) == 0 && value_or<bool>(json, key, false, where))
      modes.push_back(key == "pooling_mode_mean_tokens" ? "mean"
                      : key == "pooling_mode_cls_token" ? "cls"
                                                        : key.substr(prefix.size()));
  return modes.empty() ? std::vector<std::string>{"mean"} : modes;
}

Pooling read_pooling(const fs::path& folder) {
  if (folder.empty()) return Pooling::kMean;
  const fs::path path = folder / "config.json";
  const std::string where = path.string();
  const Json json = read_object(path);
  const std::vector<std::string> modes = pooling_modes(json, where);
  if (modes.size() == 1 && modes[0] == "mean") return Pooling::kMean;
  if (modes.size() == 1 && modes[0] == "cls") return Pooling::kFirst;
  std::string names;
  for (const std::string& mode : modes) names += (names.empty() ? "'" : " with '") + mode + "'";
  fail_input(where, "pooling " + names + " is not supported", "only mean or cls, alone");
}

// The settings whose neglect would change vectors.
void refuse_what_changes_texts(const fs::path& dir, const fs::path& transformer) {
  const fs::path prompts = dir / "config_sentence_transformers.json";
  const Json name = value_or<Json>(read_if_there(prompts), "default_prompt_name", Json(), prompts.string());
  if (!name.is_null())
    fail_input(prompts.string(), "default_prompt_name " + describe(name) + " is not supported",
               "set it to null to compare texts without a prompt in front");
  const fs::path bert = transformer / "sentence_bert_config.json";
  if (value_or<bool>(read_if_there(bert), "do_lower_case", false, bert.string()))
    fail_input(bert.string(), "do_lower_case is not supported",
               "set it to false where tokenizer.json's normalizer lower-cases, as an uncased BERT's does");
}

// max_seq_length, else the tokenizer's own limit; never more than there are positions.
int64_t read_most_tokens(const fs::path& folder, const Encoder& encoder, const Tokenizer& tokenizer) {
  const int64_t positions = encoder.config.max_position_embeddings;
  const fs::path bert = folder / "sentence_bert_config.json", config = folder / "tokenizer_config.json";
  int64_t most = value_or<int64_t>(read_if_there(bert), "max_seq_length", 0, bert.string());
  std::string where = bert.string() + ": max_seq_length";
  if (most == 0) {
    const auto limit = value_or<double>(read_if_there(config), "model_max_length", 1e30, config.string());
    most = limit < static_cast<double>(positions) ? static_cast<int64_t>(limit) : positions;
    where = config.string() + ": model_max_length";
  }
  EncodeOptions with_special;
  with_special.add_special = true;
  const auto least = static_cast<int64_t>(tokenizer.encode("", with_special).size()) + 1;
  if (most < least || most > positions)
    fail_input(where, std::to_string(most) + " tokens of a text, expected " + std::to_string(least) + " to " +
                          std::to_string(positions) + ", the encoder's positions");
  return most;
}
}  // namespace

SentenceEncoder load_sentence_encoder(const fs::path& dir, const std::string& device) {
  require_folder(dir, FolderKind::kModel);
  const Modules modules = read_modules(dir);
  refuse_what_changes_texts(dir, modules.transformer);
  const Pooling pooling = read_pooling(modules.pooling);
  const EncoderConfig config = read_encoder_config(modules.transformer);  // before long readings
  SentenceEncoder result{
      dir, modules.transformer, Tokenizer::load(modules.transformer), {}, pooling, modules.normalize, 0};
  if (result.tokenizer.vocab_size() > config.vocab_size)
    fail_input(modules.transformer.string(),
               "the tokenizer has " + std::to_string(result.tokenizer.vocab_size()) +
                   " tokens, the embedding only " + std::to_string(config.vocab_size));
  result.encoder = load_encoder(modules.transformer, device);
  result.most_tokens = read_most_tokens(modules.transformer, result.encoder, result.tokenizer);
  return result;
}

}  // namespace sdft
