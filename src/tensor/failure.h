// base's current_error(), and for what libtorch throws.
#pragma once

#include "base/error.h"

namespace sdft {

// The exception being handled as an Error.
Error current_failure();

}  // namespace sdft
