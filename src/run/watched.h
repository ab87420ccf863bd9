// The watch over a variant: which prompts it is measured on, and how (sdft/watch.h).
#pragma once

#include "run/stages.h"
#include "sdft/watch.h"

namespace sdft {

// Prompts of the task, and of the retained tasks in turn; empty where the variant is not watched. `start`:
// what its training starts from.
Monitor monitor_of(const RunContext& run, const VariantJob& job, ModelView start);
bool is_watched(const VariantJob& job);
// What the measurements depend on beside settings.
void add_watched(Fingerprint* fingerprint, const VariantJob& job);

}  // namespace sdft
