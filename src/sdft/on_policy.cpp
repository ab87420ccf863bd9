#include "sdft/on_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace sdft {
namespace {
struct Prompts {
  std::string id;
  double weight;  // the example's
  std::vector<int32_t> student, teacher;
};

class Rollouts final : public BatchSource {
 public:
  Rollouts(ModelView writer, const Formatter& formatter, const std::vector<Example>& examples,
           const OnPolicyOptions& options)
      : writer_(writer),
        options_(options),
        order_(examples.size(), options.prompts_per_step, options.generation.seed) {
    const PromptTemplate &bare = find_prompt_template(options.training_template),
                         &shown = find_prompt_template(options.teacher_template);
    for (const Example& example : examples)
      prompts_.push_back({example.id, example.weight, prompt_ids(formatter, bare, example),
                          prompt_ids(formatter, shown, example, example.response)});
  }

  int64_t steps_per_epoch() const override { return order_.steps_per_epoch() * options_.num_iterations; }

  // The answers were written by the model as it was when their first step began.
  bool resumable_at(int64_t step) const override { return step % options_.num_iterations == 0; }

  std::vector<const Sample*> batch(int64_t step) override {
    if (resumable_at(step)) write(step / options_.num_iterations);
    std::vector<const Sample*> batch;
    for (const Sample& sample : samples_) batch.push_back(&sample);
    return batch;
  }

  std::vector<std::pair<const char*, double>> metrics() const override {
    return {{"answer_length", length_}, {"answers_ended", ended_}};
  }

 private:
  void write(int64_t round) {
    std::vector<const Prompts*> asked;  // one an answer
    std::vector<Request> requests;
    for (const size_t place : order_.of_step(round))
      for (int64_t k = 0; k < options_.num_generations; ++k) {
        const Prompts& prompt = prompts_[place];
        asked.push_back(&prompt);
        requests.push_back({fmt::format("{} step {} answer {}", prompt.id, round, k),
                            options_.generate_from_teacher ? prompt.teacher : prompt.student});
      }
    const std::vector<Completion> answers = generate(writer_, requests, options_.generation);
    samples_.clear();
    for (size_t i = 0; i < answers.size(); ++i) samples_.push_back(sample_of(*asked[i], answers[i]));
    if (options_.num_iterations > 1)
      for (Sample& sample : samples_) note_log_probs(sample);
    measure(answers);
  }

  void note_log_probs(Sample& sample) const {
    const Tensor log_probs = target_log_probs(writer_, micro_batches({&sample}, 1, writer_->device)[0]);
    const Tensor values = log_probs.to(at::kCPU, at::kFloat).contiguous();
    sample.rollout_log_probs.assign(values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
  }

  // A teacher whose prompt is longer may have less room: then the answer is cut for both.
  Sample sample_of(const Prompts& prompt, const Completion& answer) const {
    std::vector<int32_t> written = answer.written();
    const auto context = static_cast<size_t>(writer_->config.max_position_embeddings);
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
    sample.weight = prompt.weight / static_cast<double>(std::max<size_t>(1, learned));
    return sample;
  }

  void measure(const std::vector<Completion>& answers) {
    length_ = ended_ = 0;
    for (const Completion& answer : answers) {
      const auto share = 1.0 / static_cast<double>(answers.size());
      length_ += share * static_cast<double>(answer.written().size());
      if (answer.finish == FinishReason::kStop) ended_ += share;
    }
  }

  ModelView writer_;
  OnPolicyOptions options_;
  std::vector<Prompts> prompts_;
  EpochOrder order_;
  std::vector<Sample> samples_;
  double length_ = 0, ended_ = 0;  // of the newest answers
};
}  // namespace

std::unique_ptr<BatchSource> on_policy_data(ModelView writer, const Formatter& formatter,
                                            const std::vector<Example>& examples,
                                            const OnPolicyOptions& options) {
  return std::make_unique<Rollouts>(writer, formatter, examples, options);
}

}  // namespace sdft
