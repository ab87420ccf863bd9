// Learning-rate schedules, named and shaped as in Transformers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sdft {

struct Schedule {
  std::string type = "cosine";  // constant | constant_with_warmup | linear | cosine
  double learning_rate = 1e-4;  // the peak
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;
};

// "constant", "constant_with_warmup", "linear", "cosine".
std::vector<std::string> schedule_types();
// Throws Error(kUsage) with the known names.
void check_schedule(const std::string& type);
// The rate of optimizer step `step` (0-based): linear warm-up, then the shape, which ends at 0.
double learning_rate_at(const Schedule& schedule, int64_t step);

}  // namespace sdft
