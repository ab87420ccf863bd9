// Many requests to one server: bounded concurrency, further tries, and the difference between a request that
// fails and a server that is of no use.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "remote/endpoint.h"

namespace sdft {

struct Job {
  std::string id;
  Json body;  // the endpoint's model and further fields are added
};

// Why there is no answer: "HTTP 500 after 6 tries: ...". Never a wrong answer.
struct Failure {
  int status = 0;  // 0: there was no reply at all
  std::string reason;
  bool too_long = false;  // the server says that the prompt does not fit into the model's context
};

struct ExchangeCallbacks {
  // Reads a reply; what it returns says what is wrong with it ("has no choices"), "" nothing. Called on the
  // caller's thread, in no particular order. May throw to end everything.
  std::function<std::string(size_t job, const Json& reply)> on_reply;
  std::function<void(size_t job, const Failure& failure)> on_failure;
};

// POSTs each job's body to `path` ("/chat/completions"). The first one goes out alone, the others when one
// has been answered. 408, 429, 5xx, broken connections and time-outs are tried again as the endpoint says, a
// reply that cannot be read once more. What the server refuses (400, 413, 422, ...) fails alone.
// Error(kInput) with the address, the status and the reply's first bytes where the server is of no use: it
// refuses the key, the model or the address (401 to 405), its certificate is not believed, a request fails
// that is more than refused before one was answered, or 10 requests have failed in a row. Error(kInterrupted)
// within a second of an interrupt.
void exchange(const Endpoint& endpoint, const std::string& path, const std::vector<Job>& jobs,
              const ExchangeCallbacks& callbacks);

}  // namespace sdft
