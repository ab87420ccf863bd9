// LLaMA-Factory's dataset_info.json: which file a dataset's name stands for, and how its columns are called.
#include <algorithm>

#include "base/error.h"
#include "data/dataset.h"

namespace sdft {
namespace {

constexpr const char* kKnownKeys[] = {"file_name",       "file_sha1",  "formatting",  "ranking",
                                      "columns",         "tags",       "num_samples", "split",
                                      "subset",          "hf_hub_url", "ms_hub_url",  "om_hub_url",
                                      "cloud_file_name", "script_url", "folder"};
constexpr const char* kHubKeys[] = {"hf_hub_url", "ms_hub_url", "om_hub_url", "cloud_file_name",
                                    "script_url"};

struct NamedText {
  const char* key;
  std::string* target;  // null: known, and of no use here
};

// info[section] into its targets, unless the caller has named them.
void take_names(const Json& info, const std::string& section, const std::string& where,
                const std::vector<NamedText>& names) {
  const Json given = value_or<Json>(info, section, Json::object(), where);
  if (!given.is_object()) fail_field(info, section, where);
  for (const auto& [key, value] : given.items()) {
    auto known = std::find_if(names.begin(), names.end(),
                              [&, &wanted = key](const NamedText& name) { return wanted == name.key; });
    if (known == names.end()) {
      std::vector<std::string> all;
      for (const NamedText& name : names) all.emplace_back(name.key);
      const std::string near = nearest(key, all);
      fail_input(where + ": '" + section + "'", "has the unknown key '" + key + "'",
                 near.empty() ? "" : "did you mean '" + near + "'?");
    }
    const std::string name = value_or<std::string>(given, key, "", where + ": '" + section + "'");
    if (known->target && known->target->empty()) *known->target = name;
  }
}

void refuse_media(const Json& info, const std::string& where) {
  const Json columns = value_or<Json>(info, "columns", Json::object(), where);
  for (const char* media : {"images", "videos", "audios"})
    if (columns.is_object() && columns.contains(media))
      fail_input(where + ": 'columns'", std::string("names ") + media,
                 "this program trains on text only; leave the column out for the texts alone");
}

void take_columns(const Json& info, const std::string& where, Columns& columns) {
  const std::string formatting = value_or<std::string>(info, "formatting", "alpaca", where);
  if (formatting != "alpaca" && formatting != "sharegpt" && formatting != "openai")
    fail_input(where + ": field 'formatting'", "unknown formatting '" + formatting + "'",
               "known are alpaca, sharegpt and openai");
  if (value_or<bool>(info, "ranking", false, where) && columns.response.empty())
    fail_input(where, "is a preference dataset (ranking: true), which has two answers a record",
               "name the column of the one to use as the response");
  refuse_media(info, where);
  take_names(info, "columns", where,
             {{"id", &columns.id},
              {"prompt", &columns.prompt},
              {"query", &columns.query},
              {"response", &columns.response},
              {"system", &columns.system},
              {"history", &columns.history},
              {"messages", &columns.messages},
              {"tools", &columns.tools},
              {"weight", &columns.weight},
              {"kto_tag", &columns.kto_tag},
              {"chosen", nullptr},
              {"rejected", nullptr}});
  MessageTags& tags = columns.tags;
  take_names(info, "tags", where,
             {{"role_tag", &tags.role},
              {"content_tag", &tags.content},
              {"user_tag", &tags.user},
              {"assistant_tag", &tags.assistant},
              {"system_tag", &tags.system},
              {"observation_tag", &tags.observation},
              {"function_tag", &tags.function}});
  if (formatting != "alpaca" && columns.messages.empty() && columns.prompt.empty())
    columns.messages = formatting == "openai" ? "messages" : "conversations";
}

// The file's or folder's place. Error(kInput) where it is elsewhere.
std::filesystem::path file_of(const Json& info, const std::filesystem::path& dir, const std::string& where) {
  if (!info.contains("file_name")) {
    std::string hub;
    for (const char* key : kHubKeys)
      if (hub.empty() && info.contains(key)) hub = std::string(" (") + key + " " + describe(info[key]) + ")";
    fail_input(where, "names no local file" + hub, "download the dataset and give its place as file_name");
  }
  return dir / require<std::string>(info, "file_name", where);
}

void check_keys(const Json& info, const std::string& where) {
  for (const auto& item : info.items()) {
    if (std::find(std::begin(kKnownKeys), std::end(kKnownKeys), item.key()) != std::end(kKnownKeys)) continue;
    const std::string near = nearest(item.key(), kKnownKeys);
    fail_input(where, "has the unknown key '" + item.key() + "'",
               near.empty() ? "" : "did you mean '" + near + "'?");
  }
  if (info.contains("subset") && !info["subset"].is_null())
    fail_input(where,
               "subset " + describe(info["subset"]) + " names a part of a hub's dataset; a file has none",
               "give that subset's file as file_name and remove subset");
}

}  // namespace

Dataset read_dataset_by_name(const std::filesystem::path& dir, const std::string& name,
                             const DatasetOptions& options) {
  const std::filesystem::path info_path = dir / "dataset_info.json";
  const Json all = read_json(info_path);
  if (!all.is_object())
    fail_input(info_path.string(), "expected an object of datasets, found " + describe(all));
  if (!all.contains(name)) {
    std::vector<std::string> names;
    for (const auto& item : all.items()) names.push_back(item.key());
    std::string near = nearest(name, names);
    fail_input(info_path.string(), "has no dataset '" + name + "'",
               near.empty() ? std::to_string(names.size()) + " are there" : "did you mean '" + near + "'?");
  }
  const Json& info = all.at(name);
  const std::string where = info_path.string() + ": '" + name + "'";
  if (!info.is_object()) fail_input(where, "expected an object, found " + describe(info));
  std::filesystem::path file = file_of(info, dir, where);
  check_keys(info, where);
  DatasetOptions named = options;
  take_columns(info, where, named.columns);
  std::string split;
  named.slices =
      parse_split(value_or<std::string>(info, "split", "train", where), where + ": 'split'", &split);
  std::error_code none;
  const bool folder = std::filesystem::is_directory(file, none);
  if (!folder && split != "train")
    fail_input(where + ": 'split'", "names '" + split + "', but a local file is one split, train",
               "give each split's file a name of its own in dataset_info.json");
  if (folder && split != "train") file /= split;
  if (named.limit == 0) named.limit = value_or<size_t>(info, "num_samples", 0, where);
  Dataset dataset = read_dataset(file, named);
  dataset.name = name;
  return dataset;
}

}  // namespace sdft
