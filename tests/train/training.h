// A training small enough to run hundreds of times in a test.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "infer/small_model.h"
#include "train/trainer.h"

namespace sdft::testing {

inline std::vector<Sample> samples_of(size_t count, uint64_t seed = 9) {
  std::vector<Sample> samples;
  for (auto& ids : random_prompts(count, 20, seed)) {
    ids.resize(ids.size() + 2, 5);
    Sample sample;
    sample.supervised.assign(ids.size(), 1);
    sample.supervised[0] = 0;
    sample.ids = std::move(ids);
    samples.push_back(std::move(sample));
  }
  return samples;
}

inline TrainOptions quick() {
  TrainOptions options;
  options.learning_rate = 1e-2;
  options.per_device_train_batch_size = 3;
  options.gradient_accumulation_steps = 1;
  options.lora.rank = 4;
  options.save_steps = 0;
  return options;
}

// A training of a model of its own.
struct Training {
  explicit Training(const TrainOptions& given, bool lora = true) : options(given) {
    set_num_threads(1);  // a machine's other work slows threads that wait for each other
    if (lora) adapter = init_adapter(model, options.lora, 1);
    trainer = std::make_unique<Trainer>(model, lora ? &adapter : nullptr,
                                        make_objective("sft", {model, model}), options, 12);
  }

  TrainOptions options;
  Model model = small_model();
  Adapter adapter;
  std::vector<Sample> samples = samples_of(11);
  std::unique_ptr<BatchSource> source = fixed_data(samples, options.samples_per_step(), 4);
  std::unique_ptr<Trainer> trainer;
};

inline void expect_same(const Adapter& a, const Adapter& b) {
  ASSERT_EQ(a.pairs.size(), b.pairs.size());
  for (const auto& [name, pair] : a.pairs) {
    EXPECT_TRUE(pair.a.equal(b.pairs.at(name).a)) << name;
    EXPECT_TRUE(pair.b.equal(b.pairs.at(name).b)) << name;
  }
}

}  // namespace sdft::testing
