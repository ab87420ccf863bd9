#include "train/checkpoint.h"

#include "base/error.h"
#include "base/json.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kFile = "checkpoint.safetensors";

// Keeps the lines of the steps that the checkpoint knows.
void cut_metrics(const fs::path& path, int64_t steps) {
  if (!fs::exists(path)) return;
  std::string kept;
  for_each_line(path, [&](std::string_view line, size_t number) {
    if (static_cast<int64_t>(number) <= steps) kept.append(line).append("\n");
  });
  write_file_atomic(path, kept);
}

fs::path best_path(const fs::path& dir, int64_t step) {
  return dir / ("best-" + std::to_string(step) + ".safetensors");
}

void restore(const SafetensorsFile& file, const std::string& stored, const fs::path& path, Tensor& to) {
  const Tensor from = file.get(stored);
  if (from.sizes() != to.sizes())
    fail_input(path.string(), "'" + stored + "' has another shape",
               "does it belong to another recipe? remove it to start anew");
  to.copy_(from);
}
}  // namespace

void save_checkpoint(const fs::path& dir, const AdamW& optimizer, const NamedTensors& more) {
  NamedTensors tensors = more;
  for (size_t i = 0; i < optimizer.parameters.size(); ++i) {
    const auto& [name, parameter] = optimizer.parameters[i];
    tensors.emplace_back(name, parameter);
    tensors.emplace_back(name + ".m", optimizer.m[i]);
    tensors.emplace_back(name + ".v", optimizer.v[i]);
  }
  write_safetensors(dir / kFile, tensors, {{"steps", std::to_string(optimizer.steps)}});
}

void load_checkpoint(const fs::path& dir, AdamW& optimizer, NamedTensors more) {
  at::NoGradGuard no_grad;
  const fs::path path = dir / kFile;
  if (!fs::exists(path)) return cut_metrics(dir / "metrics.jsonl", 0);
  SafetensorsFile file(path);
  auto steps = file.metadata().find("steps");
  if (steps == file.metadata().end()) fail_input(path.string(), "is no checkpoint of sdft");
  for (size_t i = 0; i < optimizer.parameters.size(); ++i) {
    auto& [name, parameter] = optimizer.parameters[i];
    restore(file, name, path, parameter);
    restore(file, name + ".m", path, optimizer.m[i]);
    restore(file, name + ".v", path, optimizer.v[i]);
  }
  for (auto& [name, tensor] : more) restore(file, name, path, tensor);
  optimizer.steps = std::stoll(steps->second);
  cut_metrics(dir / "metrics.jsonl", optimizer.steps);
}

void save_best(const fs::path& dir, const AdamW& optimizer) {
  write_safetensors(best_path(dir, optimizer.steps), optimizer.parameters, {});
}

void load_best(const fs::path& dir, int64_t step, AdamW& optimizer) {
  at::NoGradGuard no_grad;
  const fs::path path = best_path(dir, step);
  const SafetensorsFile file(path);
  for (auto& [name, parameter] : optimizer.parameters) restore(file, name, path, parameter);
}

void keep_best(const fs::path& dir, const std::set<int64_t>& steps) {
  std::set<fs::path> kept;
  for (const int64_t step : steps) kept.insert(best_path(dir, step).filename());
  std::vector<fs::path> others;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(dir, ignored)) {
    const fs::path name = entry.path().filename();
    if (name.string().rfind("best-", 0) == 0 && name.extension() == ".safetensors" && !kept.count(name))
      others.push_back(entry.path());
  }
  for (const fs::path& path : others) fs::remove(path, ignored);
}

void finish_training(const fs::path& dir) {
  std::error_code ignored;
  fs::remove(dir / kFile, ignored);
  keep_best(dir, {});
}

}  // namespace sdft
