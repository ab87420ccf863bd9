#include "infer/scorer.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/work.h"
#include "infer/workers.h"
#include "tensor/ops.h"

namespace sdft {

ScoreItem continuation_item(const std::vector<int32_t>& context, const std::vector<int32_t>& continuation) {
  ScoreItem item;
  item.ids = context;
  item.ids.insert(item.ids.end(), continuation.begin(), continuation.end());
  item.supervised.assign(context.size(), 0);
  item.supervised.resize(item.ids.size(), 1);
  return item;
}

namespace {

constexpr int64_t kBatchTokens = 1024;  // of one pass

// Tokens before the last one that counts: what the model has to read.
size_t input_length(const ScoreItem& item) {
  for (size_t t = item.ids.size(); t-- > 1;)
    if (item.supervised[t]) return t;
  return 0;
}

void check(ModelView model, const std::vector<ScoreItem>& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    const ScoreItem& item = items[i];
    const std::string where = "sequence " + std::to_string(i) + " to score";
    if (item.supervised.size() != item.ids.size())
      fail_input(where, "has " + std::to_string(item.ids.size()) + " tokens and a mask of " +
                            std::to_string(item.supervised.size()));
    if (!item.ids.empty() && item.supervised[0])
      fail_input(where, "counts its first token, which has none before it", "put the BOS token in front");
    for (int32_t id : item.ids)
      if (id < 0 || id >= model->config.vocab_size)
        fail_input(where,
                   "has token id " + std::to_string(id) + ", the model knows 0 to " +
                       std::to_string(model->config.vocab_size - 1),
                   "is the tokenizer this model's own?");
    if (static_cast<int64_t>(input_length(item)) > model->config.max_position_embeddings)
      fail_input(where,
                 "has " + std::to_string(item.ids.size()) + " tokens, the model's context is " +
                     std::to_string(model->config.max_position_embeddings),
                 "shorten it");
  }
}

// A sequence that is read once, for all items that ask about it: choices of one token have the same inputs.
struct Reading {
  size_t item;  // whose first `length` ids are read
  size_t length;
  std::vector<size_t> items;
};

bool same_inputs(const std::vector<ScoreItem>& items, const Reading& a, const Reading& b) {
  return a.length == b.length &&
         std::equal(items[a.item].ids.begin(), items[a.item].ids.begin() + static_cast<int64_t>(a.length),
                    items[b.item].ids.begin());
}

std::vector<Reading> plan_readings(const std::vector<ScoreItem>& items) {
  std::vector<Reading> readings;
  for (size_t i = 0; i < items.size(); ++i)
    if (const size_t length = input_length(items[i])) readings.push_back({i, length, {i}});
  auto before = [&](const Reading& a, const Reading& b) {
    if (a.length != b.length) return a.length > b.length;  // like beside like, the longest first
    const auto &x = items[a.item].ids, &y = items[b.item].ids;
    const auto end = static_cast<int64_t>(a.length);
    return std::lexicographical_compare(x.begin(), x.begin() + end, y.begin(), y.begin() + end);
  };
  std::stable_sort(readings.begin(), readings.end(), before);
  std::vector<Reading> merged;
  for (Reading& reading : readings) {
    if (!merged.empty() && same_inputs(items, merged.back(), reading)) {
      merged.back().items.push_back(reading.item);
    } else {
      merged.push_back(std::move(reading));
    }
  }
  return merged;
}

// Index of the first reading of each batch, and the end.
std::vector<size_t> batch_starts(const std::vector<Reading>& readings, int64_t budget) {
  std::vector<size_t> starts = {0};
  int64_t tokens = 0;
  for (size_t i = 0; i < readings.size(); ++i) {
    const int64_t length = static_cast<int64_t>(readings[i].length);
    if (tokens > 0 && tokens + length > budget) {
      starts.push_back(i);
      tokens = 0;
    }
    tokens += length;
  }
  if (!readings.empty()) starts.push_back(readings.size());
  return starts;
}

size_t asked(const std::vector<Reading>& readings) {
  size_t count = 0;
  for (const Reading& reading : readings) count += reading.items.size();
  return count;
}

// One row of logits that is asked for: of which token, by which item.
struct Question {
  int64_t row;  // of the hidden states
  int64_t target;
  size_t item;
};

void score_batch(ModelView model, const std::vector<ScoreItem>& items, const Reading* begin,
                 const Reading* end, bool per_token, std::vector<Score>& scores) {
  at::NoGradGuard no_grad;
  std::vector<std::vector<int32_t>> inputs;
  std::vector<Question> questions;
  int64_t first = 0;
  for (const Reading* reading = begin; reading != end; ++reading) {
    const auto& ids = items[reading->item].ids;
    inputs.emplace_back(ids.begin(), ids.begin() + static_cast<int64_t>(reading->length));
    for (size_t item : reading->items)
      for (size_t t = 1; t <= reading->length; ++t)
        if (items[item].supervised[t])
          questions.push_back({first + static_cast<int64_t>(t) - 1, items[item].ids[t], item});
    first += static_cast<int64_t>(reading->length);
  }
  const Tensor hidden = forward(model, pack(inputs, model->device));
  // Logits of so many rows at a time take 16 MiB.
  const size_t chunk =
      static_cast<size_t>(std::max<int64_t>(8, (int64_t{1} << 22) / model->config.vocab_size));
  for (size_t i = 0; i < questions.size(); i += chunk) {
    const size_t count = std::min(chunk, questions.size() - i);
    std::vector<int64_t> rows, targets;
    for (size_t q = i; q < i + count; ++q) {
      rows.push_back(questions[q].row);
      targets.push_back(questions[q].target);
    }
    const Tensor index = at::tensor(at::ArrayRef<int64_t>(rows), at::kLong).to(model->device);
    const ops::TokenScores answers = ops::score_tokens(logits(model, hidden.index_select(0, index)),
                                                       at::tensor(at::ArrayRef<int64_t>(targets), at::kLong));
    const float* log_probs = answers.log_probs.data_ptr<float>();
    const int64_t* likeliest = answers.likeliest.data_ptr<int64_t>();
    for (size_t q = 0; q < count; ++q) {
      Score& score = scores[questions[i + q].item];
      score.log_prob += static_cast<double>(log_probs[q]);
      score.count++;
      score.greedy &= likeliest[q] == targets[q];
      if (per_token) score.token_log_probs.push_back(log_probs[q]);
    }
  }
}
}  // namespace

std::vector<Score> score(ModelView model, const std::vector<ScoreItem>& items, const ScoreOptions& options) {
  current_work = Work::kScoring;
  check(model, items);
  std::vector<Score> scores(items.size());
  const std::vector<Reading> readings = plan_readings(items);
  const std::vector<size_t> starts =
      batch_starts(readings, options.batch_tokens > 0 ? options.batch_tokens : kBatchTokens);
  const size_t batches = starts.size() - 1;
  std::atomic<size_t> next{0}, done{items.size() - asked(readings)};
  const int64_t workers = std::clamp<int64_t>(static_cast<int64_t>(batches), 1, worker_count(*model.weights));
  run_workers(workers, [&](int64_t worker) {
    for (size_t batch; (batch = next++) < batches;) {
      if (options.stop && options.stop->load())
        throw Error(ExitCode::kInterrupted, "interrupted while scoring");
      const Reading* begin = readings.data() + starts[batch];
      const Reading* end = readings.data() + starts[batch + 1];
      try {
        score_batch(model, items, begin, end, options.per_token, scores);
      } catch (...) {
        next = batches;  // the other workers end too
        throw;
      }
      for (const Reading* reading = begin; reading != end; ++reading) done += reading->items.size();
      if (worker == 0 && options.on_step) options.on_step(done);
    }
  });
  if (options.on_step) options.on_step(done);
  return scores;
}

}  // namespace sdft
