#include "gguf/export.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "gguf/vocabulary.h"

namespace sdft::gguf {
namespace fs = std::filesystem;
namespace {

// A context's keys and values are in memory from the beginning: not all that the model could have.
constexpr int64_t kContext = 8192;

// A Modelfile's value. It has no escapes; three quotes hold single ones.
std::string quoted(const std::string& text) {
  return text.find('"') == std::string::npos ? '"' + text + '"' : "\"\"\"" + text + "\"\"\"";
}

}  // namespace

std::vector<GgufNarrowed> write_model(const ModelBundle& bundle, const GgufMixture& mixture,
                                      const fs::path& path) {
  std::string name = fs::absolute(bundle.dir).lexically_normal().filename().string();
  return write_gguf_model(bundle.model, mixture, name, vocabulary(bundle), path);
}

fs::path modelfile_of(const fs::path& gguf) { return fs::path(gguf).replace_extension(".Modelfile"); }

void write_modelfile(const ModelBundle& bundle, const fs::path& gguf) {
  std::string text = "FROM ./" + gguf.filename().string() + "\n";
  for (const std::string& stop : stop_texts(bundle)) text += "PARAMETER stop " + quoted(stop) + "\n";
  text += fmt::format("PARAMETER num_ctx {}\n", std::min(kContext, bundle.config.max_position_embeddings));
  write_file_atomic(modelfile_of(gguf), text);
}

}  // namespace sdft::gguf
