#include "infer/scorer.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <string>

#include "base/error.h"
#include "base/work.h"
#include "infer/cache.h"
#include "infer/prefixes.h"
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

// Sequences that are read: what items ask about, the same inputs once, those that begin alike as a tree.
struct Readings {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<std::vector<size_t>> items;  // of each sequence
  SharedPrefixes tree;
};

Readings plan_readings(const Model& model, const std::vector<ScoreItem>& items) {
  std::map<std::vector<int32_t>, std::vector<size_t>> by_inputs;
  for (size_t i = 0; i < items.size(); ++i)
    if (const size_t length = input_length(items[i]))
      by_inputs[{items[i].ids.begin(), items[i].ids.begin() + static_cast<ptrdiff_t>(length)}].push_back(i);
  Readings readings;
  for (auto& [sequence, asking] : by_inputs) {
    readings.sequences.push_back(sequence);
    readings.items.push_back(std::move(asking));
  }
  const int64_t never = std::numeric_limits<int64_t>::max();
  readings.tree = shared_prefixes(readings.sequences, can_share(model) ? kWorthSharing : never);
  const std::vector<Stretch>& all = readings.tree.stretches;
  std::stable_sort(readings.tree.roots.begin(), readings.tree.roots.end(), [&](size_t a, size_t b) {
    if (all[a].children.empty() != all[b].children.empty()) return all[b].children.empty();
    return all[a].end > all[b].end;  // like beside like, the longest first
  });
  return readings;
}

// One row of logits that is asked for: of which token, by which item.
struct Question {
  int64_t row;  // of a stretch's hidden states
  int64_t target;
  size_t item;
};

// Of each stretch, what items ask about its tokens.
std::vector<std::vector<Question>> questions_of(const Readings& readings,
                                                const std::vector<ScoreItem>& items) {
  std::vector<std::vector<Question>> questions(readings.tree.stretches.size());
  for (size_t s = 0; s < readings.sequences.size(); ++s)
    for (const size_t item : readings.items[s]) {
      for (int64_t place = readings.tree.last[s]; place >= 0;) {
        const Stretch& stretch = readings.tree.stretches[static_cast<size_t>(place)];
        for (int64_t t = stretch.begin + 1; t <= stretch.end; ++t)
          if (items[item].supervised[static_cast<size_t>(t)])
            questions[static_cast<size_t>(place)].push_back(
                {t - 1 - stretch.begin, items[item].ids[static_cast<size_t>(t)], item});
        place = stretch.parent;
      }
    }
  return questions;
}

// Reads stretches and what follows them, on one worker.
class Reader {
 public:
  Reader(ModelView model, const Readings& readings, const std::vector<std::vector<Question>>& questions,
         const ScoreOptions& options, std::vector<Score>& scores)
      : model_(model), readings_(readings), questions_(questions), options_(options), scores_(scores) {
    budget_ = options.batch_tokens > 0 ? options.batch_tokens : kBatchTokens;
  }

  // Some stretches that have the same parent, or are roots, and all that follows them. `slots`: those of the
  // cache that are taken.
  void read(const std::vector<size_t>& stretches, int64_t slots) {
    for (size_t begin = 0, end; begin < stretches.size(); begin = end) {
      const std::vector<size_t> batch = next_batch(stretches, begin, &end);
      if (options_.stop && options_.stop->load())
        throw Error(ExitCode::kInterrupted, "interrupted while scoring");
      std::vector<size_t> following;
      for (const size_t place : batch)
        following.insert(following.end(), at(place).children.begin(), at(place).children.end());
      answer(batch,
             at(batch[0]).parent < 0 && following.empty() ? read_alone(batch) : read_cached(batch, slots));
      if (!following.empty()) read(following, slots + static_cast<int64_t>(batch.size()));
    }
  }

 private:
  static constexpr int64_t kCacheBytes = int64_t{256} << 20;
  static constexpr int64_t kLevels = 3;  // that share the cache: examples, question, choice

  const Stretch& at(size_t place) const { return readings_.tree.stretches[place]; }
  // Where reading begins. A single token is read with the one before it: kernels sum the attention of one new
  // token in another order, and the last bit would tell what was shared.
  static int64_t first_of(const Stretch& stretch) {
    return stretch.begin > 0 && stretch.end - stretch.begin == 1 ? stretch.begin - 1 : stretch.begin;
  }
  std::vector<int32_t> ids_of(const Stretch& stretch) const {
    const auto& ids = readings_.sequences[stretch.sequence];
    return {ids.begin() + first_of(stretch), ids.begin() + stretch.end};
  }
  int64_t longest_from(size_t place) const {
    int64_t longest = at(place).end;
    for (const size_t child : at(place).children) longest = std::max(longest, longest_from(child));
    return longest;
  }

  std::vector<size_t> next_batch(const std::vector<size_t>& stretches, size_t begin, size_t* end) const {
    std::vector<size_t> batch;
    int64_t tokens = 0, longest = 1;
    for (*end = begin; *end < stretches.size(); ++*end) {
      const size_t place = stretches[*end];
      const int64_t length = at(place).end - at(place).begin;
      longest = std::max(longest, longest_from(place));
      const int64_t room = kCacheBytes / (cache_bytes_per_token(*model_.weights) * longest * kLevels);
      const bool alone = at(place).parent < 0 && at(place).children.empty();
      const bool first_alone = !batch.empty() && at(batch[0]).parent < 0 && at(batch[0]).children.empty();
      const bool full = tokens + length > budget_ ||
                        (!alone && static_cast<int64_t>(batch.size()) >= std::max<int64_t>(4, room));
      if (!batch.empty() && (full || alone != first_alone)) break;
      batch.push_back(place);
      tokens += length;
    }
    return batch;
  }

  Tensor read_alone(const std::vector<size_t>& batch) {
    std::vector<std::vector<int32_t>> inputs;
    for (const size_t place : batch) inputs.push_back(ids_of(at(place)));
    return forward(model_, pack(inputs, model_->device));
  }

  // Behind what their parents left in the cache, each in a slot of its own.
  Tensor read_cached(const std::vector<size_t>& batch, int64_t slots) {
    std::vector<std::vector<int32_t>> inputs;
    std::vector<ops::CacheSegment> segments;
    int64_t longest = 0;
    for (const size_t place : batch) longest = std::max(longest, longest_from(place));
    reserve(*model_.weights, cache_, slots + static_cast<int64_t>(batch.size()), longest);
    for (const size_t place : batch) {
      const Stretch& stretch = at(place);
      const int64_t slot = slots + static_cast<int64_t>(segments.size());
      if (stretch.parent >= 0)
        copy_prefix(cache_, slot_of_.at(static_cast<size_t>(stretch.parent)), slot, stretch.begin);
      slot_of_[place] = slot;
      inputs.push_back(ids_of(stretch));
      segments.push_back({stretch.end - first_of(stretch), slot, stretch.end});
    }
    return forward_cached(model_, pack(inputs, model_->device).ids, segments, cache_.kv);
  }

  // hidden: of the batch's tokens, one stretch after the other.
  void answer(const std::vector<size_t>& batch, const Tensor& hidden) {
    std::vector<Question> asked;
    int64_t first = 0;
    for (const size_t place : batch) {
      const int64_t before = at(place).begin - first_of(at(place));
      for (const Question& q : questions_[place]) asked.push_back({first + before + q.row, q.target, q.item});
      first += at(place).end - first_of(at(place));
    }
    // Logits of so many rows at a time take 16 MiB.
    const size_t chunk =
        static_cast<size_t>(std::max<int64_t>(8, (int64_t{1} << 22) / model_->config.vocab_size));
    for (size_t i = 0; i < asked.size(); i += chunk) {
      const size_t count = std::min(chunk, asked.size() - i);
      std::vector<int64_t> rows, targets;
      for (size_t q = i; q < i + count; ++q) {
        rows.push_back(asked[q].row);
        targets.push_back(asked[q].target);
      }
      const Tensor index = at::tensor(at::ArrayRef<int64_t>(rows), at::kLong).to(model_->device);
      const ops::TokenScores answers =
          ops::score_tokens(logits(model_, hidden.index_select(0, index)),
                            at::tensor(at::ArrayRef<int64_t>(targets), at::kLong));
      const float* log_probs = answers.log_probs.data_ptr<float>();
      const int64_t* likeliest = answers.likeliest.data_ptr<int64_t>();
      for (size_t q = 0; q < count; ++q) {
        Score& score = scores_[asked[i + q].item];
        score.log_prob += static_cast<double>(log_probs[q]);
        score.count++;
        score.greedy &= likeliest[q] == targets[q];
        if (options_.per_token) score.token_log_probs.push_back(log_probs[q]);
      }
    }
  }

  ModelView model_;
  const Readings& readings_;
  const std::vector<std::vector<Question>>& questions_;
  const ScoreOptions& options_;
  std::vector<Score>& scores_;
  int64_t budget_;
  GrowingCache cache_;
  std::map<size_t, int64_t> slot_of_;
};

// Roots that a worker takes at once, with all that follows them: of about so many tokens.
std::vector<std::vector<size_t>> root_batches(const Readings& readings, int64_t budget) {
  std::vector<std::vector<size_t>> batches;
  const std::vector<Stretch>& all = readings.tree.stretches;
  int64_t tokens = 0;
  for (const size_t root : readings.tree.roots) {
    const bool alone = all[root].children.empty();
    const int64_t length = all[root].end;
    if (batches.empty() || tokens + length > budget || alone != all[batches.back()[0]].children.empty()) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(root);
    tokens += length;
  }
  return batches;
}

// How many items each batch of roots answers, when it is read with all that follows.
std::vector<size_t> items_below(const Readings& readings, const std::vector<std::vector<size_t>>& batches) {
  std::map<size_t, size_t> batch_of;  // of a root
  for (size_t b = 0; b < batches.size(); ++b)
    for (const size_t root : batches[b]) batch_of[root] = b;
  std::vector<size_t> counts(batches.size(), 0);
  for (size_t s = 0; s < readings.sequences.size(); ++s) {
    auto place = static_cast<size_t>(readings.tree.last[s]);
    while (readings.tree.stretches[place].parent >= 0)
      place = static_cast<size_t>(readings.tree.stretches[place].parent);
    counts[batch_of.at(place)] += readings.items[s].size();
  }
  return counts;
}
}  // namespace

std::vector<Score> score(ModelView model, const std::vector<ScoreItem>& items, const ScoreOptions& options) {
  current_work = Work::kScoring;
  at::NoGradGuard no_grad;
  check(model, items);
  std::vector<Score> scores(items.size());
  const Readings readings = plan_readings(*model.weights, items);
  const std::vector<std::vector<Question>> questions = questions_of(readings, items);
  const auto batches = root_batches(readings, options.batch_tokens > 0 ? options.batch_tokens : kBatchTokens);
  const std::vector<size_t> below = items_below(readings, batches);
  std::atomic<size_t> next{0}, done{items.size() - std::accumulate(below.begin(), below.end(), size_t{0})};
  const int64_t workers =
      std::clamp<int64_t>(static_cast<int64_t>(batches.size()), 1, worker_count(*model.weights));
  run_workers(workers, [&](int64_t worker) {
    at::NoGradGuard none;
    Reader reader(model, readings, questions, options, scores);
    for (size_t batch; (batch = next++) < batches.size();) {
      try {
        reader.read(batches[batch], 0);
      } catch (...) {
        next = batches.size();  // the other workers end too
        throw;
      }
      done += below[batch];
      if (worker == 0 && options.on_step) options.on_step(done);
    }
  });
  if (options.on_step) options.on_step(done);
  return scores;
}

std::vector<TokenScore> token_scores(ModelView model, const std::vector<int32_t>& ids, int64_t top) {
  constexpr int64_t kRows = 64;  // of logits at once
  at::NoGradGuard no_grad;
  for (const int32_t id : ids)
    if (id < 0 || id >= model->config.vocab_size)
      fail_input("token id " + std::to_string(id), "is outside the vocabulary");
  const Tensor hidden = forward(model, pack({ids}, model->device));
  std::vector<TokenScore> scores;
  for (int64_t begin = 0; begin + 1 < hidden.size(0); begin += kRows) {
    const int64_t count = std::min(kRows, hidden.size(0) - 1 - begin);
    const Tensor rows = logits(model, hidden.narrow(0, begin, count)).to(at::kCPU, at::kFloat).contiguous();
    for (int64_t i = 0; i < count; ++i)
      scores.push_back(score_token(rows.data_ptr<float>() + i * rows.size(1), rows.size(1),
                                   ids[static_cast<size_t>(begin + i) + 1], top));
  }
  return scores;
}

}  // namespace sdft
