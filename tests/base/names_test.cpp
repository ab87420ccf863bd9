// One definition for each name: two types called the same in one namespace compile and link, and then the
// linker keeps one of their std::vectors for both. Found by reading the sources, because building everything
// with -flto -Wodr, which finds it too, takes too long for every run.
#include <cctype>
#include <map>
#include <set>

#include "base/file.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;

// Words and punctuation; comments, preprocessor lines, texts and characters are left out.
std::vector<std::string> tokens_of(const std::string& text) {
  std::vector<std::string> tokens;
  auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    if (text.compare(at, 2, "//") == 0 || text[at] == '#') {
      end = text.find('\n', at);
      while (text[at] == '#' && end != text.npos && text[end - 1] == '\\') end = text.find('\n', end + 1);
    } else if (text.compare(at, 2, "/*") == 0) {
      end = text.find("*/", at) + 2;
    } else if (text.compare(at, 2, "R\"") == 0) {
      const size_t open = text.find('(', at);
      const std::string close = ")" + text.substr(at + 2, open - at - 2) + "\"";
      end = text.find(close, open) + close.size();
    } else if (text[at] == '"' || text[at] == '\'') {
      while (end < text.size() && text[end] != text[at]) end += text[end] == '\\' ? 2 : 1;
      ++end;
    } else if (word(text[at])) {
      const bool number = std::isdigit(static_cast<unsigned char>(text[at]));  // 1'000 is one
      while (end < text.size() && (word(text[end]) || (number && text[end] == '\''))) ++end;
      tokens.push_back(text.substr(at, end - at));
    } else if (text.compare(at, 2, "::") == 0) {
      tokens.emplace_back("::");
      end = at + 2;
    } else if (!std::isspace(static_cast<unsigned char>(text[at]))) {
      tokens.emplace_back(1, text[at]);
    }
    at = std::min(end, text.size());
  }
  return tokens;
}

// The full names of the types that a file defines and others can see.
class Definitions {
 public:
  explicit Definitions(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
    for (size_t at = 0; at < tokens_.size(); ++at) {
      const std::string& token = tokens_[at];
      if (token == "namespace") {
        at = open_namespace(at + 1);
      } else if (token == "struct" || token == "class" || token == "enum" || token == "union") {
        if (at > 0 && (tokens_[at - 1] == "<" || tokens_[at - 1] == ",")) continue;  // template parameters
        at = open_type(at);
      } else if (token == "{") {
        scopes_.push_back({"", true});  // a function's body, or a value's
      } else if (token == "}" && !scopes_.empty()) {
        scopes_.pop_back();
      }
    }
  }
  std::set<std::string> names;
  size_t left_open() const { return scopes_.size(); }

 private:
  struct Scope {
    std::string name;
    bool hidden;
  };

  size_t open_namespace(size_t at) {
    std::string name;
    const bool alias = at + 1 < tokens_.size() && tokens_[at + 1] == "=";
    while (at < tokens_.size() && tokens_[at] != "{" && tokens_[at] != ";") name += tokens_[at++];
    if (!alias && at < tokens_.size() && tokens_[at] == "{") scopes_.push_back({name, name.empty()});
    return at;
  }

  // Up to the opening brace of a definition; of anything else, just past the word `struct`.
  size_t open_type(size_t begin) {
    size_t at = begin + 1;
    while (at < tokens_.size() && (tokens_[at] == "class" || tokens_[at] == "struct")) ++at;
    std::string name;
    while (at < tokens_.size() && (tokens_[at] == "::" || is_word(tokens_[at])) && tokens_[at] != "final")
      name += tokens_[at++];
    if (at < tokens_.size() && tokens_[at] == "<") return begin;  // a specialisation
    if (at < tokens_.size() && tokens_[at] == "final") ++at;
    if (at < tokens_.size() && tokens_[at] == ":")
      while (at < tokens_.size() && tokens_[at] != "{" && tokens_[at] != ";") ++at;
    if (at >= tokens_.size() || tokens_[at] != "{") return begin;
    std::string full;
    bool hidden = name.empty();
    for (const Scope& scope : scopes_) {
      full += scope.name + "::";
      hidden = hidden || scope.hidden;
    }
    if (!hidden) names.insert(full + name);
    scopes_.push_back({name, hidden});
    return at;
  }

  static bool is_word(const std::string& token) {
    return std::isalnum(static_cast<unsigned char>(token[0])) || token[0] == '_';
  }

  std::vector<std::string> tokens_;
  std::vector<Scope> scopes_;
};

// name → the files that define it.
std::map<std::string, std::set<std::string>> definitions_under(const std::vector<fs::path>& roots) {
  std::map<std::string, std::set<std::string>> found;
  for (const fs::path& root : roots)
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
      const Definitions file(tokens_of(read_text(entry.path())));
      EXPECT_EQ(file.left_open(), 0u) << entry.path() << ": not read to its end";
      for (const std::string& name : file.names) found[name].insert(entry.path().string());
    }
  return found;
}

TEST(Names, EachTypeIsDefinedInOneFile) {
  const fs::path root = SDFT_SOURCE_DIR;
  const auto found = definitions_under({root / "src", root / "include"});
  EXPECT_TRUE(found.count("sdft::api::Answer") && found.count("sdft::Example") &&
              found.count("sdft::jinja::Value"))
      << "the sources were not read";
  EXPECT_GT(found.size(), 150u);
  for (const auto& [name, files] : found)
    if (files.size() > 1) {
      std::string list;
      for (const std::string& file : files) list += "\n  " + file;
      ADD_FAILURE() << name << " is defined in several files: rename one, or put it into an unnamed namespace"
                    << list;
    }
}

TEST(Names, WhatCountsAsTheSame) {
  const sdft::testing::ScratchDir dir;
  write_file_atomic(dir / "a.h",
                    "namespace sdft {\nstruct Twin { int a; };\nstruct Own;\nclass Outer { struct In {}; };\n"
                    "enum class E : int { kA };\ntemplate <class T> struct Box { T t; };\n}\n");
  write_file_atomic(
      dir / "b.cpp",
      "namespace sdft {\n// struct Outer {\nconst char* s = \"struct Outer {\"; char c = U'{';\n"
      "namespace { struct E { int x = 1'000; }; }\nvoid f() { struct Box {}; }\n"
      "class Twin final : Own {};\nstruct In {};\nnamespace x { struct Twin {}; }\n"
      "auto r = R\"x(})\" { )x\";\n}\n");
  std::set<std::string> twice;
  for (const auto& [name, files] : definitions_under({dir.path()}))
    if (files.size() > 1) twice.insert(name);
  EXPECT_EQ(twice, std::set<std::string>{"sdft::Twin"});
}

}  // namespace
}  // namespace sdft
