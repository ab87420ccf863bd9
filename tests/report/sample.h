// A small report document with everything in it, and tools to look into what is made of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <string>
#include <vector>

#include "report/report.h"
#include "report/verdict.h"

namespace sdft::report {

inline Score make_score(const std::string& model, double value, double half_width, int64_t n = 200) {
  Score score;
  score.model = model;
  score.value = value;
  score.n = n;
  score.interval = {std::max(0.0, value - half_width), std::min(1.0, value + half_width)};
  return score;
}

// Scores of seed, vanilla and sdft, with intervals of ±half_width.
inline Task make_task(const std::string& name, const std::string& kind, double seed, double vanilla,
                      double sdft, double half_width = 0.03) {
  Task task;
  task.name = name;
  task.kind = kind;
  task.metric = "accuracy";
  task.scores = {make_score("seed", seed, half_width), make_score("vanilla", vanilla, half_width),
                 make_score("sdft", sdft, half_width)};
  return task;
}

// The p value of a difference whose interval is 1.96 standard errors to each side.
inline double p_of(double value, const Interval& interval) {
  const double error = (interval.high - interval.low) / 2 / 1.96;
  return error > 0 ? std::erfc(std::fabs(value) / error / std::sqrt(2.0)) : 1;
}

// Tests of all differences from the seed and the baseline, as a run would have made them: p values by the
// intervals, then Holm's correction.
inline void add_tests(Document* document) {
  Evaluation& evaluation = *document->evaluation;
  for (Task& task : evaluation.tasks)
    for (Score& score : task.scores) {
      for (const std::string& against : {std::string("seed"), document->baseline}) {
        const Comparison change = compare(task, score.model, against);
        if (score.model == "seed" || !std::isfinite(change.value)) continue;
        if (!find_difference(task, score.model, against))
          score.differences.push_back({against, change.value, change.interval});
      }
      for (Difference& d : score.differences) {
        d.n = score.n;
        d.p_value = p_of(d.value, d.interval);
        d.detectable = std::min(1.0, 2.8 / 1.96 * (d.interval.high - d.interval.low) / 2);
      }
    }
  evaluation.joint_tests = wanted_joint_tests(evaluation, document->baseline);
  for (JointTest& test : evaluation.joint_tests) {
    std::vector<const Task*> tasks;
    for (const std::string& name : test.tasks)
      for (const Task& task : evaluation.tasks)
        if (task.name == name) tasks.push_back(&task);
    const Comparison mean = mean_comparison(evaluation, tasks, test.model, test.against);
    test.p_value = p_of(mean.value, mean.interval);
  }
  adjust_p_values(&evaluation);
}
inline Document tested(Document document) {
  if (document.evaluation) add_tests(&document);
  return document;
}

inline Document make_document() {
  Document document;
  document.baseline = "vanilla";
  document.run.title = "Small sums";
  document.run.date = "2026-03-01 14:05 UTC";
  document.run.version = "0.1.0";
  document.run.seed = 7;
  document.run.method = "sdft";
  document.run.seed_model = {"models/mini", "LlamaForCausalLM", 12400000, std::string(64, 'a')};
  document.run.datasets = {{"train", "data/train.jsonl", std::string(64, 'b'), 2000}};
  document.run.settings = {{"temperature", "0.95"}, {"lora_rank", "8"}};
  document.run.versions = {{"libtorch", "1.13.1"}};
  document.run.recipe = "model: models/mini\nbaseline: true\n";

  Distillation distillation;
  distillation.name = "distill";
  distillation.examples = 2000;
  distillation.accepted = 1600;
  distillation.rounds = {{"own", 2000, 900, 40000}, {"1", 1100, 500, 20000}, {"2", 600, 200, 11000}};
  distillation.unchanged = 30;
  distillation.rejected = {{"answer_mismatch", 300}, {"banned_phrase", 98}};
  distillation.too_long = {"train-5", "train-77"};
  distillation.length_ratio = 2.5;
  distillation.logprob_original = -1.92;
  distillation.logprob_rewrite = -0.47;
  distillation.samples = {
      {"train-1", "What is 2 + 3?", "5", "2 and 3 make 5.", "accepted", ""},
      {"train-2", "What is 6 + 3?", "9", "That is 8.", "answer_mismatch", "8 instead of 9"}};
  distillation.logprobs = make_histogram({-3, -2.2, -1.9, -1.2, -1.1}, {-0.9, -0.5, -0.4, -0.3, -0.2});
  document.distillations = {distillation};

  document.training = {
      {"vanilla", {10, 20, 30}, {2.0, 1.0, 0.5}, {1e-4, 5e-5, 0}, {1, 0.5, 0.4}, {900, 910, 905}, {}},
      {"sdft", {10, 20, 30}, {0.7, 0.5, 0.4}, {1e-4, 5e-5, 0}, {0.6, 0.5, 0.4}, {}, {0.9, kMissing, 0.6}}};
  document.shifts = {
      {"vanilla", 0.021, {{0, "q_proj", 0.01}, {1, "q_proj", 0.03}, {std::nullopt, "lm_head", 0.002}}},
      {"sdft", 0.0042, {{0, "q_proj", 0.003}, {1, "q_proj", 0.005}}}};

  Evaluation evaluation;
  evaluation.models = {"seed", "vanilla", "sdft"};
  evaluation.tasks = {
      make_task("sums", "target", 0.12, 0.69, 0.71), make_task("facts", "retained", 0.58, 0.25, 0.57),
      make_task("format", "retained", 0.84, 0.40, 0.83), make_task("refusals", "safety", 0.95, 0.80, 0.94)};
  evaluation.tasks[0].scores[2].differences = {{"seed", 0.59, {0.52, 0.66}}};
  evaluation.tasks[0].samples = {
      {"test-1",
       "What is 4 + 4?",
       "8",
       {{"seed", "4", false}, {"vanilla", "8", true}, {"sdft", "4 and 4 make 8.", true}}}};
  evaluation.tasks[1].transitions = {{"vanilla", 200, 70, 4, 70, 4, {"fact-1", "fact-9"}, {"fact-3"}, 1e-16},
                                     {"sdft", 200, 5, 3, 5, 3, {"fact-9"}, {}}};
  evaluation.tasks[2].chance = 0.25;
  evaluation.tasks[2].transitions = {{"sdft", 200, 8, 6, 3.5, kMissing, {}, {}}};
  document.evaluation = evaluation;
  add_tests(&document);
  document.timings = {{"distill", 372.4}, {"train", 4000}};
  document.peak_memory_bytes = 1.5 * 1024 * 1024 * 1024;
  return document;
}

// Two variants of which one learns from its own answers and was stopped; both were watched.
inline Document make_watched_document() {
  Document document = make_document();
  document.training[1].answer_length = {20, 18, 17};
  document.training[1].answers_ended = {1, 1, 0.5};
  document.learning = {
      {"vanilla",
       "sft",
       "kl_to_seed",
       "reverse: KL(student || seed), nothing new",
       {{"anchor_weight", "0.1"}},
       12300},
      {"sdft", "on_policy", "full_logits", "forward: KL(teacher || student), all of it", {}, 0}};
  document.watches = {
      {"vanilla",
       {15, 30},
       {{"task", {0.1, 0.3}, {1.2, 1.1}, {12, 11}, {1, 0.9}, {0.1, 0.12}},
        {"retained", {0.01, 0.0325}, {0.5, 0.4}, {30, 31}, {1, 1}, {0.2, 0.21}}},
       30,
       ""},
      {"sdft",
       {10, 20, 30},
       {{"task", {0.1, 0.2, 4}, {1.2, 1.1, 0.7}, {12, 11, 3}, {1, 0.9, 0.2}, {0.1, 0.12, 0.5}}},
       20,
       "80 % of its words are repeated"}};
  return document;
}

inline size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// The names of the open elements left at the end; fails on a mismatch.
inline std::vector<std::string> unclosed(const std::string& html) {
  std::vector<std::string> open;
  std::regex tag("<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\\s+[a-zA-Z0-9:-]+(?:=\"[^\"<>]*\")?)*)\\s*(/?)>");
  size_t tags = 0;
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it, ++tags) {
    std::string name = (*it)[2];
    if (name == "meta" || name == "col" || name == "input" || !(*it)[4].str().empty()) continue;
    if ((*it)[1].str().empty()) {
      open.push_back(name);
    } else {
      EXPECT_FALSE(open.empty());
      if (open.empty()) break;
      EXPECT_EQ(open.back(), name) << "at " << it->position();
      open.pop_back();
    }
  }
  EXPECT_EQ(count_of(html, "<"),
            tags + 1);  // all but the doctype are tags of ours: nothing else was left unescaped
  return open;
}

// Text that would do harm in one of the outputs if it were not escaped.
inline const std::string kHostile =
    "<script>alert('x')</script>\"><img src=x onerror=y> | a \\| b `tick` ```\nfence\n```` [t](javascript:z) "
    "*b* "
    "\x1b[31m \xff\xfe \xe2\x80\xae";

}  // namespace sdft::report
