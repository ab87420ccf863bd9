// Stretched positions: GGUF metadata and tensors -> config.json's rope_scaling.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/gguf_import.h"

namespace sdft {
namespace {

std::vector<double> numbers(const GgufFile& file, const std::string& name) {
  const Tensor values = file.get(name, at::kFloat).to(at::kDouble).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

// Llama 3.1's rule: wavelengths up to original / high keep their frequency, from original / low on it is
// divided by `factor`, between them a mixture.
struct Llama3 {
  double factor, low, high, original;

  double divisor(double wavelength) const {
    if (wavelength < original / high) return 1;
    if (wavelength > original / low) return factor;
    const double smooth = (original / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  }
};

double wavelength(size_t pair, size_t pairs, double theta) {
  return 2 * M_PI * std::pow(theta, static_cast<double>(pair) / static_cast<double>(pairs));
}

bool gives(const Llama3& rule, const std::vector<double>& divisors, double theta) {
  for (size_t i = 0; i < divisors.size(); ++i) {
    const double expected = rule.divisor(wavelength(i, divisors.size(), theta));
    if (!(std::abs(divisors[i] - expected) <= 1e-4 * expected)) return false;
  }
  return true;
}

// The rule that fits best; only low : high : original matters, so that low is 1. What lies between the two
// ends is a line, smooth = a / wavelength + b. With one such point, high is 4 as in all Llamas; with none,
// any rule does whose ends lie in the gap.
Llama3 fitted(const std::vector<double>& divisors, double factor, double theta) {
  std::vector<std::pair<double, double>> between;  // wavelength, smooth
  double short_end = 0, long_end = 0;  // the last that is kept, the first that is divided by `factor`
  for (size_t i = 0; i < divisors.size(); ++i) {
    const double length = wavelength(i, divisors.size(), theta);
    if (divisors[i] <= 1)
      short_end = length;
    else if (divisors[i] < factor)
      between.emplace_back(length, (1 / divisors[i] - 1 / factor) / (1 - 1 / factor));
    else if (long_end == 0)
      long_end = length;
  }
  if (between.empty()) {
    const double original = 0.99 * long_end;
    return {factor, 1, original / std::max(1.01 * short_end, 0.1 * original), original};
  }
  const auto [first_length, first] = between.front();
  if (between.size() == 1) return {factor, 1, 4, first_length * (1 + 3 * first)};
  const auto [last_length, last] = between.back();
  const double a = (last - first) / (1 / last_length - 1 / first_length), b = first - a / first_length;
  const double high = 1 - 1 / b;
  return {factor, 1, high, a * (high - 1)};
}

// rope_freqs.weight, [D / 2]: what each pair's frequency is divided by.
Json llama3_scaling(const GgufFile& file, double theta) {
  const std::vector<double> divisors = numbers(file, "rope_freqs.weight");
  const double factor = *std::max_element(divisors.begin(), divisors.end());
  if (std::all_of(divisors.begin(), divisors.end(), [](double d) { return d == 1; })) return nullptr;
  const Llama3 fit = fitted(divisors, factor, theta);
  // Written as the whole numbers that they were, where these do as well; config.json wants a whole context.
  const Llama3 rounded{factor, 1, std::round(fit.high), std::round(fit.original)};
  const double scale = 8192 / fit.original;
  for (const Llama3& rule : {Llama3{factor, 1, 4, 8192}, rounded, {factor, scale, scale * fit.high, 8192}})
    if (gives(rule, divisors, theta))
      return {{"rope_type", "llama3"},
              {"factor", rule.factor},
              {"low_freq_factor", rule.low},
              {"high_freq_factor", rule.high},
              {"original_max_position_embeddings", static_cast<int64_t>(rule.original)}};
  fail_input(file.where(),
             "tensor 'rope_freqs.weight' does not follow Llama 3's rule, and no other is known");
}

Json longrope_scaling(const GgufFile& file, const std::string& prefix) {
  Json scaling = {{"rope_type", "longrope"},
                  {"short_factor", numbers(file, "rope_factors_short.weight")},
                  {"long_factor", numbers(file, "rope_factors_long.weight")}};
  if (file.metadata().count(prefix + "attn_factor"))
    scaling["attention_factor"] = file.require<double>(prefix + "attn_factor");
  return scaling;
}

}  // namespace

Json gguf_rope_scaling(const GgufFile& file, const std::string& arch, double theta) {
  const std::string prefix = arch + ".rope.scaling.";
  const auto type = file.value_or<std::string>(prefix + "type", "none");
  if (file.has("rope_factors_long.weight")) return longrope_scaling(file, prefix);
  if (file.has("rope_freqs.weight")) {
    if (type != "none") fail_input(file.where(), "has both rope_freqs.weight and '" + prefix + "type'");
    return llama3_scaling(file, theta);
  }
  if (type == "none") {
    const auto linear = file.value_or<double>(arch + ".rope.scale_linear", 1);  // before there was a type
    return linear == 1 ? Json() : Json{{"rope_type", "linear"}, {"factor", linear}};
  }
  if (type != "linear" && type != "yarn")
    fail_input(file.where(), "metadata '" + prefix + "type': '" + type + "' is not supported",
               "known: none, linear, yarn");
  Json scaling = {{"rope_type", type}, {"factor", file.require<double>(prefix + "factor")}};
  if (type == "linear") return scaling;
  scaling["original_max_position_embeddings"] = file.require<int64_t>(prefix + "original_context_length");
  for (const auto& [theirs, ours] : {std::pair("yarn_attn_factor", "attention_factor"),
                                     {"yarn_beta_fast", "beta_fast"},
                                     {"yarn_beta_slow", "beta_slow"}})
    if (file.metadata().count(prefix + theirs)) scaling[ours] = file.require<double>(prefix + theirs);
  if (file.metadata().count(prefix + "yarn_truncate"))
    scaling["truncate"] = file.require<bool>(prefix + "yarn_truncate");
  return scaling;
}

}  // namespace sdft
