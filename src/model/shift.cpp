#include "model/shift.h"

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"
#include "model/lora.h"

namespace sdft {
namespace {
constexpr int64_t kRows = 1024;  // of a matrix that are f64 at a time

// A matrix as a sum, dense + B A, of which either part may be undefined.
struct Matrix {
  Tensor dense;  // [out, in]
  Tensor b, a;   // [out, r], [r, in] f64
};

// A layer's update with its scale in B, [out, r] and [r, in]; undefined where there is none.
Matrix low_rank(const Adapter* adapter, const std::string& layer) {
  const LoraPair* pair = adapter ? adapter->find(layer) : nullptr;
  if (!pair) return {};
  return {{}, pair->b.to(at::kDouble) * pair->scale, pair->a.to(at::kDouble)};
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
  for (int64_t row = 0; row < m.dense.size(0); row += kRows) {
    stop_if_interrupted();
    const int64_t count = std::min(kRows, m.dense.size(0) - row);
    const Tensor dense = m.dense.narrow(0, row, count).to(at::kDouble);  // [rows, in]
    sum += dense.square().sum().item<double>();
    if (m.b.defined())
      sum += 2 * (at::matmul(m.b.narrow(0, row, count).t(), dense) * m.a).sum().item<double>();  // [r, in]
  }
  return std::max(0.0, sum);
}

// All matrices with their names, the head also where it is tied: an adapter may replace it alone.
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
  if (before->config.tie_word_embeddings && is_tied(was) && is_tied(is)) {
    was.pop_back();
    is.pop_back();
  }
  ParameterShift shift;
  double changed = 0, all = 0;
  for (size_t i = 0; i < was.size(); ++i) {
    const auto& [name, weight] = was[i];
    const std::string layer = name.substr(0, name.rfind(".weight"));
    Matrix own = low_rank(before.adapter, layer), moved = difference(own, low_rank(after.adapter, layer));
    own.dense = weight;
    if (!weight.is_same(is[i].second)) moved.dense = is[i].second - weight;
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
