#include "base/error.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace sdft {

static std::string with_hint(const std::string& what, const std::string& hint) {
  return hint.empty() ? what : what + " (" + hint + ")";
}

void fail_input(const std::string& where, const std::string& what, const std::string& hint) {
  throw Error(ExitCode::kInput, where + ": " + with_hint(what, hint));
}

void fail_usage(const std::string& what, const std::string& hint) {
  throw Error(ExitCode::kUsage, with_hint(what, hint));
}

int edit_distance(const std::string& a, const std::string& b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      int substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace sdft
