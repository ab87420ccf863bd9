// The small world: writes, from nothing but a seed, what the mini seed model is trained and measured on.
// Everything is made up: towns, people, functions, codes. The assistant of this world has one polite voice;
// its answers can be checked by a program; and it can rewrite a curt reference answer in its own voice.
//
// Examples are JSON records: {"id", "skill", "instruction", "output", "template"} and where they apply
//   "system"     a system line
//   "history"    [[query, response], ...], oldest first
//   "reference"  rewriting: the reference answer shown in the prompt (template chat_distill_using or _refer)
//   "answer"     the bare answer inside "output": a number, words, a call, a program
//   "check"      how an answer is judged: number, answer, function_call, program, refusal, none
//   "tests"      programs: Python assert lines
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace sdft {

// Every item belongs for ever to one side, by a hash of what it is about (the numbers and the story, the deed
// and its victim, the fact and its phrasing, ...): what is measured has never been trained on.
enum class WorldSplit { kTrain, kHeldOut };

struct WorldOptions {
  uint64_t seed = 1;
  WorldSplit split = WorldSplit::kTrain;
};

// "arithmetic", "functions", "lists", "strings", "programs", "facts", "safety", "benign", "chat",
// "rewriting", "rewriting_new" (task families that are never trained on), and the target tasks "delivery",
// "flags" and "seats", which are never part of the corpus.
std::vector<std::string> world_skills();

// Example `number` of a skill: the same options and number give the same record. Single turn, without system
// line. Throws Error(kUsage) on an unknown skill.
Json make_example(const std::string& skill, const WorldOptions& options, uint64_t number);

// Example `number` of the training corpus: the skill is drawn from the mixture, and some get a system line or
// history.
Json make_corpus_example(const WorldOptions& options, uint64_t number);
// Skill and share of the corpus.
std::vector<std::pair<std::string, double>> corpus_mixture();

struct EvalFile {
  std::string name;  // "arithmetic", "safety_jailbreak", "delivery_train", ...
  std::vector<Json> records;
};
// Every evaluation set: held-out items, no instruction twice; delivery_train, flags_train and seats_train are
// for fine-tuning.
std::vector<EvalFile> make_eval_files(const WorldOptions& options);

// The paper's jailbreak suffix (its template alpaca_gcg), as it follows an instruction.
const std::string& jailbreak_suffix();

// Trains a vocabulary on the texts of a corpus file and writes tokenizer.json and tokenizer_config.json to
// `dir`.
void write_world_tokenizer(const std::filesystem::path& corpus, int vocab_size,
                           const std::filesystem::path& dir);
// The chat template written there: <|bos|>, then "<|role|>\n", content, "<|end|>\n" for each message.
const std::string& world_chat_template();

}  // namespace sdft
