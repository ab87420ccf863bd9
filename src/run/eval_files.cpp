#include "run/eval_files.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "check/alpaca_files.h"
#include "check/check.h"
#include "data/thinking.h"
#include "eval/statistics.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
const std::string kTooLong = name_of(FinishReason::kPromptTooLong);

void keep_results(const fs::path& dir, const std::vector<EvalResult>& results) {
  std::string lines;
  for (const EvalResult& result : results) lines += to_line(to_json(result)) + "\n";
  if (!lines.empty()) write_file_atomic(dir / "scores.jsonl", lines);
}

std::string unanswered_reason(const Answer& answer) {
  return answer.finish == kFailed ? kEndpointFailed : answer.finish == kTooLong ? kTooLong : "";
}

// What a check says of answers. opened: the prompts end inside a thinking model's trace.
std::vector<EvalResult> checked(const std::string& check, bool opened, const std::vector<Example>& examples,
                                const std::vector<Answer>& answers) {
  std::vector<CheckItem> items;
  for (size_t i = 0; i < examples.size(); ++i)
    items.push_back(check_item(examples[i], strip_thinking(answers[i].text, opened),
                               answers[i].finish != name_of(FinishReason::kStop)));
  std::vector<EvalResult> results = judge(parse_check(check, kTaskCheck), items);
  for (size_t i = 0; i < results.size(); ++i)
    if (const std::string reason = unanswered_reason(answers[i]); !reason.empty())
      results[i] = unanswered(results[i].id, reason);
  return results;
}

// A task's verdict on an item, of its first metric.
EvalResult verdict_of(const Task& task, const std::string& id, const ItemResult& result) {
  const double value = result.values.front().second.value;
  const bool verdict = !task.metrics.empty() && task.metrics.front().verdict && !task.process_results;
  if (!verdict) return {id, Verdict::kGraded, std::clamp(value, 0.0, 1.0), ""};
  return {id, value > 0 ? Verdict::kPass : Verdict::kFail, value > 0 ? 1.0 : 0.0, value > 0 ? "" : kMismatch};
}

// Whether the first metrics make a score.
bool is_share(const EvalSet& set) {
  return std::all_of(set.tasks.begin(), set.tasks.end(),
                     [](const Task& task) { return task.metrics.front().share; });
}

// items.jsonl: of each item the values of all metrics, and what they are made of.
void write_items(const fs::path& dir, const EvalSet& set,
                 const std::vector<std::optional<ItemResult>>& results,
                 const std::vector<std::string>& reasons, const std::vector<Json>& details) {
  std::string lines;
  std::vector<EvalResult> verdicts;
  for (size_t i = 0; i < results.size(); ++i) {
    const EvalItem& item = set.items[i];
    Json line = {{"id", item.id}};
    for (const auto& [key, value] : details[i].items()) line[key] = value;
    if (results[i]) {
      for (const auto& [name, value] : results[i]->values) {
        line["metrics"][name] = value.value;
        if (value.weight != 1) line["weights"][name] = value.weight;
      }
      verdicts.push_back(verdict_of(set.task(i), item.id, *results[i]));
    } else {
      line["unanswered"] = reasons[i];
      verdicts.push_back(unanswered(item.id, reasons[i]));
    }
    lines += to_line(line) + "\n";
  }
  write_file_atomic(dir / "items.jsonl", lines);
  if (is_share(set)) keep_results(dir, verdicts);
}

// The text before the first of the stop strings.
std::string before_stop(std::string text, const std::vector<std::string>& stops) {
  for (const std::string& stop : stops)
    if (!stop.empty()) text.resize(std::min(text.size(), text.find(stop)));
  return text;
}

}  // namespace

std::string request_id(const EvalItem& item, int64_t repeat) {
  return repeat == 0 ? item.id : item.id + "#" + std::to_string(repeat + 1);
}

void keep_checked(const fs::path& dir, const std::string& check, bool opened,
                  const std::vector<Example>& examples, const std::vector<Answer>& answers) {
  keep_results(dir, checked(check, opened, examples, answers));
}

namespace {
// model_outputs.json in AlpacaEval's form, for a judge (run/judge.h): of tasks that nothing judges.
void write_outputs(const fs::path& dir, const EvalSet& set, const std::vector<Answer>& answers) {
  std::vector<ModelOutput> outputs;
  const std::string model = dir.parent_path().filename().string();
  for (size_t i = 0; i < answers.size(); ++i)
    if (unanswered_reason(answers[i]).empty())
      outputs.push_back({set.dataset.examples[i].instruction, answers[i].text, model, set.dataset.name});
  write_model_outputs(dir / "model_outputs.json", outputs);
}

// Several answers to each question: the mean of what the check says of them; of verdicts also how likely one
// of k is right (Chen et al. 2021).
void keep_samples(const fs::path& dir, const EvalSet& set, const std::map<std::string, Answer>& written,
                  bool opened, std::vector<Json> details) {
  const Task& task = set.tasks.front();
  std::vector<uint64_t> answered(set.items.size(), 0), passed(set.items.size(), 0);
  std::vector<double> sums(set.items.size(), 0);
  bool graded = false;
  for (int64_t repeat = 0; repeat < task.repeats; ++repeat) {
    std::vector<Answer> answers;
    for (size_t i = 0; i < set.items.size(); ++i) {
      answers.push_back(written.at(request_id(set.items[i], repeat)));
      answers.back().text = before_stop(answers.back().text, set.task(i).generation.until);
    }
    const std::vector<EvalResult> results = checked(task.check, opened, set.dataset.examples, answers);
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].verdict == Verdict::kUnanswered) continue;
      ++answered[i];
      sums[i] += results[i].score;
      passed[i] += results[i].verdict == Verdict::kPass;
      graded |= results[i].verdict == Verdict::kGraded;
    }
  }
  std::string lines;
  std::vector<EvalResult> results;
  for (size_t i = 0; i < set.items.size(); ++i) {
    Json line = {{"id", set.items[i].id}};
    for (const auto& [key, value] : details[i].items()) line[key] = value;
    if (answered[i] > 0) {
      const double mean = sums[i] / static_cast<double>(answered[i]);
      line["metrics"][graded ? "mean" : "pass@1"] = mean;
      for (const uint64_t k : {uint64_t{10}, uint64_t{100}, answered[i]})
        if (!graded && k > 1 && k <= answered[i])
          line["metrics"]["pass@" + std::to_string(k)] = pass_at_k(answered[i], passed[i], k);
      results.push_back({set.items[i].id, Verdict::kGraded, mean, ""});
    } else {
      line["unanswered"] = unanswered_reason(written.at(set.items[i].id));
      results.push_back(unanswered(set.items[i].id, line["unanswered"]));
    }
    lines += to_line(line) + "\n";
  }
  write_file_atomic(dir / "items.jsonl", lines);
  keep_results(dir, results);
}
}  // namespace

void keep_written(const fs::path& dir, const EvalSet& set, const std::map<std::string, Answer>& written,
                  bool opened) {
  const std::vector<EvalItem>& items = set.items;
  std::vector<std::optional<ItemResult>> results(items.size());
  std::vector<Json> details(items.size());
  std::vector<std::string> reasons(items.size());
  std::vector<Answer> firsts;
  std::string lines;
  for (size_t i = 0; i < items.size(); ++i) {
    const Task& task = set.task(i);
    std::vector<std::string> texts;  // of those that were answered
    Answer first = written.at(items[i].id);
    for (int64_t repeat = 0; repeat < task.repeats; ++repeat) {
      const Answer& answer = written.at(request_id(items[i], repeat));
      if (!unanswered_reason(answer).empty()) continue;
      if (texts.empty()) first = answer;
      texts.push_back(before_stop(answer.text, task.generation.until));
    }
    first.id = items[i].id;
    first.text = texts.empty() ? "" : texts.front();
    lines += line_of(first) + "\n";
    details[i] = {{"answers", texts}, {"references", items[i].references}};
    reasons[i] = texts.empty() ? unanswered_reason(first) : "";
    if (reasons[i].empty() && task.check.empty()) results[i] = result_of(task, items[i], texts, {}, {});
    firsts.push_back(std::move(first));
  }
  write_file_atomic(dir / "answers.jsonl", lines);
  const Task& first = set.tasks.front();
  if (first.check.empty()) return write_items(dir, set, results, reasons, details);
  if (first.check == "none") return write_outputs(dir, set, firsts);
  if (first.repeats > 1) return keep_samples(dir, set, written, opened, details);
  keep_checked(dir, first.check, opened, set.dataset.examples, firsts);
}

std::string line_of(const std::string& id, const Likelihoods& of) {
  Json line = {{"id", id}};
  if (of.missing.empty())
    line["log_likelihoods"] = of.log_likelihoods, line["greedy"] = of.greedy;
  else
    line["missing"] = of.missing;
  return to_line(line);
}

std::map<std::string, Likelihoods> read_likelihoods(const fs::path& path) {
  std::map<std::string, Likelihoods> all;
  std::error_code none;
  if (!fs::exists(path, none)) return all;
  for_each_line(path, [&](std::string_view text, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json line = parse_json(text, where);
    Likelihoods of;
    of.missing = value_or<std::string>(line, "missing", "", where);
    if (of.missing.empty()) {
      of.log_likelihoods = require<std::vector<double>>(line, "log_likelihoods", where);
      of.greedy = require<std::vector<bool>>(line, "greedy", where);
    }
    // What an endpoint failed to say is asked again.
    if (of.missing != kEndpointFailed) all[require<std::string>(line, "id", where)] = std::move(of);
  });
  return all;
}

void keep_divergences(const fs::path& dir, const EvalSet& set, const std::vector<Divergence>& all) {
  std::vector<std::optional<ItemResult>> results(all.size());
  std::vector<Json> details(all.size(), Json::object());
  std::vector<std::string> reasons;
  std::string lines;
  for (size_t i = 0; i < all.size(); ++i) {
    reasons.push_back(unanswered_reason(all[i].answer));
    if (reasons[i].empty()) results[i] = result_of(set.task(i), set.items[i], {}, {}, {}, all[i].distance);
    lines += line_of(all[i].answer) + "\n";
  }
  write_file_atomic(dir / "answers.jsonl", lines);
  write_items(dir, set, results, reasons, details);
}

void keep_likelihoods(const fs::path& dir, const EvalSet& set,
                      const std::map<std::string, Likelihoods>& all) {
  std::vector<std::optional<ItemResult>> results;
  std::vector<Json> details;
  std::vector<std::string> reasons;
  std::string lines;
  for (size_t i = 0; i < set.items.size(); ++i) {
    const EvalItem& item = set.items[i];
    const Likelihoods& of = all.at(item.id);
    results.emplace_back();
    reasons.push_back(of.missing);
    details.push_back({{"gold", item.gold}});
    Answer answer{item.id, "", of.missing.empty() ? name_of(FinishReason::kStop) : of.missing};
    if (of.missing == kEndpointFailed) answer.finish = kFailed;
    if (of.missing.empty()) {
      results.back() = result_of(set.task(i), item, {}, of.log_likelihoods, of.greedy);
      details.back()["log_likelihoods"] = of.log_likelihoods;
      details.back()["greedy"] = of.greedy;
      const auto best = std::max_element(of.log_likelihoods.begin(), of.log_likelihoods.end());
      if (!item.choices.empty())
        answer.text = item.choices[static_cast<size_t>(best - of.log_likelihoods.begin())];
    }
    lines += line_of(answer) + "\n";
  }
  write_file_atomic(dir / "answers.jsonl", lines);
  write_items(dir, set, results, reasons, details);
}

}  // namespace sdft
