// The table of settings.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

#include "base/comma_separated.h"
#include "check/check.h"
#include "data/prompt.h"
#include "report/report.h"
#include "run/context.h"
#include "run/presets.h"
#include "run/recipe.h"
#include "run/training_plan.h"
#include "sdft/method.h"
#include "train/schedule.h"

namespace sdft {

namespace {
constexpr double kMany = 1e12;  // of what is counted; far below where products overflow

// Adds the rows of one section, which change the results of `stages` unless they say otherwise.
struct Section {
  std::vector<Setting>& list;
  const char* name;
  unsigned stages;
  bool (*used_by)(const Method&) = nullptr;  // see Setting
  Setting& operator()(const char* setting, Setting::Target target, const char* help) const {
    list.push_back({name, setting, target, help, stages});
    return list.back().only_for(used_by);
  }
};

std::vector<std::string> training_templates() {
  std::vector<std::string> names = prompt_template_names();
  names.emplace_back(kTemplateOfRecord);
  return names;
}

void add_model(Recipe& r, std::vector<Setting>& list) {
  const Section add{list, "model", kNoStage};
  add("model_name_or_path", &r.model_name_or_path, "folder of the seed model, as on the Hugging Face hub")
      .is_path();
  add("adapter_name_or_path", &r.adapter_name_or_path,
      "PEFT adapter folder that belongs to the seed model: rewriting and evaluation use it, LoRA training "
      "goes on with it")
      .is_path();
  add("device", &r.device, "auto, cpu or cuda").one_of({"auto", "cpu", "cuda"});
  add("dtype", &r.dtype, "auto (f32 on a CPU, bf16 on a GPU), f32 or bf16").one_of({"auto", "f32", "bf16"});
  add("weights", &r.weights,
      "auto: matrices as they are stored, computed in f32; f32; bf16, int8, q4: matrices and what is "
      "multiplied with them rounded to bf16, or to 8 bits beside weights of 8 or 4")
      .one_of({"auto", "f32", "bf16", "int8", "q4"});
  add("threads", &r.threads, "CPU threads; 0: all").between(0, kMostThreads);
  add("seed", &r.seed, "of sampling, data order and adapter initialisation").changes(kDistill | kTrain);
  add("output_dir", &r.output_dir, "run directory; the same command goes on with what is in it").is_path();
}

void add_data(Recipe& r, std::vector<Setting>& list) {
  const Section add{list, "data", kNoStage};
  add("dataset", &r.dataset,
      "task dataset: .json, .jsonl, .csv, or a name in dataset_info.json; several separated by commas")
      .changes(kSelects)
      .is_paths();
  add("dataset_weights", &r.dataset_weights,
      "shares of several datasets in the examples, as 3,1; as many as the smallest allows; empty: all")
      .changes(kSelects)
      .above(0, kMany);
  add("dataset_dir", &r.dataset_dir, "folder with dataset_info.json").is_path();
  add("max_samples", &r.max_samples, "use only so many examples, drawn by seed; more hold the fewer; 0: all")
      .changes(kSelects)
      .between(0, kMany);
  add("replay_dataset", &r.replay_dataset,
      "further examples that are trained with their own answers and never rewritten; as `dataset`")
      .changes(kReplays)
      .is_paths();
  add("replay_fraction", &r.replay_fraction, "so many of them for each example of the task, drawn by seed")
      .changes(kReplays)
      .between(0, 1000);
  static const std::string kSources = "what is replayed:\n" + describe_replay_sources();
  add("replay_source", &r.replay_source, kSources.c_str())
      .changes(kReplays)
      .one_of(replay_source_names())
      .in_report();
  add("dialogue_turns", &r.dialogue_turns, "questions and answers of a conversation of self_dialogue")
      .changes(kReplays)
      .between(1, 16);
  add("skip_bad", &r.skip_bad, "skip and count bad records instead of stopping");
  add("template", &r.prompt_template,
      "prompt template of training and evaluation: chat, alpaca, gsm8k, ..., or a file that shows "
      "{instruction}")
      .changes(kDistill | kTrain)  // an evaluation task may have its own
      .is_prompt(training_templates());
  add("prompt_layout", &r.prompt_layout,
      "chat, reference or reference-main: how the paper's templates are tokenised")
      .changes(kAllStages)
      .one_of({"chat", "reference", "reference-main"});
  add("date", &r.date,
      "what a chat template's clock shows, as 2026-11-28 or 2026-11-28 12:00; empty: the day the run began");
  add("cutoff_len", &r.train.cutoff_len, "tokens of a training sample; longer ones are cut and counted")
      .changes(kTrain)
      .between(0, 1e9);
  add("reasoning", &r.reasoning,
      "traces (<think>) in the answers: drop before training, keep unlearned in front of the answer, or "
      "learn")
      .changes(kDistill | kTrain)
      .one_of(reasoning_names());
  add("train_on_prompt", &r.train_on_prompt, "learn the prompt's tokens too").changes(kTrain);
}

void add_method(Recipe& r, std::vector<Setting>& list) {
  static const std::string kChecks = "checks that a rewrite has to pass, asked in turn:\n" +
                                     check_list(kAcceptance),
                           kHelp = fmt::format("the last of them, what a rewrite must keep: {}",
                                               fmt::join(check_names(kAnswerCheck), ", "));
  const Section add{list, "method", kDistill};
  add("distill_template", &r.distill_template,
      "prompt that asks the seed model for its rewrite: a name, or a file that shows {instruction} and "
      "{response}")
      .is_prompt(prompt_template_names())
      .in_report();
  add("acceptance", &r.acceptance, kChecks.c_str())
      .checked_by([](const std::string& text) { return fault_of_check(text, kAcceptance); })
      .in_report();
  add("answer_check", &r.answer_check, kHelp.c_str())
      .checked_by([](const std::string& text) { return fault_of_check(text, kAnswerCheck); })
      .in_report();
  add("num_candidates", &r.num_candidates, "rewrites sampled for an example at most; the paper: 1")
      .between(1, 1000)
      .in_report();
  add("candidate_choice", &r.candidate_choice,
      "first: sampled one after another until one is accepted; likeliest: all are sampled, and of the "
      "accepted ones the seed's likeliest is taken")
      .one_of({"first", "likeliest"});
  add("candidate_temperatures", &r.candidate_temperatures,
      "temperature of the first candidate, the second and so on; the last holds for the others, too; none: "
      "`temperature`")
      .between(0, 100);
  add("own_answer_first", &r.own_answer_first,
      "take the seed's own answer, given without the reference, where it is right; rewrite only elsewhere")
      .in_report();
  add("rewriter", &r.rewriter,
      "who writes the rewrites of a variant that goes on from another: current, the model that it starts "
      "from, or seed")
      .one_of({"current", "seed"});
  add("probe_samples", &r.probe_samples, "stop where of so many first rewrites none is accepted; 0: never")
      .changes(kNoStage)
      .between(0, kMany);
  add("gap_samples", &r.gap_samples,
      "accepted rewrites, evenly spread, on which the distribution gap is measured; 0: all")
      .between(0, kMany);
  add("distilled_fraction", &r.distilled_fraction, "part of the examples that gets its rewrite, 0 to 1")
      .changes(kMixes)
      .between(0, 1);
  add("fallback", &r.fallback,
      "of an example whose rewrite was not accepted: learn the original, or drop the example")
      .changes(kMixes)
      .one_of({"original", "drop"});
  add("baseline", &r.baseline,
      "also train on the original answers (vanilla fine-tuning); short for two `variants`")
      .changes(kNoStage);
}

void add_generation(Recipe& r, std::vector<Setting>& list) {
  const Section add{list, "generation", kDistill};
  add("temperature", &r.sampling.temperature, "of rewrites; 0: greedy").between(0, 100).in_report();
  add("top_k", &r.sampling.top_k, "0: all tokens").between(0, 1e9);
  add("top_p", &r.sampling.top_p, "1: all tokens").above(0, 1);
  add("max_new_tokens", &r.max_new_tokens, "limit of an answer").between(1, 1e9);
  add("generation_batch_size", &r.generation_batch_size, "answers written at once; 0: chosen")
      .changes(kNoStage)
      .between(0, 65536);
  add("generation_endpoint", &r.generation_endpoint,
      "a server with OpenAI's interface that runs the seed model and writes the rewrites: "
      "http://localhost:8000 (vLLM, "
      "SGLang, llama.cpp); its key is read from SDFT_API_KEY or OPENAI_API_KEY")
      .changes(kNoStage);
  add("generation_endpoint_model", &r.generation_endpoint_model, "the seed's name there");
}

// Names as in TRL's SDFTConfig where it has them.
void add_on_policy(Recipe& r, std::vector<Setting>& list) {
  DistillationOptions& d = r.distillation;
  const Section add{list, "on-policy (method: on_policy)", kTrain,
                    [](const Method& method) { return method.on_policy; }};
  add("teacher_template", &r.teacher_template,
      "prompt that shows the teacher the dataset's answer: a name, or a file with {instruction} and "
      "{response}")
      .is_prompt(prompt_template_names());
  add("teacher_model_kind", &d.teacher.kind,
      "base: the model before training; ema: a moving average of the student; live: the student itself")
      .one_of(teacher_kind_names())
      .in_report();
  add("teacher_update_rate", &d.teacher.update_rate, "of ema: the student's share in each update")
      .between(0, 1);
  add("teacher_sync_steps", &d.teacher.sync_steps, "of ema: steps between updates").between(1, kMany);
  add("distillation_mode", &d.mode,
      "full_logits: the whole vocabulary; topk_logits: the likeliest tokens; sampled_token: the written one "
      "(divergence: reverse)")
      .one_of(distillation_modes())
      .in_report();
  add("distillation_topk", &d.topk, "tokens of topk_logits").between(1, 1e6);
  add("distillation_topk_of", &d.topk_of, "whose likeliest tokens: student or teacher")
      .one_of({"student", "teacher"});
  add("distillation_add_tail", &d.add_tail,
      "count all other tokens of topk_logits as one more; else the likeliest are made to sum to 1");
  add("distillation_entry_clip", &d.entry_clip, "limit of one token's term of the divergence; 0: none")
      .between(0, 1e6);
  add("num_loss_tokens_to_skip", &r.num_loss_tokens_to_skip, "at the beginning of each answer")
      .between(0, kMany);
  add("distillation_is_clip", &d.is_clip,
      "limit of the importance ratio, p(token) now / when it was written, where num_iterations is above 1; "
      "0: no ratio")
      .between(0, 1e6);
  add("num_iterations", &r.num_iterations, "steps that learn from the same answers, one after another")
      .between(1, 1000);
  add("num_generations", &r.num_generations, "answers to each prompt of a step").between(1, 1000);
  add("generate_from_teacher", &r.generate_from_teacher,
      "the student writes behind the teacher's prompt, and learns behind its own");
  add("rollout_temperature", &r.rollout.temperature, "of the student's answers").above(0, 100);
}

void add_watch(Recipe& r, std::vector<Setting>& list) {
  const Section add{list, "watch over a training", kTrain};
  add("watch_steps", &r.watch_steps,
      "steps between measurements of what the student says to the task's prompts and to those of retained "
      "tasks: KL to the seed, entropy, length; 0: never, or with kl_budget and on_policy after each epoch")
      .between(0, kMany);
  add("watch_samples", &r.watch_samples, "prompts of either kind").between(1, kMany);
  add("kl_budget", &r.kl_budget,
      "end the training, with the parameters of the measurement before, where KL(student || seed) on "
      "retained "
      "prompts (without any: on the task's) is above so many nats a token; 0: no limit")
      .between(0, 1e6)
      .in_report();
  add("collapse_guard", &r.collapse_guard,
      "of on_policy: end it likewise where answers do not end any more, repeat themselves or shrink to "
      "nothing");
}

void add_training(Recipe& r, std::vector<Setting>& list) {
  TrainOptions& t = r.train;
  const Section add{list, "training", kTrain};
  add("finetuning_type", &t.finetuning_type, "lora or full").one_of({"lora", "full"}).in_report();
  static const std::string kObjectives = "what is minimised:\n" + describe_objectives();
  add("objective", &t.objective, kObjectives.c_str())
      .one_of(objective_names())
      .only_for([](const Method& method) { return method.change == Change::kNone && !method.on_policy; })
      .in_report();
  ObjectiveOptions& o = t.objective_options;
  add("anchor_weight", &o.anchor_weight,
      "of the term that holds on to the seed (kl_to_seed, asft, l2_sp; ewc, whose Fisher information is "
      "small: "
      "10000 and more)")
      .between(0, 1e9);
  add("divergence", &o.divergence,
      "of the student from the seed (kl_to_seed, asft), from the teacher (on_policy): forward: KL(seed || "
      "student), the student keeps all that the seed says; reverse: KL(student || seed), it says nothing "
      "that "
      "the seed does not; jensen_shannon, or a number from 0 (forward) to 1")
      .checked_by(fault_of_divergence);
  add("max_perplexity", &o.max_perplexity, "of a token under the seed that is still learned (stm)")
      .between(1, 1e9);
  add("proximal_clip", &o.proximal_clip,
      "how much a token's probability may grow, as a share, between two snapshots (psft)")
      .above(0, 1e6);
  add("proximal_steps", &o.proximal_steps, "steps between these snapshots").between(1, kMany);
  add("fisher_samples", &r.fisher_samples, "of replay_dataset, on which ewc measures which weights matter")
      .between(1, kMany);
  add("entropy_topk", &o.entropy_topk, "tokens whose entropy weighs the loss (eaft)").between(2, 1e6);
  add("train_from_scratch", &r.train_from_scratch, "start from random weights (config and tokenizer only)")
      .changes(kAllStages);
  add("save_dtype", &r.save_dtype, "of a full fine-tuned model's weights: f32, bf16 or f16")
      .one_of({"f32", "bf16", "f16"});
  add("lora_rank", &t.lora.rank, "r").between(1, 1e6).in_report();
  add("lora_alpha", &t.lora.alpha, "scale is alpha / r").above(0, 1e6);
  add("lora_dropout", &t.lora.dropout, "on the adapter's input").between(0, 0.99);
  add("lora_target", &t.lora.target_modules,
      "linear layers, all-linear, and by name embed_tokens and lm_head");
  add("use_rslora", &t.lora.use_rslora, "scale alpha / sqrt(r)");
  add("use_dora", &t.lora.use_dora, "train the length of each row of the weights apart from its direction");
  add("init_lora_weights", &t.lora.init,
      "what a new adapter starts from: kaiming, A random and B zero; pissa, the strongest directions of the "
      "weights")
      .one_of(lora_inits());
  add("rank_pattern", &t.lora.rank_pattern,
      "ranks of layers whose name (or its end behind a dot) a regular expression matches: {q_proj: 16}");
  add("alpha_pattern", &t.lora.alpha_pattern, "lora_alpha of layers likewise");
  add("modules_to_save", &t.lora.modules_to_save, "trained whole beside the adapter: embed_tokens, lm_head")
      .or_none();
  add("loraplus_lr_ratio", &t.loraplus_lr_ratio,
      "LoRA+: B learns at learning_rate times this, as 16; 0: at learning_rate")
      .between(0, 1e6);
  add("loraplus_lr_embedding", &t.loraplus_lr_embedding, "learning rate of LoRA on embed_tokens with LoRA+")
      .above(0, 10);
  add("neftune_noise_alpha", &t.neftune_noise_alpha,
      "NEFTune: noise on the embeddings in training, up to this / sqrt(tokens x width), as 5; 0: none")
      .between(0, 1e6);
  add("learning_rate", &t.learning_rate, "peak").above(0, 10).in_report();
  add("lr_scheduler_type", &t.lr_scheduler_type, "constant, constant_with_warmup, linear, cosine")
      .one_of(schedule_types());
  add("warmup_ratio", &t.warmup_ratio, "of all steps").between(0, 1);
  add("warmup_steps", &t.warmup_steps, "wins over warmup_ratio").between(0, kMany);
  add("num_train_epochs", &t.num_train_epochs, "passes over the data").above(0, 1e6).in_report();
  add("max_steps", &t.max_steps, "> 0: wins over num_train_epochs").between(0, kMany);
  add("per_device_train_batch_size", &t.per_device_train_batch_size, "sequences of a forward pass")
      .between(1, 1e6);
  add("gradient_accumulation_steps", &t.gradient_accumulation_steps, "forward passes of an optimizer step")
      .between(1, 1e6);
  add("gradient_checkpointing", &t.gradient_checkpointing,
      "keep of each layer only what goes in and compute it again for gradients: less memory, the same "
      "results")
      .changes(kNoStage);
  add("memory", &r.memory,
      "that training may take, as 8G or 700M: fewer samples at once, then gradient_checkpointing, until it "
      "fits (dropout then draws other masks); empty: no limit (sdft train --dry-run foretells it)")
      .checked_by(fault_of_memory);
  add("max_grad_norm", &t.max_grad_norm, "clipping; 0: none").between(0, 1e9);
  add("adam_beta1", &t.adam.beta1, "decay of the first moment").between(0, 0.9999999);
  add("adam_beta2", &t.adam.beta2, "decay of the second moment").between(0, 0.9999999);
  add("adam_epsilon", &t.adam.epsilon, "added to the second moment's root").above(0, 1);
  add("weight_decay", &t.adam.weight_decay, "on matrices").between(0, 100);
  add("bf16", &t.bf16, "matrix products of training in bf16 with f32 accumulation (CPU)");
  add("save_steps", &t.save_steps, "steps between checkpoints").changes(kNoStage).between(0, kMany);
  add("val_size", &t.val_size, "share of the examples that is held back to measure the loss on; 0: none")
      .between(0, 0.99);
  add("eval_steps", &t.eval_steps, "steps between these measurements; 0: one after each epoch")
      .between(0, kMany);
  add("early_stopping_patience", &t.early_stopping_patience,
      "stop after so many measurements without a new best; 0: never")
      .between(0, kMany);
  add("load_best_model_at_end", &t.load_best_model_at_end,
      "keep the parameters of the lowest validation loss, not the last step's");
}

// Of methods that train nothing.
void add_change(Recipe& r, std::vector<Setting>& list) {
  const Section add{list, "change (methods interpolation, pruning)", kChange};
  add("change_scale", &r.change_scale,
      "interpolation: how much of the training's change stays: 0 the seed, 1 the tuned model, more goes "
      "beyond it")
      .between(0, 2)
      .only_for([](const Method& method) { return method.change == Change::kInterpolation; })
      .in_report();
  add("prune_ratio", &r.prune_ratio,
      "pruning: the share of each matrix whose weights go back to the seed's, those that changed most for "
      "their size")
      .between(0, 1)
      .only_for([](const Method& method) { return method.change == Change::kPruning; })
      .in_report();
}
}  // namespace

std::vector<Setting> settings(Recipe& r) {
  std::vector<Setting> list;
  list.reserve(256);  // the rows are built in place
  add_model(r, list);
  add_data(r, list);
  add_method(r, list);
  add_generation(r, list);
  add_on_policy(r, list);
  add_watch(r, list);
  add_training(r, list);
  add_change(r, list);
  list.push_back({"evaluation", "eval_max_samples", &r.eval_max_samples, "examples a task; 0: all"});
  list.back().between(0, kMany);
  list.push_back(
      {"evaluation", "endpoint", &r.endpoint,
       "a server with OpenAI's interface, whose model is evaluated in place of model_name_or_path: "
       "http://localhost:8000; its key is read from SDFT_API_KEY or OPENAI_API_KEY"});
  list.push_back({"evaluation", "endpoint_model", &r.endpoint_model, "the model's name there"});
  list.push_back(
      {"evaluation", "endpoint_concurrency", &r.endpoint_concurrency, "requests under way at once"});
  list.back().between(1, 1000);
  list.push_back(
      {"evaluation", "embedding_model", &r.embedding_model,
       "how alike answers are to the seed's, as cosine: the folder of a sentence encoder (tools/get-model "
       "minilm), seed (its own hidden states) or none"});
  list.back().is_path();
  list.push_back({"evaluation", "adapters", &r.adapters,
                  "adapters (or whole models), comma-separated, that are evaluated beside the seed and what "
                  "was trained here"});
  list.back().is_paths();
  list.push_back(
      {"evaluation", "include_path", &r.include_path,
       "folders with task files of your own, comma-separated; sdft eval --list shows what is there"});
  list.back().is_paths();
  list.push_back({"evaluation", "data_dir", &r.data_dir,
                  "where the datasets of task files are: DIR/DATASET_PATH/DATASET_NAME/SPLIT.jsonl"});
  list.back().is_path();
  return list;
}

const std::vector<StructuredSetting>& structured_settings() {
  static const std::vector<StructuredSetting> kStructured = {
      {"eval",
       "tasks, each with its settings below: [{name: numbers, dataset: numbers.jsonl, check: number}]"},
      {"variants",
       "trainings with a name, a method (sft, self_distillation, on_policy, interpolation, pruning) and "
       "settings of their own; after: goes on from what another one became: [{name: plain, method: sft}, "
       "{name: four, method: self_distillation, "
       "num_candidates: 4}]"},
      {"sweep", "each variant with every combination of values: {lora_rank: [8, 64], seed: [1, 2, 3]}"},
      {"continual",
       "each variant learns one task after the other: [{name: one, dataset: a.jsonl}, {name: two, dataset: "
       "b.jsonl}]"},
      {"preset", presets_help()},
      {"columns", "the dataset's own names: {prompt: question, query: input, response: answer}"},
      {"chat_template_kwargs", "what the chat template reads besides: {enable_thinking: false}"}};
  return kStructured;
}

std::vector<Setting> task_settings(TaskSettings& task) {
  std::vector<std::string> kinds;
  for (const report::Kind& kind : report::kKinds) kinds.emplace_back(kind.name);
  static const std::string kHelp =
      fmt::format("what makes an answer right: {}", fmt::join(check_names(kTaskCheck), ", "));
  std::vector<Setting> list = {
      {"", "name", &task.name, "of its row in the report, and of its folder"},
      {"", "kind", &task.kind, "target, retained, safety or similarity (to the seed's own answers)"},
      {"", "task", &task.task,
       "a task file, or the name of one, as lm-evaluation-harness has them; in place of dataset and check"},
      {"", "dataset", &task.dataset, "as the recipe's `dataset`"},
      {"", "check", &task.check, kHelp.c_str()},
      {"", "template", &task.prompt_template, "prompt template; else the recipe's"},
      {"", "max_samples", &task.max_samples, "0: the recipe's eval_max_samples"},
      {"", "max_new_tokens", &task.max_new_tokens, "0: the recipe's, of a task file its own"},
      {"", "num_fewshot", &task.num_fewshot,
       "of a task file: examples in front of each question; -1: as many as it says"},
      {"", "num_samples", &task.num_samples,
       "of a task file: so many answers to each question, sampled with `temperature`; what a check says of "
       "them "
       "is pass@1 and pass@k; 0: as it says"},
      {"", "temperature", &task.temperature, "of num_samples"},
      {"", "truncate", &task.truncate,
       "of a task file: leave out the beginning of texts that are too long to score, as the harness does; "
       "else they are counted as unanswered"},
      {"", "chance", &task.chance,
       "that a guess is right, as 0.25 of four choices; what was forgotten and gained is corrected for it"}};
  auto row = [&](const char* name) -> Setting& {
    return *std::find_if(list.begin(), list.end(),
                         [&](const Setting& s) { return !std::strcmp(s.name, name); });
  };
  row("kind").one_of(kinds);
  row("dataset").is_path();
  row("check").checked_by([](const std::string& text) { return fault_of_check(text, kTaskCheck); });
  row("template").is_prompt(prompt_template_names());
  row("max_samples").between(0, kMany);
  row("max_new_tokens").between(0, 1e9);
  row("num_fewshot").between(-1, 1000);
  row("num_samples").between(0, 10000);
  row("temperature").between(0, 100);
  row("chance").between(0, 0.99);
  return list;
}

const std::string& template_of(const Recipe& recipe, const TaskSettings& task) {
  return task.prompt_template.empty() ? recipe.prompt_template : task.prompt_template;
}

size_t example_limit(const Recipe& recipe, const TaskSettings& task) {
  return static_cast<size_t>(task.max_samples > 0 ? task.max_samples : recipe.eval_max_samples);
}

int64_t answer_limit(const Recipe& recipe, const TaskSettings& task) {
  return task.max_new_tokens > 0 ? task.max_new_tokens : recipe.max_new_tokens;
}

std::vector<std::pair<const char*, std::string*>> column_fields(Columns& c) {
  return {
      {"id", &c.id},         {"prompt", &c.prompt},   {"query", &c.query},       {"response", &c.response},
      {"system", &c.system}, {"history", &c.history}, {"messages", &c.messages}, {"tools", &c.tools},
      {"weight", &c.weight}};
}

std::string value_text(const Setting& setting) {
  return std::visit(
      [](auto* value) -> std::string {
        using T = std::decay_t<decltype(*value)>;
        if constexpr (std::is_same_v<T, std::vector<std::string>> || std::is_same_v<T, std::vector<double>>) {
          return fmt::format("[{}]", fmt::join(*value, ", "));
        } else if constexpr (std::is_same_v<T, LayerPatterns>) {
          std::string text;
          for (const auto& [pattern, number] : *value)
            text += (text.empty() ? "" : ", ") + Json(pattern).dump() + ": " + fmt::format("{}", number);
          return "{" + text + "}";
        } else {
          return fmt::format("{}", *value);  // numbers: the shortest text that reads back as the same
        }
      },
      setting.target);
}

std::string allowed_text(const Setting& s) {
  if (!s.choices.empty()) return joined(s.choices) + (s.prompt ? ", or a file" : "");
  const bool number = std::holds_alternative<double*>(s.target) ||
                      std::holds_alternative<int64_t*>(s.target) ||
                      std::holds_alternative<std::vector<double>*>(s.target);
  const bool open = s.high >= 1e9;  // further than anybody goes
  if (number && s.above_low)
    return fmt::format("above {}", s.low) + (open ? "" : fmt::format(" and up to {}", s.high));
  if (number) return fmt::format("{}", s.low) + (open ? " or more" : fmt::format(" to {}", s.high));
  if (std::holds_alternative<uint64_t*>(s.target)) return "a whole number, 0 or more";
  if (std::holds_alternative<bool*>(s.target)) return "true or false";
  if (std::holds_alternative<LayerPatterns*>(s.target)) return "patterns with numbers";
  if (std::holds_alternative<std::vector<std::string>*>(s.target)) return "a list of names";
  return s.path ? "a path" : s.paths ? "paths or names" : "a text";
}

}  // namespace sdft
