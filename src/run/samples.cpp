#include "run/samples.h"

#include <algorithm>

#include "base/interrupt.h"

namespace sdft {

size_t effective_cutoff(const Recipe& recipe, const ModelConfig& config) {
  const int64_t context = config.max_position_embeddings, wanted = recipe.train.cutoff_len;
  return static_cast<size_t>(wanted > 0 ? std::min(wanted, context) : context);
}

Sample training_sample_of(const Session& session, const Example& example) {
  std::string name = session.recipe.prompt_template, reference;
  if (name == kTemplateOfRecord) {
    const std::string where = "example '" + example.id + "'";
    name = value_or<std::string>(example.fields, "template", "chat", where);
    reference = value_or<std::string>(example.fields, "reference", "", where);
  }
  Sample sample = training_sample(session.formatter, find_prompt_template(name), example,
                                  effective_cutoff(session.recipe, session.config), reference);
  if (session.recipe.train_on_prompt)
    std::fill(sample.supervised.begin(), sample.supervised.end(), uint8_t{1});
  return sample;
}

std::vector<Sample> training_samples(const Session& session, const std::vector<Example>& examples) {
  std::vector<Sample> samples;
  for (const Example& example : examples) {
    stop_if_interrupted();
    samples.push_back(training_sample_of(session, example));
  }
  return samples;
}

}  // namespace sdft
