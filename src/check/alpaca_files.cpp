#include "check/alpaca_files.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/csv.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Calls `use` with each entry of a list and its place for messages.
void for_each_entry(const fs::path& path, const std::function<void(const Json&, const std::string&)>& use) {
  const Json list = read_json(path);
  if (!list.is_array()) fail_input(path.string(), "expected a list, found " + describe(list));
  for (size_t i = 0; i < list.size(); ++i) use(list[i], fmt::format("{}: entry {}", path.string(), i));
}

double read_preference(const Json& entry, const std::string& where) {
  if (entry.is_object() && entry.contains("preference") && entry["preference"].is_null()) return kNan;
  const auto value = require<double>(entry, "preference", where);
  if (value == 0) return 1.5;
  if (!(value >= 1 && value <= 2))
    fail_input(where, fmt::format("preference is {}, expected a number from 1 to 2, or 0", value));
  return value;
}

// A CSV file's rows by the names of its columns.
using Cells = std::map<std::string, std::string>;
void for_each_named_row(const fs::path& path,
                        const std::function<void(const Cells&, const std::string&)>& use) {
  std::vector<std::string> names;
  for_each_csv_row(read_text(path), path.string(), [&](CsvRow&& row) {
    const std::string where = fmt::format("{}:{}", path.string(), row.line);
    if (names.empty()) {
      names = std::move(row.cells);
      return true;
    }
    if (row.cells.size() != names.size())
      fail_input(where, fmt::format("has {} cells, the header has {}", row.cells.size(), names.size()));
    Cells cells;
    for (size_t i = 0; i < names.size(); ++i) cells[names[i]] = row.cells[i];
    use(cells, where);
    return true;
  });
}

const std::string& cell(const Cells& cells, const std::string& name, const std::string& where) {
  const auto found = cells.find(name);
  if (found == cells.end()) fail_input(where, "there is no column '" + name + "'");
  return found->second;
}

double number(const Cells& cells, const std::string& name, const std::string& where) {
  const std::string& text = cell(cells, name, where);
  size_t used = 0;
  double value = kNan;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || !std::isfinite(value))
    fail_input(where, "column '" + name + "' is '" + text + "', expected a number");
  return value;
}

// NaN where the column is missing or empty.
double number_or_none(const Cells& cells, const std::string& name, const std::string& where) {
  const auto found = cells.find(name);
  return found == cells.end() || found->second.empty() ? kNan : number(cells, name, where);
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string percent(double fraction) { return std::isnan(fraction) ? "" : fmt::format("{}", 100 * fraction); }

}  // namespace

std::vector<ModelOutput> read_model_outputs(const fs::path& path) {
  std::vector<ModelOutput> outputs;
  for_each_entry(path, [&](const Json& entry, const std::string& where) {
    outputs.push_back({require<std::string>(entry, "instruction", where),
                       require<std::string>(entry, "output", where),
                       value_or<std::string>(entry, "generator", "", where),
                       value_or<std::string>(entry, "dataset", "", where)});
  });
  return outputs;
}

void write_model_outputs(const fs::path& path, const std::vector<ModelOutput>& outputs) {
  Json list = Json::array();
  for (const ModelOutput& output : outputs) {
    Json entry = {
        {"instruction", output.instruction}, {"output", output.output}, {"generator", output.generator}};
    if (!output.dataset.empty()) entry["dataset"] = output.dataset;
    list.push_back(std::move(entry));
  }
  write_json(path, list);
}

std::vector<Annotation> read_annotations(const fs::path& path) {
  std::vector<Annotation> annotations;
  for_each_entry(path, [&](const Json& entry, const std::string& where) {
    Annotation annotation{require<std::string>(entry, "instruction", where),
                          require<std::string>(entry, "output_1", where),
                          require<std::string>(entry, "output_2", where)};
    annotation.generator_1 = value_or<std::string>(entry, "generator_1", "", where);
    annotation.generator_2 = value_or<std::string>(entry, "generator_2", "", where);
    annotation.annotator = value_or<std::string>(entry, "annotator", "", where);
    annotation.preference = read_preference(entry, where);
    annotation.dataset = value_or<std::string>(entry, "dataset", "", where);
    annotations.push_back(std::move(annotation));
  });
  return annotations;
}

void write_annotations(const fs::path& path, const std::vector<Annotation>& annotations) {
  Json list = Json::array();
  for (const Annotation& a : annotations) {
    Json entry = {{"instruction", a.instruction},
                  {"output_1", a.output_1},
                  {"generator_1", a.generator_1},
                  {"output_2", a.output_2},
                  {"generator_2", a.generator_2},
                  {"annotator", a.annotator},
                  {"preference", std::isnan(a.preference) ? Json() : Json(a.preference)}};
    if (!a.dataset.empty()) entry["dataset"] = a.dataset;
    list.push_back(std::move(entry));
  }
  write_json(path, list);
}

std::vector<Annotation> paired(const std::vector<ModelOutput>& baseline,
                               const std::vector<ModelOutput>& outputs, const std::string& where) {
  std::map<std::string, std::vector<size_t>> places;  // of an instruction's outputs, the last one first
  for (size_t i = outputs.size(); i-- > 0;) places[outputs[i].instruction].push_back(i);
  std::vector<Annotation> pairs;
  for (const ModelOutput& reference : baseline) {
    const auto found = places.find(reference.instruction);
    if (found == places.end()) continue;
    const ModelOutput& output = outputs[found->second.back()];
    found->second.pop_back();
    if (found->second.empty()) places.erase(found);
    pairs.push_back({reference.instruction, reference.output, output.output, reference.generator,
                     output.generator, "", kNan, reference.dataset});
  }
  if (!places.empty())
    fail_input(
        where,
        fmt::format("the baseline lacks {} of {} instructions; the first is '{}'",
                    outputs.size() - pairs.size(), outputs.size(), places.begin()->first.substr(0, 80)),
        "both files must be answers to the same instructions");
  return pairs;
}

LengthReference read_length_reference(const fs::path& path) {
  LengthReference reference;
  std::map<int64_t, double> difficulty;
  for_each_named_row(path, [&](const Cells& cells, const std::string& where) {
    const GamedJudgement gamed{number(cells, "preference", where), number(cells, "std_delta_len", where),
                               number(cells, "instruction_difficulty", where)};
    if (!(gamed.preference >= 0 && gamed.preference <= 1))
      fail_input(where, fmt::format("preference is {}, expected a number from 0 to 1", gamed.preference));
    difficulty.emplace(static_cast<int64_t>(number(cells, "index", where)), gamed.difficulty);
    reference.gamed.push_back(gamed);
  });
  if (reference.gamed.empty()) fail_input(path.string(), "has no judgements");
  for (const auto& [index, value] : difficulty) {
    if (index != static_cast<int64_t>(reference.difficulty.size()))
      fail_input(path.string(), fmt::format("has no instruction {} (index)", reference.difficulty.size()));
    reference.difficulty.push_back(value);
  }
  return reference;
}

std::vector<JudgedPair> judged_pairs(const std::vector<Annotation>& annotations,
                                     const LengthReference* reference, const std::string& where) {
  if (reference && annotations.size() > reference->difficulty.size())
    fail_input(where, fmt::format("there are {} annotations, but the difficulty of {} instructions",
                                  annotations.size(), reference->difficulty.size()));
  std::vector<JudgedPair> pairs;
  for (size_t i = 0; i < annotations.size(); ++i)
    pairs.push_back({annotations[i].preference, static_cast<int64_t>(utf8_count(annotations[i].output_1)),
                     static_cast<int64_t>(utf8_count(annotations[i].output_2)),
                     reference ? reference->difficulty[i] : 0});
  return pairs;
}

std::vector<LeaderboardRow> read_leaderboard(const fs::path& path) {
  std::vector<LeaderboardRow> rows;
  for_each_named_row(path, [&](const Cells& cells, const std::string& where) {
    const auto count = [&](const char* name) {
      const double value = number_or_none(cells, name, where);
      return value >= 0 ? static_cast<uint64_t>(value) : 0;
    };
    const auto rate = [&](const char* name) { return number_or_none(cells, name, where) / 100; };
    LeaderboardRow row;
    row.name = cell(cells, "", where);
    row.rate = {rate("win_rate"), rate("standard_error"), rate("discrete_win_rate"),
                count("n_wins"),  count("n_wins_base"),   count("n_draws")};
    row.average_length = number_or_none(cells, "avg_length", where);
    row.length_controlled_win_rate = rate("length_controlled_winrate");
    row.length_controlled_standard_error = rate("lc_standard_error");
    const auto mode = cells.find("mode");
    row.mode = mode == cells.end() ? "" : mode->second;
    rows.push_back(std::move(row));
  });
  return rows;
}

void write_leaderboard(const fs::path& path, const std::vector<LeaderboardRow>& rows) {
  std::string text =
      ",win_rate,standard_error,n_wins,n_wins_base,n_draws,n_total,discrete_win_rate,mode,avg_length,"
      "length_controlled_winrate,lc_standard_error\n";
  for (const LeaderboardRow& row : rows) {
    const WinRate& rate = row.rate;
    text += fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{}\n", quoted(row.name), percent(rate.win_rate),
        percent(rate.standard_error), rate.wins, rate.losses, rate.ties, rate.wins + rate.losses + rate.ties,
        percent(rate.discrete_win_rate), row.mode,
        std::isnan(row.average_length) ? "" : fmt::format("{}", static_cast<int64_t>(row.average_length)),
        percent(row.length_controlled_win_rate), percent(row.length_controlled_standard_error));
  }
  write_file_atomic(path, text);
}

}  // namespace sdft
