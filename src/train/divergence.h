// How far one distribution is from another, over the last dimension. Any floating-point type; differentiable.
#pragma once

#include <string>

#include "tensor/torch_compat.h"

namespace sdft {

// Between the two directions of KL, p the teacher's (or the seed's) distribution and q the student's:
//   0        KL(p || q), forward: the student must give all that the teacher gives
//   1        KL(q || p), reverse: the student must give nothing that the teacher does not
//   between  a KL(p || m) + (1 - a) KL(q || m) with m = a p + (1 - a) q; 0.5: Jensen-Shannon
// TRL's distillation_alpha. In recipes "forward", "reverse", "jensen_shannon" or a number.
// Error(kUsage) for anything else.
double find_divergence(const std::string& name);
// What is wrong with such a text, or "".
std::string fault_of_divergence(const std::string& name);

// teacher, student: log-probabilities [..., V] -> [...]. entry_clip: limit of the term of a single token,
// whose gradient is then 0; 0: none.
at::Tensor divergence(double alpha, const at::Tensor& teacher, const at::Tensor& student,
                      double entry_clip = 0);

}  // namespace sdft
