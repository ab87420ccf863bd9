// The arrows between modules: CMakeLists.txt lists them, docs/design.md draws them, src/ follows them.
#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/file.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;

const fs::path kTop = SDFT_SOURCE_DIR;

struct Module {
  std::set<std::string> deps;
  bool torch = false;
};

// The sdft_module(NAME [TORCH] [PROGRAM program] [DEPS module...] [LIBS target...]) of CMakeLists.txt.
std::map<std::string, Module> modules() {
  const std::string text = read_text(kTop / "CMakeLists.txt");
  const std::regex call("sdft_module\\(([^)]*)\\)");
  std::map<std::string, Module> found;
  for (std::sregex_iterator i(text.begin(), text.end(), call), end; i != end; ++i) {
    std::istringstream words((*i)[1]);
    std::string name, option, word;
    words >> name;
    Module& module = found[name];
    while (words >> word) {
      if (word == "TORCH") module.torch = true;
      if (word == "TORCH" || word == "PROGRAM" || word == "DEPS" || word == "LIBS")
        option = word;
      else if (option == "DEPS")
        module.deps.insert(word);
    }
  }
  return found;
}

struct Include {
  fs::path file;
  std::string from, header;
};

std::vector<Include> includes() {
  std::vector<Include> found;
  const fs::path src = kTop / "src";
  const std::regex pattern("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  for (const auto& entry : fs::recursive_directory_iterator(src)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    const std::string module = entry.path().parent_path().lexically_relative(src);
    for_each_line(
        entry.path(),
        [&](std::string_view line, size_t) {
          std::match_results<std::string_view::const_iterator> match;
          if (std::regex_search(line.begin(), line.end(), match, pattern))
            found.push_back({entry.path(), module, match[1]});
        },
        true);
  }
  return found;
}

TEST(Structure, IncludesAndArrowsAreTheSame) {
  const auto list = modules();
  auto unused = list;
  for (const Include& include : includes()) {
    ASSERT_TRUE(list.count(include.from)) << include.file << " is in no module of CMakeLists.txt";
    if (fs::exists(kTop / "include" / include.header)) continue;  // the public API
    const std::string to = fs::path(include.header).parent_path();
    if (to == include.from || !list.count(to)) continue;
    EXPECT_TRUE(list.at(include.from).deps.count(to)) << include.file << " includes " << include.header;
    unused[include.from].deps.erase(to);
  }
  for (const auto& [name, module] : unused)
    for (const std::string& to : module.deps)
      ADD_FAILURE() << "CMakeLists.txt: " << name << " includes nothing of " << to;
}

// docs/design.md: a module stands below all that it sees, so that there is no cycle.
TEST(Structure, ArrowsGoUpTheStepsOfTheDesign) {
  const auto list = modules();
  const std::string text = read_text(kTop / "docs/design.md");
  const size_t begin = text.find("```\n", text.find("## Arrows")) + 4;
  std::istringstream lines(text.substr(begin, text.find("```", begin) - begin));
  std::map<std::string, int> step;
  std::string line, name;
  for (int i = 0; std::getline(lines, line); ++i) {
    std::replace(line.begin(), line.end(), ',', ' ');
    for (std::istringstream names(line); names >> name;) {
      EXPECT_TRUE(list.count(name)) << "docs/design.md: no module " << name;
      step[name] = i;
    }
  }
  for (const auto& [from, module] : list) {
    EXPECT_TRUE(step.count(from)) << "docs/design.md lacks " << from;
    for (const std::string& to : module.deps)
      EXPECT_LT(step[to], step[from]) << "docs/design.md: " << from << " sees " << to;
  }
}

TEST(Structure, TorchStaysWhereTensorsAre) {
  const auto list = modules();
  for (const Include& include : includes()) {
    const bool torch = include.header.rfind("ATen", 0) == 0 || include.header.rfind("torch/", 0) == 0 ||
                       include.header.rfind("c10", 0) == 0;
    if (torch) {
      EXPECT_TRUE(list.at(include.from).torch) << include.file << " includes " << include.header;
    }
  }
}

TEST(Structure, ThePublicHeadersNeedNoOthers) {
  const std::regex foreign("#include ([<\"][^>\"]*/|\"(?!sdft/))");
  for (const auto& entry : fs::recursive_directory_iterator(kTop / "include"))
    if (entry.is_regular_file()) {
      const std::string text =
          std::regex_replace(read_text(entry.path()), std::regex("\"sdft/\\w+\\.h\""), "");
      EXPECT_FALSE(std::regex_search(text, foreign)) << entry.path();
    }
}

TEST(Structure, OnlyOneFileTestsTheTorchVersion) {
  for (const auto& entry : fs::recursive_directory_iterator(kTop / "src"))
    if (entry.is_regular_file() && entry.path().filename() != "torch_compat.h") {
      EXPECT_EQ(read_text(entry.path()).find("TORCH_VERSION_M"), std::string::npos) << entry.path();
    }
}

// Variants are data: the usual names stand where the recipe's short form is defined and nowhere else, but for
// the program's own name (its version in files, its app, its folder).
TEST(Structure, NoCodeKnowsAVariantByName) {
  const std::regex variant("\"(vanilla|sdft)\""), program("ersion|VERSION|\"share\"|stderr_color|CLI::App");
  for (const auto& entry : fs::recursive_directory_iterator(kTop / "src")) {
    const std::string ending = entry.path().extension().string();
    if ((ending != ".h" && ending != ".cpp") || entry.path().filename() == "variants.cpp") continue;
    for_each_line(
        entry.path(),
        [&](std::string_view line, size_t number) {
          const std::string text(line);
          const bool known = std::regex_search(text, variant) && !std::regex_search(text, program);
          EXPECT_FALSE(known) << entry.path() << ":" << number << ": " << text;
        },
        true);
  }
}

}  // namespace
}  // namespace sdft
