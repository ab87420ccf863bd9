#include "run/recipe.h"

#include "base/error.h"
#include "base/file.h"
#include "run/foreign_keys.h"
#include "run/variants.h"
#include "testing.h"

namespace sdft {
namespace {
using testing::ScratchDir;

std::string problem_of(const std::vector<std::string>& overrides) {
  try {
    read_recipe("", overrides);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kUsage);
    return e.what();
  }
  return "";
}

TEST(Recipe, DefaultsAreThePapers) {
  const Recipe r = read_recipe("", {});
  EXPECT_EQ(r.train.lora.rank, 8);
  EXPECT_EQ(r.train.lora.alpha, 16);
  EXPECT_EQ(r.train.lora.dropout, 0.1);
  EXPECT_EQ(r.train.lora.target_modules, (std::vector<std::string>{"q_proj", "v_proj"}));
  EXPECT_EQ(r.train.learning_rate, 1e-4);
  EXPECT_EQ(r.train.per_device_train_batch_size, 2);
  EXPECT_EQ(r.train.gradient_accumulation_steps, 4);
  EXPECT_EQ(r.train.cutoff_len, 1024);
  EXPECT_EQ(r.sampling.temperature, 0.95);
  EXPECT_EQ(r.sampling.top_k, 50);
  EXPECT_EQ(r.sampling.top_p, 0.7);
}

TEST(Recipe, WordsOfOtherTools) {
  ScratchDir dir;
  write_file_atomic(
      dir / "r.yaml",
      "stage: sft\nlora_target: all\ntemplate: llama3\noverwrite_cache: true\nddp_timeout: 180000000\n"
      "plot_loss: true\nreport_to: [tensorboard, wandb]\nresume_from_checkpoint: null\n"
      "deepspeed: null\nquantization_bit:\nflash_attn: auto\noptim: AdamW_torch\npacking: true\n"
      "variants: [{name: a, method: sft, lora_target: all, logging_steps: 5}]\n");
  const Recipe r = read_recipe(dir / "r.yaml", {"preprocessing_num_workers=16"});
  EXPECT_EQ(r.train.lora.target_modules, std::vector<std::string>{"all-linear"});
  EXPECT_EQ(r.prompt_template, "chat");
  EXPECT_EQ(r.variants.at(0).overrides, (Overrides{{"lora_target", "[\"all-linear\"]"}}));
}

TEST(Recipe, WordsOfOtherToolsThatMatterAreAnswered) {
  const std::pair<const char*, const char*> cases[] = {
      {"stage=dpo", "'stage': sft is what there is"},         {"packing=false", "always packed"},
      {"resume_from_checkpoint=runs/a", "goes on by itself"}, {"deepspeed=ds.json", "one process trains"},
      {"deepspeed={stage: 3}", "one process trains"},         {"quantization_bit=4", "write 'weights: q4'"},
      {"max_seq_length=512", "is called 'cutoff_len' here"},  {"optim=adafactor", "AdamW is what there is"},
      {"sweep={packing: [false]}", "always packed"},          {"preprocessing_num_worker=1", "unknown key"}};
  for (const auto& [word, answer] : cases)
    EXPECT_NE(problem_of({word}).find(answer), std::string::npos) << word << ": " << problem_of({word});
}

// A setting has no row of another tool's but for values that it does not know.
TEST(Recipe, SettingsAreNoWordsOfOtherTools) {
  Recipe r;
  for (const Setting& setting : settings(r)) {
    const ForeignKey* any = find_foreign_key(setting.name, "any value");
    EXPECT_EQ(any, nullptr) << setting.name;
    for (const std::string& choice : setting.choices)
      EXPECT_EQ(find_foreign_key(setting.name, choice), nullptr) << setting.name << ": " << choice;
  }
}

TEST(Recipe, UnknownKeyGetsASuggestion) {
  EXPECT_NE(problem_of({"learning_rat=1"}).find("did you mean 'learning_rate'?"), std::string::npos);
}

TEST(Recipe, AllProblemsAtOnce) {
  const std::string text = problem_of({"lora_rank=many", "top_p=2", "nonsense_key_here=1"});
  for (const char* part : {"3 problems", "lora_rank", "top_p", "nonsense_key_here"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(Recipe, ResolvedReadsBackTheSame) {
  ScratchDir dir;
  write_file_atomic(
      dir / "r.yaml",
      "learning_rate: 0.00012345\nlora_target: [k_proj, o_proj]\nbaseline: false\ncolumns: {prompt: q}\n"
      "variants:\n- {name: plain, method: sft}\n- {name: ours, method: self_distillation}\n"
      "eval:\n- {name: a, kind: target, dataset: x.jsonl, check: number, max_samples: 3}\n");
  const std::string once = resolved_recipe(read_recipe(dir / "r.yaml", {"seed=7"}));
  write_file_atomic(dir / "again.yaml", once);
  EXPECT_EQ(resolved_recipe(read_recipe(dir / "again.yaml", {})), once);
  EXPECT_NE(once.find("0.00012345"), std::string::npos);
}

TEST(Recipe, PatternsAreMapsOfNumbers) {
  ScratchDir dir;
  write_file_atomic(dir / "r.yaml",
                    "rank_pattern: {'layers\\.0\\..*': 4, q_proj: 16}\nalpha_pattern: {\"7\": 0.5}\n"
                    "modules_to_save: []\nvariants:\n- {name: a, method: sft, rank_pattern: {k_proj: 2}}\n");
  const Recipe r = read_recipe(dir / "r.yaml", {});
  EXPECT_EQ(r.train.lora.rank_pattern, (LayerPatterns{{"layers\\.0\\..*", 4}, {"q_proj", 16}}));
  EXPECT_EQ(r.train.lora.alpha_pattern, (LayerPatterns{{"7", 0.5}}));
  EXPECT_EQ(recipe_of(r, wanted_variants(r)[0]).train.lora.rank_pattern, (LayerPatterns{{"k_proj", 2}}));
  write_file_atomic(dir / "again.yaml", resolved_recipe(r));
  EXPECT_EQ(resolved_recipe(read_recipe(dir / "again.yaml", {})), resolved_recipe(r));
  EXPECT_EQ(read_recipe("", {"rank_pattern={q_proj: 3}"}).train.lora.rank_pattern,
            (LayerPatterns{{"q_proj", 3}}));
  for (const char* wrong : {"rank_pattern=4", "rank_pattern=[q_proj]", "alpha_pattern={q_proj: many}",
                            "rank_pattern={q_proj: 1, q_proj: 2}"})
    EXPECT_NE(problem_of({wrong}).find("a map of patterns to numbers"), std::string::npos) << wrong;
}

TEST(Recipe, WhatIsOfAdaptersDoesNotGoWithOthers) {
  const std::string text = problem_of({"finetuning_type=full", "use_dora=true", "loraplus_lr_ratio=16",
                                       "rank_pattern={q_proj: 2}", "modules_to_save=embed_tokens"});
  for (const char* part : {"4 problems", "'use_dora': is of adapters", "'loraplus_lr_ratio': is of adapters",
                           "'rank_pattern': is of adapters", "'modules_to_save': is of adapters"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_NE(problem_of({"adapter_name_or_path=x", "init_lora_weights=pissa"}).find("is of new adapters"),
            std::string::npos);
  EXPECT_EQ(problem_of({"adapter_name_or_path=x", "loraplus_lr_ratio=16"}), "");
  EXPECT_NE(problem_of({"loraplus_lr_ratio=0.5"}).find("1 or more"), std::string::npos);
  EXPECT_NE(problem_of({"init_lora_weights=pisa"}).find("did you mean 'pissa'"), std::string::npos);
  EXPECT_NE(problem_of({"modules_to_save=lm_head", "dtype=bf16"}).find("needs f32"), std::string::npos);
  EXPECT_NE(
      problem_of({"variants=[{name: a, method: sft}, {name: b, method: sft, after: a, use_dora: true}]"})
          .find("same kind"),
      std::string::npos);
  EXPECT_NE(problem_of({"init_lora_weights=pissa",
                        "variants=[{name: a, method: sft}, {name: b, method: sft, after: a}]"})
                .find("has its numbers already"),
            std::string::npos);
}

TEST(Recipe, PathsOnTheCommandLineMayBeAList) {
  const Recipe r = read_recipe("", {"dataset=[a.jsonl, b.jsonl]", "adapters=[one, two]"});
  EXPECT_EQ(r.dataset, "a.jsonl, b.jsonl");
  EXPECT_EQ(r.adapters, "one, two");
  EXPECT_EQ(read_recipe("", {"dataset=[a].jsonl"}).dataset, "[a].jsonl");
}

TEST(Recipe, ListsOfNumbersAreSettings) {
  EXPECT_EQ(read_recipe("", {"dataset_weights=[3, 0.5]"}).dataset_weights, (std::vector<double>{3, 0.5}));
  const Recipe r = read_recipe("", {"dataset_weights=3,1", "dataset=a.jsonl, b.jsonl"});
  EXPECT_EQ(r.dataset_weights, (std::vector<double>{3, 1}));
  ScratchDir dir;
  write_file_atomic(dir / "r.yaml", resolved_recipe(r));
  EXPECT_EQ(read_recipe(dir / "r.yaml", {}).dataset_weights, r.dataset_weights);
  EXPECT_EQ(read_recipe(dir / "r.yaml", {}).dataset, "a.jsonl, b.jsonl");
  EXPECT_TRUE(read_recipe("", {"dataset_weights=[]"}).dataset_weights.empty());
  for (const char* bad :
       {"dataset_weights=[a]", "dataset_weights=[1, -1]", "dataset_weights=[.nan]", "dataset_weights={a: 1}"})
    EXPECT_NE(problem_of({bad}).find("dataset_weights"), std::string::npos) << bad;
}

TEST(Recipe, EachNameOfAListMayBeginWithTheHomeFolder) {
  const std::string home = std::getenv("HOME");
  EXPECT_EQ(read_recipe("", {"dataset=~/a.jsonl, ~/b.jsonl,c~.jsonl"}).dataset,
            home + "/a.jsonl, " + home + "/b.jsonl, c~.jsonl");
  EXPECT_EQ(read_recipe("", {"template=~/t.txt"}).prompt_template, home + "/t.txt");
}

TEST(Recipe, SeveralDatasetsMayBeAList) {
  ScratchDir dir;
  auto dataset_of = [&](const std::string& text) {
    write_file_atomic(dir / "r.yaml", "dataset: " + text + "\n");
    return read_recipe(dir / "r.yaml", {}).dataset;
  };
  EXPECT_EQ(dataset_of("[a.jsonl, b]"), "a.jsonl, b");
  EXPECT_EQ(dataset_of("\n- a.jsonl\n- ~/b"), "a.jsonl, " + std::string(std::getenv("HOME")) + "/b");
  for (const char* bad : {"[]", "[a, [b]]", "['a,b']", "[a, '']", "{a: 1}"})
    EXPECT_THROW(dataset_of(bad), Error) << bad;
}

TEST(Recipe, ARenamedKeyIsRefusedWithItsNewName) {
  EXPECT_NE(problem_of({"template_variables={a: 1}"}).find("chat_template_kwargs"), std::string::npos);
}

TEST(Recipe, MalformedYamlNamesTheLine) {
  ScratchDir dir;
  write_file_atomic(dir / "r.yaml", "seed: 1\n  bad: [\n");
  try {
    read_recipe(dir / "r.yaml", {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("r.yaml:"), std::string::npos) << e.what();
  }
}

TEST(Recipe, TasksAreChecked) {
  const std::string text = problem_of({"eval=[{name: a, kind: nice, datset: b}]"});
  for (const char* part : {"'kind'", "did you mean 'dataset'?", "'dataset' is missing"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

// Each trained nothing, or died, before there were ranges.
TEST(Recipe, NumbersOutOfRangeAreRefused) {
  for (const char* bad : {"num_train_epochs=0",
                          "num_train_epochs=-1",
                          "num_train_epochs=1e300",
                          "num_train_epochs=.nan",
                          "num_train_epochs=.inf",
                          "warmup_ratio=5",
                          "weight_decay=-3",
                          "adam_beta2=1.5",
                          "adam_beta1=-0.1",
                          "adam_epsilon=0",
                          "per_device_train_batch_size=0",
                          "gradient_accumulation_steps=0",
                          "gradient_accumulation_steps=9223372036854775807",
                          "threads=100000",
                          "lora_rank=0",
                          "lora_alpha=0",
                          "lora_alpha=.inf",
                          "lora_dropout=1",
                          "learning_rate=0",
                          "learning_rate=.nan",
                          "max_new_tokens=0",
                          "temperature=-1",
                          "top_p=0",
                          "top_k=-1",
                          "max_grad_norm=-1",
                          "max_steps=-5",
                          "cutoff_len=-1",
                          "num_candidates=0",
                          "candidate_temperatures=-1",
                          "val_size=1",
                          "val_size=-0.1",
                          "eval=[{name: a, dataset: b, chance: 1}]",
                          "eval=[{name: a, dataset: b, chance: -0.1}]",
                          "distilled_fraction=1.1",
                          "seed=-1",
                          "seed=1.5",
                          "max_samples=1e3x"})
    EXPECT_NE(problem_of({bad}), "") << bad;
}

TEST(Recipe, WhatMeasuringDecidesNeedsHeldBackExamples) {
  for (const char* name : {"eval_steps=5", "early_stopping_patience=2", "load_best_model_at_end=true"}) {
    EXPECT_NE(problem_of({name}).find("set val_size"), std::string::npos) << name;
    EXPECT_NO_THROW(read_recipe("", {name, "val_size=0.1"})) << name;
  }
}

TEST(Recipe, NamesAreCheckedWithASuggestion) {
  for (const char* bad :
       {"lr_scheduler_type=cosin", "finetuning_type=lorra", "save_dtype=fp16x", "device=gpu0", "dtype=f23",
        "template=chatt", "distill_template=chat_distill_usin", "prompt_layout=referense"})
    EXPECT_NE(problem_of({bad}).find("is not known"), std::string::npos) << bad << problem_of({bad});
  EXPECT_NE(problem_of({"lr_scheduler_type=cosin"}).find("did you mean 'cosine'?"), std::string::npos);
  EXPECT_NE(problem_of({"eval=[{name: a, dataset: b, check: numbr}]"}).find("did you mean 'number'?"),
            std::string::npos);
}

TEST(Recipe, ChecksAndTheirArguments) {
  EXPECT_EQ(read_recipe("", {}).acceptance, default_acceptance());
  const Recipe recipe = read_recipe("", {"acceptance=[paper, 'regex:^\\d{1,3}$', \"length_ratio:0.3-4\"]",
                                         "answer_check=regex:: (a|b), or c$",
                                         "eval=[{name: a, dataset: b, check: "
                                         "'regex:\\d+'}]"});
  EXPECT_EQ(recipe.acceptance, (std::vector<std::string>{"paper", "regex:^\\d{1,3}$", "length_ratio:0.3-4"}));
  EXPECT_EQ(recipe.answer_check, "regex:: (a|b), or c$");
  EXPECT_EQ(recipe.eval.at(0).check, "regex:\\d+");
  EXPECT_EQ(read_recipe("", {"acceptance=empty, similarity:0.5"}).acceptance,
            (std::vector<std::string>{"empty", "similarity:0.5"}));
  testing::ScratchDir dir;
  write_file_atomic(dir / "recipe.yaml", resolved_recipe(recipe));
  const Recipe again = read_recipe(dir / "recipe.yaml", {});
  EXPECT_EQ(again.acceptance, recipe.acceptance);
  EXPECT_EQ(again.answer_check, recipe.answer_check);
  EXPECT_EQ(again.eval.at(0).check, recipe.eval.at(0).check);
  const std::string problems =
      problem_of({"acceptance=[empty, similarty:0.5, length_ratio, 'regex:(']", "answer_check=numbr",
                  "eval=[{name: a, dataset: b, check: 'number:5'}]"});
  for (const char* part : {"5 problems", "'acceptance': unknown check 'similarty'", "length_ratio:LOW-HIGH",
                           "not understood", "did you mean 'number'?", "takes no argument"})
    EXPECT_NE(problems.find(part), std::string::npos) << part << "\n" << problems;
  EXPECT_NE(problem_of({"acceptance=[]"}), "");
  EXPECT_NE(problem_of({"acceptance=[[empty]]"}), "");
}

TEST(Recipe, TextsOfTheCommandLineAreTakenAsTheyAre) {
  for (const char* text : {"/x/a #b", "- a", "'quoted'", "a: b", "{x}", "[x]", "&a", "null", "x, y"})
    EXPECT_EQ(read_recipe("", {std::string("output_dir=") + text}).output_dir, text);
  EXPECT_EQ(read_recipe("", {"lora_target=q_proj, v_proj"}).train.lora.target_modules,
            (std::vector<std::string>{"q_proj", "v_proj"}));
  EXPECT_EQ(read_recipe("", {"lora_target=[q_proj, v_proj]"}).train.lora.target_modules,
            (std::vector<std::string>{"q_proj", "v_proj"}));
}

TEST(Recipe, TheHomeFolderIsUnderstood) {
  ::setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(read_recipe("", {"output_dir=~/x"}).output_dir, "/home/someone/x");
  EXPECT_EQ(read_recipe("", {"eval=[{name: a, dataset: ~/d.jsonl}]"}).eval[0].dataset,
            "/home/someone/d.jsonl");
  EXPECT_NE(problem_of({"dataset=~other/x"}), "");
}

TEST(Recipe, KeysMustBeNames) {
  for (const char* text : {"? {a: b}\n: c\n", "? [a, b]\n: 1\n", "columns:\n  ? [a]\n  : b\n",
                           "eval:\n  - ? [x]\n    : 1\n", "chat_template_kwargs:\n  ? [x]\n  : 1\n"}) {
    ScratchDir dir;
    write_file_atomic(dir / "r.yaml", text);
    try {
      read_recipe(dir / "r.yaml", {});
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(e.what()).find("a key must be a name"), std::string::npos) << e.what();
    }
  }
}

TEST(Recipe, TaskNamesAreFoldersNames) {
  for (const std::string name : {"a/b", "..", ".hidden", "", "line\nbreak"})
    EXPECT_NE(problem_of({"eval=[{name: " + Json(name).dump() + ", dataset: d}]"}), "") << name;
  EXPECT_NE(problem_of({"eval=[{name: " + std::string(300, 'x') + ", dataset: d}]"}), "");
}

TEST(Recipe, TheShortFormIsTwoVariants) {
  auto names = [](const std::vector<Variant>& variants) {
    std::string text;
    for (const Variant& variant : variants) text += variant.name + ":" + variant.method + " ";
    return text;
  };
  const Recipe plain = read_recipe("", {}), both = read_recipe("", {"baseline=true"});
  EXPECT_EQ(names(wanted_variants(plain)), "sdft:self_distillation ");
  EXPECT_EQ(names(wanted_variants(both)), "vanilla:sft sdft:self_distillation ");
  EXPECT_EQ(names(known_variants(plain)), names(wanted_variants(both)));
  EXPECT_EQ(baseline_of(plain), "vanilla");
  const Recipe own =
      read_recipe("", {"variants=[{name: a, method: self_distillation}, {name: b, method: sft}]"});
  EXPECT_EQ(names(wanted_variants(own)), "a:self_distillation b:sft ");
  EXPECT_EQ(names(known_variants(own)), names(wanted_variants(own)));
  EXPECT_EQ(baseline_of(own), "b");
  EXPECT_EQ(baseline_of(read_recipe("", {"variants=[{name: a, method: self_distillation}]"})), "");
}

TEST(Recipe, VariantsHaveSettingsOfTheirOwn) {
  const Recipe r =
      read_recipe("", {"lora_rank=16", "lora_target=q_proj",
                       "variants=[{name: a, method: sft}, {name: b, method: self_distillation, "
                       "lora_rank: 64, lora_target: [k_proj, o_proj], dataset: '/x/a #b', "
                       "columns: {prompt: q}, candidate_temperatures: [0.9, 0.5], num_candidates: 2}]"});
  const Recipe a = recipe_of(r, r.variants[0]), b = recipe_of(r, r.variants[1]);
  EXPECT_EQ(a.train.lora.rank, 16);
  EXPECT_EQ(b.train.lora.rank, 64);
  EXPECT_EQ(b.train.lora.target_modules, (std::vector<std::string>{"k_proj", "o_proj"}));
  EXPECT_EQ(b.dataset, "/x/a #b");
  EXPECT_EQ(b.columns.prompt, "q");
  EXPECT_EQ(b.candidate_temperatures, (std::vector<double>{0.9, 0.5}));
  EXPECT_EQ(distill_folder(r, r.variants[0]), "distill");
  const std::string folder = distill_folder(r, r.variants[1]);
  EXPECT_EQ(folder.find("distill,dataset=x_ab,num_candidates=2,candidate_temperatures=0.9+0.5~"), 0u)
      << folder;
  ScratchDir dir;
  write_file_atomic(dir / "r.yaml", resolved_recipe(r));
  EXPECT_EQ(resolved_recipe(read_recipe(dir / "r.yaml", {})), resolved_recipe(r));
}

std::string names_of(const Recipe& recipe) {
  std::string text;
  for (const Variant& variant : wanted_variants(recipe))
    text += variant.name + (variant.after.empty() ? "" : " after " + variant.after) + "\n";
  return text;
}

// What the method does not use is not swept over, nor what a variant sets itself.
TEST(Recipe, ASweepIsManyVariants) {
  const Recipe r = read_recipe(
      "", {"variants=[{name: plain, method: sft, lora_rank: 4}, {name: ours, method: self_distillation}]",
           "sweep={lora_rank: [8, 64]}", "sweep.distilled_fraction=0.5,1", "seed=3"});
  EXPECT_EQ(names_of(r),
            "plain\n"
            "ours,lora_rank=8,distilled_fraction=0.5\n"
            "ours,lora_rank=8,distilled_fraction=1\n"
            "ours,lora_rank=64,distilled_fraction=0.5\n"
            "ours,lora_rank=64,distilled_fraction=1\n");
  for (const Variant& variant : wanted_variants(r)) EXPECT_EQ(distill_folder(r, variant), "distill");
  EXPECT_EQ(recipe_of(r, wanted_variants(r)[3]).train.lora.rank, 64);
  EXPECT_EQ(recipe_of(r, wanted_variants(r)[3]).distilled_fraction, 0.5);
  ScratchDir dir;
  write_file_atomic(dir / "r.yaml", resolved_recipe(r));
  EXPECT_EQ(names_of(read_recipe(dir / "r.yaml", {})), names_of(r));
}

// A variant goes on from the one of its own combination.
TEST(Recipe, ASweepKeepsChainsTogether) {
  const Recipe r = read_recipe("", {"variants=[{name: a, method: self_distillation}, {name: b, method: sft, "
                                    "after: a}, {name: c, method: sft, "
                                    "seed: 7}, {name: d, method: sft, after: c}]",
                                    "sweep.num_candidates=1,2", "sweep.seed=1,2"});
  EXPECT_EQ(names_of(r),
            "a,num_candidates=1,seed=1\na,num_candidates=1,seed=2\n"
            "a,num_candidates=2,seed=1\na,num_candidates=2,seed=2\n"
            "b,num_candidates=1,seed=1 after a,num_candidates=1,seed=1\n"
            "b,num_candidates=1,seed=2 after a,num_candidates=1,seed=2\n"
            "b,num_candidates=2,seed=1 after a,num_candidates=2,seed=1\n"
            "b,num_candidates=2,seed=2 after a,num_candidates=2,seed=2\n"
            "c\nd,seed=1 after c\nd,seed=2 after c\n");
}

TEST(Recipe, AContinualRunIsAChainOfEachVariant) {
  const Recipe r = read_recipe("", {"baseline=true", "sweep.seed=1,2",
                                    "continual=[{name: a, dataset: a.jsonl}, {name: b, dataset: b.jsonl, "
                                    "num_train_epochs: 2}]"});
  EXPECT_EQ(names_of(r),
            "vanilla,seed=1,stage=1-a\nvanilla,seed=1,stage=2-b after vanilla,seed=1,stage=1-a\n"
            "vanilla,seed=2,stage=1-a\nvanilla,seed=2,stage=2-b after vanilla,seed=2,stage=1-a\n"
            "sdft,seed=1,stage=1-a\nsdft,seed=1,stage=2-b after sdft,seed=1,stage=1-a\n"
            "sdft,seed=2,stage=1-a\nsdft,seed=2,stage=2-b after sdft,seed=2,stage=1-a\n");
  EXPECT_EQ(recipe_of(r, wanted_variants(r)[1]).dataset, "b.jsonl");
  EXPECT_EQ(recipe_of(r, wanted_variants(r)[1]).train.num_train_epochs, 2);
  const std::string folder = distill_folder(r, wanted_variants(r)[7]);
  EXPECT_EQ(folder.find("distill,after=sdft+seed=2+stage=1-a,seed=2,dataset=b.jsonl~"), 0u) << folder;
}

// What a folder's name leaves out of the values stands in its sum.
TEST(Recipe, DistillFoldersDoNotCollide) {
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{
           {"answer_check: 'regex:(a)'", "answer_check: 'regex:a'"},
           {"dataset: d/s.json", "dataset: d/s.csv"},
           {"dataset: x/d/s.json", "dataset: y/d/s.json"},
           {"dataset: d/s.json, columns: {prompt: p}", "dataset: d/s.json, columns: {prompt: q}"}}) {
    const Recipe r = read_recipe("", {"variants=[{name: a, method: self_distillation, " + a +
                                      "}, {name: b, method: self_distillation, " + b + "}]"});
    EXPECT_NE(distill_folder(r, r.variants[0]), distill_folder(r, r.variants[1])) << a;
  }
}

std::string numbers(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) text += (i > 1 ? "," : "") + std::to_string(i);
  return text;
}

TEST(Recipe, SettingsThatCannotGoTogether) {
  for (const auto& [bad, message] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"num_candidates=2", "temperature=0"}, "come out the same"},
           {{"num_candidates=1", "candidate_temperatures=0.9,0.5"}, "2 of them for 1 candidates"},
           {{"candidate_choice=likeliest"}, "set num_candidates"},
           {{"own_answer_first=true"}, "needs an answer_check"},
           {{"variants=[{name: a, method: self_distillation, own_answer_first: true}]"},
            "variant 'a': 'own_answer_first'"},
           {{"rewrite_attempts=3"}, "now called 'num_candidates'"},
           {{"sweep={seeds: [1]}"}, "did you mean 'seed'?"},
           {{"sweep={threads: [1, 2]}"}, "the same for the whole run"},
           {{"sweep={seed: 3}"}, "expected a list of values"},
           {{"sweep={seed: [1, 1]}"}, "stands there twice"},
           {{"sweep={lora_rank: [8, many]}"}, "expected a whole number"},
           {{"sweep=[1]"}, "expected a map"},
           {{"sweep={lora_rank: []}"}, "an empty list"},
           {{std::string("sweep.seed=") + numbers(1001)}, "1001 values"},
           {{std::string("sweep.seed=") + numbers(100), std::string("sweep.lora_rank=") + numbers(100)},
            "trainings, expected 1000 at most"},
           {{"variants=[{name: a}]"}, "'method' is missing"},
           {{"sweep.dataset=a/x/t.json,b/x/t.json"}, "two combinations"},
           {{"continual=[{name: a, dataset: a}]"}, "two tasks or more"},
           {{"continual=[{name: a/b, dataset: a}, {name: c, dataset: c}]"}, "names a folder"},
           {{"variants=[{name: a, method: sft, after: b}]"}, "no variant before it"},
           {{"variants=[{name: a, method: sft}, {name: b, method: sft, after: a}]",
             "continual=[{name: a, dataset: a}, {name: b, dataset: b}]"},
            "cannot stand beside"},
           {{"variants=[{name: a, method: sft}, {name: b, method: sft, after: a, finetuning_type: full}]"},
            "both need the same finetuning_type"},
           {{"continual=[{name: a, dataset: a}, {name: b, dataset: b}]",
             "variants=[{name: x, method: sft, dataset: c}]"},
            "'dataset' is given by a task"},
           {{"variants=[{name: a, method: sft, output_dir: x}]"}, "the same for the whole run"},
           {{"variants=[{name: a, method: on_policy, objective: dft}]"}, "on_policy has a loss of its own"},
           {{"variants=[{name: a, method: on_policy, val_size: 0.1}]"}, "'val_size': on_policy"},
           {{"variants=[{name: a, method: on_policy, distillation_mode: sampled_token}]"},
            "set divergence: reverse"},
           {{"divergence=forwards"}, "expected forward, reverse, jensen_shannon or a number"},
           {{"objective=ewk"}, "objective"},
           {{"objective=ewc", "baseline=true"}, "set finetuning_type: full"},
           {{"objective=ewc", "finetuning_type=full", "baseline=true"}, "measures on replay_dataset"},
           {{"replay_source=own_answers"}, "set replay_dataset"},
           {{"replay_source=self_dialogue", "replay_dataset=a"}, "leave replay_dataset out"},
           {{"replay_source=self_dialogue", "template=alpaca"}, "set template: chat"},
           {{"variants=[{name: a, method: on_policy, replay_source: self_dialogue}]"}, "no given answers"},
           {{"variants=[{name: a, method: pruning}]"}, "'after' is missing"},
           {{"variants=[{name: a, method: sft}, {name: b, method: pruning, after: a}, {name: c, method: sft, "
             "after: b}]"},
            "keeps no adapter's form"},
           {{"variants=[{name: a, method: sft}, {name: b, method: interpolation, after: a, change_scale: "
             "3}]"},
            "expected 0 to 2"},
           {{"variants=[{name: a, method: sft}, {name: b, method: interpolation, after: a}]",
             "adapter_name_or_path=x"},
            "merge it first"},
           {{"variants=[{name: a, method: on_policy, num_loss_tokens_to_skip: 40, max_new_tokens: 40}]"},
            "leaves nothing"},
           {{"variants=[{name: a, method: on_policy, distillation_mode: topk_logits, distillation_topk: 1}]"},
            "the same for both"},
           {{"replay_source=self_dialogue", "replay_fraction=0"}, "replays nothing"},
           {{"variants=[{name: a, method: sft}]", "sweep.distillation_topk=5,10"},
            "the method of no variant"},
           {{"preset=sdft_2025"}, "did you mean 'sdft_2026'?"},
           {{"variants=[{name: a, method: on_policy, preset: [x]}]"}, "'preset'"},
           {{"sweep={preset: [sdft_2026, frozen_top20]}"}, "give each a variant of its own"},
           {{"variants=[{name: a, method: sft, seed: 1, seed: 2}]"}, "'seed' stands there twice"},
           {{"continual=[{name: a, dataset: a}, {name: a, dataset: b}]"}, "a second task is named 'a'"},
           {{"variants=[{name: a, method: sft}]", "sweep.num_candidates=1,2"},
            "the method of no variant uses 'num_candidates'"}})
    EXPECT_NE(problem_of(bad).find(message), std::string::npos) << bad[0] << "\n" << problem_of(bad);
}

// What stands beside a preset wins, wherever it stands.
TEST(Recipe, APresetIsSeveralSettings) {
  const Recipe plain = read_recipe("", {"preset=frozen_top20"});
  EXPECT_EQ(plain.distillation.topk, 20);
  EXPECT_EQ(plain.num_loss_tokens_to_skip, 3);
  ScratchDir dir;
  write_file_atomic(dir / "r.yaml",
                    "distillation_topk: 7\npreset: frozen_top20\nvariants:\n"
                    "  - {name: a, method: on_policy, teacher_update_rate: 0.5, preset: sdft_2026}\n");
  const Recipe mixed = read_recipe(dir / "r.yaml", {});
  EXPECT_EQ(mixed.distillation.topk, 7);
  EXPECT_EQ(mixed.distillation.topk_of, "teacher");
  const Recipe own = recipe_of(mixed, find_variant(mixed, "a"));
  EXPECT_EQ(own.distillation.teacher.kind, "ema");
  EXPECT_EQ(own.distillation.teacher.update_rate, 0.5);
  EXPECT_EQ(own.distillation.mode, "full_logits");
  // The resolved recipe says all of it.
  write_file_atomic(dir / "resolved.yaml", resolved_recipe(mixed));
  EXPECT_EQ(resolved_recipe(read_recipe(dir / "resolved.yaml", {})), resolved_recipe(mixed));
}

// A curve towards the seed trains once.
TEST(Recipe, ASweptChangeLeavesTheTrainingAlone) {
  const Recipe recipe =
      read_recipe("", {"variants=[{name: a, method: sft}, {name: b, method: interpolation, after: a}]",
                       "sweep={change_scale: [0.25, 0.75]}"});
  std::vector<std::string> names;
  for (const Variant& variant : known_variants(recipe)) names.push_back(variant.name + " " + variant.after);
  EXPECT_EQ(names, (std::vector<std::string>{"a ", "b,change_scale=0.25 a", "b,change_scale=0.75 a"}));
  const Recipe ranks =
      read_recipe("", {"variants=[{name: a, method: sft}, {name: b, method: interpolation, after: a}]",
                       "sweep={lora_rank: [4, 8]}"});
  EXPECT_EQ(known_variants(ranks)[2].after, "a,lora_rank=4");
  const Recipe seeds =
      read_recipe("", {"variants=[{name: a, method: sft}, {name: b, method: interpolation, after: a}]",
                       "sweep={seed: [1, 2]}"});
  EXPECT_EQ(known_variants(seeds)[2].after, "a,seed=1");
}

TEST(Recipe, VariantsAreChecked) {
  const std::pair<const char*, const char*> bad[] = {
      {"[]", "expected a list"},
      {"{name: a}", "expected a list"},
      {"[a]", "expected a map with name, method"},
      {"[{name: a, method: sftt}]", "did you mean 'sft'?"},
      {"[{name: a, method: else}]", "self_distillation learns the accepted rewrites"},
      {"[{name: a, methd: sft}]", "did you mean 'method'?"},
      {"[{method: sft}]", "'name'"},
      {"[{name: a/b, method: sft}]", "it names a folder"},
      {"[{name: report.json, method: sft}]", "it names a folder"},
      {"[{name: eval, method: sft}]", "has its own meaning"},
      {"[{name: seed, method: sft}]", "has its own meaning"},
      {"[{name: a, method: sft}, {name: a, method: sft}]", "a second variant is named 'a'"}};
  for (const auto& [list, message] : bad)
    EXPECT_NE(problem_of({std::string("variants=") + list}).find(message), std::string::npos)
        << list << problem_of({std::string("variants=") + list});
  EXPECT_NE(problem_of({"baseline=true", "variants=[{name: a, method: sft}]"}).find("short form"),
            std::string::npos);
}

TEST(Recipe, TemplateVariablesKeepTheirTypes) {
  const Recipe r =
      read_recipe("", {"chat_template_kwargs={enable_thinking: false, n: 3, s: '3', list: [a, 1.5]}"});
  EXPECT_EQ(r.chat_template_kwargs.dump(), R"({"enable_thinking":false,"n":3,"s":"3","list":["a",1.5]})");
  ScratchDir dir;
  write_file_atomic(dir / "r.yaml", resolved_recipe(r));
  EXPECT_EQ(read_recipe(dir / "r.yaml", {}).chat_template_kwargs, r.chat_template_kwargs);
  EXPECT_NE(problem_of({"chat_template_kwargs=[1]"}), "");
}

TEST(Recipe, AliasesOfAliasesAreBounded) {
  ScratchDir dir;
  std::string text = "chat_template_kwargs:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "  a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 1; k < 10; ++k) text += ", " + before;
    text += "]\n";
  }
  write_file_atomic(dir / "r.yaml", text);
  EXPECT_THROW(read_recipe(dir / "r.yaml", {}), Error);
}

}  // namespace
}  // namespace sdft
