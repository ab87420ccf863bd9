// Training throughput of a model of random weights: train_bench HIDDEN LAYERS INTERMEDIATE [lora] [bf16]
#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/random.h"
#include "train/trainer.h"

int main(int argc, char** argv) {
  using namespace sdft;
  set_num_threads(0);
  const int64_t hidden = argc > 1 ? std::atoll(argv[1]) : 224, layers = argc > 2 ? std::atoll(argv[2]) : 6;
  const int64_t intermediate = argc > 3 ? std::atoll(argv[3]) : 608;
  bool lora = false, bf16 = false;
  for (int i = 4; i < argc; ++i) {
    lora |= !std::strcmp(argv[i], "lora");
    bf16 |= !std::strcmp(argv[i], "bf16");
  }
  Json json = {{"architectures", {"LlamaForCausalLM"}},
               {"vocab_size", 1024},
               {"hidden_size", hidden},
               {"intermediate_size", intermediate},
               {"num_hidden_layers", layers},
               {"num_attention_heads", hidden / 32},
               {"max_position_embeddings", 512},
               {"tie_word_embeddings", true}};
  Model model = init_model(parse_config(json, "bench"), 1, {"cpu", "f32"});
  Random random(1);
  std::vector<Sample> samples(32);
  int64_t tokens = 0;
  for (Sample& sample : samples) {
    for (int64_t t = random.between(60, 160); t > 0; --t) {
      sample.ids.push_back(static_cast<int32_t>(random.below(1024)));
      sample.supervised.push_back(t < 60);
    }
    tokens += static_cast<int64_t>(sample.ids.size());
  }
  std::vector<const Sample*> batch;
  for (const Sample& sample : samples) batch.push_back(&sample);
  Adapter adapter = init_adapter(model, {}, 1);
  NamedTensors parameters;
  if (lora) {
    for (auto& [name, pair] : adapter.pairs) {
      parameters.emplace_back(name + ".a", pair.a);
      parameters.emplace_back(name + ".b", pair.b);
    }
  } else {
    for (auto& [name, tensor] : named_parameters(model)) parameters.emplace_back(name, *tensor);
  }
  const ModelView student(model, lora ? &adapter : nullptr);
  const auto objective = make_objective("sft", {model, model});
  AdamW optimizer({}, parameters);
  for (auto& item : optimizer.parameters) item.second.requires_grad_(true);
  const auto precision = bf16 ? ops::MatmulPrecision::kBf16 : ops::MatmulPrecision::kFull;
  for (int round = 0; round < 3; ++round) {
    auto start = std::chrono::steady_clock::now();
    const int steps = 10;
    for (int i = 0; i < steps; ++i) {
      accumulate_gradients(*objective, student, batch, 4096, {{}, precision});
      optimizer.step(1e-4, 1.0);
    }
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double rate = static_cast<double>(tokens * steps) / seconds;
    std::printf("%lld parameters, %lld tokens a step: %.0f tokens/s, %.0f GFLOP/s\n",
                static_cast<long long>(model.config.parameters()), static_cast<long long>(tokens), rate,
                rate * 6e-9 * static_cast<double>(model.config.parameters()));
  }
}
