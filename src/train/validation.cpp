#include "train/validation.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"

namespace sdft {

Split split_validation(const std::vector<Example>& examples, double val_size, uint64_t seed) {
  Split split;
  for (const Example& example : examples) {
    const bool held_back = val_size > 0 && Random(seed, "validation " + example.id).uniform() < val_size;
    (held_back ? split.validation : split.train).push_back(&example);
  }
  if (val_size > 0 && (split.train.empty() || split.validation.empty()))
    fail_input("val_size",
               "holds back " + std::to_string(split.validation.size()) + " of " +
                   std::to_string(examples.size()) + " examples, which leaves nothing to " +
                   (split.train.empty() ? "train on" : "validate with"),
               split.train.empty() ? "lower val_size, or add examples" : "raise val_size, or add examples");
  return split;
}

bool TrainingHistory::add_measurement(int64_t step, double loss) {
  const bool best = best_step == 0 || loss < best_loss;
  since_best = best ? 0 : since_best + 1;
  if (best) best_step = step, best_loss = loss;
  return best;
}

void TrainingHistory::add_watched(int64_t step, const std::string& found) {
  fault = found;
  if (found.empty()) sound_step = step;
}

TrainingHistory read_history(const std::filesystem::path& dir) {
  TrainingHistory history;
  const std::filesystem::path path = dir / "metrics.jsonl";
  if (!std::filesystem::exists(path)) return history;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    if (json.contains("validation_loss"))
      history.add_measurement(require<int64_t>(json, "step", where),
                              require<double>(json, "validation_loss", where));
    if (json.contains("fault"))
      history.add_watched(require<int64_t>(json, "step", where), require<std::string>(json, "fault", where));
  });
  return history;
}

}  // namespace sdft
