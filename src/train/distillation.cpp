#include "train/distillation.h"

#include "base/error.h"

namespace sdft {

const std::vector<std::string>& distillation_modes() {
  static const std::vector<std::string> kNames = {"full_logits", "topk_logits", "sampled_token"};
  return kNames;
}

namespace {
// log(1 - sum p) behind the log-probabilities [n, k] of some tokens.
Tensor with_tail(const Tensor& log_probs) {
  const Tensor sum = log_probs.logsumexp({-1}, true).clamp_max(-1e-7);
  return at::cat({log_probs, at::log(-at::expm1(sum))}, -1);  // [n, k + 1]
}

// The distribution over the chosen tokens [n, k].
Tensor restricted(const Tensor& log_probs, const Tensor& chosen, bool add_tail) {
  const Tensor some = log_probs.gather(-1, chosen);
  return add_tail ? with_tail(some) : some - some.logsumexp({-1}, true);
}

class Distillation final : public Objective {
 public:
  Distillation(ModelView seed, ModelView student, const DistillationOptions& options)
      : options_(options), teacher_(seed, student, options.teacher) {}

  Tensor loss(ModelView student, const MicroBatch& batch, const ForwardOptions& options) const override {
    const ModelView teacher = teacher_.view(student);
    ops::Head shown;
    {
      at::NoGradGuard no_grad;
      shown = head_of(teacher, batch.teacher_tokens, batch.teacher_rows, {{}, options.precision});
    }
    const ops::Head own = head_of(student, batch.tokens, batch.rows, options);
    return ops::linear_loss(
        own, shown, batch.targets, batch.weights,
        [this](const ops::LogitRows& rows) {
          const Tensor own_log_probs = at::log_softmax(rows.student, -1);
          const Tensor loss =
              distillation_loss(own_log_probs, at::log_softmax(rows.teacher, -1), rows.targets, options_);
          if (!rows.given.defined()) return loss;
          return loss * importance_ratio(own_log_probs, rows.targets, rows.given, options_.is_clip);
        },
        options.precision, options_.is_clip > 0 ? batch.rollout_log_probs : Tensor());
  }

  void stepped(ModelView student, int64_t steps) override { teacher_.stepped(student, steps); }
  NamedTensors state() const override { return teacher_.state(); }

 private:
  DistillationOptions options_;
  Teacher teacher_;
};
}  // namespace

Tensor importance_ratio(const Tensor& student, const Tensor& sampled, const Tensor& rollout_log_probs,
                        double is_clip) {
  const Tensor now = student.detach().gather(-1, sampled.unsqueeze(-1)).squeeze(-1);
  return (now - rollout_log_probs).clamp_max(20).exp().clamp_max(is_clip);  // exp(20): far above any limit
}

Tensor distillation_loss(const Tensor& student, const Tensor& teacher, const Tensor& sampled,
                         const DistillationOptions& options) {
  if (options.mode == "sampled_token") {
    auto of_sampled = [&](const Tensor& x) { return x.gather(-1, sampled.unsqueeze(-1)).squeeze(-1); };
    const Tensor own = of_sampled(student);
    return (own - of_sampled(teacher)).detach() * own;
  }
  if (options.mode == "full_logits") return divergence(options.alpha, teacher, student, options.entry_clip);
  const Tensor& chooses = options.topk_of == "teacher" ? teacher : student;
  const Tensor chosen = std::get<1>(chooses.detach().topk(options.topk, -1));  // [n, k]
  return divergence(options.alpha, restricted(teacher, chosen, options.add_tail),
                    restricted(student, chosen, options.add_tail), options.entry_clip);
}

std::unique_ptr<Objective> make_distillation(ModelView seed, ModelView student,
                                             const DistillationOptions& options) {
  place_of_choice(distillation_modes(), options.mode, "distillation_mode");
  if (options.mode == "sampled_token" && options.alpha != 1)
    fail_usage("distillation_mode: sampled_token estimates the reverse KL", "set divergence: reverse");
  if (options.mode == "topk_logits" && options.topk > seed->config.vocab_size)
    fail_usage("distillation_topk: " + std::to_string(options.topk) + ", but the vocabulary has " +
               std::to_string(seed->config.vocab_size) + " tokens");
  return std::make_unique<Distillation>(seed, student, options);
}

}  // namespace sdft
