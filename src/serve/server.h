// OpenAI's HTTP interface over a Service: /v1/models, /v1/chat/completions, /v1/completions, /v1/embeddings,
// with streaming; /health and /metrics (Prometheus); files of a page, and views of whatever else there is.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "serve/service.h"

namespace sdft::serve {

struct Content {
  std::string type;  // "text/html; charset=utf-8"
  std::string text;
};
// Something else to be looked at. asked: a GET's query, whose values are texts, or a POST's body. Called by
// several threads; what it throws becomes an answer: Error(kUsage) and Error(kInput) a 400.
using View = std::function<Content(const Json& asked)>;

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;  // 0: any that is free
  std::string key;  // a bearer token that all but files and /health ask for; "": none
  std::map<std::string, Content> files = {};  // by path: "/", "/page.css"
  std::map<std::string, View> views = {};     // by path
  size_t most_body = size_t{8} << 20;         // bytes
  int64_t connections = 256;                  // served at once; further ones wait
  double seconds = 600;                       // of one call, after which it is cancelled
};

class Server {
 public:
  // Binds. service: null where there is no model to ask, only files and views. Error(kUsage) where the port
  // cannot be had, or a host that others may reach is without a key.
  Server(Service* service, const ServerOptions& options);
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
