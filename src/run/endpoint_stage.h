// Evaluation of a model behind a server (remote/endpoint.h): the recipe's tasks, asked there.
#pragma once

#include <string>

#include "remote/endpoint.h"
#include "run/recipe.h"
#include "run/run.h"

namespace sdft {

// The name that the model has in results and folders: `endpoint_model` with every / as _.
std::string endpoint_name(const Recipe& recipe);

// Of a server, from the environment: SDFT_API_KEY, else OPENAI_API_KEY; "": none.
std::string api_key();

// The recipe's limits and the key, for this server. Error(kUsage) for an address or a model that cannot be.
Endpoint endpoint_at(const Recipe& recipe, const std::string& url, const std::string& model);

// As run_recipe(recipe, kEval, options) of a recipe with `endpoint`: needs no model folder. The key comes
// from the environment variable SDFT_API_KEY, else OPENAI_API_KEY. What the server did not answer is
// unanswered, not wrong, and is asked again by the next call. Error(kUsage) with all that cannot be asked of
// a server.
std::string evaluate_endpoint(const Recipe& recipe, const RunOptions& options);

}  // namespace sdft
