#include "sdft/distiller.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "data/thinking.h"
#include "data/turn_end.h"
#include "infer/answers.h"
#include "infer/scorer.h"
#include "sdft/seed_judge.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
std::string strip(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// Draws which accepted rewrites are used, example by example, so that a larger fraction includes a smaller
// one.
bool drawn(uint64_t seed, const std::string& id, double fraction) {
  return fraction >= 1.0 || Random(seed, "mix " + id).uniform() < fraction;
}

Json line_of(const Example& example, const DistilledExample& d) {
  Json json = record_of(example, d.target());
  json["source"] = d.distilled ? "rewrite" : "original";
  json["accepted"] = d.accepted;
  json["reason"] = d.reason;
  json["attempt"] = d.attempt;
  json["original"] = d.original;
  json["rewrite"] = d.rewrite;
  return json;
}

// Sum of log-probabilities and number of tokens of the given answers under the training prompt.
std::pair<double, int64_t> answers_log_prob(ModelView model, const Formatter& formatter,
                                            const PromptTemplate& prompt,
                                            const std::vector<Example>& examples) {
  std::vector<ScoreItem> items;
  for (const Example& example : examples) {
    Sample sample = training_sample(formatter, prompt, example, 0);
    if (static_cast<int64_t>(sample.ids.size()) > model->config.max_position_embeddings) continue;
    if (!sample.supervised.empty()) sample.supervised[0] = 0;
    items.push_back({std::move(sample.ids), std::move(sample.supervised)});
  }
  std::pair<double, int64_t> total{0, 0};
  for (const Score& score : score(model, items)) {
    total.first += score.log_prob;
    total.second += score.count;
  }
  return total;
}

// What the model wrote for an example, not judged yet; of a thinking model only what follows its trace.
DistilledExample draft_of(const Example& example, const Answer& answer, int64_t attempt, bool opened) {
  DistilledExample d;
  d.id = example.id;
  d.original = example.response;
  d.rewrite = strip(std::string(strip_thinking(answer.text, opened)));
  d.attempt = attempt;
  if (answer.finish == name_of(FinishReason::kPromptTooLong)) d.reason = kPromptTooLong;
  return d;
}

// Accepts and rejects drafts of examples `open`, of which each has its draft and its answer.
void judge_drafts(const std::vector<ChosenCheck>& checks, const JudgeOptions& judging, const Dataset& dataset,
                  const std::vector<size_t>& open, const std::vector<Answer>& answers,
                  std::vector<DistilledExample>* drafts) {
  std::vector<CheckItem> items;
  for (size_t k = 0; k < open.size(); ++k) {
    const DistilledExample& draft = (*drafts)[k];
    if (draft.reason == kPromptTooLong) continue;
    const bool cut = answers[k].finish != name_of(FinishReason::kStop);
    // A trace that was cut left no answer: judged by its own words, it is cut and not just empty.
    items.push_back(check_item(dataset.examples[open[k]], cut ? answers[k].text : draft.rewrite, cut));
  }
  const auto results = by_id(judge_rewrites(checks, items, judging));
  for (DistilledExample& draft : *drafts) {
    if (draft.reason == kPromptTooLong) continue;
    const EvalResult& result = results.at(draft.id);
    draft.accepted = result.verdict == Verdict::kPass;
    draft.reason = result.reason;
  }
}

// The examples that shall be rewritten. A rewrite is text: an answer that calls tools stays as it is.
std::vector<size_t> rewritable(const Dataset& dataset, std::vector<DistilledExample>* result) {
  std::vector<size_t> open;
  for (size_t i = 0; i < dataset.examples.size(); ++i) {
    const Example& example = dataset.examples[i];
    if (!answer_is_call(example)) {
      open.push_back(i);
      continue;
    }
    (*result)[i].id = example.id;
    (*result)[i].original = example.response;
    (*result)[i].reason = "tool_call";
  }
  return open;
}

// The first attempt keeps the dataset's ids and so the paper's one draw; later ones draw anew.
std::string stream_of(const std::string& id, int64_t attempt) {
  return attempt == 1 ? id : id + " attempt " + std::to_string(attempt);
}

std::string file_of(int64_t attempt) {
  return attempt == 1 ? "rewrites.jsonl" : "rewrites-" + std::to_string(attempt) + ".jsonl";
}
}  // namespace

std::vector<DistilledExample> distill(ModelView model, const Formatter& formatter, const Dataset& dataset,
                                      const DistillOptions& options, const fs::path& dir,
                                      const std::function<void(int64_t, size_t, size_t)>& on_progress) {
  make_directories(dir);
  const PromptTemplate& prompt = find_prompt_template(options.distill_template);
  const std::vector<ChosenCheck> checks = acceptance_checks(options.acceptance, options.answer_check);
  JudgeOptions judging;
  judging.probability_of_yes =
      seed_judge(model, formatter, options.training_template, options.generation.stop);
  std::vector<DistilledExample> result(dataset.examples.size());
  const bool opened = prompt.chat && opens_thinking(formatter);
  std::vector<size_t> open = rewritable(dataset, &result);
  for (int64_t attempt = 1; attempt <= options.rewrite_attempts && !open.empty(); ++attempt) {
    std::vector<Request> requests;
    for (size_t i : open) {
      const Example& example = dataset.examples[i];
      requests.push_back(
          {stream_of(example.id, attempt), prompt_ids(formatter, prompt, example, example.response)});
    }
    const auto answers = answer_all(model, *formatter.tokenizer, requests, options.generation,
                                    dir / file_of(attempt), [&](size_t done) {
                                      if (on_progress) on_progress(attempt, done, requests.size());
                                    });
    std::vector<DistilledExample> drafts;
    for (size_t k = 0; k < open.size(); ++k)
      drafts.push_back(draft_of(dataset.examples[open[k]], answers[k], attempt, opened));
    judge_drafts(checks, judging, dataset, open, answers, &drafts);
    std::vector<size_t> rejected;
    for (size_t k = 0; k < open.size(); ++k) {
      DistilledExample& d = drafts[k];
      if (!d.accepted && d.reason != kPromptTooLong) rejected.push_back(open[k]);
      if (attempt == 1 || d.accepted) result[open[k]] = std::move(d);
    }
    open = std::move(rejected);
  }
  std::string lines;
  for (size_t i = 0; i < result.size(); ++i) {
    DistilledExample& d = result[i];
    d.distilled = d.accepted && drawn(options.generation.seed, d.id, options.distilled_fraction);
    lines += line_of(dataset.examples[i], d).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  write_file_atomic(dir / "distilled.jsonl", lines);
  return result;
}

DistillSummary summarize(ModelView model, const Formatter& formatter, const Dataset& dataset,
                         const std::vector<DistilledExample>& distilled, const DistillOptions& options) {
  DistillSummary s;
  s.examples = distilled.size();
  size_t used = 0, original_length = 0, rewrite_length = 0;
  std::vector<Example> originals, rewrites;
  for (size_t i = 0; i < distilled.size(); ++i) {
    const DistilledExample& d = distilled[i];
    used += d.distilled;
    if (d.reason == kPromptTooLong) s.too_long.push_back(d.id);
    if (!d.accepted) {
      s.rejected[d.reason]++;
      continue;
    }
    s.accepted++;
    s.accepted_at.resize(std::max(s.accepted_at.size(), static_cast<size_t>(d.attempt)));
    s.accepted_at[static_cast<size_t>(d.attempt) - 1]++;
    s.unchanged += d.rewrite == strip(d.original);
    original_length += d.original.size();
    rewrite_length += d.rewrite.size();
    originals.push_back(dataset.examples[i]);
    rewrites.push_back(dataset.examples[i]);
    rewrites.back().response = d.rewrite;
  }
  if (s.examples > 0) s.distilled_fraction = static_cast<double>(used) / static_cast<double>(s.examples);
  if (s.accepted == 0) return s;
  s.length_ratio = static_cast<double>(rewrite_length) / static_cast<double>(original_length);
  const PromptTemplate& prompt = find_prompt_template(options.training_template);
  const auto before = answers_log_prob(model, formatter, prompt, originals);
  const auto after = answers_log_prob(model, formatter, prompt, rewrites);
  if (before.second > 0) s.logprob_original = before.first / static_cast<double>(before.second);
  if (after.second > 0) s.logprob_rewrite = after.first / static_cast<double>(after.second);
  return s;
}

Json to_json(const DistillSummary& s) {
  return {{"examples", s.examples},
          {"accepted", s.accepted},
          {"accepted_at", s.accepted_at},
          {"unchanged", s.unchanged},
          {"rejected", s.rejected},
          {"too_long", s.too_long},
          {"length_ratio", s.length_ratio},
          {"logprob_original", s.logprob_original},
          {"logprob_rewrite", s.logprob_rewrite},
          {"distribution_gap", s.logprob_rewrite - s.logprob_original},
          {"distilled_fraction", s.distilled_fraction}};
}

DistillSummary summary_from_json(const Json& json, const std::string& where) {
  DistillSummary s;
  s.examples = require<size_t>(json, "examples", where);
  s.accepted = require<size_t>(json, "accepted", where);
  s.accepted_at = require<std::vector<size_t>>(json, "accepted_at", where);
  s.unchanged = require<size_t>(json, "unchanged", where);
  s.rejected = require<std::map<std::string, size_t>>(json, "rejected", where);
  s.too_long = require<std::vector<std::string>>(json, "too_long", where);
  s.length_ratio = require<double>(json, "length_ratio", where);
  s.logprob_original = require<double>(json, "logprob_original", where);
  s.logprob_rewrite = require<double>(json, "logprob_rewrite", where);
  s.distilled_fraction = require<double>(json, "distilled_fraction", where);
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
        d.original = require<std::string>(json, "original", where);
        d.rewrite = require<std::string>(json, "rewrite", where);
        d.accepted = require<bool>(json, "accepted", where);
        d.reason = require<std::string>(json, "reason", where);
        d.attempt = require<int64_t>(json, "attempt", where);
        d.distilled = require<std::string>(json, "source", where) == "rewrite";
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

}  // namespace sdft
