#include "model/shift.h"

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"
#include "model/lora.h"

namespace sdft {
namespace {
constexpr int64_t kRowsAtATime = 1024;  // of a matrix that are f64 at a time

// A matrix as a sum, dense + B A, of which either part may be undefined.
struct Matrix {
  Tensor dense;  // [out, in]
  Tensor b, a;   // [out, r], [r, in] f64
};

// A layer's update, if it has one. That of the embedding is turned round against the weight, [V, C].
struct Update {
  Update(ModelView view, const std::string& layer)
      : pair(view.adapter ? view.adapter->find(layer) : nullptr), turned(layer == kEmbedLayer) {}

  // What DoRA multiplies the weight with, [out, 1] f64, turned [1, C]; undefined without.
  Tensor factor() const {
    if (!pair || !pair->magnitude.defined()) return {};
    return (pair->magnitude.to(at::kDouble) / pair->norm.to(at::kDouble)).unsqueeze(turned ? 0 : 1);
  }
  // With its scale in B, [out, r] and [r, in]; undefined where there is none.
  Matrix low_rank() const {
    if (!pair) return {};
    const LowRank update = update_of(*pair);
    Tensor b = update.b.to(at::kDouble) * pair->scale, a = update.a.to(at::kDouble);
    if (pair->magnitude.defined()) b = b * factor().reshape({-1, 1});
    return turned ? Matrix{{}, a.t(), b.t()} : Matrix{{}, b, a};
  }

  const LoraPair* pair;
  bool turned;
};

Tensor scaled(const Tensor& weight, const Tensor& factor) {
  return factor.defined() ? ops::widened(weight) * factor.to(at::kFloat) : weight;
}

// The difference of these, undefined where they are the same.
Tensor dense_difference(const Tensor& was, const Tensor& was_factor, const Tensor& is,
                        const Tensor& is_factor) {
  if (!was_factor.defined() && !is_factor.defined())
    return was.is_same(is) ? Tensor() : ops::widened(is) - ops::widened(was);
  if (!was.is_same(is)) return ops::widened(scaled(is, is_factor)) - ops::widened(scaled(was, was_factor));
  const Tensor one = at::ones({1, 1}, at::TensorOptions().dtype(at::kDouble).device(was.device()));
  return scaled(was, (is_factor.defined() ? is_factor : one) - (was_factor.defined() ? was_factor : one));
}

// y - x. Of the same rank, as where training goes on with an adapter, B' A' - B A = (B' - B) A' + B (A' - A),
// in which nothing cancels.
Matrix difference(const Matrix& x, const Matrix& y) {
  if (!x.b.defined()) return y;
  if (!y.b.defined()) return {{}, -x.b, x.a};
  if (x.a.sizes() != y.a.sizes()) return {{}, at::cat({y.b, -x.b}, 1), at::cat({y.a, x.a}, 0)};
  return {{}, at::cat({y.b - x.b, x.b}, 1), at::cat({y.a, y.a - x.a}, 0)};
}

// ||dense + B A||^2 = ||dense||^2 + 2 <B^T dense, A> + <B^T B, A A^T>.
double squared_norm(const Matrix& m) {
  double sum = 0;
  if (m.b.defined())
    sum += (at::matmul(m.b.t(), m.b) * at::matmul(m.a, m.a.t())).sum().item<double>();  // [r, r]
  if (!m.dense.defined()) return std::max(0.0, sum);
  for (int64_t row = 0; row < m.dense.size(0); row += kRowsAtATime) {
    stop_if_interrupted();
    const int64_t count = std::min(kRowsAtATime, m.dense.size(0) - row);
    const Tensor dense = ops::widened_rows(m.dense, row, count).to(at::kDouble);  // [rows, in]
    sum += dense.square().sum().item<double>();
    if (m.b.defined())
      sum += 2 * (at::matmul(m.b.narrow(0, row, count).t(), dense) * m.a).sum().item<double>();  // [r, in]
  }
  return std::max(0.0, sum);
}

// All matrices with their names, the head also where it is tied: an adapter may change it alone.
std::vector<std::pair<std::string, Tensor>> matrices(ModelView view) {
  Model model = view.adapter ? with_replaced(*view.weights, *view.adapter) : *view.weights;
  std::vector<std::pair<std::string, Tensor>> list;
  for (const auto& [name, tensor] : named_parameters(model))
    if (tensor->dim() == 2) list.emplace_back(name, *tensor);
  if (model.config.tie_word_embeddings) list.emplace_back("lm_head.weight", model.lm_head);
  return list;
}

bool is_tied(const std::vector<std::pair<std::string, Tensor>>& list) {
  return list.front().second.is_same(list.back().second);
}

// "model.layers.3.self_attn.q_proj" is layer 3's q_proj.
ModuleShift place_of(const std::string& name) {
  static const std::string kLayers = "model.layers.";
  if (name.rfind(kLayers, 0) != 0) return {std::nullopt, name.substr(name.rfind('.') + 1), 0};
  const size_t number = kLayers.size(), block = name.find('.', number) + 1;
  return {std::stoll(name.substr(number)), name.substr(name.find('.', block) + 1), 0};
}
}  // namespace

ParameterShift parameter_shift(ModelView before, ModelView after) {
  at::NoGradGuard no_grad;
  auto was = matrices(before), is = matrices(after);
  const bool head_apart = Update(before, kHeadLayer).pair || Update(after, kHeadLayer).pair;
  if (before->config.tie_word_embeddings && is_tied(was) && is_tied(is) && !head_apart) {
    was.pop_back();
    is.pop_back();
  }
  ParameterShift shift;
  double changed = 0, all = 0;
  for (size_t i = 0; i < was.size(); ++i) {
    const auto& [name, weight] = was[i];
    const std::string layer = name.substr(0, name.rfind(".weight"));
    const Update first(before, layer), last(after, layer);
    Matrix own = first.low_rank(), moved = difference(own, last.low_rank());
    own.dense = scaled(weight, first.factor());
    moved.dense = dense_difference(weight, first.factor(), is[i].second, last.factor());
    const double change = squared_norm(moved), size = squared_norm(own);
    ModuleShift module = place_of(layer);
    module.shift = std::sqrt(change) / (size > 0 ? std::sqrt(size) : 1);
    if (module.layer) changed += change, all += size;
    if (change > 0) shift.modules.push_back(std::move(module));
  }
  shift.total = all > 0 ? std::sqrt(changed / all) : 0;
  return shift;
}

}  // namespace sdft
