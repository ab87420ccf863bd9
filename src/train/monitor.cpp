#include "train/monitor.h"

#include "train/divergence.h"

namespace sdft {

Spread spread_of(ModelView seed, ModelView tuned, const std::vector<Sample>& samples, int64_t max_tokens) {
  at::NoGradGuard no_grad;
  std::vector<const Sample*> list;
  for (const Sample& sample : samples) list.push_back(&sample);
  Spread spread;
  for (const MicroBatch& batch : micro_batches(list, max_tokens, tuned->device)) {
    if (batch.targets.numel() == 0) continue;
    const ops::Head own = head_of(tuned, batch.tokens, batch.rows),
                    before = head_of(seed, batch.tokens, batch.rows);
    auto mean = [&](const ops::Head& other, const ops::RowLoss& loss) {
      return ops::linear_loss(own, other, batch.targets, batch.weights, loss).item<double>();
    };
    spread.kl += mean(before, [](const ops::LogitRows& rows) {
      return divergence(1, at::log_softmax(rows.teacher, -1), at::log_softmax(rows.student, -1));
    });
    spread.entropy += mean({}, [](const ops::LogitRows& rows) {
      const Tensor log_probs = at::log_softmax(rows.student, -1);
      return -(log_probs.exp() * log_probs).sum(-1);
    });
  }
  return spread;
}

}  // namespace sdft
