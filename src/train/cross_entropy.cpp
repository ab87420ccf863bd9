// -log p of each target: supervised fine-tuning, vanilla and on rewrites alike.
#include "train/objective.h"

namespace sdft {
namespace {
class CrossEntropy final : public Objective {
 public:
  Tensor loss(ModelView student, const MicroBatch& batch, const ForwardOptions& options) const override {
    const Tensor hidden = forward(student, batch.tokens, options).index_select(0, batch.rows);  // [n, C]
    return ops::linear_cross_entropy(hidden, head_weight(student), batch.targets, batch.weights,
                                     student->config.final_softcap, options.precision);
  }
};
}  // namespace

std::unique_ptr<Objective> make_cross_entropy(const ObjectiveContext&) {
  return std::make_unique<CrossEntropy>();
}

}  // namespace sdft
