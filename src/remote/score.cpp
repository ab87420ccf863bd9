#include "remote/score.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "remote/exchange.h"

namespace sdft {
namespace {

// One token of an echoed text.
struct Token {
  std::string text;                // its bytes
  std::optional<double> log_prob;  // the first one has none
  std::optional<double> best;      // of the likeliest candidate in its place
};

// The tokens that the server wrote, prompt and what it added, and how many of them are the prompt's (-1: not
// said).
struct Echo {
  std::vector<Token> tokens;
  int64_t prompt_tokens = -1;
};

// "bytes:\xe2\x80" is how OpenAI writes a token that is no text of its own.
std::string bytes_of(const std::string& token) {
  const std::string mark = "bytes:";
  if (token.rfind(mark, 0) != 0) return token;
  std::string bytes;
  for (size_t at = mark.size(); at < token.size();) {
    const auto digit = [&](size_t i) {
      return i < token.size() && std::isxdigit(static_cast<unsigned char>(token[i]));
    };
    if (token.compare(at, 2, "\\x") == 0 && digit(at + 2) && digit(at + 3)) {
      bytes += static_cast<char>(std::stoi(token.substr(at + 2, 2), nullptr, 16));
      at += 4;
    } else {
      bytes += token[at++];
    }
  }
  return bytes;
}

std::optional<double> best_of(const Json& candidates) {
  std::optional<double> best;
  if (candidates.is_object())
    for (const auto& [token, value] : candidates.items())
      if (value.is_number()) best = std::max(best.value_or(value.get<double>()), value.get<double>());
  return best;
}

// What is wrong with the reply; `lacks` is set where the server does not do what is asked of it at all.
std::string read_echo(const Json& reply, Echo* echo, std::string* lacks) {
  if (!reply.is_object() || !reply.contains("choices") || !reply["choices"].is_array() ||
      reply["choices"].empty() || !reply["choices"][0].is_object())
    return "has no choices";
  const Json& choice = reply["choices"][0];
  if (!choice.contains("logprobs") || !choice["logprobs"].is_object() ||
      !choice["logprobs"].contains("token_logprobs")) {
    *lacks = "gives no log-probabilities (token_logprobs)";
    return "";
  }
  const Json& logprobs = choice["logprobs"];
  const Json& values = logprobs["token_logprobs"];
  if (!logprobs.contains("tokens") || !logprobs["tokens"].is_array() || !values.is_array() ||
      logprobs["tokens"].size() != values.size())
    return "has tokens and token_logprobs of different numbers";
  for (size_t i = 0; i < values.size(); ++i) {
    if (!logprobs["tokens"][i].is_string() || !(values[i].is_number() || values[i].is_null()))
      return "has a token that is no text, or a log-probability that is no number";
    Token token{bytes_of(logprobs["tokens"][i].get<std::string>()), {}, {}};
    if (values[i].is_number()) token.log_prob = values[i].get<double>();
    if (logprobs.contains("top_logprobs") && logprobs["top_logprobs"].is_array() &&
        i < logprobs["top_logprobs"].size())
      token.best = best_of(logprobs["top_logprobs"][i]);
    echo->tokens.push_back(std::move(token));
  }
  if (reply.contains("usage") && reply["usage"].is_object() && reply["usage"].contains("prompt_tokens") &&
      fits<int64_t>(reply["usage"]["prompt_tokens"]))
    echo->prompt_tokens = reply["usage"]["prompt_tokens"].get<int64_t>();
  // The one token that was asked for, and nothing in front of it.
  if (echo->tokens.size() < 2 || echo->prompt_tokens > static_cast<int64_t>(echo->tokens.size()))
    *lacks = "does not repeat the prompt (echo)";
  return "";
}

// Where the continuation's tokens begin and end.
struct Span {
  size_t begin, end;
};

// By the tokens' own bytes: behind at most 2 special tokens they spell out the text.
std::optional<Span> span_by_text(const Echo& echo, const RemoteScoreItem& item) {
  const std::string text = item.context + item.continuation;
  for (size_t special = 0; special <= 2 && special < echo.tokens.size(); ++special) {
    size_t at = 0, i = special;
    std::optional<size_t> begin;
    for (; i < echo.tokens.size() && at < text.size(); ++i) {
      const std::string& bytes = echo.tokens[i].text;
      if (text.compare(at, bytes.size(), bytes) != 0) break;
      at += bytes.size();
      if (!begin && at > item.context.size()) begin = i;
    }
    if (at == text.size() && begin) return Span{*begin, i};
  }
  return std::nullopt;
}

RemoteScore sum(const Echo& echo, const Span& span) {
  RemoteScore score;
  score.greedy = true;
  if (span.begin >= span.end || span.end > echo.tokens.size()) {
    score.error = "the continuation has no token of its own";
    return score;
  }
  for (size_t i = span.begin; i < span.end; ++i) {
    const Token& token = echo.tokens[i];
    if (!token.log_prob) {
      score.error = "the server gives no log-probability of the text's first token, which counts here";
      return score;
    }
    score.log_prob += *token.log_prob;
    ++score.count;
    if (!token.best)
      score.greedy = std::nullopt;
    else if (score.greedy)
      score.greedy = *score.greedy && *token.log_prob >= *token.best;
  }
  return score;
}

Job echo_job(const std::string& id, const std::string& text) {
  // One token more, since many servers refuse to write none.
  return {id, {{"prompt", text}, {"max_tokens", 1}, {"temperature", 0}, {"logprobs", 1}, {"echo", true}}};
}

class Scoring {
 public:
  Scoring(const Endpoint& endpoint, const std::vector<RemoteScoreItem>& items,
          const std::function<void(size_t, const RemoteScore&)>& on_done)
      : endpoint_(endpoint), items_(items), on_done_(on_done), scores_(items.size()) {}

  std::vector<RemoteScore> run() {
    std::vector<Job> jobs;
    for (const RemoteScoreItem& item : items_)
      jobs.push_back(echo_job(item.id, item.context + item.continuation));
    send(
        jobs,
        [&](size_t i, Echo echo) {
          if (const auto span = span_by_text(echo, items_[i]))
            done(i, sum(echo, *span));
          else
            unaligned_.emplace(i, std::move(echo));
        },
        [&](size_t i, const Failure& failure) { fail(i, failure.reason); });
    if (!unaligned_.empty()) align_by_count();
    return std::move(scores_);
  }

 private:
  void send(const std::vector<Job>& jobs, const std::function<void(size_t, Echo)>& use,
            const std::function<void(size_t, const Failure&)>& on_failure) {
    ExchangeCallbacks callbacks;
    callbacks.on_reply = [&](size_t job, const Json& reply) {
      Echo echo;
      std::string lacks, fault = read_echo(reply, &echo, &lacks);
      if (!lacks.empty()) refuse(lacks);
      if (fault.empty()) use(job, std::move(echo));
      return fault;
    };
    callbacks.on_failure = on_failure;
    exchange(endpoint_, "/completions", jobs, callbacks);
  }

  // The contexts alone, each once: how many tokens they are.
  void align_by_count() {
    std::map<std::string, std::vector<size_t>> places;
    for (const auto& [i, echo] : unaligned_) {
      if (echo.prompt_tokens < 0)
        refuse("gives neither tokens that spell out the text nor their number (usage)");
      places[items_[i].context].push_back(i);
    }
    std::vector<Job> jobs;
    std::vector<const std::vector<size_t>*> users;
    for (const auto& [context, of] : places) {
      jobs.push_back(echo_job(items_[of.front()].id, context));
      users.push_back(&of);
    }
    send(
        jobs,
        [&](size_t job, const Echo& context) {
          for (size_t i : *users[job])
            done(i, sum(unaligned_.at(i), {static_cast<size_t>(std::max<int64_t>(context.prompt_tokens, 0)),
                                           static_cast<size_t>(unaligned_.at(i).prompt_tokens)}));
        },
        [&](size_t job, const Failure& failure) {
          for (size_t i : *users[job]) fail(i, failure.reason);
        });
  }

  [[noreturn]] void refuse(const std::string& lacks) const {
    fail_input(
        address_of(endpoint_, "/completions"), "the server " + lacks,
        "log-likelihood tasks need a server whose completions take echo and logprobs, as vLLM's do; or "
        "run the model here");
  }

  void done(size_t place, RemoteScore score) {
    scores_[place] = std::move(score);
    if (on_done_) on_done_(place, scores_[place]);
  }
  void fail(size_t place, const std::string& reason) { done(place, {0, 0, {}, reason}); }

  const Endpoint& endpoint_;
  const std::vector<RemoteScoreItem>& items_;
  const std::function<void(size_t, const RemoteScore&)>& on_done_;
  std::vector<RemoteScore> scores_;
  std::map<size_t, Echo> unaligned_;
};

}  // namespace

std::vector<RemoteScore> score(const Endpoint& endpoint, const std::vector<RemoteScoreItem>& items,
                               const std::function<void(size_t, const RemoteScore&)>& on_done) {
  for (const RemoteScoreItem& item : items)
    if (item.context.empty() || item.continuation.empty())
      fail_input(item.id, "has an empty context or continuation", "a server scores what follows a text");
  return Scoring(endpoint, items, on_done).run();
}

}  // namespace sdft
