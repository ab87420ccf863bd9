// Rewrites by a server that runs the seed model: the recipe's generation_endpoint.
#pragma once

#include "run/context.h"
#include "sdft/drafts.h"

namespace sdft {

// Asks /completions for the continuation of the same token ids that would be read here, so that template and
// special tokens are ours; where an answer ends by itself is the server's matter. Each request has a seed of
// its own, of the recipe's and its id. Null where the recipe names no server.
Writer endpoint_writer(const RunContext& run, const Recipe& recipe);

}  // namespace sdft
