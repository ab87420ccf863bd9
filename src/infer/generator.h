// Answers to a list of requests: everything is submitted to an Engine, and waited for.
#pragma once

#include "infer/engine.h"

namespace sdft {

// One way to answer all of them. `adapter` comes from the model that is given.
struct GenerateOptions : RequestOptions, EngineOptions {};
std::vector<std::string> problems_of(const GenerateOptions& options);

// Calls on_done on the caller's thread as answers finish, in no particular order, once for each request.
// Throws as Engine::submit() does, before anything is generated.
void generate(ModelView model, const std::vector<Request>& requests, const GenerateOptions& options,
              const std::function<void(Completion)>& on_done);
// All answers, in the order of the requests.
std::vector<Completion> generate(ModelView model, const std::vector<Request>& requests,
                                 const GenerateOptions& options);
// One answer, each token passed on as soon as it is there; see RequestCallbacks.
Completion generate_one(ModelView model, const Request& request, const GenerateOptions& options,
                        const std::function<bool(int32_t)>& on_token);

}  // namespace sdft
