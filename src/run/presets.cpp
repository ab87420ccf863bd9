#include "run/presets.h"

namespace sdft {

const std::vector<Preset>& presets() {
  static const std::vector<Preset> kPresets = {
      {"sdft_2026",
       "on_policy as in its paper's experiments: forward KL, whole vocabulary, 3 tokens skipped, a teacher "
       "that follows by 0.01 a step",
       {{"divergence", "forward"},
        {"distillation_mode", "full_logits"},
        {"num_loss_tokens_to_skip", "3"},
        {"teacher_model_kind", "ema"},
        {"teacher_update_rate", "0.01"},
        {"teacher_template", "chat_demonstration"}}},
      {"frozen_top20",
       "on_policy with the seed as teacher and its 20 likeliest tokens, each one's term at most 0.05",
       {{"divergence", "forward"},
        {"distillation_mode", "topk_logits"},
        {"distillation_topk", "20"},
        {"distillation_topk_of", "teacher"},
        {"distillation_entry_clip", "0.05"},
        {"num_loss_tokens_to_skip", "3"},
        {"teacher_model_kind", "base"},
        {"teacher_template", "chat_demonstration"}}},
  };
  return kPresets;
}

const Preset* find_preset(const std::string& name) {
  for (const Preset& preset : presets())
    if (name == preset.name) return &preset;
  return nullptr;
}

const char* presets_help() {
  static const std::string kHelp = [] {
    std::string text = "several settings under one name; what stands beside it wins:";
    for (const Preset& preset : presets()) text += std::string("\n") + preset.name + ": " + preset.help;
    return text;
  }();
  return kHelp.c_str();
}

}  // namespace sdft
