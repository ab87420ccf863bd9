#include "model/gguf_types.h"

#include <cstring>

#include "base/error.h"

namespace sdft {
namespace {

// Where a row is no multiple of the block's elements.
const GgufType& narrower(const GgufType& type, int64_t row) {
  constexpr std::pair<const char*, const char*> kInstead[] = {
      {"Q4_K", "Q5_0"}, {"Q5_K", "Q8_0"}, {"Q6_K", "Q8_0"}};
  const auto fits = [row](const GgufType& t) { return row % static_cast<int64_t>(t.elements) == 0; };
  if (fits(type)) return type;
  for (const auto& [wide, narrow] : kInstead)
    if (std::strcmp(type.name, wide) == 0 && fits(gguf_type(narrow))) return gguf_type(narrow);
  return gguf_type("F16");
}

// The first and last eighth of the layers, and every third between them.
bool has_more_bits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

const char* wanted(const GgufMixture& mixture, const ModelConfig& config, const std::string& name) {
  const auto is = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (is("output.weight") && !is("attn_output")) return mixture.head;
  if (is("token_embd.weight")) return config.tie_word_embeddings ? mixture.head : mixture.matrices;
  if (gguf_type(mixture.matrices).encode == nullptr) return mixture.matrices;
  const bool values = is("attn_v."), eight = config.num_experts == 8;
  if (eight && (values || is("attn_k."))) return "Q8_0";
  if (!mixture.more_bits) return mixture.matrices;
  if (is("attn_qkv.") || (eight && is("attn_output."))) return "Q5_K";
  if ((values || is("ffn_down")) && has_more_bits(std::stoll(name.substr(4)), config.num_hidden_layers))
    return "Q6_K";
  return mixture.matrices;
}

bool ends_with(const std::string& name, const std::string& end) {
  return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

const std::vector<GgufMixture>& gguf_mixtures() {
  static const std::vector<GgufMixture> list = {
      {"f32", 0, "F32", "F32", false},      {"f16", 1, "F16", "F16", false},
      {"bf16", 32, "BF16", "BF16", false},  {"q8_0", 7, "Q8_0", "Q8_0", false},
      {"q4_k_m", 15, "Q4_K", "Q6_K", true}, {"q4_0", 2, "Q4_0", "Q6_K", false}};
  return list;
}

const GgufMixture& gguf_mixture(const std::string& name) {
  for (const GgufMixture& row : gguf_mixtures())
    if (name == row.name) return row;
  throw Error(ExitCode::kInternal, "there is no mixture of types '" + name + "'");
}

GgufChoice gguf_choice(const GgufMixture& mixture, const ModelConfig& config, const std::string& name,
                       const std::vector<int64_t>& shape) {
  if (shape.size() < 2 ||
      !(ends_with(name, ".weight") || ends_with(name, ".lora_a") || ends_with(name, ".lora_b")) ||
      ends_with(name, "ffn_gate_inp.weight"))
    return {&gguf_type("F32"), &gguf_type("F32")};
  const bool adapter = !ends_with(name, ".weight");
  const GgufType& type = gguf_type(adapter ? mixture.matrices : wanted(mixture, config, name));
  return {&type, &narrower(type, shape.back())};
}

}  // namespace sdft
