#include "run/generation_endpoint.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/file.h"
#include "base/random.h"
#include "remote/completion.h"
#include "run/endpoint_stage.h"

namespace sdft {

Endpoint generation_endpoint_of(const Recipe& recipe) {
  Endpoint endpoint;
  endpoint.url = recipe.generation_endpoint;
  endpoint.model = recipe.generation_endpoint_model;
  endpoint.key = api_key();
  endpoint.concurrency = recipe.endpoint_concurrency;
  check_endpoint(endpoint);
  return endpoint;
}

namespace {
RemoteOptions asked_of(const GenerateOptions& options) {
  RemoteOptions asked;
  asked.temperature = options.sampling.temperature;
  asked.top_p = options.sampling.top_p;
  asked.top_k = options.sampling.top_k;
  return asked;
}

// What was asked and answered, one call of a writer.
struct Exchange {
  const Endpoint& endpoint;
  const GenerateOptions& options;
  int64_t context;  // tokens

  std::vector<RemoteRequest> requests_of(const std::vector<Request>& requests) const {
    std::vector<RemoteRequest> list;
    for (const Request& request : requests) {
      const int64_t room = context - static_cast<int64_t>(request.prompt.size());
      if (room <= 0) continue;
      RemoteRequest one{request.id, {}, "", request.prompt};
      one.max_tokens = std::min(options.max_new_tokens, room);
      if (!options.sampling.greedy())
        one.seed = static_cast<int64_t>(Random(options.seed, request.id).next() >> 33);  // 31 bits
      list.push_back(std::move(one));
    }
    return list;
  }

  void write(const std::vector<Request>& requests, const std::filesystem::path& part,
             const std::function<void(Answer)>& on_answer) const {
    LineWriter file(part);
    GenerateProgress progress;
    progress.requests = requests.size();
    const auto keep = [&](Answer answer) {
      if (answer.finish != kFailed) file.write(line_of(answer));
      progress.finished++;
      progress.new_tokens += answer.tokens;
      progress.share = static_cast<double>(progress.finished) / static_cast<double>(requests.size());
      on_answer(std::move(answer));
      if (options.on_step) options.on_step(progress);
    };
    for (const Request& request : requests)
      if (static_cast<int64_t>(request.prompt.size()) >= context)
        keep({request.id, "", name_of(FinishReason::kPromptTooLong)});
    const std::vector<RemoteRequest> asked = requests_of(requests);
    int64_t read = 0;
    for (const RemoteRequest& request : asked) read += static_cast<int64_t>(request.prompt_ids.size());
    complete(endpoint, asked, asked_of(options),
             [&](RemoteCompletion completion) { keep(std::move(completion.answer)); });
    if (!asked.empty())
      spdlog::info("{}: {} prompts of {} tokens, {} tokens written", endpoint.url, asked.size(), read,
                   progress.new_tokens);
  }
};

}  // namespace

Writer endpoint_writer(const RunContext& run, const Recipe& recipe) {
  if (recipe.generation_endpoint.empty()) return nullptr;
  return [endpoint = generation_endpoint_of(recipe), context = run.bundle.config.max_position_embeddings](
             const auto& requests, const auto& options, const auto& part, const auto& on_answer) {
    Exchange{endpoint, options, context}.write(requests, part, on_answer);
  };
}

}  // namespace sdft
