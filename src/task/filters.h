// What becomes of an answer before metrics see it: filter_list.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft {

// From the answers to one document to others.
using Filter = std::function<std::vector<std::string>(std::vector<std::string>)>;

struct FilterPipeline {
  std::string name = "none";
  std::vector<Filter> steps;  // the last leaves one answer, else the first counts
  // The answer that counts.
  std::string apply(std::vector<std::string> answers) const;
};

// An entry of filter_list. Throws Error(kInput) naming `where`, a filter that is not known and its arguments.
FilterPipeline read_filters(const Json& entry, const std::string& where);

}  // namespace sdft
