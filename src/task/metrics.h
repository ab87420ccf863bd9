// How answers count: metric_list. A metric gives a value an item; an aggregation makes one of all.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft {

enum class OutputType;

// How far a model is from the seed along the tokens of an answer.
struct Distance {
  double kl = 0;         // KL(seed || model), nats, the mean over the tokens; the whole vocabulary
  double agreement = 0;  // share of tokens at which both think the same one the likeliest
};

// What is known of an item once the model has answered.
struct Judged {
  std::vector<std::string> choices;
  std::vector<double> log_likelihoods;  // of the choices, or of the one continuation
  std::vector<bool> greedy;             // whether greedy decoding writes them
  std::vector<int64_t> gold;            // right choices; -1: none of them
  std::string answer;                   // of generation, filtered
  std::vector<std::string> references;  // of generation; and the text of rolling
  Distance distance;                    // of divergence
};

struct MetricValue {
  double value = 0;
  // Of perplexities, how many words or bytes; of f1 and mcc the right class, where `value` is the answer.
  double weight = 1;
};

enum class Aggregation {
  kMean,
  kNanMean,
  kMedian,
  kPerplexity,          // exp(-mean)
  kWeightedPerplexity,  // exp(-sum value / sum weight)
  kBitsPerByte,         // -sum value / sum weight / ln 2
  kF1,                  // of class 1
  kMatthews,
};

struct Metric {
  std::string name;
  Aggregation aggregation = Aggregation::kMean;
  bool higher_is_better = true;
  std::function<MetricValue(const Judged&)> of;  // none: process_results gives it
  bool verdict = false;                          // an item's value is 0 or 1
  bool share = false;  // an item's value is from 0 to 1 and their mean is a score; verdicts are
};

// An entry of metric_list. `computed`: process_results gives the values. Throws Error(kInput) naming `where`
// on a metric, argument or aggregation that is not known or does not fit the output type.
Metric read_metric(const Json& entry, OutputType output, bool computed, const std::string& where);
std::vector<Metric> default_metrics(OutputType output);

// NaN of no values.
double aggregate(Aggregation aggregation, const std::vector<MetricValue>& values);

}  // namespace sdft
