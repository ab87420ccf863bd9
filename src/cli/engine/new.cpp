// new: five questions, and a recipe of the answers.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <sstream>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/file.h"
#include "base/model_folder.h"
#include "base/printable.h"
#include "check/check.h"
#include "cli/engine/commands.h"
#include "cli/engine/line_editor.h"
#include "cli/output.h"
#include "data/dataset.h"
#include "run/eval_set.h"
#include "task/task.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
void say(const std::string& text) { std::fprintf(stderr, "%s\n", printable(text).c_str()); }

// Asks until the answer is taken; an empty one is `standard`. take() throws an Error that says what is wrong.
void ask(const std::string& question, const std::string& standard,
         const std::function<void(const std::string&)>& take) {
  say("\n" + question);
  for (LineEditor editor(standard.empty() ? "> " : "[" + standard + "] > ");;) {
    std::string answer;
    if (!editor.read_line(&answer)) throw Error(ExitCode::kInterrupted, "nothing was written");
    while (!answer.empty() && answer.back() == ' ') answer.pop_back();
    try {
      return take(answer.empty() ? standard : answer);
    } catch (const Error& e) {
      if (e.code() == ExitCode::kInterrupted) throw;
      say(e.what());
    }
  }
}

void require_model(const std::string& folder) {
  if (folder.empty()) fail_usage("a folder with config.json and weights, or a .gguf file");
  std::error_code none;
  if (fs::path(folder).extension() == ".gguf" && fs::is_regular_file(folder, none)) return;
  require_folder(folder, FolderKind::kModel);
  require_config(folder, FolderKind::kModel);
}

// A file of examples as it was typed: "FILE", with words behind it that say what is in it.
struct DataFile {
  std::string path;
  DatasetOptions options;
  std::string columns, check = "answer";  // columns: as a recipe has them, "" where they are found
};

// "train.jsonl prompt=problem response=solution", and of a test "number", the name of a check.
DataFile data_file(const std::string& answer) {
  DataFile file;
  if (std::error_code none; fs::exists(answer, none)) {  // also with spaces in its name
    file.path = answer;
    return file;
  }
  std::istringstream words(answer);
  words >> file.path;
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      file.check = word;
      continue;
    }
    bool known = false;
    for (auto& [name, column] : column_fields(file.options.columns))
      if (word.substr(0, equals) == name) *column = word.substr(equals + 1), known = true;
    if (!known)
      fail_usage("'" + word.substr(0, equals) + "' is no column", "as in prompt=problem response=solution");
    file.columns +=
        (file.columns.empty() ? "" : ", ") + word.substr(0, equals) + ": " + to_line(word.substr(equals + 1));
  }
  return file;
}

std::string columns_of(const DataFile& file) {
  return file.columns.empty() ? "" : fmt::format(", columns: {{{}}}", file.columns);
}

std::string take_dataset(const std::string& answer) {
  if (answer.empty()) fail_usage("a file: .jsonl, .json, .csv, .parquet, …");
  const DataFile file = data_file(answer);
  say(fmt::format("  {} examples", read_dataset(file.path, file.options).examples.size()));
  return "dataset: " + to_line(file.path) + "\n" +
         (file.columns.empty() ? "" : fmt::format("columns: {{{}}}\n", file.columns));
}

// A row of `eval`.
std::string take_test(const std::string& answer) {
  if (answer.empty()) return "";
  const DataFile file = data_file(answer);
  const ChosenCheck check = parse_check(file.check, kTaskCheck);
  const Dataset dataset = read_dataset(file.path, file.options);
  require_judgeable(check, dataset.examples);
  say(fmt::format("  {} examples", dataset.examples.size()));
  return fmt::format("  - {{name: target, kind: target, dataset: {}, check: {}{}}}\n", to_line(file.path),
                     to_line(file.check), columns_of(file));
}

// Rows of `eval`: task files by name, and datasets.
std::string take_kept(const std::string& answer) {
  std::string rows;
  for (const std::string& one : comma_separated(answer)) {
    if (one.empty()) continue;
    const DataFile file = data_file(one);
    std::error_code none;
    if (fs::is_regular_file(file.path, none) && fs::path(file.path).extension() != ".yaml") {
      require_judgeable(parse_check(file.check, kTaskCheck), read_dataset(file.path, file.options).examples);
      rows += fmt::format("  - {{name: {}, kind: retained, dataset: {}, check: {}{}}}\n",
                          to_line(fs::path(file.path).stem().string()), to_line(file.path),
                          to_line(file.check), columns_of(file));
    } else {
      find_tasks(one, task_places(Recipe()));
      rows += fmt::format("  - {{task: {}, kind: retained}}\n", to_line(one));
    }
  }
  return rows;
}

// "# name: default  # what it means", of those that are changed most often.
std::string worth_knowing() {
  std::string text;
  Recipe recipe;
  for (const char* name : {"num_candidates", "answer_check", "learning_rate", "num_train_epochs", "lora_rank",
                           "per_device_train_batch_size", "cutoff_len", "weights", "seed"})
    for (const Setting& setting : settings(recipe)) {
      if (setting.name != std::string(name)) continue;
      const std::string help = setting.help;
      text += fmt::format("# {}: {}  # {}\n", name, value_text(setting), help.substr(0, help.find('\n')));
    }
  return text;
}

void run_new(const std::string& path) {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1)
    fail_usage(
        "new asks its questions at a terminal",
        "write a recipe by hand: examples/smollm2.yaml is one, the command settings lists what it may say");
  std::error_code none;
  if (fs::exists(path, none)) fail_input(path, "exists", "name another file behind new");
  say("Five questions. Enter takes what stands in brackets, Ctrl-D ends without a recipe.");
  std::string model, dataset, rows, output;
  ask("1. The model: its folder, as on the Hugging Face hub, or a GGUF file", "",
      [&](const std::string& answer) {
        require_model(answer);
        model = answer;
      });
  ask("2. The dataset that it learns: questions with their answers. Columns of other names stand behind it:\n"
      "   train.jsonl prompt=problem response=solution",
      "", [&](const std::string& answer) { dataset = take_dataset(answer); });
  ask("3. How is it tested? A dataset like it, and how answers are judged: test.jsonl number; or nothing.\n" +
          check_list(kTaskCheck),
      "", [&](const std::string& answer) { rows = take_test(answer); });
  ask("4. What must not be forgotten? Datasets as above, or names that eval --list shows, separated by "
      "commas; "
      "or nothing",
      "", [&](const std::string& answer) { rows += take_kept(answer); });
  ask("5. The folder of the results", "runs/" + fs::path(path).stem().string(),
      [&](const std::string& answer) { output = answer; });
  write_file_atomic(
      path, fmt::format(
                "# Paths are relative to where the program is started. Every setting: docs/settings.md.\n"
                "model_name_or_path: {}\n{}output_dir: {}\n\n"
                "# The same answers as they are, for comparison; false: on the rewrites alone.\n"
                "baseline: true\n\n{}\n# Often changed, with their defaults:\n{}",
                to_line(model), dataset, to_line(output),
                rows.empty() ? "# What is measured before and after, as\n# eval:\n#   - {task: gsm8k, kind: "
                               "retained}\n"
                             : "# What is measured before and after.\neval:\n" + rows,
                worth_knowing()));
  read_recipe(path, {});
  say(fmt::format("\n{} is written. What is learned, what it takes, and the run itself:", path));
  for (const char* command : {"preview", "run --dry-run", "run"})
    write_out(fmt::format("sdft {} --recipe {}\n", command, path));
}
}  // namespace

void add_new(const Registry& registry) {
  auto path = std::make_shared<std::string>("recipe.yaml");
  registry.add("new", "  sdft new\n  sdft new mine.yaml", [path] { run_new(*path); })
      ->add_option("recipe", *path, "the file that is written")
      ->type_name("FILE");
}

}  // namespace sdft::cli
