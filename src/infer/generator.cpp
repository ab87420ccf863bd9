#include "infer/generator.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/work.h"
#include "infer/cache.h"
#include "infer/lanes.h"

namespace sdft {

const char* name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContext:
      return "context";
    case FinishReason::kPromptTooLong:
      return "prompt_too_long";
  }
  return "";
}

std::vector<std::string> problems_of(const GenerateOptions& options) {
  std::vector<std::string> problems = problems_of(options.sampling);
  if (options.max_new_tokens < 1)
    problems.push_back("max_new_tokens is " + std::to_string(options.max_new_tokens) +
                       ", expected a positive number");
  if (options.batch_size < 0)
    problems.push_back("batch_size is " + std::to_string(options.batch_size) +
                       ", expected 0 (chosen) or a positive number");
  if (!options.constraints.stop_strings.empty() && !options.tokenizer)
    problems.emplace_back("stop_strings need the model's tokenizer");
  return problems;
}

namespace {

// Prompt tokens of one sequence in one pass: fixed, so that how a prompt is cut depends on nothing but
// itself.
constexpr int64_t kChunk = 256;
// Prompt tokens of all sequences in one pass, after which further prompts wait: answers under way are not
// held up.
constexpr int64_t kPromptTokensAPass = 512;

struct Slot {
  bool used = false;
  size_t request = 0;
  int64_t cached = 0;        // tokens in the cache
  std::vector<int32_t> ids;  // of the answer; the newest is not in the cache yet
  Random random{0};
  std::optional<StopStringSearch> stops;
};

// One thread with slots and a cache of its own. Lanes meet only in Job.
struct Lane {
  std::vector<Slot> slots;
  GrowingCache cache;
};

// What the lanes share.
struct Job {
  Job(ModelView m, const std::vector<Request>& r, const GenerateOptions& o)
      : model(m), requests(r), options(o) {}

  ModelView model;
  const std::vector<Request>& requests;
  const GenerateOptions& options;
  std::function<bool(int32_t)> on_token;  // may be empty
  std::vector<uint8_t> is_stop;           // by token id
  int64_t lanes = 1, slots_a_lane = 1;

  std::mutex mutex;  // for all below
  std::condition_variable changed;
  std::vector<size_t> waiting;  // the next one is the last
  std::vector<Completion> finished;
  GenerateProgress progress;
  int64_t lanes_running = 0;
  bool failed = false;  // one lane: all end
};

// One forward pass.
struct Pass {
  std::vector<int64_t> ids;
  std::vector<ops::CacheSegment> segments;  // .slot is the lane's slot
  int64_t prompt_tokens = 0;
};

// --- before the start
// ---------------------------------------------------------------------------------------------

void check(ModelView model, const std::vector<Request>& requests, const GenerateOptions& options) {
  std::string problems;
  for (const auto& some : {problems_of(options), problems_of(options.constraints, model->config.vocab_size)})
    for (const std::string& problem : some) problems += (problems.empty() ? "" : "; ") + problem;
  if (!problems.empty()) fail_usage(problems);
  const int64_t vocabulary = model->config.vocab_size;
  for (const Request& request : requests) {
    const std::string where = "request '" + request.id + "'";
    if (request.prompt.empty()) fail_input(where, "has an empty prompt, expected at least one token");
    for (int32_t id : request.prompt)
      if (id < 0 || id >= vocabulary)
        fail_input(
            where,
            "has token id " + std::to_string(id) + ", the model knows 0 to " + std::to_string(vocabulary - 1),
            "is the tokenizer this model's own?");
  }
}

int64_t chosen_batch_size(ModelView model, int64_t longest, int64_t lanes) {
  const int64_t bytes = longest * cache_bytes_per_token(*model.weights);
  const int64_t memory =
      model->device.is_cpu() ? ::sysconf(_SC_PHYS_PAGES) / 4 * ::sysconf(_SC_PAGESIZE) : int64_t{16} << 30;
  const int64_t useful = model->device.is_cpu() ? std::max<int64_t>(64, 32 * lanes) : 128;
  return std::clamp<int64_t>(memory / std::max<int64_t>(1, bytes), 1, useful);
}

// Puts the requests in their order, longest prompts first: the last answers under way are then short ones,
// and the cache grows early or never. Prompts without room for an answer are finished at once.
void plan(Job& job) {
  const int64_t context = job.model->config.max_position_embeddings;
  auto length = [&](size_t index) { return static_cast<int64_t>(job.requests[index].prompt.size()); };
  for (size_t i = job.requests.size(); i-- > 0;) {
    if (length(i) < context) {
      job.waiting.push_back(i);
    } else {
      job.finished.push_back({job.requests[i].id, i, {}, FinishReason::kPromptTooLong});
    }
  }
  job.progress.requests = job.requests.size();
  job.progress.finished = job.finished.size();
  if (job.waiting.empty()) return;
  size_t longest = 0;
  for (const size_t i : job.waiting) longest = std::max(longest, job.requests[i].prompt.size());
  if (!job.options.in_order)
    std::stable_sort(job.waiting.begin(), job.waiting.end(),
                     [&](size_t a, size_t b) { return length(a) < length(b); });
  const int64_t count = static_cast<int64_t>(job.waiting.size());
  job.lanes = lane_count(*job.model.weights);
  int64_t batch = job.options.batch_size;
  if (batch == 0) {
    const int64_t prompt = static_cast<int64_t>(longest);
    batch = chosen_batch_size(job.model, prompt + std::min(context - prompt, job.options.max_new_tokens),
                              job.lanes);
  }
  batch = std::min(batch, count);
  job.lanes = std::min(job.lanes, batch);
  job.slots_a_lane = (batch + job.lanes - 1) / job.lanes;
  job.is_stop.assign(static_cast<size_t>(job.model->config.vocab_size), 0);
  for (int32_t id : job.options.stop_ids)
    if (id >= 0 && id < job.model->config.vocab_size) job.is_stop[static_cast<size_t>(id)] = 1;
}

// --- one lane
// -----------------------------------------------------------------------------------------------------

// Gives free slots the next requests. False where nothing is left to do.
bool refill(Job& job, Lane& lane) {
  std::lock_guard<std::mutex> lock(job.mutex);
  if (job.failed) return false;
  bool busy = false;
  for (Slot& slot : lane.slots) {
    if (!slot.used && !job.waiting.empty()) {
      slot.used = true;
      slot.request = job.waiting.back();
      slot.cached = 0;
      slot.ids.clear();
      slot.random = Random(job.options.seed, job.requests[slot.request].id);
      if (const auto& strings = job.options.constraints.stop_strings; !strings.empty())
        slot.stops.emplace(*job.options.tokenizer, strings);
      job.waiting.pop_back();
      job.progress.running++;
    }
    busy |= slot.used;
  }
  return busy;
}

int64_t prompt_left(const Job& job, const Slot& slot) {
  return static_cast<int64_t>(job.requests[slot.request].prompt.size()) - slot.cached;
}

// The newest token of each answer, and pieces of prompts while there is room.
Pass next_pass(const Job& job, const Lane& lane) {
  Pass pass;
  for (size_t i = 0; i < lane.slots.size(); ++i) {
    const Slot& slot = lane.slots[i];
    if (!slot.used || prompt_left(job, slot) > 0) continue;
    pass.ids.push_back(slot.ids.back());
    pass.segments.push_back({1, static_cast<int64_t>(i), slot.cached + 1});
  }
  for (size_t i = 0; i < lane.slots.size() && pass.prompt_tokens < kPromptTokensAPass; ++i) {
    const Slot& slot = lane.slots[i];
    if (!slot.used || prompt_left(job, slot) <= 0) continue;
    const int64_t count = std::min(kChunk, prompt_left(job, slot));
    const auto begin = job.requests[slot.request].prompt.begin() + slot.cached;
    pass.ids.insert(pass.ids.end(), begin, begin + count);
    pass.segments.push_back({count, static_cast<int64_t>(i), slot.cached + count});
    pass.prompt_tokens += count;
  }
  return pass;
}

// Next tokens for the slots whose whole prompt has been read, [slots of these].
std::vector<int32_t> sample(const Job& job, const Tensor& hidden, std::vector<Slot*>& slots) {
  const Tensor scores = logits(job.model, hidden);
  std::vector<int32_t> tokens(slots.size());
  const SamplingOptions& sampling = job.options.sampling;
  const Constraints& constraints = job.options.constraints;
  const bool penalty = sampling.repetition_penalty != 1, mask = constraints.mask();
  if (sampling.greedy() && !penalty && !mask &&
      !scores.is_cpu()) {  // a vocabulary of logits need not travel for one id
    const Tensor likeliest = scores.argmax(-1).to(at::kCPU, at::kInt).contiguous();
    std::copy_n(likeliest.data_ptr<int32_t>(), tokens.size(), tokens.begin());
    return tokens;
  }
  const Tensor rows = scores.to(at::kCPU, at::kFloat).contiguous();
  const int64_t vocabulary = rows.size(1);
  at::parallel_for(0, static_cast<int64_t>(slots.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = rows.data_ptr<float>() + i * vocabulary;
      Slot& slot = *slots[static_cast<size_t>(i)];
      if (penalty || mask) {
        const std::vector<int32_t>& prompt = job.requests[slot.request].prompt;
        std::vector<int32_t> seen = prompt;
        seen.insert(seen.end(), slot.ids.begin(), slot.ids.end());
        if (penalty) penalize_repetition(row, vocabulary, seen, sampling.repetition_penalty);
        if (mask) rule_out(constraints, job.options.stop_ids, seen, prompt.size(), row, vocabulary);
      }
      tokens[static_cast<size_t>(i)] = sample_token(row, vocabulary, sampling, slot.random);
    }
  });
  return tokens;
}

// Takes the token into the slot's answer; true, with the reason, where the answer ends.
bool take(const Job& job, Slot& slot, int32_t token, FinishReason& reason) {
  reason = FinishReason::kStop;
  if (job.is_stop[static_cast<size_t>(token)]) return true;
  slot.ids.push_back(token);
  if (job.on_token && !job.on_token(token)) return true;
  if (slot.stops && slot.stops->add(token)) return true;
  reason = FinishReason::kLength;
  if (static_cast<int64_t>(slot.ids.size()) >= job.options.max_new_tokens) return true;
  reason = FinishReason::kContext;
  return slot.cached + 1 >= job.model->config.max_position_embeddings;
}

void step(Job& job, Lane& lane) {
  const Pass pass = next_pass(job, lane);
  int64_t longest = 0;
  for (const ops::CacheSegment& s : pass.segments) longest = std::max(longest, s.kv_len);
  reserve(*job.model.weights, lane.cache, longest);
  const Tensor ids = at::tensor(at::ArrayRef<int64_t>(pass.ids), at::kLong).to(job.model->device);
  Tensor hidden = forward_cached(job.model, ids, pass.segments, lane.cache.kv, true);

  std::vector<Slot*> ready;
  std::vector<int64_t> ready_rows;
  for (size_t i = 0; i < pass.segments.size(); ++i) {
    Slot& slot = lane.slots[static_cast<size_t>(pass.segments[i].slot)];
    slot.cached = pass.segments[i].kv_len;
    if (prompt_left(job, slot) > 0) continue;
    ready.push_back(&slot);
    ready_rows.push_back(static_cast<int64_t>(i));
  }
  if (ready.size() < pass.segments.size())
    hidden =
        hidden.index_select(0, at::tensor(at::ArrayRef<int64_t>(ready_rows), at::kLong).to(hidden.device()));
  const std::vector<int32_t> tokens = ready.empty() ? std::vector<int32_t>() : sample(job, hidden, ready);

  std::vector<Completion> finished;
  for (size_t i = 0; i < ready.size(); ++i) {
    Slot& slot = *ready[i];
    FinishReason reason;
    if (!take(job, slot, tokens[i], reason)) continue;
    finished.push_back({job.requests[slot.request].id, slot.request, std::move(slot.ids), reason});
    slot.used = false;
  }
  std::lock_guard<std::mutex> lock(job.mutex);
  job.progress.prompt_tokens += pass.prompt_tokens;
  job.progress.new_tokens += static_cast<int64_t>(ready.size());
  job.progress.finished += finished.size();
  job.progress.running -= static_cast<int64_t>(finished.size());
  std::move(finished.begin(), finished.end(), std::back_inserter(job.finished));
}

// Hands over what has been finished by any lane. On the caller's thread.
void report(Job& job, const std::function<void(Completion)>& on_done) {
  std::vector<Completion> finished;
  GenerateProgress progress;
  {
    std::lock_guard<std::mutex> lock(job.mutex);
    finished.swap(job.finished);
    progress = job.progress;
  }
  for (Completion& completion : finished) on_done(std::move(completion));
  if (job.options.on_step) job.options.on_step(progress);
}

void run_lane(Job& job, bool callers, const std::function<void(Completion)>& on_done) {
  at::NoGradGuard no_grad;
  Lane lane;
  lane.slots.resize(static_cast<size_t>(job.slots_a_lane));
  lane.cache.rows = job.slots_a_lane;
  while (refill(job, lane)) {
    if (job.options.stop && job.options.stop->load())
      throw Error(ExitCode::kInterrupted, "interrupted while generating");
    step(job, lane);
    if (callers) {
      report(job, on_done);
    } else {
      job.changed.notify_one();
    }
  }
}

// The caller's lane, out of work, passes on what the others finish. Lanes that have not begun will find
// nothing to do.
void await_others(Job& job, const std::function<void(Completion)>& on_done) {
  for (bool others = true; others;) {
    {
      std::unique_lock<std::mutex> lock(job.mutex);
      job.changed.wait(lock, [&] { return job.lanes_running <= 1 || !job.finished.empty() || job.failed; });
      others = job.lanes_running > 1 && !job.failed;
    }
    report(job, on_done);
  }
}

void run(Job& job, const std::function<void(Completion)>& on_done) {
  plan(job);
  report(job, on_done);
  if (job.waiting.empty()) return;
  auto count_lanes = [&](int64_t change, bool failed) {
    std::lock_guard<std::mutex> lock(job.mutex);
    job.lanes_running += change;
    job.failed |= failed;
    job.changed.notify_one();
  };
  run_lanes(job.lanes, [&](int64_t lane) {
    count_lanes(1, false);
    try {
      run_lane(job, lane == 0, on_done);
      if (lane == 0) await_others(job, on_done);
    } catch (...) {
      count_lanes(-1, true);
      throw;
    }
    count_lanes(-1, false);
  });
  if (!job.finished.empty()) report(job, on_done);
}
}  // namespace

void generate(ModelView model, const std::vector<Request>& requests, const GenerateOptions& options,
              const std::function<void(Completion)>& on_done) {
  current_work = Work::kGenerating;
  check(model, requests, options);
  Job job(model, requests, options);
  run(job, on_done);
}

std::vector<Completion> generate(ModelView model, const std::vector<Request>& requests,
                                 const GenerateOptions& options) {
  std::vector<Completion> all(requests.size());
  generate(model, requests, options,
           [&](Completion completion) { all[completion.index] = std::move(completion); });
  return all;
}

Completion generate_one(ModelView model, const Request& request, const GenerateOptions& options,
                        const std::function<bool(int32_t)>& on_token) {
  const std::vector<Request> requests = {request};
  check(model, requests, options);
  Job job(model, requests, options);
  job.on_token = on_token;
  Completion result;
  run(job, [&](Completion completion) { result = std::move(completion); });
  return result;
}

}  // namespace sdft
