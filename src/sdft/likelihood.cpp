#include "sdft/likelihood.h"

#include "infer/scorer.h"

namespace sdft {

namespace {
// The sample with nothing but its last answer counted.
ScoreItem last_answer(Sample sample) {
  size_t begin = sample.supervised.size();
  while (begin > 0 && !sample.supervised[begin - 1]) --begin;
  while (begin > 0 && sample.supervised[begin - 1]) --begin;
  std::fill(sample.supervised.begin(), sample.supervised.begin() + static_cast<std::ptrdiff_t>(begin),
            uint8_t{0});
  if (!sample.supervised.empty()) sample.supervised[0] = 0;
  return {std::move(sample.ids), std::move(sample.supervised)};
}
}  // namespace

std::vector<AnswerLikelihood> likelihoods(ModelView model, const Formatter& formatter,
                                          const PromptTemplate& prompt, const std::vector<Example>& examples,
                                          const std::atomic<bool>* stop) {
  std::vector<ScoreItem> items;
  std::vector<size_t> places;
  for (size_t i = 0; i < examples.size(); ++i) {
    Sample sample = training_sample(formatter, prompt, examples[i], 0);
    if (static_cast<int64_t>(sample.ids.size()) > model->config.max_position_embeddings) continue;
    items.push_back(last_answer(std::move(sample)));
    places.push_back(i);
  }
  std::vector<AnswerLikelihood> result(examples.size());
  ScoreOptions options;
  options.stop = stop;
  const std::vector<Score> scores = score(model, items, options);
  for (size_t k = 0; k < places.size(); ++k) result[places[k]] = {scores[k].log_prob, scores[k].count};
  return result;
}

}  // namespace sdft
