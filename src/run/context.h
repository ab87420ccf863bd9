// What the parts of a run share: the recipe, the one resident model, the wish to stop.
#pragma once

#include <atomic>

#include "base/progress.h"
#include "data/samples.h"
#include "data/selection.h"
#include "infer/model_bundle.h"
#include "run/recipe.h"
#include "run/stage_folder.h"

namespace sdft {

struct RunContext {
  Recipe recipe;
  ModelBundle bundle;  // of model_name_or_path; the adapter of adapter_name_or_path is part of the seed
  Fingerprint seed;    // seed_fingerprint(), set by run_recipe()
  bool fresh = false;  // make anew what was made from something else
  const std::atomic<bool>* stop = nullptr;
  ProgressTo progress;

  // Reads the model folder but for its weights. Error(kInput), Error(kUsage) where none is named.
  explicit RunContext(const Recipe& recipe);

  std::filesystem::path dir() const { return recipe.output_dir; }
  const PromptTemplate& training_template() const { return find_prompt_template(recipe.prompt_template); }
  ModelView seed_model() const { return bundle.with_adapter(); }
  // Of the recipe, or of a variant's own.
  GenerateOptions generation(const Recipe& own) const;  // with its sampling
  SampleSettings samples(const Recipe& own) const;      // of training
  GenerateOptions generation() const { return generation(recipe); }
  SampleSettings samples() const { return samples(recipe); }
};

// Whether a variant's folder, or a model of the recipe's `adapters`, is an adapter upon the seed's weights.
bool is_adapter(const std::filesystem::path& dir);
// A model as a variant left it: an adapter on the seed's weights, or weights of its own; the seed itself
// where `dir` is empty. The context must outlive it, and have its weights loaded.
struct TrainedModel {
  Adapter adapter;
  Model full;
  ModelView view;

  TrainedModel(RunContext& run, const std::filesystem::path& dir);
  TrainedModel(const TrainedModel&) = delete;
  TrainedModel& operator=(const TrainedModel&) = delete;
};

// The weights and the seed's adapter, unless they are there.
LoadOptions load_options(const Recipe& recipe);  // of the seed
void load_weights(RunContext& run);

// A dataset by its path or its name in the recipe's dataset_dir; `response_required` false for prompts only.
Dataset open_dataset(const Recipe& recipe, const std::string& dataset, const Columns& columns, size_t limit,
                     bool response_required);
// All examples of the datasets of `list` ("a.jsonl, b.jsonl", or one whose own name holds a comma), with
// answers and weights, to select() from.
Dataset open_datasets(const Recipe& recipe, const std::string& list);
// What the recipe selects of its `dataset`.
Selection selection_of(const Recipe& recipe);

}  // namespace sdft
