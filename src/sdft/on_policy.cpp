#include "sdft/on_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace sdft {
namespace {
struct Prompts {
  std::string id;
  std::vector<int32_t> student, teacher;
};

class Rollouts final : public BatchSource {
 public:
  Rollouts(std::function<ModelView()> writer, const Formatter& formatter,
           const std::vector<Example>& examples, const OnPolicyOptions& options)
      : writer_(std::move(writer)), options_(options), order_(examples.size()) {
    const PromptTemplate &bare = find_prompt_template(options.training_template),
                         &shown = find_prompt_template(options.teacher_template);
    for (const Example& example : examples)
      prompts_.push_back({example.id, prompt_ids(formatter, bare, example),
                          prompt_ids(formatter, shown, example, example.response)});
    check_lengths();
  }

  int64_t steps_per_epoch() const override {
    const auto count = static_cast<int64_t>(prompts_.size());
    return (count + options_.prompts_per_step - 1) / options_.prompts_per_step;
  }

  std::vector<const Sample*> batch(int64_t step) override {
    const std::vector<const Prompts*> chosen = prompts_of(step);
    std::vector<Request> requests;
    for (const Prompts* prompt : chosen)
      for (int64_t k = 0; k < options_.num_generations; ++k)
        requests.push_back({fmt::format("{} step {} answer {}", prompt->id, step, k),
                            options_.generate_from_teacher ? prompt->teacher : prompt->student});
    const std::vector<Completion> answers = generate(writer_(), requests, options_.generation);
    samples_.clear();
    for (size_t i = 0; i < answers.size(); ++i)
      samples_.push_back(sample_of(*chosen[i / static_cast<size_t>(options_.num_generations)], answers[i]));
    measure(answers);
    std::vector<const Sample*> batch;
    for (const Sample& sample : samples_) batch.push_back(&sample);
    return batch;
  }

  std::vector<std::pair<const char*, double>> metrics() const override {
    return {{"answer_length", length_}, {"answers_ended", ended_}};
  }

 private:
  void check_lengths() const {
    const auto context = static_cast<size_t>(writer_()->config.max_position_embeddings);
    std::string found;
    size_t count = 0;
    for (const Prompts& prompt : prompts_)
      if (std::max(prompt.student.size(), prompt.teacher.size()) >= context && ++count <= 10)
        found +=
            (found.empty() ? "" : ", ") + fmt::format("'{}' ({} tokens)", prompt.id,
                                                      std::max(prompt.student.size(), prompt.teacher.size()));
    if (count > 0)
      fail_input(
          "on_policy",
          fmt::format("{} prompts leave no room for an answer in the model's context of {} tokens, the "
                      "teacher's with the demonstration included: {}",
                      count, context, found),
          "leave these examples out, or shorten them");
  }

  std::vector<const Prompts*> prompts_of(int64_t step) {
    const int64_t epoch = step / steps_per_epoch();
    if (epoch != epoch_) {
      epoch_ = epoch;
      std::iota(order_.begin(), order_.end(), size_t{0});
      Random(options_.generation.seed, "epoch " + std::to_string(epoch)).shuffle(order_);
    }
    const auto per_step = static_cast<size_t>(options_.prompts_per_step);
    const size_t first = static_cast<size_t>(step % steps_per_epoch()) * per_step;
    std::vector<const Prompts*> chosen;
    for (size_t i = first; i < std::min(first + per_step, order_.size()); ++i)
      chosen.push_back(&prompts_[order_[i]]);
    return chosen;
  }

  // A teacher whose prompt is longer may have less room: then the answer is cut for both.
  Sample sample_of(const Prompts& prompt, const Completion& answer) const {
    std::vector<int32_t> written = answer.ids;
    if (answer.stop_token >= 0) written.push_back(answer.stop_token);
    const auto context = static_cast<size_t>(writer_()->config.max_position_embeddings);
    written.resize(
        std::min(written.size(), context - std::max(prompt.student.size(), prompt.teacher.size())));
    Sample sample;
    sample.id = prompt.id;
    sample.ids = prompt.student;
    sample.teacher_ids = prompt.teacher;
    sample.ids.insert(sample.ids.end(), written.begin(), written.end());
    sample.teacher_ids.insert(sample.teacher_ids.end(), written.begin(), written.end());
    const auto skipped = static_cast<size_t>(options_.num_loss_tokens_to_skip);
    sample.supervised.assign(sample.ids.size(), 0);
    for (size_t t = skipped; t < written.size(); ++t) sample.supervised[prompt.student.size() + t] = 1;
    const size_t learned = written.size() - std::min(written.size(), skipped);
    sample.weight = 1.0 / static_cast<double>(std::max<size_t>(1, learned));
    return sample;
  }

  void measure(const std::vector<Completion>& answers) {
    length_ = ended_ = 0;
    for (const Completion& answer : answers) {
      const auto share = 1.0 / static_cast<double>(answers.size());
      length_ += share * static_cast<double>(answer.ids.size() + (answer.stop_token >= 0));
      if (answer.finish == FinishReason::kStop) ended_ += share;
    }
  }

  std::function<ModelView()> writer_;
  OnPolicyOptions options_;
  std::vector<Prompts> prompts_;
  int64_t epoch_ = -1;
  std::vector<size_t> order_;  // of epoch_
  std::vector<Sample> samples_;
  double length_ = 0, ended_ = 0;  // of the newest answers
};
}  // namespace

std::unique_ptr<BatchSource> on_policy_data(std::function<ModelView()> writer, const Formatter& formatter,
                                            const std::vector<Example>& examples,
                                            const OnPolicyOptions& options) {
  return std::make_unique<Rollouts>(std::move(writer), formatter, examples, options);
}

}  // namespace sdft
