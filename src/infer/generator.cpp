#include "infer/generator.h"

namespace sdft {

std::vector<std::string> problems_of(const GenerateOptions& options) {
  std::vector<std::string> problems = problems_of(static_cast<const RequestOptions&>(options));
  for (std::string& problem : problems_of(static_cast<const EngineOptions&>(options)))
    problems.push_back(std::move(problem));
  return problems;
}

namespace {
void run(ModelView model, const std::vector<Request>& requests, const GenerateOptions& options,
         const RequestCallbacks& callbacks) {
  Engine engine(*model.weights, options);
  RequestOptions each = options;
  each.adapter = model.adapter;
  for (const Request& request : requests) engine.submit(request, each, callbacks);
  engine.run();
}
}  // namespace

void generate(ModelView model, const std::vector<Request>& requests, const GenerateOptions& options,
              const std::function<void(Completion)>& on_done) {
  run(model, requests, options, {{}, on_done});
}

std::vector<Completion> generate(ModelView model, const std::vector<Request>& requests,
                                 const GenerateOptions& options) {
  std::vector<Completion> all(requests.size());
  generate(model, requests, options,
           [&](Completion completion) { all[completion.index] = std::move(completion); });
  return all;
}

Completion generate_one(ModelView model, const Request& request, const GenerateOptions& options,
                        const std::function<bool(int32_t)>& on_token) {
  Completion result;
  run(model, {request}, options, {on_token, [&](Completion completion) { result = std::move(completion); }});
  return result;
}

}  // namespace sdft
