// What the process is doing, for the advice where memory runs out.
#pragma once

#include <atomic>

namespace sdft {

enum class Work { kReading, kLoading, kTraining, kGenerating, kScoring };
// Set where such work begins; the last one counts.
inline std::atomic<Work> current_work{Work::kReading};

}  // namespace sdft
