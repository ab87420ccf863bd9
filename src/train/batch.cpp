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
    const int64_t length = static_cast<int64_t>(sample->ids.size());
    if (parts.empty() || tokens + length > max_tokens) {
      parts.emplace_back();
      tokens = 0;
    }
    parts.back().push_back(sample);
    tokens += length;
  }
  return parts;
}

MicroBatch packed(const std::vector<const Sample*>& samples, float weight, at::Device device) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> rows, targets;
  int64_t begin = 0;
  for (const Sample* sample : samples) {
    sequences.push_back(sample->ids);
    for (size_t t = 1; t < sample->ids.size(); ++t)
      if (sample->supervised[t]) {
        rows.push_back(begin + static_cast<int64_t>(t) - 1);
        targets.push_back(sample->ids[t]);
      }
    begin += static_cast<int64_t>(sample->ids.size());
  }
  auto on_device = [&](const std::vector<int64_t>& x) {
    return at::tensor(at::ArrayRef<int64_t>(x), at::kLong).to(device);
  };
  const Tensor weights = at::full({static_cast<int64_t>(rows.size())}, weight,
                                  at::TensorOptions().dtype(at::kFloat).device(device));
  return {pack(sequences, device), on_device(rows), on_device(targets), weights};
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
  int64_t tokens = 0;
  for (const Sample* sample : samples) tokens += supervised_tokens(*sample);
  const auto weight = static_cast<float>(1.0 / static_cast<double>(std::max<int64_t>(1, tokens)));
  std::vector<MicroBatch> batches;
  for (const auto& part : divide(samples, max_tokens)) batches.push_back(packed(part, weight, device));
  return batches;
}

std::unique_ptr<BatchSource> fixed_data(const std::vector<Sample>& samples, int64_t per_step, uint64_t seed) {
  return std::make_unique<FixedData>(samples, per_step, seed);
}

}  // namespace sdft
