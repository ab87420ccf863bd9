#include "data/record_folder.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/data_files.h"
#include "data/record_file.h"

namespace sdft {
namespace fs = std::filesystem;
namespace {

using Words = std::vector<std::string>;

bool is_folder(const fs::path& path) {
  std::error_code none;
  return fs::is_directory(path, none);
}
bool is_there(const fs::path& path) {
  std::error_code none;
  return fs::exists(path, none);
}

std::string listed(const Words& words) {
  constexpr size_t kMost = 20;
  std::string text;
  for (size_t i = 0; i < std::min(words.size(), kMost); ++i) text += (i ? ", " : "") + words[i];
  return words.size() > kMost ? text + " and " + std::to_string(words.size() - kMost) + " more" : text;
}

// The folder, and what of the path lies behind it (a configuration, a split).
struct FolderPath {
  fs::path folder;
  Words parts;
};
FolderPath folder_of(const fs::path& path) {
  constexpr size_t kMostParts = 2;
  FolderPath found{path.has_filename() ? path : path.parent_path(), {}};
  while (!is_folder(found.folder) && found.parts.size() < kMostParts && found.folder.has_parent_path() &&
         found.folder.has_filename()) {
    found.parts.insert(found.parts.begin(), found.folder.filename().string());
    found.folder = found.folder.parent_path();
  }
  return found;
}

fs::path snapshot_of(const fs::path& folder) {
  const fs::path snapshots = folder / "snapshots", main = folder / "refs" / "main";
  if (is_there(main)) {
    std::string name = read_text(main);
    name.erase(name.find_last_not_of(" \r\n") + 1);
    if (!name.empty() && name.find('/') == std::string::npos && is_folder(snapshots / name))
      return snapshots / name;
  }
  Words names;
  for (const auto& entry : fs::directory_iterator(snapshots))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  if (names.empty()) fail_input(folder.string(), "has no snapshot", "download the dataset again");
  if (names.size() > 1)
    fail_input(folder.string(), "has several snapshots (" + listed(names) + ")",
               "give one of them: " + (snapshots / names[0]).string());
  return snapshots / names[0];
}

// The name that a person gave it: snapshots' names are hashes.
std::string name_of(const fs::path& folder) {
  constexpr std::string_view kCache = "datasets--";
  fs::path named = fs::absolute(folder).lexically_normal();
  if (!named.has_filename()) named = named.parent_path();
  if (named.parent_path().filename() == "snapshots") named = named.parent_path().parent_path();
  const std::string name = named.filename().string();
  return name.rfind(kCache, 0) == 0 ? name.substr(kCache.size()) : name;
}

// `wanted` of `names`; where it is empty "train" or the only one.
std::string chosen_split(const Words& names, const std::string& wanted, const std::string& folder) {
  std::string split = !wanted.empty() ? wanted : names.size() == 1 ? names[0] : "train";
  if (std::find(names.begin(), names.end(), split) != names.end()) return split;
  if (wanted.empty())
    fail_input(folder, "has several splits (" + listed(names) + ") and none is called train",
               "give one of them: " + (fs::path(folder) / names[0]).string());
  const std::string near = nearest(wanted, names);
  fail_input(folder, "has no split '" + wanted + "' (there are: " + listed(names) + ")",
             near.empty() ? "" : "did you mean " + (fs::path(folder) / near).string() + "?");
}

// What datasets' save_to_disk has written of one split.
std::vector<fs::path> saved_files(const fs::path& folder) {
  const fs::path state_path = folder / "state.json";
  const Json state = read_json(state_path);
  if (!state.is_object()) fail_input(state_path.string(), "expected an object, found " + describe(state));
  for (const char* key : {"_indices_data_files", "_indices_files"})
    if (state.contains(key) && state[key].is_array() && !state[key].empty())
      fail_input(state_path.string(),
                 std::string("has ") + key + ", an order beside the records, which is not read",
                 "save it again with a newer datasets, or flatten_indices() first");
  std::vector<fs::path> files;
  const auto named = require<Json>(state, "_data_files", state_path.string());
  for (const Json& file : named) {
    const auto name = require<std::string>(file, "filename", state_path.string() + ": '_data_files'");
    if (name.find('/') != std::string::npos)
      fail_input(state_path.string(), "names the file '" + name + "' in another folder");
    files.push_back(folder / name);
  }
  if (files.empty()) fail_input(folder.string(), "is a dataset without files");
  return files;
}

std::vector<fs::path> files_of_split(const DataFiles& data, const std::string& wanted,
                                     const std::string& folder) {
  Words names;
  for (const auto& [name, files] : data.splits) names.push_back(name);
  const std::string split = chosen_split(names, wanted, folder);
  std::vector<fs::path> files = data.splits.at(split);
  check_data_files(files, folder);
  return files;
}

}  // namespace

bool may_be_record_folder(const fs::path& path) {
  if (std::error_code none; fs::exists(path, none)) return is_folder(path);
  if (has_record_ending(path)) return false;  // a file that is missing
  const auto [folder, parts] = folder_of(path);
  if (!is_folder(folder) || folder == folder.root_path()) return false;
  return parts.size() == 1 || is_there(folder / "README.md") || is_there(folder / "snapshots");
}

bool names_records(const fs::path& path) {
  if (!may_be_record_folder(path)) return false;
  const fs::path folder = folder_of(path).folder;
  for (const char* other : {"config.json", "adapter_config.json", "recipe.yaml"})
    if (is_there(folder / other)) return false;
  return is_there(folder / "dataset_dict.json") || !files_by_name(folder).splits.empty();
}

RecordFolder find_record_folder(const fs::path& path) {
  auto [folder, parts] = folder_of(path);
  if (!is_folder(folder)) fail_input(path.string(), "no such file or folder");
  const std::string name = name_of(folder), shown = folder.string();
  const std::string split = parts.empty() ? "" : parts.back();
  if (is_there(folder / "dataset_dict.json")) {
    const fs::path dict = folder / "dataset_dict.json";
    if (parts.size() > 1)
      fail_input(path.string(), "no such folder", "a split is given as " + shown + "/SPLIT");
    const auto names = require<Words>(read_json(dict), "splits", dict.string());
    if (names.empty()) fail_input(shown, "is a dataset without splits");
    return {name, saved_files(folder / chosen_split(names, split, shown)), {}};
  }
  if (is_there(folder / "state.json") && is_there(folder / "dataset_info.json")) {
    if (!parts.empty()) fail_input(path.string(), "no such split: " + shown + " is one, without others");
    return {name, saved_files(folder), {}};
  }
  if (is_folder(folder / "snapshots") && is_folder(folder / "refs")) folder = snapshot_of(folder);
  if (const std::vector<DataConfig> configs = readme_configs(folder); !configs.empty()) {
    const DataConfig& config = chosen_config(configs, &parts, shown);
    if (parts.size() > 1) fail_input(path.string(), "no such configuration: '" + parts[0] + "'");
    const DataFiles data = config_files(folder, config);
    return {name, files_of_split(data, parts.empty() ? "" : parts[0], shown), data.notes};
  }
  if (parts.size() > 1) fail_input(path.string(), "no such file or folder");
  const DataFiles data = files_by_name(folder);
  if (data.splits.empty())
    fail_input(path.string(), parts.empty() ? "holds no dataset's files" : "no such file or folder",
               "files of records end in " + record_endings());
  return {name, files_of_split(data, split, shown), data.notes};
}

}  // namespace sdft
