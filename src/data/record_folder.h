// Folders that stand for one dataset, and which of their files are read:
//   datasets' save_to_disk       state.json says which .arrow files; dataset_dict.json: a folder a split
//   the hub's cache              datasets--ORG--NAME: the snapshot that refs/main names, else the only one
//   a hub's repository           README.md's `configs: data_files`, else by names
//   datasets' cache, any folder  by names: train-00000-of-00002.parquet, data/test.jsonl, x-validation.arrow
//
// The split is the path's last part, as though it were a folder in the dataset's: DIR/test; a configuration
// stands before it or alone: DIR/en, DIR/en/test. Without one it is train, or the only one; the configuration
// is the only one, `default`, or the one that says so.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sdft {

struct RecordFolder {
  std::string name;                          // the folder's, "ORG--NAME" in the hub's cache
  std::vector<std::filesystem::path> files;  // in the order in which their records count
  std::vector<std::string> notes;            // what else lies there and is not read
};

// Whether `path` is a folder, or could name a part of one: its parent (or that one's) is there.
bool may_be_record_folder(const std::filesystem::path& path);

// Whether it is one for certain: a folder with files of records, or a split or configuration of such a
// folder. One that is a model, an adapter or a run (config.json, adapter_config.json, recipe.yaml) is none.
bool names_records(const std::filesystem::path& path);

// Throws Error(kInput): no such folder, no datasets in it, several to choose from, a shard that is missing,
// files of several kinds. What is in the files is not looked at.
RecordFolder find_record_folder(const std::filesystem::path& path);

}  // namespace sdft
