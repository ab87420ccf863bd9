// The loss of on-policy self-distillation (Shenfeld et al. 2026, arXiv 2601.19897): on answers that the
// student wrote, its distributions against a teacher's that reads another prompt.
#pragma once

#include <memory>
#include <string>

#include "train/objective.h"
#include "train/teacher.h"

namespace sdft {

// Names as in TRL's SDFTConfig.
struct DistillationOptions {
  std::string mode = "full_logits";  // distillation_modes()
  double alpha = 0;                  // of divergence(); sampled_token: 1 alone
  int64_t topk = 20;
  std::string topk_of = "student";  // or "teacher": whose likeliest tokens are compared
  bool add_tail = false;            // all other tokens as one more; else the k are made to sum to 1
  double entry_clip = 0;            // limit of a single token's term in a divergence; 0: none
  double is_clip = 2;  // limit of the importance ratio, p(sampled) now / when it was written; 0: no ratio
  TeacherOptions teacher;
};
const std::vector<std::string>& distillation_modes();  // "full_logits", "topk_logits", "sampled_token"

// Of the student's and the teacher's log-probabilities [n, V] and the sampled tokens [n] -> [n]; any
// floating-point type. sampled_token is not the divergence, but has the gradient of the reverse KL's
// one-sample estimate.
Tensor distillation_loss(const Tensor& student, const Tensor& teacher, const Tensor& sampled,
                         const DistillationOptions& options);
// What a row's loss is multiplied with where answers are learned more than once: p(sampled) / its probability
// when it was written [n], at most is_clip; no gradient.
Tensor importance_ratio(const Tensor& student, const Tensor& sampled, const Tensor& rollout_log_probs,
                        double is_clip);

// Samples need teacher_ids. Error(kUsage) for impossible options; seed, student: see Teacher.
std::unique_ptr<Objective> make_distillation(ModelView seed, ModelView student,
                                             const DistillationOptions& options);

}  // namespace sdft
