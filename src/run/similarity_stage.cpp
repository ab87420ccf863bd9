#include "run/similarity_stage.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "infer/embeddings.h"
#include "report/report.h"
#include "run/fingerprint.h"
#include "run/stages.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kSeedName = "seed";

bool compares_answers(const TaskSettings& task, const TaskResults& data) {
  if (!task.task.empty()) return false;  // what task files ask is no conversation
  return !data.judged ||
         std::any_of(std::begin(report::kKinds), std::end(report::kKinds),
                     [&](const report::Kind& k) { return task.kind == k.name && k.compares_answers; });
}

// The answers of a model and the seed's to the same prompts.
struct Pairs {
  std::vector<std::string> ids, answers, seeds;
  std::string sha256() const {
    std::string all;
    for (size_t i = 0; i < ids.size(); ++i)
      all += sdft::sha256(to_line(Json{ids[i], answers[i], seeds[i]})) + "\n";
    return sdft::sha256(all);
  }
};

Pairs pairs_of(const TaskResults& data, const std::string& model) {
  Pairs pairs;
  for (const TaskItem& item : data.items) {
    const Answer &seed = item.answers.at(kSeedName).answer, &own = item.answers.at(model).answer;
    if (seed.finish == name_of(FinishReason::kPromptTooLong)) continue;
    pairs.ids.push_back(item.id);
    pairs.answers.push_back(own.text);
    pairs.seeds.push_back(seed.text);
  }
  return pairs;
}

fs::path path_of(const fs::path& run_dir, const std::string& model, const std::string& task) {
  return eval_dir(run_dir, model, task) / "similarity.json";
}

// The embedder, its weights read where something is to be measured.
struct ChosenEmbedder {
  RunContext& run;
  std::optional<SentenceEncoder> encoder;
  std::string identity;  // the content of what it is

  ChosenEmbedder(RunContext& r, const std::string& folder) : run(r) {
    if (folder.empty()) {
      identity = short_sum(run.seed);
      return;
    }
    encoder.emplace(load_sentence_encoder(folder, run.recipe.device));
    identity = folder_sha256(folder) + " " + folder_sha256(encoder->transformer) + " " +
               std::to_string(static_cast<int>(encoder->pooling)) + std::to_string(encoder->normalize);
  }
  Embedder get() const {
    if (encoder) return embedder_of(*encoder);
    load_weights(run);
    return embedder_of(run.seed_model(), run.bundle.tokenizer, "hidden states of the seed");
  }
};

bool is_measured(const fs::path& path, const std::string& made_from) {
  std::error_code none;
  return fs::exists(path, none) &&
         require<std::string>(read_json(path), "made_from", path.string()) == made_from;
}

void measure(const ChosenEmbedder& chosen, const std::string& model, const TaskSettings& task,
             const TaskResults& data) {
  const fs::path path = path_of(chosen.run.dir(), model, task.name);
  const Pairs pairs = pairs_of(data, model);
  if (is_measured(path, pairs.sha256() + " " + chosen.identity)) return;
  Progress progress(model + " " + task.name, 2 * pairs.ids.size(), "texts compared", chosen.run.progress);
  EmbedOptions options;
  options.stop = chosen.run.stop;
  options.on_step = [&](size_t done) { progress.update(done); };
  const Similarity found = similarity(chosen.get(), pairs.answers, pairs.seeds, options);
  Json values = Json::array();
  for (size_t i = 0; i < pairs.ids.size(); ++i)
    values.push_back({{"id", pairs.ids[i]}, {"cosine", found.values[i]}});
  write_json(path, {{"embedder", found.embedder},
                    {"made_from", pairs.sha256() + " " + chosen.identity},
                    {"values", values}});
}
}  // namespace

void similarity_stage(RunContext& run, const std::string& embedding_model,
                      const std::vector<std::string>& models) {
  std::optional<ChosenEmbedder> embedder;
  for (const TaskSettings& task : run.recipe.eval) {
    const TaskResults data = read_task_results(run.dir(), models, task);
    if (!compares_answers(task, data)) continue;
    if (!embedder) embedder.emplace(run, embedding_model);
    for (const std::string& model : models)
      if (model != kSeedName) measure(*embedder, model, task, data);
  }
}

std::optional<AnswerSimilarity> read_similarity(const fs::path& run_dir, const std::string& model,
                                                const TaskSettings& task, const TaskResults& data) {
  const fs::path path = path_of(run_dir, model, task.name);
  std::error_code none;
  if (!fs::exists(path, none)) return std::nullopt;
  const std::string where = path.string();
  const Json json = read_json(path);
  const Pairs pairs = pairs_of(data, model);
  AnswerSimilarity found;
  found.embedder = require<std::string>(json, "embedder", where);
  const std::string of = require<std::string>(json, "made_from", where).substr(0, pairs.sha256().size());
  const auto values = require<std::vector<Json>>(json, "values", where);
  if (of != pairs.sha256() || values.size() != pairs.ids.size())
    fail_input(where, "is of other answers", "run the evaluation again: sdft eval");
  for (const Json& value : values)
    found.results.push_back({require<std::string>(value, "id", where), Verdict::kGraded,
                             std::clamp(require<double>(value, "cosine", where), 0.0, 1.0), ""});
  return found;
}

}  // namespace sdft
