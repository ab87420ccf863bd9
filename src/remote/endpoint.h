// A server that speaks OpenAI's HTTP interface (chat completions, completions), wherever it runs.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"

namespace sdft {

struct Endpoint {
  // "http://localhost:8000", "https://api.openai.com/v1". A URL without a path gets /v1; another path is
  // taken as it is, but for a /chat/completions or /completions at its end.
  std::string url;
  std::string model;  // as the server calls it
  // Sent as a bearer token; "": none is sent. From the environment, never from a recipe; never written
  // anywhere, and not passed on to another host by a redirect.
  std::string key;
  // A file with the authorities whose certificates are believed, in place of the system's; "": the system's.
  std::string ca_file;
  int64_t concurrency = 8;  // requests under way at once
  int64_t tries = 6;        // of a request that meets 429, 5xx, a broken connection or a time-out
  double connect_seconds = 10;
  double try_seconds = 300;     // one try from beginning to end
  double total_seconds = 1800;  // all tries of a request and the waiting between them
  // Before the second try, doubled before each further one, up to kLongestWait; a random half of it is left
  // out, so that many do not come back at once. A server's Retry-After counts where it is longer, for all
  // requests.
  double first_wait_seconds = 1;
  // Further fields of every request's body, as the server wants them: {"chat_template_kwargs": {...}}. null
  // takes a field away: {"max_tokens": null, "max_completion_tokens": 512}.
  Json fields = Json::object();
};
inline constexpr double kLongestWait = 60;

// Error(kUsage) with all that is wrong: no http(s) URL, a password or a query in it, no model, limits out of
// range, a key with characters that no header may have (the key is not shown).
void check_endpoint(const Endpoint& endpoint);

// The address of "/chat/completions" there.
std::string address_of(const Endpoint& endpoint, const std::string& path);

// The text's first bytes for a message: printable, at most 200 of them, the key taken out.
std::string excerpt(const Endpoint& endpoint, const std::string& text);

}  // namespace sdft
