#include "remote/completion.h"

#include <algorithm>

#include "remote/exchange.h"

namespace sdft {
namespace {

Json body_of(const RemoteRequest& request, const RemoteOptions& options) {
  Json body;
  const bool chat = !request.messages.empty();
  if (chat) {
    body["messages"] = Json::array();
    for (const RemoteMessage& message : request.messages)
      body["messages"].push_back({{"role", message.role}, {"content", message.content}});
  } else if (!request.prompt_ids.empty()) {
    body["prompt"] = request.prompt_ids;
  } else {
    body["prompt"] = request.prompt;
  }
  body["temperature"] = options.temperature;
  body["top_p"] = options.top_p;
  body["max_tokens"] = request.max_tokens.value_or(options.max_tokens);
  if (options.top_k > 0) body["top_k"] = options.top_k;
  if (!options.stop.empty()) body["stop"] = options.stop;
  if (const auto seed = request.seed ? request.seed : options.seed) body["seed"] = *seed;
  if (options.top_logprobs > 0 && chat) {
    body["logprobs"] = true;
    body["top_logprobs"] = options.top_logprobs;
  } else if (options.top_logprobs > 0) {
    body["logprobs"] = options.top_logprobs;
  }
  return body;
}

// The text of a choice, or what is wrong with it.
std::string read_text(const Json& choice, bool chat, std::string* text) {
  if (!chat) {
    if (!choice.contains("text") || !choice["text"].is_string()) return "has a choice without a text";
    *text = choice["text"].get<std::string>();
    return "";
  }
  if (!choice.contains("message") || !choice["message"].is_object()) return "has a choice without a message";
  const Json& message = choice["message"];
  if (message.contains("content") && message["content"].is_string()) {
    *text = message["content"].get<std::string>();
    return "";
  }
  if (message.contains("content") && !message["content"].is_null())
    return "has a message whose content is no text";
  if (message.contains("refusal") && message["refusal"].is_string()) {
    *text = message["refusal"].get<std::string>();
    return "";
  }
  // A thinking model that the limit stopped before its answer.
  for (const char* trace : {"reasoning_content", "reasoning"})
    if (message.contains(trace) && message[trace].is_string()) return "";
  return "has a message without a text";
}

void read_first_token(const Json& choice, std::vector<std::pair<std::string, double>>* first) {
  if (!choice.contains("logprobs") || !choice["logprobs"].is_object()) return;
  const Json& logprobs = choice["logprobs"];
  if (logprobs.contains("content") && logprobs["content"].is_array() && !logprobs["content"].empty()) {
    const Json& token = logprobs["content"][0];
    if (!token.is_object() || !token.contains("top_logprobs") || !token["top_logprobs"].is_array()) return;
    for (const Json& candidate : token["top_logprobs"])
      if (candidate.is_object() && candidate.contains("token") && candidate["token"].is_string() &&
          candidate.contains("logprob") && candidate["logprob"].is_number())
        first->emplace_back(candidate["token"].get<std::string>(), candidate["logprob"].get<double>());
  } else if (logprobs.contains("top_logprobs") && logprobs["top_logprobs"].is_array() &&
             !logprobs["top_logprobs"].empty() && logprobs["top_logprobs"][0].is_object()) {
    for (const auto& [token, value] : logprobs["top_logprobs"][0].items())
      if (value.is_number()) first->emplace_back(token, value.get<double>());
  }
}

std::string read_reply(const Json& reply, bool chat, RemoteCompletion* completion) {
  if (!reply.is_object() || !reply.contains("choices") || !reply["choices"].is_array())
    return "has no choices";
  if (reply["choices"].empty() || !reply["choices"][0].is_object()) return "has no choice";
  const Json& choice = reply["choices"][0];
  Answer& answer = completion->answer;
  if (std::string fault = read_text(choice, chat, &answer.text); !fault.empty()) return fault;
  answer.finish = choice.contains("finish_reason") && choice["finish_reason"].is_string()
                      ? choice["finish_reason"].get<std::string>()
                      : "stop";
  if (answer.finish == "content_filter") {
    answer.finish = kFailed;
    answer.error = "the server's content filter";
  } else if (answer.finish != "length") {
    answer.finish = "stop";
  }
  if (reply.contains("usage") && reply["usage"].is_object() && reply["usage"].contains("completion_tokens") &&
      fits<int64_t>(reply["usage"]["completion_tokens"]))
    answer.tokens = reply["usage"]["completion_tokens"].get<int64_t>();
  read_first_token(choice, &completion->first_token);
  return "";
}

void complete_kind(const Endpoint& endpoint, const std::vector<const RemoteRequest*>& requests, bool chat,
                   const RemoteOptions& options, const std::function<void(RemoteCompletion)>& on_done) {
  std::vector<Job> jobs;
  for (const RemoteRequest* request : requests) jobs.push_back({request->id, body_of(*request, options)});
  ExchangeCallbacks callbacks;
  callbacks.on_reply = [&](size_t job, const Json& reply) {
    RemoteCompletion completion{{requests[job]->id, "", "", 0}};
    std::string fault = read_reply(reply, chat, &completion);
    if (fault.empty()) on_done(std::move(completion));
    return fault;
  };
  callbacks.on_failure = [&](size_t job, const Failure& failure) {
    on_done({{requests[job]->id, "", failure.too_long ? "prompt_too_long" : kFailed, 0,
              failure.too_long ? "" : failure.reason}});
  };
  exchange(endpoint, chat ? "/chat/completions" : "/completions", jobs, callbacks);
}

}  // namespace

void complete(const Endpoint& endpoint, const std::vector<RemoteRequest>& requests,
              const RemoteOptions& options, const std::function<void(RemoteCompletion)>& on_done) {
  for (const bool chat : {true, false}) {
    std::vector<const RemoteRequest*> of_kind;
    for (const RemoteRequest& request : requests)
      if (request.messages.empty() != chat) of_kind.push_back(&request);
    if (!of_kind.empty()) complete_kind(endpoint, of_kind, chat, options, on_done);
  }
}

std::vector<Answer> answer_all(const Endpoint& endpoint, const std::vector<RemoteRequest>& requests,
                               const RemoteOptions& options, const std::filesystem::path& path,
                               const std::function<void(size_t)>& on_progress) {
  std::vector<std::string> ids;
  for (const RemoteRequest& request : requests) ids.push_back(request.id);
  AnswerFile file(path, ids);
  std::vector<RemoteRequest> open;
  for (size_t place : file.open()) open.push_back(requests[place]);
  size_t done = requests.size() - open.size();
  auto report = [&] {
    if (on_progress) on_progress(done);
  };
  report();
  complete(endpoint, open, options, [&](RemoteCompletion completion) {
    file.add(std::move(completion.answer));
    ++done;
    report();
  });
  return file.finish();
}

}  // namespace sdft
