// A dataset's training samples as a recipe asks for them: what preview shows is what training sees.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/prompt.h"

namespace sdft {

// The prompt template that takes each record's own fields "template" and "reference".
inline constexpr const char* kTemplateOfRecord = "record";

struct SampleSettings {
  std::string prompt_template = "chat";  // or kTemplateOfRecord
  size_t cutoff_len = 0;                 // see effective_cutoff(); 0: no limit
  bool train_on_prompt = false;          // the prompt is learned, too
  Reasoning reasoning = Reasoning::kDrop;
};

// The length at which samples are cut: cutoff_len, or the model's context where that is shorter or cutoff_len
// is 0.
size_t effective_cutoff(int64_t cutoff_len, int64_t context);

// Throws Error(kInput) naming the example, as everything here does.
Sample sample_of(const Formatter& formatter, const SampleSettings& settings, const Example& example);

// Whether all examples can be written with all these prompt templates (names, files, or kTemplateOfRecord; a
// distillation template shows the answer, the others end with it where there is one): before a run's first
// stage. Examples that cannot (the chat template refuses them, writes no tools, moves answers about, leaves
// out the reasoning that is to stay) go into dataset->skipped with skip_bad, else the first 20 are reported
// in one Error(kInput).
void check_renderable(const Formatter& formatter, const std::vector<std::string>& prompt_templates,
                      Dataset* dataset, bool skip_bad, Reasoning reasoning);

}  // namespace sdft
