// What is measured of a model while it is trained, and what that decides.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "train/batch.h"

namespace sdft {

struct Measured {
  std::vector<std::pair<std::string, double>> values;  // for metrics.jsonl
  std::string fault;                                   // why training must not go on, or ""
};

struct Monitor {
  int64_t steps = 0;  // between measurements; 0: one after each epoch
  std::function<Measured(ModelView student)> measure;
  explicit operator bool() const { return static_cast<bool>(measure); }
};

// How the distributions of two models lie to each other on texts, the mean over their supervised tokens.
struct Spread {
  double kl = 0;       // KL(tuned || seed), nats
  double entropy = 0;  // of the tuned model, nats
};
Spread spread_of(ModelView seed, ModelView tuned, const std::vector<Sample>& samples, int64_t max_tokens);

// The same token by token, of each sample those that are supervised.
struct TokenDistance {
  float kl;     // KL(seed || tuned), nats
  bool agrees;  // both think the same token the likeliest
};
std::vector<std::vector<TokenDistance>> distances(ModelView seed, ModelView tuned,
                                                  const std::vector<Sample>& samples, int64_t max_tokens);

}  // namespace sdft
