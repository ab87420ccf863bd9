#include "train/divergence.h"

#include <cmath>
#include <cstdlib>

#include "base/error.h"

namespace sdft {
namespace {
constexpr double kNone = -1;

double alpha_of(const std::string& name) {
  if (name == "forward") return 0;
  if (name == "reverse") return 1;
  if (name == "jensen_shannon") return 0.5;
  char* end = nullptr;
  const double alpha = std::strtod(name.c_str(), &end);
  return !name.empty() && *end == '\0' && alpha >= 0 && alpha <= 1 ? alpha : kNone;
}

// The terms p (log p - log q) of the sum that KL is.
at::Tensor kl(const at::Tensor& p, const at::Tensor& q) { return p.exp() * (p - q); }

at::Tensor terms(double alpha, const at::Tensor& teacher, const at::Tensor& student) {
  if (alpha == 0) return kl(teacher, student);
  if (alpha == 1) return kl(student, teacher);
  const at::Tensor middle = at::logaddexp(teacher + std::log(alpha), student + std::log(1 - alpha));
  return alpha * kl(teacher, middle) + (1 - alpha) * kl(student, middle);
}
}  // namespace

std::string fault_of_divergence(const std::string& name) {
  return alpha_of(name) == kNone ? "expected forward, reverse, jensen_shannon or a number from 0 to 1" : "";
}

double find_divergence(const std::string& name) {
  if (const std::string fault = fault_of_divergence(name); !fault.empty())
    fail_usage("divergence '" + name + "': " + fault);
  return alpha_of(name);
}

at::Tensor divergence(double alpha, const at::Tensor& teacher, const at::Tensor& student, double entry_clip) {
  const at::Tensor each = terms(alpha, teacher, student);
  return (entry_clip > 0 ? each.clamp_max(entry_clip) : each).sum(-1);
}

}  // namespace sdft
