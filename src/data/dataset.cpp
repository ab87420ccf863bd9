#include "data/dataset.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/work.h"
#include "data/record.h"
#include "data/record_file.h"

namespace sdft {
namespace fs = std::filesystem;
namespace {

constexpr size_t kShownProblems = 20;

// Gathers examples and problems, whatever kind of file the records come from.
class Collector {
 public:
  Collector(const fs::path& path, const RecordFile& file, const DatasetOptions& options) : options_(options) {
    dataset_.name = file.name;
    dataset_.path = path;
    dataset_.sha256 = file.sha256;
  }

  Dataset collect(const RecordTexts& texts) {
    if (texts.records.empty()) fail_input(dataset_.path.string(), "holds no examples");
    dataset_.notes = texts.notes;
    for (const size_t position : positions_of(options_.slices, texts.records.size())) {
      stop_if_interrupted();
      if (options_.limit > 0 && dataset_.examples.size() >= options_.limit) break;
      add(texts.records[position], position);
    }
    finish();
    return std::move(dataset_);
  }

 private:
  void add(const RecordText& text, size_t position) {
    ++count_;
    try {
      Example example = example_from_record(text.read(), options_, &unread_);
      if (example.id.empty()) example.id = std::to_string(position);
      auto [first, fresh] = places_.emplace(example.id, text.where);
      if (!fresh) throw BadRecord("duplicate id '" + example.id + "' (first at " + first->second + ")");
      example.where = text.where;
      dataset_.examples.push_back(std::move(example));
    } catch (const BadRecord& bad) {
      dataset_.skipped.push_back({text.where, bad.what()});
    }
  }

  void finish() {
    const std::string path = dataset_.path.string();
    const auto& bad = dataset_.skipped;
    if (!bad.empty() && (!options_.skip_bad || dataset_.examples.empty()))
      fail_bad_records(path, bad, count_, "mend the file, or name its columns");
    if (dataset_.examples.empty()) fail_input(path, "the split leaves no record");
    const Columns& columns = options_.columns;
    for (const std::string* name : {&columns.query, &columns.system, &columns.history}) {
      auto has = [&](const Example& example) { return example.fields.contains(*name); };
      if (!name->empty() && std::none_of(dataset_.examples.begin(), dataset_.examples.end(), has))
        fail_input(path, "no record has the field '" + *name + "'", "see the names given for its columns");
    }
    for (const std::string& key : unread_)
      dataset_.notes.push_back(path + ": '" + key + "' of messages is not read");
  }

  const DatasetOptions& options_;
  Dataset dataset_;
  size_t count_ = 0;
  std::unordered_map<std::string, std::string> places_;  // id -> where
  std::set<std::string> unread_;                         // keys of messages
};

}  // namespace

void fail_bad_records(const std::string& path, const std::vector<SkippedRecord>& bad, size_t count,
                      const std::string& advice) {
  const bool all = bad.size() == count;
  const std::string hint = advice + (all ? "" : ", or leave such records out with skip_bad");
  if (bad.size() == 1) fail_input(bad[0].where, bad[0].reason, hint);
  std::string list = all ? "none of its " + std::to_string(count) + " records can be used"
                         : std::to_string(bad.size()) + " of " + std::to_string(count) + " records are bad";
  for (size_t i = 0; i < std::min(bad.size(), kShownProblems); ++i)
    list += "\n  " + bad[i].where + ": " + bad[i].reason;
  if (bad.size() > kShownProblems) list += "\n  and " + std::to_string(bad.size() - kShownProblems) + " more";
  fail_input(path, list + "\n", hint);
}

void tell_skipped(const Dataset& dataset) {
  for (const std::string& note : dataset.notes) spdlog::warn("{}", note);
  const auto& skipped = dataset.skipped;
  for (size_t i = 0; i < std::min(skipped.size(), kShownProblems); ++i)
    spdlog::warn("skipped {}: {}", skipped[i].where, skipped[i].reason);
  if (!skipped.empty())
    spdlog::warn("{}: {} of {} records were skipped as bad, {} are used", dataset.path.string(),
                 skipped.size(), skipped.size() + dataset.examples.size(), dataset.examples.size());
}

Dataset read_dataset(const fs::path& path, const DatasetOptions& options) {
  current_work = Work::kReading;
  const RecordFile file = read_record_file(path);
  return Collector(path, file, options).collect(file.texts);
}

void write_examples(const std::vector<const Example*>& examples, const std::filesystem::path& path) {
  std::string lines;
  for (const Example* example : examples) {
    Json json = record_of(*example, example->response);
    json["id"] = example->id;
    lines += to_line(json) + "\n";
  }
  write_file_atomic(path, lines);
}

}  // namespace sdft
