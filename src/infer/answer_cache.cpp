#include "infer/answer_cache.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/json.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// All that decides an answer beside the model, as text.
std::string key_of(const Request& request, const RequestOptions& options) {
  const SamplingOptions& s = options.sampling;
  const Constraints& c = options.constraints;
  std::string text =
      fmt::format("answer {} {} {} {} | {} | {} | {} {} | {} | {} {} {} |", s.temperature, s.top_k, s.top_p,
                  s.repetition_penalty, options.max_new_tokens, fmt::join(options.stop_ids, ","),
                  fmt::join(c.suppress_tokens, ","), fmt::join(c.begin_suppress_tokens, ","), c.bad_words_ids,
                  c.no_repeat_ngram_size, c.min_new_tokens, c.min_length);
  text += Json(c.stop_strings).dump(-1, ' ', false, Json::error_handler_t::replace);
  if (!s.greedy()) text += fmt::format(" {} {}", options.seed, request.id);
  return sha256(text + fmt::format(" | {}", fmt::join(request.prompt, ",")));
}

std::string key_of(const ScoreItem& item) {
  return sha256(fmt::format("score {} | {}", fmt::join(item.ids, ","), fmt::join(item.supervised, ",")));
}

FinishReason reason_of(const std::string& name, const std::string& where) {
  for (const FinishReason reason :
       {FinishReason::kStop, FinishReason::kLength, FinishReason::kContext, FinishReason::kPromptTooLong})
    if (name == name_of(reason)) return reason;
  fail_input(where, "'finish' is '" + name + "'");
}
}  // namespace

AnswerCache::AnswerCache(const fs::path& path) : path_(path) {
  std::error_code none;
  if (!fs::exists(path_, none)) return;
  for_each_line(path_, [&](std::string_view line, size_t number) {
    const std::string where = path_.string() + ":" + std::to_string(number);
    auto key = require<std::string>(parse_json(line, where), "key", where);
    tidy_ &= lines_.empty() || lines_.rbegin()->first < key;
    lines_.insert_or_assign(std::move(key), std::string(line));
  });
}

const std::string* AnswerCache::line_of(const std::string& key) const {
  const auto found = lines_.find(key);
  return found == lines_.end() ? nullptr : &found->second;
}

void AnswerCache::add_line(const std::string& key, const std::string& line) {
  if (!lines_.emplace(key, line).second) return;
  if (!writer_) writer_.emplace(path_);
  writer_->write(line);
  tidy_ = false;
}

std::optional<Completion> AnswerCache::find(const Request& request, const RequestOptions& options) const {
  const std::string* line = line_of(key_of(request, options));
  if (!line) return std::nullopt;
  const std::string where = path_.string();
  const Json json = parse_json(*line, where);
  Completion completion;
  completion.id = request.id;
  completion.ids = require<std::vector<int32_t>>(json, "ids", where);
  completion.finish = reason_of(require<std::string>(json, "finish", where), where);
  completion.stop_token = require<int32_t>(json, "stop_token", where);
  return completion;
}

void AnswerCache::add(const Request& request, const RequestOptions& options, const Completion& completion) {
  const std::string key = key_of(request, options);
  if (completion.finish == FinishReason::kCancelled) return;
  add_line(key, to_line({{"key", key},
                         {"ids", completion.ids},
                         {"finish", name_of(completion.finish)},
                         {"stop_token", completion.stop_token}}));
}

std::optional<Score> AnswerCache::find(const ScoreItem& item) const {
  const std::string* line = line_of(key_of(item));
  if (!line) return std::nullopt;
  const std::string where = path_.string();
  const Json json = parse_json(*line, where);
  Score score;
  score.log_prob = require<double>(json, "log_prob", where);
  score.greedy = require<bool>(json, "greedy", where);
  score.count = require<int64_t>(json, "count", where);
  return score;
}

void AnswerCache::add(const ScoreItem& item, const Score& score) {
  const std::string key = key_of(item);
  add_line(
      key,
      to_line(
          {{"key", key}, {"log_prob", score.log_prob}, {"greedy", score.greedy}, {"count", score.count}}));
}

void AnswerCache::tidy() {
  if (tidy_) return;
  std::string all;
  for (const auto& [key, line] : lines_) all += line + "\n";
  writer_.reset();
  write_file_atomic(path_, all);
  tidy_ = true;
}

}  // namespace sdft
