#include "train/monitor.h"

#include "train/divergence.h"

namespace sdft {

Spread spread_of(ModelView seed, ModelView tuned, const std::vector<Sample>& samples, int64_t max_tokens) {
  at::NoGradGuard no_grad;
  std::vector<const Sample*> list;
  for (const Sample& sample : samples) list.push_back(&sample);
  Spread spread;
  for (const MicroBatch& batch :
       micro_batches(list, max_tokens, tuned->device, beginnings_of(*tuned.weights))) {
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

std::vector<std::vector<TokenDistance>> distances(ModelView seed, ModelView tuned,
                                                  const std::vector<Sample>& samples, int64_t max_tokens) {
  at::NoGradGuard no_grad;
  std::vector<const Sample*> list;
  for (const Sample& sample : samples) list.push_back(&sample);
  std::vector<TokenDistance> all;  // in the order of the samples
  const auto keep = [&](const ops::LogitRows& rows) {
    const Tensor kl =
        divergence(0, at::log_softmax(rows.teacher, -1), at::log_softmax(rows.student, -1)).to(at::kCPU);
    const Tensor same = rows.teacher.argmax(-1).eq(rows.student.argmax(-1)).to(at::kCPU);
    for (int64_t i = 0; i < kl.size(0); ++i)
      all.push_back({kl.data_ptr<float>()[i], same.data_ptr<bool>()[i]});
    return rows.student.new_zeros({rows.student.size(0)});
  };
  for (const MicroBatch& batch :
       micro_batches(list, max_tokens, tuned->device, beginnings_of(*tuned.weights)))
    if (batch.targets.numel() > 0)
      ops::linear_loss(head_of(tuned, batch.tokens, batch.rows), head_of(seed, batch.tokens, batch.rows),
                       batch.targets, batch.weights, keep);
  std::vector<std::vector<TokenDistance>> of_samples;
  auto next = all.begin();
  for (const Sample& sample : samples) {
    const auto end = next + supervised_tokens(sample);
    of_samples.emplace_back(next, end);
    next = end;
  }
  return of_samples;
}

}  // namespace sdft
