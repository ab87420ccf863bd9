#include "run/endpoint_stage.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/problems.h"
#include "base/progress.h"
#include "check/check.h"
#include "remote/completion.h"
#include "remote/score.h"
#include "run/context.h"
#include "run/eval_files.h"
#include "run/evaluation.h"
#include "run/fingerprint.h"
#include "run/stages.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
Endpoint endpoint_of(const Recipe& recipe) {
  Endpoint endpoint = endpoint_at(recipe, recipe.endpoint, recipe.endpoint_model);
  if (!recipe.chat_template_kwargs.empty())
    endpoint.fields["chat_template_kwargs"] = recipe.chat_template_kwargs;
  return endpoint;
}

// What a server cannot be asked.
void check_askable(const Recipe& recipe, const TaskSettings& settings, const EvalSet& set) {
  const std::string where = "eval task '" + settings.name + "': ";
  auto check_template = [&](const std::string& name) {
    if (!name.empty() && name != "chat")
      fail_usage(where + "asks with the template '" + name + "', which needs the model's own tokens",
                 "template: chat asks a server as a chat");
  };
  if (!set.from_file()) return check_template(template_of(recipe, settings));
  for (const Task& task : set.tasks) {
    const std::string& name = template_of(settings, task);
    check_template(name);
    if (task.output == OutputType::kDivergence)
      fail_usage(where +
                 "compares a model with the seed token by token, and a server shows no distributions");
    if (task.output == OutputType::kLogLikelihoodRolling)
      fail_usage(where + "scores whole texts, whose first token a server gives no log-probability of");
    if (task.output != OutputType::kGenerateUntil && !name.empty())
      fail_usage(where + "scores choices, of which servers give log-probabilities in plain text only",
                 "leave its template out");
  }
  for (const EvalItem& item : set.items)
    for (const Question& question : item.questions)
      if (set.tasks.front().output != OutputType::kGenerateUntil && plain_text(question.messages).empty())
        fail_input(item.where, "asks with an empty text, which servers cannot score behind");
}

EvalSet open_for_server(const Recipe& recipe, const TaskSettings& settings) {
  EvalSet set;
  if (settings.task.empty()) {
    const ChosenCheck check = parse_check(settings.check, kTaskCheck);
    set.dataset = open_dataset(recipe, settings.dataset, settings.columns, example_limit(recipe, settings),
                               (check.check->needs & kNeedsReference) != 0);
    require_judgeable(check, set.dataset.examples);
  } else {
    set = open_task_file(recipe, settings);
    if (const std::string& check = set.tasks.front().check; !check.empty())
      require_judgeable(parse_check(check, kTaskCheck), set.dataset.examples);
  }
  check_askable(recipe, settings, set);
  return set;
}

// One task at one server.
struct Asking {
  const Recipe& recipe;
  const RunOptions& options;
  const Endpoint& endpoint;
  const TaskSettings& settings;
  const EvalSet& set;
  fs::path dir;

  Progress progress(size_t count) const {
    return {endpoint.model + " " + settings.name,
            count,
            "answers",
            {options.progress, fs::path(recipe.output_dir) / "progress.json"}};
  }
};

std::vector<RemoteMessage> messages_of(const Example& example) {
  std::vector<RemoteMessage> messages;
  for (const Json& message : context_of(example))
    messages.push_back({message.value("role", "user"), text_of_message(message)});
  return messages;
}

std::vector<Answer> ask_dataset(const Asking& ask) {
  std::vector<RemoteRequest> requests;
  for (const Example& example : ask.set.dataset.examples)
    requests.push_back({example.id, messages_of(example), ""});
  RemoteOptions options;
  options.max_tokens = answer_limit(ask.recipe, ask.settings);
  Progress progress = ask.progress(requests.size());
  return answer_all(ask.endpoint, requests, options, ask.dir / "answers.jsonl",
                    [&](size_t done) { progress.update(done); });
}

std::vector<Answer> ask_task(const Asking& ask, size_t place) {
  const Task& task = ask.set.tasks[place];
  const bool chat = !template_of(ask.settings, task).empty();
  std::vector<RemoteRequest> requests;
  for (size_t i = 0; i < ask.set.items.size(); ++i) {
    if (ask.set.task_of[i] != place) continue;
    const Question& question = ask.set.items[i].questions.front();
    for (int64_t repeat = 0; repeat < task.repeats; ++repeat) {
      RemoteRequest request{
          request_id(ask.set.items[i], repeat), {}, chat ? "" : plain_text(question.messages)};
      if (chat)
        for (const Message& message : single_turn(question.messages))
          request.messages.push_back({message.role, message.content});
      requests.push_back(std::move(request));
    }
  }
  RemoteOptions options;
  options.temperature = task.generation.temperature;
  options.top_p = task.generation.top_p;
  options.max_tokens =
      ask.settings.max_new_tokens > 0 ? ask.settings.max_new_tokens : task.generation.max_new_tokens;
  // The texts are cut here as well: servers take four stop strings at most.
  for (const std::string& stop : task.generation.until)
    if (!stop.empty() && options.stop.size() < 4) options.stop.push_back(stop);
  Progress progress = ask.progress(requests.size());
  return answer_all(ask.endpoint, requests, options, ask.dir / ("written-" + task.name + ".jsonl"),
                    [&](size_t done) { progress.update(done); });
}

// Whether a verdict hangs on what greedy decoding would write.
bool needs_greedy(const Task& task) {
  return task.output == OutputType::kLogLikelihood ||
         std::any_of(task.metrics.begin(), task.metrics.end(),
                     [](const Metric& m) { return m.name == "exact_match"; });
}

std::map<std::string, Likelihoods> ask_likelihoods(const Asking& ask) {
  const fs::path path = ask.dir / "likelihoods.jsonl";
  auto all = read_likelihoods(path);
  std::vector<RemoteScoreItem> asked;
  std::vector<size_t> open;  // items, each with all its questions
  for (size_t i = 0; i < ask.set.items.size(); ++i) {
    const EvalItem& item = ask.set.items[i];
    if (all.count(item.id)) continue;
    open.push_back(i);
    for (const Question& question : item.questions)
      asked.push_back({item.id, plain_text(question.messages), question.continuation});
  }
  std::vector<size_t> item_of;  // of each that is asked
  for (const size_t i : open) item_of.insert(item_of.end(), ask.set.items[i].questions.size(), i);
  std::map<size_t, Likelihoods> coming;
  std::map<size_t, size_t> left;
  for (const size_t i : item_of) ++left[i];
  LineWriter file(path);
  Progress progress = ask.progress(open.size());
  score(ask.endpoint, asked, [&](size_t place, const RemoteScore& one) {
    const size_t i = item_of[place], questions = ask.set.items[i].questions.size();
    if (one.error.empty() && !one.greedy && needs_greedy(ask.set.task(i)))
      fail_input(ask.endpoint.url, "gives no candidates beside its log-probabilities; task " +
                                       ask.set.task(i).name + " asks whether an answer is the likeliest");
    Likelihoods& of = coming[i];
    of.log_likelihoods.resize(questions);
    of.greedy.resize(questions);
    if (!one.error.empty()) of.missing = kEndpointFailed;
    const size_t first =
        static_cast<size_t>(std::lower_bound(item_of.begin(), item_of.end(), i) - item_of.begin());
    of.log_likelihoods[place - first] = one.log_prob;
    of.greedy[place - first] = one.greedy.value_or(false);
    if (--left[i] > 0) return;
    file.write(line_of(ask.set.items[i].id, of));  // as soon as all its questions are answered
    all[ask.set.items[i].id] = std::move(of);
    coming.erase(i);
    progress.update(open.size() - static_cast<size_t>(std::count_if(
                                      left.begin(), left.end(), [](const auto& l) { return l.second > 0; })));
  });
  return all;
}

// Asks, judges and keeps; how many prompts have no answer.
size_t evaluate(const Asking& ask) {
  if (!ask.set.from_file()) {
    const std::vector<Answer> answers = ask_dataset(ask);
    keep_checked(ask.dir, ask.settings.check, false, ask.set.dataset.examples, answers);
    return static_cast<size_t>(
        std::count_if(answers.begin(), answers.end(), [](const Answer& a) { return a.finish == kFailed; }));
  }
  size_t failed = 0;
  if (ask.set.tasks.front().output == OutputType::kGenerateUntil) {
    std::map<std::string, Answer> written;
    for (size_t t = 0; t < ask.set.tasks.size(); ++t)
      for (Answer& answer : ask_task(ask, t)) {
        failed += answer.finish == kFailed;
        written.emplace(answer.id, std::move(answer));
      }
    keep_written(ask.dir, ask.set, written, false);
  } else {
    const auto all = ask_likelihoods(ask);
    for (const auto& [id, of] : all) failed += of.missing == kEndpointFailed;
    keep_likelihoods(ask.dir, ask.set, all);
  }
  return failed;
}

Fingerprint fingerprint_of(const Recipe& recipe, const TaskSettings& settings, const EvalSet& set) {
  Fingerprint result = {
      {"sdft", SDFT_VERSION}, {"endpoint", recipe.endpoint}, {"endpoint_model", recipe.endpoint_model}};
  result.emplace_back("chat_template_kwargs", recipe.chat_template_kwargs.dump());
  result.emplace_back("template", set.from_file() ? settings.prompt_template : template_of(recipe, settings));
  result.emplace_back("max_new_tokens", std::to_string(set.from_file() ? settings.max_new_tokens
                                                                       : answer_limit(recipe, settings)));
  if (!set.from_file()) result.emplace_back("check", settings.check);
  result.emplace_back("num_samples", std::to_string(settings.num_samples));
  result.emplace_back("temperature", std::to_string(settings.temperature));
  result.emplace_back("the task's examples", set.from_file()
                                                 ? questions_sha256(set.items) + set.dataset.sha256
                                                 : examples_sha256(set.dataset.examples));
  return result;
}
}  // namespace

std::string api_key() {
  for (const char* name : {"SDFT_API_KEY", "OPENAI_API_KEY"})
    if (const char* value = std::getenv(name); value && *value) return value;
  return "";
}

Endpoint endpoint_at(const Recipe& recipe, const std::string& url, const std::string& model) {
  Endpoint endpoint;
  endpoint.url = url;
  endpoint.model = model;
  endpoint.key = api_key();
  endpoint.concurrency = recipe.endpoint_concurrency;
  check_endpoint(endpoint);
  return endpoint;
}

std::string endpoint_name(const Recipe& recipe) {
  std::string name = recipe.endpoint_model;
  std::replace(name.begin(), name.end(), '/', '_');
  if (name.empty() || name[0] == '.' || name == "seed")
    fail_usage("endpoint_model: '" + recipe.endpoint_model + "' cannot name a model in the results",
               "expected a name other than seed that does not begin with a dot");
  return name;
}

std::string evaluate_endpoint(const Recipe& recipe, const RunOptions& options) {
  if (recipe.eval.empty()) fail_usage("there is nothing to ask", "--tasks NAME, or `eval` in the recipe");
  const Endpoint endpoint = endpoint_of(recipe);
  Problems problems;
  std::vector<EvalSet> sets(recipe.eval.size());
  for (size_t i = 0; i < sets.size(); ++i)
    problems.gather([&] { sets[i] = open_for_server(recipe, recipe.eval[i]); });
  problems.raise();
  const fs::path dir = recipe.output_dir;
  make_directories(dir);
  const FolderLock lock(dir);
  write_file_atomic(dir / "recipe.yaml", resolved_recipe(recipe));
  const std::string name = endpoint_name(recipe);
  for (size_t i = 0; i < sets.size(); ++i) {
    const TaskSettings& settings = recipe.eval[i];
    const fs::path folder = eval_dir(dir, name, settings.name);
    reopen_unanswered(folder);
    if (begin_stage(folder, fingerprint_of(recipe, settings, sets[i]), options.fresh)) continue;
    const size_t failed = evaluate({recipe, options, endpoint, settings, sets[i], folder});
    if (failed > 0) {
      note_unanswered(folder, failed);
      spdlog::warn(
          "{}: {} prompts have no answer of {}; they are in no score, and the same command asks them again",
          settings.name, failed, endpoint.url);
    }
    end_stage(folder);
  }
  return write_results(recipe, dir, evaluated_models(recipe, dir));
}

}  // namespace sdft
