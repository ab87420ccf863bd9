#include "infer/answers.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// The whole groups that are in the file; the rest of it is cut off.
std::vector<Answer> read_done(const fs::path& path, const std::vector<Request>& requests, size_t group) {
  std::vector<Answer> answers;
  if (!fs::exists(path)) return answers;
  std::vector<std::string> lines;
  for_each_line(path, [&](std::string_view line, size_t) { lines.emplace_back(line); });
  const size_t whole = lines.size() >= requests.size() ? requests.size() : lines.size() / group * group;
  std::string kept;
  for (size_t i = 0; i < whole; ++i) {
    const std::string where = path.string() + ":" + std::to_string(i + 1);
    const Json json = parse_json(lines[i], where);
    Answer answer{require<std::string>(json, "id", where), require<std::string>(json, "text", where),
                  require<std::string>(json, "finish", where)};
    if (answer.id != requests[i].id)
      fail_input(where, "is the answer to '" + answer.id + "', expected '" + requests[i].id + "'",
                 "the file belongs to another dataset; remove it to start anew");
    answers.push_back(std::move(answer));
    kept += lines[i] + "\n";
  }
  if (whole != lines.size()) write_file_atomic(path, kept);
  return answers;
}
}  // namespace

std::vector<Answer> answer_all(const Model& model, const Tokenizer& tokenizer,
                               const std::vector<Request>& requests, const GenerateOptions& options,
                               const fs::path& path, size_t group,
                               const std::function<void(size_t)>& on_progress) {
  std::vector<Answer> answers = read_done(path, requests, group);
  if (on_progress) on_progress(answers.size());
  LineWriter file(path);
  while (answers.size() < requests.size()) {
    const size_t begin = answers.size(), end = std::min(requests.size(), begin + group);
    std::vector<Request> part(requests.begin() + static_cast<std::ptrdiff_t>(begin),
                              requests.begin() + static_cast<std::ptrdiff_t>(end));
    GenerateOptions with_progress = options;
    if (on_progress)
      with_progress.on_step = [&](const GenerateProgress& progress) {
        on_progress(begin + progress.finished);
      };
    std::string lines;
    for (const Completion& completion : generate(model, part, with_progress)) {
      Answer answer{completion.id, tokenizer.decode(completion.ids), name_of(completion.finish)};
      const Json json = {{"id", answer.id}, {"text", answer.text}, {"finish", answer.finish}};
      lines += (lines.empty() ? "" : "\n") + json.dump(-1, ' ', false, Json::error_handler_t::replace);
      answers.push_back(std::move(answer));
    }
    file.write(lines);
    file.sync();
  }
  return answers;
}

}  // namespace sdft
