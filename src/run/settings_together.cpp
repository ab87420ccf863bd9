#include "run/settings_together.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "data/samples.h"
#include "run/endpoint_stage.h"
#include "run/variants.h"
#include "sdft/method.h"

namespace sdft {
namespace {
// `whose` is in front of what is said of a variant.
void check_rewriting_settings(const Recipe& r, const std::string& whose, Problems& problems) {
  auto add = [&](const std::string& what) { problems.add(whose + what); };
  const auto& ladder = r.candidate_temperatures;
  const double last = ladder.empty() ? r.sampling.temperature : ladder.back();
  if (r.num_candidates > std::max<int64_t>(1, static_cast<int64_t>(ladder.size())) && last == 0)
    add("'num_candidates': greedy rewrites (temperature 0) come out the same each time");
  if (static_cast<int64_t>(ladder.size()) > r.num_candidates)
    add(fmt::format("'candidate_temperatures': {} of them for {} candidates (num_candidates)", ladder.size(),
                    r.num_candidates));
  if (r.candidate_choice == "likeliest" && r.num_candidates == 1)
    add("'candidate_choice': likeliest chooses among several; set num_candidates");
  if (r.generation_endpoint.empty() != r.generation_endpoint_model.empty())
    add("'generation_endpoint', 'generation_endpoint_model': one of them is set; a server needs an address "
        "and the "
        "seed's name there");
  else if (!r.generation_endpoint.empty())
    problems.gather([&] { endpoint_at(r, r.generation_endpoint, r.generation_endpoint_model); });
  const std::vector<ChosenCheck> checks = acceptance_checks(r.acceptance, r.answer_check);
  const bool agrees = std::any_of(checks.begin(), checks.end(), [](const ChosenCheck& check) {
    return (check.check->uses & kAnswerCheck) && check.check->name != std::string("none");
  });
  if (r.own_answer_first && !agrees)
    add("'own_answer_first': needs an answer_check, which tells whether the seed's own answer is right");
}

void check_on_policy_settings(const Recipe& r, const std::string& whose, Problems& problems) {
  auto add = [&](const std::string& what) { problems.add(whose + what); };
  if (r.train.objective != "sft")
    add("'objective': " + r.train.objective + " is of given answers; on_policy has a loss of its own");
  if (r.train.val_size > 0) add("'val_size': on_policy learns from no given answers that could be held back");
  if (replays(r)) add("'replay_dataset', 'replay_source': on_policy learns from no given answers");
  if (r.num_loss_tokens_to_skip >= r.max_new_tokens)
    add(fmt::format("'num_loss_tokens_to_skip': {} leaves nothing of answers of {} tokens (max_new_tokens)",
                    r.num_loss_tokens_to_skip, r.max_new_tokens));
  if (r.distillation.mode == "topk_logits" && r.distillation.topk == 1 && !r.distillation.add_tail)
    add("'distillation_topk': one token made to sum to 1 is the same for both; take 2 or more, or set "
        "distillation_add_tail");
  const bool sampled = r.distillation.mode == "sampled_token";
  if (sampled && find_divergence(r.train.objective_options.divergence) != 1)
    add("'distillation_mode': sampled_token estimates the reverse KL; set divergence: reverse");
}

void check_replay_settings(const Recipe& r, const std::string& whose, Problems& problems) {
  auto add = [&](const std::string& what) { problems.add(whose + what); };
  const ReplaySource source = find_replay_source(r.replay_source);
  if (source == ReplaySource::kOwnAnswers && r.replay_dataset.empty())
    add("'replay_source': own_answers needs prompts to answer; set replay_dataset");
  if (source == ReplaySource::kSelfDialogue && !r.replay_dataset.empty())
    add("'replay_source': self_dialogue makes up its prompts; leave replay_dataset out");
  if (source != ReplaySource::kDataset && r.replay_fraction == 0)
    add("'replay_fraction': 0 replays nothing of what replay_source makes up");
  if (source != ReplaySource::kDataset && r.prompt_template == kTemplateOfRecord)
    add("'replay_source': " + r.replay_source + " needs one prompt template for all, not record");
  if (source == ReplaySource::kSelfDialogue && r.prompt_template != "chat")
    add("'replay_source': self_dialogue makes up user's messages of the chat template; set template: chat");
  if (r.train.objective != "ewc") return;
  if (r.train.finetuning_type == "lora")
    add("'objective': ewc weighs each weight of the model; set finetuning_type: full, or objective: l2_sp");
  if (r.replay_dataset.empty())
    add("'objective': ewc measures on replay_dataset which weights matter (replay_fraction: 0 replays none "
        "of it)");
}

void check_change_settings(const Recipe& r, Change change, const std::string& whose, Problems& problems) {
  if (change == Change::kPruning && rounds(r.weights))
    problems.add(whose + "'weights': pruning makes a whole model, for which " + r.weights +
                 " has not the numbers; set weights: auto");
  if (!r.adapter_name_or_path.empty())
    problems.add(whose +
                 "'adapter_name_or_path': the way back to a seed with an adapter is not known; merge "
                 "it first (sdft merge)");
}

void check_adapter_settings(const Recipe& r, const std::string& whose, Problems& problems) {
  auto add = [&](const std::string& what) { problems.add(whose + what); };
  const TrainOptions& t = r.train;
  const LoraConfig &lora = t.lora, defaults;
  const std::tuple<const char*, bool, bool> of_adapters[] = {
      // is set, is of new adapters only
      {"use_dora", lora.use_dora, true},
      {"init_lora_weights", lora.init != defaults.init, true},
      {"rank_pattern", !lora.rank_pattern.empty(), true},
      {"alpha_pattern", !lora.alpha_pattern.empty(), true},
      {"modules_to_save", !lora.modules_to_save.empty(), true},
      {"loraplus_lr_ratio", t.loraplus_lr_ratio > 0, false}};
  for (const auto& [name, set, of_new] : of_adapters) {
    if (set && t.finetuning_type == "full")
      add(std::string("'") + name + "': is of adapters; full fine-tuning trains all weights");
    else if (set && of_new && !r.adapter_name_or_path.empty())
      add(std::string("'") + name +
          "': is of new adapters; training goes on with that of adapter_name_or_path as it is");
  }
  if (t.loraplus_lr_ratio > 0 && t.loraplus_lr_ratio < 1)
    add("'loraplus_lr_ratio': expected 1 or more, or 0 for none, found " +
        fmt::format("{}", t.loraplus_lr_ratio));
  if (rounds(r.weights) && t.finetuning_type == "full")
    add("'weights': " + r.weights +
        " holds less than full fine-tuning changes; set weights: auto (bf16: true computes in it)");
  if (rounds(r.weights) && r.dtype == "bf16")
    add("'weights': " + r.weights + " needs dtype f32; with dtype: bf16 everything is computed in bf16");
  if (rounds(r.weights) && r.train_from_scratch)
    add("'weights': of a folder's weights; train_from_scratch has none (bf16: true computes in bf16)");
  if (!lora.modules_to_save.empty() && r.dtype == "bf16")
    add("'modules_to_save': needs f32 weights; set dtype: f32");
}

void check_training_settings(const Recipe& r, const std::string& whose, Problems& problems) {
  auto add = [&](const std::string& what) { problems.add(whose + what); };
  if (r.reasoning == "keep" && r.train_on_prompt)
    add("'train_on_prompt': learns all tokens, which 'reasoning: keep' forbids of traces");
  if (r.train.finetuning_type == "full" && !r.adapter_name_or_path.empty())
    add("'adapter_name_or_path': full fine-tuning cannot start from an adapter; merge it first (sdft merge)");
  check_adapter_settings(r, whose, problems);
  if (r.prompt_template == kTemplateOfRecord && (r.kl_budget > 0 || r.watch_steps > 0))
    add("'watch_steps': needs one prompt template for all, not record");
  if (r.train.load_best_model_at_end && (r.kl_budget > 0 || r.watch_steps > 0))
    add("'load_best_model_at_end': cannot stand beside kl_budget or watch_steps, which keep other "
        "parameters");
  const std::pair<const char*, bool> validating[] = {
      {"eval_steps", r.train.eval_steps > 0},
      {"early_stopping_patience", r.train.early_stopping_patience > 0},
      {"load_best_model_at_end", r.train.load_best_model_at_end}};
  for (const auto& [name, set] : validating)
    if (set && r.train.val_size == 0)
      add(std::string("'") + name + "': needs held-back examples; set val_size, as 0.1");
}
}  // namespace

// What is wrong with the variants as a whole, and with single ones that have settings of their own.
void check_together(const Recipe& recipe, Problems& problems) {
  if (recipe.baseline && !recipe.variants.empty())
    problems.add("'baseline': is the short form of 'variants'; give one of the two");
  const std::string fault = fault_of_all(recipe);
  if (!fault.empty()) return problems.add(fault);
  // Variants without settings of their own are checked once a method, what all trainings have in common once.
  std::set<std::string> plain;
  bool trained = false;
  for (const Variant& variant : wanted_variants(recipe)) {
    const Recipe own = with_overrides(recipe, variant.overrides);
    const bool rewritten_by_another = !variant.after.empty() && own.rewriter != "seed";
    if (rewritten_by_another && find_method(variant.method).rewrites && !own.generation_endpoint.empty())
      problems.add("variant '" + variant.name + "': is rewritten by what '" + variant.after +
                   "' trained, and generation_endpoint runs the seed; set rewriter: seed");
    if (variant.overrides.empty() && !plain.insert(variant.method).second) continue;
    const std::string whose = variant.overrides.empty() ? "" : "variant '" + variant.name + "': ";
    if (find_method(variant.method).rewrites) check_rewriting_settings(own, whose, problems);
    if (find_method(variant.method).on_policy) check_on_policy_settings(own, whose, problems);
    if (find_method(variant.method).change != Change::kNone) {
      check_change_settings(own, find_method(variant.method).change, whose, problems);
      continue;
    }
    if (whose.empty() && std::exchange(trained, true)) continue;
    check_replay_settings(own, whose, problems);
    check_training_settings(own, whose, problems);
  }
}

}  // namespace sdft
