#include "report/tracking.h"

#include <cmath>
#include <cstring>

#include "base/file.h"

namespace sdft::report {
namespace fs = std::filesystem;

namespace {
// CRC-32C (Castagnoli, reflected), masked as TFRecords have it: of data that holds sums a plain one is weak.
uint32_t masked_crc(const std::string& data) {
  uint32_t crc = ~0u;
  for (const char c : data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

std::string little_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i & 0xff);
  return text;
}

std::string record(const std::string& data) {
  const std::string length = little_endian(data.size(), 8);
  return length + little_endian(masked_crc(length), 4) + data + little_endian(masked_crc(data), 4);
}

// --- Protocol buffers: a field is its number and kind, then its value ---
enum Wire { kVarint = 0, kEight = 1, kBytes = 2, kFour = 5 };

std::string varint(uint64_t value) {
  std::string text;
  for (; value > 127; value >>= 7) text += static_cast<char>((value & 127) | 128);
  return text + static_cast<char>(value);
}
std::string field(int number, Wire wire, const std::string& value) {
  return varint(static_cast<uint64_t>(number) << 3 | wire) + value;
}
std::string bytes_field(int number, const std::string& value) {
  return field(number, kBytes, varint(value.size()) + value);
}
std::string double_field(int number, double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return field(number, kEight, little_endian(bits, 8));
}
std::string float_field(int number, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return field(number, kFour, little_endian(bits, 4));
}

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5. Summary: value = 1, repeated; of it tag = 1,
// simple_value = 2.
std::string event(int64_t step, const std::string& content) {
  return record(double_field(1, static_cast<double>(step)) +
                field(2, kVarint, varint(static_cast<uint64_t>(step))) + content);
}

std::string tag_of(const std::string& name) {
  return name.rfind("eval_", 0) == 0 ? "eval/" + name.substr(5) : "train/" + name;
}
}  // namespace

std::vector<Json> log_history(const fs::path& metrics) {
  std::vector<Json> history;
  for_each_line(metrics, [&](std::string_view line, size_t number) {
    const std::string where = metrics.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    const auto step = require<int64_t>(json, "step", where);
    Json train = Json::object(), eval;
    for (const auto& [name, value] : json.items()) {
      if (!value.is_number() || name == "step" || name == "tokens_per_second") continue;
      if (name == "validation_loss")
        eval = {{"eval_loss", value}};
      else
        train[name] = value;
    }
    train["step"] = step;
    history.push_back(train);
    if (eval.is_null()) return;
    if (train.contains("epoch")) eval["epoch"] = train["epoch"];
    eval["step"] = step;
    history.push_back(eval);
  });
  return history;
}

std::string event_file(const std::vector<Json>& log_history) {
  std::string file = event(0, bytes_field(3, "brain.Event:2"));
  for (const Json& entry : log_history) {
    std::string summary;
    for (const auto& [name, value] : entry.items())
      if (name != "step" && (name != "epoch" || !entry.contains("eval_loss")))
        summary += bytes_field(1, bytes_field(1, tag_of(name)) + float_field(2, value.get<float>()));
    file += event(entry.at("step").get<int64_t>(), bytes_field(5, summary));
  }
  return file;
}

Json trainer_state(const std::vector<Json>& log_history, const TrainingFacts& facts) {
  Json best, last = {{"step", 0}, {"epoch", 0.0}};
  for (const Json& entry : log_history) {
    last.update(entry);
    if (entry.contains("eval_loss") && (best.is_null() || entry["eval_loss"] < best))
      best = entry["eval_loss"];
  }
  // Without best_global_step, which older versions of Transformers refuse.
  return {{"epoch", last["epoch"]},
          {"global_step", last["step"]},
          {"max_steps", facts.max_steps},
          {"logging_steps", 1},
          {"eval_steps", facts.eval_steps},
          {"save_steps", facts.save_steps},
          {"train_batch_size", facts.train_batch_size},
          {"num_train_epochs", static_cast<int64_t>(std::ceil(facts.num_train_epochs))},
          {"num_input_tokens_seen", 0},
          {"total_flos", 0.0},
          {"best_metric", best},
          {"best_model_checkpoint", nullptr},
          {"is_local_process_zero", true},
          {"is_world_process_zero", true},
          {"is_hyper_param_search", false},
          {"trial_name", nullptr},
          {"trial_params", nullptr},
          {"stateful_callbacks", Json::object()},
          {"log_history", log_history}};
}

void write_tracking(const fs::path& dir, const TrainingFacts& facts) {
  const std::vector<Json> history = log_history(dir / "metrics.jsonl");
  write_file_atomic(dir / "events.out.tfevents.0", event_file(history));  // known to readers by "tfevents"
  write_json(dir / "trainer_state.json", trainer_state(history, facts));
}

}  // namespace sdft::report
