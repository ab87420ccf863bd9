// What is shipped beside the programs: the demo's model and data, task files, known shapes, the served page.
#pragma once

#include <filesystem>

namespace sdft {

// The folder with demo.yaml: $SDFT_ASSETS, else assets/ or share/sdft/ near the program or library that this
// code was loaded from (so that an installed folder may be moved), else where it was built. Error(kInput)
// with the places where there is none.
std::filesystem::path assets_dir();

}  // namespace sdft
