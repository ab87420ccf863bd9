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
  std::vector<float> weights, rollout;
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
    rollout.insert(rollout.end(), sample->rollout_log_probs.begin(), sample->rollout_log_probs.end());
    begin += length;
    teacher_begin += teacher_length;
  }
  auto on_device = [&](const std::vector<int64_t>& x) {
    return at::tensor(at::ArrayRef<int64_t>(x), at::kLong).to(device);
  };
  auto floats = [&](const std::vector<float>& x) {
    return at::tensor(at::ArrayRef<float>(x), at::kFloat).to(device);
  };
  MicroBatch batch{pack(sequences, device), on_device(rows), on_device(targets), floats(weights)};
  if (!rollout.empty()) batch.rollout_log_probs = floats(rollout);
  if (!teacher_sequences.empty()) {
    batch.teacher_tokens = pack(teacher_sequences, device);
    batch.teacher_rows = on_device(teacher_rows);
  }
  return batch;
}

class FixedData final : public BatchSource {
 public:
  FixedData(const std::vector<Sample>& samples, int64_t per_step, uint64_t seed)
      : samples_(samples), order_(samples.size(), per_step, seed) {}

  int64_t steps_per_epoch() const override { return order_.steps_per_epoch(); }

  std::vector<const Sample*> batch(int64_t step) override {
    std::vector<const Sample*> batch;
    for (const size_t place : order_.of_step(step)) batch.push_back(&samples_[place]);
    return batch;
  }

 private:
  const std::vector<Sample>& samples_;
  EpochOrder order_;
};
}  // namespace

std::vector<size_t> EpochOrder::of_step(int64_t step) {
  const int64_t epoch = step / steps_per_epoch();
  if (epoch != epoch_) {
    epoch_ = epoch;
    std::iota(order_.begin(), order_.end(), size_t{0});
    Random(seed_, "epoch " + std::to_string(epoch)).shuffle(order_);
  }
  const size_t first = static_cast<size_t>(step % steps_per_epoch()) * per_step_;
  const size_t end = std::min(first + per_step_, order_.size());
  return {order_.begin() + static_cast<std::ptrdiff_t>(first),
          order_.begin() + static_cast<std::ptrdiff_t>(end)};
}

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

std::vector<PassShape> pass_shapes(const std::vector<const Sample*>& samples, int64_t max_tokens) {
  std::vector<PassShape> shapes;
  for (const auto& part : divide(samples, max_tokens)) {
    PassShape shape{0, 0, shapes.empty()};
    for (const Sample* sample : part) {
      shape.tokens += static_cast<int64_t>(sample->ids.size());
      shape.targets += supervised_tokens(*sample);
    }
    if (shape.targets > 0) shapes.push_back(shape);
  }
  return shapes;
}

Tensor target_log_probs(ModelView model, const MicroBatch& batch, const ForwardOptions& options) {
  at::NoGradGuard no_grad;
  const ops::Head head = head_of(model, batch.tokens, batch.rows, options);
  return ops::token_log_probs(head.hidden, head.weight, batch.targets, head.cap,
                              precision_of(model, options));
}

ops::Head head_of(ModelView model, const PackedTokens& tokens, const Tensor& rows,
                  const ForwardOptions& options) {
  return head_of(model, forward(model, tokens, options).index_select(0, rows), options);  // hidden [n, C]
}

std::unique_ptr<BatchSource> fixed_data(const std::vector<Sample>& samples, int64_t per_step, uint64_t seed) {
  return std::make_unique<FixedData>(samples, per_step, seed);
}

}  // namespace sdft
