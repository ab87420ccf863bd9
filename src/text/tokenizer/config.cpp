// What the files beside a tokenizer say: special tokens, further added tokens, whether BOS and EOS are put
// around.
#include "base/error.h"
#include "text/tokenizer/impl.h"

namespace sdft {
namespace {

namespace fs = std::filesystem;

// Classes whose add_bos_token and add_eos_token take the place of tokenizer.json's post-processor.
constexpr const char* kTemplateFromConfig[] = {
    "LlamaTokenizer",     "LlamaTokenizerFast",     "CodeLlamaTokenizer", "GemmaTokenizer",
    "GemmaTokenizerFast", "CodeLlamaTokenizerFast", "CohereTokenizer",    "CohereTokenizerFast"};

constexpr size_t kLongestAddedToken = 4096;  // bytes: each place of a text is compared with all of them

constexpr const char* kNamedTokens[] = {"bos_token", "eos_token", "unk_token", "pad_token",
                                        "sep_token", "cls_token", "mask_token"};

// "<s>" or {"content": "<s>", ...}; "" where there is none.
std::string token_string(const Json& entry, const std::string& where) {
  if (entry.is_string()) return entry.get<std::string>();
  if (entry.is_object()) return require<std::string>(entry, "content", where);
  return "";
}

Json read_if_there(const fs::path& path) { return fs::exists(path) ? read_json(path) : Json::object(); }

struct Files {
  const Json& config;
  Json map, generation;
  std::string config_where, map_where, generation_where;
};

// The configuration's token wins, then the map's, then the generation configuration's id. A null in the
// configuration says that there is none.
std::optional<int32_t> named_id(const Tokenizer::Impl& impl, const Files& files, const std::string& name,
                                std::optional<int32_t> fallback) {
  const std::string key = name + "_token";
  if (files.config.contains(key) && files.config[key].is_null()) return std::nullopt;
  for (const auto& [json, where] :
       {std::pair(&files.config, &files.config_where), {&files.map, &files.map_where}}) {
    if (!json->contains(key)) continue;
    if (auto id = impl.id_of(token_string((*json)[key], *where + ": " + key))) return id;
  }
  Json id = value_or<Json>(files.generation, key + "_id", Json(), files.generation_where);
  if (id.is_array() && !id.empty()) id = Json(id[0]);
  if (id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() < impl.end())
    return id.get<int32_t>();
  return fallback;
}

void add_from_decoder(Tokenizer::Impl& impl, const Files& files) {
  const std::string where = files.config_where + ": added_tokens_decoder";
  const Json entries =
      value_or<Json>(files.config, "added_tokens_decoder", Json::object(), files.config_where);
  for (const auto& [key, entry] : entries.items()) {
    AddedToken token = read_added_token(entry, where + "['" + key + "']");
    if (impl.added.by_content(token.content)) continue;
    const int32_t known = impl.vocabulary().find(token.content);
    token.id = known != TokenTable::kNone ? known : parse_token_id(key, where);
    if (std::holds_alternative<SentencePieceModel>(impl.model))
      token.normalized = false;  // it normalizes by itself
    impl.added.add(token);
  }
}

// added_tokens.json, of slow tokenizers: {"<|im_start|>": 32000}.
void add_from_list(Tokenizer::Impl& impl, const fs::path& path) {
  const Json list = read_if_there(path);
  for (const auto& [content, id] : list.items()) {
    if (impl.added.by_content(content) || impl.vocabulary().find(content) != TokenTable::kNone) continue;
    AddedToken token;
    token.content = content;
    token.id = parse_token_id(id.dump(), path.string() + ": '" + content + "'");
    impl.added.add(token);
  }
}

// Tokens that the configuration names as special are so, even if no list of added tokens has them.
void add_named(Tokenizer::Impl& impl, const Json& json, const std::string& where) {
  auto add = [&](const std::string& content) {
    const int32_t id = impl.vocabulary().find(content);
    if (id == TokenTable::kNone || impl.added.by_content(content)) return;
    AddedToken token;
    token.id = id;
    token.content = content;
    token.special = true;
    impl.added.add(token);
  };
  for (const char* name : kNamedTokens)
    if (json.contains(name)) add(token_string(json[name], where + ": " + name));
  for (const char* list : {"additional_special_tokens", "extra_special_tokens"}) {
    const Json more = value_or<Json>(json, list, Json::array(), where);
    for (const Json& entry : more) add(token_string(entry, where + ": " + list));
  }
}

}  // namespace

int32_t parse_token_id(const std::string& text, const std::string& where) {
  const bool digits =
      !text.empty() && text.size() <= 7 && text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) fail_input(where, "expected a token id, found '" + text + "'");
  return std::stoi(text);
}

AddedToken read_added_token(const Json& entry, const std::string& where) {
  AddedToken token;
  token.content = require<std::string>(entry, "content", where);
  if (token.content.size() > kLongestAddedToken)
    fail_input(where, "an added token of " + std::to_string(token.content.size()) + " bytes, more than " +
                          std::to_string(kLongestAddedToken));
  token.single_word = value_or<bool>(entry, "single_word", false, where);
  token.lstrip = value_or<bool>(entry, "lstrip", false, where);
  token.rstrip = value_or<bool>(entry, "rstrip", false, where);
  token.special = value_or<bool>(entry, "special", false, where);
  token.normalized = value_or<bool>(entry, "normalized", !token.special, where);
  return token;
}

void apply_config(Tokenizer::Impl& impl, const fs::path& dir, const Json& config) {
  const Files files{config,
                    read_if_there(dir / "special_tokens_map.json"),
                    read_if_there(dir / "generation_config.json"),
                    (dir / "tokenizer_config.json").string(),
                    (dir / "special_tokens_map.json").string(),
                    (dir / "generation_config.json").string()};
  add_from_decoder(impl, files);
  add_from_list(impl, dir / "added_tokens.json");
  add_named(impl, config, files.config_where);
  add_named(impl, files.map, files.map_where);
  impl.bos = named_id(impl, files, "bos", impl.bos);
  impl.eos = named_id(impl, files, "eos", impl.eos);
  impl.pad = named_id(impl, files, "pad", impl.pad);

  const auto name = value_or<std::string>(config, "tokenizer_class", "", files.config_where);
  for (const char* known : kTemplateFromConfig) {
    if (name != known) continue;
    if (config.contains("add_bos_token"))
      impl.add_bos = value_or<bool>(config, "add_bos_token", true, files.config_where);
    if (config.contains("add_eos_token"))
      impl.add_eos = value_or<bool>(config, "add_eos_token", false, files.config_where);
  }
  auto around = [](bool wanted, std::optional<int32_t> id) {
    return wanted && id ? std::vector<int32_t>{*id} : std::vector<int32_t>{};
  };
  if (impl.add_bos) impl.before = around(*impl.add_bos, impl.bos);
  if (impl.add_eos) impl.after = around(*impl.add_eos, impl.eos);
}

}  // namespace sdft
