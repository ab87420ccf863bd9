// A chat model as one GGUF file for llama.cpp, and what Ollama wants beside it.
#pragma once

#include <filesystem>
#include <vector>

#include "infer/model_bundle.h"
#include "model/gguf_export.h"

namespace sdft::gguf {

// The weights of the bundle, which are loaded, with vocabulary, chat template and end tokens. Errors as
// vocabulary() and write_gguf_model(), whose result is returned.
std::vector<GgufNarrowed> write_model(const ModelBundle& bundle, const GgufMixture& mixture,
                                      const std::filesystem::path& path);

// FILE.gguf -> FILE.Modelfile, in the same folder.
std::filesystem::path modelfile_of(const std::filesystem::path& gguf);
// For `ollama create`: FROM ./FILE.gguf, the stop texts and a context. Ollama takes the chat template from
// the GGUF file.
void write_modelfile(const ModelBundle& bundle, const std::filesystem::path& gguf);

}  // namespace sdft::gguf
