// What a model has said, by content: the same tokens asked in the same way are not asked twice, in whatever
// task and place they stand. One model (weights, adapter, number types) a cache; who makes it sees to that.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/file.h"
#include "infer/engine.h"
#include "infer/scorer.h"

namespace sdft {

// A JSONL file: {"key", "ids", "finish", "stop_token"} and {"key", "log_prob", "greedy", "count"}, each
// written as it comes (a killed run keeps what it had), sorted by key once tidy() was called. Not
// thread-safe.
class AnswerCache {
 public:
  // Reads what is there; the file is made with the first entry. Error(kInput) with the line that has no key;
  // what else is wrong with an entry is said when it is looked for.
  explicit AnswerCache(const std::filesystem::path& path);
  AnswerCache(AnswerCache&&) = default;

  // Of a request with these options, whose adapter does not count. Sampled ones are of one request id.
  std::optional<Completion> find(const Request& request, const RequestOptions& options) const;
  void add(const Request& request, const RequestOptions& options, const Completion& completion);

  std::optional<Score> find(const ScoreItem& item) const;  // without token_log_probs
  void add(const ScoreItem& item, const Score& score);

  // The same bytes whatever the order in which answers came.
  void tidy();

 private:
  const std::string* line_of(const std::string& key) const;
  void add_line(const std::string& key, const std::string& line);

  std::filesystem::path path_;
  std::map<std::string, std::string> lines_;  // by key
  bool tidy_ = true;
  std::optional<LineWriter> writer_;
};

}  // namespace sdft
