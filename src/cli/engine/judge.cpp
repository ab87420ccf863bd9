// judge: whose answers a judge model prefers.
#include "run/judge.h"

#include "base/error.h"
#include "cli/engine/commands.h"
#include "cli/engine/model_flags.h"
#include "cli/output.h"
#include "run/endpoint_stage.h"
#include "run/fingerprint.h"

namespace sdft::cli {

namespace {
struct JudgeFlags {
  JudgingFiles files;
  ModelFlags model;
  PromptFlags prompt;
  Endpoint endpoint;
  std::string template_file, order = "both";
  uint64_t seed = 0;
};

void run_judge(JudgeFlags& flags) {
  PreferenceOptions options;
  if (!flags.template_file.empty()) options.prompt = read_judge_template(flags.template_file);
  options.order = flags.order == "both" ? JudgeOrder::kBoth : JudgeOrder::kRandom;
  options.seed = flags.seed;
  if (!flags.endpoint.url.empty()) {
    flags.endpoint.model = flags.model.model;
    flags.endpoint.key = api_key();
    check_endpoint(flags.endpoint);
    return write_out(judge_outputs(flags.files, options, judge_of(flags.endpoint),
                                   {flags.endpoint.model, flags.endpoint.url + " " + flags.endpoint.model}));
  }
  const auto bundle = open_bundle(flags.model, flags.prompt);
  load_weights(*bundle, flags.model);
  write_out(judge_outputs(
      flags.files, options, judge_of(*bundle, options.prompt, &interrupted),
      {flags.model.model,
       folder_sha256(bundle->dir) + flags.model.load.dtype +
           (rounds(flags.model.load.weights) ? ", weights in " + flags.model.load.weights : "")}));
}
}  // namespace

void add_judge(const Registry& registry) {
  auto flags = std::make_shared<JudgeFlags>();
  CLI::App* judge = registry.add(
      "judge",
      "  sdft judge --outputs tuned.json --baseline seed.json --model JUDGE_FOLDER --output_dir verdicts\n"
      "  sdft judge --outputs tuned.json --baseline seed.json --endpoint https://api.openai.com --model NAME "
      "--output_dir verdicts",
      [flags] { run_judge(*flags); });
  judge
      ->add_option("--outputs", flags->files.outputs,
                   "model_outputs.json: [{\"instruction\", \"output\", \"generator\"}]")
      ->required()
      ->type_name("FILE");
  judge->add_option("--baseline", flags->files.baseline, "the same of the model that it is compared with")
      ->required()
      ->type_name("FILE");
  judge
      ->add_option("--output_dir,--output-dir", flags->files.output_dir,
                   "annotations.json, leaderboard.csv, and the judge's replies")
      ->required()
      ->type_name("DIR");
  judge
      ->add_option("--length_reference,--length-reference", flags->files.length_reference,
                   "df_gamed.csv of AlpacaEval's data set, for its leaderboard's length control")
      ->type_name("FILE");
  judge->add_option("--judge_template,--judge-template", flags->template_file, "a prompt file of alpaca_eval")
      ->type_name("FILE");
  judge
      ->add_option("--order", flags->order,
                   "both: each pair is asked twice, the second time with places changed; random: once")
      ->check(CLI::IsMember({"both", "random"}));
  judge->add_option("--seed", flags->seed, "of --order random");
  judge
      ->add_option("--endpoint", flags->endpoint.url,
                   "a server with OpenAI's interface; --model is then the judge's name there, and the key is "
                   "read from SDFT_API_KEY or OPENAI_API_KEY")
      ->type_name("URL");
  judge->add_option("--concurrency", flags->endpoint.concurrency, "requests under way at once")
      ->check(CLI::Range(1, 1000));
  add_model_flag(judge, &flags->model.model);
  add_loading_flags(judge, &flags->model);
}

}  // namespace sdft::cli
