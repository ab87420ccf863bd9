// Hugging Face's tokenizer.json.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "text/tokenizer/impl.h"

namespace sdft {
namespace {

// Vocabularies have hundreds of thousands of keys, for which the order-keeping Json is too slow.
using FastJson = nlohmann::json;

const FastJson& member(const FastJson& object, const char* key, const std::string& where) {
  auto found = object.find(key);
  if (found == object.end()) fail_input(where, std::string("field '") + key + "' is missing");
  return *found;
}

int32_t read_id(const FastJson& value, size_t count, const std::string& where) {
  // Holes are fine, but an id far beyond the number of tokens is a mistake.
  const int64_t limit = std::max<int64_t>(1 << 20, 16 * static_cast<int64_t>(count));
  if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() >= limit)
    fail_input(where,
               "expected an id from 0 to " + std::to_string(limit - 1) + ", found " + describe(Json(value)));
  return value.get<int32_t>();
}

TokenTable read_vocabulary(const FastJson& model, const std::string& where) {
  const FastJson& vocab = member(model, "vocab", where);
  if (!vocab.is_object())
    fail_input(where + ".vocab", std::string("expected an object, found ") + vocab.type_name());
  TokenTable table;
  for (const auto& [token, id] : vocab.items()) {
    const std::string place = where + ".vocab['" + token + "']";
    const int32_t value = read_id(id, vocab.size(), place);
    if (!table.add(token, value))
      fail_input(place, "id " + std::to_string(value) + " is also that of '" +
                            std::string(table.token(value)) + "'");
  }
  return table;
}

// "a b" or ["a", "b"].
std::pair<std::string, std::string> read_merge(const FastJson& merge, const std::string& where) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos)
      return {text.substr(0, space), text.substr(space + 1)};
  }
  fail_input(where, "expected two tokens, as \"a b\" or [\"a\", \"b\"], found " + describe(Json(merge)));
}

std::vector<BpeModel::Merge> read_merges(const FastJson& model, const TokenTable& table, size_t prefix_size,
                                         const std::string& where) {
  const FastJson& written = member(model, "merges", where);
  if (!written.is_array())
    fail_input(where + ".merges", std::string("expected an array, found ") + written.type_name());
  std::vector<BpeModel::Merge> merges;
  merges.reserve(written.size());
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i].is_string() && written[i].get_ref<const std::string&>().rfind("#version", 0) == 0)
      continue;
    const std::string place = where + ".merges[" + std::to_string(i) + "]";
    const auto [left, right] = read_merge(written[i], place);
    auto find = [&](const std::string& token) {
      const int32_t id = table.find(token);
      if (id == TokenTable::kNone) fail_input(place, "'" + token + "' is not in the vocabulary");
      return id;
    };
    const int32_t left_id = find(left), right_id = find(right);
    const int32_t merged = find(left + (right.size() >= prefix_size ? right.substr(prefix_size) : right));
    merges.push_back({left_id, right_id, merged, static_cast<uint32_t>(merges.size())});
  }
  return merges;
}

std::string string_or_empty(const Json& section, const char* key, const std::string& where) {
  return value_or<std::string>(section, key, "", where);
}

// `byte_level`: the pre-tokenizer's last step turns bytes into characters, which the model can do without.
TokenModel read_bpe(const FastJson& model, const Json& settings, const std::string& where, bool byte_level) {
  if (value_or<double>(settings, "dropout", 0.0, where) != 0.0)
    fail_input(where + ".dropout", "BPE dropout is not supported", "set it to null");
  BpeOptions options;
  options.unk_token = string_or_empty(settings, "unk_token", where);
  options.continuing_subword_prefix = string_or_empty(settings, "continuing_subword_prefix", where);
  options.end_of_word_suffix = string_or_empty(settings, "end_of_word_suffix", where);
  options.fuse_unk = value_or<bool>(settings, "fuse_unk", false, where);
  options.byte_fallback = value_or<bool>(settings, "byte_fallback", false, where);
  options.ignore_merges = value_or<bool>(settings, "ignore_merges", false, where);
  options.byte_level = byte_level;
  TokenTable table = read_vocabulary(model, where);
  auto merges = read_merges(model, table, options.continuing_subword_prefix.size(), where);
  return BpeModel(std::move(table), merges, std::move(options), where);
}

bool model_takes_bytes(const Json& settings, const std::vector<PreTokenizerStep>& steps,
                       const std::string& where) {
  return !steps.empty() && steps.back().kind == PreTokenizerStep::Kind::kByteCharacters &&
         string_or_empty(settings, "continuing_subword_prefix", where).empty() &&
         string_or_empty(settings, "end_of_word_suffix", where).empty() &&
         !value_or<bool>(settings, "byte_fallback", false, where);
}

// Hugging Face's library rounds twice when it reads a decimal: its digits, and their quotient by a power of
// ten. The last bit decides between cuts of a word that are worth the same.
double as_rounded_twice(double written) {
  uint64_t digits = 0;
  int exponent = 0;
  const std::string text = fmt::format("{}", std::fabs(written));  // the fewest digits that name it
  bool behind_point = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.') {
      behind_point = true;
    } else if (text[i] == 'e') {
      exponent += std::stoi(text.substr(i + 1));
      break;
    } else {
      digits = digits * 10 + static_cast<uint64_t>(text[i] - '0');
      exponent -= behind_point;
    }
  }
  if (exponent < -308) return written;
  const double power = std::strtod(("1e" + std::to_string(std::abs(exponent))).c_str(), nullptr);
  const double value =
      exponent < 0 ? static_cast<double>(digits) / power : static_cast<double>(digits) * power;
  return written < 0 ? -value : value;
}

// "vocab" is a list of [piece, score]; a piece's place is its id, its last one if it is there twice.
TokenModel read_unigram(const FastJson& model, const Json& settings, const std::string& where) {
  const FastJson& vocab = member(model, "vocab", where);
  if (!vocab.is_array())
    fail_input(where + ".vocab", std::string("expected an array, found ") + vocab.type_name());
  TokenTable table;
  std::vector<double> scores;
  for (size_t i = 0; i < vocab.size(); ++i) {
    const FastJson& entry = vocab[i];
    const std::string place = where + ".vocab[" + std::to_string(i) + "]";
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
      fail_input(place, "expected [piece, score], found " + describe(Json(entry)));
    table.add(entry[0].get_ref<const std::string&>(), static_cast<int32_t>(i), true);
    scores.push_back(entry[1].is_number_float() ? as_rounded_twice(entry[1].get<double>())
                                                : entry[1].get<double>());
  }
  const auto unk = value_or<int64_t>(settings, "unk_id", -1, where);
  if (unk < -1 || unk >= static_cast<int64_t>(vocab.size()))
    fail_input(where + ".unk_id", std::to_string(unk) + " is not an id of the vocabulary");
  return UnigramModel(std::move(table), std::move(scores), static_cast<int32_t>(unk),
                      value_or<bool>(settings, "byte_fallback", false, where), where);
}

TokenModel read_word_piece(const FastJson& model, const Json& settings, const std::string& where,
                           bool whole_words) {
  WordPieceOptions options;
  options.whole_words = whole_words;
  options.unk_token = value_or<std::string>(settings, "unk_token", whole_words ? "<unk>" : "[UNK]", where);
  options.continuing_subword_prefix =
      value_or<std::string>(settings, "continuing_subword_prefix", "##", where);
  options.max_input_chars_per_word = value_or<size_t>(settings, "max_input_chars_per_word", 100, where);
  return WordPieceModel(read_vocabulary(model, where), std::move(options), where);
}

// Old files do not name it.
std::string model_type(const FastJson& model, const Json& settings, const std::string& where) {
  const char* guess = model.contains("merges")                        ? "BPE"
                      : model.contains("unk_id")                      ? "Unigram"
                      : settings.contains("max_input_chars_per_word") ? "WordPiece"
                                                                      : "WordLevel";
  return value_or<std::string>(settings, "type", guess, where);
}

TokenModel read_model(const FastJson& model, const Json& settings, const std::string& where,
                      bool byte_level) {
  const std::string type = model_type(model, settings, where);
  if (type == "BPE") return read_bpe(model, settings, where, byte_level);
  if (type == "Unigram") return read_unigram(model, settings, where);
  if (type == "WordPiece" || type == "WordLevel")
    return read_word_piece(model, settings, where, type == "WordLevel");
  fail_input(where, "type '" + type + "' is not supported",
             "supported are BPE, Unigram, WordPiece, WordLevel");
}

// Of a token that is not in the vocabulary. As in Hugging Face's library, ids follow those that are there,
// whatever the file says: where it leaves a hole, the ids in it are not the ones that a model was trained
// with.
int32_t next_added_id(const Tokenizer::Impl& impl) {
  return std::max(static_cast<int32_t>(impl.vocabulary().size()), impl.added.end());
}

void read_added_tokens(const Json& added, const std::string& where, Tokenizer::Impl& impl) {
  if (!added.is_null() && !added.is_array()) fail_input(where, "expected an array, found " + describe(added));
  for (size_t i = 0; i < added.size(); ++i) {
    const std::string place = where + "[" + std::to_string(i) + "]";
    AddedToken token = read_added_token(added[i], place);
    const int32_t known = impl.vocabulary().find(token.content);
    read_id(FastJson(require<Json>(added[i], "id", place)), impl.vocabulary().size(), place);
    if (const AddedToken* before = impl.added.by_content(token.content))
      token.id = before->id;
    else
      token.id = known != TokenTable::kNone ? known : next_added_id(impl);
    if (known == TokenTable::kNone && impl.vocabulary().has(token.id))
      fail_input(place, "it would get id " + std::to_string(token.id) + ", which is that of '" +
                            std::string(impl.vocabulary().token(token.id)) + "'");
    impl.added.add(token);
  }
}

}  // namespace

TokenizerImplPtr load_tokenizer_json(const std::filesystem::path& path) {
  const std::string where = path.string();
  FastJson file = parse_json<FastJson>(read_text(path), where);
  if (!file.is_object()) fail_input(where, "expected an object");
  const FastJson model = std::move(file["model"]);
  file.erase("model");
  const Json sections(file);
  Json settings = Json::object();
  if (!model.is_object()) fail_input(where, "field 'model' is missing or not an object");
  for (const auto& [key, value] : model.items())
    if (key != "vocab" && key != "merges") settings[key] = Json(value);

  auto section = [&](const char* key) { return sections.contains(key) ? sections[key] : Json(); };
  auto pre_tokenizer = read_pre_tokenizer(section("pre_tokenizer"), where + ": pre_tokenizer");
  const std::string model_where = where + ": model";
  const bool byte_level = model_type(model, settings, model_where) == "BPE" &&
                          model_takes_bytes(settings, pre_tokenizer, model_where);
  if (byte_level) pre_tokenizer.pop_back();

  auto impl = std::make_unique<Tokenizer::Impl>(read_model(model, settings, model_where, byte_level));
  impl->where = where;
  impl->normalizer = read_normalizer(section("normalizer"), where + ": normalizer");
  impl->pre_tokenizer = std::move(pre_tokenizer);
  impl->decoder = read_decoder(section("decoder"), where + ": decoder");
  auto around = read_post_processor(section("post_processor"), where + ": post_processor");
  impl->before = std::move(around.before);
  impl->after = std::move(around.after);

  read_added_tokens(section("added_tokens"), where + ": added_tokens", *impl);
  return impl;
}

}  // namespace sdft
