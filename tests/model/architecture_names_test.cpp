// What is special about an architecture stands in src/model/format/architectures.cpp: no other source asks
// for its name.
#include <gmock/gmock.h>

#include <filesystem>
#include <regex>
#include <set>

#include "base/file.h"
#include "model/format/architectures.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;

const fs::path kSources = fs::path(SDFT_SOURCE_DIR) / "src";

std::vector<fs::path> others(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().filename() != "architectures.cpp")
      files.push_back(entry.path());
  return files;
}

std::string without_comments(const fs::path& file) {
  return std::regex_replace(read_text(file), std::regex("//[^\n]*"), "");
}

// "llama" and "LlamaForCausalLM" as whole literals. gguf_tokenizer.cpp and vocabulary.cpp list vocabularies,
// of which some have the names of models.
TEST(ArchitectureNames, StandInOneFile) {
  std::set<std::string> names;
  for (const Architecture& a : architectures()) {
    for (const std::string& name : {a.name, a.model_type, a.gguf.name})
      if (!name.empty()) names.insert(name);
    if (a.whole) names.insert({a.whole->name, a.whole->model_type});
  }
  const std::regex literal("\"(\\w+)\"");
  for (const fs::path& file : others(kSources)) {
    if (file.filename() == "gguf_tokenizer.cpp" || file.filename() == "vocabulary.cpp") continue;
    const std::string code = without_comments(file);
    for (std::sregex_iterator i(code.begin(), code.end(), literal), end; i != end; ++i)
      EXPECT_EQ(names.count((*i)[1]), 0u) << file << " asks for " << (*i)[0];
  }
}

// Nor is there a flag or function called after one: "is_gemma", "mixtral". llama3 is also a kind of rope.
TEST(ArchitectureNames, AreNoNamesOfTheCode) {
  std::string words;
  for (const Architecture& a : architectures()) {
    const size_t end = a.model_type.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
    words += (words.empty() ? "" : "|") + a.model_type.substr(0, end);
  }
  const std::regex called("\\w*(" + words + ")(?!3)\\w*", std::regex::icase),
      literal("\"(\\\\.|[^\"\\\\\n])*\"");
  for (const fs::path& file : others(kSources / "model")) {
    const std::string code = std::regex_replace(without_comments(file), literal, "");
    std::smatch found;
    EXPECT_FALSE(std::regex_search(code, found, called)) << file << ": " << found[0];
  }
}

}  // namespace
}  // namespace sdft
