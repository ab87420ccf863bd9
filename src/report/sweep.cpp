#include "report/sweep.h"

#include <algorithm>
#include <set>

#include "base/file.h"
#include "report/fields.h"

namespace sdft::report {

SDFT_FIELDS(SweepRun, must("variant", &SweepRun::variant), may("method", &SweepRun::method),
            may("settings", &SweepRun::settings), must("measures", &SweepRun::measures))
SDFT_FIELDS(Sweep, must("title", &Sweep::title), must("keys", &Sweep::keys),
            may("seed_model", &Sweep::seed_model), must("runs", &Sweep::runs), may("base", &Sweep::base),
            may("tasks", &Sweep::tasks), if_any("learning", &Sweep::learning),
            if_any("warnings", &Sweep::warnings))
#undef SDFT_FIELDS

static void check(const Sweep& sweep, const std::string& where) {
  const std::set<std::string> keys(sweep.keys.begin(), sweep.keys.end());
  if (keys.size() != sweep.keys.size()) fail_input(where + ".keys", "a key is there twice");
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    std::set<std::string> seen;
    for (const Setting& setting : sweep.runs[i].settings) {
      const std::string place = where + ".runs[" + std::to_string(i) + "].settings";
      if (!keys.count(setting.name)) {
        const std::string guess = nearest(setting.name, sweep.keys);
        fail_input(place, "'" + setting.name + "' is not one of keys",
                   guess.empty() ? "" : "did you mean '" + guess + "'?");
      }
      if (!seen.insert(setting.name).second) fail_input(place, "'" + setting.name + "' is there twice");
    }
  }
}

Json to_json(const Sweep& sweep) { return write_document(sweep, kSweepFormat); }

Sweep sweep_from_json(const Json& json, const std::string& where) {
  Sweep sweep = read_document<Sweep>(json, "sweep", kSweepFormat, where);
  check(sweep, where);
  return sweep;
}

Sweep read_sweep(const std::filesystem::path& path) {
  return sweep_from_json(read_json(path), path.string());
}

void write_sweep(const Sweep& sweep, const std::filesystem::path& directory) {
  check(sweep, "sweep");
  make_directories(directory);
  const std::string json = to_json(sweep).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  write_file_atomic(directory / "sweep.json", json);
  write_file_atomic(directory / "sweep.md", to_markdown(sweep));
  write_file_atomic(directory / "sweep.html", to_html(sweep));
}

}  // namespace sdft::report
