// A folder with tokenizer.model and no tokenizer.json, read as Transformers' own tokenizer classes do.
#include "base/error.h"
#include "text/tokenizer/impl.h"

namespace sdft {
namespace {

// What a class does unless tokenizer_config.json says otherwise.
struct ClassDefaults {
  const char* name;
  bool add_bos, add_eos;
  bool knows_legacy;  // has the option of that name, and add_prefix_space
};

constexpr ClassDefaults kClasses[] = {
    {"", true, false, true},  // no configuration
    {"LlamaTokenizer", true, false, true},
    {"LlamaTokenizerFast", true, false, true},
    {"CodeLlamaTokenizer", true, false, false},
    {"CodeLlamaTokenizerFast", true, false, false},
    {"GemmaTokenizer", true, false, false},
    {"GemmaTokenizerFast", true, false, false},
    {"InternLMTokenizer", true, false, false},
    {"InternLM2Tokenizer", true, false, false},
    {"BaichuanTokenizer", true, false, false},
    {"YiTokenizer", true, false, false},
};

const ClassDefaults& find_class(const std::string& name, const std::string& where) {
  for (const auto& known : kClasses)
    if (name == known.name) return known;
  fail_input(where, "tokenizer_class '" + name + "' with a SentencePiece model is not supported",
             "save the tokenizer as tokenizer.json with Transformers");
}

std::vector<DecoderStep> decoder_steps(size_t leading_spaces) {
  std::vector<DecoderStep> steps;
  auto add = [&](DecoderStep::Kind kind) -> DecoderStep& {
    steps.emplace_back().kind = kind;
    return steps.back();
  };
  DecoderStep& spaces = add(DecoderStep::Kind::kReplace);
  spaces.pattern.literal = "▁";
  spaces.content = " ";
  add(DecoderStep::Kind::kByteFallback);
  add(DecoderStep::Kind::kFuse);
  if (leading_spaces > 0) {
    DecoderStep& strip = add(DecoderStep::Kind::kStrip);
    strip.content = " ";
    strip.start = leading_spaces;
  }
  return steps;
}

}  // namespace

TokenizerImplPtr load_tokenizer_sentencepiece(const std::filesystem::path& path, const Json& config,
                                              const std::string& config_where) {
  const auto& defaults =
      find_class(value_or<std::string>(config, "tokenizer_class", "", config_where), config_where);
  const bool legacy = !defaults.knows_legacy || value_or<bool>(config, "legacy", true, config_where);
  const bool prefix_space = value_or<bool>(config, "add_prefix_space", true, config_where);
  SentencePieceModel model(path, legacy, prefix_space);
  const int32_t unk = model.unk(), bos = model.bos(), eos = model.eos(), pad = model.pad();
  const size_t leading_spaces = model.leading_spaces();

  auto impl = std::make_unique<Tokenizer::Impl>(std::move(model));
  impl->where = path.string();
  impl->decoder = decoder_steps(leading_spaces);
  for (int32_t id : {unk, bos, eos}) {
    if (id < 0) continue;
    AddedToken token;
    token.id = id;
    token.content = std::string(impl->vocabulary().token(id));
    token.special = true;
    impl->added.add(token);
  }
  if (bos >= 0) impl->bos = bos;
  if (eos >= 0) impl->eos = eos;
  if (pad >= 0) impl->pad = pad;
  impl->add_bos = value_or<bool>(config, "add_bos_token", defaults.add_bos, config_where);
  impl->add_eos = value_or<bool>(config, "add_eos_token", defaults.add_eos, config_where);
  return impl;
}

}  // namespace sdft
