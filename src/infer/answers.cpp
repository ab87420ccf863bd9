#include "infer/answers.h"

#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace sdft {
namespace fs = std::filesystem;

std::string line_of(const Answer& answer) {
  const Json json = {
      {"id", answer.id}, {"text", answer.text}, {"finish", answer.finish}, {"tokens", answer.tokens}};
  return to_line(json);
}

namespace {
[[noreturn]] void fail_foreign(const fs::path& path, const std::string& what) {
  fail_input(path.string(), what, "the file belongs to another dataset; remove it to start anew");
}

std::vector<Answer> read_whole(const fs::path& path, const std::vector<Request>& requests) {
  std::vector<Answer> answers = read_answers(path);
  if (answers.size() != requests.size())
    fail_foreign(path, "has " + std::to_string(answers.size()) + " answers, expected " +
                           std::to_string(requests.size()));
  for (size_t i = 0; i < answers.size(); ++i)
    if (answers[i].id != requests[i].id)
      fail_foreign(path.string() + ":" + std::to_string(i + 1),
                   "is the answer to '" + answers[i].id + "', expected '" + requests[i].id + "'");
  return answers;
}
}  // namespace

std::vector<Answer> read_answers(const fs::path& path) {
  std::vector<Answer> answers;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    answers.push_back({require<std::string>(json, "id", where), require<std::string>(json, "text", where),
                       require<std::string>(json, "finish", where),
                       value_or<int64_t>(json, "tokens", 0, where)});
  });
  return answers;
}

void answer_into(ModelView model, const Tokenizer& tokenizer, const std::vector<Request>& requests,
                 const GenerateOptions& options, const fs::path& part,
                 const std::function<void(Answer)>& on_answer) {
  LineWriter file(part);
  generate(model, requests, options, [&](const Completion& completion) {
    Answer answer{completion.id, tokenizer.decode(completion.ids), name_of(completion.finish),
                  static_cast<int64_t>(completion.ids.size())};
    file.write(line_of(answer));
    on_answer(std::move(answer));
  });
}

std::vector<Answer> answer_all(ModelView model, const Tokenizer& tokenizer,
                               const std::vector<Request>& requests, const GenerateOptions& options,
                               const fs::path& path, const std::function<void(size_t)>& on_progress) {
  auto report = [&](size_t done) {
    if (on_progress) on_progress(done);
  };
  std::error_code none;
  if (fs::exists(path, none)) {
    report(requests.size());
    return read_whole(path, requests);
  }
  const fs::path part = path.string() + ".part";
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < requests.size(); ++i) places[requests[i].id] = i;
  std::vector<Answer> answers(requests.size());
  std::vector<uint8_t> answered(requests.size(), 0);
  if (fs::exists(part, none))
    for (Answer& answer : read_answers(part)) {
      const auto place = places.find(answer.id);
      if (place == places.end())
        fail_foreign(part, "has an answer to '" + answer.id + "', which was not asked");
      answered[place->second] = 1;
      answers[place->second] = std::move(answer);
    }

  std::vector<Request> open;
  for (size_t i = 0; i < requests.size(); ++i)
    if (!answered[i]) open.push_back(requests[i]);
  size_t done = requests.size() - open.size();
  report(done);
  answer_into(model, tokenizer, open, options, part, [&](Answer answer) {
    const size_t place = places.at(answer.id);
    answers[place] = std::move(answer);
    report(++done);
  });
  std::string lines;
  for (const Answer& answer : answers) lines += line_of(answer) + "\n";
  write_file_atomic(path, lines);
  fs::remove(part, none);
  return answers;
}

}  // namespace sdft
