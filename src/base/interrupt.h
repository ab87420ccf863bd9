// The wish to stop the whole process (Ctrl-C, SIGTERM, SIGHUP), looked at by everything that may take longer
// than a second. Thread safe.
#pragma once

#include <atomic>

namespace sdft {

extern std::atomic<bool> interrupted;
// Error(kInterrupted) once `interrupted` is true. Cheap enough for inner loops.
void stop_if_interrupted();

}  // namespace sdft
