#include "run/bench.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/random.h"
#include "infer/generator.h"
#include "model/gguf_folder.h"
#include "run/assets.h"
#include "tensor/quantised.h"
#include "train/trainer.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Timed {
  double tokens, seconds;
};

// The median of as many times as a second has room for.
template <typename Measure>
Timed median(const Measure& measure) {
  constexpr double kLongEnough = 1;
  constexpr size_t kMost = 9;
  std::vector<Timed> times;
  for (double sum = 0; times.size() < kMost && sum < kLongEnough; sum += times.back().seconds) {
    stop_if_interrupted();
    times.push_back(measure());
  }
  const auto middle = times.begin() + static_cast<ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end(), [](const Timed& a, const Timed& b) {
    return a.tokens * b.seconds < b.tokens * a.seconds;
  });
  return *middle;
}

// "VmRSS", "VmHWM" of this process.
int64_t memory_of_process(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.rfind(name + ":", 0) == 0) return std::stoll(line.substr(name.size() + 1)) * 1024;
  return 0;
}

// --- the model

fs::path shapes() { return assets_dir() / "shapes"; }

ModelConfig config_of(const std::string& shape) {
  const fs::path known = shapes() / (shape + ".json");
  if (shape.find('/') == std::string::npos && fs::is_regular_file(known))
    return parse_config(read_json(known), "shape " + shape);
  if (!fs::is_regular_file(shape))
    fail_usage("shape '" + shape + "' is neither known nor a file",
               joined(bench_shapes()) + ", or a model's config.json");
  return parse_config(read_json(shape), shape);
}

ModelConfig config_of(const BenchOptions& options) {
  return options.model.empty() ? config_of(options.shape) : read_config(model_folder(options.model));
}

Model model_of(const BenchOptions& options, const ModelConfig& config) {
  LoadOptions load;
  load.device = "cpu";
  load.weights = options.weights;
  load.as_stored = true;
  return options.model.empty() ? init_model(config, 1, load) : load_model(model_folder(options.model), load);
}

// What a token costs, and a pass over the weights.
struct Cost {
  double layers = 0, head = 0;   // multiply-adds
  double pass_bytes = 0;         // of the weights that a token is multiplied with
  std::vector<MemorySpan> read;  // where they lie, of a mixture all
  int64_t weight_bytes = 0;      // of all
};

Cost cost_of(Model& model) {
  const ModelConfig& c = model.config;
  const double chosen =
      c.num_experts > 0 ? static_cast<double>(c.experts_per_token) / static_cast<double>(c.num_experts) : 1;
  Cost cost;
  cost.head = static_cast<double>(model.lm_head.numel());
  cost.pass_bytes = static_cast<double>(ops::bytes_of(model.lm_head));
  cost.read = ops::memory_of(model.lm_head);
  if (c.tie_word_embeddings && !model.lm_head.is_same(model.embed))
    cost.weight_bytes += ops::bytes_of(model.lm_head);
  for (const auto& [name, tensor] : named_parameters(model)) {
    cost.weight_bytes += ops::bytes_of(*tensor);
    if (tensor == &model.embed || tensor == &model.lm_head || tensor->dim() != 2) continue;
    const double part = name.find(".experts.") == std::string::npos ? 1 : chosen;
    cost.layers += part * static_cast<double>(tensor->numel());
    cost.pass_bytes += part * static_cast<double>(ops::bytes_of(*tensor));
    for (const MemorySpan& span : ops::memory_of(*tensor)) cost.read.push_back(span);
  }
  return cost;
}

std::string computed_in(const Model& model) {
  if (model.precision == ops::MatmulPrecision::kFull) return "f32";
  return ops::is_quantised(model.layers.front().o.weight) ? "int8"
                                                          : "bf16";  // a head may be stored otherwise
}

// --- measuring

void check(const BenchOptions& options) {
  if (options.model.empty() == options.shape.empty())
    fail_usage("bench needs either a model folder or a shape",
               "--model DIR, or --shape " + bench_shapes()[0]);
  const auto at_least_one = [](const char* name, int64_t value) {
    if (value < 1) fail_usage(std::string(name) + " is " + std::to_string(value) + ", expected at least 1");
  };
  at_least_one("prompt", options.prompt);
  at_least_one("new", options.new_tokens);
  at_least_one("sequences", options.sequences);
  at_least_one("length", options.length);
  if (options.streams.empty()) fail_usage("streams: expected at least one number");
  for (const int64_t streams : options.streams) at_least_one("streams", streams);
}

void check_room(const BenchOptions& options, const ModelConfig& config) {
  const int64_t context = config.max_position_embeddings, wanted = options.prompt + options.new_tokens + 1;
  if (wanted > context)
    fail_usage("prompt and new tokens need a context of " + std::to_string(wanted) + ", the model's is " +
                   std::to_string(context),
               "lower --prompt or --new");
}

std::vector<int32_t> random_ids(Random& random, int64_t count, const ModelConfig& config) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = static_cast<int32_t>(random.below(static_cast<uint64_t>(config.vocab_size)));
  return ids;
}

struct Bench {
  const BenchOptions& options;
  Model model;
  Cost cost;

  Measurement prompts(int64_t streams) const;
  Measurement answers(int64_t streams) const;
  Measurement training();
};

GenerateOptions greedy(int64_t streams, int64_t new_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_new_tokens = new_tokens;
  options.batch_size = streams;
  options.prompt_lookup_num_tokens = 0;  // a token is a pass: text without sense repeats itself
  options.stop = &interrupted;
  return options;
}

// From the prompts, unlike each other, to their first tokens.
Measurement Bench::prompts(int64_t streams) const {
  Random random(1, "prompts");
  std::vector<Request> requests;
  for (int64_t i = 0; i < streams; ++i)
    requests.push_back({std::to_string(i), random_ids(random, options.prompt, model.config)});
  const auto answers = static_cast<double>(streams), tokens = static_cast<double>(streams * options.prompt);
  const Timed timed = median([&] {
    const auto start = Clock::now();
    generate(model, requests, greedy(streams, 1));
    return Timed{tokens, seconds_since(start)};
  });
  return {"prompt", streams,        tokens, timed.seconds, tokens * cost.layers + answers * cost.head,
          0,        cost.pass_bytes};
}

// Counts the tokens that come once every answer has begun.
struct SideBySide {
  const size_t streams;
  std::mutex mutex = {};
  std::set<int64_t> begun = {};
  Clock::time_point start = {};
  int64_t tokens = 0;

  void add(int64_t stream) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (begun.size() == streams) {
      ++tokens;
    } else if (begun.insert(stream); begun.size() == streams) {
      start = Clock::now();
    }
  }
};

// The prompts differ in their last token only: all but one are copied, so that the answers begin together.
Measurement Bench::answers(int64_t streams) const {
  Random random(2, "prompts");
  const std::vector<int32_t> prompt = random_ids(random, options.prompt, model.config);
  const GenerateOptions settings = greedy(streams, options.new_tokens + 1);
  const Timed timed = median([&] {
    SideBySide count{static_cast<size_t>(streams)};
    Engine engine(model, settings);
    for (int64_t i = 0; i < streams; ++i) {
      Request request{std::to_string(i), prompt};
      request.prompt.back() = static_cast<int32_t>(i % model.config.vocab_size);
      engine.submit(request, settings, {[&count, i](int32_t) { return count.add(i), true; }, {}});
    }
    engine.run();
    return Timed{static_cast<double>(count.tokens), seconds_since(count.start)};
  });
  const double products = timed.tokens * (cost.layers + cost.head),
               passes = timed.tokens / static_cast<double>(streams);
  return {"new", streams, timed.tokens, timed.seconds, products, 0, passes * cost.pass_bytes};
}

Measurement Bench::training() {
  TrainOptions train;
  train.per_device_train_batch_size = options.sequences;
  train.gradient_accumulation_steps = 1;
  train.cutoff_len = std::min(options.length, model.config.max_position_embeddings);
  train.gradient_checkpointing = options.gradient_checkpointing;
  if (model.config.fused_qkv) train.lora.target_modules = {"qkv_proj"};
  Random random(3, "samples");
  std::vector<Sample> samples(static_cast<size_t>(options.sequences));
  std::vector<const Sample*> batch;
  for (Sample& sample : samples) {
    sample.ids = random_ids(random, train.cutoff_len, model.config);
    sample.supervised.assign(sample.ids.size(), 1);
    batch.push_back(&sample);
  }
  Adapter adapter = init_adapter(model, train.lora, 1);
  Trainer trainer(model, &adapter, make_objective(train.objective, {model, model}), train, 1000);
  trainer.step(batch);  // touches its memory for the first time
  const auto tokens = static_cast<double>(options.sequences * train.cutoff_len);
  const Timed timed = median([&] {
    const auto start = Clock::now();
    trainer.step(batch);
    return Timed{tokens, seconds_since(start)};
  });
  const double products = tokens * (cost.layers + cost.head);
  return {"training", options.sequences, tokens, timed.seconds, products, products, cost.pass_bytes};
}

// What the machine allows at least: products go backwards through weights of few bits in bf16.
void hold_against(const MachinePeaks& machine, const std::string& type, Measurement& m) {
  const ArithmeticPeaks& all = machine.all_threads;
  const double bf16 = std::max(all.bf16, all.f32);  // whose products go by whichever is faster
  const double forward = type == "f32" ? all.f32 : type == "bf16" ? bf16 : all.int8;
  const double compute = m.forward / forward + m.backward / (type == "f32" ? all.f32 : bf16);
  const double memory = m.bytes / machine.read_bytes;
  m.limit = compute >= memory ? "compute" : "memory";
  m.share = std::max(compute, memory) / m.seconds;
}

std::vector<Measurement> measure(Bench& bench) {
  const BenchOptions& options = bench.options;
  const size_t steps = 1 + 2 * options.streams.size() + options.train;
  Progress progress("bench", steps, "measurements", {options.progress});
  progress.update(0);
  std::vector<Measurement> list;
  const auto add = [&](Measurement m) {
    list.push_back(std::move(m));
    progress.update(list.size());
  };
  generate(bench.model, {{"first", {0}}}, greedy(1, 1));  // starts threads and compiles what is compiled
  const Measurement one = bench.prompts(1);
  add(one);
  list.back().what = "first_token";
  for (const int64_t streams : options.streams) add(streams == 1 ? one : bench.prompts(streams));
  for (const int64_t streams : options.streams) add(bench.answers(streams));
  if (options.train) add(bench.training());
  return list;
}
}  // namespace

std::vector<std::string> bench_shapes() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(shapes())) names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

BenchResult run_bench(const BenchOptions& options) {
  check(options);
  set_num_threads(options.threads);
  const ModelConfig config = config_of(options);
  check_room(options, config);
  BenchResult result{};
  result.tier = name_of(chosen_tier());
  const auto start = Clock::now();
  Bench bench{options, model_of(options, config), {}};
  result.load_seconds = seconds_since(start);
  result.resident_bytes = memory_of_process("VmRSS");
  bench.cost = cost_of(bench.model);
  result.model = options.model.empty() ? options.shape : options.model;
  result.random_weights = options.model.empty();
  result.architecture = config.architecture;
  result.parameters = config.parameters();
  result.weights = options.weights;
  result.computed_in = computed_in(bench.model);
  result.weight_bytes = bench.cost.weight_bytes;
  result.prompt = options.prompt;
  result.new_tokens = options.new_tokens;
  result.measurements = measure(bench);
  result.peak_bytes = memory_of_process("VmHWM");
  result.machine = measure_peaks(bench.cost.read);  // last: its memory is not the model's
  for (Measurement& m : result.measurements) hold_against(result.machine, result.computed_in, m);
  return result;
}

}  // namespace sdft
