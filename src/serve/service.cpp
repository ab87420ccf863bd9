#include "serve/service.h"

#include <algorithm>
#include <random>

#include "base/comma_separated.h"
#include "base/error.h"
#include "infer/json_text.h"

namespace sdft::serve {

namespace {
constexpr int64_t kTypicalTokens = 2048;  // of a prompt with its answer: by these slots are counted
}

void Mailbox::put(Event event) {
  std::lock_guard<std::mutex> lock(mutex_);
  events_.push_back(std::move(event));
  changed_.notify_one();
}

void Mailbox::fail(const std::string& why) {
  std::lock_guard<std::mutex> lock(mutex_);
  failure_ = why;
  changed_.notify_one();
}

std::optional<Mailbox::Event> Mailbox::take(std::chrono::milliseconds longest) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, longest, [&] { return !events_.empty() || failure_; });
  if (events_.empty() && failure_) throw ApiError(503, *failure_);
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

Service::Service(const ModelBundle& bundle, const std::map<std::string, Adapter>& adapters,
                 const ServiceOptions& options)
    : bundle_(bundle), adapters_(adapters), options_(options) {
  models_.push_back("seed");
  std::filesystem::path dir = bundle.dir.lexically_normal();
  if (!dir.has_filename()) dir = dir.parent_path();  // a slash at the end
  folder_ = dir.filename().string();
  try {
    require_chat_template(bundle, "chat", "ask for completions");
  } catch (const Error& error) {
    chat_fault_ = error.what();
  }
  if (options_.batch_size == 0) options_.batch_size = useful_batch_size(bundle.model, kTypicalTokens);
  for (const auto& [name, adapter] : adapters) models_.push_back(name);
  thread_ = std::thread([this] { work(); });
}

Service::~Service() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
    stop_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

ModelView Service::model(const std::string& name) const {
  const auto found = adapters_.find(name);
  if (found == adapters_.end() && (name.empty() || name == models_.front() || name == folder_))
    return bundle_.base();
  if (found == adapters_.end())
    throw ApiError(404, "the model '" + name.substr(0, 200) + "' is not served; there are " + joined(models_),
                   "model", "model_not_found");
  return {bundle_.model, &found->second};
}

RequestOptions Service::options_for(const Wishes& wishes, const std::string& model,
                                    size_t prompt_tokens) const {
  const int64_t context = bundle_.config.max_position_embeddings,
                left = context - static_cast<int64_t>(prompt_tokens);
  if (left < 1)
    throw ApiError(400,
                   "the prompt has " + std::to_string(prompt_tokens) +
                       " tokens, which fill the model's context of " + std::to_string(context),
                   "messages", "context_length_exceeded");
  RequestOptions options = generate_options(bundle_);
  options.adapter = this->model(model).adapter;
  options.max_new_tokens = left;
  options.seed = std::random_device()();
  wishes.apply(&options);
  if (wishes.json_object) {
    if (options.stop_ids.empty())
      throw ApiError(400, "this model has no token that ends an answer", "response_format");
    std::call_once(pieces_made_, [&] { pieces_ = token_pieces(bundle_.tokenizer); });
    options.constraints.json_pieces = pieces_;
  }
  options.max_new_tokens = std::min(options.max_new_tokens, left);
  if (const auto problems = problems_of(options); !problems.empty()) throw ApiError(400, problems.front());
  return options;
}

// Makes an engine where there is none, and works while something is open.
void Service::work() {
  for (;;) {
    Engine* engine = nullptr;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return ending_ || !open_.empty(); });
      if (ending_) break;
      engine = engine_.get();
    }
    std::string failure;
    try {
      engine->run();
      continue;
    } catch (const std::exception& error) {
      failure = error.what();
    }
    // An engine that failed is spent, and with it what it was answering.
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [number, mailbox] : open_)
      if (const auto there = mailbox.lock()) there->fail(ending_ ? "the server is ending" : failure);
    figures_.open = 0;
    open_.clear();
    engine_.reset();
  }
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [number, mailbox] : open_)
    if (const auto there = mailbox.lock()) there->fail("the server is ending");
  open_.clear();
}

void Service::check_room(int64_t requests) {
  if (requests > options_.most_waiting)
    throw ApiError(400, "asks for " + std::to_string(requests) +
                            " answers at once, of which this server takes " +
                            std::to_string(options_.most_waiting));
  if (figures_.open + requests <= options_.most_waiting) return;
  figures_.refused++;
  throw ApiError(429, "too many requests wait already; ask again later");
}

void Service::require_room(int64_t requests) {
  std::lock_guard<std::mutex> lock(mutex_);
  check_room(requests);
}

void Service::require_chat() const {
  if (!chat_fault_.empty()) throw ApiError(400, chat_fault_, "messages");
}

// For the answer in this place of a call.
RequestCallbacks Service::callbacks_for(const std::shared_ptr<Mailbox>& mailbox, size_t place, bool scored) {
  RequestCallbacks callbacks;
  const auto score = std::make_shared<std::optional<TokenScore>>();  // of the token that comes next
  if (scored) callbacks.on_score = [score](const TokenScore& newest) { *score = newest; };
  const auto began = std::chrono::steady_clock::now();
  callbacks.on_token = [this, mailbox, score, place, began, first = true](int32_t token) mutable {
    if (first) {
      std::lock_guard<std::mutex> lock(mutex_);
      figures_.first_token_seconds +=
          std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
      figures_.first_tokens++;
      first = false;
    }
    mailbox->put({place, token, std::move(*score)});
    return true;
  };
  callbacks.on_done = [this, mailbox, place](const Completion& completion) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      open_.erase(completion.index);
      figures_.open--;
      figures_.cancelled += completion.finish == FinishReason::kCancelled;
      figures_.new_tokens += static_cast<int64_t>(completion.ids.size());
    }
    mailbox->put({place, 0, std::nullopt, completion});  // last: who has an answer finds its room free
  };
  return callbacks;
}

std::unique_ptr<Service::Call> Service::begin(std::vector<Asked> asked) {
  auto mailbox = std::make_shared<Mailbox>();
  std::vector<size_t> numbers;
  std::lock_guard<std::mutex> lock(mutex_);
  if (ending_) throw ApiError(503, "the server is ending");
  check_room(static_cast<int64_t>(asked.size()));
  if (!engine_) {
    EngineOptions engine;
    engine.batch_size = options_.batch_size;
    engine.in_order = true;  // first come, first served
    engine.tokenizer = &bundle_.tokenizer;
    engine.stop = &stop_;
    engine_ = std::make_unique<Engine>(bundle_.model, engine);
  }
  for (size_t i = 0; i < asked.size(); ++i) {
    const auto tokens = static_cast<int64_t>(asked[i].request.prompt.size());
    try {
      const size_t number = engine_->submit(std::move(asked[i].request), asked[i].options,
                                            callbacks_for(mailbox, i, asked[i].options.top_logprobs >= 0));
      numbers.push_back(number);
      open_[number] = mailbox;
    } catch (const Error& error) {  // options or tokens that the engine refuses
      for (const size_t number : numbers) engine_->cancel(number);
      changed_.notify_all();
      throw ApiError(400, error.what());
    }
    figures_.open++;
    figures_.requests++;
    figures_.prompt_tokens += tokens;
  }
  changed_.notify_all();
  return std::make_unique<Call>(*this, std::move(numbers), std::move(mailbox));
}

// A later engine may have given the same numbers to others.
void Service::cancel(const std::vector<size_t>& requests, const std::shared_ptr<Mailbox>& mailbox) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const size_t number : requests) {
    const auto found = open_.find(number);
    if (engine_ && found != open_.end() && found->second.lock() == mailbox) engine_->cancel(number);
  }
}

Service::Call::~Call() { service_.cancel(requests_, mailbox_); }

Figures Service::figures() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return figures_;
}

}  // namespace sdft::serve
