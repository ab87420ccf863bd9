// Numbers of one type as those of another, and none made up on the way.
#pragma once

#include <string>

#include "tensor/torch_compat.h"

namespace sdft {

// A copy of that type; of a tensor that is not real numbers the tensor itself. Error(kInput) naming `where`
// for NaN and infinity, and for a number beyond the type's range, which rounding would make infinite.
Tensor convert_finite(const Tensor& values, at::ScalarType type, const std::string& where);

// "f32", "f16", "bf16" as a type, and a type as config.json has it: "float32".
at::ScalarType float_type(const std::string& name);
const char* torch_name(at::ScalarType type);

}  // namespace sdft
