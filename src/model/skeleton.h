// A model without its numbers.
#pragma once

#include "model/model.h"

namespace sdft {

// Every weight has its name and shape, none has memory: for reading and writing other formats. forward() of
// it would fail.
Model skeleton(const ModelConfig& config);

}  // namespace sdft
