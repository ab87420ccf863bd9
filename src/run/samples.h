// A recipe's examples as training samples: what `preview` shows is what training sees.
#pragma once

#include "data/dataset.h"
#include "run/session.h"

namespace sdft {

// cutoff_len, or the model's context where that is shorter or cutoff_len is 0.
size_t effective_cutoff(const Recipe& recipe, const ModelConfig& config);
Sample training_sample_of(const Session& session, const Example& example);
// With targets that may be rewrites.
std::vector<Sample> training_samples(const Session& session, const std::vector<Example>& examples);

}  // namespace sdft
