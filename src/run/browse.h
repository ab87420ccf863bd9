// What run directories say to whoever looks at them, while a run goes on or afterwards. Nothing is changed
// and nobody waits: of a file that is written just now the old or the new state is seen.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft {

struct RunFolder {
  std::string name;  // below the root, "openfunctions/one"; of the root itself its own
  std::filesystem::path dir;
};

// The run directories under `root`, up to three deep, and `root` itself where it is one, by name.
std::vector<RunFolder> run_folders(const std::filesystem::path& root);

// {"name", "state": "running", "finished" or "stopped", "model", "dataset", "changed" (seconds since 1970),
// "report" (whether there is one), "means": [{"model", "target", "retained"}] where there is}.
Json run_row(const RunFolder& run);

// The row with
//   "recipe": YAML
//   "stages": [{"what": "rewriting", "training" or "evaluation", "name", "done", "total"}], as the recipe has
//             them; of the evaluation a model's answers to a task are one
//   "progress": {"label", "done", "total", "unit", "seconds", "tokens_per_second", "per_second",
//               "seconds_left", "note"} of a running one (base/progress.h), or null
//   "rewrites": {"accepted", "rejected": {reason: count}, "newest": [{"id", "accepted", "reason", "matched",
//               "original", "rewrite"}]} of the newest rewriting, or null
//   "trainings": [{"variant", "step", "loss", "kl_step", "kl_task", "kl_retained"}]: columns, thinned out to
//                at most 400 steps
//   "failed": {variant: why}
//   "pages": run_pages()
Json run_view(const RunFolder& run);

// [{"name", "file"}]: the report and what lies beside it, as files below the run directory.
Json run_pages(const RunFolder& run);

}  // namespace sdft
