#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <deque>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/progress.h"
#include "run/generation_endpoint.h"
#include "run/stages.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// What a draft depends on besides its candidate's number and temperature. The whole dataset and not the part
// that a variant uses, so that parts of it share what they have in common.
Fingerprint drafts_fingerprint(const RunContext& run, const VariantJob& job, const std::string& prompt) {
  Fingerprint result = model_fingerprint(run, job.writer(run));
  result.emplace_back("prompt template", prompt_identity(prompt));
  add_settings(&result, job.recipe,
               {"prompt_layout", "seed", "top_k", "top_p", "max_new_tokens", "reasoning",
                "generation_endpoint_model"});
  result.emplace_back("the dataset's examples", job.all->examples_sha256);
  return result;
}

// A folder that is named after its content's origin: other settings have another one.
fs::path drafts_dir(const RunContext& run, const VariantJob& job, const std::string& prompt) {
  const Fingerprint origin = drafts_fingerprint(run, job, prompt);
  const fs::path dir = run.dir() / "drafts" / (fs::path(prompt).stem().string() + "-" + short_sum(origin));
  begin_stage(dir, origin, false);
  return dir;
}

DistillOptions distill_options(const RunContext& run, const VariantJob& job) {
  const Recipe& recipe = job.recipe;
  DistillOptions options;
  options.distill_template = recipe.distill_template;
  options.training_template = recipe.prompt_template;
  options.acceptance = recipe.acceptance;
  options.answer_check = recipe.answer_check;
  options.num_candidates = recipe.num_candidates;
  options.choice = find_candidate_choice(recipe.candidate_choice);
  options.temperatures = recipe.candidate_temperatures;
  options.own_answer_first = recipe.own_answer_first;
  options.probe_samples = recipe.probe_samples;
  options.gap_samples = recipe.gap_samples;
  options.reasoning = find_reasoning(recipe.reasoning);
  options.generation = run.generation(recipe);
  options.writer = endpoint_writer(run, recipe);
  options.rewrites_dir = drafts_dir(run, job, recipe.distill_template);
  if (recipe.own_answer_first) options.own_answers_dir = drafts_dir(run, job, recipe.prompt_template);
  return options;
}

// DIR/newest.json, for whoever follows the run: what was judged last and how many were, of one round. It is
// there while answers are written.
class Newest {
 public:
  explicit Newest(fs::path path) : path_(std::move(path)) {}
  ~Newest() {
    std::error_code none;
    fs::remove(path_, none);
  }
  Newest(const Newest&) = delete;
  Newest& operator=(const Newest&) = delete;
  void begin_round() {
    accepted_ = 0;
    rejected_.clear();
  }
  void add(const std::vector<DistilledTurn>& judged) {
    for (const DistilledTurn& turn : judged) {
      if (turn.accepted)
        ++accepted_;
      else
        ++rejected_[turn.reason];
      std::deque<DistilledTurn>& newest = turn.accepted ? newest_accepted_ : newest_rejected_;
      newest.push_front(turn);
      if (newest.size() > kShown) newest.pop_back();
    }
    Json json = {{"accepted", accepted_}, {"rejected", rejected_}, {"newest", Json::array()}};
    for (const auto* list : {&newest_accepted_, &newest_rejected_})
      for (const DistilledTurn& turn : *list)
        json["newest"].push_back({{"id", turn.id},
                                  {"accepted", turn.accepted},
                                  {"reason", turn.reason},
                                  {"matched", turn.matched},
                                  {"original", turn.original},
                                  {"rewrite", turn.rewrite}});
    write_file_passing(path_, to_line(json) + "\n");
  }

 private:
  static constexpr size_t kShown = 5;  // of each kind
  fs::path path_;
  size_t accepted_ = 0;
  std::map<std::string, size_t> rejected_;
  std::deque<DistilledTurn> newest_accepted_, newest_rejected_;
};

size_t unanswered_count(const std::vector<DistilledExample>& distilled) {
  size_t count = 0;
  for (const DistilledExample& example : distilled)
    for (const DistilledTurn& turn : example.turns) count += turn.reason == kUnanswered;
  return count;
}
}  // namespace

Fingerprint model_fingerprint(const RunContext& run, const fs::path& variant_dir) {
  Fingerprint result = run.seed;
  const Fingerprint trained = trained_fingerprint(variant_dir);
  result.insert(result.end(), trained.begin(), trained.end());
  return result;
}

Fingerprint distill_fingerprint(const RunContext& run, const VariantJob& job) {
  Fingerprint result = model_fingerprint(run, job.writer(run));
  add_settings(&result, job.recipe, kDistill);
  for (const ChosenCheck& check : acceptance_checks(job.recipe.acceptance, job.recipe.answer_check))
    if (!check.argument.file.empty())
      result.emplace_back("the file " + check.argument.text, sha256(check.argument.file));
  result.emplace_back("the dataset's examples", job.used->examples_sha256);
  return result;
}

void distill_stage(RunContext& run, const VariantJob& job) {
  const fs::path dir = run.dir() / job.distill;
  reopen_unanswered(dir);
  if (begin_stage(dir, distill_fingerprint(run, job), run.fresh)) return;
  load_weights(run);
  const TrainedModel writer(run, job.writer(run));
  std::optional<Progress> progress;  // one a round
  std::string shown;
  Newest newest(dir / "newest.json");
  DistillOptions options = distill_options(run, job);
  options.on_judged = [&](const std::vector<DistilledTurn>& judged) { newest.add(judged); };
  const auto distilled = distill(
      writer.view, run.bundle.formatter, job.used->dataset, options, dir,
      [&](const std::string& round, const Standing& answers, size_t total) {
        if (round != shown) {
          progress.reset();
          newest.begin_round();
          progress.emplace(round == "1" ? job.distill
                                        : fmt::format("{}, {}", job.distill,
                                                      round == "own" ? "own answers" : "candidate " + round),
                           total, "answers", run.progress);
          shown = round;
        }
        progress->update(answers);
      });
  progress.reset();
  if (const size_t open = unanswered_count(distilled); open > 0) {
    note_unanswered(dir, open);
    spdlog::warn(
        "{}: {} rewrites have no answer of {}; their originals are learned, and the same command asks again",
        job.distill, open, job.recipe.generation_endpoint);
  }
  end_stage(dir);
}

}  // namespace sdft
