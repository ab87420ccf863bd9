#include "data/dataset.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/work.h"
#include "data/csv.h"
#include "data/record.h"

namespace sdft {
namespace fs = std::filesystem;
namespace {

constexpr size_t kShownProblems = 20;

// Gathers examples and problems, whatever kind of file the records come from.
class Collector {
 public:
  Collector(const fs::path& path, const DatasetOptions& options) : options_(options) {
    dataset_.name = path.stem().string();
    dataset_.path = path;
    dataset_.sha256 = sha256_file(path);
  }

  // Does one record; what `read` throws is noted with `where`. False: no more records are wanted.
  bool record(const std::string& where, const std::function<Json()>& read) {
    size_t position = count_++;
    try {
      Example example = example_from_record(read(), options_);
      if (example.id.empty()) example.id = std::to_string(position);
      auto [first, fresh] = places_.emplace(example.id, where);
      if (!fresh) throw BadRecord("duplicate id '" + example.id + "' (first at " + first->second + ")");
      dataset_.examples.push_back(std::move(example));
    } catch (const BadRecord& bad) {
      dataset_.skipped.push_back({position, where, bad.what()});
    }
    return options_.limit == 0 || dataset_.examples.size() < options_.limit;
  }

  Dataset finish() {
    const std::string path = dataset_.path.string();
    if (count_ == 0) fail_input(path, "holds no examples");
    if (!dataset_.skipped.empty() && !options_.skip_bad) fail_bad(path);
    if (dataset_.examples.empty())
      fail_input(path, "none of its " + std::to_string(count_) +
                           " records can be used; the first: " + dataset_.skipped.front().reason);
    const Columns& columns = options_.columns;
    for (const std::string* name : {&columns.query, &columns.system, &columns.history}) {
      auto has = [&](const Example& example) { return example.fields.contains(*name); };
      if (!name->empty() && std::none_of(dataset_.examples.begin(), dataset_.examples.end(), has))
        fail_input(path, "no record has the field '" + *name + "'", "see the names given for its columns");
    }
    return std::move(dataset_);
  }

 private:
  [[noreturn]] void fail_bad(const std::string& path) const {
    const auto& bad = dataset_.skipped;
    const std::string hint = "mend the file, name its columns, or leave bad records out with skip_bad";
    if (bad.size() == 1) fail_input(bad[0].where, bad[0].reason, hint);
    std::string list = std::to_string(bad.size()) + " of " + std::to_string(count_) + " records are bad";
    for (size_t i = 0; i < std::min(bad.size(), kShownProblems); ++i)
      list += "\n  " + bad[i].where + ": " + bad[i].reason;
    if (bad.size() > kShownProblems)
      list += "\n  and " + std::to_string(bad.size() - kShownProblems) + " more";
    fail_input(path, list + "\n", hint);
  }

  const DatasetOptions& options_;
  Dataset dataset_;
  size_t count_ = 0;
  std::unordered_map<std::string, std::string> places_;  // id -> where
};

// One line of JSON; its fault is told by the column, the caller knows the line.
Json parse_line(std::string_view line) {
  try {
    return parse_json(line, "");
  } catch (const Error& error) {
    std::string what = error.what();  // ":1:COLUMN: not valid JSON: ..." or ": WHAT"
    constexpr std::string_view kPlace = ":1:";
    if (what.compare(0, kPlace.size(), kPlace) == 0) throw BadRecord("column " + what.substr(kPlace.size()));
    throw BadRecord(what.substr(what.find_first_not_of(": ")));
  }
}

void read_json_lines(std::string_view text, const std::string& path, Collector& collector) {
  for (size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (!collector.record(path + ":" + std::to_string(number), [&] { return parse_line(line); })) return;
  }
}

void read_json_array(std::string_view text, const std::string& path, Collector& collector) {
  Json array = parse_json(text, path);
  if (!array.is_array())
    fail_input(path, "expected an array of records or one object a line, found " + describe(array));
  size_t position = 0;
  for (Json& record : array) {
    std::string where = path + ": record " + std::to_string(position++);
    if (!collector.record(where, [&] { return std::move(record); })) return;
  }
}

// An array, or one object a line: told by the first line, because both go by .json and .jsonl.
void read_any_json(std::string_view text, const std::string& path, bool lines_expected,
                   Collector& collector) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return;
  std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
  bool lines = lines_expected ? text[begin] != '[' : text[begin] == '{' && Json::accept(line);
  (lines ? read_json_lines : read_json_array)(text, path, collector);
}

void read_csv(std::string_view text, const std::string& path, char delimiter, Collector& collector) {
  std::vector<std::string> header;
  auto use = [&](CsvRow&& row) {
    const std::string where = path + ":" + std::to_string(row.line);
    if (header.empty()) {
      header = std::move(row.cells);
      for (size_t i = 0; i < header.size(); ++i) {
        if (header[i].empty()) fail_input(where, "column " + std::to_string(i + 1) + " has no name");
        if (std::find(header.begin(), header.begin() + static_cast<long>(i), header[i]) !=
            header.begin() + static_cast<long>(i))
          fail_input(where, "two columns are called '" + header[i] + "'");
      }
      return true;
    }
    return collector.record(where, [&] {
      if (row.cells.size() != header.size())
        throw BadRecord("expected " + std::to_string(header.size()) + " cells, as in the header row, found " +
                        std::to_string(row.cells.size()));
      Json record = Json::object();
      for (size_t i = 0; i < header.size(); ++i) record[header[i]] = std::move(row.cells[i]);
      return record;
    });
  };
  for_each_csv_row(text, path, use, delimiter);
}

}  // namespace

Dataset read_dataset(const fs::path& path, const DatasetOptions& options) {
  current_work = Work::kReading;
  const std::string kind = path.extension().string();
  const bool json = kind == ".json", lines = kind == ".jsonl" || kind == ".ndjson";
  const bool table = kind == ".csv" || kind == ".tsv";
  const std::string text = read_text(path, kLargestDataset);
  if (!json && !lines && !table)
    fail_input(path.string(), "unknown kind of dataset '" + kind + "'",
               "known are .json, .jsonl, .ndjson, .csv and .tsv");
  const std::string start = text.substr(0, 2);
  if (start == "\xff\xfe" || start == "\xfe\xff")
    fail_input(path.string(), "is UTF-16, expected UTF-8", "convert the file: iconv -f utf-16 -t utf-8");
  Collector collector(path, options);
  if (table)
    read_csv(text, path.string(), kind == ".csv" ? ',' : '\t', collector);
  else
    read_any_json(text, path.string(), lines, collector);
  return collector.finish();
}

}  // namespace sdft
