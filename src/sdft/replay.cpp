#include "sdft/replay.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "data/prompt_text.h"
#include "data/thinking.h"
#include "data/turn_end.h"
#include "infer/answers.h"

namespace sdft {
namespace fs = std::filesystem;

const std::vector<std::string>& replay_source_names() {
  static const std::vector<std::string> kNames = {"dataset", "own_answers", "self_dialogue"};
  return kNames;
}

ReplaySource find_replay_source(const std::string& name) {
  return static_cast<ReplaySource>(place_of_choice(replay_source_names(), name, "replay_source"));
}

std::string describe_replay_sources() {
  return "dataset: replay_dataset with its own answers\n"
         "own_answers: its prompts, answered by the seed\n"
         "self_dialogue: conversations that the seed makes up with itself; no replay_dataset";
}

namespace {
// What was said, without a trace; "" where it did not end by itself.
std::string said(const Answer& answer, bool opened = false) {
  if (answer.finish != name_of(FinishReason::kStop)) return "";
  return stripped(std::string(strip_thinking(answer.text, opened)));
}

struct Asking {
  ModelView model;
  const Formatter& formatter;
  const ReplayOptions& options;
  const fs::path& dir;
  const ReplayProgress& on_progress;

  std::vector<Answer> ask(const std::string& part, const std::vector<Request>& requests) const {
    return answer_all(model, *formatter.tokenizer, requests, options.generation, dir / (part + ".jsonl"),
                      [&](const Standing& answers) {
                        if (on_progress) on_progress(part, answers, requests.size());
                      });
  }

  // Each example with its answer; those without one are left out.
  std::vector<Example> answered(const std::string& part, std::vector<Example> examples) const {
    const PromptTemplate& prompt = find_prompt_template(options.training_template);
    const bool opened = prompt.chat && opens_thinking(formatter);
    std::vector<Request> requests;
    for (const Example& example : examples)
      requests.push_back({part + " " + example.id, prompt_ids(formatter, prompt, example)});
    const std::vector<Answer> answers = ask(part, requests);
    std::vector<Example> kept;
    for (size_t i = 0; i < examples.size(); ++i) {
      examples[i].response = said(answers[i], opened);
      if (!examples[i].response.empty()) kept.push_back(std::move(examples[i]));
    }
    return kept;
  }

  // Each conversation with a further question.
  std::vector<Example> questioned(const std::string& part, std::vector<Example> conversations) const {
    std::vector<Request> requests;
    for (const Example& example : conversations)
      requests.push_back({part + " " + example.id, question_ids(formatter, example.history)});
    const std::vector<Answer> questions = ask(part, requests);
    std::vector<Example> kept;
    for (size_t i = 0; i < conversations.size(); ++i) {
      conversations[i].instruction = said(questions[i]);
      if (!conversations[i].instruction.empty()) kept.push_back(std::move(conversations[i]));
    }
    return kept;
  }
};
}  // namespace

std::vector<Example> own_answers(ModelView model, const Formatter& formatter,
                                 const std::vector<Example>& examples, const ReplayOptions& options,
                                 const fs::path& dir, const ReplayProgress& on_progress) {
  std::vector<Example> single;
  for (const Example& example : examples)
    if (example.history.empty() && example.messages.is_null()) single.push_back(example);
  return Asking{model, formatter, options, dir, on_progress}.answered("answers", std::move(single));
}

std::vector<Example> self_dialogues(ModelView model, const Formatter& formatter, size_t count,
                                    const ReplayOptions& options, const fs::path& dir,
                                    const ReplayProgress& on_progress) {
  const Asking asking{model, formatter, options, dir, on_progress};
  std::vector<Example> dialogues(count);
  for (size_t i = 0; i < count; ++i) dialogues[i].id = "dialogue-" + std::to_string(i);
  for (int64_t turn = 1; turn <= options.turns; ++turn) {
    const std::string number = std::to_string(turn);
    if (turn > 1)
      for (Example& one : dialogues) one.history.push_back({one.instruction, one.response});
    dialogues = asking.questioned("questions-" + number, std::move(dialogues));
    if (turn == 1) {
      std::set<std::string> seen;
      dialogues.erase(
          std::remove_if(dialogues.begin(), dialogues.end(),
                         [&](const Example& one) { return !seen.insert(one.instruction).second; }),
          dialogues.end());
    }
    dialogues = asking.answered("answers-" + number, std::move(dialogues));
  }
  return dialogues;
}

}  // namespace sdft
