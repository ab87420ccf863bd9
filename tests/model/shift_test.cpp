// Against the products formed in f64.
#include "model/shift.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "infer/small_model.h"
#include "model/lora.h"
#include "testing.h"

namespace sdft {
namespace {
using testing::small_model;

Tensor random_like(const Tensor& shape, Random& random, double size) {
  Tensor tensor = at::empty(shape.sizes(), at::kFloat);
  for (float *x = tensor.data_ptr<float>(), *end = x + tensor.numel(); x != end; ++x)
    *x = static_cast<float>(size * random.normal());
  return tensor;
}

Adapter random_adapter(Model& model, const std::vector<std::string>& targets, uint64_t seed,
                       double size = 0.1) {
  LoraConfig config;
  config.rank = 3;
  config.target_modules = targets;
  Adapter adapter = init_adapter(model, config, seed);
  Random random(seed, "test");
  for (auto& [name, pair] : adapter.pairs) pair.b = random_like(pair.b, random, size);
  return adapter;
}

double frobenius(const Tensor& x) { return std::sqrt(x.to(at::kDouble).square().sum().item<double>()); }

Tensor product(const Adapter& adapter, const std::string& layer) {
  const LoraPair& pair = adapter.pairs.at(layer);
  return at::matmul(pair.b.to(at::kDouble), pair.a.to(at::kDouble)) * pair.scale;
}

// By "0 q_proj" or "lm_head".
std::map<std::string, double> by_name(const ParameterShift& shift) {
  std::map<std::string, double> map;
  for (const ModuleShift& m : shift.modules)
    map[(m.layer ? std::to_string(*m.layer) + " " : "") + m.module] = m.shift;
  EXPECT_EQ(map.size(), shift.modules.size());
  return map;
}

TEST(Shift, OfLoraIsThatOfTheProduct) {
  Model model = small_model();
  const Adapter adapter = random_adapter(model, {"q_proj", "down_proj"}, 5);
  const ParameterShift shift = parameter_shift(model, {model, &adapter});
  const auto found = by_name(shift);
  EXPECT_EQ(found.size(), 2 * model.layers.size());
  double changed = 0, all = 0;
  for_each_linear(model, [&](LinearLayer& layer) { all += std::pow(frobenius(layer.weight), 2); });
  for (size_t i = 0; i < model.layers.size(); ++i)
    for (const LinearLayer* layer : {&model.layers[i].q, &model.layers[i].mlp.down}) {
      const double moved = frobenius(product(adapter, layer->name));
      const std::string name =
          std::to_string(i) + layer->name.substr(layer->name.rfind('.')).replace(0, 1, " ");
      EXPECT_NEAR(found.at(name), moved / frobenius(layer->weight), 1e-12) << name;
      changed += moved * moved;
    }
  EXPECT_NEAR(shift.total, std::sqrt(changed / all), 1e-12);
  // In the model's order, each layer's attention first.
  EXPECT_EQ(shift.modules[0].module, "q_proj");
  EXPECT_EQ(shift.modules[1].module, "down_proj");
  EXPECT_EQ(shift.modules[1].layer, 0);
  EXPECT_EQ(shift.modules[2].layer, 1);
  // As merging it would have it, but for the rounding of the merged weights.
  Model merged = clone(model);
  merge_adapter(merged, adapter);
  EXPECT_NEAR(parameter_shift(model, merged).total, shift.total, 1e-6 * shift.total);
}

// A new adapter changes nothing.
TEST(Shift, OfNothingIsNothing) {
  Model model = small_model();
  const Adapter adapter = init_adapter(model, {}, 5);
  for (const ModelView& after : {ModelView(model), ModelView(model, &adapter)}) {
    const ParameterShift shift = parameter_shift(model, after);
    EXPECT_EQ(shift.total, 0);
    EXPECT_TRUE(shift.modules.empty());
  }
}

// Training that goes on with the seed's adapter: against the seed with it.
TEST(Shift, BetweenTwoAdapters) {
  Model model = small_model();
  const Adapter seed = random_adapter(model, {"q_proj", "v_proj"}, 5);
  Adapter after = random_adapter(model, {"q_proj", "v_proj", "o_proj"}, 5);
  Random random(8);
  for (auto& [name, pair] : after.pairs) {
    pair.a = seed.pairs.count(name) ? seed.pairs.at(name).a + random_like(pair.a, random, 1e-3) : pair.a;
    pair.scale = 1.5;
  }
  const auto found = by_name(parameter_shift({model, &seed}, {model, &after}));
  EXPECT_EQ(found.size(), 3 * model.layers.size());
  for (const char* name : {"q_proj", "v_proj", "o_proj"}) {
    const std::string layer = std::string("model.layers.1.self_attn.") + name;
    Tensor own = (name[0] == 'q'   ? model.layers[1].q.weight
                  : name[0] == 'v' ? model.layers[1].v.weight
                                   : model.layers[1].o.weight)
                     .to(at::kDouble);
    Tensor moved = product(after, layer);
    if (seed.pairs.count(layer)) {
      moved = moved - product(seed, layer);
      own = own + product(seed, layer);
    }
    EXPECT_NEAR(found.at(std::string("1 ") + name), frobenius(moved) / frobenius(own), 1e-11) << name;
  }
  EXPECT_TRUE(parameter_shift({model, &seed}, {model, &seed}).modules.empty());
  // An adapter of another rank, and none any more.
  Adapter other = random_adapter(model, {"q_proj"}, 7);
  LoraPair& pair = other.pairs.at("model.layers.1.self_attn.q_proj");
  pair.a = pair.a.narrow(0, 0, 2);
  pair.b = pair.b.narrow(1, 0, 2);
  const auto smaller = by_name(parameter_shift({model, &seed}, {model, &other}));
  const std::string q = "model.layers.1.self_attn.q_proj", v = "model.layers.1.self_attn.v_proj";
  EXPECT_NEAR(smaller.at("1 q_proj"),
              frobenius(product(other, q) - product(seed, q)) /
                  frobenius(model.layers[1].q.weight.to(at::kDouble) + product(seed, q)),
              1e-11);
  EXPECT_NEAR(
      smaller.at("1 v_proj"),
      frobenius(product(seed, v)) / frobenius(model.layers[1].v.weight.to(at::kDouble) + product(seed, v)),
      1e-11);
}

TEST(Shift, OfFullFineTuning) {
  Model before = small_model();
  Model after = clone(before);
  Random random(2);
  for (auto& [name, tensor] : named_parameters(after))
    if (name.find("up_proj") == std::string::npos) tensor->add_(random_like(*tensor, random, 0.01));
  const ParameterShift shift = parameter_shift(before, after);
  const auto found = by_name(shift);
  EXPECT_EQ(found.size(), 6 * before.layers.size() + 2);  // norms aside
  EXPECT_NEAR(found.at("embed_tokens"), frobenius(after.embed - before.embed) / frobenius(before.embed),
              1e-7);
  EXPECT_NEAR(found.at("lm_head"), frobenius(after.lm_head - before.lm_head) / frobenius(before.lm_head),
              1e-7);
  EXPECT_EQ(found.count("0 up_proj"), 0u);
  const Tensor was = before.layers[2].v.weight, is = after.layers[2].v.weight;
  EXPECT_NEAR(found.at("2 v_proj"), frobenius(is - was) / frobenius(was), 1e-7);
  // More rows than are f64 at a time, and a tied head, which is no matrix of its own.
  ModelConfig config = testing::small_config();
  config.vocab_size = 2500;
  config.tie_word_embeddings = true;
  Model tied = init_model(config, 1, {"cpu", "f32"});
  Model moved = clone(tied);
  moved.embed.add_(random_like(moved.embed, random, 0.01));
  const ParameterShift of_tied = parameter_shift(tied, moved);
  ASSERT_EQ(of_tied.modules.size(), 1u);
  EXPECT_EQ(of_tied.modules[0].layer, std::nullopt);
  EXPECT_EQ(of_tied.modules[0].module, "embed_tokens");
  EXPECT_NEAR(of_tied.modules[0].shift, frobenius(moved.embed - tied.embed) / frobenius(tied.embed), 1e-7);
  EXPECT_EQ(of_tied.total, 0);
  // modules_to_save puts another head beside the tied embedding.
  Adapter head;
  head.replaced["lm_head.weight"] = tied.embed * 2;
  const auto replaced = by_name(parameter_shift(tied, {tied, &head}));
  EXPECT_EQ(replaced.size(), 1u);
  EXPECT_NEAR(replaced.at("lm_head"), 1, 1e-12);
}

// Fused projections are one matrix, experts are named by their number.
TEST(Shift, NamesAreTheModels) {
  Json json = testing::small_config().json;
  json["architectures"] = {"Phi3ForCausalLM"};
  json["model_type"] = "phi3";
  json.erase("head_dim");
  Model phi = init_model(parse_config(json, "test"), 1, {"cpu", "f32"});
  const Adapter adapter = random_adapter(phi, {"all-linear"}, 5);
  std::vector<std::string> names;
  for (const ModuleShift& m : parameter_shift(phi, {phi, &adapter}).modules)
    if (m.layer == 0) names.push_back(m.module);
  EXPECT_THAT(names, ::testing::ElementsAre("qkv_proj", "o_proj", "gate_up_proj", "down_proj"));
  json = testing::small_config().json;
  json["architectures"] = {"MixtralForCausalLM"};
  json["model_type"] = "mixtral";
  json["num_local_experts"] = 2;
  json["num_experts_per_tok"] = 1;
  const ModelConfig config = parse_config(json, "test");
  const Model mixtral = init_model(config, 1, {"cpu", "f32"}), other = init_model(config, 2, {"cpu", "f32"});
  names.clear();
  for (const ModuleShift& m : parameter_shift(mixtral, other).modules)
    if (m.layer == 0) names.push_back(m.module);
  EXPECT_THAT(names, ::testing::IsSupersetOf({"q_proj", "gate", "experts.0.w1", "experts.1.w2"}));
}

}  // namespace
}  // namespace sdft
