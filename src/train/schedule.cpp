#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace sdft {

std::vector<std::string> schedule_types() { return {"constant", "constant_with_warmup", "linear", "cosine"}; }

void check_schedule(const std::string& type) {
  const std::vector<std::string> known = schedule_types();
  if (std::find(known.begin(), known.end(), type) != known.end()) return;
  const std::string near = nearest(type, known);
  fail_usage("lr_scheduler_type '" + type + "' is not known",
             near.empty() ? "constant, constant_with_warmup, linear, cosine" : "did you mean " + near + "?");
}

double learning_rate_at(const Schedule& s, int64_t step) {
  if (s.type == "constant") return s.learning_rate;
  if (step < s.warmup_steps)
    return s.learning_rate * static_cast<double>(step) /
           static_cast<double>(std::max<int64_t>(1, s.warmup_steps));
  if (s.type == "constant_with_warmup") return s.learning_rate;
  const double length = static_cast<double>(std::max<int64_t>(1, s.total_steps - s.warmup_steps));
  const double progress = std::min(1.0, static_cast<double>(step - s.warmup_steps) / length);
  if (s.type == "linear") return s.learning_rate * (1.0 - progress);
  return s.learning_rate * 0.5 * (1.0 + std::cos(M_PI * progress));
}

}  // namespace sdft
