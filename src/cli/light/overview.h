// What is in a folder or file: model, adapter, run directory, dataset, safetensors or GGUF file.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"

namespace sdft::cli {

// {"kind": "model", ...}. Error(kInput) where it is none of these, or broken.
Json overview_of(const std::filesystem::path& path);
// The same for people.
std::string overview_text(const Json& overview);

}  // namespace sdft::cli
