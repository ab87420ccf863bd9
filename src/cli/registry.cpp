#include "cli/registry.h"

#include <algorithm>

namespace sdft::cli {

const std::vector<Command>& commands() {
  constexpr Program front = Program::kFront, engine = Program::kEngine;
  static const std::vector<Command> kCommands = {
      {"demo", "the whole pipeline on the shipped mini model, offline", engine},
      {"new", "asks five questions and writes a recipe", engine},
      {"run", "distill, train, evaluate and report from one recipe", engine},
      {"sweep", "a run over every combination of values, with a table and figures", engine},
      {"distill", "the seed model rewrites the dataset's answers", engine},
      {"train", "LoRA or full fine-tuning on the rewrites, or on the dataset's own answers", engine},
      {"eval", "evaluation tasks: the seed model, and what was trained in output_dir", engine},
      {"report", "writes the report of a run directory again", engine},
      {"generate",
       "answers of a model: streamed for one prompt, a JSON line each for a file or lines on stdin", engine},
      {"chat", "a conversation; with an adapter, seed and tuned model answer side by side", engine},
      {"serve", "OpenAI's HTTP interface over a model and its adapters, answered in the same batches",
       engine},
      {"score", "log-likelihood of given answers, one JSON line an example; or logits of given ids", engine},
      {"judge", "whose answers a judge model prefers: AlpacaEval's win rate, also length-controlled", engine},
      {"bench", "how fast a model is here, and what share of the machine's limits that is", engine},
      {"tokenize", "token ids of the lines on stdin, a JSON array each", front},
      {"render", "the chat template's text of some messages, exactly, without a line break added", front},
      {"preview", "what training will see: text, special tokens, what is learned, lengths", engine},
      {"merge", "puts an adapter into the weights: a model folder of its own", engine},
      {"inspect", "what is in a model folder, an adapter, a run directory, a dataset, a weights file", front},
      {"convert", "a dataset, also a distilled one, as other trainers read it: a JSON line an example",
       front},
      {"import", "a GGUF file as a Hugging Face model folder", engine},
      {"export",
       "a model or an adapter as a GGUF file for llama.cpp and Ollama; --verify: whether llama.cpp does the "
       "same",
       engine},
      {"settings", "every setting of a recipe: its default, what it may be, what it means", engine},
      {"completions", "a shell's completions of commands, flags, settings and their values", engine},
      {"man", "the manual page", engine},
  };
  return kCommands;
}

const Command* find_command(int argc, char** argv) {
  // No flag in front of the command takes a value.
  char** word = std::find_if(argv + std::min(argc, 1), argv + argc,
                             [](const char* arg) { return arg[0] != '-' || arg[1] == '\0'; });
  const auto& list = commands();
  const auto found = std::find_if(list.begin(), list.end(), [&](const Command& command) {
    return word != argv + argc && command.name == std::string_view(*word);
  });
  return found == list.end() ? nullptr : &*found;
}

CLI::App* Registry::add(const std::string& name, const std::string& examples, const Action& action) const {
  CLI::App* command = app.get_subcommand(name);
  command->footer("Examples:\n" + examples);
  Action* slot = chosen;
  command->callback([slot, action] { *slot = action; });
  return command;
}

}  // namespace sdft::cli
