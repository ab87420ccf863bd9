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

// What of a few tokens' beginning would be saved is lost to what comes with it.
constexpr int64_t kFewestShared = 8;

// Of the samples' own sequences, or of what their teachers read. Never of learned tokens: answers that are
// not written yet (pass_shapes) would all seem the same.
int64_t shared_beginning(const std::vector<const Sample*>& samples, bool of_teachers, Beginnings beginnings) {
  std::vector<std::vector<int32_t>> prompts;
  for (const Sample* sample : samples) {
    const std::vector<int32_t>& ids = of_teachers ? sample->teacher_ids : sample->ids;
    if (ids.empty()) continue;
    const auto learned = std::find(sample->supervised.begin(), sample->supervised.end(), uint8_t{1});
    const auto answer = static_cast<size_t>(sample->supervised.end() - learned);
    const size_t prompt = std::min(ids.size() - 1, ids.size() - std::min(ids.size(), answer));
    prompts.emplace_back(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(prompt) + 1);
  }
  if (beginnings == Beginnings::kApart || prompts.size() < 2) return 0;
  const int64_t shared = shared_tokens(prompts);
  return shared < kFewestShared ? 0 : shared;
}

// unit: the weight of a token whose sample has the weight `base`.
MicroBatch packed(const std::vector<const Sample*>& samples, double unit, double base, at::Device device,
                  Beginnings beginnings) {
  std::vector<std::vector<int32_t>> sequences, teacher_sequences;
  for (const Sample* sample : samples) {
    sequences.push_back(sample->ids);
    if (!sample->teacher_ids.empty()) teacher_sequences.push_back(sample->teacher_ids);
  }
  const PackedTokens tokens = pack(sequences, device, shared_beginning(samples, false, beginnings)),
                     shown = pack(teacher_sequences, device, shared_beginning(samples, true, beginnings));
  std::vector<int64_t> rows, targets, teacher_rows;
  std::vector<float> weights, rollout;
  size_t teacher = 0;
  for (size_t s = 0; s < samples.size(); ++s) {
    const Sample& sample = *samples[s];
    const auto length = static_cast<int64_t>(sample.ids.size()),
               teacher_length = static_cast<int64_t>(sample.teacher_ids.size());
    for (int64_t t = 1; t < length; ++t)
      if (sample.supervised[static_cast<size_t>(t)]) {
        rows.push_back(tokens.row(s, t - 1));
        if (teacher_length > 0) teacher_rows.push_back(shown.row(teacher, teacher_length - length + t - 1));
        targets.push_back(sample.ids[static_cast<size_t>(t)]);
        weights.push_back(static_cast<float>(unit * (sample.weight / base)));
      }
    rollout.insert(rollout.end(), sample.rollout_log_probs.begin(), sample.rollout_log_probs.end());
    teacher += teacher_length > 0;
  }
  auto on_device = [&](const std::vector<int64_t>& x) {
    return at::tensor(at::ArrayRef<int64_t>(x), at::kLong).to(device);
  };
  auto floats = [&](const std::vector<float>& x) {
    return at::tensor(at::ArrayRef<float>(x), at::kFloat).to(device);
  };
  MicroBatch batch{tokens, on_device(rows), on_device(targets), floats(weights)};
  if (!rollout.empty()) batch.rollout_log_probs = floats(rollout);
  if (!teacher_sequences.empty()) {
    batch.teacher_tokens = shown;
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

Beginnings beginnings_of(const Model& model, const ForwardOptions& options) {
  const bool own = options.dropout.p > 0 || options.noise.alpha > 0;
  return own || !can_share(model) ? Beginnings::kApart : Beginnings::kShared;
}

std::vector<MicroBatch> micro_batches(const std::vector<const Sample*>& samples, int64_t max_tokens,
                                      at::Device device, Beginnings beginnings) {
  // Against the first one's, so that equal weights are exactly 1.
  const double base = samples.empty() ? 1 : samples[0]->weight;
  double whole = 0;
  for (const Sample* sample : samples)
    whole += static_cast<double>(supervised_tokens(*sample)) * (sample->weight / base);
  const double unit = 1.0 / (whole > 0 ? whole : 1.0);
  std::vector<MicroBatch> batches;
  for (const auto& part : divide(samples, max_tokens))
    batches.push_back(packed(part, unit, base, device, beginnings));
  return batches;
}

std::vector<PassShape> pass_shapes(const std::vector<const Sample*>& samples, int64_t max_tokens,
                                   Beginnings beginnings) {
  std::vector<PassShape> shapes;
  for (const auto& part : divide(samples, max_tokens)) {
    const int64_t shared = shared_beginning(part, false, beginnings);
    PassShape shape{shared, 0, shapes.empty(), shared};
    for (const Sample* sample : part) {
      shape.seen += static_cast<int64_t>(sample->ids.size());
      shape.tokens += static_cast<int64_t>(sample->ids.size()) - shared;
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
  return head_of(model, forward(model, tokens, options, rows), options);  // hidden [n, C]
}

std::unique_ptr<BatchSource> fixed_data(const std::vector<Sample>& samples, int64_t per_step, uint64_t seed) {
  return std::make_unique<FixedData>(samples, per_step, seed);
}

}  // namespace sdft
