// Hugging Face's tokenizer.json.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "text/tokenizer/impl.h"
#include "text/tokenizer/json_stream.h"

namespace sdft {
namespace {

// Holes are fine, but an id far beyond the number of tokens is a mistake.
int64_t id_limit(size_t count) { return std::max<int64_t>(1 << 20, 16 * static_cast<int64_t>(count)); }

[[noreturn]] void fail_id(size_t count, const std::string& found, const std::string& where) {
  fail_input(where, "expected an id from 0 to " + std::to_string(id_limit(count) - 1) + ", found " + found);
}

// Which stands in `where`, and should be an object or an array.
void check_list(const TokenList& list, const char* key, bool object, const std::string& where) {
  if (!list.is_there) fail_input(where, std::string("field '") + key + "' is missing");
  if (object ? !list.value.is_object() : !list.value.is_array())
    fail_input(where + "." + key, std::string("expected an ") + (object ? "object" : "array") + ", found " +
                                      list.value.type_name());
}

TokenTable read_vocabulary(TokenList& vocab, const std::string& where) {
  check_list(vocab, "vocab", true, where);
  TokenTable table;
  table.reserve(vocab.entries.size(), vocab.bytes.size());
  const auto limit = static_cast<double>(id_limit(vocab.entries.size()));
  for (const auto& entry : vocab.entries) {
    const std::string_view token = vocab.first(entry);
    const bool is_id = entry.form == TokenList::Form::kNumber && entry.number >= 0.0 && entry.number < limit;
    const auto id = is_id ? static_cast<int32_t>(entry.number) : TokenTable::kNone;
    if (is_id && table.add(token, id)) continue;
    if (vocab.drop_repeated()) return read_vocabulary(vocab, where);
    const std::string place = where + ".vocab['" + std::string(token) + "']";
    if (!is_id) fail_id(vocab.entries.size(), vocab.describe(entry), place);
    fail_input(place, "id " + std::to_string(id) + " is also that of '" + std::string(table.token(id)) + "'");
  }
  return table;
}

using TokenPair = std::pair<std::string_view, std::string_view>;

// "a b" or ["a", "b"].
std::optional<TokenPair> parts_of_merge(const TokenList& merges, const TokenList::Entry& entry) {
  const std::string_view text = merges.first(entry);
  if (entry.form == TokenList::Form::kPair) return TokenPair(text, merges.second(entry));
  const size_t space = text.find(' ');
  if (entry.form != TokenList::Form::kText || space == std::string_view::npos ||
      text.find(' ', space + 1) != std::string_view::npos)
    return std::nullopt;
  return TokenPair(text.substr(0, space), text.substr(space + 1));
}

std::vector<BpeModel::Merge> read_merges(const TokenList& list, const TokenTable& table, size_t prefix_size,
                                         const std::string& where) {
  check_list(list, "merges", false, where);
  std::vector<BpeModel::Merge> merges;
  merges.reserve(list.entries.size());
  std::string whole;
  int32_t merged = TokenTable::kNone;
  for (const auto& entry : list.entries) {
    if (entry.form == TokenList::Form::kText && list.first(entry).substr(0, 8) == "#version") continue;
    auto place = [&] { return where + ".merges[" + std::to_string(&entry - list.entries.data()) + "]"; };
    const auto parts = parts_of_merge(list, entry);
    if (!parts)
      fail_input(place(), "expected two tokens, as \"a b\" or [\"a\", \"b\"], found " + list.describe(entry));
    auto [left, right] = *parts;
    auto find = [&](std::string_view token) {
      const int32_t id = table.find(token);
      if (id == TokenTable::kNone)
        fail_input(place(), "'" + std::string(token) + "' is not in the vocabulary");
      return id;
    };
    const int32_t left_id = find(left), right_id = find(right);
    if (right.size() >= prefix_size) right.remove_prefix(prefix_size);
    whole.assign(left).append(right);
    // Mostly, what merges make has ids one after the other.
    merged = table.has(merged + 1) && table.token(merged + 1) == whole ? merged + 1 : find(whole);
    merges.push_back({left_id, right_id, merged, static_cast<uint32_t>(merges.size())});
  }
  return merges;
}

std::string string_or_empty(const Json& section, const char* key, const std::string& where) {
  return value_or<std::string>(section, key, "", where);
}

// `byte_level`: the pre-tokenizer's last step turns bytes into characters, which the model can do without.
TokenModel read_bpe(TokenizerJson& file, const Json& settings, const std::string& where, bool byte_level) {
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
  TokenTable table = read_vocabulary(file.vocab, where);
  auto merges = read_merges(file.merges, table, options.continuing_subword_prefix.size(), where);
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
TokenModel read_unigram(const TokenList& vocab, const Json& settings, const std::string& where) {
  check_list(vocab, "vocab", false, where);
  TokenTable table;
  table.reserve(vocab.entries.size(), vocab.bytes.size());
  std::vector<double> scores;
  scores.reserve(vocab.entries.size());
  for (const auto& entry : vocab.entries) {
    if (entry.form != TokenList::Form::kNumber)
      fail_input(where + ".vocab[" + std::to_string(scores.size()) + "]",
                 "expected [piece, score], found " + vocab.describe(entry));
    table.add(vocab.first(entry), static_cast<int32_t>(scores.size()), true);
    scores.push_back(entry.whole ? entry.number : as_rounded_twice(entry.number));
  }
  const auto unk = value_or<int64_t>(settings, "unk_id", -1, where);
  if (unk < -1 || unk >= static_cast<int64_t>(scores.size()))
    fail_input(where + ".unk_id", std::to_string(unk) + " is not an id of the vocabulary");
  return UnigramModel(std::move(table), std::move(scores), static_cast<int32_t>(unk),
                      value_or<bool>(settings, "byte_fallback", false, where), where);
}

TokenModel read_word_piece(TokenList& vocab, const Json& settings, const std::string& where,
                           bool whole_words) {
  WordPieceOptions options;
  options.whole_words = whole_words;
  options.unk_token = value_or<std::string>(settings, "unk_token", whole_words ? "<unk>" : "[UNK]", where);
  options.continuing_subword_prefix =
      value_or<std::string>(settings, "continuing_subword_prefix", "##", where);
  options.max_input_chars_per_word = value_or<size_t>(settings, "max_input_chars_per_word", 100, where);
  return WordPieceModel(read_vocabulary(vocab, where), std::move(options), where);
}

// Old files do not name it.
std::string model_type(const TokenizerJson& file, const Json& settings, const std::string& where) {
  const char* guess = file.merges.is_there                            ? "BPE"
                      : settings.contains("unk_id")                   ? "Unigram"
                      : settings.contains("max_input_chars_per_word") ? "WordPiece"
                                                                      : "WordLevel";
  return value_or<std::string>(settings, "type", guess, where);
}

TokenModel read_model(TokenizerJson& file, const Json& settings, const std::string& where, bool byte_level) {
  const std::string type = model_type(file, settings, where);
  if (type == "BPE") return read_bpe(file, settings, where, byte_level);
  if (type == "Unigram") return read_unigram(file.vocab, settings, where);
  if (type == "WordPiece" || type == "WordLevel")
    return read_word_piece(file.vocab, settings, where, type == "WordLevel");
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
    const Json id = require<Json>(added[i], "id", place);
    if (!fits<uint32_t>(id) || id.is_number_float() ||
        id.get<int64_t>() >= id_limit(impl.vocabulary().size()))
      fail_id(impl.vocabulary().size(), describe(id), place);
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
  TokenizerJson file = read_tokenizer_json(read_text(path), where);
  if (!file.model.is_object()) fail_input(where, "field 'model' is missing or not an object");
  const Json sections(file.sections), settings(file.model);

  auto section = [&](const char* key) { return sections.contains(key) ? sections[key] : Json(); };
  auto pre_tokenizer = read_pre_tokenizer(section("pre_tokenizer"), where + ": pre_tokenizer");
  const std::string model_where = where + ": model";
  const bool byte_level = model_type(file, settings, model_where) == "BPE" &&
                          model_takes_bytes(settings, pre_tokenizer, model_where);
  if (byte_level) pre_tokenizer.pop_back();

  auto impl = std::make_unique<Tokenizer::Impl>(read_model(file, settings, model_where, byte_level));
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
