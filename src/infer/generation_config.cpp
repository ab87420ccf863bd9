#include "infer/generation_config.h"

#include <limits>

#include "base/error.h"
#include "base/json.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// What the file may ask for besides, and the value that changes nothing.
const Json& not_supported() {
  static const Json table = {{"min_p", 0},
                             {"top_h", 1},
                             {"typical_p", 1},
                             {"epsilon_cutoff", 0},
                             {"eta_cutoff", 0},
                             {"num_beams", 1},
                             {"num_beam_groups", 1},
                             {"num_return_sequences", 1},
                             {"penalty_alpha", 0},
                             {"diversity_penalty", 0},
                             {"guidance_scale", 1},
                             {"encoder_repetition_penalty", 1},
                             {"encoder_no_repeat_ngram_size", 0},
                             {"forced_bos_token_id", nullptr},
                             {"forced_eos_token_id", nullptr},
                             {"forced_decoder_ids", nullptr},
                             {"force_words_ids", nullptr},
                             {"constraints", nullptr},
                             {"exponential_decay_length_penalty", nullptr},
                             {"sequence_bias", nullptr},
                             {"watermarking_config", nullptr},
                             {"dola_layers", nullptr},
                             {"max_time", nullptr},
                             {"token_healing", false}};
  return table;
}

int32_t token_id(const Json& id, const std::string& where) {
  const bool fits = id.is_number_integer() && id >= std::numeric_limits<int32_t>::min() &&
                    id <= std::numeric_limits<int32_t>::max();
  if (!fits) fail_input(where, "expected a token id, found " + describe(id));
  return id.get<int32_t>();
}

std::vector<int32_t> token_ids(const Json& list, const std::string& where) {
  if (!list.is_array()) fail_input(where, "expected a list of token ids, found " + describe(list));
  std::vector<int32_t> ids;
  for (const Json& id : list) ids.push_back(token_id(id, where));
  return ids;
}

// The file's keys. An absent key and null are the same.
struct Reader {
  Json json;
  std::string where;

  template <typename T>
  T get(const char* key, T fallback) const {
    return value_or<T>(json, key, fallback, where);
  }
  double number(const char* key, double fallback) const {
    const Json value = get<Json>(key, fallback);
    if (!value.is_number()) fail_field(json, key, where);
    return value.get<double>();
  }
  int64_t whole(const char* key, int64_t fallback) const {
    const Json value = get<Json>(key, fallback);
    const bool fits = value.is_number_integer() &&
                      !(value.is_number_unsigned() && value > std::numeric_limits<int64_t>::max());
    if (!fits) fail_input(where + ": " + key, "expected a whole number, found " + describe(value));
    return value.get<int64_t>();
  }
  std::vector<int32_t> ids(const char* key) const {
    return token_ids(get<Json>(key, Json::array()), where + ": " + key);
  }
};

Constraints constraints_of(const Reader& file) {
  Constraints c;
  c.suppress_tokens = file.ids("suppress_tokens");
  c.begin_suppress_tokens = file.ids("begin_suppress_tokens");
  const Json words = file.get<Json>("bad_words_ids", Json::array());
  if (!words.is_array()) fail_field(file.json, "bad_words_ids", file.where);
  for (const Json& word : words) c.bad_words_ids.push_back(token_ids(word, file.where + ": bad_words_ids"));
  c.no_repeat_ngram_size = file.whole("no_repeat_ngram_size", 0);
  c.min_new_tokens = file.whole("min_new_tokens", 0);
  c.min_length = file.whole("min_length", 0);
  const Json strings = file.get<Json>("stop_strings", Json::array());
  for (const Json& text : strings.is_string() ? Json::array({strings}) : strings) {
    if (!text.is_string())
      fail_input(file.where + ": stop_strings", "expected strings, found " + describe(text));
    c.stop_strings.push_back(text);
  }
  return c;
}

std::vector<std::string> warnings_of(const Reader& file, const ModelConfig& config) {
  std::vector<std::string> warnings;
  auto warn = [&](const std::string& key, const std::string& what) {
    warnings.push_back(file.where + ": " + key + " " + what + " (it is " + file.json[key].dump() + ")");
  };
  for (const auto& [key, off] : not_supported().items())
    if (const Json value = file.get<Json>(key.c_str(), off); value != off)
      warn(key, "is not supported and has no effect");
  if (file.get<Json>("max_new_tokens", nullptr).is_null() &&
      file.whole("max_length", config.max_position_embeddings) < config.max_position_embeddings)
    warn("max_length", "has no effect, max_new_tokens limits an answer");
  return warnings;
}
}  // namespace

GenerationDefaults read_generation_config(const fs::path& dir, const ModelConfig& config) {
  const fs::path path = dir / "generation_config.json";
  const Reader file{fs::exists(path) ? read_json(path) : Json::object(), path.string()};
  if (!file.json.is_object()) fail_input(file.where, "expected an object, found " + describe(file.json));
  GenerationDefaults defaults;
  defaults.do_sample = file.get("do_sample", false);
  SamplingOptions& sampling = defaults.sampling;
  sampling.temperature = defaults.do_sample ? file.number("temperature", 1.0) : 0.0;
  if (defaults.do_sample) {
    sampling.top_k = file.whole("top_k", 50);  // Transformers' default
    sampling.top_p = file.number("top_p", 1.0);
  }
  sampling.repetition_penalty = file.number("repetition_penalty", 1.0);
  defaults.max_new_tokens = file.whole("max_new_tokens", kMaxNewTokens);
  defaults.constraints = constraints_of(file);
  GenerateOptions options;
  options.sampling = sampling;
  options.max_new_tokens = defaults.max_new_tokens;
  std::string problems;
  for (const auto& some : {problems_of(options), problems_of(defaults.constraints, config.vocab_size)})
    for (const std::string& problem : some) problems += (problems.empty() ? "" : "; ") + problem;
  if (!problems.empty()) fail_input(file.where, problems);
  defaults.warnings = warnings_of(file, config);
  for (const int32_t id : config.eos_token_ids)
    if (id < 0 || id >= config.vocab_size)
      defaults.warnings.push_back(dir.string() + ": eos_token_id " + std::to_string(id) +
                                  " is outside the vocabulary of " + std::to_string(config.vocab_size) +
                                  " tokens and will never come");
  return defaults;
}

}  // namespace sdft
