#include "model/rope.h"

#include <algorithm>
#include <cmath>

namespace sdft {
namespace {

// Llama 3.1: long waves are stretched, short ones stay, those between are mixed.
double llama3(const RopeConfig& rope, double f) {
  const double wavelength = 2 * M_PI / f, original = static_cast<double>(rope.original_max_position);
  const double low = original / rope.low_freq_factor, high = original / rope.high_freq_factor;
  if (wavelength > low) return f / rope.factor;
  if (wavelength < high) return f;
  const double smooth =
      (original / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * f / rope.factor + smooth * f;
}

// YaRN, eq. 17 to 23: which pair of dimensions turns `rotations` times within the trained context.
double yarn_dimension(const RopeConfig& rope, double rotations, int64_t width) {
  return static_cast<double>(width) *
         std::log(static_cast<double>(rope.original_max_position) / (rotations * 2 * M_PI)) /
         (2 * std::log(rope.theta));
}

// Inverse frequencies [R/2] for a sequence of `length` tokens, in f32 as Transformers computes them.
std::vector<float> inverse_frequencies(const RopeConfig& rope, int64_t width, int64_t trained,
                                       int64_t length) {
  double theta = rope.theta;
  if (rope.type == "dynamic" && length > trained) {  // NTK-aware, by bloc97 and emozilla
    const double d = static_cast<double>(width),
                 ratio = static_cast<double>(length) / static_cast<double>(trained);
    theta *= std::pow(rope.factor * ratio - (rope.factor - 1), d / (d - 2));
  }
  const std::vector<double>* divide = nullptr;
  if (rope.type == "longrope") divide = length > trained ? &rope.long_factor : &rope.short_factor;
  double low = yarn_dimension(rope, rope.beta_fast, width),
         high = yarn_dimension(rope, rope.beta_slow, width);
  if (rope.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, static_cast<double>(width - 1));
  if (low == high) high += 0.001;
  std::vector<float> frequencies;
  for (int64_t i = 0; i < width / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(width);
    float f = 1.0f / std::pow(static_cast<float>(theta), exponent);
    if (rope.type == "linear") f /= static_cast<float>(rope.factor);
    if (rope.type == "llama3") f = static_cast<float>(llama3(rope, f));
    if (divide) f /= static_cast<float>((*divide)[static_cast<size_t>(i)]);
    if (rope.type == "yarn") {
      const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      f = static_cast<float>(f / rope.factor * ramp + f * (1 - ramp));
    }
    frequencies.push_back(f);
  }
  return frequencies;
}

RopeRows rows_at(const RopeConfig& rope, const Tensor& frequencies, const Tensor& positions) {
  const Tensor angles = at::outer(positions.to(at::kFloat), frequencies);  // [N, R/2]
  return {angles.cos() * rope.attention_factor, angles.sin() * rope.attention_factor};
}

Tensor on_device(const std::vector<float>& values, at::Device device) {
  return at::tensor(at::ArrayRef<float>(values)).to(device);
}

}  // namespace

RopeTables make_rope_tables(const RopeConfig& rope, const ModelConfig& config, at::Device device) {
  RopeTables tables;
  tables.config = rope;
  tables.rotary_dim = config.rotary_dim();
  if (rope.type == "dynamic" || rope.type == "longrope") tables.trained = rope.original_max_position;
  auto frequencies = [&](int64_t length) {
    return on_device(inverse_frequencies(rope, tables.rotary_dim, tables.trained, length), device);
  };
  tables.frequencies = frequencies(0);
  if (rope.type == "longrope") tables.long_frequencies = frequencies(tables.trained + 1);
  return tables;
}

RopeRows rope_rows(const RopeTables& tables, const std::vector<int64_t>& positions,
                   const std::vector<int64_t>& lengths) {
  const at::Device device = tables.frequencies.device();
  const Tensor where = at::tensor(at::ArrayRef<int64_t>(positions), at::kLong).to(device);  // [N]
  RopeRows rows = rows_at(tables.config, tables.frequencies, where);
  if (tables.trained == 0) return rows;
  // Tokens of sequences beyond the trained length, one length after the other.
  for (size_t begin = 0; begin < positions.size();) {
    size_t end = begin;
    while (end < positions.size() && lengths[end] == lengths[begin]) ++end;
    if (lengths[begin] > tables.trained) {
      const Tensor frequencies = tables.config.type == "longrope"
                                     ? tables.long_frequencies
                                     : on_device(inverse_frequencies(tables.config, tables.rotary_dim,
                                                                     tables.trained, lengths[begin]),
                                                 device);
      const auto first = static_cast<int64_t>(begin), count = static_cast<int64_t>(end - begin);
      const RopeRows other = rows_at(tables.config, frequencies, where.narrow(0, first, count));
      rows.cos.narrow(0, first, count).copy_(other.cos);
      rows.sin.narrow(0, first, count).copy_(other.sin);
    }
    begin = end;
  }
  return rows;
}

}  // namespace sdft
