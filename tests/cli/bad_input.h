// Commands on a small model and data that a test spoils.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    write_small_model(dir_ / "model");
    write_text(dir_ / "d.jsonl", small_dataset(6));
  }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  std::string file(const std::string& name, const std::string& text) {
    write_text(dir_ / name, text);
    return path(name);
  }
  CommandResult generate(const std::string& model) {
    return run_command(
        {"generate", "--model", path(model), "--prompt", "What is 1 plus 2?", "--max_new_tokens", "4"});
  }
  CommandResult train(const std::string& data, std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"train", "--model_name_or_path", path("model"), "--dataset",
                                     data,    "--output_dir",         path("out"),   "--num_train_epochs",
                                     "1"};
    args.insert(args.end(), more.begin(), more.end());
    return run_command(args);
  }
  ScratchDir dir_;
};

// An error of the input that names all of these.
inline void expect_input_error(const CommandResult& result, const std::vector<std::string>& parts) {
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, ::testing::HasSubstr("sdft: error: "));
  for (const std::string& part : parts) EXPECT_THAT(result.err, ::testing::HasSubstr(part));
}

inline void expect_usage_error(const CommandResult& result, const std::vector<std::string>& parts) {
  EXPECT_EQ(result.exit_code, 2) << result.err;
  for (const std::string& part : parts) EXPECT_THAT(result.err, ::testing::HasSubstr(part));
}

}  // namespace sdft::testing
