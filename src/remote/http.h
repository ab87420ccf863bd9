// POST requests over libcurl, several at once, on the caller's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "remote/endpoint.h"

namespace sdft {

enum class HttpFault {
  kNone,     // a whole reply came, whatever its status
  kPassing,  // no connection, a broken one, a time-out: another try may help
  kLasting,  // another try would end alike: a certificate, endless redirects, a reply beyond all limits
};

struct HttpReply {
  size_t tag = 0;  // of post()
  HttpFault fault = HttpFault::kNone;
  std::string error;  // of a fault: what happened
  int status = 0;
  double retry_after = 0;  // seconds; 0 where the server said nothing
  std::string body;        // decompressed
};

using Clock = std::chrono::steady_clock;

// Certificates are verified, up to 5 redirects followed (POST stays POST, https stays https), proxies taken
// from the environment (but not for this machine itself), connections used again. Not thread safe. The
// destructor ends what is under way.
class HttpClient {
 public:
  explicit HttpClient(const Endpoint& endpoint);  // must outlive the client
  ~HttpClient();
  // Begins one. seconds: the most that it may take.
  void post(size_t tag, const std::string& url, std::string body, double seconds);
  size_t running() const;
  // Those that have ended; waits for the first until `until`, or with nothing under way the whole time.
  // Error(kInterrupted) at once when `interrupted` is set.
  std::vector<HttpReply> wait(Clock::time_point until);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sdft
