// Pages beside a run's report with all examples of a kind, filters and a search: what a report shows a few
// of. Read without scripts they show all. Texts are cut where they are long; `all` are more examples than the
// page has, where they are too many for one, which it says.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace sdft::report {

inline constexpr size_t kMostListed = 10000;  // examples of a page

// Original and rewrite beside each other, the words that differ marked, and what a check found. `file` has
// all of them.
std::string rewrites_page(const std::string& title, const std::vector<Rewrite>& rewrites, size_t all,
                          const std::string& file);

// An example that a model forgot or gained: it is right where the seed was wrong, or the other way round.
struct ChangedExample {
  std::string task;
  SampleAnswers answers;  // the seed's first
};
std::string changes_page(const std::string& title, const std::vector<ChangedExample>& examples, size_t all);

// How long the parts of a run took, all calls together, and what was written and learned meanwhile.
std::string timings_page(const Document& document, const std::vector<Timing>& timings);

}  // namespace sdft::report
