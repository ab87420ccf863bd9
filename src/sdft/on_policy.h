// The data of on-policy self-distillation (Shenfeld et al. 2026): in each step the student, as it is then,
// answers bare prompts; a teacher reads the same answers behind prompts that show the demonstration.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/prompt.h"
#include "infer/generator.h"
#include "train/batch.h"

namespace sdft {

struct OnPolicyOptions {
  std::string training_template = "chat";               // of the student's prompt
  std::string teacher_template = "chat_demonstration";  // of the teacher's, which shows the example's answer
  int64_t prompts_per_step = 8;
  int64_t num_generations = 1;          // answers to each prompt
  int64_t num_iterations = 1;           // steps that learn from the same answers, one after another
  int64_t num_loss_tokens_to_skip = 0;  // of each answer's beginning
  bool generate_from_teacher = false;   // the answers are written behind the teacher's prompt
  GenerateOptions generation;           // its seed also orders the prompts
};

// `writer` writes as it is when a step begins, and outlives it, as do formatter and examples. An EpochOrder
// of the examples. All prompts must leave room in the model's context (run/validate.cpp sees to it). An
// answer's tokens weigh together as much as another answer's. Metrics: answer_length, mean tokens, the stop
// token included; answers_ended, the share that ended by themselves.
std::unique_ptr<BatchSource> on_policy_data(ModelView writer, const Formatter& formatter,
                                            const std::vector<Example>& examples,
                                            const OnPolicyOptions& options);

}  // namespace sdft
