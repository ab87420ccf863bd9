#include "infer/answers.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
void answer_each(ModelView model, const Tokenizer& tokenizer, const std::vector<Request>& requests,
                 const GenerateOptions& options, const std::function<void(Answer)>& on_answer) {
  generate(model, requests, options, [&](const Completion& completion) {
    on_answer({completion.id, tokenizer.decode(completion.ids), name_of(completion.finish),
               static_cast<int64_t>(completion.ids.size())});
  });
}
}  // namespace

void answer_into(ModelView model, const Tokenizer& tokenizer, const std::vector<Request>& requests,
                 const GenerateOptions& options, const fs::path& part,
                 const std::function<void(Answer)>& on_answer) {
  LineWriter file(part);
  answer_each(model, tokenizer, requests, options, [&](Answer answer) {
    file.write(line_of(answer));
    on_answer(std::move(answer));
  });
}

std::vector<Answer> answer_all(ModelView model, const Tokenizer& tokenizer,
                               const std::vector<Request>& requests, const GenerateOptions& options,
                               const fs::path& path, const std::function<void(size_t)>& on_progress) {
  std::vector<std::string> ids;
  for (const Request& request : requests) ids.push_back(request.id);
  AnswerFile file(path, ids);
  std::vector<Request> open;
  for (size_t place : file.open()) open.push_back(requests[place]);
  size_t done = requests.size() - open.size();
  auto report = [&] {
    if (on_progress) on_progress(done);
  };
  report();
  answer_each(model, tokenizer, open, options, [&](Answer answer) {
    file.add(std::move(answer));
    ++done;
    report();
  });
  return file.finish();
}

}  // namespace sdft
