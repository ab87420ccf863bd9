#include "train/trainer.h"

#include <chrono>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "base/work.h"
#include "train/checkpoint.h"

namespace sdft {
namespace fs = std::filesystem;

int64_t total_steps(const TrainOptions& options, size_t samples) {
  if (options.max_steps > 0) return options.max_steps;
  const int64_t per_step = options.per_device_train_batch_size * options.gradient_accumulation_steps;
  const int64_t per_epoch = (static_cast<int64_t>(samples) + per_step - 1) / per_step;
  return static_cast<int64_t>(std::ceil(options.num_train_epochs * static_cast<double>(per_epoch)));
}

namespace {
// Consecutive samples whose tokens together stay within the limit (a longer sample is alone).
std::vector<std::vector<const Sample*>> micro_batches(const std::vector<const Sample*>& samples,
                                                      int64_t max_tokens) {
  std::vector<std::vector<const Sample*>> batches;
  int64_t tokens = 0;
  for (const Sample* sample : samples) {
    const int64_t length = static_cast<int64_t>(sample->ids.size());
    if (batches.empty() || tokens + length > max_tokens) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(sample);
    tokens += length;
  }
  return batches;
}

int64_t supervised_tokens(const Sample& sample) {
  // The first token is predicted from nothing.
  return std::accumulate(sample.supervised.begin() + (sample.supervised.empty() ? 0 : 1),
                         sample.supervised.end(), int64_t{0});
}

// Sum of -log p over the supervised tokens, times `weight`.
Tensor batch_loss(const Model& model, const std::vector<const Sample*>& batch, double weight,
                  const Dropout& dropout) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> rows, targets;  // row t predicts token t + 1
  int64_t begin = 0;
  for (const Sample* sample : batch) {
    sequences.push_back(sample->ids);
    for (size_t t = 1; t < sample->ids.size(); ++t)
      if (sample->supervised[t]) {
        rows.push_back(begin + static_cast<int64_t>(t) - 1);
        targets.push_back(sample->ids[t]);
      }
    begin += static_cast<int64_t>(sample->ids.size());
  }
  Tensor hidden = forward(model, pack(sequences, model.device), dropout);  // [N, C]
  auto on_device = [&](const std::vector<int64_t>& x) {
    return at::tensor(at::ArrayRef<int64_t>(x), at::kLong).to(model.device);
  };
  Tensor weights = at::full({static_cast<int64_t>(rows.size())}, weight,
                            at::TensorOptions().dtype(at::kFloat).device(model.device));
  return ops::linear_cross_entropy(hidden.index_select(0, on_device(rows)), model.lm_head, on_device(targets),
                                   weights, model.config.final_softcap);
}

std::vector<size_t> epoch_order(uint64_t seed, int64_t epoch, size_t count) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  Random random(seed, "epoch " + std::to_string(epoch));
  random.shuffle(order);
  return order;
}

std::string line_of(const StepMetrics& m) {
  Json json = {{"step", m.step},
               {"epoch", m.epoch},
               {"loss", m.loss},
               {"learning_rate", m.learning_rate},
               {"grad_norm", m.grad_norm},
               {"tokens", m.tokens},
               {"tokens_per_second", m.tokens_per_second}};
  return json.dump();
}

NamedTensors trainable(Model& model, Adapter* adapter) {
  NamedTensors list;
  if (adapter) {
    for (auto& [name, pair] : adapter->pairs) {
      list.emplace_back(name + ".lora_A", pair.a);
      list.emplace_back(name + ".lora_B", pair.b);
    }
  } else {
    if (model.dtype != at::kFloat) fail_usage("full fine-tuning needs f32 weights", "set dtype: f32");
    for (auto& [name, tensor] : named_parameters(model)) list.emplace_back(name, *tensor);
  }
  return list;
}

void check(const TrainOptions& options) {
  check_schedule(options.lr_scheduler_type);
  if (options.finetuning_type != "lora" && options.finetuning_type != "full")
    fail_usage("finetuning_type '" + options.finetuning_type + "' is not known", "lora or full");
  if (options.per_device_train_batch_size <= 0 || options.gradient_accumulation_steps <= 0)
    fail_usage("per_device_train_batch_size and gradient_accumulation_steps must be positive");
}
}  // namespace

double accumulate_gradients(const Model& model, const std::vector<const Sample*>& samples, int64_t max_tokens,
                            double dropout, uint64_t dropout_key) {
  int64_t tokens = 0;
  for (const Sample* sample : samples) tokens += supervised_tokens(*sample);
  if (tokens == 0) return 0;
  double loss = 0;
  uint64_t part = 0;
  for (const auto& batch : micro_batches(samples, max_tokens)) {
    int64_t here = 0;
    for (const Sample* sample : batch) here += supervised_tokens(*sample);
    ++part;
    if (here == 0) continue;
    Tensor value =
        batch_loss(model, batch, 1.0 / static_cast<double>(tokens), {dropout, dropout_key * 4096 + part});
    value.backward();
    loss += value.item<double>();
  }
  return loss;
}

void train(Model& model, Adapter* adapter, const std::vector<Sample>& samples, const TrainOptions& options,
           const fs::path& dir, const std::function<void(const StepMetrics&, int64_t)>& on_step,
           const std::atomic<bool>* stop) {
  current_work = Work::kTraining;
  check(options);
  int64_t supervised = 0;
  for (const Sample& sample : samples) supervised += supervised_tokens(sample);
  if (supervised == 0)
    fail_input("training data", "has no token to learn", "are all answers empty or cut off by cutoff_len?");
  make_directories(dir);
  set_adapter(model, adapter);
  AdamW optimizer(options.adam, trainable(model, adapter));
  load_checkpoint(dir, optimizer);
  LineWriter metrics(dir / "metrics.jsonl");
  for (auto& item : optimizer.parameters) item.second.requires_grad_(true);

  const int64_t total = total_steps(options, samples.size());
  const int64_t per_step = options.per_device_train_batch_size * options.gradient_accumulation_steps;
  const int64_t per_epoch = (static_cast<int64_t>(samples.size()) + per_step - 1) / per_step;
  Schedule schedule{options.lr_scheduler_type, options.learning_rate, options.warmup_steps, total};
  if (options.warmup_steps == 0)
    schedule.warmup_steps =
        static_cast<int64_t>(std::ceil(options.warmup_ratio * static_cast<double>(total)));
  const int64_t max_tokens = options.per_device_train_batch_size * std::max<int64_t>(1, options.cutoff_len);
  const double dropout = adapter ? options.lora.dropout : 0.0;
  ops::Bf16Products precision(options.bf16);

  std::vector<size_t> order;
  for (int64_t step = optimizer.steps; step < total; ++step) {
    const int64_t epoch = step / per_epoch, first = step % per_epoch * per_step;
    if (order.empty() || first == 0) order = epoch_order(options.seed, epoch, samples.size());
    std::vector<const Sample*> batch;
    StepMetrics m;
    int64_t tokens_seen = 0;
    for (int64_t i = first; i < std::min<int64_t>(first + per_step, static_cast<int64_t>(samples.size()));
         ++i) {
      batch.push_back(&samples[order[static_cast<size_t>(i)]]);
      m.tokens += supervised_tokens(*batch.back());
      tokens_seen += static_cast<int64_t>(batch.back()->ids.size());
    }
    const auto start = std::chrono::steady_clock::now();
    m.step = step + 1;
    m.epoch = static_cast<double>(step + 1) / static_cast<double>(per_epoch);
    m.loss = accumulate_gradients(model, batch, max_tokens, dropout,
                                  Random(options.seed, "dropout " + std::to_string(step)).next());
    m.learning_rate = learning_rate_at(schedule, step);
    m.grad_norm = optimizer.step(m.learning_rate, options.max_grad_norm);
    if (!std::isfinite(m.loss) || !std::isfinite(m.grad_norm))
      throw Error(ExitCode::kInput, "training diverged at step " + std::to_string(step + 1) +
                                        ": loss is not a number (lower learning_rate, or set max_grad_norm)");
    m.tokens_per_second = static_cast<double>(tokens_seen) /
                          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    metrics.write(line_of(m));
    if (on_step) on_step(m, total);
    const bool interrupted = stop && stop->load();
    if (interrupted || m.step == total || (options.save_steps > 0 && m.step % options.save_steps == 0)) {
      metrics.sync();
      save_checkpoint(dir, optimizer);
    }
    if (interrupted && m.step < total)
      throw Error(ExitCode::kInterrupted, "interrupted at step " + std::to_string(m.step) + " of " +
                                              std::to_string(total) + "; the same command goes on");
  }
  for (auto& item : optimizer.parameters) item.second.requires_grad_(false);
}

}  // namespace sdft
