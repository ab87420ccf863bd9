// The arrows between modules, as docs/design.md draws them: who may include whom, and where torch may appear.
#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "base/file.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;

const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"base", {}},
    {"text", {"base"}},
    {"data", {"base", "text"}},
    {"check", {"base", "text", "data"}},
    {"world", {"base", "text", "data"}},
    {"report", {"base"}},
    {"tensor", {"base"}},
    {"model", {"base", "tensor"}},
    {"infer", {"base", "text", "tensor", "model"}},
    {"train", {"base", "text", "data", "tensor", "model"}},
    {"sdft", {"base", "text", "data", "check", "model", "infer", "train"}},
    {"eval", {"base", "text", "data", "check", "infer"}},
    {"run",
     {"base", "text", "data", "check", "tensor", "model", "infer", "train", "sdft", "eval", "report",
      "world"}},
    {"cli", {"base", "text", "data", "tensor", "model", "infer", "train", "sdft", "eval", "report", "run"}},
};
const std::set<std::string> kTorchModules = {"tensor", "model", "infer", "train"};

struct Include {
  fs::path file;
  std::string from, header;
};

std::vector<Include> includes() {
  std::vector<Include> found;
  const fs::path src = fs::path(SDFT_SOURCE_DIR) / "src";
  const std::regex pattern("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  for (const auto& entry : fs::recursive_directory_iterator(src)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    const std::string module = entry.path().lexically_relative(src).begin()->string();
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

TEST(Structure, ArrowsPointOneWay) {
  for (const Include& include : includes()) {
    ASSERT_TRUE(kMayInclude.count(include.from)) << "no such module in the design: " << include.from;
    if (fs::exists(fs::path(SDFT_SOURCE_DIR) / "include" / include.header)) continue;  // the public API
    const std::string to = include.header.substr(0, include.header.find('/'));
    if (to == include.from || !kMayInclude.count(to) || include.header.find('/') == std::string::npos)
      continue;
    EXPECT_TRUE(kMayInclude.at(include.from).count(to)) << include.file << " includes " << include.header;
  }
}

TEST(Structure, TorchStaysWhereTensorsAre) {
  for (const Include& include : includes()) {
    const bool torch = include.header.rfind("ATen", 0) == 0 || include.header.rfind("torch/", 0) == 0 ||
                       include.header.rfind("c10", 0) == 0;
    if (torch) {
      EXPECT_TRUE(kTorchModules.count(include.from)) << include.file << " includes " << include.header;
    }
  }
}

TEST(Structure, ThePublicHeadersNeedNoOthers) {
  const std::regex foreign("#include ([<\"][^>\"]*/|\"(?!sdft/))");
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SDFT_SOURCE_DIR) / "include"))
    if (entry.is_regular_file()) {
      const std::string text =
          std::regex_replace(read_text(entry.path()), std::regex("\"sdft/\\w+\\.h\""), "");
      EXPECT_FALSE(std::regex_search(text, foreign)) << entry.path();
    }
}

TEST(Structure, OnlyOneFileTestsTheTorchVersion) {
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SDFT_SOURCE_DIR) / "src"))
    if (entry.is_regular_file() && entry.path().filename() != "torch_compat.h") {
      EXPECT_EQ(read_text(entry.path()).find("TORCH_VERSION_M"), std::string::npos) << entry.path();
    }
}

// Variants are data: the usual names stand where the recipe's short form is defined and nowhere else, but for
// the program's own name (its version in files, its app, its folder).
TEST(Structure, NoCodeKnowsAVariantByName) {
  const std::regex variant("\"(vanilla|sdft)\""), program("ersion|VERSION|\"share\"|stderr_color|CLI::App");
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SDFT_SOURCE_DIR) / "src")) {
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

TEST(Structure, NoCycleInTheList) {
  // Removing modules without arrows again and again must empty the list.
  auto left = kMayInclude;
  while (!left.empty()) {
    auto free = std::find_if(left.begin(), left.end(), [](const auto& m) { return m.second.empty(); });
    ASSERT_NE(free, left.end()) << "cycle";
    const std::string name = free->first;
    left.erase(free);
    for (auto& module : left) module.second.erase(name);
  }
}

}  // namespace
}  // namespace sdft
