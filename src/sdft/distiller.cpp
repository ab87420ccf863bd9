#include "sdft/distiller.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "data/prompt_text.h"
#include "data/thinking.h"
#include "data/turn_end.h"
#include "data/turns.h"
#include "sdft/seed_judge.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// A turn that shall be rewritten, with the candidates it has so far.
struct Work {
  Example example;  // of turns_of(): everything up to the turn, whose answer is `response`
  DistilledTurn turn = {};
  std::vector<DistilledTurn> accepted = {};  // candidates
  bool open = true;                          // further candidates are wanted
  DistilledTurn candidate = {};              // of the round that is played
};

// One round of asking: every open turn gets a candidate.
struct Round {
  std::string name;
  int64_t candidate;  // 0: the own answer
  const PromptTemplate* prompt;
  bool shows_reference;
  double temperature;
  fs::path file;

  // The first candidate keeps the dataset's ids and so the paper's one draw; later ones draw anew.
  std::string stream_of(const std::string& id) const {
    return candidate == 1 ? id : id + (candidate == 0 ? " own" : " attempt " + name);
  }
};

std::vector<Round> rounds_of(const DistillOptions& options) {
  auto temperature_of = [&](size_t candidate) {
    const auto& ladder = options.temperatures;
    return ladder.empty() ? options.generation.sampling.temperature
                          : ladder[std::min(candidate, ladder.size()) - 1];
  };
  auto file = [&](const fs::path& dir, const std::string& name, double temperature) {
    return dir / fmt::format("{}-t{}.jsonl", name, temperature);
  };
  std::vector<Round> rounds;
  if (options.own_answer_first)
    rounds.push_back({"own", 0, &find_prompt_template(options.training_template), false, temperature_of(1),
                      file(options.own_answers_dir, "own", temperature_of(1))});
  for (int64_t k = 1; k <= options.num_candidates; ++k) {
    const double temperature = temperature_of(static_cast<size_t>(k));
    rounds.push_back({std::to_string(k), k, &find_prompt_template(options.distill_template), true,
                      temperature, file(options.rewrites_dir, std::to_string(k), temperature)});
  }
  return rounds;
}

// What distill() shares among its steps.
struct Distiller {
  ModelView model;
  const Formatter& formatter;
  const DistillOptions& options;
  const DistillProgress& on_progress;
  std::vector<ChosenCheck> checks;
  JudgeOptions judging;

  // What the model wrote for a turn, not judged yet; of a thinking model only what follows its trace, or with
  // the trace in front of it where that stays. A model that writes none leaves the original's where it is.
  DistilledTurn candidate_of(const Round& round, const Work& work, const Answer& answer) const {
    const bool opened = round.prompt->chat && opens_thinking(formatter);
    DistilledTurn turn = work.turn;
    const std::string bare = stripped(std::string(strip_thinking(answer.text, opened)));
    turn.rewrite = bare;
    if (!bare.empty() && options.reasoning != Reasoning::kDrop)
      turn.rewrite = trace_size(answer.text) > 0 ? stripped(answer.text)
                                                 : turn.original.substr(0, trace_size(turn.original)) + bare;
    turn.candidate = round.candidate;
    if (answer.finish == kFailed)
      turn.reason = kUnanswered;
    else if (answer.finish == name_of(FinishReason::kPromptTooLong))
      turn.reason = kPromptDidNotFit;
    else if (bare.empty() && answer.finish != name_of(FinishReason::kStop))
      turn.reason = kNoAnswer;  // nothing but a trace that was cut, which no check may take for the answer
    else
      turn.reason.clear();
    return turn;
  }

  // Accepts or rejects candidates, each of its turn.
  void judge(const Round& round, const std::vector<std::pair<Work*, Answer>>& answered) const {
    if (answered.empty()) return;
    std::vector<DistilledTurn> candidates;
    std::vector<CheckItem> items;
    candidates.reserve(answered.size());
    for (const auto& [work, answer] : answered) {
      const DistilledTurn& candidate = candidates.emplace_back(candidate_of(round, *work, answer));
      const bool cut = answer.finish != name_of(FinishReason::kStop);
      if (candidate.reason.empty()) items.push_back(check_item(work->example, candidate.rewrite, cut));
    }
    const auto results = by_id(judge_rewrites(checks, items, judging));
    for (size_t k = 0; k < answered.size(); ++k) {
      DistilledTurn& candidate = candidates[k];
      if (candidate.reason.empty()) {
        const EvalResult& result = results.at(candidate.id);
        candidate.accepted = result.verdict == Verdict::kPass;
        candidate.reason = result.reason;
        candidate.matched = result.matched;
      }
      answered[k].first->candidate = candidate;
    }
    if (options.on_judged) options.on_judged(candidates);
  }

  // Whether answers can be judged while others are written: not where the model itself is asked.
  bool judges_meanwhile() const {
    return std::none_of(checks.begin(), checks.end(),
                        [](const ChosenCheck& check) { return (check.check->needs & kNeedsSeed) != 0; });
  }

  // Every open turn has a candidate then.
  std::vector<Answer> ask(const Round& round, const std::vector<Work*>& open) const {
    constexpr std::chrono::seconds kPause(2);  // so that a sandbox has several to run
    std::vector<Request> requests;
    std::map<std::string, Work*> unjudged;  // by request
    for (Work* work : open) {
      requests.push_back({round.stream_of(work->turn.id),
                          prompt_ids(formatter, *round.prompt, work->example,
                                     round.shows_reference ? work->example.response : std::string())});
      unjudged.emplace(requests.back().id, work);
    }
    GenerateOptions generation = options.generation;
    generation.sampling.temperature = round.temperature;
    const Writer writer = options.writer ? options.writer : writer_of(model, *formatter.tokenizer);
    std::vector<std::pair<Work*, Answer>> waiting;
    auto last = std::chrono::steady_clock::now();
    const auto take = [&](const Answer& answer) {
      waiting.emplace_back(unjudged.at(answer.id), answer);
      unjudged.erase(answer.id);
      const auto now = std::chrono::steady_clock::now();
      if (!judges_meanwhile() || now - last < kPause) return;
      judge(round, waiting);
      waiting.clear();
      last = std::chrono::steady_clock::now();
    };
    const std::vector<Answer> answers = draft(
        writer, requests, generation, round.file,
        [&](const Standing& standing) {
          if (on_progress) on_progress(round.name, standing, requests.size());
        },
        take);
    for (const Answer& answer : answers)  // those of an earlier call
      if (const auto found = unjudged.find(answer.id); found != unjudged.end())
        waiting.emplace_back(found->second, answer);
    judge(round, waiting);
    return answers;
  }

  // Asks, judges and keeps.
  void play(const Round& round, const std::vector<Work*>& open, DistillRound* count) const {
    if (open.empty()) return;
    for (const Answer& answer : ask(round, open)) count->tokens += answer.tokens;
    for (Work* work : open) {
      count->asked++;
      count->accepted += work->candidate.accepted;
      keep(round, *work, std::move(work->candidate));
    }
  }

  // An own answer that is right ends the search; else the first rewrite says why there is none.
  void keep(const Round& round, Work& work, DistilledTurn candidate) const {
    const bool enough = round.candidate == 0 || options.choice == CandidateChoice::kFirst;
    if (candidate.accepted)
      work.open = !enough;
    else if (candidate.reason == kPromptDidNotFit && round.shows_reference)
      work.open = false;
    if (candidate.accepted)
      work.accepted.push_back(std::move(candidate));
    else if (round.candidate == 1)
      work.turn = std::move(candidate);
  }

  // Those that are measured: all, where the likeliest is chosen, else some that stand for them.
  std::vector<Work*> measured(std::vector<Work>* works) const {
    std::vector<Work*> all, some;
    for (Work& work : *works)
      if (!work.accepted.empty()) all.push_back(&work);
    const auto most = static_cast<size_t>(options.gap_samples);
    if (most == 0 || all.size() <= most || options.choice == CandidateChoice::kLikeliest) return all;
    for (size_t i = 0; i < most; ++i) some.push_back(all[i * all.size() / most]);
    return some;
  }

  // Of each turn's accepted candidates one, with its likelihood and that of the original where it is
  // measured.
  void choose(std::vector<Work>* works) const {
    const std::vector<Work*> chosen = measured(works);
    std::vector<Example> texts;  // the originals and the candidates that differ from them
    for (const Work* work : chosen) {
      texts.push_back(work->example);
      for (const DistilledTurn& candidate : work->accepted) {
        if (candidate.rewrite == work->example.response) continue;
        texts.push_back(work->example);
        texts.back().response = candidate.rewrite;
      }
    }
    const std::vector<AnswerLikelihood> values = likelihoods(
        model, formatter, find_prompt_template(options.training_template), texts, options.generation.stop);
    size_t at = 0;
    for (Work* work : chosen) {
      const AnswerLikelihood original = values[at++];
      for (DistilledTurn& candidate : work->accepted) {
        candidate.of_original = original;
        candidate.of_rewrite = candidate.rewrite == work->example.response ? original : values[at++];
      }
    }
    for (Work& work : *works) {
      if (work.accepted.empty()) continue;
      // The first among equals; one that is too long to be scored comes last.
      auto value = [](const DistilledTurn& turn) {
        return turn.of_rewrite.tokens > 0 ? turn.of_rewrite.per_token() : -INFINITY;
      };
      work.turn = *std::max_element(
          work.accepted.begin(), work.accepted.end(),
          [&](const DistilledTurn& a, const DistilledTurn& b) { return value(a) < value(b); });
    }
  }
};

// A setting in which nothing is accepted is said after few rewrites, not after all.
[[noreturn]] void fail_probe(const std::vector<Work*>& probe) {
  std::map<std::string, size_t> reasons;
  std::string shown;
  for (const Work* work : probe)
    if (reasons[work->turn.reason]++ == 0)
      shown +=
          fmt::format("\n  {}, example '{}': \"{}\" for the original \"{}\"", work->turn.reason,
                      work->turn.id, work->turn.rewrite.substr(0, 120), work->turn.original.substr(0, 120));
  std::string counts;
  for (const auto& [reason, count] : reasons)
    counts += (counts.empty() ? "" : ", ") + fmt::format("{} {}", count, reason);
  fail_input(
      "distill",
      fmt::format("none of the first {} rewrites was accepted ({}):{}\n ", probe.size(), counts, shown),
      "look at answer_check and acceptance, the distill_template, max_new_tokens; probe_samples=0 "
      "goes on all the same");
}

std::vector<Work> works_of(const Dataset& dataset, Reasoning reasoning) {
  std::vector<Work> works;
  std::set<std::string> ids;
  for (const Example& example : dataset.examples)
    for (Example& turn : turns_of(example)) {
      Work work{apply_reasoning(reasoning, std::move(turn))};
      work.turn.id = work.example.id;
      if (!ids.insert(work.turn.id).second)
        fail_input(place_of(example), "its turn is called '" + work.turn.id + "', as another example",
                   "give the examples other ids");
      work.turn.original = work.example.response;
      works.push_back(std::move(work));
    }
  return works;
}

// The turns behind their examples, which are in the same order. An answer that calls tools, or is not
// learned, stays as it is.
std::vector<DistilledExample> gathered(const Dataset& dataset, std::vector<Work> works) {
  std::vector<DistilledExample> distilled;
  size_t at = 0;
  for (const Example& example : dataset.examples) {
    distilled.push_back({example.id, {}});
    auto& turns = distilled.back().turns;
    for (size_t left = turns_of(example).size(); left > 0; --left)
      turns.push_back(std::move(works[at++].turn));
    if (!turns.empty() && turns.back().id == example.id) continue;
    turns.emplace_back();
    turns.back().id = example.id;
    turns.back().original = example.response;
    turns.back().reason = answer_is_call(example) ? kToolCall : kNotLearned;
  }
  return distilled;
}

std::vector<DistillRound> play_all(const Distiller& distiller, std::vector<Work>* works) {
  std::vector<DistillRound> counts;
  for (const Round& round : rounds_of(distiller.options)) {
    std::vector<Work*> open;
    for (Work& work : *works)
      if (work.open) open.push_back(&work);
    counts.push_back({round.name, 0, 0, 0});
    const auto probe = static_cast<size_t>(distiller.options.probe_samples);
    const bool own_accepted = counts.front().accepted > 0;  // of this round none is counted yet
    if (round.candidate == 1 && !own_accepted && probe > 0 && open.size() > probe) {
      const std::vector<Work*> first(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(probe));
      distiller.play(round, first, &counts.back());
      if (counts.back().accepted == 0) fail_probe(first);
      open.erase(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(probe));
    }
    distiller.play(round, open, &counts.back());
  }
  return counts;
}

DistillSummary summarize(const std::vector<DistilledExample>& distilled, std::vector<DistillRound> rounds) {
  DistillSummary s;
  s.rounds = std::move(rounds);
  size_t original_length = 0, rewrite_length = 0;
  AnswerLikelihood originals, rewrites;
  auto add = [](AnswerLikelihood* sum, const AnswerLikelihood& one) {
    sum->log_prob += one.log_prob;
    sum->tokens += one.tokens;
  };
  for (const DistilledExample& example : distilled)
    for (const DistilledTurn& turn : example.turns) {
      if (turn.left_out()) {
        s.left_out++;
        continue;
      }
      s.answers++;
      if (turn.reason == kPromptDidNotFit) s.too_long.push_back(turn.id);
      if (!turn.accepted) {
        s.rejected[turn.reason]++;
        continue;
      }
      s.accepted++;
      s.unchanged += turn.rewrite == stripped(turn.original);
      original_length += turn.original.size();
      rewrite_length += turn.rewrite.size();
      if (turn.of_original.tokens == 0 || turn.of_rewrite.tokens == 0) continue;  // not measured, or too long
      s.measured++;
      add(&originals, turn.of_original);
      add(&rewrites, turn.of_rewrite);
    }
  if (originals.tokens > 0) s.logprob_original = originals.per_token();
  if (rewrites.tokens > 0) s.logprob_rewrite = rewrites.per_token();
  if (original_length > 0)
    s.length_ratio = static_cast<double>(rewrite_length) / static_cast<double>(original_length);
  return s;
}
}  // namespace

CandidateChoice find_candidate_choice(const std::string& name) {
  if (name == "first") return CandidateChoice::kFirst;
  if (name == "likeliest") return CandidateChoice::kLikeliest;
  fail_usage("candidate_choice '" + name + "' is not known", "first or likeliest");
}

std::vector<DistilledExample> distill(ModelView model, const Formatter& formatter, const Dataset& dataset,
                                      const DistillOptions& options, const fs::path& dir,
                                      const DistillProgress& on_progress) {
  for (const fs::path& folder : {dir, options.rewrites_dir, options.own_answers_dir})
    if (!folder.empty()) make_directories(folder);
  JudgeOptions judging;
  judging.probability_of_yes =
      seed_judge(model, formatter, options.training_template, options.generation.stop);
  const Distiller distiller{
      model,  formatter, options, on_progress, acceptance_checks(options.acceptance, options.answer_check),
      judging};
  std::vector<Work> works = works_of(dataset, options.reasoning);
  const std::vector<DistillRound> rounds = play_all(distiller, &works);
  distiller.choose(&works);
  std::vector<DistilledExample> distilled = gathered(dataset, std::move(works));
  write_distilled(dataset, distilled, dir / "distilled.jsonl");
  write_summary(summarize(distilled, rounds), dir / "summary.json");
  return distilled;
}

}  // namespace sdft
