#include "run/eval_set.h"

#include <algorithm>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/file.h"
#include "run/assets.h"
#include "text/jinja/string.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// What is shown of an item, and what checks see of it.
Example example_of(const Task& task, const EvalItem& item) {
  Example example;
  example.id = item.id;
  example.where = item.where;
  const Question& first = item.questions.front();
  example.instruction = first.messages.empty() ? first.continuation : first.messages.back().content;
  if (!item.gold.empty())
    example.response = item.choices.at(static_cast<size_t>(item.gold.front()));
  else if (!item.references.empty())
    example.response = item.references.front();
  if (task.output == OutputType::kLogLikelihoodRolling) example.response.clear();
  example.fields = item.document;
  return example;
}

int32_t prefix_id(const Tokenizer& tokenizer) {
  if (const auto bos = tokenizer.bos_id()) return *bos;
  if (const auto eos = tokenizer.eos_id()) return *eos;
  fail_input("tokenizer", "has neither a BOS nor an EOS token to begin a text with");
}

// The tokens of a text, and of what follows it: read together, so that a token at the seam is the one a text
// would have. Spaces at the end belong to what follows.
struct Pair {
  std::vector<int32_t> context, continuation;
};
Pair encode_pair(const Tokenizer& tokenizer, std::string context, std::string continuation) {
  const size_t kept = jinja::strip(context, 2).size();
  continuation = context.substr(kept) + continuation;
  context.resize(kept);
  constexpr EncodeOptions kText{true, false};
  if (context.empty()) return {{prefix_id(tokenizer)}, tokenizer.encode(continuation, {false, false})};
  Pair pair{tokenizer.encode(context, kText), {}};
  const std::vector<int32_t> whole = tokenizer.encode(context + continuation, kText);
  pair.continuation.assign(
      whole.begin() + static_cast<ptrdiff_t>(std::min(whole.size(), pair.context.size())), whole.end());
  return pair;
}

// Windows of a long text in which each token counts once: the first begins with the prefix, the others with
// the token before them, the last reaches as far back as the context does.
std::vector<ScoreItem> rolling_items(const ModelBundle& bundle, const std::string& text) {
  std::vector<int32_t> ids = {prefix_id(bundle.tokenizer)};
  for (const int32_t id : bundle.tokenizer.encode(text, {false, false})) ids.push_back(id);
  const auto window = static_cast<size_t>(bundle.config.max_position_embeddings);
  std::vector<ScoreItem> items;
  for (size_t begin = 0; begin + 1 < ids.size(); begin += window) {
    const size_t end = std::min(ids.size(), begin + window + 1),
                 first = end == ids.size() && begin > 0 ? end - (window + 1) : begin;
    ScoreItem item;
    item.ids.assign(ids.begin() + static_cast<ptrdiff_t>(first), ids.begin() + static_cast<ptrdiff_t>(end));
    item.supervised.assign(end - first, 0);
    std::fill(item.supervised.begin() + static_cast<ptrdiff_t>(begin + 1 - first), item.supervised.end(), 1);
    items.push_back(std::move(item));
  }
  return items;
}

bool ends_with_space(const Question& question) {
  const std::string& text = question.messages.back().content;
  return jinja::strip(text, 2).size() < text.size();
}

Example turn_of(const Question& question) {
  Example example;
  for (const Message& message : single_turn(question.messages))
    (message.role == "system" ? example.system : example.instruction) = message.content;
  return example;
}
}  // namespace

TaskPlaces task_places(const Recipe& recipe) {
  TaskPlaces places;
  for (const std::string& folder : comma_separated(recipe.include_path))
    if (!folder.empty()) places.folders.push_back(folder);
  places.folders.push_back(assets_dir() / "tasks");
  return places;
}

Recipe with_kinds(Recipe recipe) {
  for (TaskSettings& task : recipe.eval) {
    if (!task.kind.empty()) continue;
    task.kind = "retained";
    try {
      task.kind = find_tasks(task.task, task_places(recipe)).front().kind;
    } catch (const Error&) {
      // Said with all else that is wrong when the task is opened.
    }
  }
  return recipe;
}

EvalSet open_task_file(const Recipe& recipe, const TaskSettings& settings) {
  EvalSet set;
  set.tasks = find_tasks(settings.task, task_places(recipe));
  set.dataset.name = settings.name;
  set.dataset.path = set.tasks.front().file;
  const ItemOptions options{recipe.data_dir, static_cast<int64_t>(example_limit(recipe, settings)),
                            settings.num_fewshot};
  for (Task& task : set.tasks) {
    if (settings.num_samples > 0) task.repeats = settings.num_samples;
    if (settings.temperature > 0) task.generation.temperature = settings.temperature;
  }
  std::string sums;
  for (size_t i = 0; i < set.tasks.size(); ++i) {
    const Task& task = set.tasks[i];
    const Task& other = set.tasks.front();
    const bool alike = task.metrics.empty() == other.metrics.empty() &&
                       (task.metrics.empty() || task.metrics.front().name == other.metrics.front().name);
    if (task.output != other.output || task.check != other.check || task.repeats != other.repeats || !alike)
      fail_usage("eval task '" + settings.name + "': " + task.name + " and " + other.name +
                     " differ in output_type, check, first metric or repeats, and cannot be one row",
                 "list the tasks of this group one by one");
    for (EvalItem& item : task_items(task, options)) {
      set.dataset.examples.push_back(example_of(task, item));
      set.items.push_back(std::move(item));
      set.task_of.push_back(i);
    }
    sums += task.sha256;
  }
  set.dataset.sha256 = sha256(sums);
  return set;
}

const std::string& template_of(const TaskSettings& settings, const Task& task) {
  return settings.prompt_template.empty() ? task.prompt_template : settings.prompt_template;
}

std::vector<int32_t> question_ids(const ModelBundle& bundle, const Question& question,
                                  const std::string& prompt_template) {
  if (prompt_template.empty()) return bundle.tokenizer.encode(plain_text(question.messages), {true, false});
  const PromptTemplate& prompt = find_prompt_template(prompt_template);
  std::vector<int32_t> ids = prompt_ids(bundle.formatter, prompt, turn_of(question));
  if (question.messages.back().role == "assistant")
    for (const int32_t id : bundle.tokenizer.encode(question.messages.back().content, {false, false}))
      ids.push_back(id);
  return ids;
}

std::vector<ScoreItem> likelihood_items(const ModelBundle& bundle, const Task& task, const Question& question,
                                        const std::string& prompt_template, bool truncate) {
  if (task.output == OutputType::kLogLikelihoodRolling) return rolling_items(bundle, question.continuation);
  Pair pair;
  if (prompt_template.empty()) {
    pair = encode_pair(bundle.tokenizer, plain_text(question.messages), question.continuation);
  } else {
    // The chat template ends the prompt; what follows begins a text of its own.
    const bool begun = question.messages.back().role == "assistant";
    const std::string& delimiter = task.target_delimiter;
    // In a chat choices stand without what parts them from the question, unless their answer is begun
    // already.
    const bool delimited = task.output == OutputType::kMultipleChoice &&
                           (!begun || ends_with_space(question)) &&
                           question.continuation.compare(0, delimiter.size(), delimiter) == 0;
    pair = {question_ids(bundle, question, prompt_template),
            bundle.tokenizer.encode(
                delimited ? question.continuation.substr(delimiter.size()) : question.continuation,
                {false, false})};
  }
  if (pair.continuation.empty())
    fail_input("task " + task.name, "has a continuation without a token: '" + question.continuation + "'");
  ScoreItem item = continuation_item(pair.context, pair.continuation);
  const auto longest = static_cast<size_t>(bundle.config.max_position_embeddings) + 1;
  if (item.ids.size() > longest) {
    if (!truncate || pair.continuation.size() >= longest) return {};
    const auto cut = static_cast<ptrdiff_t>(item.ids.size() - longest);
    item.ids.erase(item.ids.begin(), item.ids.begin() + cut);
    item.supervised.erase(item.supervised.begin(), item.supervised.begin() + cut);
  }
  return {item};
}

}  // namespace sdft
