#include "remote/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <queue>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "remote/http.h"

namespace sdft {
namespace {

constexpr int kTriesBeforeContact = 3;  // where nothing answers at all
constexpr int kTriesOfNonsense = 2;
constexpr int kFailuresInARow = 10;

Clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

struct Progressing {  // of a job
  int tries = 0, unreadable = 0;
  Clock::time_point first{};
};

// What a reply means.
enum class Outcome {
  kAnswered,
  kAgain,       // a passing fault
  kUnreadable,  // a reply that makes no sense
  kRefused,     // this request alone
  kUseless,     // every request would end so
};

struct Reading {
  Outcome outcome;
  std::string what;
};

// The server's own words, where it has some: {"error": {"message": ...}} and its variants.
std::string message_of(const Json& json) {
  if (!json.is_object()) return "";
  for (const char* key : {"error", "message", "detail"}) {
    if (!json.contains(key)) continue;
    const Json& value = json[key];
    if (value.is_string()) return value.get<std::string>();
    if (value.is_object() && value.contains("message") && value["message"].is_string())
      return value["message"].get<std::string>();
  }
  return "";
}

bool says_too_long(const HttpReply& reply) {
  if (reply.status != 400 && reply.status != 413 && reply.status != 422) return false;
  for (const char* words : {"context_length_exceeded", "context length", "context size", "context window"})
    if (reply.body.find(words) != std::string::npos) return true;
  return false;
}

class Exchange {
 public:
  Exchange(const Endpoint& endpoint, const std::string& path, const std::vector<Job>& jobs,
           const ExchangeCallbacks& callbacks)
      : endpoint_(endpoint),
        address_(address_of(endpoint, path)),
        jobs_(jobs),
        callbacks_(callbacks),
        states_(jobs.size()),
        client_(endpoint) {}

  void run() {
    while (ended_ < jobs_.size()) {
      stop_if_interrupted();
      start_what_may();
      for (const HttpReply& reply : client_.wait(next_event())) handle(reply);
    }
  }

 private:
  struct Waiting {
    Clock::time_point due;
    size_t job;
    bool operator<(const Waiting& other) const { return due > other.due; }  // the earliest is on top
  };

  // Until the server has answered once, one request goes out at a time: what is wrong with it is wrong with
  // all.
  size_t most_at_once() const { return answered_ ? static_cast<size_t>(endpoint_.concurrency) : 1; }
  bool may_start_new() const { return next_ < jobs_.size() && (answered_ || waiting_.empty()); }

  void start_what_may() {
    const auto now = Clock::now();
    while (client_.running() < most_at_once() && now >= pause_until_) {
      if (!waiting_.empty() && waiting_.top().due <= now) {
        const size_t job = waiting_.top().job;
        waiting_.pop();
        start(job, now);
      } else if (may_start_new()) {
        start(next_++, now);
      } else {
        return;
      }
    }
  }

  Clock::time_point next_event() const {
    auto event = Clock::now() + std::chrono::hours(1);  // a reply comes before
    if (client_.running() >= most_at_once()) return event;
    if (!waiting_.empty()) event = std::min(event, std::max(waiting_.top().due, pause_until_));
    if (may_start_new()) event = std::min(event, pause_until_);
    return event;
  }

  void start(size_t job, Clock::time_point now) {
    Progressing& state = states_[job];
    if (state.tries++ == 0) state.first = now;
    Json body = {{"model", endpoint_.model}};
    body.update(jobs_[job].body);
    for (const auto& [key, value] : endpoint_.fields.items()) {
      if (value.is_null())
        body.erase(key);
      else
        body[key] = value;
    }
    client_.post(job, address_, to_line(body), std::min(endpoint_.try_seconds, seconds_left(state, now)));
  }

  double seconds_left(const Progressing& state, Clock::time_point now) const {
    return endpoint_.total_seconds - std::chrono::duration<double>(now - state.first).count();
  }

  Reading read(const HttpReply& reply) {
    if (reply.fault == HttpFault::kLasting) return {Outcome::kUseless, reply.error};
    if (reply.fault == HttpFault::kPassing) return {Outcome::kAgain, reply.error};
    Json json;
    std::string unreadable;
    try {
      json = parse_json(reply.body, "the reply");
    } catch (const Error& error) {
      if (error.code() == ExitCode::kInterrupted) throw;
      unreadable = reply.body.empty() ? "an empty reply" : "a reply that is no JSON";
    }
    const std::string own = message_of(json);
    const std::string what =
        fmt::format("HTTP {}: {}", reply.status, excerpt(endpoint_, own.empty() ? reply.body : own));
    if (reply.status == 408 || reply.status == 429 || reply.status >= 500) return {Outcome::kAgain, what};
    if (reply.status >= 401 && reply.status <= 405) return {Outcome::kUseless, what};
    if (reply.status >= 400) return {Outcome::kRefused, what};
    if (reply.status < 200 || reply.status >= 300) return {Outcome::kUseless, what};
    if (unreadable.empty()) {
      unreadable = callbacks_.on_reply(reply.tag, json);
      if (unreadable.empty()) return {Outcome::kAnswered, ""};
      unreadable = "a reply that " + unreadable;
    }
    return {Outcome::kUnreadable,
            fmt::format("HTTP {}, {}: {}", reply.status, unreadable, excerpt(endpoint_, reply.body))};
  }

  void handle(const HttpReply& reply) {
    Progressing& state = states_[reply.tag];
    contacted_ = contacted_ || reply.status != 0;
    const Reading reading = read(reply);
    switch (reading.outcome) {
      case Outcome::kAnswered:
        answered_ = true;
        failures_in_a_row_ = 0;
        ++ended_;
        return;
      case Outcome::kUseless:
        fail_input(address_, reading.what, hint_for(reply));
      case Outcome::kRefused:
        return fail(reply, reading.what);
      case Outcome::kUnreadable:
        ++state.unreadable;
        break;
      case Outcome::kAgain:
        break;
    }
    if (again(reply, state)) return;
    const std::string tries = state.tries == 1 ? "" : fmt::format(" after {} tries", state.tries);
    if (!answered_) fail_input(address_, reading.what + tries, "the server is not usable as it is");
    fail(reply, reading.what + tries);
  }

  // Whether the job will be tried once more.
  bool again(const HttpReply& reply, const Progressing& state) {
    const int64_t most =
        contacted_ ? endpoint_.tries : std::min<int64_t>(endpoint_.tries, kTriesBeforeContact);
    if (state.tries >= most || state.unreadable >= kTriesOfNonsense) return false;
    Random jitter(static_cast<uint64_t>(state.tries), jobs_[reply.tag].id);
    double wait = std::min(kLongestWait, endpoint_.first_wait_seconds * std::exp2(state.tries - 1)) *
                  (0.5 + 0.5 * jitter.uniform());
    wait = std::max(wait, reply.retry_after);
    const auto now = Clock::now();
    if (wait >= seconds_left(state, now)) return false;
    if (reply.retry_after > 0) pause_until_ = std::max(pause_until_, now + duration_of(reply.retry_after));
    waiting_.push({now + duration_of(wait), reply.tag});
    return true;
  }

  void fail(const HttpReply& reply, const std::string& what) {
    ++ended_;
    callbacks_.on_failure(reply.tag, {reply.status, what, says_too_long(reply)});
    if (++failures_in_a_row_ >= kFailuresInARow)
      fail_input(
          address_,
          fmt::format("{} requests have failed in a row, the last one with {}", failures_in_a_row_, what),
          "what was answered before is kept; the same command goes on");
  }

  std::string hint_for(const HttpReply& reply) const {
    if (reply.status == 401 || reply.status == 403)
      return endpoint_.key.empty() ? "no key was given" : "the server does not take the key";
    if (reply.status == 404 || reply.status == 405)
      return "is the address right, and '" + endpoint_.model + "' the server's name for the model?";
    return "";
  }

  const Endpoint& endpoint_;
  const std::string address_;
  const std::vector<Job>& jobs_;
  const ExchangeCallbacks& callbacks_;
  std::vector<Progressing> states_;
  HttpClient client_;
  std::priority_queue<Waiting> waiting_;  // for another try
  Clock::time_point pause_until_{};       // Retry-After
  size_t next_ = 0, ended_ = 0;
  int failures_in_a_row_ = 0;
  bool contacted_ = false, answered_ = false;  // by the server, ever
};

}  // namespace

void exchange(const Endpoint& endpoint, const std::string& path, const std::vector<Job>& jobs,
              const ExchangeCallbacks& callbacks) {
  check_endpoint(endpoint);
  Exchange(endpoint, path, jobs, callbacks).run();
}

}  // namespace sdft
