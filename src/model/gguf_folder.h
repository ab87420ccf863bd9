// A GGUF file as the model itself: the folder that stands for it.
#pragma once

#include <filesystem>

namespace sdft {

inline constexpr const char* kGgufWeights = "model.gguf";  // in such a folder, in place of *.safetensors

// `path`, or where it is a GGUF file the folder with its configuration, tokenizer and a link to it. That is
// made in XDG_CACHE_HOME/sdft.cpp (else ~/.cache/sdft.cpp), once for each state of the file. Error(kInput) as
// gguf_config() and gguf_tokenizer_files(), and where the folder cannot be written.
std::filesystem::path model_folder(const std::filesystem::path& path);

}  // namespace sdft
