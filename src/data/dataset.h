// Task datasets: JSON arrays, JSONL, CSV, TSV, Parquet, Arrow; columns by name or from a LLaMA-Factory
// dataset_info.json.
//
// A record is either flat (prompt, query, response, system, history: a list of [query, response] pairs) or a
// conversation (a list of messages, {"role", "content"} or {"from", "value"}; the last assistant message is
// the response, the exchanges before it are the history), or TRL's: `prompt` is a list of messages,
// `completion` a list of them or a text. In CSV the cells of history, messages and tools hold JSON.
//
// Tools: OpenAI's form (tool_calls, role tool) or ShareGPT's (function_call and observation turns); contents
// may be lists of text parts. An assistant's message with weight 0 (also loss_weight, loss or train false,
// mask true) is context, not learned.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/example.h"

namespace sdft {

// How a conversation spells its messages, where that is not role/content or from/value with the usual role
// names.
struct MessageTags {
  std::string role, content;            // keys of a message
  std::string user, assistant, system;  // values of the role
  std::string observation, function;    // a tool's result (user side), a tool call (assistant side)
};

// Which column holds what. A named column must be there in every record. Where a name is empty, these are
// tried in turn: messages|conversations|conversation; instruction|question|prompt|goal; input|context;
// output|answer|response|target|completion; id; system; history; tools|functions.
struct Columns {
  std::string id, prompt, query, response, system, history, messages, tools;
  std::string weight;   // a number, 0 or more: Example::weight; "weight" where it is there
  std::string kto_tag;  // false in it: an answer that must not be learned
  MessageTags tags;
};

// A part of the records, as in "train[10%:20%]": from `begin` up to before `end`, counted from the end of the
// file where negative, in percent of the records where `percent` (rounded to the nearest record).
struct Slice {
  int64_t begin = 0;
  std::optional<int64_t> end;
  bool begin_percent = false, end_percent = false;
};
// "train", "train[:100]", "train[10%:20%]+train[-5:]"; name: "train". Throws Error(kInput) naming `where`,
// also where the parts are of several splits.
std::vector<Slice> parse_split(const std::string& split, const std::string& where, std::string* name);
// The places of the records that the slices take, in their order; all where there are none.
std::vector<size_t> positions_of(const std::vector<Slice>& slices, size_t count);

struct DatasetOptions {
  Columns columns;
  std::vector<Slice> slices;
  bool response_required = true;  // false for prompts to generate from
  bool weights = false;           // read the examples' weights
  size_t limit = 0;               // first so many examples; 0: all
  // What to do with a bad record (broken line, missing field, wrong type, empty answer, duplicate id): by
  // default all problems of the file (the first 20) are reported in one Error(kInput); true: skipped, and
  // listed in Dataset::skipped.
  bool skip_bad = false;
};

struct SkippedRecord {
  std::string where;   // "train.jsonl:12", "train.json: record 12" (from 0)
  std::string reason;  // "empty answer", "duplicate id 'x'", ...
};

struct Dataset {
  std::string name;
  std::filesystem::path path;
  std::string sha256;              // of the file
  std::vector<std::string> parts;  // the names of the datasets that it is joined of; empty: one (selection.h)
  std::vector<Example> examples;
  std::vector<SkippedRecord> skipped;
  std::vector<std::string> notes;  // what was left out without harm: "column 1 has no name (pandas' index)"
};

// Says on stderr what reading skipped (each record up to 20, and how many) and left out: once, where a
// command opens a dataset.
void tell_skipped(const Dataset& dataset);

// The kind is told by the ending (record_file.h); a folder can be a dataset, too (record_folder.h); a .json
// file may also hold one object a line. Throws Error(kInput): no such file, unknown kind, no examples, every
// bad record with its place.
Dataset read_dataset(const std::filesystem::path& path, const DatasetOptions& options = {});
// The dataset `name` of dir/dataset_info.json: its file, columns, tags and num_samples; names in
// options.columns win.
Dataset read_dataset_by_name(const std::filesystem::path& dir, const std::string& name,
                             const DatasetOptions& options = {});

// Records that read back as the same examples, a line each.
void write_examples(const std::vector<const Example*>& examples, const std::filesystem::path& path);

}  // namespace sdft
