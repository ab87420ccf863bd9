// score: how likely given answers are under a model, and logits of given ids.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/progress.h"
#include "cli/engine/model_flags.h"
#include "cli/output.h"
#include "infer/scorer.h"
#include "model/gguf_folder.h"
#include "model/safetensors.h"

namespace sdft::cli {

namespace {
struct ScoreFlags {
  ModelFlags model;
  PromptFlags prompt;
  std::string data, input_ids, dump_logits;
  bool tokens = false;
};

ScoreItem item_of(const ModelBundle& bundle, const PromptFlags& flags, const Example& example) {
  if (flags.raw) {
    const auto context = bundle.tokenizer.encode(example.instruction, {true, true});
    if (context.empty())
      fail_input("example '" + example.id + "'",
                 "has no token before its response: the prompt is empty and this tokenizer adds no BOS");
    return continuation_item(context, bundle.tokenizer.encode(example.response));
  }
  const Sample sample =
      training_sample(bundle.formatter, find_prompt_template(flags.prompt_template), example, 0);
  return {sample.ids, sample.supervised};
}

// Without a score, the values are null and "finish" says why.
Json score_line(const std::string& id, const std::optional<Score>& score, bool tokens) {
  if (!score)
    return {{"id", id}, {"log_prob", Json()}, {"tokens", 0}, {"mean", Json()}, {"finish", "prompt_too_long"}};
  Json line = {{"id", id}, {"log_prob", score->log_prob}, {"tokens", score->count}};
  line["mean"] = score->count > 0 ? Json(score->log_prob / static_cast<double>(score->count)) : Json();
  if (tokens) line["token_log_probs"] = score->token_log_probs;
  return line;
}

// Lines come in the order of the file, a group at a time.
constexpr size_t kGroup = 256;

// Scores of examples begin to end; none where the example is longer than the context.
std::vector<std::optional<Score>> score_group(const ModelBundle& bundle, const std::vector<ScoreItem>& items,
                                              const ScoreOptions& options) {
  const size_t context = static_cast<size_t>(bundle.config.max_position_embeddings);
  std::vector<ScoreItem> fitting;
  for (const ScoreItem& item : items)
    if (item.ids.size() <= context) fitting.push_back(item);
  const std::vector<Score> scores = score(bundle.with_adapter(), fitting, options);
  std::vector<std::optional<Score>> all(items.size());
  for (size_t i = 0, next = 0; i < items.size(); ++i)
    if (items[i].ids.size() <= context) all[i] = scores[next++];
  return all;
}

void score_examples(const ScoreFlags& flags) {
  const std::vector<Example> examples = read_examples(flags.data, flags.prompt, true).examples;
  const auto opened = open_bundle(flags.model, flags.prompt);
  ModelBundle& bundle = *opened;
  load_weights(bundle, flags.model);
  Progress progress("score", examples.size(), "examples", {!::isatty(1)});
  progress.update(0);
  ScoreOptions options;
  options.stop = &interrupted;
  options.per_token = flags.tokens;
  std::vector<std::string> too_long;
  for (size_t begin = 0; begin < examples.size(); begin += kGroup) {
    std::vector<ScoreItem> items;
    for (size_t i = begin; i < std::min(begin + kGroup, examples.size()); ++i)
      items.push_back(item_of(bundle, flags.prompt, examples[i]));
    const auto scores = score_group(bundle, items, options);
    for (size_t i = 0; i < scores.size(); ++i) {
      const std::string& id = examples[begin + i].id;
      write_line(score_line(id, scores[i], flags.tokens));
      if (!scores[i]) too_long.push_back(id);
    }
    progress.update(begin + items.size());
  }
  if (!too_long.empty())
    spdlog::warn("{} of {} examples are longer than the model's context of {} tokens and have no score: {}",
                 too_long.size(), examples.size(), bundle.config.max_position_embeddings, list_of(too_long));
}

// The tensor as [B, T] of whole numbers, and its ids or mask values within [0, end).
Tensor read_rows(const SafetensorsFile& file, const std::string& where, const std::string& name,
                 int64_t end) {
  const Tensor found = file.get(name);
  if (found.dim() != 2 || !at::isIntegralType(found.scalar_type(), true))
    fail_input(where, "tensor '" + name + "' must be whole numbers [B, T]");
  Tensor rows = found.to(at::kLong);
  if (rows.numel() > 0 && (rows.min().item<int64_t>() < 0 || rows.max().item<int64_t>() >= end))
    fail_input(where, "tensor '" + name + "' has values outside 0 to " + std::to_string(end - 1));
  return rows;
}

// Rows are run one after another, each without its masked tokens: positions count what is there.
void dump_logits(const ScoreFlags& flags) {
  const SafetensorsFile file(flags.input_ids);
  set_num_threads(flags.model.threads);
  LoadOptions read = flags.model.load;
  read.as_stored = true;
  Model model = load_model(model_folder(flags.model.model), read);
  Adapter adapter;
  if (!flags.model.adapter.empty()) adapter = load_adapter(model, flags.model.adapter);
  const ModelView tuned(model, &adapter);
  const Tensor ids = read_rows(file, flags.input_ids, "input_ids", model.config.vocab_size);
  const bool masked = file.has("attention_mask");
  const Tensor mask = masked ? read_rows(file, flags.input_ids, "attention_mask", 2) : at::ones_like(ids);
  if (mask.sizes() != ids.sizes())
    fail_input(flags.input_ids, "input_ids and attention_mask differ in shape");
  at::NoGradGuard no_grad;
  Tensor out = at::zeros({ids.size(0), ids.size(1), model.config.vocab_size}, at::kFloat);
  for (int64_t row = 0; row < ids.size(0); ++row) {
    if (interrupted) throw Error(ExitCode::kInterrupted, "interrupted while scoring");
    const Tensor places = mask[row].nonzero().squeeze(1);
    const Tensor kept = ids[row].index_select(0, places).to(at::kInt).contiguous();
    if (kept.numel() == 0) continue;
    if (kept.numel() > model.config.max_position_embeddings)
      fail_input(flags.input_ids, "row " + std::to_string(row) + " has " + std::to_string(kept.numel()) +
                                      " tokens, the model's context is " +
                                      std::to_string(model.config.max_position_embeddings));
    const int32_t* first = kept.data_ptr<int32_t>();
    const PackedTokens packed = pack({std::vector<int32_t>(first, first + kept.numel())}, model.device);
    out[row].index_copy_(0, places, logits(tuned, forward(tuned, packed)).to(at::kCPU, at::kFloat));
  }
  write_safetensors(flags.dump_logits, {{"logits", out}});
  std::fprintf(stderr, "sdft: wrote logits [%lld, %lld, %lld] to %s\n", static_cast<long long>(out.size(0)),
               static_cast<long long>(out.size(1)), static_cast<long long>(out.size(2)),
               flags.dump_logits.c_str());
}

void run_score(const ScoreFlags& flags) {
  if (flags.input_ids.empty() == flags.data.empty())
    fail_usage("score needs either --data FILE, or --input-ids FILE with --dump-logits FILE");
  flags.data.empty() ? dump_logits(flags) : score_examples(flags);
}
}  // namespace

void add_score(const Registry& registry) {
  auto flags = std::make_shared<ScoreFlags>();
  CLI::App* score =
      registry.add("score",
                   "  sdft score --model MODEL --data train.jsonl\n"
                   "  sdft score --model MODEL --adapter runs/one/sdft/adapter --data train.jsonl --tokens\n"
                   "  sdft score --model MODEL --input-ids ids.safetensors --dump-logits logits.safetensors",
                   [flags] { run_score(*flags); });
  add_model_flag(score, &flags->model.model);
  add_loading_flags(score, &flags->model);
  score
      ->add_option("--data", flags->data, "dataset file; counted are the response's tokens and its end token")
      ->type_name("FILE");
  score->add_flag("--tokens", flags->tokens, "the log-likelihood of each token too");
  auto* ids = score
                  ->add_option("--input-ids,--input_ids", flags->input_ids,
                               "safetensors with input_ids [B,T] and, if wanted, attention_mask [B,T]")
                  ->type_name("FILE");
  auto* dump = score
                   ->add_option("--dump-logits,--dump_logits", flags->dump_logits,
                                "safetensors to write: logits [B,T,V] f32, zero where masked")
                   ->type_name("FILE");
  ids->needs(dump);
  dump->needs(ids);
  add_prompt_flags(score, &flags->prompt);
}

}  // namespace sdft::cli
