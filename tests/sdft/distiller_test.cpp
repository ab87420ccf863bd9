#include "sdft/distiller.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "testing.h"

namespace sdft {
namespace {

using testing::ScratchDir;

// The mini seed model rewrites some of the demo's examples.
struct Distilling : ::testing::Test {
  const std::filesystem::path assets = std::filesystem::path(SDFT_SOURCE_DIR) / "assets";
  Model model = [this] { return load_model(assets / "mini-seed", {"cpu", "f32"}); }();
  Tokenizer tokenizer = Tokenizer::load(assets / "mini-seed");
  ChatTemplate chat = ChatTemplate::load(assets / "mini-seed");
  Formatter formatter{&tokenizer, &chat};
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
  std::vector<DistilledExample> run(const std::string& name, int64_t attempts) {
    options.rewrite_attempts = attempts;
    return distill(model, formatter, dataset, options, dir / name, nullptr);
  }
};

TEST_F(Distilling, EveryExampleIsThereInItsOrder) {
  const auto distilled = run("a", 1);
  ASSERT_EQ(distilled.size(), dataset.examples.size());
  for (size_t i = 0; i < distilled.size(); ++i) {
    EXPECT_EQ(distilled[i].id, dataset.examples[i].id);
    EXPECT_EQ(distilled[i].accepted, distilled[i].reason.empty());
    EXPECT_EQ(distilled[i].target(),
              distilled[i].accepted ? distilled[i].rewrite : dataset.examples[i].response);
  }
  const auto read = read_distilled(dir / "a/distilled.jsonl", dataset);
  for (size_t i = 0; i < read.size(); ++i) EXPECT_EQ(read[i].target(), distilled[i].target());
}

TEST_F(Distilling, FurtherAttemptsOnlyAdd) {
  const auto once = run("once", 1), often = run("often", 4);
  size_t more = 0;
  for (size_t i = 0; i < once.size(); ++i) {
    if (once[i].accepted || !often[i].accepted) {
      EXPECT_EQ(often[i].rewrite, once[i].rewrite);
      EXPECT_EQ(often[i].attempt, 1);
    } else {
      EXPECT_GT(often[i].attempt, 1);
      ++more;
    }
  }
  EXPECT_GT(more, 0u);
  const DistillSummary summary = summarize(model, formatter, dataset, often, options);
  size_t accepted = 0;
  for (size_t count : summary.accepted_at) accepted += count;
  EXPECT_EQ(accepted, summary.accepted);
  const DistillSummary read = summary_from_json(to_json(summary), "summary");
  EXPECT_EQ(read.accepted_at, summary.accepted_at);
}

// What a kill leaves behind: answers in the order in which they ended, and part of a line.
TEST_F(Distilling, GoesOnWhereItWasStopped) {
  run("whole", 3);
  run("part", 3);
  std::vector<std::string> lines;
  for_each_line(dir / "part/rewrites-2.jsonl",
                [&](std::string_view line, size_t) { lines.emplace_back(line); });
  ASSERT_GT(lines.size(), 4u);
  std::string part;
  for (size_t i = lines.size(); i-- > lines.size() / 2;) part += lines[i] + "\n";
  write_file_atomic(dir / "part/rewrites-2.jsonl.part", part + lines[0].substr(0, lines[0].size() / 2));
  std::filesystem::remove(dir / "part/rewrites-2.jsonl");
  std::filesystem::remove(dir / "part/rewrites-3.jsonl");
  std::filesystem::remove(dir / "part/distilled.jsonl");
  run("part", 3);
  for (const char* name : {"rewrites.jsonl", "rewrites-2.jsonl", "rewrites-3.jsonl", "distilled.jsonl"})
    EXPECT_EQ(read_text(dir / "part" / name), read_text(dir / "whole" / name)) << name;
}

// An interrupt keeps every rewrite that was finished.
TEST_F(Distilling, AnInterruptLosesNothingThatWasFinished) {
  std::atomic<bool> stop{false};
  options.generation.stop = &stop;
  options.generation.batch_size = 4;
  size_t before = 0;
  EXPECT_THROW(distill(model, formatter, dataset, options, dir / "a",
                       [&](int64_t, size_t done, size_t) {
                         before = done;
                         if (done >= 10) stop = true;
                       }),
               Error);
  size_t kept = 0;
  for_each_line(dir / "a/rewrites.jsonl.part", [&](std::string_view, size_t) { ++kept; });
  EXPECT_GE(kept, 10u);
  EXPECT_EQ(kept, before);
  stop = false;
  run("a", 1);
  run("whole", 1);
  EXPECT_EQ(read_text(dir / "a/rewrites.jsonl"), read_text(dir / "whole/rewrites.jsonl"));
}

TEST_F(Distilling, AFileOfAnotherDatasetIsRefused) {
  run("a", 1);
  std::swap(dataset.examples[0], dataset.examples[1]);
  EXPECT_THROW(run("a", 1), Error);
  EXPECT_THROW(read_distilled(dir / "a/distilled.jsonl", dataset), Error);
}

TEST_F(Distilling, ASmallerFractionIsPartOfALarger) {
  std::vector<std::vector<DistilledExample>> results;
  for (double fraction : {0.0, 0.3, 0.7, 1.0}) {
    options.distilled_fraction = fraction;
    results.push_back(run("a", 1));
  }
  for (size_t k = 0; k + 1 < results.size(); ++k)
    for (size_t i = 0; i < dataset.examples.size(); ++i)
      EXPECT_LE(results[k][i].distilled, results[k + 1][i].distilled);
  for (const auto& d : results[0]) EXPECT_FALSE(d.distilled);
  for (const auto& d : results[3]) EXPECT_EQ(d.distilled, d.accepted);
}

}  // namespace
}  // namespace sdft
