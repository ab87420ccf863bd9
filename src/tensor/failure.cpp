#include "tensor/failure.h"

#include <c10/util/Exception.h>

namespace sdft {

Error current_failure() {
  try {
    throw;
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    if (what.find("out of memory") != std::string::npos ||
        what.find("can't allocate memory") != std::string::npos)
      return memory_error();
    return Error(ExitCode::kInternal, what);
  } catch (...) {
    return current_error();
  }
}

}  // namespace sdft
