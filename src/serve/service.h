// The model behind the server: the seed's weights and any number of adapters, each a model of its own name,
// answering all requests in the same batches (infer/engine.h).
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "infer/model_bundle.h"
#include "serve/request.h"

namespace sdft::serve {

struct ServiceOptions {
  int64_t batch_size = 0;      // as EngineOptions
  int64_t most_waiting = 256;  // requests that are open at once; further ones are refused (429)
};

// What answers to one call have said so far. One thread takes, the engine's threads put.
class Mailbox {
 public:
  struct Event {
    size_t choice = 0;
    int32_t token = 0;
    std::optional<TokenScore> score = {};  // of the token, where it was asked for
    std::optional<Completion> done = {};   // in place of a token
  };
  void put(Event event);
  void fail(const std::string& why);
  // Waits until something is there or the time is over; nothing then. ApiError (503) once fail() was called.
  std::optional<Event> take(std::chrono::milliseconds longest);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;
  std::optional<std::string> failure_;
};

// What the server is doing, for /metrics. Thread-safe as a whole: read with Service::figures().
struct Figures {
  int64_t open = 0;  // requests that wait or are answered
  int64_t requests = 0, cancelled = 0, refused = 0;
  int64_t prompt_tokens = 0, new_tokens = 0;
  double first_token_seconds = 0;  // summed over `first_tokens` requests
  int64_t first_tokens = 0;
};

class Service {
 public:
  // The weights must be loaded; bundle and adapters must outlive it. adapters: by the names they are asked
  // for, beside "seed", the weights without any. Begins its thread.
  Service(const ModelBundle& bundle, const std::map<std::string, Adapter>& adapters,
          const ServiceOptions& options);
  ~Service();  // ends what is under way
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // ApiError (429) where so many requests more would wait, (400) where they always will.
  void require_room(int64_t requests);
  // ApiError (400) where the model has no chat template that can be used.
  void require_chat() const;

  const std::vector<std::string>& models() const { return models_; }
  const ModelBundle& bundle() const { return bundle_; }
  // The seed also by its folder's name. ApiError (404) where there is none of that name.
  ModelView model(const std::string& name) const;

  // How the model answers, with these wishes; a limit that the context leaves where none is wished. ApiError
  // (400) where the prompt fills the context or the options make no sense.
  RequestOptions options_for(const Wishes& wishes, const std::string& model, size_t prompt_tokens) const;

  // Answers to a call: what cancels those that are still open when it goes.
  class Call {
   public:
    Call(Service& service, std::vector<size_t> requests, std::shared_ptr<Mailbox> mailbox)
        : service_(service), requests_(std::move(requests)), mailbox_(std::move(mailbox)) {}
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    Mailbox& mailbox() { return *mailbox_; }

   private:
    Service& service_;
    std::vector<size_t> requests_;
    std::shared_ptr<Mailbox> mailbox_;
  };
  struct Asked {
    Request request;
    RequestOptions options;
  };
  // All of them or none; event.choice is the place in the list. ApiError (429) where too many wait, (503)
  // where the engine has failed.
  std::unique_ptr<Call> begin(std::vector<Asked> asked);

  Figures figures() const;

 private:
  void work();
  void check_room(int64_t requests);  // the caller holds the mutex
  RequestCallbacks callbacks_for(const std::shared_ptr<Mailbox>& mailbox, size_t place, bool scored);
  void cancel(const std::vector<size_t>& requests, const std::shared_ptr<Mailbox>& mailbox);

  const ModelBundle& bundle_;
  const std::map<std::string, Adapter>& adapters_;
  ServiceOptions options_;
  std::vector<std::string> models_;
  std::string folder_, chat_fault_;
  mutable std::once_flag pieces_made_;
  mutable std::shared_ptr<const std::vector<std::string>> pieces_;  // of all tokens, once JSON was asked for

  mutable std::mutex mutex_;  // for all below
  std::condition_variable changed_;
  std::unique_ptr<Engine> engine_;
  std::map<size_t, std::weak_ptr<Mailbox>> open_;  // by the engine's numbers
  Figures figures_;
  bool ending_ = false;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace sdft::serve
