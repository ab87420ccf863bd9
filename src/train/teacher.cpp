#include "train/teacher.h"

#include "base/error.h"

namespace sdft {

const std::vector<std::string>& teacher_kind_names() {
  static const std::vector<std::string> kNames = {"base", "live", "ema"};
  return kNames;
}

TeacherKind find_teacher_kind(const std::string& name) {
  return static_cast<TeacherKind>(place_of_choice(teacher_kind_names(), name, "teacher_model_kind"));
}

namespace {
NamedTensors tensors_of(const Adapter& adapter) {
  NamedTensors tensors;
  for (const auto& [name, pair] : adapter.pairs) {
    tensors.emplace_back("teacher." + name + ".lora_A", pair.a);
    tensors.emplace_back("teacher." + name + ".lora_B", pair.b);
    if (pair.magnitude.defined())
      tensors.emplace_back("teacher." + name + ".lora_magnitude_vector", pair.magnitude);
  }
  for (const auto& [name, weight] : adapter.replaced) tensors.emplace_back("teacher." + name, weight);
  return tensors;
}

NamedTensors tensors_of(Model model) {  // which shares them
  NamedTensors tensors;
  for (const auto& [name, tensor] : named_parameters(model)) tensors.emplace_back("teacher." + name, *tensor);
  return tensors;
}

NamedTensors tensors_of(ModelView view) {
  return view.adapter ? tensors_of(*view.adapter) : tensors_of(*view.weights);
}
}  // namespace

Teacher::Teacher(ModelView seed, ModelView student, const TeacherOptions& options)
    : kind_(find_teacher_kind(options.kind)), options_(options), seed_(seed) {
  if (kind_ != TeacherKind::kEma) return;
  if (student.adapter) {
    adapter_ = *student.adapter;
    for (auto& [name, pair] : adapter_.pairs) {
      pair.a = pair.a.detach().clone();
      pair.b = pair.b.detach().clone();
      if (pair.magnitude.defined()) pair.magnitude = pair.magnitude.detach().clone();
      if (pair.norm.defined()) pair.norm = pair.norm.clone();
    }
    for (auto& [name, weight] : adapter_.replaced) weight = weight.detach().clone();
    averaged_ = tensors_of(adapter_);
  } else {
    model_ = clone(*student.weights);
    averaged_ = tensors_of(model_);
  }
}

ModelView Teacher::view(ModelView student) const {
  if (kind_ == TeacherKind::kBase) return seed_;
  if (kind_ == TeacherKind::kLive) return student;
  return student.adapter ? ModelView(*student.weights, &adapter_) : ModelView(model_);
}

void Teacher::stepped(ModelView student, int64_t steps) {
  if (kind_ != TeacherKind::kEma || steps % options_.sync_steps != 0) return;
  at::NoGradGuard no_grad;
  const NamedTensors now = tensors_of(student);
  for (size_t i = 0; i < averaged_.size(); ++i)
    averaged_[i].second.lerp_(now[i].second.detach(), options_.update_rate);
  refresh_norms(*student.weights, adapter_);
}

NamedTensors Teacher::state() const {
  NamedTensors state = averaged_;
  for (const auto& [name, pair] : adapter_.pairs)
    if (pair.norm.defined()) state.emplace_back("teacher." + name + ".norm", pair.norm);
  return state;
}

}  // namespace sdft
