// A chat model of a few thousand random weights, its vocabulary and files: what tests of commands run on.
#pragma once

#include <filesystem>
#include <string>

namespace sdft::testing {

struct SmallModel {
  int layers = 2, width = 32, context = 192;
  int spare_rows = 0;  // of the embedding, without tokens
  unsigned seed = 1;
  bool chat_template = true;
};
// Writes a model folder: config.json, weights, tokenizer and chat template.
void write_small_model(const std::filesystem::path& dir, const SmallModel& options = {});
// Writes a PEFT folder with random A and B, strong enough that answers change.
void write_small_adapter(const std::filesystem::path& model_dir, const std::filesystem::path& dir);
// {"instruction", "output"} lines about adding two numbers.
std::string small_dataset(int examples, int first = 1);
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace sdft::testing
