// Objectives that hold on to the seed's weights.
#include "model/lora.h"
#include "train/objective.h"

namespace sdft {

std::unique_ptr<Objective> make_cross_entropy(const ObjectiveContext& context);

namespace {
// || s B A ||^2 = s^2 tr(B^T B  A A^T), without making the product.
Tensor squared_update(const LoraPair& pair) {
  const Tensor bb = at::mm(pair.b.t(), pair.b), aa = at::mm(pair.a, pair.a.t());  // [r, r]
  return pair.scale * pair.scale * (bb * aa).sum();
}

// Cross entropy + weight * || W - W0 ||^2 over all trained matrices, of an adapter || s B A ||^2 (L2-SP, Li
// et al. 2018, arXiv 1802.01483).
class L2Sp final : public Objective {
 public:
  explicit L2Sp(const ObjectiveContext& context)
      : cross_entropy_(make_cross_entropy(context)),
        seed_(context.seed),
        weight_(context.options.anchor_weight) {}

  Tensor loss(ModelView student, const MicroBatch& batch, const ForwardOptions& options) const override {
    return cross_entropy_->loss(student, batch, options);
  }

  Tensor penalty(ModelView student) const override {
    Tensor sum;
    auto add = [&](const Tensor& one) { sum = sum.defined() ? sum + one : one; };
    if (student.adapter) {
      for (const auto& [name, pair] : student.adapter->pairs) add(squared_update(pair));
    } else {
      Model tuned = *student.weights, seed = *seed_.weights;  // shares the tensors
      const auto now = named_parameters(tuned), before = named_parameters(seed);
      for (size_t i = 0; i < now.size(); ++i) add((*now[i].second - *before[i].second).square().sum());
    }
    return sum.defined() ? weight_ * sum : sum;
  }

 private:
  std::unique_ptr<Objective> cross_entropy_;
  ModelView seed_;
  double weight_;
};
}  // namespace

std::unique_ptr<Objective> make_l2_sp(const ObjectiveContext& context) {
  return std::make_unique<L2Sp>(context);
}

}  // namespace sdft
