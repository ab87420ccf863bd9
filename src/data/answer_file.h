// Answers to many prompts in a JSONL file, kept as they come, so that a killed run goes on where it was. Who
// answers (the engine, a server) is the caller's matter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/file.h"

namespace sdft {

inline constexpr const char* kFailed = "failed";  // Answer::finish where nobody answered

struct Answer {
  std::string id;
  std::string text;
  std::string
      finish;  // why it ended: "stop", "limit", ...; or kFailed: there is no answer, and it is no wrong one
  int64_t tokens = 0;      // that were written, without a stop token
  std::string error = {};  // of kFailed: why
};

// {"id", "text", "finish", "tokens"}, of a failed one "error", too.
std::string line_of(const Answer& answer);
// The answers of a file, also of one that is still written. Error(kInput) with the line.
std::vector<Answer> read_answers(const std::filesystem::path& path);

// Lines of answers in PATH in the order of `ids` (which must differ); while they come they stand in PATH.part
// in the order in which they end. What failed is open again for the next who asks. One thread at a time.
class AnswerFile {
 public:
  // Reads what is there. Error(kInput) where the file belongs to other prompts.
  AnswerFile(const std::filesystem::path& path, std::vector<std::string> ids);
  // Places, in the order of the ids, whose answers are not there yet.
  const std::vector<size_t>& open() const { return open_; }
  // Appends to PATH.part. The id must be one of the open ones.
  void add(Answer answer);
  // Writes PATH from all answers, which have to be there, and removes PATH.part. Nothing where nothing was
  // open.
  std::vector<Answer> finish();

 private:
  void take(const std::filesystem::path& from);
  std::filesystem::path path_, part_;
  std::vector<std::string> ids_;
  std::unordered_map<std::string, size_t> places_;
  std::vector<Answer> answers_;
  std::vector<size_t> open_;
  std::optional<LineWriter> lines_;
};

}  // namespace sdft
