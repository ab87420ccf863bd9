#include "train/batch.h"

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace sdft {

int64_t supervised_tokens(const Sample& sample) {
  return std::accumulate(sample.supervised.begin() + (sample.supervised.empty() ? 0 : 1),
                         sample.supervised.end(), int64_t{0});
}

namespace {
std::vector<std::vector<const Sample*>> divide(const std::vector<const Sample*>& samples,
                                               int64_t max_tokens) {
  std::vector<std::vector<const Sample*>> parts;
  int64_t tokens = 0;
  for (const Sample* sample : samples) {
    const int64_t length = static_cast<int64_t>(std::max(sample->ids.size(), sample->teacher_ids.size()));
    if (parts.empty() || tokens + length > max_tokens) {
      parts.emplace_back();
      tokens = 0;
    }
    parts.back().push_back(sample);
    tokens += length;
  }
  return parts;
}

// unit: the weight of a token whose sample has the weight `base`.
MicroBatch packed(const std::vector<const Sample*>& samples, double unit, double base, at::Device device) {
  std::vector<std::vector<int32_t>> sequences, teacher_sequences;
  std::vector<int64_t> rows, targets, teacher_rows;
  std::vector<float> weights;
  int64_t begin = 0, teacher_begin = 0;
  for (const Sample* sample : samples) {
    const auto length = static_cast<int64_t>(sample->ids.size()),
               teacher_length = static_cast<int64_t>(sample->teacher_ids.size());
    sequences.push_back(sample->ids);
    if (teacher_length > 0) teacher_sequences.push_back(sample->teacher_ids);
    for (int64_t t = 1; t < length; ++t)
      if (sample->supervised[static_cast<size_t>(t)]) {
        rows.push_back(begin + t - 1);
        if (teacher_length > 0) teacher_rows.push_back(teacher_begin + teacher_length - length + t - 1);
        targets.push_back(sample->ids[static_cast<size_t>(t)]);
        weights.push_back(static_cast<float>(unit * (sample->weight / base)));
      }
    begin += length;
    teacher_begin += teacher_length;
  }
  auto on_device = [&](const std::vector<int64_t>& x) {
    return at::tensor(at::ArrayRef<int64_t>(x), at::kLong).to(device);
  };
  const Tensor of_targets = at::tensor(at::ArrayRef<float>(weights), at::kFloat).to(device);
  MicroBatch batch{pack(sequences, device), on_device(rows), on_device(targets), of_targets};
  if (!teacher_sequences.empty()) {
    batch.teacher_tokens = pack(teacher_sequences, device);
    batch.teacher_rows = on_device(teacher_rows);
  }
  return batch;
}

class FixedData final : public BatchSource {
 public:
  FixedData(const std::vector<Sample>& samples, int64_t per_step, uint64_t seed)
      : samples_(samples), per_step_(static_cast<size_t>(per_step)), seed_(seed) {}

  int64_t steps_per_epoch() const override {
    return static_cast<int64_t>((samples_.size() + per_step_ - 1) / per_step_);
  }

  std::vector<const Sample*> batch(int64_t step) override {
    shuffle_for(step / steps_per_epoch());
    const size_t first = static_cast<size_t>(step % steps_per_epoch()) * per_step_;
    std::vector<const Sample*> batch;
    for (size_t i = first; i < std::min(first + per_step_, samples_.size()); ++i)
      batch.push_back(&samples_[order_[i]]);
    return batch;
  }

 private:
  void shuffle_for(int64_t epoch) {
    if (epoch == epoch_) return;
    epoch_ = epoch;
    order_.resize(samples_.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    Random(seed_, "epoch " + std::to_string(epoch)).shuffle(order_);
  }

  const std::vector<Sample>& samples_;
  const size_t per_step_;
  const uint64_t seed_;
  int64_t epoch_ = -1;
  std::vector<size_t> order_;  // of epoch_
};
}  // namespace

std::vector<MicroBatch> micro_batches(const std::vector<const Sample*>& samples, int64_t max_tokens,
                                      at::Device device) {
  // Against the first one's, so that equal weights are exactly 1.
  const double base = samples.empty() ? 1 : samples[0]->weight;
  double whole = 0;
  for (const Sample* sample : samples)
    whole += static_cast<double>(supervised_tokens(*sample)) * (sample->weight / base);
  const double unit = 1.0 / (whole > 0 ? whole : 1.0);
  std::vector<MicroBatch> batches;
  for (const auto& part : divide(samples, max_tokens)) batches.push_back(packed(part, unit, base, device));
  return batches;
}

std::unique_ptr<BatchSource> fixed_data(const std::vector<Sample>& samples, int64_t per_step, uint64_t seed) {
  return std::make_unique<FixedData>(samples, per_step, seed);
}

}  // namespace sdft
