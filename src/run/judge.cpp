#include "run/judge.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "check/alpaca_files.h"
#include "data/prompt.h"
#include "infer/scorer.h"
#include "remote/completion.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr int64_t kCandidates = 20;  // of the first token, as many as OpenAI gives

std::vector<RemoteRequest> requests_of(const std::vector<JudgePrompt>& prompts) {
  std::vector<RemoteRequest> requests;
  for (size_t i = 0; i < prompts.size(); ++i) {
    requests.push_back({std::to_string(i), {}, ""});
    if (!prompts[i].system.empty()) requests.back().messages.push_back({"system", prompts[i].system});
    requests.back().messages.push_back({"user", prompts[i].user});
  }
  return requests;
}
}  // namespace

Judge judge_of(const Endpoint& endpoint) {
  return [&endpoint](const std::vector<JudgePrompt>& prompts,
                     const std::function<void(size_t, JudgeReply)>& on_reply) {
    RemoteOptions options;
    options.max_tokens = 16;  // a label, or a few words around it
    options.top_logprobs = kCandidates;
    Progress progress("judge", prompts.size(), "replies");
    size_t done = 0;
    complete(endpoint, requests_of(prompts), options, [&](RemoteCompletion reply) {
      const std::string& finish = reply.answer.finish;
      const std::string error = finish == kFailed ? reply.answer.error
                                : finish == "prompt_too_long"
                                    ? "the prompt is longer than the judge's context"
                                    : "";
      on_reply(std::stoul(reply.answer.id), {reply.answer.text, std::move(reply.first_token), error});
      progress.update(++done);
    });
  };
}

Judge judge_of(ModelBundle& bundle, const JudgeTemplate& labels, const std::atomic<bool>* stop) {
  return [&bundle, labels, stop](const std::vector<JudgePrompt>& prompts,
                                 const std::function<void(size_t, JudgeReply)>& on_reply) {
    const PromptTemplate& chat = find_prompt_template("chat");
    const auto first = bundle.tokenizer.encode(labels.first, {false, false}),
               second = bundle.tokenizer.encode(labels.second, {false, false});
    std::vector<ScoreItem> items;
    std::vector<size_t> fitting;
    for (size_t i = 0; i < prompts.size(); ++i) {
      Example example;
      example.system = prompts[i].system;
      example.instruction = prompts[i].user;
      const auto ids = prompt_ids(bundle.formatter, chat, example);
      if (static_cast<int64_t>(ids.size()) >= bundle.config.max_position_embeddings) {
        on_reply(i, {"", {}, "the prompt is longer than the judge's context"});
        continue;
      }
      fitting.push_back(i);
      items.push_back(continuation_item(ids, first));
      items.push_back(continuation_item(ids, second));
    }
    Progress progress("judge", items.size() / 2, "replies");
    ScoreOptions options;
    options.stop = stop;
    options.on_step = [&](size_t done) { progress.update(done / 2); };
    const std::vector<Score> scores = score(bundle.base(), items, options);
    for (size_t k = 0; k < fitting.size(); ++k) {
      const double a = scores[2 * k].log_prob, b = scores[2 * k + 1].log_prob;
      on_reply(fitting[k],
               {a >= b ? labels.first : labels.second, {{labels.first, a}, {labels.second, b}}, ""});
    }
  };
}

namespace {
double average_length(const std::vector<JudgedPair>& pairs) {
  double sum = 0;
  for (const JudgedPair& pair : pairs) sum += static_cast<double>(pair.length);
  return pairs.empty() ? 0 : sum / static_cast<double>(pairs.size());
}

// "62.50 ± 3.12 %"
std::string rate_text(double rate, double standard_error) {
  return std::isnan(standard_error)
             ? fmt::format("{:.2f} %", 100 * rate)
             : fmt::format("{:.2f} ± {:.2f} % (standard error)", 100 * rate, 100 * standard_error);
}

std::string table(const LeaderboardRow& row, LengthModel model) {
  const WinRate& rate = row.rate;
  std::string text = fmt::format("{}: win rate {}; {} wins, {} losses, {} ties, {} without a verdict\n",
                                 row.name, rate_text(rate.win_rate, rate.standard_error), rate.wins,
                                 rate.losses, rate.ties, rate.unjudged);
  if (!std::isnan(row.length_controlled_win_rate))
    text +=
        fmt::format("length-controlled win rate {}; {}\n",
                    rate_text(row.length_controlled_win_rate, row.length_controlled_standard_error),
                    model == LengthModel::kRegularised ? "length_controlled_v1"
                                                       : "length_controlled_minimal: without df_gamed.csv");
  return text + fmt::format("average length {:.0f} characters\n", row.average_length);
}
}  // namespace

std::string judge_outputs(const JudgingFiles& files, const PreferenceOptions& options, const Judge& judge,
                          const JudgeIdentity& who) {
  const std::vector<ModelOutput> outputs = read_model_outputs(files.outputs);
  std::vector<Annotation> pairs = paired(read_model_outputs(files.baseline), outputs, files.outputs.string());
  std::optional<LengthReference> reference;
  if (!files.length_reference.empty()) reference = read_length_reference(files.length_reference);
  make_directories(files.output_dir);
  const auto failures = judge_pairs(
      &pairs, options, judge, files.output_dir / ("judge-" + sha256(who.content).substr(0, 8) + ".jsonl"));
  for (size_t i = 0; i < std::min<size_t>(failures.size(), 5); ++i)
    spdlog::warn("pair {}: {}", failures[i].pair, failures[i].what);
  if (!failures.empty())
    spdlog::warn(
        "{} of {} pairs have no verdict; they are neither won nor lost, and the same command asks them again",
        failures.size(), pairs.size());
  for (Annotation& pair : pairs) pair.annotator = who.name;
  write_annotations(files.output_dir / "annotations.json", pairs);
  std::vector<double> preferences;
  for (const Annotation& pair : pairs) preferences.push_back(pair.preference);
  const LengthModel model = reference ? LengthModel::kRegularised : LengthModel::kMinimal;
  const auto judged = judged_pairs(pairs, reference ? &*reference : nullptr, files.outputs.string());
  const LengthControlled controlled =
      length_controlled_win_rate(judged, model, reference ? reference->gamed : std::vector<GamedJudgement>{});
  LeaderboardRow row;
  row.name =
      outputs.empty() || outputs[0].generator.empty() ? files.outputs.stem().string() : outputs[0].generator;
  row.rate = win_rate(preferences);
  if (row.rate.unjudged == pairs.size())
    fail_input(files.output_dir.string(), "the judge gave no verdict of any pair");
  row.average_length = average_length(judged);
  row.length_controlled_win_rate = controlled.win_rate;
  row.length_controlled_standard_error = controlled.standard_error;
  write_leaderboard(files.output_dir / "leaderboard.csv", {row});
  return table(row, model);
}

}  // namespace sdft
