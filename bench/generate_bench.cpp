// Generation and scoring throughput of a model of random weights.
// generate_bench [hidden=224] [layers=6] [intermediate=608] [kv_heads=…] [vocab=1024] [prompt=100] [new=128]
//                [requests=256] [batch=0] [threads=0] [temperature=0.95] [rounds=3]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>

#include "base/random.h"
#include "infer/generator.h"
#include "infer/scorer.h"

namespace {
using namespace sdft;

// What the process has used, all threads: steadier than the clock on a busy machine.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Model random_model(std::map<std::string, double>& settings) {
  auto number = [&](const char* name) { return static_cast<int64_t>(settings.at(name)); };
  const int64_t heads = number("hidden") / 32;
  const Json json = {{"architectures", {"LlamaForCausalLM"}},
                     {"vocab_size", number("vocab")},
                     {"hidden_size", number("hidden")},
                     {"intermediate_size", number("intermediate")},
                     {"num_hidden_layers", number("layers")},
                     {"num_attention_heads", heads},
                     {"num_key_value_heads", settings.count("kv_heads") ? number("kv_heads") : heads},
                     {"max_position_embeddings", std::max<int64_t>(512, number("prompt") + number("new"))},
                     {"tie_word_embeddings", true}};
  return init_model(parse_config(json, "bench"), 1, {"cpu", "f32"});
}

// Prompts of half to one and a half of the mean length.
std::vector<Request> random_requests(size_t count, int64_t mean, int64_t vocabulary) {
  Random random(1, "requests");
  std::vector<Request> requests(count);
  for (size_t i = 0; i < count; ++i) {
    requests[i].id = std::to_string(i);
    for (int64_t t = random.between(mean - mean / 2, mean + mean / 2); t >= 0; --t)
      requests[i].prompt.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(vocabulary))));
  }
  return requests;
}

void run(std::map<std::string, double>& settings) {
  set_num_threads(static_cast<int>(settings["threads"]));
  const Model model = random_model(settings);
  const auto requests = random_requests(static_cast<size_t>(settings["requests"]),
                                        static_cast<int64_t>(settings["prompt"]), model.config.vocab_size);
  GenerateOptions options;
  options.sampling = {settings["temperature"], 50, 0.7};
  options.max_new_tokens = static_cast<int64_t>(settings["new"]);
  options.batch_size = static_cast<int64_t>(settings["batch"]);
  GenerateProgress progress;
  options.on_step = [&](const GenerateProgress& now) { progress = now; };
  std::printf("%.2f M parameters, %d threads\n", static_cast<double>(model.config.parameters()) * 1e-6,
              at::get_num_threads());
  for (int round = 0; round < static_cast<int>(settings["rounds"]); ++round) {
    auto start = std::chrono::steady_clock::now();
    double cpu = cpu_seconds();
    generate(model, requests, options);
    const double seconds = seconds_since(start);
    const double tokens = static_cast<double>(progress.new_tokens);
    const double prompt_tokens = static_cast<double>(progress.prompt_tokens);
    cpu = cpu_seconds() - cpu;
    std::printf(
        "generate: %.2f s, %.0f new tokens/s, %.0f with prompts; per thread of %.2f s used: %.0f and %.0f\n",
        seconds, tokens / seconds, (tokens + prompt_tokens) / seconds, cpu, tokens / cpu,
        (tokens + prompt_tokens) / cpu);
    std::vector<ScoreItem> items;
    double read = 0;
    for (const Request& request : requests) {
      items.push_back(
          continuation_item({request.prompt[0]}, {request.prompt.begin() + 1, request.prompt.end()}));
      read += static_cast<double>(request.prompt.size());
    }
    start = std::chrono::steady_clock::now();
    cpu = cpu_seconds();
    score(model, items);
    std::printf("score: %.0f tokens/s, per thread %.0f\n", read / seconds_since(start),
                read / (cpu_seconds() - cpu));
  }
}
}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, double> settings = {{"hidden", 224},       {"layers", 6},   {"intermediate", 608},
                                            {"vocab", 1024},       {"prompt", 100}, {"new", 128},
                                            {"requests", 256},     {"batch", 0},    {"threads", 0},
                                            {"temperature", 0.95}, {"rounds", 3}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    if (equals == std::string::npos ||
        (!settings.count(argument.substr(0, equals)) && argument.rfind("kv_heads=", 0) != 0)) {
      std::fprintf(stderr, "unknown setting '%s', expected name=number as at the top of this file\n",
                   argv[i]);
      return 2;
    }
    settings[argument.substr(0, equals)] = std::atof(argument.c_str() + equals + 1);
  }
  run(settings);
}
