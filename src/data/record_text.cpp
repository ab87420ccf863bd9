#include "data/record_text.h"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "data/csv.h"
#include "data/record.h"

namespace sdft {
namespace {

// Walks JSON text outside its strings. `use` gets each structural character and its place; for a string the
// quote that closes it. False ends the walk.
template <typename Use>
void walk(std::string_view json, const Use& use) {
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if ((i & 0xfffff) == 0) stop_if_interrupted();
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
      if (in_string) continue;
    } else if (c == '"') {
      in_string = true;
      continue;
    }
    if (!use(c, i)) return;
  }
}

// A key that an object of valid JSON holds twice, or "": readers disagree on which value counts.
std::string doubled_key(std::string_view json) {
  std::vector<std::unordered_set<std::string_view>> keys;  // of the open objects and (empty) arrays
  std::string doubled;
  size_t closed = 0;  // where the last string ended
  walk(json, [&](char c, size_t at) {
    if (c == '{' || c == '[') keys.emplace_back();
    if ((c == '}' || c == ']') && !keys.empty()) keys.pop_back();
    if (c == '"') closed = at;
    if (c != ':' || keys.empty()) return true;
    size_t open = closed;  // back to the quote that opened the key
    do {
      open = json.rfind('"', open - 1);
    } while (open > 0 && [&] {
      size_t slashes = 0;
      while (slashes < open && json[open - 1 - slashes] == '\\') ++slashes;
      return slashes % 2 == 1;
    }());
    const std::string_view key = json.substr(open + 1, closed - open - 1);
    if (!keys.back().insert(key).second) doubled = std::string(key);
    return doubled.empty();
  });
  return doubled;
}

// Python writes these where JSON has no number.
std::string python_number(std::string_view json) {
  std::string found;
  walk(json, [&](char c, size_t at) {
    for (const char* word : {"NaN", "Infinity"})
      if (c == word[0] && json.compare(at, std::string_view(word).size(), word) == 0) found = word;
    return found.empty();
  });
  return found;
}

// The JSON of one record; its fault is told by the column, the caller knows the line.
Json parse_record(std::string_view text) {
  try {
    Json record = parse_json(text, "");
    if (const std::string key = doubled_key(text); !key.empty())
      throw BadRecord("has the key '" + key + "' twice in one object");
    return record;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInput) throw;
    if (const std::string word = python_number(text); !word.empty())
      throw BadRecord("holds " + word + ", which is not JSON: write null or leave the field out");
    std::string what = error.what();  // ":LINE:COLUMN: not valid JSON: ..." or ": WHAT"
    constexpr std::string_view kPlace = ":1:";
    if (what.compare(0, kPlace.size(), kPlace) == 0) throw BadRecord("column " + what.substr(kPlace.size()));
    if (what[0] == ':' && std::isdigit(static_cast<unsigned char>(what[1])))
      throw BadRecord("line " + what.substr(1));
    throw BadRecord(what.substr(what.find_first_not_of(": ")));
  }
}

void add_lines(std::string_view text, const std::string& path, RecordTexts* found) {
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (number % 1024 == 0) stop_if_interrupted();
    found->records.push_back({path + ":" + std::to_string(number), [line] { return parse_record(line); }});
  }
}

bool is_json(std::string_view text) { return Json::accept(text); }

// The elements of an array's text, each still to be parsed; none where its brackets do not match.
std::vector<std::string_view> elements_of(std::string_view array) {
  std::vector<std::string_view> elements;
  size_t depth = 0, begin = 1, end = 0;
  walk(array, [&](char c, size_t at) {
    const bool last = depth == 1 && c == ']';
    if (last || (depth == 1 && c == ',')) {
      elements.push_back(array.substr(begin, at - begin));
      begin = at + 1;
    }
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (last) end = at;
    return depth > 0;
  });
  if (end == 0 || array.find_first_not_of(" \t\r\n", end + 1) != std::string_view::npos) return {};
  return elements;
}

// Each element is read on its own, so that one that is no JSON does not spoil the others.
void add_elements(std::string_view text, const std::string& path, RecordTexts* found) {
  const std::string_view array = text.substr(text.find_first_not_of(" \t\r\n"));
  const std::vector<std::string_view> elements =
      array[0] == '[' ? elements_of(array) : std::vector<std::string_view>();
  if (std::none_of(elements.begin(), elements.end(), is_json)) {
    if (const std::string word = python_number(text); !word.empty())
      fail_input(path, "holds " + word + ", which is not JSON", "write null, or leave the field out");
    const Json whole = parse_json(text, path);
    if (whole.is_array() && whole.empty()) return;
    fail_input(path, "expected an array of records or one object a line, found " + describe(whole));
  }
  for (const std::string_view element : elements)
    found->records.push_back({path + ": record " + std::to_string(found->records.size()),
                              [element] { return parse_record(element); }});
}

// The names of a table's columns. One without a name is pandas' index where it is the first, else a comma too
// many: its cells must be empty.
using Header = std::vector<std::string>;

Json row_record(const Header& header, const CsvRow& row) {
  auto wrong_count = [&] {
    return BadRecord("expected " + std::to_string(header.size()) + " cells, as in the header row, found " +
                     std::to_string(row.cells.size()));
  };
  Json record = Json::object();
  auto& object = record.get_ref<Json::object_t&>();  // operator[] would search all keys
  for (size_t i = header[0].empty() ? 1 : 0; i < std::max(header.size(), row.cells.size()); ++i) {
    const bool named = i < header.size() && !header[i].empty(), there = i < row.cells.size();
    if (named && !there) throw wrong_count();
    if (named) {
      object.emplace_back(header[i], row.cells[i]);
    } else if (there && !row.cells[i].empty()) {
      if (i >= header.size()) throw wrong_count();
      throw BadRecord("column " + std::to_string(i + 1) + " has no name, and holds '" +
                      row.cells[i].substr(0, 60) + "'");
    }
  }
  return record;
}

Header read_header(Header header, const std::string& where, std::vector<std::string>* notes) {
  std::unordered_set<std::string> known;
  for (const std::string& name : header)
    if (!name.empty() && !known.insert(name).second)
      fail_input(where, "two columns are called '" + name + "'");
  if (known.empty()) fail_input(where, "no column has a name");
  if (header[0].empty())
    notes->push_back(where + ": the first column has no name and is left out (pandas' index)");
  return header;
}

// The delimiter that the header row has; "sep=;" before it is how spreadsheets say so.
struct Delimiter {
  char character;
  bool said;
};

Delimiter delimiter_of(std::string_view text, char expected) {
  std::string_view header = text.substr(0, text.find_first_of("\r\n"));
  if (header.substr(0, 3) == "\xef\xbb\xbf") header.remove_prefix(3);
  if (header.size() == 5 && header.substr(0, 4) == "sep=") return {header[4], true};
  for (const char delimiter : {expected, ',', ';', '\t'})
    if (header.find(delimiter) != std::string_view::npos) return {delimiter, false};
  return {expected, false};
}

}  // namespace

Json object_of(std::vector<std::pair<std::string, Json>>&& pairs) {
  Json made = Json::object();
  auto& object = made.get_ref<Json::object_t&>();  // operator[] would search all keys
  std::unordered_map<std::string, size_t> places;
  for (auto& [name, value] : pairs) {
    const auto [known, fresh] = places.emplace(name, object.size());
    if (fresh)
      object.emplace_back(std::move(name), std::move(value));
    else
      (object.begin() + static_cast<std::ptrdiff_t>(known->second))->second = std::move(value);
  }
  return made;
}

// Told by the first line, because both go by .json and .jsonl.
RecordTexts json_records(std::string_view text, const std::string& path, bool lines_expected) {
  RecordTexts found;
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return found;
  const std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
  const bool lines = lines_expected ? text[begin] != '[' : text[begin] == '{' && is_json(line);
  (lines ? add_lines : add_elements)(text, path, &found);
  return found;
}

RecordTexts table_records(std::string_view text, const std::string& path, char delimiter) {
  RecordTexts found;
  std::shared_ptr<const Header> header;
  Delimiter used = delimiter_of(text, delimiter);
  for_each_csv_row(
      text, path,
      [&](CsvRow&& row) {
        const std::string where = path + ":" + std::to_string(row.line);
        if (used.said) {
          used.said = false;
          return true;
        }
        if (!header) {
          header = std::make_shared<Header>(read_header(std::move(row.cells), where, &found.notes));
          return true;
        }
        auto kept = std::make_shared<CsvRow>(std::move(row));
        found.records.push_back({where, [header, kept] { return row_record(*header, *kept); }});
        return true;
      },
      used.character);
  return found;
}

}  // namespace sdft
