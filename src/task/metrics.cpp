#include "task/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/regex.h"
#include "base/utf8.h"
#include "task/task.h"
#include "text/jinja/string.h"

namespace sdft {

namespace {
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// The first of the largest, as numpy's argmax; lengths of 0 give infinities, as there.
int64_t likeliest(const Judged& judged, double (*length)(const std::string&)) {
  std::vector<double> values;
  for (size_t i = 0; i < judged.choices.size(); ++i)
    values.push_back(judged.log_likelihoods[i] / length(judged.choices[i]));
  return std::max_element(values.begin(), values.end()) - values.begin();
}
double one(const std::string&) { return 1; }
double characters(const std::string& text) { return static_cast<double>(utf8_count(text)); }
double bytes(const std::string& text) { return static_cast<double>(text.size()); }

MetricValue is_gold(const Judged& judged, int64_t choice) {
  const auto& gold = judged.gold;
  return {std::find(gold.begin(), gold.end(), choice) != gold.end() ? 1.0 : 0.0};
}

template <double (*length)(const std::string&)>
MetricValue accuracy(const Judged& judged) {
  if (judged.choices.empty()) return {judged.greedy.at(0) ? 1.0 : 0.0};  // of output_type loglikelihood
  return is_gold(judged, likeliest(judged, length));
}

MetricValue greedy_gold(const Judged& judged) {
  for (const int64_t gold : judged.gold)
    if (gold >= 0 && judged.greedy[static_cast<size_t>(gold)]) return {1};
  return {0};
}

MetricValue classes(const Judged& judged) {
  if (judged.choices.size() != 2)
    fail_input("metrics f1 and mcc",
               "are known for two classes, an item has " + std::to_string(judged.choices.size()));
  return {static_cast<double>(likeliest(judged, one)), static_cast<double>(judged.gold.at(0))};
}

std::vector<double> probabilities(const Judged& judged) {
  const auto& values = judged.log_likelihoods;
  const double top = *std::max_element(values.begin(), values.end());
  std::vector<double> shares;
  double sum = 0;
  for (const double value : values) sum += shares.emplace_back(std::exp(value - top));
  for (double& share : shares) share /= sum;
  return shares;
}

MetricValue brier(const Judged& judged) {
  double sum = 0;
  const auto shares = probabilities(judged);
  for (size_t i = 0; i < shares.size(); ++i) {
    const double miss = shares[i] - (static_cast<int64_t>(i) == judged.gold.at(0) ? 1 : 0);
    sum += miss * miss;
  }
  return {sum};
}

MetricValue log_likelihood(const Judged& judged) { return {judged.log_likelihoods.at(0)}; }
MetricValue by_words(const Judged& judged) {
  static const Regex kSpace("\\s+", "words of a text", RegexSyntax::kPython);
  // Python's re.split: pieces between, and empty ones at the ends.
  return {judged.log_likelihoods.at(0),
          1.0 + static_cast<double>(kSpace.find_all(judged.references.at(0)).size())};
}
MetricValue by_bytes(const Judged& judged) {
  return {judged.log_likelihoods.at(0), bytes(judged.references.at(0))};
}

MetricValue kl(const Judged& judged) { return {judged.distance.kl}; }
MetricValue agreement(const Judged& judged) { return {judged.distance.agreement}; }

// exact_match of generation, with its arguments.
struct ExactMatch {
  std::vector<std::shared_ptr<const Regex>> ignored;
  bool ignore_case = false, ignore_punctuation = false, ignore_numbers = false;

  std::string normal(std::string text) const {
    for (const auto& regex : ignored) text = regex->replace_all(text, "");
    if (ignore_case) text = jinja::lower(text);
    auto drop = [&](auto unwanted) {
      text.erase(std::remove_if(text.begin(), text.end(), unwanted), text.end());
    };
    if (ignore_punctuation)
      drop([](char c) {
        return static_cast<signed char>(c) > ' ' && c != 127 && !std::isalnum(static_cast<unsigned char>(c));
      });
    if (ignore_numbers) drop([](char c) { return c >= '0' && c <= '9'; });
    return text;
  }
  MetricValue operator()(const Judged& judged) const {
    const std::string answer = normal(judged.answer);
    for (const std::string& reference : judged.references)
      if (normal(reference) == answer) return {1};
    return {0};
  }
};

ExactMatch read_exact_match(const Json& entry, const std::string& where) {
  ExactMatch match;
  match.ignore_case = value_or<bool>(entry, "ignore_case", false, where);
  match.ignore_punctuation = value_or<bool>(entry, "ignore_punctuation", false, where);
  match.ignore_numbers = value_or<bool>(entry, "ignore_numbers", false, where);
  for (const auto& pattern : value_or<std::vector<std::string>>(entry, "regexes_to_ignore", {}, where))
    match.ignored.push_back(std::make_shared<Regex>(pattern, where, RegexSyntax::kPython));
  return match;
}

using Of = std::function<MetricValue(const Judged&)>;
struct Row {
  const char* name;
  std::set<OutputType> outputs;
  Aggregation aggregation;
  bool higher_is_better;
  bool verdict;
  Of of;
};

const std::vector<Row>& rows() {
  constexpr auto kChoice = OutputType::kMultipleChoice;
  constexpr auto kLikelihood = OutputType::kLogLikelihood, kRolling = OutputType::kLogLikelihoodRolling;
  static const std::vector<Row> kRows = {
      {"acc", {kChoice, kLikelihood}, Aggregation::kMean, true, true, accuracy<one>},
      {"acc_norm", {kChoice}, Aggregation::kMean, true, true, accuracy<characters>},
      {"acc_bytes", {kChoice}, Aggregation::kMean, true, true, accuracy<bytes>},
      {"exact_match", {kChoice}, Aggregation::kMean, true, true, greedy_gold},
      {"exact_match", {OutputType::kGenerateUntil}, Aggregation::kMean, true, true, nullptr},
      {"f1", {kChoice}, Aggregation::kF1, true, false, classes},
      {"mcc", {kChoice}, Aggregation::kMatthews, true, false, classes},
      {"brier_score", {kChoice}, Aggregation::kMean, false, false, brier},
      {"perplexity", {kLikelihood}, Aggregation::kPerplexity, false, false, log_likelihood},
      {"word_perplexity", {kRolling}, Aggregation::kWeightedPerplexity, false, false, by_words},
      {"byte_perplexity", {kRolling}, Aggregation::kWeightedPerplexity, false, false, by_bytes},
      {"bits_per_byte", {kRolling}, Aggregation::kBitsPerByte, false, false, by_bytes},
      {"kl", {OutputType::kDivergence}, Aggregation::kMean, false, false, kl},
      {"agreement", {OutputType::kDivergence}, Aggregation::kMean, true, false, agreement},
  };
  return kRows;
}

const std::map<std::string, Aggregation>& aggregations() {
  static const std::map<std::string, Aggregation> kNames = {
      {"mean", Aggregation::kMean},
      {"nanmean", Aggregation::kNanMean},
      {"median", Aggregation::kMedian},
      {"perplexity", Aggregation::kPerplexity},
      {"weighted_perplexity", Aggregation::kWeightedPerplexity},
      {"bits_per_byte", Aggregation::kBitsPerByte},
      {"f1", Aggregation::kF1},
      {"matthews_corrcoef", Aggregation::kMatthews},
  };
  return kNames;
}

const Row& find_row(const std::string& name, OutputType output, const std::string& where) {
  std::vector<std::string> fitting;
  for (const Row& row : rows()) {
    if (!row.outputs.count(output)) continue;
    if (name == row.name) return row;
    fitting.push_back(row.name);
  }
  fail_input(where, "metric '" + name + "' is not known for output_type " + name_of(output),
             "known are " + joined(fitting));
}

struct Confusion {
  double hit = 0, missed = 0, wrong = 0, rejected = 0;  // of class 1
};
Confusion confusion(const std::vector<MetricValue>& values) {
  Confusion count;
  for (const MetricValue& v : values)
    (v.weight == 1 ? (v.value == 1 ? count.hit : count.missed)
                   : (v.value == 1 ? count.wrong : count.rejected))++;
  return count;
}
}  // namespace

Metric read_metric(const Json& entry, OutputType output, bool computed, const std::string& where) {
  const std::string name = entry.is_object() && entry.contains("metric") && entry["metric"].is_string()
                               ? entry["metric"].get<std::string>()
                               : "";
  if (entry.is_object() && entry.contains("metric") && entry["metric"].is_object())
    fail_input(where, "metric " + entry["metric"].dump() + " is Python that is not known here");
  if (name.empty())
    fail_input(where,
               "metric_list has " + describe(entry) + ", expected {metric: NAME, ...} with a known name");
  Metric metric;
  metric.name = name;
  std::set<std::string> known = {"metric", "aggregation", "higher_is_better", "hf_evaluate"};
  if (!computed) {
    const Row& row = find_row(name, output, where);
    metric.aggregation = row.aggregation;
    metric.higher_is_better = row.higher_is_better;
    metric.verdict = row.verdict;
    metric.of = row.of;
    if (output == OutputType::kGenerateUntil) {
      known.insert({"ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore"});
      metric.of = read_exact_match(entry, where);
    }
  }
  for (const auto& [key, value] : entry.items())
    if (!known.count(key))
      fail_input(where, "metric '" + name + "' has an argument '" + key + "', which is not known");
  metric.higher_is_better = value_or<bool>(entry, "higher_is_better", metric.higher_is_better, where);
  if (entry.contains("aggregation")) {
    const Json& wanted = entry["aggregation"];
    const auto found =
        wanted.is_string() ? aggregations().find(wanted.get<std::string>()) : aggregations().end();
    if (found == aggregations().end())
      fail_input(where,
                 "metric '" + name + "' has the aggregation " + describe(wanted) + ", which is not known");
    metric.aggregation = found->second;
  }
  metric.share = (metric.verdict || computed) && metric.aggregation == Aggregation::kMean;
  return metric;
}

std::vector<Metric> default_metrics(OutputType output) {
  const std::map<OutputType, std::vector<const char*>> defaults = {
      {OutputType::kGenerateUntil, {"exact_match"}},
      {OutputType::kMultipleChoice, {"acc", "acc_norm"}},
      {OutputType::kLogLikelihood, {"perplexity", "acc"}},
      {OutputType::kLogLikelihoodRolling, {"word_perplexity", "byte_perplexity", "bits_per_byte"}},
      {OutputType::kDivergence, {"kl", "agreement"}}};
  std::vector<Metric> metrics;
  for (const char* name : defaults.at(output))
    metrics.push_back(read_metric({{"metric", name}}, output, false, "metrics"));
  return metrics;
}

double aggregate(Aggregation aggregation, const std::vector<MetricValue>& values) {
  double sum = 0, weight = 0, count = 0;
  for (const MetricValue& v : values) {
    if (aggregation == Aggregation::kNanMean && std::isnan(v.value)) continue;
    sum += v.value;
    weight += v.weight;
    count += 1;
  }
  if (count == 0) return kNone;
  switch (aggregation) {
    case Aggregation::kMean:
    case Aggregation::kNanMean:
      return sum / count;
    case Aggregation::kMedian: {
      std::vector<double> sorted;
      for (const MetricValue& v : values) sorted.push_back(v.value);
      std::sort(sorted.begin(), sorted.end());
      return sorted[sorted.size() / 2];
    }
    case Aggregation::kPerplexity:
      return std::exp(-sum / count);
    case Aggregation::kWeightedPerplexity:
      return std::exp(-sum / weight);
    case Aggregation::kBitsPerByte:
      return -sum / weight / std::log(2.0);
    case Aggregation::kF1: {
      const Confusion c = confusion(values);
      const double both = 2 * c.hit + c.missed + c.wrong;
      return both == 0 ? 0 : 2 * c.hit / both;
    }
    case Aggregation::kMatthews: {
      const Confusion c = confusion(values);
      const double product =
          (c.hit + c.wrong) * (c.hit + c.missed) * (c.rejected + c.wrong) * (c.rejected + c.missed);
      return product == 0 ? 0 : (c.hit * c.rejected - c.wrong * c.missed) / std::sqrt(product);
    }
  }
  return kNone;
}

}  // namespace sdft
