#include "train/trainer.h"

#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "base/work.h"
#include "train/checkpoint.h"

namespace sdft {
namespace fs = std::filesystem;

int64_t total_steps(const TrainOptions& options, int64_t steps_per_epoch) {
  if (options.max_steps > 0) return options.max_steps;
  return static_cast<int64_t>(std::ceil(options.num_train_epochs * static_cast<double>(steps_per_epoch)));
}

int64_t tokens_of_pass(const TrainOptions& options, bool on_cpu) {
  constexpr int64_t kEnoughOnCpu = 1024;
  if (options.pass_tokens > 0) return options.pass_tokens;
  const int64_t promised = options.per_device_train_batch_size * std::max<int64_t>(1, options.cutoff_len);
  return on_cpu ? std::min(promised, kEnoughOnCpu) : promised;
}

double accumulate_gradients(const Objective& objective, ModelView student,
                            const std::vector<const Sample*>& samples, int64_t max_tokens,
                            const ForwardOptions& options) {
  double loss = 0;
  uint64_t part = 0;
  const Beginnings beginnings = beginnings_of(*student.weights, options);
  for (const MicroBatch& batch : micro_batches(samples, max_tokens, student->device, beginnings)) {
    ++part;
    if (batch.targets.numel() == 0) continue;
    ForwardOptions of_part = options;
    of_part.dropout.key = options.dropout.key * 4096 + part;
    of_part.noise.key = options.noise.key * 4096 + part;
    const Tensor value = objective.loss(student, batch, of_part);
    value.backward();
    loss += value.item<double>();
  }
  return loss;
}

namespace {
NamedTensors trainable(Model& model, Adapter* adapter) {
  NamedTensors list;
  if (adapter) {
    for (auto& [name, pair] : adapter->pairs) {
      list.emplace_back(name + ".lora_A", pair.a);
      list.emplace_back(name + ".lora_B", pair.b);
      if (pair.magnitude.defined()) list.emplace_back(name + ".lora_magnitude_vector", pair.magnitude);
    }
    for (auto& [name, weight] : adapter->replaced) {
      if (weight.scalar_type() != at::kFloat)
        fail_usage("modules_to_save needs f32 weights", "set dtype: f32");
      list.emplace_back(name, weight);
    }
  } else {
    if (model.dtype != at::kFloat) fail_usage("full fine-tuning needs f32 weights", "set dtype: f32");
    for (auto& [name, tensor] : named_parameters(model)) list.emplace_back(name, *tensor);
  }
  return list;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// The groups of PEFT's create_loraplus_optimizer: A and whole matrices, LoRA on the embedding, B and vectors.
std::vector<double> rates_of(const NamedTensors& parameters, const TrainOptions& options) {
  std::vector<double> rates;
  if (options.loraplus_lr_ratio <= 0) return rates;
  for (const auto& [name, tensor] : parameters) {
    const bool b = ends_with(name, ".lora_B");
    if (name.rfind(kEmbedLayer + ".lora_", 0) == 0 && tensor.dim() == 2)
      rates.push_back(options.loraplus_lr_embedding / options.learning_rate);
    else
      rates.push_back(b || tensor.dim() == 1 ? options.loraplus_lr_ratio : 1.0);
  }
  return rates;
}

// Magnitudes decay, too, as in HF Trainer.
AdamW optimizer_of(Model& model, Adapter* adapter, const TrainOptions& options) {
  AdamWOptions adam = options.adam;
  adam.decay_vectors |= adapter && adapter->config.use_dora;
  NamedTensors parameters = trainable(model, adapter);
  std::vector<double> rates = rates_of(parameters, options);
  return AdamW(adam, std::move(parameters), std::move(rates));
}

ops::MatmulPrecision precision(const TrainOptions& options, const Model& model) {
  return options.bf16 ? ops::MatmulPrecision::kBf16 : model.precision;
}

Schedule schedule_of(const TrainOptions& options, int64_t total) {
  check_schedule(options.lr_scheduler_type);
  Schedule schedule{options.lr_scheduler_type, options.learning_rate, options.warmup_steps, total};
  if (options.warmup_steps == 0)
    schedule.warmup_steps =
        static_cast<int64_t>(std::ceil(options.warmup_ratio * static_cast<double>(total)));
  return schedule;
}
}  // namespace

namespace {
// Which samples spoil a step, where single ones do.
[[noreturn]] void fail_diverged(const Trainer& trainer, int64_t step,
                                const std::vector<const Sample*>& samples) {
  std::string ids;
  for (const Sample* sample : samples)
    if (!std::isfinite(trainer.loss({sample}))) ids += (ids.empty() ? "" : ", ") + sample->id;
  throw Error(ExitCode::kInput, "training diverged at step " + std::to_string(step) +
                                    ": the loss is not a number" + (ids.empty() ? "" : ", of " + ids) +
                                    " (lower learning_rate, or set max_grad_norm)");
}
}  // namespace

Trainer::Trainer(Model& model, Adapter* adapter, std::unique_ptr<Objective> objective,
                 const TrainOptions& options, int64_t total)
    : model_(model),
      adapter_(adapter),
      objective_(std::move(objective)),
      options_(options),
      schedule_(schedule_of(options, total)),
      optimizer_(optimizer_of(model, adapter, options)) {
  for (auto& item : optimizer_.parameters) item.second.requires_grad_(true);
}

Trainer::~Trainer() {
  for (auto& item : optimizer_.parameters) item.second.requires_grad_(false);
}

NamedTensors Trainer::kept() const {
  NamedTensors list = objective_->state();
  if (!adapter_) return list;
  for (const auto& [name, pair] : adapter_->pairs) {
    if (!pair.a0.defined()) continue;
    list.emplace_back(name + ".begin_A", pair.a0);
    list.emplace_back(name + ".begin_B", pair.b0);
  }
  return list;
}

void Trainer::restored() {
  if (adapter_) refresh_norms(model_, *adapter_);
}

StepMetrics Trainer::step(const std::vector<const Sample*>& samples) {
  current_work = Work::kTraining;
  const auto start = std::chrono::steady_clock::now();
  const int64_t step = optimizer_.steps;
  StepMetrics m;
  int64_t tokens_seen = 0;
  for (const Sample* sample : samples) {
    m.tokens += supervised_tokens(*sample);
    tokens_seen += static_cast<int64_t>(sample->ids.size());
  }
  const Dropout dropout{adapter_ ? options_.lora.dropout : 0.0,
                        Random(options_.seed, "dropout " + std::to_string(step)).next()};
  const EmbeddingNoise noise{options_.neftune_noise_alpha,
                             Random(options_.seed, "noise " + std::to_string(step)).next()};
  m.step = step + 1;
  m.loss =
      accumulate_gradients(*objective_, student(), samples, tokens_of_pass(options_, model_.device.is_cpu()),
                           {dropout, precision(options_, model_), noise, options_.gradient_checkpointing});
  if (const Tensor penalty = objective_->penalty(student()); penalty.defined()) {
    penalty.backward();
    m.loss += penalty.item<double>();
  }
  if (!std::isfinite(m.loss)) fail_diverged(*this, m.step, samples);
  if (on_gradients) on_gradients(optimizer_.parameters);
  m.learning_rate = learning_rate_at(schedule_, step);
  m.grad_norm = optimizer_.step(m.learning_rate, options_.max_grad_norm);
  restored();
  if (!std::isfinite(m.grad_norm))
    throw Error(ExitCode::kInput, "training diverged at step " + std::to_string(m.step) +
                                      ": the gradient is not a number (lower learning_rate)");
  {
    at::NoGradGuard no_grad;
    objective_->stepped(student(), m.step);
  }
  m.tokens_per_second = static_cast<double>(tokens_seen) /
                        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return m;
}

double Trainer::loss(const std::vector<const Sample*>& samples) const {
  current_work = Work::kTraining;
  at::NoGradGuard no_grad;
  const ForwardOptions options{{}, precision(options_, model_)};
  double loss = 0;
  for (const MicroBatch& batch : micro_batches(samples, tokens_of_pass(options_, model_.device.is_cpu()),
                                               model_.device, beginnings_of(model_)))
    if (batch.targets.numel() > 0) loss += objective_->loss(student(), batch, options).item<double>();
  return loss;
}

namespace {
std::string line_of(const StepMetrics& m) {
  Json json = {{"step", m.step},
               {"epoch", m.epoch},
               {"loss", m.loss},
               {"learning_rate", m.learning_rate},
               {"grad_norm", m.grad_norm},
               {"tokens", m.tokens},
               {"tokens_per_second", m.tokens_per_second}};
  for (const auto& [name, value] : m.of_source) json[name] = value;
  if (m.watched) {
    for (const auto& [name, value] : m.watched->values) json[name] = value;
    json["fault"] = m.watched->fault;
  }
  if (m.validation_loss) json["validation_loss"] = *m.validation_loss;
  return json.dump();
}

double measured(const Trainer& trainer, const std::vector<const Sample*>& samples) {
  const double loss = trainer.loss(samples);
  if (!std::isfinite(loss))
    throw Error(ExitCode::kInput, "training diverged: the validation loss after step " +
                                      std::to_string(trainer.steps()) +
                                      " is not a number (lower learning_rate, or set max_grad_norm)");
  return loss;
}

// Which earlier parameters a training may have to go back to.
struct Kept {
  bool best, sound;  // those of the lowest validation loss; those that a monitor found sound
  int64_t step_of(const TrainingHistory& history) const {
    return sound ? history.sound_step : best ? history.best_step : 0;
  }
};

// Whether something was measured whose parameters are now the ones to keep.
bool measure(const Trainer& trainer, const std::vector<const Sample*>& validation, const Monitor& monitor,
             const Kept& kept, int64_t epoch, StepMetrics* m, TrainingHistory* history) {
  const bool planned_end = m->step == trainer.total();
  auto due = [&](int64_t steps) { return planned_end || m->step % (steps > 0 ? steps : epoch) == 0; };
  const int64_t before = kept.step_of(*history);
  if (!validation.empty() && due(trainer.options().eval_steps)) {
    m->validation_loss = measured(trainer, validation);
    history->add_measurement(m->step, *m->validation_loss);
  }
  if (monitor && due(monitor.steps)) {
    m->watched = monitor.measure(trainer.student());
    history->add_watched(m->step, m->watched->fault);
  }
  return kept.step_of(*history) != before;
}

// Puts the parameters back that are to stay.
void settle(const fs::path& dir, const Kept& kept, const TrainingHistory& history, Trainer& trainer) {
  if (kept.sound && history.fault.empty()) return;  // the last step's
  if (!kept.sound && !kept.best) return;
  const int64_t step = kept.step_of(history);
  if (step == 0)
    fail_input(
        "training", "went wrong before its first sound measurement: " + history.fault,
        "lower learning_rate, measure more often (watch_steps), or allow more (kl_budget, collapse_guard)");
  load_best(dir, step, trainer.state());
  trainer.restored();
}
}  // namespace

TrainingHistory train(Trainer& trainer, BatchSource& source, const std::vector<Sample>& held_back,
                      const Monitor& monitor, const fs::path& dir,
                      const std::function<void(const StepMetrics&)>& on_step, const std::atomic<bool>* stop) {
  const TrainOptions& options = trainer.options();
  const int64_t epoch = source.steps_per_epoch();
  std::vector<const Sample*> validation;
  for (const Sample& sample : held_back) validation.push_back(&sample);
  make_directories(dir);
  load_checkpoint(dir, trainer.state(), trainer.kept());
  trainer.restored();
  TrainingHistory history = read_history(dir);
  const Kept kept{options.load_best_model_at_end && !validation.empty(), static_cast<bool>(monitor)};
  int64_t saved = kept.step_of(history);  // the one that belongs to the checkpoint
  keep_best(dir, {saved});
  const auto last = [&] {
    const int64_t patience = options.early_stopping_patience;
    return trainer.steps() >= trainer.total() || (patience > 0 && history.since_best >= patience) ||
           !history.fault.empty();
  };
  LineWriter metrics(dir / "metrics.jsonl");
  bool due = false;  // a checkpoint
  while (!last()) {
    StepMetrics m = trainer.step(source.batch(trainer.steps()));
    m.of_source = source.metrics();
    m.epoch = static_cast<double>(m.step) / static_cast<double>(epoch);
    if (measure(trainer, validation, monitor, kept, epoch, &m, &history)) {
      save_best(dir, trainer.state());
      keep_best(dir, {saved, m.step});
    }
    metrics.write(line_of(m));
    if (on_step) on_step(m);
    const bool resumable = source.resumable_at(m.step), stopped = resumable && stop && stop->load();
    due |= options.save_steps > 0 && m.step % options.save_steps == 0;
    if (last() || (resumable && (stopped || due))) {
      due = false;
      metrics.sync();
      save_checkpoint(dir, trainer.state(), trainer.kept());
      saved = kept.step_of(history);
      keep_best(dir, {saved});
    }
    if (stopped && !last())
      throw Error(ExitCode::kInterrupted, "interrupted at step " + std::to_string(m.step) + " of " +
                                              std::to_string(trainer.total()) + "; the same command goes on");
  }
  settle(dir, kept, history, trainer);
  return history;
}

}  // namespace sdft
