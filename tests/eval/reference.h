// Values that scipy and statsmodels computed on our own inputs (tools/statistics-fixtures).
#pragma once

#include <string>

#include "base/json.h"

namespace sdft {

inline Json reference(const std::string& of) {
  return read_json(SDFT_SOURCE_DIR "/tests/eval/statistics_reference.json").at(of);
}

}  // namespace sdft
