#include "infer/answers.h"

#include <deque>

namespace sdft {
namespace fs = std::filesystem;

Answer answer_of(const Tokenizer& tokenizer, const Completion& completion) {
  return {completion.id, tokenizer.decode(completion.ids), name_of(completion.finish),
          static_cast<int64_t>(completion.ids.size())};
}

Standing standing_of(size_t done, const GenerateProgress& progress) {
  return {done, progress.share, progress.prompt_tokens + progress.new_tokens};
}

void answer_into(ModelView model, const Tokenizer& tokenizer, const std::vector<Request>& requests,
                 const GenerateOptions& options, const fs::path& part,
                 const std::function<void(Answer)>& on_answer) {
  LineWriter file(part);
  generate(model, requests, options, [&](const Completion& completion) {
    Answer answer = answer_of(tokenizer, completion);
    file.write(line_of(answer));
    on_answer(std::move(answer));
  });
}

std::vector<Answer> answer_all(ModelView model, const Tokenizer& tokenizer,
                               const std::vector<Request>& requests, const GenerateOptions& options,
                               const fs::path& path, const AnswerProgress& on_progress) {
  return answer_all(std::vector<Answering>{{model, path}}, tokenizer, requests, options, on_progress).front();
}

std::vector<std::vector<Answer>> answer_all(const std::vector<Answering>& models, const Tokenizer& tokenizer,
                                            const std::vector<Request>& requests,
                                            const GenerateOptions& options,
                                            const AnswerProgress& on_progress) {
  std::vector<std::string> ids;
  for (const Request& request : requests) ids.push_back(request.id);
  size_t done = 0;
  GenerateProgress progress;
  const auto report = [&] {
    if (on_progress) on_progress(standing_of(done, progress));
  };
  EngineOptions watched = options;
  watched.on_step = [&](const GenerateProgress& now) {
    progress = now;
    report();
  };
  Engine engine(*models.front().model.weights, watched);
  std::deque<AnswerFile> files;
  for (const Answering& one : models) {
    AnswerFile& file = files.emplace_back(one.path, ids);
    done += requests.size() - file.open().size();
    RequestOptions its = options;
    its.adapter = one.model.adapter;
    const std::vector<size_t> open = file.open();
    for (const size_t place : open) {
      const Request& request = requests[place];
      const auto known = one.cache ? one.cache->find(request, its) : std::nullopt;
      if (known) {
        file.add(answer_of(tokenizer, *known));
        ++done;
        continue;
      }
      engine.submit(request, its,
                    {{}, [&file, &request, &one, &tokenizer, &done, its](const Completion& completion) {
                       // In this order: what the file has the cache has, wherever this is killed.
                       if (one.cache) one.cache->add(request, its, completion);
                       file.add(answer_of(tokenizer, completion));
                       ++done;
                     }});
    }
  }
  report();
  engine.run();
  std::vector<std::vector<Answer>> answers;
  for (AnswerFile& file : files) answers.push_back(file.finish());
  return answers;
}

std::vector<Completion> completions_of(ModelView model, const std::vector<Request>& requests,
                                       const GenerateOptions& options, AnswerCache& cache) {
  std::vector<Completion> all(requests.size());
  std::vector<Request> open;
  std::vector<size_t> places;
  for (size_t i = 0; i < requests.size(); ++i) {
    if (auto known = cache.find(requests[i], options)) {
      all[i] = std::move(*known);
    } else {
      open.push_back(requests[i]);
      places.push_back(i);
    }
  }
  generate(model, open, options, [&](const Completion& completion) {
    cache.add(open[completion.index], options, completion);
    all[places[completion.index]] = completion;
  });
  return all;
}

}  // namespace sdft
