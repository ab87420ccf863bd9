// The teacher of self-distillation: the same model as the student, with weights of its own choosing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/lora.h"
#include "model/safetensors.h"

namespace sdft {

enum class TeacherKind {
  kBase,  // the seed: the weights before training
  kLive,  // the student itself, without gradient
  kEma,   // a moving average of the student
};
const std::vector<std::string>& teacher_kind_names();  // "base", "live", "ema", as TRL's teacher_model_kind
// Error(kUsage) for others.
TeacherKind find_teacher_kind(const std::string& name);

struct TeacherOptions {
  std::string kind = "base";  // teacher_kind_names()
  double update_rate = 0.05;  // of kEma: teacher += rate (student - teacher)
  int64_t sync_steps = 1;     // every so many steps
};

class Teacher {
 public:
  // seed: what training starts from; it must outlive the teacher, and does not change. A moving average
  // starts from the student's own parameters, at the first step.
  Teacher(ModelView seed, ModelView student, const TeacherOptions& options);

  ModelView view(ModelView student) const;
  void stepped(ModelView student, int64_t steps);
  NamedTensors state() const;  // with what follows from it, so that restoring it in place is enough

 private:
  TeacherKind kind_;
  TeacherOptions options_;
  ModelView seed_;
  Adapter adapter_;        // of kEma with an adapter
  Model model_;            // of kEma without
  NamedTensors averaged_;  // the tensors of either
};

}  // namespace sdft
