// Objectives that hold on to the seed's weights.
#include "base/error.h"
#include "base/interrupt.h"
#include "model/lora.h"
#include "train/objective.h"

namespace sdft {

std::unique_ptr<Objective> make_cross_entropy(const ObjectiveContext& context);

namespace {
// || s B A ||^2 = s^2 tr(B^T B  A A^T), without making the product; of a seed with an adapter, the distance
// from its update.
Tensor squared_update(const LoraPair& pair, const LoraPair* seed) {
  LowRank update = update_of(pair);
  if (seed) {  // s B A - s0 B0 A0, as one pair of factors
    update.b = at::cat({update.b, -seed->scale / pair.scale * seed->b}, 1);
    update.a = at::cat({update.a, seed->a}, 0);
  }
  const Tensor bb = at::mm(update.b.t(), update.b), aa = at::mm(update.a, update.a.t());  // [r, r]
  return pair.scale * pair.scale * (bb * aa).sum();
}

// With DoRA's factors f, || f (W + s B A) - W ||^2, row by row (f - 1)^2 ||w||^2 + 2 (f - 1) f s w BA +
// f^2 s^2 ||BA||^2. The norms in f are constants, as in the forward pass.
Tensor squared_change(const Tensor& weight, const LoraPair& pair) {
  const Tensor w = ops::widened(weight), f = dora_factor(pair), b = pair.scale * pair.b;
  const Tensor ww = w.square().sum(1), wba = (at::mm(w, pair.a.t()) * b).sum(1),  // [out]
      baba = (at::mm(b, at::mm(pair.a, pair.a.t())) * b).sum(1);
  return ((f - 1).square() * ww + 2 * (f - 1) * f * wba + f.square() * baba).sum();
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
      for (const auto& [name, pair] : student.adapter->pairs)
        if (!pair.magnitude.defined())
          add(squared_update(pair, seed_.adapter ? seed_.adapter->find(name) : nullptr));
      if (student.adapter->config.use_dora)
        for (const LoraLayer& layer : lora_layers(*student.weights))
          if (const LoraPair* pair = student.adapter->find(layer.name))
            add(squared_change(layer.weight, *pair));
      Model own = *student.weights;  // shares the tensors
      for (const auto& [name, weight] : student.adapter->replaced)
        add((weight - ops::widened(seed_.adapter ? seed_.adapter->replacement(name, *find_weight(own, name))
                                                 : *find_weight(own, name)))
                .square()
                .sum());
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

// The diagonal of the Fisher information at the model: of each weight the mean over the samples of its
// squared gradient of their log-likelihood. The parameters' own gradients are used, and left undefined.
std::vector<Tensor> fisher_information(const NamedTensors& parameters, const Objective& cross_entropy,
                                       ModelView model, const std::vector<Sample>& samples) {
  std::vector<Tensor> fisher;
  for (const auto& item : parameters) fisher.push_back(at::zeros_like(item.second));
  size_t counted = 0;
  for (const Sample& sample : samples) {
    stop_if_interrupted();
    const std::vector<MicroBatch> alone = micro_batches({&sample}, 1, model->device);
    const int64_t tokens = alone[0].targets.numel();
    if (tokens == 0) continue;
    ++counted;
    (cross_entropy.loss(model, alone[0], {}) * static_cast<double>(tokens)).backward();  // -log p(sample)
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters.size(); ++i) {
      Tensor& gradient = parameters[i].second.mutable_grad();
      if (gradient.defined()) fisher[i].addcmul_(gradient, gradient);
      gradient = Tensor();
    }
  }
  for (Tensor& one : fisher) one /= static_cast<double>(std::max<size_t>(1, counted));
  return fisher;
}

// Cross entropy + weight / 2 * sum_i F_i (w_i - w0_i)^2 (elastic weight consolidation, Kirkpatrick et al.
// 2017, arXiv 1612.00796, equation 3).
class Ewc final : public Objective {
 public:
  explicit Ewc(const ObjectiveContext& context)
      : cross_entropy_(make_cross_entropy(context)), weight_(context.options.anchor_weight) {
    if (context.student.adapter)
      fail_usage("objective: ewc weighs each weight of the model, of which an adapter changes none",
                 "set finetuning_type: full, or objective: l2_sp");
    if (!context.kept || context.kept->empty())
      fail_usage("objective: ewc measures on examples of what must be kept which weights matter",
                 "set replay_dataset");
    Model seed = widened(*context.seed.weights);
    for (const auto& [name, tensor] : named_parameters(seed)) before_.emplace_back(name, *tensor);
    for (auto& item : before_) item.second.requires_grad_(true);
    fisher_ = fisher_information(before_, *cross_entropy_, seed, *context.kept);
    for (auto& item : before_) item.second.requires_grad_(false);
  }

  Tensor loss(ModelView student, const MicroBatch& batch, const ForwardOptions& options) const override {
    return cross_entropy_->loss(student, batch, options);
  }

  Tensor penalty(ModelView student) const override {
    Model tuned = *student.weights;
    const auto now = named_parameters(tuned);
    Tensor sum;
    for (size_t i = 0; i < now.size(); ++i) {
      const Tensor one = (fisher_[i] * (*now[i].second - before_[i].second).square()).sum();
      sum = sum.defined() ? sum + one : one;
    }
    return 0.5 * weight_ * sum;
  }

 private:
  std::unique_ptr<Objective> cross_entropy_;
  double weight_;
  NamedTensors before_;
  std::vector<Tensor> fisher_;  // of each of them
};
}  // namespace

std::unique_ptr<Objective> make_ewc(const ObjectiveContext& context) {
  return std::make_unique<Ewc>(context);
}

std::unique_ptr<Objective> make_l2_sp(const ObjectiveContext& context) {
  return std::make_unique<L2Sp>(context);
}

}  // namespace sdft
