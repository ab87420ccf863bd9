// The real server, for tests.
#pragma once

#include <httplib.h>

#include <cstdlib>

#include "base/json.h"
#include "cli/run_command.h"

namespace sdft::testing {

// A server that runs, on a port of its own.
class Served {
 public:
  explicit Served(std::vector<std::string> args) : command_(begin(std::move(args))) {
    for (int tries = 0; tries < 300 && command_.out().find('\n') == std::string::npos; ++tries)
      if (command_.run_for(0.1)) break;
    const size_t colon = command_.out().rfind(':');
    if (colon != std::string::npos) port_ = std::atoi(command_.out().c_str() + colon + 1);
    EXPECT_GT(port_, 0) << command_.out();
  }

  httplib::Client client() const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(120);
    return client;
  }
  Json post(const std::string& path, const Json& body, int status = 200) const {
    const auto reply = client().Post(path, body.dump(), "application/json");
    if (!reply) {
      ADD_FAILURE() << path << ": no reply";
      return {};
    }
    EXPECT_EQ(reply->status, status) << reply->body;
    return parse_json(reply->body, "reply");
  }
  std::string answer(const std::string& model, const std::string& query, int64_t tokens = 24) const {
    const Json reply = post("/v1/chat/completions", {{"model", model},
                                                     {"messages", {{{"role", "user"}, {"content", query}}}},
                                                     {"temperature", 0},
                                                     {"max_tokens", tokens}});
    return reply["choices"][0]["message"]["content"];
  }
  double figure(const std::string& name) const {
    const std::string text = client().Get("/metrics")->body;
    const size_t at = text.find("\nsdft_" + name + " ");
    return at == std::string::npos ? -1 : std::atof(text.c_str() + at + name.size() + 7);
  }
  CommandResult end() {
    command_.kill(SIGTERM);
    return command_.wait(60);
  }
  int port() const { return port_; }

 private:
  static std::vector<std::string> begin(std::vector<std::string> args) {
    args.insert(args.begin(), "serve");
    args.insert(args.end(), {"--port", "0"});
    return args;
  }
  Command command_;
  int port_ = 0;
};

}  // namespace sdft::testing
