// Which files of a folder are which split: as a hub's README.md says (`configs`), or by their names, as
// Hugging Face's datasets does. https://huggingface.co/docs/hub/datasets-manual-configuration
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft {

struct DataFiles {
  std::map<std::string, std::vector<std::filesystem::path>> splits;  // in order
  std::vector<std::string> notes;                                    // files that are of none
};

struct DataConfig {
  std::string name;
  bool is_default = false;
  Json entry;  // of `configs`
};

// Those of README.md's head; none where there is no such file, or no `configs` with data_files in it.
std::vector<DataConfig> readme_configs(const std::filesystem::path& folder);
// The one that the first of `parts` names, which is then taken out, or the one that is meant without a name.
const DataConfig& chosen_config(const std::vector<DataConfig>& configs, std::vector<std::string>* parts,
                                const std::string& folder);
DataFiles config_files(const std::filesystem::path& folder, const DataConfig& config);

DataFiles files_by_name(const std::filesystem::path& folder);

// Error(kInput): shards are missing, the kinds differ, or Arrow's files lie in several folders (versions).
void check_data_files(const std::vector<std::filesystem::path>& files, const std::string& folder);

// *, ** (across folders) and ? of a pattern.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace sdft
