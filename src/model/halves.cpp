#include <unistd.h>

#include "base/interrupt.h"
#include "model/model.h"

namespace sdft {

const Tensor* HalfWeights::find(const Tensor& weight) const {
  const auto found = copies.find(weight.unsafeGetTensorImpl());
  return found != copies.end() && weight._version() == found->second.version ? &found->second.values
                                                                             : nullptr;
}

namespace {
// Whether the weights take a quarter of the machine's memory at most.
bool is_small(const Model& model) {
  const double there =
      static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  return 4.0 * sizeof(float) * static_cast<double>(model.config.parameters()) <= there;
}
}  // namespace

void keep_halves(Model& model) {
  if (model.dtype != at::kFloat || !model.device.is_cpu() || !is_small(model)) return;
  at::NoGradGuard no_grad;
  auto halves = std::make_shared<HalfWeights>();
  for (const auto& [name, weight] : named_parameters(model)) {
    stop_if_interrupted();
    const bool looked_up = weight->is_same(model.embed) && !model.config.tie_word_embeddings;
    if (weight->dim() != 2 || looked_up) continue;
    const Tensor values = weight->to(at::kBFloat16);
    if (!values.to(at::kFloat).equal(*weight)) return;  // others will not be such, either
    halves->copies[weight->unsafeGetTensorImpl()] = {*weight, values, weight->_version()};
  }
  model.halves = std::move(halves);
}

}  // namespace sdft
