// The public API (include/sdft/sdft.h) on top of the modules.
#include <algorithm>

#include "base/interrupt.h"
#include "infer/model_bundle.h"
#include "infer/scorer.h"
#include "run/run.h"
#include "sdft/sdft.h"
#include "tensor/failure.h"

namespace sdft::api {
namespace fs = std::filesystem;

struct ChatModel::Impl {
  ModelBundle bundle;
  int threads;
  bool use_adapter = true;  // which there may be none of

  Impl(const fs::path& dir, int threads_of_each_call) : bundle(dir), threads(threads_of_each_call) {}
  ModelView view() const { return use_adapter ? bundle.with_adapter() : bundle.base(); }
};

namespace {
static_assert(AnswerOptions{}.max_new_tokens == kMaxNewTokens, "one default");

const char* role_at(size_t index) { return index % 2 == 0 ? "user" : "assistant"; }

// The last message is the question, or, where it is an assistant's, the response.
Example example_of(const Conversation& conversation, size_t index) {
  Example example;
  example.id = std::to_string(index);
  const size_t begin = !conversation.empty() && conversation[0].role == "system" ? 1 : 0;
  if (begin == 1) example.system = conversation[0].content;
  for (size_t i = begin; i < conversation.size(); ++i)
    if (conversation[i].role != role_at(i - begin))
      fail_usage("conversation " + example.id + ": message " + std::to_string(i) + " is of role '" +
                     conversation[i].role + "', expected '" + role_at(i - begin) + "'",
                 "user and assistant take turns, behind at most one system message");
  const size_t turns = (conversation.size() - begin + 1) / 2;
  if (turns == 0) fail_usage("conversation " + example.id + " has no message of a user");
  for (size_t turn = 0; turn < turns; ++turn) {
    const size_t at = begin + 2 * turn;
    const std::string response = at + 1 < conversation.size() ? conversation[at + 1].content : "";
    if (turn + 1 < turns) {
      example.history.push_back({conversation[at].content, response});
    } else {
      example.instruction = conversation[at].content;
      example.response = response;
    }
  }
  return example;
}

void require_last(const Conversation& conversation, size_t index, const char* role) {
  if (conversation.empty() || conversation.back().role != role)
    fail_usage("conversation " + std::to_string(index) + " does not end with a message of role '" + role +
               "'");
}

// Whatever is thrown below, as the Error that a command would show.
template <typename Work>
auto with_errors(const Work& work) {
  try {
    return work();
  } catch (...) {
    throw current_failure();
  }
}

// Earlier answers, which training would learn, are context here.
void keep_last_answer(std::vector<uint8_t>& supervised) {
  auto last = std::find(supervised.rbegin(), supervised.rend(), uint8_t{1});
  std::fill(std::find(last, supervised.rend(), uint8_t{0}), supervised.rend(), uint8_t{0});
}
}  // namespace

ChatModel::ChatModel(const fs::path& dir, const ChatModelOptions& options) {
  with_errors([&] {
    set_num_threads(options.threads);
    impl_ = std::make_unique<Impl>(dir, options.threads);
    load_weights(impl_->bundle, {options.device, options.dtype, false, options.weights}, options.adapter);
  });
}
ChatModel::~ChatModel() = default;
ChatModel::ChatModel(ChatModel&&) noexcept = default;
ChatModel& ChatModel::operator=(ChatModel&&) noexcept = default;

void ChatModel::use_adapter(bool on) { impl_->use_adapter = on; }

std::vector<Answer> ChatModel::answer(const std::vector<Conversation>& conversations,
                                      const AnswerOptions& options) const {
  return with_errors([&] {
    const ModelBundle& bundle = impl_->bundle;
    set_num_threads(impl_->threads);  // OpenMP has a number for each thread that calls
    std::vector<Request> requests;
    for (size_t i = 0; i < conversations.size(); ++i) {
      require_last(conversations[i], i, "user");
      const Example example = example_of(conversations[i], i);
      requests.push_back({example.id, prompt_ids(bundle.formatter, find_prompt_template("chat"), example)});
    }
    GenerateOptions generation = generate_options(bundle);
    generation.sampling = {options.temperature, options.top_k, options.top_p, options.repetition_penalty};
    generation.max_new_tokens = options.max_new_tokens;
    generation.seed = options.seed;
    generation.stop = &interrupted;
    std::vector<Answer> answers;
    for (const Completion& completion : generate(impl_->view(), requests, generation))
      answers.push_back(
          {bundle.tokenizer.decode(completion.ids), name_of(completion.finish), completion.ids.size()});
    return answers;
  });
}

std::vector<LogLikelihood> ChatModel::score(const std::vector<Conversation>& conversations) const {
  return with_errors([&] {
    const ModelBundle& bundle = impl_->bundle;
    set_num_threads(impl_->threads);
    std::vector<ScoreItem> items;
    for (size_t i = 0; i < conversations.size(); ++i) {
      require_last(conversations[i], i, "assistant");
      Sample sample =
          training_sample(bundle.formatter, find_prompt_template("chat"), example_of(conversations[i], i), 0);
      keep_last_answer(sample.supervised);
      items.push_back({std::move(sample.ids), std::move(sample.supervised)});
    }
    ScoreOptions scoring;
    scoring.stop = &interrupted;
    std::vector<LogLikelihood> result;
    for (const Score& one : sdft::score(impl_->view(), items, scoring))
      result.push_back({one.log_prob, one.count});
    return result;
  });
}

std::string run(const fs::path& recipe, const std::vector<std::string>& settings) {
  return with_errors([&] {
    RunOptions options;
    options.stop = &interrupted;
    options.progress = false;
    return run_recipe(read_recipe(recipe, settings), kAllStages, options);
  });
}

void interrupt(bool on) {
  if (on)
    request_interrupt();
  else
    forget_interrupt();
}

}  // namespace sdft::api
