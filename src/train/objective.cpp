#include "train/objective.h"

#include "base/error.h"

namespace sdft {

std::unique_ptr<Objective> make_cross_entropy(const ObjectiveContext& context);
std::unique_ptr<Objective> make_masked(const ObjectiveContext& context);
std::unique_ptr<Objective> make_dft(const ObjectiveContext& context);
std::unique_ptr<Objective> make_eaft(const ObjectiveContext& context);
std::unique_ptr<Objective> make_kl_to_seed(const ObjectiveContext& context);
std::unique_ptr<Objective> make_asft(const ObjectiveContext& context);
std::unique_ptr<Objective> make_l2_sp(const ObjectiveContext& context);
std::unique_ptr<Objective> make_ewc(const ObjectiveContext& context);
std::unique_ptr<Objective> make_proximal(const ObjectiveContext& context);

namespace {
struct Row {
  const char* name;
  const char* help;
  std::unique_ptr<Objective> (*make)(const ObjectiveContext& context);
  ObjectiveMemory memory;
};
constexpr ObjectiveMemory kPlain{false, 0, 0}, kOfRows{true, 0, 0};
constexpr Row kObjectives[] = {
    {"sft", "cross entropy", make_cross_entropy, kPlain},
    {"kl_to_seed", "cross entropy + anchor_weight x divergence from the seed", make_kl_to_seed, kOfRows},
    {"l2_sp",
     "cross entropy + anchor_weight x squared distance from the seed's weights",
     make_l2_sp,
     {false, 0, 1}},
    {"ewc",
     "cross entropy + anchor_weight / 2 x the same, each weight by what it matters (Fisher information) on "
     "replay_dataset; finetuning_type: full",
     make_ewc,
     {false, 2, 1}},
    {"psft",
     "the ratio of each token's probability to that of proximal_steps before, no further than 1 + "
     "proximal_clip",
     make_proximal,
     {true, 1, 0}},
    {"stm", "cross entropy without tokens whose perplexity under the seed is above max_perplexity",
     make_masked, kPlain},
    {"eaft", "cross entropy, each token times the entropy of the model's entropy_topk likeliest", make_eaft,
     kOfRows},
    {"dft", "cross entropy, each token times its own probability", make_dft, kOfRows},
    {"asft", "dft + anchor_weight x divergence from the seed", make_asft, kOfRows},
};
}  // namespace

std::vector<std::string> objective_names() {
  std::vector<std::string> names;
  for (const Row& row : kObjectives) names.emplace_back(row.name);
  return names;
}

ObjectiveMemory memory_of_objective(const std::string& name) {
  return kObjectives[place_of_choice(objective_names(), name, "objective")].memory;
}

std::string describe_objectives() {
  std::string text;
  for (const Row& row : kObjectives) {
    std::string line = row.name;
    line.resize(12, ' ');
    text += (text.empty() ? "" : "\n") + line + row.help;
  }
  return text;
}

std::unique_ptr<Objective> make_objective(const std::string& name, const ObjectiveContext& context) {
  return kObjectives[place_of_choice(objective_names(), name, "objective")].make(context);
}

}  // namespace sdft
