#include "run/assets.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// The program, or the shared library in somebody else's program.
fs::path own_file() {
  Dl_info info;
  link_map* map = nullptr;
  std::error_code ignored;
  ::dladdr1(reinterpret_cast<void*>(&own_file), &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP);
  return map && *map->l_name ? fs::canonical(map->l_name, ignored)
                             : fs::read_symlink("/proc/self/exe", ignored);
}
}  // namespace

fs::path assets_dir() {
  std::vector<fs::path> places;
  if (const char* given = std::getenv("SDFT_ASSETS")) places.emplace_back(given);
  fs::path folder = own_file();
  for (int up = 0; up < 3; ++up) {  // bin/, lib/, lib/x86_64-linux-gnu/, build/, build/tests/
    folder = folder.parent_path();
    places.push_back(folder / "assets");
    places.push_back(folder / "share" / "sdft");
  }
  places.emplace_back(SDFT_ASSETS_DIR);
  std::string tried;
  for (const fs::path& place : places) {
    if (fs::exists(place / "demo.yaml")) return place;
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  fail_input("assets", "cannot find the shipped model and data; tried " + tried,
             "set SDFT_ASSETS to the folder with demo.yaml");
}

}  // namespace sdft
