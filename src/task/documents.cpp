#include "task/documents.h"

#include "base/comma_separated.h"
#include "base/error.h"
#include "data/record.h"
#include "data/record_file.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kEndings[] = {".jsonl", ".json", ".csv", ".tsv", ".jsonl.gz", ".jsonl.zst", ".parquet"};

std::vector<fs::path> candidates(const Task& task, const std::string& split, const fs::path& data_dir) {
  const DataSource& data = task.data;
  std::vector<fs::path> paths;
  if (const auto file = data.files.find(split); file != data.files.end()) {
    paths.push_back(file->second);
    if (fs::path(file->second).is_relative()) {
      paths.push_back(task.file.parent_path() / file->second);
      paths.push_back(data_dir / file->second);
    }
    return paths;
  }
  if (fs::path(data.path).has_extension()) {
    paths.push_back(data.path);
    paths.push_back(task.file.parent_path() / data.path);
    paths.push_back(data_dir / data.path);
  }
  std::vector<fs::path> folders = {data_dir / data.path};
  if (data.path.find('/') != std::string::npos) folders.push_back(data_dir / fs::path(data.path).filename());
  for (const fs::path& folder : folders)
    for (const char* ending : kEndings) {
      if (!data.name.empty()) {
        paths.push_back(folder / data.name / (split + ending));
        paths.push_back(folder / (data.name + "-" + split + ending));
      }
      paths.push_back(folder / (split + ending));
    }
  return paths;
}

fs::path find_file(const Task& task, const std::string& split, const fs::path& data_dir) {
  std::string looked;
  for (const fs::path& path : candidates(task, split, data_dir)) {
    std::error_code none;
    if (fs::is_regular_file(path, none)) return path;
    looked += "\n  " + path.string();
  }
  fail_input(task.file.string(),
             "the split '" + split + "' of dataset '" + task.data.path + "'" +
                 (task.data.name.empty() ? "" : " (" + task.data.name + ")") + " is not there; looked for" +
                 looked + "\n",
             "save it as one of these, a JSON object a line; --data_dir names another folder");
}
}  // namespace

std::vector<Document> read_documents(const Task& task, const std::string& split, const fs::path& data_dir) {
  const fs::path path = find_file(task, split, data_dir);
  const RecordFile file = read_record_file(path);
  std::vector<Document> documents;
  for (const RecordText& record : file.texts.records) {
    Document document{record.where, {}};
    try {
      document.fields = record.read();
    } catch (const BadRecord& bad) {
      fail_input(record.where, bad.what());
    }
    if (!document.fields.is_object())
      fail_input(record.where, "expected an object, found " + describe(document.fields));
    if (task.process_docs) try {
        document.fields = task.process_docs->of(std::move(document.fields));
      } catch (const Error& error) {
        fail_input(record.where, error.what());
      }
    documents.push_back(std::move(document));
  }
  if (documents.empty()) fail_input(path.string(), "holds no documents");
  return documents;
}

}  // namespace sdft
