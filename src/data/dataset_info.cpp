// LLaMA-Factory's dataset_info.json: which file a dataset's name stands for, and how its columns are called.
#include "base/error.h"
#include "data/dataset.h"

namespace sdft {
namespace {

// info[section][key] into `target`, unless the caller has named it.
void take_name(const Json& info, const char* section, const char* key, const std::string& where,
               std::string& target) {
  Json names = value_or<Json>(info, section, Json::object(), where);
  if (!names.is_object()) fail_field(info, section, where);
  std::string name = value_or<std::string>(names, key, "", where + ": '" + section + "'");
  if (target.empty()) target = name;
}

void take_columns(const Json& info, const std::string& where, Columns& columns) {
  const std::string formatting = value_or<std::string>(info, "formatting", "alpaca", where);
  if (formatting != "alpaca" && formatting != "sharegpt" && formatting != "openai")
    fail_input(where + ": field 'formatting'", "unknown formatting '" + formatting + "'",
               "known are alpaca, sharegpt and openai");
  if (value_or<bool>(info, "ranking", false, where) && columns.response.empty())
    fail_input(where, "is a preference dataset (ranking: true), which has two answers a record",
               "name the column of the one to use as the response");
  const std::pair<const char*, std::string*> column_names[] = {{"id", &columns.id},
                                                               {"prompt", &columns.prompt},
                                                               {"query", &columns.query},
                                                               {"response", &columns.response},
                                                               {"system", &columns.system},
                                                               {"history", &columns.history},
                                                               {"messages", &columns.messages}};
  for (const auto& [key, target] : column_names) take_name(info, "columns", key, where, *target);
  MessageTags& tags = columns.tags;
  const std::pair<const char*, std::string*> tag_names[] = {
      {"role_tag", &tags.role},        {"content_tag", &tags.content},
      {"user_tag", &tags.user},        {"assistant_tag", &tags.assistant},
      {"system_tag", &tags.system},    {"observation_tag", &tags.observation},
      {"function_tag", &tags.function}};
  for (const auto& [key, target] : tag_names) take_name(info, "tags", key, where, *target);
  if (formatting != "alpaca" && columns.messages.empty() && columns.prompt.empty())
    columns.messages = formatting == "openai" ? "messages" : "conversations";
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
  if (!info.contains("file_name"))
    fail_input(where, "names no local file", "download the dataset and give its place as file_name");
  DatasetOptions named = options;
  take_columns(info, where, named.columns);
  if (named.limit == 0) named.limit = value_or<size_t>(info, "num_samples", 0, where);
  Dataset dataset = read_dataset(dir / require<std::string>(info, "file_name", where), named);
  dataset.name = name;
  return dataset;
}

}  // namespace sdft
