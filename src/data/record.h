// One record of a dataset file into an Example: which field holds what.
#pragma once

#include <stdexcept>
#include <string>

#include "data/dataset.h"

namespace sdft {

// Why a record cannot be used: "field 'output' is missing (the record has: instruction, input)".
struct BadRecord : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// `id` is left empty where the record has none. The record becomes the example's `fields`. Throws BadRecord.
Example example_from_record(Json record, const DatasetOptions& options);

}  // namespace sdft
