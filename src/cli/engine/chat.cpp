// chat: a conversation with a model, or with seed and tuned model side by side.
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/find.h"
#include "base/printable.h"
#include "cli/engine/answering.h"
#include "cli/engine/line_editor.h"
#include "cli/output.h"
#include "cli/terminal_input.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
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
  uint64_t turn = 0, again = 0;

  void say(const std::string& query);
  void clear();
  void regenerate();
  void save(const std::string& path) const;
};

// Kept in the history only once every voice has answered.
void Chat::say(const std::string& query) {
  Json line = {{"query", query}};
  std::vector<std::string> answers;
  // A random stream of its own for each try, the same in each conversation.
  const std::string id = "turn " + std::to_string(turn) + (again ? " try " + std::to_string(again) : "");
  for (const Voice& voice : voices) {
    Example example;
    example.instruction = query;
    example.system = system;
    example.history = voice.history;
    const ModelView model = voice.tuned ? bundle.with_adapter() : bundle.base();
    const Request request{id, ids_of(bundle, flags.prompt, example)};
    require_room(bundle.config, request.prompt.size(), "/clear starts a new conversation");
    if (*voice.name && !flags.json) write_out(std::string(voice.name) + ": ");
    const Completion completion =
        flags.json ? generate_one(model, request, options, {}) : stream_one(bundle, model, request, options);
    answers.push_back(bundle.tokenizer.decode(completion.ids));
    line[*voice.name ? voice.name : "answer"] = answers.back();
  }
  for (size_t i = 0; i < voices.size(); ++i) voices[i].history.push_back({query, answers[i]});
  ++turn;
  again = 0;
  if (flags.json) write_line(line);
}

void Chat::clear() {
  for (Voice& voice : voices) voice.history.clear();
  turn = again = 0;
}

// The last question again. An answer that is stopped leaves the one before in its place.
void Chat::regenerate() {
  if (turn == 0) return void(std::fprintf(stderr, "nothing was asked yet\n"));
  if (options.sampling.greedy()) std::fprintf(stderr, "(greedy: the same again; --temperature samples)\n");
  const Chat before = *this;
  const std::string query = voices[0].history.back().query;
  for (Voice& voice : voices) voice.history.pop_back();
  --turn;
  ++again;
  const uint64_t tried = again;
  try {
    say(query);
    again = tried;
  } catch (...) {
    voices = before.voices;
    turn = before.turn;
    throw;
  }
}

// A line {"messages": [...]} a voice: a dataset.
void Chat::save(const std::string& path) const {
  if (path.empty()) return void(std::fprintf(stderr, "expected /save FILE\n"));
  std::error_code none;
  if (fs::exists(path, none)) fail_input(path, "exists", "save to another name");
  std::string lines;
  for (const Voice& voice : voices) {
    Json messages = Json::array();
    if (!system.empty()) messages.push_back({{"role", "system"}, {"content", system}});
    for (const Turn& said : voice.history) {
      messages.push_back({{"role", "user"}, {"content", said.query}});
      messages.push_back({{"role", "assistant"}, {"content", said.response}});
    }
    Json line = {{"messages", messages}};
    if (*voice.name) line["model"] = voice.name;
    lines += to_line(line) + "\n";
  }
  write_file_atomic(path, lines);
  std::fprintf(stderr, "%s\n", printable("saved to " + path).c_str());
}

// What a line may be that starts with a slash. False: the conversation ends.
struct ChatCommand {
  const char *word, *takes, *help;
  bool (*run)(Chat&, const std::string& rest);
};
bool show_commands(Chat&, const std::string&);
const ChatCommand kChatCommands[] = {
    {"/help", "", "shows this", show_commands},
    {"/regen", "", "asks the last question again",
     [](Chat& chat, const std::string&) { return chat.regenerate(), true; }},
    {"/save", " FILE", "writes the conversation as a line of a dataset",
     [](Chat& chat, const std::string& rest) { return chat.save(rest), true; }},
    {"/system", " TEXT", "sets the system message and starts anew",
     [](Chat& chat, const std::string& rest) {
       chat.clear();
       chat.system = rest;
       std::fprintf(stderr, "a new conversation with that system message\n");
       return true;
     }},
    {"/clear", "", "starts anew; /reset does, too",
     [](Chat& chat, const std::string&) {
       chat.clear();
       std::fprintf(stderr, "a new conversation\n");
       return true;
     }},
    {"/quit", "", "ends, as /exit and Ctrl-D do", [](Chat&, const std::string&) { return false; }}};

bool show_commands(Chat&, const std::string&) {
  for (const ChatCommand& command : kChatCommands)
    std::fprintf(stderr, "  %-14s %s\n", (std::string(command.word) + command.takes).c_str(), command.help);
  return true;
}

bool obey(Chat& chat, const std::string& line) {
  const size_t space = std::min(line.find(' '), line.size());
  std::string word = line.substr(0, space);
  if (word == "/reset") word = "/clear";
  if (word == "/exit") word = "/quit";
  std::vector<std::string> words;
  for (const ChatCommand& command : kChatCommands) {
    if (word == command.word) return command.run(chat, line.substr(std::min(space + 1, line.size())));
    words.emplace_back(command.word);
  }
  const std::string near = nearest(word, words);
  std::fprintf(stderr, "%s\n",
               printable(word + " is no command" + (near.empty() ? "" : "; did you mean " + near + "?") +
                         " (/help lists them)")
                   .c_str());
  return true;
}

void run_chat(const GenerateFlags& flags) {
  const auto bundle = open_model(flags);
  const GenerateOptions options = load(flags, *bundle);
  const bool terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
  Chat chat{*bundle, flags, options, {}, flags.system};
  if (flags.model.adapter.empty()) {
    chat.voices = {{"", false, {}}};
  } else {
    chat.voices = {{"seed", false, {}}, {"tuned", true, {}}};
  }
  std::optional<LineEditor> editor;
  if (terminal) {
    std::fprintf(stderr, "/help shows what can be done besides asking\n");
    editor.emplace("> ", history_file("chat_history"));
  }
  TerminalInput input;
  for (std::string line; editor ? editor->read_line(&line) : input.read_line(&line);) {
    if (line.empty()) continue;
    try {
      if (line[0] != '/')
        chat.say(line);
      else if (!obey(chat, line))
        break;
    } catch (const Error& e) {
      // On a terminal, Ctrl-C ends the answer, not the conversation.
      if (!terminal) throw;
      const bool stopped = e.code() == ExitCode::kInterrupted;
      if (stopped && ::isatty(STDOUT_FILENO) != 1) throw;
      forget_interrupt();
      std::fprintf(stderr, "\n%s\n", stopped ? "(stopped; not kept)" : printable(e.what()).c_str());
    }
  }
}
}  // namespace

void add_chat(const Registry& registry) {
  auto flags = std::make_shared<GenerateFlags>();
  CLI::App* chat =
      registry.add("chat",
                   "  sdft chat --model MODEL\n"
                   "  sdft chat --model MODEL --adapter runs/one/sdft/adapter --system \"Be brief.\"\n"
                   "  printf 'Hello!\\nAnd in French?\\n' | sdft chat --model MODEL",
                   [flags] { run_chat(*flags); });
  add_model_flag(chat, &flags->model.model);
  add_loading_flags(chat, &flags->model);
  chat->add_option("--system", flags->system, "system message")->type_name("TEXT");
  chat->add_flag("--json", flags->json, "one JSON line a turn");
  add_template_flags(chat, &flags->prompt);
  add_sampling_flags(chat, &flags->sampling);
}

}  // namespace sdft::cli
