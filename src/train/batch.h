// What a step of training learns from, and where it comes from.
#pragma once

#include <memory>
#include <vector>

#include "data/prompt.h"
#include "model/model.h"

namespace sdft {

// The sequences of one forward pass, and which of their tokens are learned.
struct MicroBatch {
  PackedTokens tokens;  // [N]
  Tensor rows;          // [n] i64: hidden state `row` predicts the token behind it
  Tensor targets;       // [n] i64
  Tensor weights;       // [n] f32: of each target in the step's loss; those of all its micro-batches sum to 1
  // The same answers as a teacher reads them (Sample::teacher_ids): [M], and the rows [n] that predict the
  // targets there. Undefined and empty without.
  PackedTokens teacher_tokens = {};
  Tensor teacher_rows = {};
  Tensor rollout_log_probs = {};  // [n] f32, see Sample; undefined without
};

// Tokens of a sample that are learned. The first one is predicted from nothing and does not count.
int64_t supervised_tokens(const Sample& sample);

// Whether the samples of a pass stand there with their beginnings apart, or once where all have the same
// (can_share()): the same numbers but for rounding, of fewer rows.
enum class Beginnings { kApart, kShared };
// Shared unless each sample is to have dropout and noise of its own.
Beginnings beginnings_of(const Model& model, const ForwardOptions& options = {});

// Consecutive samples whose tokens (a teacher's, where they are more) together stay within max_tokens; a
// longer sample is alone. A learned token weighs its sample's weight / the sum of these over the step's
// learned tokens, however they are divided: all the same where the samples' weights are equal.
std::vector<MicroBatch> micro_batches(const std::vector<const Sample*>& samples, int64_t max_tokens,
                                      at::Device device, Beginnings beginnings = Beginnings::kApart);

// The same without their numbers, for who wants to know what they take: only those with something to learn.
struct PassShape {
  int64_t tokens, targets;
  bool first;  // of its step: no gradients are there yet
  // Rows of keys and values as attention reads them: what is shared stands before each sample. 0: tokens.
  int64_t seen = 0;
};
std::vector<PassShape> pass_shapes(const std::vector<const Sample*>& samples, int64_t max_tokens,
                                   Beginnings beginnings = Beginnings::kApart);

// log p of each target, [n] f32; no gradient.
Tensor target_log_probs(ModelView model, const MicroBatch& batch, const ForwardOptions& options = {});

// What makes the logits of some rows of a forward pass: head_of(model, batch.tokens, batch.rows).
ops::Head head_of(ModelView model, const PackedTokens& tokens, const Tensor& rows,
                  const ForwardOptions& options = {});

// Gives the samples of each optimizer step. What it gives depends on the step's number and, where it asks the
// model, on its weights at that step, on nothing else: a resumed training sees what an uninterrupted one
// does.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual int64_t steps_per_epoch() const = 0;
  // Of step `step` (0-based); they live until the next call.
  virtual std::vector<const Sample*> batch(int64_t step) = 0;
  // Whether a resumed training can begin with this step: what it gives needs nothing of the steps before.
  virtual bool resumable_at(int64_t /*step*/) const { return true; }
  // What there is to say of the newest batch, for metrics.jsonl.
  virtual std::vector<std::pair<const char*, double>> metrics() const { return {}; }
};

// Which of `count` things a step has: each epoch has all, in an order of its own drawn by `seed`; its last
// step may have fewer than `per_step`.
class EpochOrder {
 public:
  EpochOrder(size_t count, int64_t per_step, uint64_t seed)
      : order_(count), per_step_(static_cast<size_t>(per_step)), seed_(seed) {}
  int64_t steps_per_epoch() const {
    return static_cast<int64_t>((order_.size() + per_step_ - 1) / per_step_);
  }
  std::vector<size_t> of_step(int64_t step);

 private:
  std::vector<size_t> order_;  // of epoch_
  const size_t per_step_;
  const uint64_t seed_;
  int64_t epoch_ = -1;
};

// A fixed list in an EpochOrder. The samples must outlive it.
std::unique_ptr<BatchSource> fixed_data(const std::vector<Sample>& samples, int64_t per_step, uint64_t seed);

}  // namespace sdft
