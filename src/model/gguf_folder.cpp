#include "model/gguf_folder.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "model/convert.h"
#include "model/gguf_import.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr int kForm = 1;  // of these folders: another one where what is in them changes

fs::path cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache) return fs::path(cache) / "sdft.cpp";
  const char* home = std::getenv("HOME");
  return (home && *home ? fs::path(home) / ".cache" : fs::temp_directory_path()) / "sdft.cpp";
}

// Path, size and time tell the states of a file apart; its name is there for people.
fs::path folder_of(const fs::path& file) {
  const std::string state = fmt::format("{} {} {} {}", kForm, file.string(), fs::file_size(file),
                                        fs::last_write_time(file).time_since_epoch().count());
  return cache_folder() / fmt::format("{}-{}", file.stem().string(), sha256(state).substr(0, 16));
}
}  // namespace

fs::path model_folder(const fs::path& path) {
  std::error_code none;
  if (path.extension() != ".gguf" || !fs::is_regular_file(path, none)) return path;
  const fs::path file = fs::canonical(path), folder = folder_of(file);
  if (fs::exists(folder / "config.json", none)) return folder;
  const GgufFile gguf(file);
  Json json = gguf_config(gguf);
  json["torch_dtype"] = torch_name(gguf_output_type(gguf, "auto"));
  const auto texts = gguf_tokenizer_files(gguf);
  make_directories(folder);
  fs::remove(folder / kGgufWeights, none);
  fs::create_symlink(file, folder / kGgufWeights, none);
  if (none)
    fail_input((folder / kGgufWeights).string(), "cannot be written: " + none.message(),
               "set XDG_CACHE_HOME, or sdft import " + path.string() + " --output DIR");
  for (const auto& [name, bytes] : texts) write_file_atomic(folder / name, bytes);
  write_json(folder / "config.json", json);  // the last: a folder that has it is complete
  return folder;
}

}  // namespace sdft
