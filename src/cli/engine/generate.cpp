// generate: text out of a model.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <map>

#include "base/error.h"
#include "base/progress.h"
#include "cli/engine/answering.h"
#include "cli/output.h"
#include "cli/terminal_input.h"
#include "infer/answers.h"

namespace sdft::cli {

namespace {
Json answer_line(const ModelBundle& bundle, const Completion& completion) {
  return {{"id", completion.id},
          {"answer", bundle.tokenizer.decode(completion.ids)},
          {"finish", name_of(completion.finish)},
          {"tokens", completion.ids.size()}};
}

void answer_one(const ModelBundle& bundle, const Request& request, const GenerateOptions& options,
                bool json) {
  require_room(bundle.config, request.prompt.size(), "shorten it; nothing is cut silently");
  if (json) return write_line(answer_line(bundle, generate_one(bundle.with_adapter(), request, options, {})));
  const Completion completion = stream_one(bundle, bundle.with_adapter(), request, options);
  if (completion.finish == FinishReason::kContext)
    spdlog::warn("the model's context is full; the answer ends there");
}

// Lines on stdout as answers come; in the order of the requests, each as soon as those before it are there.
class AnswerLines {
 public:
  AnswerLines(const ModelBundle& bundle, bool ordered) : bundle_(bundle), ordered_(ordered) {}

  void add(const Completion& completion) {
    if (!ordered_) return write_line(answer_line(bundle_, completion));
    waiting_.emplace(completion.index, completion);
    for (auto first = waiting_.begin(); first != waiting_.end() && first->first == next_; ++next_)
      first = write(first);
  }
  // What still waits for one before it, which will not come.
  void finish() {
    for (auto first = waiting_.begin(); first != waiting_.end();) first = write(first);
  }

 private:
  using Waiting = std::map<size_t, Completion>;
  Waiting::iterator write(Waiting::iterator at) {
    write_line(answer_line(bundle_, at->second));
    return waiting_.erase(at);
  }

  const ModelBundle& bundle_;
  bool ordered_;
  size_t next_ = 0;
  Waiting waiting_;
};

void answer_all(const ModelBundle& bundle, const std::vector<Request>& requests, GenerateOptions options,
                bool ordered) {
  Progress progress("generate", requests.size(), "answers", {!::isatty(1)});
  AnswerLines lines(bundle, ordered);
  std::vector<std::string> too_long;
  size_t done = 0;
  progress.update(0);
  options.in_order = ordered;
  options.on_step = [&](const GenerateProgress& now) { progress.update(standing_of(done, now)); };
  try {
    generate(bundle.with_adapter(), requests, options, [&](const Completion& completion) {
      lines.add(completion);
      if (completion.finish == FinishReason::kPromptTooLong) too_long.push_back(completion.id);
      ++done;
    });
  } catch (const Error& e) {
    if (e.code() == ExitCode::kInterrupted) lines.finish();
    throw;
  }
  if (!too_long.empty())
    spdlog::warn(
        "{} of {} prompts fill the model's context of {} tokens and got no answer (finish prompt_too_long): "
        "{}",
        too_long.size(), requests.size(), bundle.config.max_position_embeddings, list_of(too_long));
}

std::vector<Example> prompts_of(const GenerateFlags& flags) {
  std::vector<Example> examples;
  auto add = [&](const std::string& text) {
    Example example;
    example.id = std::to_string(examples.size());
    example.instruction = text;
    examples.push_back(example);
  };
  if (!flags.data.empty()) {
    examples = read_examples(flags.data, flags.prompt, false).examples;
  } else if (flags.text) {
    add(*flags.text);
  } else {
    if (::isatty(0)) std::fprintf(stderr, "one prompt a line, Ctrl-D at the end:\n");
    TerminalInput input;
    for (std::string line; input.read_line(&line);) add(line);
    if (examples.empty())
      fail_usage("no prompt", "give --prompt TEXT, --data FILE, or lines on standard input");
  }
  for (Example& example : examples)
    if (example.system.empty()) example.system = flags.system;
  return examples;
}

void run_generate(const GenerateFlags& flags) {
  const auto opened = open_model(flags);
  ModelBundle& bundle = *opened;
  const std::vector<Example> examples = prompts_of(flags);
  const GenerateOptions options = load(flags, bundle);
  std::vector<Request> requests;
  for (const Example& example : examples)
    requests.push_back({example.id, ids_of(bundle, flags.prompt, example)});
  if (flags.text) return answer_one(bundle, requests[0], options, flags.json);
  answer_all(bundle, requests, options, !flags.unordered);
}
}  // namespace

void add_generate(const Registry& registry) {
  auto flags = std::make_shared<GenerateFlags>();
  CLI::App* generate = registry.add(
      "generate",
      "  sdft generate --model MODEL --prompt \"What is 17 + 25?\"\n"
      "  sdft generate --model MODEL --raw --prompt \"Once upon a time\" --temperature 0.8 --top_p 0.9\n"
      "  sdft generate --model MODEL --adapter runs/one/sdft/adapter --data prompts.jsonl > answers.jsonl",
      [flags] { run_generate(*flags); });
  add_model_flag(generate, &flags->model.model);
  add_loading_flags(generate, &flags->model);
  auto* prompt = generate->add_option("--prompt", flags->text, "one prompt")->type_name("TEXT");
  generate->add_option("--data", flags->data, "dataset file with prompts")
      ->type_name("FILE")
      ->excludes(prompt);
  generate->add_option("--system", flags->system, "system message where the data has none")
      ->type_name("TEXT");
  generate->add_flag("--json", flags->json, "a JSON line for --prompt too");
  generate->add_flag("--unordered", flags->unordered,
                     "answers as they are finished; else in the order of the questions");
  add_prompt_flags(generate, &flags->prompt);
  add_sampling_flags(generate, &flags->sampling);
  generate
      ->add_option(
          spelled("prompt_lookup_num_tokens"), flags->sampling.prompt_lookup_num_tokens,
          "tokens guessed from the prompt and checked in one pass, of few answers at once; 0: none. No "
          "answer changes")
      ->group("Sampling")
      ->type_name("");
  generate
      ->add_option(spelled("batch_size"), flags->sampling.batch_size, "answers written at once; 0: chosen")
      ->group("Sampling")
      ->type_name("");
}

}  // namespace sdft::cli
