#include "task/filters.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/regex.h"
#include "text/jinja/string.h"

namespace sdft {

namespace {
using Answers = std::vector<std::string>;

// A filter of one answer at a time.
Filter each(std::function<std::string(const std::string&)> change) {
  return [change = std::move(change)](Answers answers) {
    for (std::string& answer : answers) answer = change(answer);
    return answers;
  };
}

// Of the match that `select` names (negative: from the last one on) the first group that took part.
Filter regex_filter(const Json& entry, const std::string& where) {
  auto regex =
      std::make_shared<Regex>(value_or<std::string>(entry, "regex_pattern", "#### (\\-?[0-9\\.\\,]+)", where),
                              where, RegexSyntax::kPython);
  const int64_t select = value_or<int64_t>(entry, "group_select", 0, where);
  const auto fallback = value_or<std::string>(entry, "fallback", "[invalid]", where);
  return each([=](const std::string& answer) -> std::string {
    const auto matches = regex->find_all(answer);
    const auto count = static_cast<int64_t>(matches.size());
    const int64_t place = select < 0 ? count + select : select;
    if (place < 0 || place >= count) return std::string(fallback);
    const auto& groups = matches[static_cast<size_t>(place)];
    const auto part = std::find_if(groups.begin(), groups.end(), [](const auto& g) { return !g.empty(); });
    return part == groups.end() ? (groups.size() > 1 ? fallback : std::string())
                                : std::string(jinja::strip(*part));
  });
}

Filter map_filter(const Json& entry, const std::string& where) {
  const Json mapping = value_or<Json>(entry, "mapping_dict", Json::object(), where);
  const Json otherwise = value_or<Json>(entry, "default_value", Json(), where);
  auto text = [](const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); };
  return each([=](const std::string& answer) {
    return mapping.contains(answer) ? text(mapping[answer]) : otherwise.is_null() ? "None" : text(otherwise);
  });
}

// The commonest; of several the one that came first.
Filter majority_vote(const Json&, const std::string&) {
  return [](Answers answers) {
    std::map<std::string, int> votes;
    for (const std::string& answer : answers) ++votes[answer];
    const auto best = std::max_element(answers.begin(), answers.end(),
                                       [&](const auto& a, const auto& b) { return votes[a] < votes[b]; });
    return best == answers.end() ? answers : Answers{*best};
  };
}

Filter take_first_k(const Json& entry, const std::string& where) {
  const int64_t count = require<int64_t>(entry, "k", where);
  if (count < 1) fail_input(where, "'k' is " + std::to_string(count) + ", expected 1 or more");
  return [count](Answers answers) {
    if (answers.size() > static_cast<size_t>(count)) answers.resize(static_cast<size_t>(count));
    return answers;
  };
}

struct Row {
  const char* name;
  std::set<std::string> arguments;
  Filter (*make)(const Json& entry, const std::string& where);
};

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      {"take_first",
       {},
       [](const Json&, const std::string&) -> Filter {
         return [](Answers answers) { return answers.empty() ? answers : Answers{answers.front()}; };
       }},
      {"take_first_k", {"k"}, take_first_k},
      {"majority_vote", {}, majority_vote},
      {"regex", {"regex_pattern", "group_select", "fallback"}, regex_filter},
      {"remove_whitespace",
       {},
       [](const Json&, const std::string&) {
         return each([](const std::string& a) { return std::string(jinja::strip(a)); });
       }},
      {"lowercase",
       {},
       [](const Json&, const std::string&) {
         return each([](const std::string& a) { return jinja::lower(a); });
       }},
      {"uppercase",
       {},
       [](const Json&, const std::string&) {
         return each([](const std::string& a) { return jinja::upper(a); });
       }},
      {"map", {"mapping_dict", "default_value"}, map_filter},
  };
  return kRows;
}

Filter read_step(const Json& step, const std::string& where) {
  if (!step.is_object() || !step.contains("function") || !step["function"].is_string())
    fail_input(where,
               "has a filter " + describe(step) + ", expected {function: NAME, ...} with a known name");
  const auto name = step["function"].get<std::string>();
  std::vector<std::string> names;
  for (const Row& row : rows()) {
    names.push_back(row.name);
    if (name != row.name) continue;
    for (const auto& [key, value] : step.items())
      if (key != "function" && !row.arguments.count(key))
        fail_input(where, "filter '" + name + "' has an argument '" + key + "', which is not known");
    return row.make(step, where);
  }
  fail_input(where, "filter '" + name + "' is not known", "known are " + joined(names));
}
}  // namespace

std::string FilterPipeline::apply(std::vector<std::string> answers) const {
  for (const Filter& step : steps) answers = step(std::move(answers));
  return answers.empty() ? "" : answers.front();
}

FilterPipeline read_filters(const Json& entry, const std::string& where) {
  FilterPipeline pipeline;
  pipeline.name = require<std::string>(entry, "name", where);
  const std::string place = where + ": filter_list '" + pipeline.name + "'";
  if (!entry.contains("filter") || !entry["filter"].is_array()) fail_input(place, "has no list 'filter'");
  for (const Json& step : entry["filter"]) pipeline.steps.push_back(read_step(step, place));
  return pipeline;
}

}  // namespace sdft
