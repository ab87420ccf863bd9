#include "data/answer_file.h"

#include <stdexcept>

#include "base/error.h"
#include "base/json.h"

namespace sdft {
namespace fs = std::filesystem;

std::string line_of(const Answer& answer) {
  Json json = {
      {"id", answer.id}, {"text", answer.text}, {"finish", answer.finish}, {"tokens", answer.tokens}};
  if (!answer.error.empty()) json["error"] = answer.error;
  return to_line(json);
}

std::vector<Answer> read_answers(const fs::path& path) {
  std::vector<Answer> answers;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    answers.push_back({require<std::string>(json, "id", where), require<std::string>(json, "text", where),
                       require<std::string>(json, "finish", where),
                       value_or<int64_t>(json, "tokens", 0, where),
                       value_or<std::string>(json, "error", "", where)});
  });
  return answers;
}

namespace {
[[noreturn]] void fail_foreign(const fs::path& path, const std::string& what) {
  fail_input(path.string(), what, "the file belongs to another dataset; remove it to start anew");
}

// A finished file has all answers, in order.
void check_whole(const fs::path& path, const std::vector<std::string>& ids) {
  const std::vector<Answer> answers = read_answers(path);
  if (answers.size() != ids.size())
    fail_foreign(
        path, "has " + std::to_string(answers.size()) + " answers, expected " + std::to_string(ids.size()));
  for (size_t i = 0; i < answers.size(); ++i)
    if (answers[i].id != ids[i])
      fail_foreign(path.string() + ":" + std::to_string(i + 1),
                   "is the answer to '" + answers[i].id + "', expected '" + ids[i] + "'");
}
}  // namespace

AnswerFile::AnswerFile(const fs::path& path, std::vector<std::string> ids)
    : path_(path), part_(path.string() + ".part"), ids_(std::move(ids)), answers_(ids_.size()) {
  for (size_t i = 0; i < ids_.size(); ++i)
    if (!places_.emplace(ids_[i], i).second)
      throw std::logic_error("AnswerFile: two prompts have the id '" + ids_[i] + "'");
  std::error_code none;
  if (fs::exists(path_, none)) {
    check_whole(path_, ids_);
    take(path_);
  }
  if (fs::exists(part_, none)) take(part_);
  for (size_t i = 0; i < ids_.size(); ++i)
    if (answers_[i].finish.empty() || answers_[i].finish == kFailed) open_.push_back(i);
}

void AnswerFile::take(const fs::path& from) {
  for (Answer& answer : read_answers(from)) {
    const auto place = places_.find(answer.id);
    if (place == places_.end())
      fail_foreign(from, "has an answer to '" + answer.id + "', which was not asked");
    answers_[place->second] = std::move(answer);
  }
}

void AnswerFile::add(Answer answer) {
  if (!lines_) lines_.emplace(part_);
  lines_->write(line_of(answer));
  Answer& place = answers_[places_.at(answer.id)];
  place = std::move(answer);
}

std::vector<Answer> AnswerFile::finish() {
  std::error_code none;
  if (!open_.empty() || !fs::exists(path_, none)) {
    std::string lines;
    for (const Answer& answer : answers_) lines += line_of(answer) + "\n";
    write_file_atomic(path_, lines);
  }
  lines_.reset();
  fs::remove(part_, none);
  return std::move(answers_);
}

}  // namespace sdft
