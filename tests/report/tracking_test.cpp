// metrics.jsonl as TensorBoard and Transformers read it: a small reader of event files here; theirs are asked
// by tools/check-trackers.
#include "report/tracking.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "testing.h"

namespace sdft::report {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMetrics =
    R"({"step":1,"epoch":0.5,"loss":2.5,"learning_rate":0.1,"tokens_per_second":77,"kl_task":null,"fault":""})"
    "\n"
    R"({"step":300,"epoch":1.0,"loss":1.5,"learning_rate":0.05,"tokens_per_second":78,"validation_loss":1.25})"
    "\n";

struct Tracking : ::testing::Test {
  testing::ScratchDir dir;
  std::vector<Json> history(const std::string& metrics) {
    write_file_atomic(dir / "metrics.jsonl", metrics);
    return log_history(dir / "metrics.jsonl");
  }
};

uint64_t number_at(const std::string& bytes, size_t at, int size) {
  uint64_t value = 0;
  for (int i = 0; i < size; ++i) value |= uint64_t{static_cast<unsigned char>(bytes.at(at + i))} << 8 * i;
  return value;
}

TEST_F(Tracking, AHistoryIsTransformers) {
  EXPECT_EQ(Json(history(kMetrics)).dump(), R"([{"epoch":0.5,"loss":2.5,"learning_rate":0.1,"step":1},)"
                                            R"({"epoch":1.0,"loss":1.5,"learning_rate":0.05,"step":300},)"
                                            R"({"eval_loss":1.25,"epoch":1.0,"step":300}])");
}

// The bytes of the messages are as protobuf writes them.
TEST_F(Tracking, EventsAreRecords) {
  const std::string file = event_file(history(kMetrics));
  std::vector<std::string> records;
  for (size_t at = 0; at < file.size();) {
    const size_t length = number_at(file, at, 8);
    records.push_back(file.substr(at + 12, length));
    at += 16 + length;
    ASSERT_LE(at, file.size());
  }
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0], std::string("\x09\0\0\0\0\0\0\0\0\x10\0\x1a\x0d", 13) + "brain.Event:2");
  // wall_time 300.0, step 300 in two bytes, summary: value: tag "eval/loss", simple_value 1.25
  EXPECT_EQ(records[3], std::string("\x09\0\0\0\0\0\xc0\x72\x40\x10\xac\x02\x2a\x12\x0a\x10\x0a\x09", 18) +
                            "eval/loss" + std::string("\x15\0\0\xa0\x3f", 5));
  EXPECT_THAT(records[1], HasSubstr("train/learning_rate"));
  EXPECT_THAT(records[1], ::testing::Not(HasSubstr("tokens_per_second")));
}

TEST_F(Tracking, TheStateIsThatOfTheLastStep) {
  const Json state = trainer_state(history(kMetrics), {400, 1.5, 2, 0, 100});
  EXPECT_EQ(state["global_step"], 300);
  EXPECT_EQ(state["max_steps"], 400);
  EXPECT_EQ(state["num_train_epochs"], 2);
  EXPECT_EQ(state["epoch"], 1.0);
  EXPECT_EQ(state["best_metric"], 1.25);
  EXPECT_EQ(state["log_history"].size(), 3u);
  EXPECT_TRUE(trainer_state({}, {})["best_metric"].is_null());
}

TEST_F(Tracking, ABadLineIsNamed) {
  for (const char* bad : {"{\"loss\":1}\n", "[]\n", "{\"step\":\n", "{\"step\":1.5}\n"}) {
    try {
      history(bad);
      FAIL() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr("metrics.jsonl:1"));
    }
  }
}

TEST_F(Tracking, TheSameMetricsAreTheSameBytes) {
  history(kMetrics);
  write_tracking(dir.path(), {});
  const std::string first = read_text(dir / "events.out.tfevents.0"),
                    state = read_text(dir / "trainer_state.json");
  std::string other = kMetrics;
  other.replace(other.find(":77"), 3, ":12");  // another machine's speed
  history(other);
  write_tracking(dir.path(), {});
  EXPECT_EQ(read_text(dir / "events.out.tfevents.0"), first);
  EXPECT_EQ(read_text(dir / "trainer_state.json"), state);
}

}  // namespace
}  // namespace sdft::report
