// How sdft becomes sdft-engine.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace sdft::cli {

// Runs the sdft-engine beside this executable in this process's place, with the same command line. Returns
// only where that fails: what is wrong, an Error(kInput) where there is none.
Error start_engine(char** argv);

// Its environment, "NAME=value": this process's, and what has to stand there before libraries are loaded,
// unless the user has said otherwise.
std::vector<std::string> engine_environment();

}  // namespace sdft::cli
