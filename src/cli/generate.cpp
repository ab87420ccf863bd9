// generate and chat: text out of a model.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <map>
#include <optional>

#include "base/error.h"
#include "base/printable.h"
#include "base/progress.h"
#include "cli/model_flags.h"
#include "cli/terminal_input.h"
#include "infer/generator.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
// What was not given on the command line stays empty and comes from the model folder or the defaults.
struct SamplingFlags {
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<int64_t> top_k, max_new_tokens;
  uint64_t seed = 42;
  int64_t batch_size = 0;
};

struct GenerateFlags {
  ModelFlags model;
  PromptFlags prompt;
  SamplingFlags sampling;
  std::optional<std::string> text;
  std::string data, system;
  bool json = false;
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
      "limit of an answer (default 512, or what generation_config.json says)");
  add("seed", &flags->seed, "of sampling; each request has a random stream of its own");
}

// What generation_config.json may ask for besides, and the value that changes nothing.
const std::map<std::string, double> kNotSupported = {
    {"min_p", 0},         {"typical_p", 1},      {"epsilon_cutoff", 0},
    {"eta_cutoff", 0},    {"num_beams", 1},      {"no_repeat_ngram_size", 0},
    {"penalty_alpha", 0}, {"guidance_scale", 1}, {"encoder_repetition_penalty", 1}};

// Flags, else generation_config.json where it says do_sample, else greedy. Anything but greedy is told on
// stderr.
GenerateOptions generate_options(const SamplingFlags& flags, const LoadedModel& loaded, const fs::path& dir) {
  const fs::path path = dir / "generation_config.json";
  const Json json = fs::exists(path) ? read_json(path) : Json::object();
  const bool sampled = value_or(json, "do_sample", false, path.string());
  GenerateOptions options;
  SamplingOptions& sampling = options.sampling;
  const bool some = flags.top_k || flags.top_p;
  sampling.temperature = sampled ? value_or(json, "temperature", 1.0, path.string()) : some ? 1.0 : 0.0;
  if (sampled) {
    sampling.top_k = value_or<int64_t>(json, "top_k", 50, path.string());
    sampling.top_p = value_or(json, "top_p", 1.0, path.string());
  }
  sampling.repetition_penalty = value_or(json, "repetition_penalty", 1.0, path.string());
  for (const auto& [key, off] : kNotSupported)
    if (value_or(json, key, off, path.string()) != off)
      spdlog::warn("{}: {} is not supported and has no effect", path.string(), key);
  sampling.temperature = flags.temperature.value_or(sampling.temperature);
  sampling.top_k = flags.top_k.value_or(sampling.top_k);
  sampling.top_p = flags.top_p.value_or(sampling.top_p);
  sampling.repetition_penalty = flags.repetition_penalty.value_or(sampling.repetition_penalty);
  if (!sampling.greedy())
    spdlog::info("sampling with temperature {}, top_k {}, top_p {}{}", sampling.temperature, sampling.top_k,
                 sampling.top_p,
                 sampled ? " (" + path.string() + " says do_sample; --temperature 0 is greedy)" : "");
  if (sampling.repetition_penalty != 1)
    spdlog::info("repetition_penalty {} (1: off)", sampling.repetition_penalty);
  const auto limit = value_or<int64_t>(json, "max_new_tokens", 512, path.string());
  options.max_new_tokens = flags.max_new_tokens.value_or(limit);
  options.batch_size = flags.batch_size;
  options.seed = flags.seed;
  options.stop = &interrupted;
  options.stop_ids = loaded.model.config.eos_token_ids;
  const auto eos = loaded.speech.tokenizer.eos_id();
  if (eos && options.stop_ids.empty()) options.stop_ids = {*eos};
  return options;
}

std::vector<int32_t> ids_of(const Speech& speech, const PromptFlags& flags, const Example& example) {
  if (!flags.raw) return prompt_ids(speech.formatter, find_prompt_template(flags.prompt_template), example);
  std::vector<int32_t> ids = speech.tokenizer.encode(example.instruction, {true, true});
  if (ids.empty())
    fail_input("prompt '" + example.id + "'", "is empty, and this tokenizer puts no BOS token before it",
               "give some text");
  return ids;
}

Json answer_line(const Speech& speech, const Completion& completion) {
  return {{"id", completion.id},
          {"answer", speech.tokenizer.decode(completion.ids)},
          {"finish", name_of(completion.finish)},
          {"tokens", completion.ids.size()}};
}

void require_room(const Model& model, size_t tokens, const std::string& hint) {
  const int64_t context = model.config.max_position_embeddings;
  if (static_cast<int64_t>(tokens) >= context)
    fail_input("prompt", fmt::format("has {} tokens, which fill the model's context of {}", tokens, context),
               hint);
}

// Writes the answer to stdout while it comes.
Completion stream_one(const LoadedModel& loaded, const Request& request, const GenerateOptions& options) {
  StreamDecoder decoder(loaded.speech.tokenizer);
  auto write = [](const std::string& text) {
    if (text.empty()) return;
    write_out(text);
    flush_out();
  };
  Completion completion = generate_one(loaded.model, request, options, [&](int32_t id) {
    write(decoder.add(id));
    return true;
  });
  write(decoder.finish() + "\n");
  return completion;
}

void answer_one(const LoadedModel& loaded, const Request& request, const GenerateOptions& options,
                bool json) {
  require_room(loaded.model, request.prompt.size(), "shorten it; nothing is cut silently");
  if (json) return write_line(answer_line(loaded.speech, generate_one(loaded.model, request, options, {})));
  const Completion completion = stream_one(loaded, request, options);
  if (completion.finish == FinishReason::kContext)
    spdlog::warn("the model's context is full; the answer ends there");
}

void answer_all(const LoadedModel& loaded, const std::vector<Request>& requests, GenerateOptions options) {
  Progress progress("generate", requests.size(), "answers", !::isatty(1));
  std::vector<std::string> too_long;
  size_t done = 0;
  progress.update(0);
  generate(loaded.model, requests, options, [&](const Completion& completion) {
    write_line(answer_line(loaded.speech, completion));
    if (completion.finish == FinishReason::kPromptTooLong) too_long.push_back(completion.id);
    progress.update(++done);
  });
  if (!too_long.empty())
    spdlog::warn(
        "{} of {} prompts fill the model's context of {} tokens and got no answer (finish prompt_too_long): "
        "{}",
        too_long.size(), requests.size(), loaded.model.config.max_position_embeddings, list_of(too_long));
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
  const std::vector<Example> examples = prompts_of(flags);
  LoadedModel loaded(flags.model, flags.prompt);
  const GenerateOptions options = generate_options(flags.sampling, loaded, flags.model.model);
  std::vector<Request> requests;
  for (const Example& example : examples)
    requests.push_back({example.id, ids_of(loaded.speech, flags.prompt, example)});
  loaded.tuned(true);
  if (flags.text) return answer_one(loaded, requests[0], options, flags.json);
  answer_all(loaded, requests, options);
}

// One side of a conversation: what the seed or the tuned model has heard and said.
struct Voice {
  const char* name;  // "" where it is the only one
  bool tuned;
  std::vector<Turn> history;
};

struct Chat {
  LoadedModel& loaded;
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
    loaded.tuned(voice.tuned);
    const Request request{"turn " + std::to_string(turn), ids_of(loaded.speech, flags.prompt, example)};
    require_room(loaded.model, request.prompt.size(), "/reset starts a new conversation");
    if (*voice.name && !flags.json) write_out(std::string(voice.name) + ": ");
    const Completion completion =
        flags.json ? generate_one(loaded.model, request, options, {}) : stream_one(loaded, request, options);
    answers.push_back(loaded.speech.tokenizer.decode(completion.ids));
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
  LoadedModel loaded(flags.model, flags.prompt);
  const bool terminal = ::isatty(0) == 1;
  Chat chat{loaded, flags, generate_options(flags.sampling, loaded, flags.model.model), {}, flags.system};
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
      "answers of a model: streamed for one prompt, a JSON line each for a file or lines on stdin",
      "  sdft generate --model MODEL --prompt \"What is 17 + 25?\"\n"
      "  sdft generate --model MODEL --raw --prompt \"Once upon a time\" --temperature 0.8 --top_p 0.9\n"
      "  sdft generate --model MODEL --adapter runs/one/sdft/adapter --data prompts.jsonl > answers.jsonl",
      [flags] { run_generate(*flags); });
  add_model_flag(generate, &flags->model);
  add_loading_flags(generate, &flags->model);
  auto* prompt = generate->add_option("--prompt", flags->text, "one prompt")->type_name("TEXT");
  generate->add_option("--data", flags->data, "dataset file with prompts")
      ->type_name("FILE")
      ->excludes(prompt);
  generate->add_option("--system", flags->system, "system message where the data has none")
      ->type_name("TEXT");
  generate->add_flag("--json", flags->json, "a JSON line for --prompt too");
  add_prompt_flags(generate, &flags->prompt);
  add_sampling_flags(generate, &flags->sampling);
  generate
      ->add_option(spelled("batch_size"), flags->sampling.batch_size, "answers written at once; 0: chosen")
      ->group("Sampling")
      ->type_name("");

  auto chat_flags = std::make_shared<GenerateFlags>();
  CLI::App* chat =
      registry.add("chat", "a conversation; with an adapter, seed and tuned model answer side by side",
                   "  sdft chat --model MODEL\n"
                   "  sdft chat --model MODEL --adapter runs/one/sdft/adapter --system \"Be brief.\"\n"
                   "  printf 'Hello!\\nAnd in French?\\n' | sdft chat --model MODEL",
                   [chat_flags] { run_chat(*chat_flags); });
  add_model_flag(chat, &chat_flags->model);
  add_loading_flags(chat, &chat_flags->model);
  chat->add_option("--system", chat_flags->system, "system message")->type_name("TEXT");
  chat->add_flag("--json", chat_flags->json, "one JSON line a turn");
  add_sampling_flags(chat, &chat_flags->sampling);
}

}  // namespace sdft::cli
