// The sections of a tokenizer.json but the model: one table a section, type name -> reader.

#include "base/error.h"
#include "base/utf8.h"
#include "text/tokenizer/byte_level.h"
#include "text/tokenizer/impl.h"
#include "text/tokenizer/precompiled_map.h"
#include "text/unicode/characters.h"

namespace sdft {
namespace {

template <typename Step>
struct Reader {
  const char* type;
  void (*read)(const Json& section, const std::string& where, std::vector<Step>& steps);
};

constexpr size_t kMostSteps = 200;  // of a section; published ones have up to ten

template <typename Step>
void note_where(Step& step, const std::string& where) {
  if (step.where.empty()) step.where = where;
}
void note_where(std::vector<int32_t>&, const std::string&) {}  // a post-processor's: it does nothing to texts

// Sequences may hold sequences: Readers call this again.
template <typename Step, size_t n>
void read_steps(const Reader<Step> (&readers)[n], const Json& section, const std::string& where,
                std::vector<Step>& steps) {
  if (section.is_null()) return;
  const auto type = require<std::string>(section, "type", where);
  std::string known;
  for (const auto& reader : readers) {
    if (type == reader.type) {
      const std::string place = where + " (" + type + ")";
      reader.read(section, place, steps);
      for (Step& step : steps) note_where(step, place);
      if (steps.size() > kMostSteps)
        fail_input(where, "more than " + std::to_string(kMostSteps) + " steps are not supported");
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(reader.type);
  }
  fail_input(where, "type '" + type + "' is not supported", "supported are " + known);
}

template <typename Step, typename Read>
void read_sequence(const Json& section, const char* key, const std::string& where, std::vector<Step>& steps,
                   Read read) {
  const Json parts = require<Json>(section, key, where);
  if (!parts.is_array()) fail_field(section, key, where);
  if (parts.size() > kMostSteps)
    fail_input(where, "more than " + std::to_string(kMostSteps) + " steps are not supported");
  for (size_t i = 0; i < parts.size(); ++i)
    read(parts[i], where + "." + key + "[" + std::to_string(i) + "]", steps);
}

// One character, as a string.
std::string read_character(const Json& section, const char* key, const char* fallback,
                           const std::string& where) {
  auto text = value_or<std::string>(section, key, fallback, where);
  if (utf8_count(text) != 1)
    fail_input(where, std::string("field '") + key + "': expected one character, found '" + text + "'");
  return text;
}

// {"String": "x"} or {"Regex": "x"}; old files write the string alone.
Pattern read_pattern(const Json& section, const std::string& where) {
  const Json written = require<Json>(section, "pattern", where);
  Pattern pattern;
  if (written.is_string()) {
    pattern.literal = written.get<std::string>();
  } else if (written.is_object() && written.contains("Regex")) {
    pattern.regex.emplace(require<std::string>(written, "Regex", where), where);
  } else {
    pattern.literal = require<std::string>(written, "String", where);
  }
  if (!pattern.regex && pattern.literal.empty()) pattern.regex.emplace("", where);
  return pattern;
}

SplitBehavior read_behavior(const Json& section, const char* fallback, const std::string& where) {
  static constexpr std::pair<const char*, SplitBehavior> kNames[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  const auto name = fallback ? value_or<std::string>(section, "behavior", fallback, where)
                             : require<std::string>(section, "behavior", where);
  for (const auto& [known, behavior] : kNames)
    if (name == known) return behavior;
  fail_input(where, "field 'behavior': '" + name + "' is not known");
}

// New files name a scheme, old ones say add_prefix_space.
PrependScheme read_prepend_scheme(const Json& section, const std::string& where) {
  const bool add = value_or<bool>(section, "add_prefix_space", true, where);
  const auto name = value_or<std::string>(section, "prepend_scheme", add ? "always" : "never", where);
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  if (name == "never") return PrependScheme::kNever;
  fail_input(where, "field 'prepend_scheme': '" + name + "' is not known");
}

// ---- normalizers ----

using Norm = NormalizerStep;
using NormSteps = std::vector<NormalizerStep>;

void add_step(NormSteps& steps, Norm::Kind kind) { steps.emplace_back().kind = kind; }

template <NormalForm form>
void read_form(const Json&, const std::string&, NormSteps& steps) {
  add_step(steps, Norm::Kind::kForm);
  steps.back().form = form;
}

template <Norm::Kind kind>
void read_plain(const Json&, const std::string&, NormSteps& steps) {
  add_step(steps, kind);
}

void read_strip(const Json& section, const std::string& where, NormSteps& steps) {
  add_step(steps, Norm::Kind::kStrip);
  steps.back().left = value_or<bool>(section, "strip_left", true, where);
  steps.back().right = value_or<bool>(section, "strip_right", true, where);
}

void read_prepend(const Json& section, const std::string& where, NormSteps& steps) {
  add_step(steps, Norm::Kind::kPrepend);
  steps.back().content = require<std::string>(section, "prepend", where);
}

void read_replace(const Json& section, const std::string& where, NormSteps& steps) {
  add_step(steps, Norm::Kind::kReplace);
  steps.back().pattern = read_pattern(section, where);
  steps.back().content = require<std::string>(section, "content", where);
}

void read_precompiled(const Json& section, const std::string& where, NormSteps& steps) {
  const auto blob = value_or<std::string>(section, "precompiled_charsmap", "", where);
  if (blob.empty()) return;
  add_step(steps, Norm::Kind::kPrecompiled);
  steps.back().map = std::make_shared<PrecompiledMap>(decode_base64(blob, where), where);
}

void read_bert(const Json& section, const std::string& where, NormSteps& steps) {
  const bool lowercase = value_or<bool>(section, "lowercase", true, where);
  if (value_or<bool>(section, "clean_text", true, where)) add_step(steps, Norm::Kind::kCleanText);
  if (value_or<bool>(section, "handle_chinese_chars", true, where))
    add_step(steps, Norm::Kind::kSurroundChinese);
  if (value_or<bool>(section, "strip_accents", lowercase, where)) {
    read_form<NormalForm::kNfd>(section, where, steps);
    add_step(steps, Norm::Kind::kStripNonspacing);
  }
  if (lowercase) add_step(steps, Norm::Kind::kLowercase);
}

void read_normalizers(const Json& section, const std::string& where, NormSteps& steps);

constexpr Reader<Norm> kNormalizers[] = {
    {"NFC", read_form<NormalForm::kNfc>},
    {"NFD", read_form<NormalForm::kNfd>},
    {"NFKC", read_form<NormalForm::kNfkc>},
    {"NFKD", read_form<NormalForm::kNfkd>},
    {"Lowercase", read_plain<Norm::Kind::kLowercase>},
    {"StripAccents", read_plain<Norm::Kind::kStripAccents>},
    {"Strip", read_strip},
    {"Prepend", read_prepend},
    {"Replace", read_replace},
    {"Nmt", read_plain<Norm::Kind::kNmt>},
    {"Precompiled", read_precompiled},
    {"BertNormalizer", read_bert},
    {"ByteLevel", read_plain<Norm::Kind::kByteCharacters>},
    {"Sequence",
     [](const Json& section, const std::string& where, NormSteps& steps) {
       read_sequence(section, "normalizers", where, steps, read_normalizers);
     }},
};

void read_normalizers(const Json& section, const std::string& where, NormSteps& steps) {
  read_steps(kNormalizers, section, where, steps);
}

// ---- pre-tokenizers ----

using Pre = PreTokenizerStep;
using PreSteps = std::vector<PreTokenizerStep>;

void add_step(PreSteps& steps, Pre::Kind kind) { steps.emplace_back().kind = kind; }

void add_split(PreSteps& steps, Pattern pattern, SplitBehavior behavior, bool invert = false) {
  add_step(steps, Pre::Kind::kSplit);
  steps.back().pattern = std::move(pattern);
  steps.back().behavior = behavior;
  steps.back().invert = invert;
}

Pattern of_characters(bool (*character)(char32_t)) {
  Pattern pattern;
  pattern.character = character;
  return pattern;
}

Pattern of_regex(const char* regex, const std::string& where) {
  Pattern pattern;
  pattern.regex.emplace(regex, where);
  return pattern;
}

void read_split(const Json& section, const std::string& where, PreSteps& steps) {
  add_split(steps, read_pattern(section, where), read_behavior(section, nullptr, where),
            value_or<bool>(section, "invert", false, where));
}

void read_byte_level(const Json& section, const std::string& where, PreSteps& steps) {
  if (value_or<bool>(section, "add_prefix_space", true, where)) add_step(steps, Pre::Kind::kPrefixSpace);
  if (value_or<bool>(section, "use_regex", true, where))
    add_split(steps, of_regex(kGpt2SplitRegex, where), SplitBehavior::kIsolated);
  add_step(steps, Pre::Kind::kByteCharacters);
}

void read_metaspace(const Json& section, const std::string& where, PreSteps& steps) {
  const std::string replacement = read_character(section, "replacement", "▁", where);
  add_step(steps, Pre::Kind::kMetaspace);
  steps.back().replacement = replacement;
  steps.back().scheme = read_prepend_scheme(section, where);
  if (!value_or<bool>(section, "split", true, where)) return;
  Pattern pattern;
  pattern.literal = replacement;
  add_split(steps, std::move(pattern), SplitBehavior::kMergedWithNext);
}

void read_digits(const Json& section, const std::string& where, PreSteps& steps) {
  const bool individual = value_or<bool>(section, "individual_digits", false, where);
  add_split(steps, of_characters(is_unicode_number),
            individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
}

void read_fixed_length(const Json& section, const std::string& where, PreSteps& steps) {
  const auto length = value_or<int64_t>(section, "length", 5, where);
  if (length < 1) fail_input(where, "field 'length': expected at least 1, found " + std::to_string(length));
  add_step(steps, Pre::Kind::kFixedLength);
  steps.back().length = static_cast<size_t>(length);
}

void read_pre_tokenizers(const Json& section, const std::string& where, PreSteps& steps);

constexpr Reader<Pre> kPreTokenizers[] = {
    {"Split", read_split},
    {"ByteLevel", read_byte_level},
    {"Metaspace", read_metaspace},
    {"Digits", read_digits},
    {"Punctuation",
     [](const Json& section, const std::string& where, PreSteps& steps) {
       add_split(steps, of_characters(is_unicode_punctuation), read_behavior(section, "Isolated", where));
     }},
    {"Whitespace",
     [](const Json&, const std::string&, PreSteps& steps) {
       add_split(steps, of_characters(is_unicode_space), SplitBehavior::kRemoved);
       add_split(steps, of_characters(is_word_character), SplitBehavior::kContiguous);
     }},
    {"WhitespaceSplit",
     [](const Json&, const std::string&, PreSteps& steps) {
       add_split(steps, of_characters(is_unicode_space), SplitBehavior::kRemoved);
     }},
    {"BertPreTokenizer",
     [](const Json&, const std::string&, PreSteps& steps) {
       add_split(steps, of_characters(is_unicode_space), SplitBehavior::kRemoved);
       add_split(steps, of_characters(is_unicode_punctuation), SplitBehavior::kIsolated);
     }},
    {"CharDelimiterSplit",
     [](const Json& section, const std::string& where, PreSteps& steps) {
       Pattern pattern;
       pattern.literal = read_character(section, "delimiter", "", where);
       add_split(steps, std::move(pattern), SplitBehavior::kRemoved);
     }},
    {"FixedLength", read_fixed_length},
    {"Sequence",
     [](const Json& section, const std::string& where, PreSteps& steps) {
       read_sequence(section, "pretokenizers", where, steps, read_pre_tokenizers);
     }},
};

void read_pre_tokenizers(const Json& section, const std::string& where, PreSteps& steps) {
  read_steps(kPreTokenizers, section, where, steps);
}

// ---- decoders ----

using Dec = DecoderStep;
using DecSteps = std::vector<DecoderStep>;

Dec& add_step(DecSteps& steps, Dec::Kind kind) {
  Dec& step = steps.emplace_back();
  step.kind = kind;
  return step;
}

template <Dec::Kind kind>
void read_plain(const Json&, const std::string&, DecSteps& steps) {
  add_step(steps, kind);
}

void read_strip_decoder(const Json& section, const std::string& where, DecSteps& steps) {
  Dec& step = add_step(steps, Dec::Kind::kStrip);
  step.content = read_character(section, "content", " ", where);
  step.start = require<size_t>(section, "start", where);
  step.stop = require<size_t>(section, "stop", where);
}

void read_replace_decoder(const Json& section, const std::string& where, DecSteps& steps) {
  Dec& step = add_step(steps, Dec::Kind::kReplace);
  step.pattern = read_pattern(section, where);
  step.content = require<std::string>(section, "content", where);
}

void read_metaspace_decoder(const Json& section, const std::string& where, DecSteps& steps) {
  Dec& step = add_step(steps, Dec::Kind::kMetaspace);
  step.content = read_character(section, "replacement", "▁", where);
  step.strip_first = read_prepend_scheme(section, where) != PrependScheme::kNever;
}

void read_word_piece_decoder(const Json& section, const std::string& where, DecSteps& steps) {
  Dec& step = add_step(steps, Dec::Kind::kWordPiece);
  step.content = value_or<std::string>(section, "prefix", "##", where);
  step.cleanup = value_or<bool>(section, "cleanup", true, where);
}

void read_bpe_decoder(const Json& section, const std::string& where, DecSteps& steps) {
  add_step(steps, Dec::Kind::kBpe).content = value_or<std::string>(section, "suffix", "</w>", where);
}

void read_ctc_decoder(const Json& section, const std::string& where, DecSteps& steps) {
  Dec& step = add_step(steps, Dec::Kind::kCtc);
  step.content = value_or<std::string>(section, "pad_token", "<pad>", where);
  step.delimiter = value_or<std::string>(section, "word_delimiter_token", "|", where);
  step.cleanup = value_or<bool>(section, "cleanup", true, where);
}

void read_decoders(const Json& section, const std::string& where, DecSteps& steps);

constexpr Reader<Dec> kDecoders[] = {
    {"ByteLevel", read_plain<Dec::Kind::kByteLevel>},
    {"ByteFallback", read_plain<Dec::Kind::kByteFallback>},
    {"Fuse", read_plain<Dec::Kind::kFuse>},
    {"Strip", read_strip_decoder},
    {"Replace", read_replace_decoder},
    {"Metaspace", read_metaspace_decoder},
    {"WordPiece", read_word_piece_decoder},
    {"BPEDecoder", read_bpe_decoder},
    {"CTC", read_ctc_decoder},
    {"Sequence", [](const Json& section, const std::string& where,
                    DecSteps& steps) { read_sequence(section, "decoders", where, steps, read_decoders); }},
};

void read_decoders(const Json& section, const std::string& where, DecSteps& steps) {
  read_steps(kDecoders, section, where, steps);
}

// ---- post-processors ----

// What stands in the place of the text, and the pieces around it: a template makes several, and
// [CLS] and [SEP] go to each of them.
constexpr int32_t kText = -1;
using Piece = std::vector<int32_t>;
using Posts = std::vector<Piece>;

void read_template(const Json& section, const std::string& where, Posts& steps) {
  const Json single = require<Json>(section, "single", where);
  const Json special = value_or<Json>(section, "special_tokens", Json::object(), where);
  if (!single.is_array()) fail_field(section, "single", where);
  if (steps.size() != 1) fail_input(where, "a template behind another one is not supported");
  Posts pieces;
  size_t texts = 0;
  for (size_t i = 0; i < single.size(); ++i) {
    const std::string place = where + ".single[" + std::to_string(i) + "]";
    if (single[i].is_object() && single[i].contains("SpecialToken")) {
      const auto name = require<std::string>(single[i]["SpecialToken"], "id", place);
      const Json entry = require<Json>(special, name, where + ".special_tokens");
      pieces.push_back(require<Piece>(entry, "ids", where + ".special_tokens." + name));
      for (int32_t id : pieces.back())
        if (id < 0) fail_input(place, "expected ids from 0 on, found " + std::to_string(id));
    } else {
      const auto name = require<std::string>(require<Json>(single[i], "Sequence", place), "id", place);
      if (name != "A") fail_input(place, "expected sequence 'A', found '" + name + "'");
      ++texts;
      pieces.push_back(steps[0]);
    }
  }
  if (texts != 1)
    fail_input(where, "expected sequence 'A' once in 'single', found it " + std::to_string(texts) + " times");
  steps = std::move(pieces);
}

// [CLS] text [SEP], with other names in RoBERTa: each is written ["[CLS]", 101].
template <bool sep_before_later_pieces>
void read_cls_sep(const Json& section, const std::string& where, Posts& steps) {
  auto id = [&](const char* key) {
    return require<std::pair<std::string, int32_t>>(section, key, where).second;
  };
  const int32_t cls = id("cls"), sep = id("sep");
  for (size_t i = 0; i < steps.size(); ++i) {
    if (i == 0 || sep_before_later_pieces) steps[i].insert(steps[i].begin(), i == 0 ? cls : sep);
    steps[i].push_back(sep);
  }
}

void read_post_processors(const Json& section, const std::string& where, Posts& steps);

constexpr Reader<Piece> kPostProcessors[] = {
    {"TemplateProcessing", read_template},
    {"BertProcessing", read_cls_sep<false>},
    {"RobertaProcessing", read_cls_sep<true>},
    {"ByteLevel", [](const Json&, const std::string&, Posts&) {}},  // only moves offsets
    {"Sequence",
     [](const Json& section, const std::string& where, Posts& steps) {
       read_sequence(section, "processors", where, steps, read_post_processors);
     }},
};

void read_post_processors(const Json& section, const std::string& where, Posts& steps) {
  read_steps(kPostProcessors, section, where, steps);
}

}  // namespace

std::vector<NormalizerStep> read_normalizer(const Json& section, const std::string& where) {
  NormSteps steps;
  read_normalizers(section, where, steps);
  return steps;
}

std::vector<PreTokenizerStep> read_pre_tokenizer(const Json& section, const std::string& where) {
  PreSteps steps;
  read_pre_tokenizers(section, where, steps);
  return steps;
}

std::vector<DecoderStep> read_decoder(const Json& section, const std::string& where) {
  DecSteps steps;
  if (section.is_null()) add_step(steps, Dec::Kind::kSpaced);
  read_decoders(section, where, steps);
  return steps;
}

AroundText read_post_processor(const Json& section, const std::string& where) {
  Posts pieces = {{kText}};
  read_post_processors(section, where, pieces);
  AroundText around;
  bool behind = false;
  for (const Piece& piece : pieces) {
    for (int32_t id : piece) {
      if (id == kText)
        behind = true;
      else
        (behind ? around.after : around.before).push_back(id);
    }
  }
  return around;
}

}  // namespace sdft
