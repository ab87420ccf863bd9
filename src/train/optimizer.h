// AdamW (Loshchilov & Hutter 2019) with the arithmetic of torch.optim.AdamW.
#pragma once

#include <string>
#include <vector>

#include "model/safetensors.h"

namespace sdft {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0.0;  // on matrices only, as in HF Trainer; see decay_vectors
  bool decay_vectors = false;
};

struct AdamW {
  AdamWOptions options;
  NamedTensors parameters;    // f32; the tensors that training changes in place
  std::vector<double> rates;  // of each parameter, times the step's learning rate
  std::vector<Tensor> m, v;
  int64_t steps = 0;  // done

  // No rates: 1 each.
  AdamW(const AdamWOptions& options, NamedTensors parameters, std::vector<double> rates = {});
  // Takes the .grad of each parameter (undefined: zero), clips their common norm to max_grad_norm (0: no
  // clipping), steps and clears them. Returns the norm before clipping.
  double step(double learning_rate, double max_grad_norm);
};

}  // namespace sdft
