#include "model/gguf_names.h"

#include "base/error.h"
#include "model/format/architectures.h"

namespace sdft {
namespace {

using Renamed = std::pair<const char*, const char*>;  // ours, theirs
constexpr Renamed kOutside[] = {
    {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}};
constexpr Renamed kInside[] = {
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.qkv_proj", "attn_qkv"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.gate_up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"input_layernorm", "attn_norm"},
    {"pre_feedforward_layernorm", "ffn_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
};
template <typename List>
std::string find(const List& list, const std::string& name) {
  for (const auto& [ours, theirs] : list)
    if (name == ours) return theirs;
  throw Error(ExitCode::kInternal, "no GGUF name for '" + name + "'");
}

const std::string kLayers = "model.layers.", kExpert = ".experts.";

}  // namespace

GgufName gguf_name(const std::string& name, const ModelConfig& config) {
  const size_t dot = name.rfind('.');
  std::string module = name.substr(0, dot);
  const std::string kind = name.substr(dot);  // ".weight"
  if (module.rfind(kLayers, 0) != 0) return {find(kOutside, module) + kind};
  const size_t number_end = module.find('.', kLayers.size());
  const std::string block = "blk." + module.substr(kLayers.size(), number_end - kLayers.size()) + ".";
  module = module.substr(number_end + 1);
  // The same name for what stands before the mlp in Llama and behind attention elsewhere.
  if (module == "post_attention_layernorm")
    return {block + (config.norm_placement == NormPlacement::kBefore ? "ffn_norm" : "post_attention_norm") +
            kind};
  const ExpertNames& names = config.expert_names;
  if (module == names.block + ".gate") return {block + "ffn_gate_inp" + kind};
  const size_t expert = module.find(kExpert);
  if (expert == std::string::npos) return {block + find(kInside, module) + kind};
  const size_t number = expert + kExpert.size(), last = module.find('.', number);
  const std::pair<std::string, const char*> stacks[] = {
      {names.gate, "ffn_gate_exps"}, {names.up, "ffn_up_exps"}, {names.down, "ffn_down_exps"}};
  return {block + find(stacks, module.substr(last + 1)) + kind,
          std::stoll(module.substr(number, last - number))};
}

int64_t interleaved_heads(const std::string& name, const ModelConfig& config) {
  if (!architecture_of(config).gguf.interleaved) return 0;
  if (name.find(".q_proj") != std::string::npos) return config.num_attention_heads;
  if (name.find(".k_proj") != std::string::npos) return config.num_key_value_heads;
  return 0;
}

Tensor interleave(const Tensor& rows, int64_t heads) {
  return rows.reshape({heads, 2, rows.size(0) / heads / 2, -1}).transpose(1, 2).reshape(rows.sizes());
}

Tensor uninterleave(const Tensor& rows, int64_t heads) {
  return rows.reshape({heads, rows.size(0) / heads / 2, 2, -1}).transpose(1, 2).reshape(rows.sizes());
}

}  // namespace sdft
