#include "sdft/drafts.h"

#include <map>

#include "base/error.h"
#include "base/file.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
void add_answers(const fs::path& path, std::map<std::string, Answer>* answers) {
  std::error_code none;
  if (!fs::exists(path, none)) return;
  for (Answer& answer : read_answers(path)) answers->insert_or_assign(answer.id, answer);
}

void write_answers(const std::map<std::string, Answer>& answers, const fs::path& path) {
  std::string lines;
  for (const auto& [id, answer] : answers)
    if (answer.finish != kFailed) lines += line_of(answer) + "\n";
  write_file_atomic(path, lines);
}
}  // namespace

Writer writer_of(ModelView model, const Tokenizer& tokenizer) {
  return [model, &tokenizer](const auto& requests, const auto& options, const auto& part,
                             const auto& on_answer) {
    answer_into(model, tokenizer, requests, options, part, on_answer);
  };
}

std::vector<Answer> draft(const Writer& writer, const std::vector<Request>& requests,
                          const GenerateOptions& options, const fs::path& file,
                          const AnswerProgress& on_progress,
                          const std::function<void(const Answer&)>& on_answer) {
  std::map<std::string, Answer> known;
  const fs::path part = file.string() + ".part";
  add_answers(file, &known);
  add_answers(part, &known);  // of a call that was killed; it may have asked something else

  std::vector<Request> open;
  for (const Request& request : requests)
    if (!known.count(request.id)) open.push_back(request);
  size_t done = requests.size() - open.size();
  const auto report = [&](const GenerateProgress& progress) {
    if (on_progress) on_progress(standing_of(done, progress));
  };
  report({});
  GenerateOptions watched = options;
  watched.on_step = report;
  writer(open, watched, part, [&](Answer answer) {
    if (on_answer) on_answer(answer);
    known.insert_or_assign(answer.id, answer);
    ++done;
  });
  write_answers(known, file);
  std::error_code none;
  fs::remove(part, none);
  std::vector<Answer> answers;
  for (const Request& request : requests) answers.push_back(known.at(request.id));
  return answers;
}

}  // namespace sdft
