#include "run/generation_endpoint.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/file.h"
#include "base/random.h"
#include "remote/completion.h"
#include "run/endpoint_stage.h"

namespace sdft {

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

  RemoteRequest asked(const Request& request) const {
    RemoteRequest one{request.id, {}, "", request.prompt};
    one.max_tokens = std::min(options.max_new_tokens, context - static_cast<int64_t>(request.prompt.size()));
    if (!options.sampling.greedy())
      one.seed = static_cast<int64_t>(Random(options.seed, request.id).next() >> 33);  // 31 bits
    return one;
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
    std::vector<RemoteRequest> list;
    size_t read = 0;
    for (const Request& request : requests)
      if (static_cast<int64_t>(request.prompt.size()) < context)
        list.push_back(asked(request)), read += request.prompt.size();
      else
        keep({request.id, "", name_of(FinishReason::kPromptTooLong)});
    complete(endpoint, list, asked_of(options),
             [&](RemoteCompletion completion) { keep(std::move(completion.answer)); });
    if (!list.empty())
      spdlog::info("{}: {} prompts of {} tokens, {} tokens written", endpoint.url, list.size(), read,
                   progress.new_tokens);
  }
};

}  // namespace

Writer endpoint_writer(const RunContext& run, const Recipe& recipe) {
  if (recipe.generation_endpoint.empty()) return nullptr;
  return [endpoint = endpoint_at(recipe, recipe.generation_endpoint, recipe.generation_endpoint_model),
          context = run.bundle.config.max_position_embeddings](const auto& requests, const auto& options,
                                                               const auto& part, const auto& on_answer) {
    Exchange{endpoint, options, context}.write(requests, part, on_answer);
  };
}

}  // namespace sdft
