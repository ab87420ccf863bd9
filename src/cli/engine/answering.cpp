#include "cli/engine/answering.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "base/error.h"
#include "cli/output.h"
#include "infer/generation_config.h"

namespace sdft::cli {

void add_sampling_flags(CLI::App* command, SamplingFlags* flags) {
  const char* group = "Sampling";
  auto add = [&](const std::string& name, auto* to, const std::string& help) {
    command->add_option(spelled(name), *to, help)->group(group)->type_name("");
  };
  add("temperature", &flags->temperature,
      "0: greedy (the default, unless generation_config.json says do_sample)");
  add("top_k", &flags->top_k, "only the k likeliest tokens; 0: all");
  add("top_p", &flags->top_p, "only the likeliest tokens that together have this probability; 1: all");
  add("repetition_penalty", &flags->repetition_penalty,
      "above 1: tokens that are there already become less likely; 1: off (the default, unless "
      "generation_config.json has one)");
  add("max_new_tokens", &flags->max_new_tokens,
      fmt::format("limit of an answer (default {}, or what generation_config.json says)", kMaxNewTokens));
  add("seed", &flags->seed, "of sampling; each request has a random stream of its own");
}

namespace {
// Flags win over what the model folder says, which is greedy unless it says do_sample.
GenerateOptions with_flags(GenerateOptions options, const SamplingFlags& flags, bool do_sample) {
  SamplingOptions& sampling = options.sampling;
  if (!do_sample && (flags.top_k || flags.top_p)) sampling.temperature = 1;
  sampling.temperature = flags.temperature.value_or(sampling.temperature);
  sampling.top_k = flags.top_k.value_or(sampling.top_k);
  sampling.top_p = flags.top_p.value_or(sampling.top_p);
  sampling.repetition_penalty = flags.repetition_penalty.value_or(sampling.repetition_penalty);
  options.max_new_tokens = flags.max_new_tokens.value_or(options.max_new_tokens);
  options.batch_size = flags.batch_size;
  options.prompt_lookup_num_tokens = flags.prompt_lookup_num_tokens;
  options.seed = flags.seed;
  options.stop = &interrupted;
  return options;
}

// Anything but greedy is told on stderr.
void tell(const SamplingOptions& sampling, bool by_config) {
  if (!sampling.greedy())
    spdlog::info("sampling with temperature {}, top_k {}, top_p {}{}", sampling.temperature, sampling.top_k,
                 sampling.top_p,
                 by_config ? " (generation_config.json says do_sample; --temperature 0 is greedy)" : "");
  if (sampling.repetition_penalty != 1)
    spdlog::info("repetition_penalty {} (1: off)", sampling.repetition_penalty);
}
}  // namespace

std::unique_ptr<ModelBundle> open_model(const GenerateFlags& flags) {
  const auto problems = problems_of(with_flags({}, flags.sampling, false));
  if (!problems.empty()) fail_usage(fmt::format("{}", fmt::join(problems, "; ")));
  auto bundle = open_bundle(flags.model, flags.prompt);
  for (const std::string& warning : bundle->defaults.warnings) spdlog::warn("{}", warning);
  return bundle;
}

GenerateOptions load(const GenerateFlags& flags, ModelBundle& bundle) {
  load_weights(bundle, flags.model);
  const bool do_sample = bundle.defaults.do_sample;
  const GenerateOptions options = with_flags(generate_options(bundle), flags.sampling, do_sample);
  tell(options.sampling, do_sample);
  return options;
}

std::vector<int32_t> ids_of(const ModelBundle& bundle, const PromptFlags& flags, const Example& example) {
  if (!flags.raw) return prompt_ids(bundle.formatter, find_prompt_template(flags.prompt_template), example);
  std::vector<int32_t> ids = bundle.tokenizer.encode(example.instruction, {true, true});
  if (ids.empty())
    fail_input("prompt '" + example.id + "'", "is empty, and this tokenizer puts no BOS token before it",
               "give some text");
  return ids;
}

void require_room(const ModelConfig& config, size_t tokens, const std::string& hint) {
  const int64_t context = config.max_position_embeddings;
  if (static_cast<int64_t>(tokens) >= context)
    fail_input("prompt", fmt::format("has {} tokens, which fill the model's context of {}", tokens, context),
               hint);
}

Completion stream_one(const ModelBundle& bundle, ModelView model, const Request& request,
                      const GenerateOptions& options) {
  StreamDecoder decoder(bundle.tokenizer);
  auto write = [](const std::string& text) {
    if (text.empty()) return;
    write_out(text);
    flush_out();
  };
  Completion completion = generate_one(model, request, options, [&](int32_t id) {
    write(decoder.add(id));
    return true;
  });
  write(decoder.finish() + "\n");
  return completion;
}

}  // namespace sdft::cli
