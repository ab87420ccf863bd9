// generate and chat: text out of a model.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <map>
#include <optional>

#include "base/error.h"
#include "base/printable.h"
#include "base/progress.h"
#include "cli/engine/model_flags.h"
#include "cli/output.h"
#include "cli/terminal_input.h"
#include "data/turn_end.h"
#include "infer/answers.h"
#include "infer/generation_config.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
// What was not given on the command line stays empty and comes from the model folder or the defaults.
struct SamplingFlags {
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<int64_t> top_k, max_new_tokens;
  uint64_t seed = 42;
  int64_t batch_size = 0, prompt_lookup_num_tokens = EngineOptions().prompt_lookup_num_tokens;
};

struct GenerateFlags {
  ModelFlags model;
  PromptFlags prompt;
  SamplingFlags sampling;
  std::optional<std::string> text;
  std::string data, system;
  bool json = false, unordered = false;
};

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

// The model folder, once the flags have been found possible.
std::unique_ptr<ModelBundle> open_model(const GenerateFlags& flags) {
  const auto problems = problems_of(with_flags({}, flags.sampling, false));
  if (!problems.empty()) fail_usage(fmt::format("{}", fmt::join(problems, "; ")));
  auto bundle = open_bundle(flags.model, flags.prompt);
  for (const std::string& warning : bundle->defaults.warnings) spdlog::warn("{}", warning);
  return bundle;
}

// The weights, and how the model answers.
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

Json answer_line(const ModelBundle& bundle, const Completion& completion) {
  return {{"id", completion.id},
          {"answer", bundle.tokenizer.decode(completion.ids)},
          {"finish", name_of(completion.finish)},
          {"tokens", completion.ids.size()}};
}

void require_room(const ModelConfig& config, size_t tokens, const std::string& hint) {
  const int64_t context = config.max_position_embeddings;
  if (static_cast<int64_t>(tokens) >= context)
    fail_input("prompt", fmt::format("has {} tokens, which fill the model's context of {}", tokens, context),
               hint);
}

// Writes the answer to stdout while it comes.
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

// One side of a conversation: what the seed or the tuned model has heard and said.
struct Voice {
  const char* name;  // "" where it is the only one
  bool tuned;
  std::vector<Turn> history;
};

struct Chat {
  const ModelBundle& bundle;
  const GenerateFlags& flags;
  GenerateOptions options;
  std::vector<Voice> voices;
  std::string system;
  uint64_t turn = 0;

  void say(const std::string& query);
  bool command(const std::string& line);
};

// Kept in the history only once every voice has answered.
void Chat::say(const std::string& query) {
  Json line = {{"query", query}};
  std::vector<std::string> answers;
  for (const Voice& voice : voices) {
    Example example;
    example.instruction = query;
    example.system = system;
    example.history = voice.history;
    const ModelView model = voice.tuned ? bundle.with_adapter() : bundle.base();
    const Request request{"turn " + std::to_string(turn), ids_of(bundle, flags.prompt, example)};
    require_room(bundle.config, request.prompt.size(), "/reset starts a new conversation");
    if (*voice.name && !flags.json) write_out(std::string(voice.name) + ": ");
    const Completion completion =
        flags.json ? generate_one(model, request, options, {}) : stream_one(bundle, model, request, options);
    answers.push_back(bundle.tokenizer.decode(completion.ids));
    line[*voice.name ? voice.name : "answer"] = answers.back();
  }
  for (size_t i = 0; i < voices.size(); ++i) voices[i].history.push_back({query, answers[i]});
  ++turn;
  if (flags.json) write_line(line);
}

// Lines that start with a slash. False: the conversation ends.
bool Chat::command(const std::string& line) {
  const size_t space = std::min(line.find(' '), line.size());
  const std::string word = line.substr(0, space), rest = line.substr(std::min(space + 1, line.size()));
  if (word == "/quit" || word == "/exit") return false;
  if (word == "/reset" || word == "/system") {
    for (Voice& voice : voices) voice.history.clear();
    turn = 0;
    if (word == "/system") system = rest;
    std::fprintf(stderr,
                 word == "/reset" ? "a new conversation\n" : "a new conversation with that system message\n");
  } else {
    std::fprintf(stderr, "/reset starts anew, /system TEXT sets the system message, /quit ends\n");
  }
  return true;
}

void run_chat(const GenerateFlags& flags) {
  const auto bundle = open_model(flags);
  const GenerateOptions options = load(flags, *bundle);
  const bool terminal = ::isatty(0) == 1;
  Chat chat{*bundle, flags, options, {}, flags.system};
  if (flags.model.adapter.empty()) {
    chat.voices = {{"", false, {}}};
  } else {
    chat.voices = {{"seed", false, {}}, {"tuned", true, {}}};
  }
  if (terminal)
    std::fprintf(stderr, "/reset starts anew, /system TEXT sets the system message, /quit ends\n");
  TerminalInput input;
  for (std::string line;;) {
    if (terminal) std::fprintf(stderr, "> ");
    if (!input.read_line(&line)) break;
    if (line.empty()) continue;
    if (line[0] == '/') {
      if (!chat.command(line)) break;
      continue;
    }
    try {
      chat.say(line);
    } catch (const Error& e) {
      // On a terminal, Ctrl-C ends the answer, not the conversation.
      if (!terminal || !::isatty(1)) throw;
      const bool stopped = e.code() == ExitCode::kInterrupted;
      forget_interrupt();
      std::fprintf(stderr, "\n%s\n", stopped ? "(stopped; not kept)" : printable(e.what()).c_str());
    }
  }
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

  auto chat_flags = std::make_shared<GenerateFlags>();
  CLI::App* chat =
      registry.add("chat",
                   "  sdft chat --model MODEL\n"
                   "  sdft chat --model MODEL --adapter runs/one/sdft/adapter --system \"Be brief.\"\n"
                   "  printf 'Hello!\\nAnd in French?\\n' | sdft chat --model MODEL",
                   [chat_flags] { run_chat(*chat_flags); });
  add_model_flag(chat, &chat_flags->model.model);
  add_loading_flags(chat, &chat_flags->model);
  chat->add_option("--system", chat_flags->system, "system message")->type_name("TEXT");
  chat->add_flag("--json", chat_flags->json, "one JSON line a turn");
  add_template_flags(chat, &chat_flags->prompt);
  add_sampling_flags(chat, &chat_flags->sampling);
}

}  // namespace sdft::cli
