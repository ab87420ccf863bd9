#include "data/data_files.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "data/record_file.h"
#include "data/yaml.h"

namespace sdft {
namespace fs = std::filesystem;
namespace {

struct SplitWord {
  const char *word, *split;
};
constexpr SplitWord kSplitWords[] = {
    {"train", "train"},      {"training", "train"}, {"test", "test"},
    {"testing", "test"},     {"eval", "test"},      {"evaluation", "test"},
    {"valid", "validation"}, {"dev", "validation"}, {"validation", "validation"},
    {"val", "validation"}};
// About a dataset, and not of it.
constexpr const char* kAbout[] = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json",
                                  "state.json",        "config.json",        "package.json"};

bool is_about(const std::string& name) {
  return name[0] == '.' || name.rfind("cache-", 0) == 0 ||  // what datasets' map() keeps
         std::find(std::begin(kAbout), std::end(kAbout), name) != std::end(kAbout);
}

// All files of records below the folder, sorted. The hub's cache has links to files.
std::vector<fs::path> record_files(const fs::path& folder) {
  constexpr int kDeepest = 6;
  constexpr size_t kMost = 100'000;
  std::vector<fs::path> files;
  size_t seen = 0;
  for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied);
       entry != fs::recursive_directory_iterator(); ++entry) {
    stop_if_interrupted();
    if (++seen > kMost)
      fail_input(folder.string(), "has more than " + std::to_string(kMost) + " files", "give a folder in it");
    const std::string name = entry->path().filename().string();
    std::error_code none;
    if (entry->is_directory(none)) {
      if (name[0] == '.' || entry.depth() >= kDeepest) entry.disable_recursion_pending();
    } else if (entry->is_regular_file(none) && !is_about(name) && has_record_ending(entry->path())) {
      files.push_back(entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string below(const fs::path& path, const fs::path& folder) {
  return path.lexically_relative(folder).generic_string();
}

// "train" of "my-train.v2"; "" where no word is a split's.
std::string split_in(const std::string& name) {
  std::string word;
  for (const char c : name + ".") {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    for (const SplitWord& row : kSplitWords)
      if (word == row.word) return row.split;
    word.clear();
  }
  return "";
}

struct Shard {
  std::string name;  // what stands in front of its number
  int number = 0, count = 0;
};
// Of "x-train-00000-of-00002.parquet"; count 0: the file is none.
Shard shard_of(const fs::path& path) {
  static const std::regex kShard("(.+)-([0-9]{1,6})-of-([0-9]{1,6})\\..*");
  std::smatch match;
  const std::string name = path.filename().string();
  constexpr size_t kLongest = 255;
  if (name.size() > kLongest || !std::regex_match(name, match, kShard)) return {};
  return {match[1], std::stoi(match[2]), std::stoi(match[3])};
}

std::string split_of(const fs::path& path, const fs::path& folder) {
  if (const Shard shard = shard_of(path); shard.count > 0) {
    const std::string last = shard.name.substr(shard.name.rfind('-') + 1);  // behind the dataset's name
    const std::string known = split_in(last);
    return known.empty() || last.find('_') != std::string::npos ? last : known;
  }
  std::string split = split_in(path.filename().string());
  for (fs::path part = path.lexically_relative(folder).parent_path(); split.empty() && !part.empty();
       part = part.parent_path())
    split = split_in(part.filename().string());
  return split;
}

std::vector<fs::path> matching(const fs::path& folder, const Json& patterns, const std::string& where) {
  std::vector<fs::path> found;
  const std::vector<fs::path> files = record_files(folder);
  for (const Json& pattern : patterns.is_array() ? patterns : Json::array({patterns})) {
    if (!pattern.is_string()) fail_input(where, "expected a pattern of files, found " + describe(pattern));
    std::string text = pattern.get<std::string>();
    if (text.rfind("./", 0) == 0) text.erase(0, 2);
    constexpr int kMostStars = 8;  // each multiplies the ways to match
    if (std::count(text.begin(), text.end(), '*') > kMostStars)
      fail_input(where, "the pattern '" + text + "' has too many *");
    const size_t before = found.size();
    for (const fs::path& file : files)
      if (matches_pattern(text, below(file, folder)) &&
          std::find(found.begin(), found.end(), file) == found.end())
        found.push_back(file);
    if (found.size() == before)
      fail_input(where, "no file is there for '" + text + "'",
                 "download all of the dataset; read are " + record_endings());
  }
  return found;
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*')
    return !text.empty() && (pattern[0] == text[0] || (pattern[0] == '?' && text[0] != '/')) &&
           matches_pattern(pattern.substr(1), text.substr(1));
  const bool folders = pattern.substr(0, 2) == "**";
  std::string_view rest = pattern.substr(folders ? 2 : 1);
  if (folders && rest.substr(0, 1) == "/" && matches_pattern(rest.substr(1), text)) return true;  // no folder
  for (size_t i = 0; i <= text.size(); ++i) {
    if (matches_pattern(rest, text.substr(i))) return true;
    if (i < text.size() && text[i] == '/' && !folders) return false;
  }
  return false;
}

std::vector<DataConfig> readme_configs(const fs::path& folder) {
  std::vector<DataConfig> configs;
  const fs::path readme = folder / "README.md";
  std::error_code none;
  if (!fs::is_regular_file(readme, none)) return configs;
  const std::string text = read_text(readme);
  const size_t end = text.find("\n---", 3);
  if (text.rfind("---", 0) != 0 || end == std::string::npos) return configs;
  const std::string where = readme.string();
  const Json head = parse_yaml_as_json(text.substr(3, end - 3), where);
  if (!head.is_object() || !head.contains("configs")) return configs;
  for (const Json& entry : head["configs"]) {
    if (!entry.is_object()) fail_input(where + ": 'configs'", "expected objects, found " + describe(entry));
    if (!entry.contains("data_files") && !entry.contains("data_dir")) continue;
    configs.push_back({value_or<std::string>(entry, "config_name", "default", where),
                       value_or<bool>(entry, "default", false, where), entry});
  }
  return configs;
}

const DataConfig& chosen_config(const std::vector<DataConfig>& configs, std::vector<std::string>* parts,
                                const std::string& folder) {
  auto find = [&](auto&& is) { return std::find_if(configs.begin(), configs.end(), is); };
  if (!parts->empty()) {
    auto named = find([&](const DataConfig& config) { return config.name == parts->front(); });
    if (named != configs.end()) {
      parts->erase(parts->begin());
      return *named;
    }
  }
  if (configs.size() == 1) return configs[0];
  auto meant = find([](const DataConfig& config) { return config.is_default; });
  if (meant == configs.end()) meant = find([](const DataConfig& config) { return config.name == "default"; });
  if (meant != configs.end()) return *meant;
  std::string names;
  for (const DataConfig& config : configs) names += (names.empty() ? "" : ", ") + config.name;
  fail_input(folder, "has several configurations (" + names + ")",
             "give one of them: " + (fs::path(folder) / configs[0].name).string());
}

DataFiles config_files(const fs::path& folder, const DataConfig& config) {
  const std::string where = (folder / "README.md").string() + ": configuration '" + config.name + "'";
  const auto dir = value_or<std::string>(config.entry, "data_dir", "", where);
  const fs::path inside = folder / dir;
  if (fs::path(dir).is_absolute() || ("/" + dir + "/").find("/../") != std::string::npos)
    fail_input(where, "its data_dir '" + dir + "' leaves the folder");
  if (!config.entry.contains("data_files")) return files_by_name(inside);
  DataFiles data;
  const Json& given = config.entry["data_files"];
  const bool by_split = given.is_array() && !given.empty() && given[0].is_object();
  if (!by_split && !given.is_object()) data.splits["train"] = matching(inside, given, where);
  if (given.is_object())
    for (const auto& [split, patterns] : given.items())
      data.splits[split] = matching(inside, patterns, where);
  if (by_split)
    for (const Json& entry : given)
      data.splits[require<std::string>(entry, "split", where)] =
          matching(inside, require<Json>(entry, "path", where), where);
  return data;
}

DataFiles files_by_name(const fs::path& folder) {
  DataFiles data;
  std::vector<fs::path> others;
  for (const fs::path& file : record_files(folder)) {
    const std::string split = split_of(file, folder);
    if (split.empty())
      others.push_back(file);
    else
      data.splits[split].push_back(file);
  }
  if (data.splits.empty() && !others.empty()) {
    data.splits["train"] = std::move(others);
    return data;
  }
  for (const fs::path& file : others)
    data.notes.push_back(file.string() + " is left out: its name says no split, as others here do");
  return data;
}

void check_data_files(const std::vector<fs::path>& files, const std::string& folder) {
  std::set<std::string> kinds, folders;
  std::map<std::string, std::pair<int, std::set<int>>> shards;
  for (const fs::path& file : files) {
    kinds.insert(record_ending(file));
    folders.insert(file.parent_path().string());
    const Shard shard = shard_of(file);
    if (shard.count == 0) continue;
    auto& [count, numbers] = shards[(file.parent_path() / shard.name).string()];
    if (count != 0 && count != shard.count)
      fail_input(folder, "has shards of different counts, as " + file.filename().string(),
                 "remove those of an older version");
    count = shard.count;
    numbers.insert(shard.number);
  }
  auto all = [](const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
  };
  if (kinds.size() > 1)
    fail_input(folder, "holds files of several kinds in one split (" + all(kinds) + ")",
               "give one of the files");
  if (*kinds.begin() == ".arrow" && folders.size() > 1)
    fail_input(folder, "holds Arrow files in several folders (" + all(folders) + ")", "give one of them");
  for (const auto& [name, shard] : shards)
    for (int i = 0; i < shard.first; ++i)
      if (shard.second.count(i) == 0)
        fail_input(folder,
                   "shard " + std::to_string(i) + " of " + std::to_string(shard.first) + " of " + name +
                       " is missing",
                   "download or copy it, too");
}

}  // namespace sdft
