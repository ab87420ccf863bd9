#include "sdft/distiller.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "sdft/mini_seed.h"
#include "testing.h"

namespace sdft {
namespace {

using testing::ScratchDir;

// The mini seed model rewrites some of the demo's examples.
struct Distilling : ::testing::Test, testing::MiniSeed {
  Dataset dataset = read_dataset(assets / "mini-world/delivery_train.jsonl");
  DistillOptions options;
  ScratchDir dir;

  Distilling() {
    dataset.examples.resize(40);
    options.answer_check = "answer";

    options.generation.sampling = {0.95, 50, 0.7};
    options.generation.max_new_tokens = 48;
    options.generation.stop_ids = model.config.eos_token_ids;
  }
  std::vector<DistilledExample> run(const std::string& name, int64_t candidates) {
    options.num_candidates = candidates;
    options.rewrites_dir = dir / name / "drafts";
    options.own_answers_dir = dir / name / "own";
    return distill(model, formatter, dataset, options, dir / name, nullptr);
  }
  static const DistilledTurn& answer(const DistilledExample& example) { return example.turns.back(); }
};

TEST_F(Distilling, EveryExampleIsThereInItsOrder) {
  const auto distilled = run("a", 1);
  ASSERT_EQ(distilled.size(), dataset.examples.size());
  const auto targets = targets_of(dataset, distilled, {});
  for (size_t i = 0; i < distilled.size(); ++i) {
    const DistilledTurn& turn = answer(distilled[i]);
    EXPECT_EQ(distilled[i].id, dataset.examples[i].id);
    EXPECT_EQ(turn.accepted, turn.reason.empty());
    EXPECT_EQ(targets[i].response, turn.accepted ? turn.rewrite : dataset.examples[i].response);
  }
  const auto read = read_distilled(dir / "a/distilled.jsonl", dataset);
  const auto again = targets_of(dataset, read, {});
  for (size_t i = 0; i < read.size(); ++i) EXPECT_EQ(again[i].response, targets[i].response);
}

TEST_F(Distilling, FurtherCandidatesOnlyAdd) {
  const auto once = run("a", 1), often = run("a", 4);
  size_t more = 0;
  for (size_t i = 0; i < once.size(); ++i) {
    const DistilledTurn &before = answer(once[i]), &after = answer(often[i]);
    if (before.accepted || !after.accepted) {
      EXPECT_EQ(after.rewrite, before.rewrite);
      EXPECT_EQ(after.candidate, 1);
    } else {
      EXPECT_GT(after.candidate, 1);
      ++more;
    }
  }
  EXPECT_GT(more, 0u);
  const DistillSummary summary = read_summary(dir / "a/summary.json");
  ASSERT_EQ(summary.rounds.size(), 4u);
  size_t accepted = 0;
  for (const DistillRound& round : summary.rounds) accepted += round.accepted;
  EXPECT_EQ(accepted, summary.accepted);
  EXPECT_EQ(summary.rounds[0].asked, dataset.examples.size());
  EXPECT_GT(summary.rounds[0].tokens, 0);
}

// Of all accepted candidates the likeliest: never less likely than the first accepted one.
TEST_F(Distilling, TheLikeliestCandidateIsChosen) {
  const auto first = run("a", 4);
  options.choice = CandidateChoice::kLikeliest;
  const auto likeliest = run("a", 4);
  size_t other = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    const DistilledTurn &a = answer(first[i]), &b = answer(likeliest[i]);
    EXPECT_EQ(a.accepted, b.accepted);
    if (!a.accepted) continue;
    EXPECT_GE(b.of_rewrite.per_token(), a.of_rewrite.per_token() - 1e-6);
    other += b.candidate != a.candidate;
  }
  EXPECT_GT(other, 0u);
  const DistillSummary summary = read_summary(dir / "a/summary.json");
  for (const DistillRound& round : summary.rounds) EXPECT_EQ(round.asked, dataset.examples.size());
}

// The same rewrites are accepted; some of them stand for all where the gap is measured.
TEST_F(Distilling, TheGapIsMeasuredOnSome) {
  const auto all = run("a", 1);
  options.gap_samples = 5;
  const auto some = run("b", 1);
  size_t measured = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const DistilledTurn &a = answer(all[i]), &b = answer(some[i]);
    EXPECT_EQ(a.accepted, b.accepted);
    EXPECT_EQ(a.rewrite, b.rewrite);
    if (b.of_rewrite.tokens == 0) continue;
    ++measured;
    EXPECT_EQ(a.of_rewrite.log_prob, b.of_rewrite.log_prob);
    EXPECT_EQ(a.of_original.log_prob, b.of_original.log_prob);
  }
  EXPECT_EQ(measured, 5u);
  const DistillSummary whole = read_summary(dir / "a/summary.json"),
                       part = read_summary(dir / "b/summary.json");
  EXPECT_EQ(whole.measured, whole.accepted);
  EXPECT_GT(whole.measured, 5u);
  EXPECT_EQ(part.measured, 5u);
  EXPECT_TRUE(std::isfinite(part.logprob_rewrite));
}

TEST_F(Distilling, AnOwnAnswerThatIsRightIsNotRewritten) {
  // The skill of spelling words backwards: the seed can do it, but not always.
  dataset = read_dataset(assets / "mini-world/strings.jsonl", [] {
    DatasetOptions few;
    few.limit = 40;
    return few;
  }());
  options.own_answer_first = true;
  const auto distilled = run("a", 2);
  size_t own = 0;
  for (const DistilledExample& example : distilled) {
    const DistilledTurn& turn = answer(example);
    own += turn.accepted && turn.candidate == 0;
    EXPECT_TRUE(turn.accepted || turn.candidate == 1);
  }
  EXPECT_GT(own, 5u);
  const DistillSummary summary = read_summary(dir / "a/summary.json");
  ASSERT_EQ(summary.rounds.size(), 3u);
  EXPECT_EQ(summary.rounds[0].name, "own");
  EXPECT_EQ(summary.rounds[0].accepted, own);
  EXPECT_EQ(summary.rounds[1].asked, dataset.examples.size() - own);
}

TEST_F(Distilling, ALadderOfTemperaturesAsksAnew) {
  options.temperatures = {2.0, 0.0};
  const auto distilled = run("a", 2);
  EXPECT_TRUE(std::filesystem::exists(dir / "a/drafts/1-t2.jsonl"));
  EXPECT_TRUE(std::filesystem::exists(dir / "a/drafts/2-t0.jsonl"));
  size_t second = 0;
  for (const DistilledExample& example : distilled) second += answer(example).candidate == 2;
  EXPECT_GT(second, 0u);
}

// The seed writes no trace: the original's stays where the recipe wants traces, and is no part of the answer.
TEST_F(Distilling, ATraceThatTheSeedDoesNotWriteStays) {
  const auto plain = run("a", 4);
  for (Example& example : dataset.examples) example.response = "<think>\nhm\n</think>\n\n" + example.response;
  options.reasoning = Reasoning::kLearn;
  size_t accepted = 0;
  for (const DistilledExample& example : run("b", 4)) {
    const DistilledTurn& turn = answer(example);
    accepted += turn.accepted;
    if (turn.rewrite.empty()) continue;
    EXPECT_EQ(turn.rewrite.rfind("<think>\nhm\n</think>\n\n", 0), 0u) << turn.rewrite;
  }
  EXPECT_GT(accepted, 0u);
  options.reasoning = Reasoning::kDrop;
  const auto dropped = run("c", 4);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(answer(dropped[i]).rewrite, answer(plain[i]).rewrite);
}

// What a kill leaves behind: answers in the order in which they ended, and part of a line.
TEST_F(Distilling, GoesOnWhereItWasStopped) {
  run("whole", 3);
  run("part", 3);
  std::vector<std::string> lines;
  for_each_line(dir / "part/drafts/2-t0.95.jsonl",
                [&](std::string_view line, size_t) { lines.emplace_back(line); });
  ASSERT_GT(lines.size(), 4u);
  std::string part;
  for (size_t i = lines.size(); i-- > lines.size() / 2;) part += lines[i] + "\n";
  write_file_atomic(dir / "part/drafts/2-t0.95.jsonl.part", part + lines[0].substr(0, lines[0].size() / 2));
  std::filesystem::remove(dir / "part/drafts/2-t0.95.jsonl");
  std::filesystem::remove(dir / "part/drafts/3-t0.95.jsonl");
  std::filesystem::remove(dir / "part/distilled.jsonl");
  run("part", 3);
  for (const char* name : {"drafts/1-t0.95.jsonl", "drafts/2-t0.95.jsonl", "drafts/3-t0.95.jsonl",
                           "distilled.jsonl", "summary.json"})
    EXPECT_EQ(read_text(dir / "part" / name), read_text(dir / "whole" / name)) << name;
}

// An interrupt keeps every rewrite that was finished.
TEST_F(Distilling, AnInterruptLosesNothingThatWasFinished) {
  std::atomic<bool> stop{false};
  options.generation.stop = &stop;
  options.generation.batch_size = 4;
  options.rewrites_dir = dir / "a/drafts";
  size_t before = 0;
  EXPECT_THROW(distill(model, formatter, dataset, options, dir / "a",
                       [&](const std::string&, const Standing& answers, size_t) {
                         before = answers.done;
                         if (answers.done >= 10) stop = true;
                       }),
               Error);
  size_t kept = 0;
  for_each_line(dir / "a/drafts/1-t0.95.jsonl.part", [&](std::string_view, size_t) { ++kept; });
  EXPECT_GE(kept, 10u);
  EXPECT_EQ(kept, before);
  stop = false;
  run("a", 1);
  run("whole", 1);
  EXPECT_EQ(read_text(dir / "a/drafts/1-t0.95.jsonl"), read_text(dir / "whole/drafts/1-t0.95.jsonl"));
}

// Examples that were asked before are not asked again, and get the answers they had.
TEST_F(Distilling, MoreExamplesKeepTheDraftsOfFewer) {
  const Dataset all = dataset;
  dataset.examples.resize(10);
  run("a", 1);
  const std::string few = read_text(dir / "a/drafts/1-t0.95.jsonl");
  dataset = all;
  size_t there = 0;
  options.rewrites_dir = dir / "a/drafts";
  distill(model, formatter, dataset, options, dir / "a",
          [&](const std::string&, const Standing& answers, size_t) {
            if (there == 0) there = answers.done;
          });
  EXPECT_EQ(there, 10u);
  run("whole", 1);
  EXPECT_EQ(read_text(dir / "a/drafts/1-t0.95.jsonl"), read_text(dir / "whole/drafts/1-t0.95.jsonl"));
}

TEST_F(Distilling, ADistilledFileOfAnotherDatasetIsRefused) {
  run("a", 1);
  std::swap(dataset.examples[0], dataset.examples[1]);
  EXPECT_THROW(read_distilled(dir / "a/distilled.jsonl", dataset), Error);
}

TEST_F(Distilling, WhereNothingIsAcceptedItStopsEarly) {
  options.probe_samples = 5;
  for (Example& example : dataset.examples) example.response = "not a label at all";
  try {
    run("a", 1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    for (const char* part :
         {"none of the first 5", "5 answer_mismatch", "delivery_train-1", "probe_samples=0"})
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
  options.probe_samples = 0;
  EXPECT_EQ(run("a", 1).size(), dataset.examples.size());
}

TEST_F(Distilling, ASmallerFractionIsPartOfALarger) {
  const auto distilled = run("a", 1);
  std::vector<std::vector<Example>> results;
  for (double fraction : {0.0, 0.3, 0.7, 1.0})
    results.push_back(targets_of(dataset, distilled, {7, fraction, false}));
  for (size_t i = 0; i < dataset.examples.size(); ++i) {
    const std::string& original = dataset.examples[i].response;
    EXPECT_EQ(results[0][i].response, original);
    EXPECT_EQ(results[3][i].response,
              answer(distilled[i]).accepted ? answer(distilled[i]).rewrite : original);
    for (size_t k = 0; k + 1 < results.size(); ++k) {
      const std::string& smaller = results[k][i].response;
      EXPECT_TRUE(smaller == original || smaller == results[k + 1][i].response) << k;
    }
  }
}

TEST_F(Distilling, WhatWasNotAcceptedMayBeLeftOut) {
  const auto distilled = run("a", 1);
  size_t accepted = 0;
  for (const DistilledExample& example : distilled) accepted += example.accepted();
  ASSERT_LT(accepted, dataset.examples.size());
  EXPECT_EQ(targets_of(dataset, distilled, {0, 1, true}).size(), accepted);
  EXPECT_EQ(targets_of(dataset, distilled, {0, 0, true}).size(), dataset.examples.size());
}

}  // namespace
}  // namespace sdft
