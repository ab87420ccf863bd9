// bench: how fast a model is here.
#include "run/bench.h"

#include "base/error.h"
#include "cli/engine/commands.h"
#include "cli/flags.h"
#include "cli/output.h"

namespace sdft::cli {

namespace {
struct BenchFlags {
  BenchOptions options;
  bool json = false;
};

void bench(const BenchFlags& flags) {
  const BenchResult result = run_bench(flags.options);
  flags.json ? write_line(to_json(result)) : write_out(to_text(result));
}
}  // namespace

void add_bench(const Registry& registry) {
  auto flags = std::make_shared<BenchFlags>();
  BenchOptions& options = flags->options;
  CLI::App* command = registry.add("bench",
                                   "  sdft bench --model MODEL\n"
                                   "  sdft bench --model MODEL --weights int8 --streams 1,4,16 --train\n"
                                   "  sdft bench --shape 1.1b --weights q4 --json\n"
                                   "  sdft bench --shape 7b --weights q4 --train --sequences 1 --length 1024 "
                                   "--gradient_checkpointing",
                                   [flags] { bench(*flags); });
  command
      ->add_option("--model," + spelled("model_name_or_path"), options.model, "model folder, or a GGUF file")
      ->type_name("DIR");
  command
      ->add_option("--shape", options.shape,
                   "in its place, random weights: a known shape, as 1.1b (any other name lists them), or a "
                   "config.json")
      ->type_name("NAME");
  command->add_option("--weights", options.weights, "auto, f32, bf16, int8 or q4, as in generate")
      ->type_name("");
  command->add_option("--threads", options.threads, "CPU threads; 0: all")
      ->type_name("")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--prompt", options.prompt, "tokens of a prompt (default 256)")->type_name("");
  command->add_option("--new", options.new_tokens, "tokens of an answer (default 64)")->type_name("");
  command->add_option("--streams", options.streams, "how many answers are written at once (default 1,16)")
      ->delimiter(',')
      ->type_name("");
  command->add_flag("--train", options.train, "steps of LoRA training too: r 8 on q and v");
  command->add_option("--sequences", options.sequences, "of a step of --train (default 4)")->type_name("");
  command->add_option("--length", options.length, "tokens of such a sequence (default 512)")->type_name("");
  command->add_flag("--gradient_checkpointing", options.gradient_checkpointing,
                    "of --train: layers run again for gradients, less memory");
  command->add_flag("--json", flags->json, "one JSON object");
}

}  // namespace sdft::cli
