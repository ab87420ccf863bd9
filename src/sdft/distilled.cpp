#include "sdft/distilled.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "data/turns.h"

namespace sdft {
namespace fs = std::filesystem;

bool DistilledExample::accepted() const {
  return std::all_of(turns.begin(), turns.end(),
                     [](const DistilledTurn& turn) { return turn.accepted || turn.left_out(); });
}

namespace {
Json json_of(const DistilledTurn& turn) {
  Json json = {{"id", turn.id},
               {"accepted", turn.accepted},
               {"source", !turn.accepted        ? "original"
                          : turn.candidate == 0 ? "own"
                                                : "rewrite"},
               {"reason", turn.reason},
               {"candidate", turn.candidate},
               {"original", turn.original},
               {"rewrite", turn.rewrite}};
  if (!turn.matched.empty()) json["matched"] = turn.matched;
  auto add = [&](const std::string& what, const AnswerLikelihood& likelihood) {
    if (likelihood.tokens == 0) return;
    json["logprob_" + what] = likelihood.per_token();
    json["tokens_" + what] = likelihood.tokens;
  };
  add("original", turn.of_original);
  add("rewrite", turn.of_rewrite);
  return json;
}

DistilledTurn turn_of(const Json& json, const std::string& where) {
  DistilledTurn turn;
  turn.id = require<std::string>(json, "id", where);
  turn.accepted = require<bool>(json, "accepted", where);
  turn.reason = require<std::string>(json, "reason", where);
  turn.matched = value_or<std::string>(json, "matched", "", where);
  turn.candidate = require<int64_t>(json, "candidate", where);
  turn.original = require<std::string>(json, "original", where);
  turn.rewrite = require<std::string>(json, "rewrite", where);
  auto likelihood = [&](const std::string& what) {
    const auto tokens = value_or<int64_t>(json, "tokens_" + what, 0, where);
    const auto mean = value_or<double>(json, "logprob_" + what, 0, where);
    return AnswerLikelihood{mean * static_cast<double>(tokens), tokens};
  };
  turn.of_original = likelihood("original");
  turn.of_rewrite = likelihood("rewrite");
  return turn;
}

// The example with its rewrites where they were accepted.
Example rewritten(const Example& example, const DistilledExample& distilled) {
  std::map<std::string, std::string> texts;
  for (const DistilledTurn& turn : distilled.turns)
    if (turn.accepted) texts[turn.id] = turn.rewrite;
  return texts.empty() ? example : with_responses(example, texts);
}

}  // namespace

void write_distilled(const Dataset& dataset, const std::vector<DistilledExample>& distilled,
                     const fs::path& path) {
  std::string lines;
  for (size_t i = 0; i < distilled.size(); ++i) {
    const Example learned = rewritten(dataset.examples[i], distilled[i]);
    Json json = record_of(learned, learned.response);
    const auto& turns = distilled[i].turns;
    json.update(json_of(turns.back()));
    for (size_t k = 0; k + 1 < turns.size(); ++k) json["turns"].push_back(json_of(turns[k]));
    lines += to_line(json) + "\n";
  }
  write_file_atomic(path, lines);
}

void write_summary(const DistillSummary& s, const fs::path& path) {
  Json rounds = Json::array();
  for (const DistillRound& round : s.rounds)
    rounds.push_back({{"name", round.name},
                      {"asked", round.asked},
                      {"accepted", round.accepted},
                      {"tokens", round.tokens}});
  const Json json = {{"answers", s.answers},
                     {"accepted", s.accepted},
                     {"unchanged", s.unchanged},
                     {"left_out", s.left_out},
                     {"rounds", rounds},
                     {"rejected", s.rejected},
                     {"too_long", s.too_long},
                     {"length_ratio", s.length_ratio},
                     {"measured", s.measured},
                     {"logprob_original", s.logprob_original},
                     {"logprob_rewrite", s.logprob_rewrite},
                     {"distribution_gap", s.logprob_rewrite - s.logprob_original}};
  write_json(path, json);
}
DistillSummary read_summary(const fs::path& path) {
  const Json json = read_json(path);
  const std::string where = path.string();
  DistillSummary s;
  s.answers = require<size_t>(json, "answers", where);
  s.accepted = require<size_t>(json, "accepted", where);
  s.unchanged = require<size_t>(json, "unchanged", where);
  s.left_out = require<size_t>(json, "left_out", where);
  for (const Json& round : require<Json>(json, "rounds", where))
    s.rounds.push_back({require<std::string>(round, "name", where), require<size_t>(round, "asked", where),
                        require<size_t>(round, "accepted", where), require<int64_t>(round, "tokens", where)});
  s.rejected = require<std::map<std::string, size_t>>(json, "rejected", where);
  s.too_long = require<std::vector<std::string>>(json, "too_long", where);
  s.length_ratio = value_or<double>(json, "length_ratio", NAN, where);
  s.measured = value_or<size_t>(json, "measured", s.accepted, where);
  s.logprob_original = value_or<double>(json, "logprob_original", NAN, where);
  s.logprob_rewrite = value_or<double>(json, "logprob_rewrite", NAN, where);
  return s;
}

std::vector<DistilledExample> read_distilled(const fs::path& path, const Dataset& dataset) {
  std::vector<DistilledExample> result;
  for_each_line(
      path,
      [&](std::string_view line, size_t number) {
        const std::string where = path.string() + ":" + std::to_string(number);
        const Json json = parse_json(line, where);
        DistilledExample d;
        d.id = require<std::string>(json, "id", where);
        const size_t i = result.size();
        if (i >= dataset.examples.size())
          fail_input(where, "is one example more than " + dataset.path.string() + " has");
        if (d.id != dataset.examples[i].id)
          fail_input(where, "is example '" + d.id + "', expected '" + dataset.examples[i].id + "'",
                     "the file must have every example of " + dataset.path.string() + " in its order");
        for (const Json& turn : value_or<Json>(json, "turns", Json::array(), where))
          d.turns.push_back(turn_of(turn, where));
        d.turns.push_back(turn_of(json, where));
        result.push_back(std::move(d));
      },
      true);
  if (result.size() != dataset.examples.size())
    fail_input(path.string(),
               "has " + std::to_string(result.size()) + " examples, " + dataset.path.string() + " has " +
                   std::to_string(dataset.examples.size()),
               "run `sdft distill` again");
  return result;
}

std::vector<Example> targets_of(const Dataset& dataset, const std::vector<DistilledExample>& distilled,
                                const TargetOptions& options) {
  std::vector<Example> targets;
  for (size_t i = 0; i < distilled.size(); ++i) {
    const Example& example = dataset.examples[i];
    const bool drawn = options.distilled_fraction >= 1.0 ||
                       Random(options.seed, "mix " + example.id).uniform() < options.distilled_fraction;
    if (!drawn)
      targets.push_back(example);
    else if (distilled[i].accepted() || !options.drop_rejected)
      targets.push_back(rewritten(example, distilled[i]));
  }
  return targets;
}

}  // namespace sdft
