// Ctrl-C and its like at any moment: exit code 130 and, gone on with, the same bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;

// Weights and metrics of a training, wherever in the folder they lie, by name.
std::map<std::string, std::string> results_in(const fs::path& dir) {
  std::map<std::string, std::string> results;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    const std::string name = entry.path().filename().string();
    if (name == "adapter_model.safetensors" || name == "model.safetensors")
      results[name] = read_text(entry.path());
    if (name != "metrics.jsonl") continue;
    for_each_line(entry.path(), [&](std::string_view line, size_t) {
      Json json = parse_json(line, name);
      json.erase("tokens_per_second");
      results[name] += json.dump() + "\n";
    });
  }
  return results;
}

struct Case {
  const char* finetuning_type;
  int threads;
};

class Interrupts : public ::testing::TestWithParam<Case> {
 protected:
  // A matrix product takes most of the time: the moment that counts is one within it.
  void SetUp() override {
    SmallModel model;
    model.layers = 3, model.width = 256;
    write_small_model(dir_ / "model", model);
    write_text(dir_ / "d.jsonl", small_dataset(64));
  }
  std::vector<std::string> command(const std::string& out) const {
    return {"train",
            "model_name_or_path=" + (dir_ / "model").string(),
            "dataset=" + (dir_ / "d.jsonl").string(),
            "output_dir=" + (dir_ / out).string(),
            std::string("finetuning_type=") + GetParam().finetuning_type,
            "threads=" + std::to_string(GetParam().threads),
            "num_train_epochs=4",
            "per_device_train_batch_size=8",
            "learning_rate=1e-3"};
  }
  // Trains until it is done; how often it was interrupted on the way, at random moments of so many seconds.
  int interrupted_training(double seconds, std::mt19937& random) {
    std::uniform_real_distribution<double> moment(0.2 * seconds, 0.7 * seconds);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    int interrupts = 0, early = 0;  // early: while the libraries were still being loaded
    for (;; ++interrupts) {
      Command running(command("stopped"));
      if (interrupts < 12 && !running.run_for(moment(random))) running.kill(signals[interrupts % 3]);
      const CommandResult result = running.wait();
      if (result.signal == signals[interrupts % 3] && ++early < 4) continue;
      EXPECT_EQ(result.signal, 0) << "after " << interrupts << " interrupts: " << result.err;
      if (result.exit_code == 0) return interrupts;
      EXPECT_EQ(result.exit_code, 130) << result.err;
      if (HasFailure()) return interrupts;
    }
  }
  ScratchDir dir_;
};

TEST_P(Interrupts, EachEndsWith130AndGoesOn) {
  const auto started = std::chrono::steady_clock::now();
  const CommandResult whole = run_command(command("whole"));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  std::mt19937 random(7);
  int interrupts = 0;
  // A machine that was busy and is not any more ends before the moment comes: then sooner.
  for (int tries = 0; interrupts == 0 && tries < 6; ++tries, seconds /= 2) {
    fs::remove_all(dir_ / "stopped");
    interrupts = interrupted_training(seconds, random);
  }
  EXPECT_GT(interrupts, 0);
  const auto expected = results_in(dir_ / "whole"), found = results_in(dir_ / "stopped");
  EXPECT_EQ(expected.size(), 2u);
  EXPECT_TRUE(expected == found);
}

INSTANTIATE_TEST_SUITE_P(Trainings, Interrupts,
                         ::testing::Values(Case{"lora", 1}, Case{"lora", 2}, Case{"full", 1},
                                           Case{"full", 2}),
                         [](const auto& test) {
                           return test.param.finetuning_type + std::to_string(test.param.threads);
                         });

TEST(Signals, WaitingForALineEnds) {
  ScratchDir dir;
  write_small_model(dir / "model");
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    int ends[2];  // a standard input that stays open
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const int kept = ::dup(0);
    ::dup2(ends[0], 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::execl(SDFT_BINARY, SDFT_BINARY, "tokenize", "--model", (dir / "model").c_str(), nullptr);
      ::_exit(127);
    }
    ::dup2(kept, 0), ::close(kept), ::close(ends[0]);
    ::usleep(1500000);
    ::kill(pid, signal);
    int status = 0;
    ::waitpid(pid, &status, 0);
    ::close(ends[1]);
    EXPECT_TRUE(WIFEXITED(status)) << signal;
    EXPECT_EQ(WEXITSTATUS(status), 130) << signal;
  }
}

// nohup's wish is obeyed.
TEST(Signals, AnIgnoredHangUpStaysIgnored) {
  ScratchDir dir;
  write_small_model(dir / "model");
  const auto before = std::signal(SIGHUP, SIG_IGN);
  Command command(
      {"generate", "--model", (dir / "model").string(), "--prompt", "a", "--max_new_tokens", "32"});
  std::signal(SIGHUP, before);
  command.run_for(0.2);
  command.kill(SIGHUP);
  EXPECT_EQ(command.wait().exit_code, 0);
}

}  // namespace
}  // namespace sdft::testing
