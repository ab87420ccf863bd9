// OpenAI's HTTP interface over a Service: /v1/models, /v1/chat/completions, /v1/completions, /v1/embeddings,
// with streaming; /health and /metrics (Prometheus); a page at /.
#pragma once

#include <memory>
#include <string>

#include "serve/service.h"

namespace sdft::serve {

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                     // 0: any that is free
  std::string key;                     // a bearer token that all but / and /health ask for; "": none
  std::string page;                    // HTML for /; "": none
  size_t most_body = size_t{8} << 20;  // bytes
  int64_t connections = 256;           // served at once; further ones wait
  double seconds = 600;                // of one call, after which it is cancelled
};

class Server {
 public:
  // Binds. Error(kUsage) where the port cannot be had, or a host that others may reach is without a key.
  Server(Service& service, const ServerOptions& options);
  ~Server();
  int port() const;
  // Until stop() is called, from any thread.
  void run();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdft::serve
