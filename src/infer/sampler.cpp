#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "base/error.h"
#include "tensor/cpu/kernels.h"

namespace sdft {

std::vector<std::string> problems_of(const SamplingOptions& options) {
  std::vector<std::string> problems;
  auto check = [&](bool good, const std::string& text) {
    if (!good) problems.push_back(text);
  };
  check(options.temperature == 0 || (options.temperature >= 1e-4 && std::isfinite(options.temperature)),
        "temperature is " + std::to_string(options.temperature) +
            ", expected 0 (greedy) or a number from 0.0001 on");
  check(options.top_k >= 0,
        "top_k is " + std::to_string(options.top_k) + ", expected 0 (all tokens) or a positive number");
  check(options.top_p > 0 && options.top_p <= 1,
        "top_p is " + std::to_string(options.top_p) + ", expected a number above 0 and up to 1");
  check(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty),
        "repetition_penalty is " + std::to_string(options.repetition_penalty) +
            ", expected 1 (off) or another positive number");
  return problems;
}

void penalize_repetition(float* logits, int64_t vocabulary, const std::vector<int32_t>& seen,
                         double penalty) {
  const auto factor = static_cast<float>(penalty);
  std::vector<bool> done(static_cast<size_t>(vocabulary));
  for (const int32_t id : seen) {
    if (done[static_cast<size_t>(id)]) continue;
    done[static_cast<size_t>(id)] = true;
    logits[id] = logits[id] < 0 ? logits[id] * factor : logits[id] / factor;
  }
}

namespace {
struct Candidate {
  int32_t id;
  float logit;
  double weight;  // exp((logit - top) / temperature)
};

// One thread's memory, kept from call to call.
struct Scratch {
  std::vector<float> weights;
  std::vector<int32_t> ids;
  std::vector<Candidate> candidates;
};
Scratch& scratch() {
  thread_local Scratch memory;
  return memory;
}

bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

struct Row {
  const float* logits;
  int64_t count;
  float top;
};

Row checked(const float* logits, int64_t vocabulary) {
  const float top = kernels().maximum(logits, vocabulary);
  const bool ruled_out =
      top == -INFINITY && std::find(logits, logits + vocabulary, top) != logits + vocabulary;
  if (ruled_out)
    throw Error(ExitCode::kInput,
                "no token may come next: each is ruled out (suppress_tokens, bad_words_ids, "
                "no_repeat_ngram_size, min_new_tokens or min_length of generation_config.json)");
  if (!std::isfinite(top))
    throw Error(ExitCode::kInput,
                "the model's logits are not finite numbers: its weights are damaged or out of range");
  return {logits, vocabulary, top};
}

int32_t likeliest(const Row& row) {
  int32_t id = 0;
  kernels().find_at_least(row.logits, row.count, row.top, 1, &id);
  return id;
}

double softmax_weights(const Row& row, const SamplingOptions& options, std::vector<float>& weights) {
  weights.resize(static_cast<size_t>(row.count));
  return kernels().softmax_weights(row.logits, row.count, row.top,
                                   static_cast<float>(1 / options.temperature), weights.data());
}

// A logit not far below the highest for which `enough` tokens lie at or above it. Passes of counting are far
// cheaper than sorting a vocabulary, so a bound that leaves many tokens is raised again by halves.
template <typename Enough>
float find_bound(const Row& row, const Enough& enough) {
  double below = 2.0, above = 0.0;  // distances from the top: enough, not enough
  while (!enough(static_cast<float>(row.top - below))) {
    if (below > 1e30) return -INFINITY;
    above = below;
    below *= 2;
  }
  for (int i = 0; i < 6; ++i) {
    if (kernels().count_at_least(row.logits, row.count, static_cast<float>(row.top - below)) <= 128) break;
    const double middle = (above + below) / 2;
    (enough(static_cast<float>(row.top - middle)) ? below : above) = middle;
  }
  return static_cast<float>(row.top - below);
}

// All tokens whose logit is at least `least`, likeliest first.
void collect(const Row& row, float least, const SamplingOptions& options, Scratch& memory) {
  memory.ids.resize(static_cast<size_t>(row.count));
  const int64_t found = kernels().find_at_least(row.logits, row.count, least, row.count, memory.ids.data());
  memory.candidates.clear();
  for (int64_t i = 0; i < found; ++i) {
    const int32_t id = memory.ids[static_cast<size_t>(i)];
    const double distance = static_cast<double>(row.logits[id]) - static_cast<double>(row.top);
    memory.candidates.push_back({id, row.logits[id], std::exp(distance / options.temperature)});
  }
  std::sort(memory.candidates.begin(), memory.candidates.end(), likelier);
}

double sum(const std::vector<Candidate>& candidates) {
  double total = 0;
  for (const Candidate& c : candidates) total += c.weight;
  return total;
}

// The k likeliest and the equals of the k-th.
void keep_top_k(std::vector<Candidate>& candidates, int64_t k) {
  size_t count = std::min(candidates.size(), static_cast<size_t>(k));
  while (count < candidates.size() && candidates[count].logit == candidates[count - 1].logit) ++count;
  candidates.resize(count);
}

// Cut before the first token whose predecessors' weights reach p of the total. Transformers sums from the
// other side and drops the tail of mass <= 1 - p, which is the same.
void keep_top_p(std::vector<Candidate>& candidates, double total, double p) {
  double before = 0;
  size_t count = 0;
  while (count < candidates.size() && (count == 0 || before < p * total))
    before += candidates[count++].weight;
  candidates.resize(count);
}

bool has_top_k(const Row& row, const SamplingOptions& options) {
  return options.top_k > 0 && options.top_k < row.count;
}

// The tokens that may be drawn, likeliest first.
void choose(const Row& row, const SamplingOptions& options, Scratch& memory) {
  if (has_top_k(row, options)) {
    const float bound = find_bound(row, [&](float least) {
      return kernels().count_at_least(row.logits, row.count, least) >= options.top_k;
    });
    collect(row, bound, options, memory);
    keep_top_k(memory.candidates, options.top_k);
    if (options.top_p < 1) keep_top_p(memory.candidates, sum(memory.candidates), options.top_p);
  } else if (options.top_p < 1) {
    const double total = softmax_weights(row, options, memory.weights);
    // A little more than needed: these weights are f32, those of the cut f64.
    const double wanted = total * std::min(1.0, options.top_p + 1e-4);
    const float bound = find_bound(row, [&](float least) {
      return kernels().sum_at_least(row.logits, memory.weights.data(), row.count, least) >= wanted;
    });
    collect(row, bound, options, memory);
    keep_top_p(memory.candidates, total, options.top_p);
  } else {
    collect(row, -INFINITY, options, memory);
  }
}
}  // namespace

Distribution sampling_distribution(const float* logits, int64_t vocabulary, const SamplingOptions& options) {
  const Row row = checked(logits, vocabulary);
  if (options.greedy()) return {{likeliest(row), 1.0}};
  Scratch& memory = scratch();
  choose(row, options, memory);
  const double total = sum(memory.candidates);
  Distribution distribution;
  for (const Candidate& c : memory.candidates) distribution.emplace_back(c.id, c.weight / total);
  return distribution;
}

int32_t sample_token(const float* logits, int64_t vocabulary, const SamplingOptions& options,
                     Random& random) {
  const Row row = checked(logits, vocabulary);
  if (options.greedy()) return likeliest(row);
  Scratch& memory = scratch();
  if (!has_top_k(row, options) && options.top_p >= 1) {
    // Nothing to leave out, nothing to sort: walk the weights in the order of ids.
    const double total = softmax_weights(row, options, memory.weights);
    return static_cast<int32_t>(
        kernels().first_beyond(memory.weights.data(), row.count, random.uniform() * total));
  }
  choose(row, options, memory);
  double left = random.uniform() * sum(memory.candidates);
  for (const Candidate& c : memory.candidates)
    if ((left -= c.weight) < 0) return c.id;
  return memory.candidates.back().id;
}

TokenScore score_token(const float* logits, int64_t vocabulary, int32_t token, int64_t top) {
  const float most = kernels().maximum(logits, vocabulary);
  double sum = 0;
  for (int64_t i = 0; i < vocabulary; ++i) sum += std::exp(static_cast<double>(logits[i]) - most);
  const double shift = most + std::log(sum);
  const auto of = [&](int64_t id) { return static_cast<float>(logits[id] - shift); };
  TokenScore score{token, of(token)};
  if (top <= 0) return score;
  std::vector<int32_t> ids(static_cast<size_t>(vocabulary));
  std::iota(ids.begin(), ids.end(), 0);
  const auto end = ids.begin() + std::min(top, vocabulary);
  std::partial_sort(ids.begin(), end, ids.end(), [&](int32_t a, int32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  });
  for (auto id = ids.begin(); id != end; ++id) score.top.emplace_back(*id, of(*id));
  return score;
}

}  // namespace sdft
