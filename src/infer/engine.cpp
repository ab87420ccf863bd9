#include "infer/engine.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/work.h"
#include "infer/cache.h"
#include "infer/lookup.h"
#include "infer/prefixes.h"
#include "infer/workers.h"
#include "model/lora.h"

namespace sdft {

namespace {

// Prompt tokens of one sequence in one pass: fixed, so that how a prompt is cut depends on nothing but
// itself.
constexpr int64_t kChunk = 256;
// Prompt tokens of all sequences in one pass, after which further prompts wait: answers under way are not
// held up.
constexpr int64_t kPromptTokensAPass = 512;
// Tokens in a pass, guesses included, that cost little more than one: it waits for the weights.
constexpr int64_t kCheapTokens = 8;

struct Task;
using TaskPointer = std::shared_ptr<Task>;

// The first tokens of a prompt, where another slot's prompt has the same: copied once that has read them.
struct Beginning {
  TaskPointer source;  // null: none, or copied
  int64_t slot = 0, tokens = 0;
};

// A request from submit() to its end. Below `cancelled` only the worker that runs it looks.
struct Task {
  size_t index = 0;
  Request request;
  RequestOptions options;
  RequestCallbacks callbacks;
  std::atomic<bool> cancelled{false};

  int64_t cached = 0;        // tokens in the cache
  Beginning beginning;       // where the first of them come from
  std::vector<int32_t> ids;  // of the answer; the newest is not in the cache yet
  PromptLookup lookup;
  std::vector<int32_t> guessed;  // what may follow the newest, in this pass
  int32_t stop_token = -1;
  Random random{0};
  std::optional<StopStringSearch> stops;
  std::optional<TokenScore> score;  // of the newest token

  int64_t prompt_size() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t prompt_left() const { return prompt_size() - cached; }
};

// One thread with slots and a cache of its own. Workers meet only in EngineState.
struct Worker {
  std::vector<TaskPointer> slots;  // null: free
  GrowingCache cache;
};

// One forward pass.
struct Pass {
  std::vector<int64_t> ids;
  std::vector<ops::CacheSegment> segments;  // .slot is the worker's slot
  std::vector<AdapterSpan> spans;           // of the segments
  int64_t prompt_tokens = 0, copied_tokens = 0;
};

struct Finished {
  TaskPointer task;
  FinishReason reason;
};
}  // namespace

// What the workers share.
struct EngineState {
  EngineState(const Model& m, const EngineOptions& o) : model(m), options(o) {}

  const Model& model;
  const EngineOptions options;
  int64_t workers = 1, slots_a_worker = 1;  // of this run()
  int64_t room = 1;                         // tokens of a slot that there is room for from the beginning

  std::mutex mutex;  // for all below
  std::condition_variable changed;
  std::map<std::pair<int64_t, size_t>, TaskPointer> waiting;  // in the order of their turn
  std::map<size_t, TaskPointer> open;                         // waiting or under way
  std::vector<Finished> finished;                             // not yet handed over
  GenerateProgress progress;
  int64_t asked_tokens = 0;     // of prompts, less what is copied from others
  int64_t longest_answer = 0;   // that is allowed
  int64_t finished_tokens = 0;  // of answers
  bool failed = false;          // one worker: all end

  std::pair<int64_t, size_t> turn_of(const Task& task) const {
    return {options.in_order ? 0 : -task.prompt_size(), task.index};
  }
  // The caller holds the mutex.
  void finish(const TaskPointer& task, FinishReason reason) {
    open.erase(task->index);
    finished_tokens += static_cast<int64_t>(task->ids.size());
    finished.push_back({task, reason});
    progress.finished++;
  }
};

namespace {
using State = EngineState;

// --- before the start

void check(const Model& model, const Request& request, const RequestOptions& options,
           const Tokenizer* tokenizer) {
  const int64_t vocabulary = model.config.vocab_size;
  std::string problems;
  for (const auto& some : {problems_of(options), problems_of(options.constraints, vocabulary)})
    for (const std::string& problem : some) problems += (problems.empty() ? "" : "; ") + problem;
  if (!options.constraints.stop_strings.empty() && !tokenizer)
    problems += std::string(problems.empty() ? "" : "; ") + "stop_strings need the model's tokenizer";
  if (!problems.empty()) fail_usage(problems);
  const std::string where = "request '" + request.id + "'";
  if (request.prompt.empty()) fail_input(where, "has an empty prompt, expected at least one token");
  for (int32_t id : request.prompt)
    if (id < 0 || id >= vocabulary)
      fail_input(
          where,
          "has token id " + std::to_string(id) + ", the model knows 0 to " + std::to_string(vocabulary - 1),
          "is the tokenizer this model's own?");
}

}  // namespace

int64_t useful_batch_size(const Model& model, int64_t tokens) {
  const int64_t longest = std::min(tokens, model.config.max_position_embeddings);
  const int64_t bytes = longest * cache_bytes_per_token(model);
  const int64_t memory =
      model.device.is_cpu() ? ::sysconf(_SC_PHYS_PAGES) / 4 * ::sysconf(_SC_PAGESIZE) : int64_t{16} << 30;
  // With 32 rows a CPU is busy, and more of them only take memory; tiles still wait for the weights.
  const int64_t rows =
      chosen_tier() == Tier::kAmx && model.precision == ops::MatmulPrecision::kBf16 ? 64 : 32;
  const int64_t useful = model.device.is_cpu() ? rows * worker_count(model) : 128;
  return std::clamp<int64_t>(memory / std::max<int64_t>(1, bytes), 1, useful);
}

namespace {
// Workers and slots for what waits.
void plan(State& s) {
  const int64_t context = s.model.config.max_position_embeddings;
  int64_t longest = 1;  // with its answer
  for (const auto& [turn, task] : s.waiting)
    longest = std::max(longest, std::min(context, task->prompt_size() + task->options.max_new_tokens));
  const int64_t batch = s.options.batch_size > 0 ? s.options.batch_size : useful_batch_size(s.model, longest);
  // Growing would copy. But room in huge pages is taken by whole pages, and few answers come near a high
  // limit.
  constexpr int64_t kRoom = 1024;
  if (s.model.device.is_cpu()) s.room = std::min(longest, kRoom);
  const int64_t useful = std::min(batch, static_cast<int64_t>(s.waiting.size()));
  s.workers = std::clamp<int64_t>(useful, 1, worker_count(s.model));
  s.slots_a_worker = (batch + s.workers - 1) / s.workers;
}

// --- one worker

void begin(const State& s, Task& task) {
  task.random = Random(task.options.seed, task.request.id);
  if (const auto& strings = task.options.constraints.stop_strings; !strings.empty())
    task.stops.emplace(*s.options.tokenizer, strings);
}

// The end of the piece of a prompt that begins at `at`: pieces end where they would in a prompt read alone.
int64_t piece_end(const Task& task, int64_t at) {
  return std::min(task.prompt_size(), (at / kChunk + 1) * kChunk);
}

// What of its prompt a slot's new task need not read, since one that came before it has the same beginning.
void find_beginning(const std::vector<TaskPointer>& slots, size_t own) {
  Task& task = *slots[own];
  const auto& prompt = task.request.prompt;
  for (size_t i = 0; i < slots.size(); ++i) {
    const TaskPointer& other = slots[i];
    if (!other || i == own || other->options.adapter != task.options.adapter) continue;
    const auto& theirs = other->request.prompt;
    const auto limit = std::min(prompt.size() - 1, theirs.size());  // the last token is read in any case
    const auto end = prompt.begin() + static_cast<ptrdiff_t>(limit);
    int64_t same = std::mismatch(prompt.begin(), end, theirs.begin()).first - prompt.begin();
    // A single token is read with the one before it: kernels sum the attention of one new token in another
    // order, and the last bit would tell what was shared.
    if (same % kChunk > 0 && piece_end(task, same) - same == 1) --same;
    if (same >= kWorthSharing && same > task.beginning.tokens)
      task.beginning = {other, static_cast<int64_t>(i), same};
  }
}

// Gives a worker's slots their share of what waits; true where it has something to do. The caller holds the
// mutex.
bool refill(State& s, Worker& worker) {
  const auto open = static_cast<int64_t>(s.open.size());
  const auto share = static_cast<size_t>(std::min(s.slots_a_worker, (open + s.workers - 1) / s.workers));
  size_t used = 0;
  for (TaskPointer& slot : worker.slots) {
    if (slot && slot->cancelled) {
      s.finish(slot, FinishReason::kCancelled);
      s.progress.running--;
      slot = nullptr;
    }
    used += slot != nullptr;
  }
  if (worker.slots.size() < share) worker.slots.resize(share);
  for (size_t i = 0; i < worker.slots.size(); ++i) {
    TaskPointer& slot = worker.slots[i];
    if (slot || used >= share || s.waiting.empty()) continue;
    slot = s.waiting.begin()->second;
    s.waiting.erase(s.waiting.begin());
    begin(s, *slot);
    if (can_share(s.model)) find_beginning(worker.slots, i);
    s.progress.running++;
    ++used;
  }
  return used > 0;
}

// Takes over what others have read by now; true where the task may read on.
bool take_beginning(const Model& model, Worker& worker, Task& task, int64_t slot) {
  Beginning& from = task.beginning;
  if (!from.source) return true;
  const bool there = worker.slots[static_cast<size_t>(from.slot)] == from.source;
  if (there && from.source->cached < from.tokens) return false;
  if (there) {
    reserve(model, worker.cache, static_cast<int64_t>(worker.slots.size()), from.tokens);
    copy_prefix(worker.cache, from.slot, slot, from.tokens);
    task.cached = from.tokens;
  }
  from.source = nullptr;
  return true;
}

bool plain(const RequestOptions& options) {
  return options.sampling.repetition_penalty == 1 && !options.constraints.mask() && options.top_logprobs < 0;
}

// Guesses for the answers under way, where these are few and no prompt is read beside them.
void guess(const Model& model, int64_t limit, Worker& worker) {
  int64_t writing = 0;
  bool reading = false;
  for (const TaskPointer& task : worker.slots)
    if (task) (task->prompt_left() > 0 ? reading = true : writing += 1);
  const int64_t most = reading || writing == 0 ? 0 : std::min(limit, kCheapTokens / writing - 1);
  for (const TaskPointer& task : worker.slots) {
    if (!task || task->prompt_left() > 0) continue;
    const int64_t left = std::min(task->options.max_new_tokens - static_cast<int64_t>(task->ids.size()) - 1,
                                  model.config.max_position_embeddings - task->cached - 2);
    const int64_t count = plain(task->options) ? std::min(most, left) : 0;
    task->guessed = count > 0
                        ? task->lookup.guess(task->request.prompt, task->ids, static_cast<size_t>(count))
                        : std::vector<int32_t>();
  }
}

// The newest token of each answer with the guesses behind it, each a segment of its own as if it were alone,
// and pieces of prompts while there is room; those of one adapter after the other, which is `adapters`'
// order.
Pass next_pass(const Model& model, Worker& worker, const std::vector<const Adapter*>& adapters) {
  Pass pass;
  for (const Adapter* adapter : adapters) {
    const size_t before = pass.segments.size();
    for (size_t i = 0; i < worker.slots.size(); ++i) {
      const Task* task = worker.slots[i].get();
      if (!task || task->options.adapter != adapter || task->prompt_left() > 0) continue;
      pass.ids.push_back(task->ids.back());
      pass.ids.insert(pass.ids.end(), task->guessed.begin(), task->guessed.end());
      const int64_t end = task->cached + 1 + static_cast<int64_t>(task->guessed.size());
      for (int64_t at = task->cached; at < end; ++at)
        pass.segments.push_back({1, static_cast<int64_t>(i), at + 1});
    }
    for (size_t i = 0; i < worker.slots.size() && pass.prompt_tokens < kPromptTokensAPass; ++i) {
      Task* task = worker.slots[i].get();
      if (!task || task->options.adapter != adapter || task->prompt_left() <= 0) continue;
      const int64_t before_copy = task->cached;
      if (!take_beginning(model, worker, *task, static_cast<int64_t>(i))) continue;
      pass.copied_tokens += task->cached - before_copy;
      const int64_t end = piece_end(*task, task->cached), count = end - task->cached;
      const auto first = task->request.prompt.begin() + task->cached;
      pass.ids.insert(pass.ids.end(), first, first + count);
      pass.segments.push_back({count, static_cast<int64_t>(i), end});
      pass.prompt_tokens += count;
    }
    if (const size_t count = pass.segments.size() - before)
      pass.spans.push_back({adapter, static_cast<int64_t>(count)});
  }
  return pass;
}

int32_t next_token(Task& task, float* logits, int64_t vocabulary) {
  const SamplingOptions& sampling = task.options.sampling;
  const Constraints& constraints = task.options.constraints;
  const bool penalty = sampling.repetition_penalty != 1, mask = constraints.mask();
  const int64_t top = task.options.top_logprobs;
  const std::vector<float> own(logits, logits + (top >= 0 ? vocabulary : 0));
  if (penalty || mask) {
    std::vector<int32_t> seen = task.request.prompt;
    seen.insert(seen.end(), task.ids.begin(), task.ids.end());
    if (penalty) penalize_repetition(logits, vocabulary, seen, sampling.repetition_penalty);
    if (mask)
      rule_out(constraints, task.options.stop_ids, seen, task.request.prompt.size(), logits, vocabulary);
  }
  const int32_t token = sample_token(logits, vocabulary, sampling, task.random);
  if (top >= 0) task.score = score_token(own.data(), vocabulary, token, top);
  return token;
}

// A task whose whole prompt has been read, with its rows of the pass: one, and one more for each guess.
struct Ready {
  Task* task;
  int64_t slot, row, rows;
  bool began;  // its answer, before this pass
};

// The next tokens of each: one, and one more behind each guess that was right; scores [rows, V].
std::vector<std::vector<int32_t>> sample(const Tensor& scores, const std::vector<Ready>& ready) {
  std::vector<std::vector<int32_t>> tokens(ready.size());
  const auto take_rows = [&](size_t i, const auto& token_of) {
    const std::vector<int32_t>& guessed = ready[i].task->guessed;
    for (int64_t r = 0; r < ready[i].rows; ++r) {
      tokens[i].push_back(token_of(ready[i].row + r));
      if (r + 1 == ready[i].rows || tokens[i].back() != guessed[static_cast<size_t>(r)]) return;
    }
  };
  const bool greedy = std::all_of(ready.begin(), ready.end(), [](const Ready& one) {
    return one.task->options.sampling.greedy() && plain(one.task->options);
  });
  if (greedy && !scores.is_cpu()) {  // a vocabulary of logits need not travel for one id
    const Tensor likeliest = scores.argmax(-1).to(at::kCPU, at::kInt).contiguous();
    for (size_t i = 0; i < ready.size(); ++i)
      take_rows(i, [&](int64_t row) { return likeliest.data_ptr<int32_t>()[row]; });
    return tokens;
  }
  const Tensor rows = scores.to(at::kCPU, at::kFloat).contiguous();
  const int64_t vocabulary = rows.size(1);
  at::parallel_for(0, static_cast<int64_t>(ready.size()), 1, [&](int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i)
      take_rows(static_cast<size_t>(i), [&](int64_t row) {
        return next_token(*ready[static_cast<size_t>(i)].task, rows.data_ptr<float>() + row * vocabulary,
                          vocabulary);
      });
  });
  return tokens;
}

// Takes the token into the task's answer; the reason where the answer ends.
std::optional<FinishReason> take(const Model& model, Task& task, int32_t token) {
  if (task.score && task.callbacks.on_score) task.callbacks.on_score(*task.score);
  const std::vector<int32_t>& stops = task.options.stop_ids;
  if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
    task.stop_token = token;
    return FinishReason::kStop;
  }
  task.ids.push_back(token);
  if (task.callbacks.on_token && !task.callbacks.on_token(token)) return FinishReason::kStop;
  if (task.stops && task.stops->add(token)) return FinishReason::kStop;
  if (static_cast<int64_t>(task.ids.size()) >= task.options.max_new_tokens) return FinishReason::kLength;
  if (task.cached + 1 >= model.config.max_position_embeddings) return FinishReason::kContext;
  return std::nullopt;
}

// The tasks of a pass that have something to sample from, their rows in the order of its segments.
std::vector<Ready> ready_tasks(const Worker& worker, const Pass& pass, std::vector<int64_t>* segments,
                               std::vector<AdapterSpan>* spans) {
  std::vector<Ready> ready;
  for (size_t i = 0; i < pass.segments.size();) {
    const int64_t slot = pass.segments[i].slot;
    Task& task = *worker.slots[static_cast<size_t>(slot)];
    const bool began = task.prompt_left() <= 0;
    const int64_t rows = began ? 1 + static_cast<int64_t>(task.guessed.size()) : 1;
    if (!began) task.cached = pass.segments[i].kv_len;
    if (task.prompt_left() <= 0) {
      ready.push_back({&task, slot, static_cast<int64_t>(segments->size()), rows, began});
      if (spans->empty() || spans->back().adapter != task.options.adapter)
        spans->push_back({task.options.adapter, 0});
      spans->back().segments += rows;
      for (int64_t r = 0; r < rows; ++r) segments->push_back(static_cast<int64_t>(i) + r);
    }
    i += static_cast<size_t>(rows);
  }
  return ready;
}

// One forward pass over the slots of some adapters.
void step(State& s, Worker& worker, const std::vector<const Adapter*>& adapters) {
  const Pass pass = next_pass(s.model, worker, adapters);
  if (pass.segments.empty()) return;  // all that these read is what others are reading now
  int64_t longest = s.room;
  for (const ops::CacheSegment& segment : pass.segments) longest = std::max(longest, segment.kv_len);
  reserve(s.model, worker.cache, static_cast<int64_t>(worker.slots.size()), longest);
  const Tensor ids = at::tensor(at::ArrayRef<int64_t>(pass.ids), at::kLong).to(s.model.device);
  Tensor hidden =
      forward_cached(s.model, pass.spans, ids, pass.segments, worker.cache.kv, true);  // [segments, C]

  std::vector<int64_t> segments;
  std::vector<AdapterSpan> spans;  // of those that are ready
  const std::vector<Ready> ready = ready_tasks(worker, pass, &segments, &spans);
  if (segments.size() < pass.segments.size())
    hidden =
        hidden.index_select(0, at::tensor(at::ArrayRef<int64_t>(segments), at::kLong).to(hidden.device()));
  const auto tokens =
      ready.empty() ? std::vector<std::vector<int32_t>>() : sample(logits(s.model, spans, hidden), ready);

  std::vector<Finished> finished;
  int64_t taken = 0;
  for (size_t i = 0; i < ready.size(); ++i) {
    Task& task = *ready[i].task;
    task.lookup.learn(task.guessed.size(), tokens[i].size() - 1);
    for (const int32_t token : tokens[i]) {
      if (task.cancelled) break;
      task.cached += ready[i].began;  // the token in front of it
      ++taken;
      const auto reason = take(s.model, task, token);
      if (!reason) continue;
      finished.push_back({std::move(worker.slots[static_cast<size_t>(ready[i].slot)]), *reason});
      break;
    }
  }
  std::lock_guard<std::mutex> lock(s.mutex);
  s.asked_tokens -= pass.copied_tokens;
  s.progress.prompt_tokens += pass.prompt_tokens;
  s.progress.new_tokens += taken;
  s.progress.running -= static_cast<int64_t>(finished.size());
  for (const Finished& one : finished) s.finish(one.task, one.reason);
}

// One pass for all adapters in use; one of its own for each that brings whole weights.
void step(State& s, Worker& worker) {
  guess(s.model, s.options.prompt_lookup_num_tokens, worker);
  std::vector<const Adapter*> together, alone;
  for (const TaskPointer& task : worker.slots) {
    if (!task) continue;
    const Adapter* adapter = task->options.adapter;
    auto& list = adapter && !adapter->replaced.empty() ? alone : together;
    if (std::find(list.begin(), list.end(), adapter) == list.end()) list.push_back(adapter);
  }
  if (!together.empty()) step(s, worker, together);
  for (const Adapter* adapter : alone) step(s, worker, {adapter});
}

// The share of all tokens that are read or written by now. Answers are taken to end as likely at any token as
// at any other, so that those under way go on for the mean length of all; until the first one ends, to their
// limit.
double share_of_work(const State& s) {
  const GenerateProgress& p = s.progress;
  const auto limit = static_cast<double>(s.longest_answer), running = static_cast<double>(p.running),
             unfinished = static_cast<double>(p.requests - p.finished);
  const double mean =
      s.finished_tokens > 0
          ? std::min(limit, static_cast<double>(p.new_tokens) / static_cast<double>(p.finished))
          : limit;
  const double written =
      running > 0 ? static_cast<double>(p.new_tokens - s.finished_tokens) / running : 0;  // of each
  const double left =
      running * std::min(mean, std::max(0.0, limit - written)) + (unfinished - running) * mean;
  const double done = static_cast<double>(p.prompt_tokens + p.new_tokens);
  const double all = static_cast<double>(s.asked_tokens + p.new_tokens) + left;
  return all > 0 ? std::min(1.0, done / all) : 0;
}

// Hands over what any worker has finished.
void hand_over(State& s) {
  std::vector<Finished> finished;
  GenerateProgress progress;
  {
    std::lock_guard<std::mutex> lock(s.mutex);
    finished.swap(s.finished);
    progress = s.progress;
    progress.share = share_of_work(s);
  }
  for (const Finished& one : finished)
    if (one.task->callbacks.on_done)
      one.task->callbacks.on_done({one.task->request.id, one.task->index, std::move(one.task->ids),
                                   one.reason, one.task->stop_token});
  if (s.options.on_step) s.options.on_step(progress);
}

// callers: the worker on run()'s thread, which also hands over.
void work(State& s, bool callers) {
  at::NoGradGuard no_grad;
  Worker worker;
  for (;;) {
    bool busy = false;
    {
      std::unique_lock<std::mutex> lock(s.mutex);
      s.changed.wait(lock, [&] {
        busy = refill(s, worker);
        return busy || s.failed || s.open.empty() || (callers && !s.finished.empty());
      });
      if (s.failed) return;
      if (s.open.empty() && (!callers || s.finished.empty())) break;
    }
    if (busy) {
      if (s.options.stop && s.options.stop->load())
        throw Error(ExitCode::kInterrupted, "interrupted while generating");
      step(s, worker);
    }
    if (callers) {
      hand_over(s);
    } else {
      s.changed.notify_all();
    }
  }
  s.changed.notify_all();
}
}  // namespace

Engine::Engine(const Model& model, const EngineOptions& options)
    : state_(std::make_unique<EngineState>(model, options)) {
  for (const std::string& problem : problems_of(options)) fail_usage(problem);
}
Engine::~Engine() = default;

size_t Engine::submit(Request request, const RequestOptions& options, RequestCallbacks callbacks) {
  EngineState& s = *state_;
  check(s.model, request, options, s.options.tokenizer);
  auto task = std::make_shared<Task>();
  task->request = std::move(request);
  task->options = options;
  task->callbacks = std::move(callbacks);
  std::lock_guard<std::mutex> lock(s.mutex);
  task->index = s.progress.requests++;
  s.open[task->index] = task;
  if (task->prompt_size() < s.model.config.max_position_embeddings) {
    s.waiting[s.turn_of(*task)] = task;
    s.asked_tokens += task->prompt_size();
    s.longest_answer = std::max(s.longest_answer, task->options.max_new_tokens);
  } else {
    s.finish(task, FinishReason::kPromptTooLong);
  }
  s.changed.notify_all();
  return task->index;
}

void Engine::cancel(size_t index) {
  EngineState& s = *state_;
  std::lock_guard<std::mutex> lock(s.mutex);
  const auto found = s.open.find(index);
  if (found == s.open.end()) return;
  const TaskPointer task = found->second;
  task->cancelled = true;
  if (s.waiting.erase(s.turn_of(*task))) s.finish(task, FinishReason::kCancelled);
  s.changed.notify_all();
}

void Engine::run() {
  EngineState& s = *state_;
  current_work = Work::kGenerating;
  {
    std::lock_guard<std::mutex> lock(s.mutex);
    plan(s);
  }
  hand_over(s);
  run_workers(s.workers, [&](int64_t worker) {
    try {
      work(s, worker == 0);
    } catch (...) {
      std::lock_guard<std::mutex> lock(s.mutex);
      s.failed = true;
      s.changed.notify_all();
      throw;
    }
  });
}

}  // namespace sdft
