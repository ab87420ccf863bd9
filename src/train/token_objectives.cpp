#include "train/token_objectives.h"

#include <cmath>

#include "base/error.h"
#include "train/objective.h"
#include "train/teacher.h"

namespace sdft {
namespace token_loss {
Tensor cross_entropy(const Tensor& log_probs, const Tensor& targets) {
  return -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1);
}

Tensor topk_entropy(const Tensor& log_probs, int64_t k) {
  const Tensor top = at::log_softmax(std::get<0>(log_probs.topk(k, -1)), -1);  // [n, k]
  return -(top.exp() * top).sum(-1) / std::log(static_cast<double>(k));
}

Tensor dft(const Tensor& log_probs, const Tensor& targets) {
  const Tensor loss = cross_entropy(log_probs, targets);
  return (-loss.detach()).exp() * loss;
}

Tensor eaft(const Tensor& log_probs, const Tensor& targets, int64_t k) {
  return topk_entropy(log_probs.detach(), k) * cross_entropy(log_probs, targets);
}

Tensor proximal(const Tensor& log_probs, const Tensor& before, const Tensor& targets, double clip) {
  const Tensor ratio = (cross_entropy(before, targets) - cross_entropy(log_probs, targets)).exp();
  return -ratio.clamp_max(1 + clip);
}
}  // namespace token_loss

namespace {
// -log p of each target: supervised fine-tuning, vanilla and on rewrites alike.
class CrossEntropy : public Objective {
 public:
  Tensor loss(ModelView student, const MicroBatch& batch, const ForwardOptions& options) const override {
    const ops::Head head = head_of(student, batch.tokens, batch.rows, options);
    return ops::linear_cross_entropy(head.hidden, head.weight, batch.targets, batch.weights, head.cap,
                                     options.precision);
  }
};

// A loss of single tokens, with or without the seed's distributions.
class TokenObjective final : public Objective {
 public:
  TokenObjective(const ObjectiveContext& context, bool anchored, ops::RowLoss loss)
      : seed_(context.seed), anchored_(anchored), loss_(std::move(loss)) {}

  Tensor loss(ModelView student, const MicroBatch& batch, const ForwardOptions& options) const override {
    ops::Head seed;
    if (anchored_) {
      at::NoGradGuard no_grad;
      seed = head_of(seed_, batch.tokens, batch.rows, {{}, options.precision});
    }
    return ops::linear_loss(head_of(student, batch.tokens, batch.rows, options), seed, batch.targets,
                            batch.weights, loss_, options.precision);
  }

 private:
  ModelView seed_;
  bool anchored_;
  ops::RowLoss loss_;
};

// Cross entropy without the tokens that surprise the seed: their perplexity 1 / p0(y) is above a limit
// (selective token masking, arXiv 2501.14315).
class MaskedCrossEntropy final : public CrossEntropy {
 public:
  explicit MaskedCrossEntropy(const ObjectiveContext& context)
      : seed_(context.seed), least_(-std::log(context.options.max_perplexity)) {}

  std::vector<Sample> selected(std::vector<Sample> samples) const override {
    at::NoGradGuard no_grad;
    for (Sample& sample : samples)
      for (const MicroBatch& batch : micro_batches({&sample}, 1, seed_->device)) {
        if (batch.targets.numel() == 0) continue;
        const Tensor log_probs = target_log_probs(seed_, batch).to(at::kCPU, at::kFloat);
        const Tensor rows = batch.rows.cpu();
        for (int64_t i = 0; i < rows.numel(); ++i)
          if (log_probs[i].item<double>() < least_)
            sample.supervised[static_cast<size_t>(rows[i].item<int64_t>()) + 1] = 0;
      }
    return samples;
  }

 private:
  ModelView seed_;
  double least_;
};

Tensor log_probs_of(const Tensor& logits) { return at::log_softmax(logits, -1); }

// token_loss::proximal; `before` is the student as it was at the last multiple of proximal_steps.
class Proximal final : public Objective {
 public:
  explicit Proximal(const ObjectiveContext& context)
      : clip_(context.options.proximal_clip),
        before_(context.seed, context.student, {"ema", 1.0, context.options.proximal_steps}) {}

  Tensor loss(ModelView student, const MicroBatch& batch, const ForwardOptions& options) const override {
    ops::Head before;
    {
      at::NoGradGuard no_grad;
      before = head_of(before_.view(student), batch.tokens, batch.rows, {{}, options.precision});
    }
    return ops::linear_loss(
        head_of(student, batch.tokens, batch.rows, options), before, batch.targets, batch.weights,
        [this](const ops::LogitRows& rows) {
          return token_loss::proximal(log_probs_of(rows.student), log_probs_of(rows.teacher), rows.targets,
                                      clip_);
        },
        options.precision);
  }

  void stepped(ModelView student, int64_t steps) override { before_.stepped(student, steps); }
  NamedTensors state() const override { return before_.state(); }

 private:
  double clip_;
  Teacher before_;
};

std::unique_ptr<Objective> anchored_to_seed(const ObjectiveContext& context,
                                            Tensor (*token_loss)(const Tensor&, const Tensor&)) {
  const double alpha = find_divergence(context.options.divergence), weight = context.options.anchor_weight;
  return std::make_unique<TokenObjective>(context, true, [=](const ops::LogitRows& rows) {
    const Tensor log_probs = log_probs_of(rows.student);
    return token_loss(log_probs, rows.targets) +
           weight * divergence(alpha, log_probs_of(rows.teacher), log_probs);
  });
}
}  // namespace

std::unique_ptr<Objective> make_cross_entropy(const ObjectiveContext&) {
  return std::make_unique<CrossEntropy>();
}

std::unique_ptr<Objective> make_masked(const ObjectiveContext& context) {
  return std::make_unique<MaskedCrossEntropy>(context);
}

std::unique_ptr<Objective> make_dft(const ObjectiveContext& context) {
  return std::make_unique<TokenObjective>(context, false, [](const ops::LogitRows& rows) {
    return token_loss::dft(log_probs_of(rows.student), rows.targets);
  });
}

std::unique_ptr<Objective> make_eaft(const ObjectiveContext& context) {
  const int64_t k = context.options.entropy_topk;
  if (k > context.seed->config.vocab_size)
    fail_usage("entropy_topk: " + std::to_string(k) + ", but the vocabulary has " +
               std::to_string(context.seed->config.vocab_size) + " tokens");
  return std::make_unique<TokenObjective>(context, false, [k](const ops::LogitRows& rows) {
    return token_loss::eaft(log_probs_of(rows.student), rows.targets, k);
  });
}

std::unique_ptr<Objective> make_proximal(const ObjectiveContext& context) {
  return std::make_unique<Proximal>(context);
}

std::unique_ptr<Objective> make_kl_to_seed(const ObjectiveContext& context) {
  return anchored_to_seed(context, token_loss::cross_entropy);
}

// DFT drifts without it (arXiv 2509.23753).
std::unique_ptr<Objective> make_asft(const ObjectiveContext& context) {
  return anchored_to_seed(context, token_loss::dft);
}

}  // namespace sdft
