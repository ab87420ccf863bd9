#include "check/preference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/printable.h"
#include "base/random.h"
#include "base/utf8.h"
#include "check/answer.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {

constexpr const char* kPlaces[] = {"{instruction}", "{output_1}", "{output_2}"};

std::string filled(const std::string& text, const std::string& instruction, const std::string& output_1,
                   const std::string& output_2) {
  const std::string* values[] = {&instruction, &output_1, &output_2};
  std::string out;
  for (size_t at = 0; at < text.size();) {
    bool placed = false;
    for (size_t i = 0; i < 3 && !placed; ++i) {
      const std::string place = kPlaces[i];
      if (text.compare(at, place.size(), place) != 0) continue;
      out += *values[i];
      at += place.size();
      placed = true;
    }
    if (!placed) out += text[at++];
  }
  return out;
}

// Without white space, quotes, emphasis, brackets and full stops around it.
std::string bare(const std::string& text) {
  const char* around = " \t\r\n\"'`*_()[]{}<>.:,";
  const size_t begin = text.find_first_not_of(around);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(around) - begin + 1);
}

double probability_of(const std::string& label, const JudgeReply& reply, bool spaces) {
  double sum = 0;
  for (const auto& [token, log_prob] : reply.first_token)
    if (spaces ? bare(token) == label : token == label) sum += std::exp(log_prob);
  return sum;
}

Json to_json(const JudgePrompt& prompt, const std::string& hash, const JudgeReply& reply) {
  Json first = Json::array();
  for (const auto& [token, log_prob] : reply.first_token) first.push_back(Json::array({token, log_prob}));
  return {{"id", prompt.id}, {"prompt", hash}, {"text", reply.text}, {"first_token", first}};
}

JudgeReply reply_from(const Json& json, const std::string& where) {
  JudgeReply reply{require<std::string>(json, "text", where)};
  for (const Json& candidate : require<Json>(json, "first_token", where)) {
    if (!candidate.is_array() || candidate.size() != 2 || !candidate[0].is_string() ||
        !candidate[1].is_number())
      fail_field(json, "first_token", where);
    reply.first_token.emplace_back(candidate[0].get<std::string>(), candidate[1].get<double>());
  }
  return reply;
}

// A prompt and which pair it is about.
struct Question {
  JudgePrompt prompt;
  std::string hash;
  size_t pair;
  bool swapped;  // the model's answer stands first
};

std::vector<Question> questions_of(const std::vector<Annotation>& pairs, const PreferenceOptions& options) {
  std::vector<Question> questions;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const Annotation& pair = pairs[i];
    if (!std::isnan(pair.preference) || pair.output_1 == pair.output_2) continue;
    const bool swap_first = Random(options.seed, "judge order " + pair.instruction).chance(0.5);
    for (const bool swapped : {false, true}) {
      if (options.order == JudgeOrder::kRandom && swapped != swap_first) continue;
      const std::string& one = swapped ? pair.output_2 : pair.output_1;
      const std::string& two = swapped ? pair.output_1 : pair.output_2;
      JudgePrompt prompt{std::to_string(i) + (swapped ? " swapped" : ""),
                         filled(options.prompt.system, pair.instruction, one, two),
                         filled(options.prompt.user, pair.instruction, one, two)};
      std::string hash = sha256(std::to_string(prompt.system.size()) + " " + prompt.system + prompt.user);
      questions.push_back({std::move(prompt), std::move(hash), i, swapped});
    }
  }
  return questions;
}

// The replies to all questions, from the file and from the judge.
std::vector<JudgeReply> replies_to(const std::vector<Question>& questions, const Judge& judge,
                                   const fs::path& path) {
  std::unordered_map<std::string, JudgeReply> known;  // by the prompt's hash
  std::error_code none;
  if (fs::exists(path, none))
    for_each_line(path, [&](std::string_view line, size_t number) {
      const std::string where = path.string() + ":" + std::to_string(number);
      const Json json = parse_json(line, where);
      known.insert_or_assign(require<std::string>(json, "prompt", where), reply_from(json, where));
    });
  std::vector<JudgeReply> replies(questions.size());
  std::vector<JudgePrompt> open;
  std::vector<size_t> places;
  for (size_t i = 0; i < questions.size(); ++i) {
    if (const auto found = known.find(questions[i].hash); found != known.end()) {
      replies[i] = found->second;
    } else {
      open.push_back(questions[i].prompt);
      places.push_back(i);
      replies[i].error = "the judge did not reply";
    }
  }
  if (open.empty()) return replies;
  LineWriter lines(path);
  judge(open, [&](size_t place, JudgeReply reply) {
    const Question& question = questions[places.at(place)];
    if (reply.error.empty()) lines.write(to_line(to_json(question.prompt, question.hash, reply)));
    replies[places[place]] = std::move(reply);
  });
  return replies;
}

std::string shortened(const std::string& text) {
  std::string shown = printable(utf8_lossy(text.substr(0, 80)));
  std::replace(shown.begin(), shown.end(), '\n', ' ');
  return text.size() > 80 ? shown + "..." : shown;
}

}  // namespace

const JudgeTemplate& default_judge_template() {
  static const JudgeTemplate kTemplate{
      "default",
      "You compare two answers to the same instruction and say which one a careful reader would rather have. "
      "What counts is whether it does what was asked, is right, and is clear; neither its length nor its "
      "place "
      "counts.",
      "# Instruction\n{instruction}\n\n# Answer A\n{output_1}\n\n# Answer B\n{output_2}\n\n"
      "# Which answer is better?\nReply with one letter and nothing else: A or B."};
  return kTemplate;
}

JudgeTemplate read_judge_template(const fs::path& path, const std::string& first, const std::string& second) {
  const std::string text = read_text(path), begin = "<|im_start|>", end = "<|im_end|>";
  JudgeTemplate result{path.filename().string(), "", "", first, second};
  size_t at = text.find(begin);
  if (at == std::string::npos) result.user = text;
  for (; at != std::string::npos; at = text.find(begin, at + 1)) {
    const size_t line = text.find('\n', at), stop = text.find(end, at);
    const std::string role = text.substr(at + begin.size(), line - at - begin.size());
    if (line == std::string::npos || stop == std::string::npos || (role != "system" && role != "user"))
      fail_input(path.string(),
                 "expected parts '<|im_start|>system' and '<|im_start|>user', each ended by <|im_end|>");
    std::string part = text.substr(line + 1, stop - line - 1);
    if (!part.empty() && part.back() == '\n') part.pop_back();
    (role == "system" ? result.system : result.user) += part;
  }
  for (const char* place : kPlaces)
    if ((result.system + result.user).find(place) == std::string::npos)
      fail_input(path.string(), std::string("shows the judge no ") + place);
  return result;
}

std::optional<double> first_is_better(const JudgeTemplate& judge_template, const JudgeReply& reply) {
  for (const bool spaces : {false, true}) {
    const double first = probability_of(judge_template.first, reply, spaces),
                 second = probability_of(judge_template.second, reply, spaces);
    if (first + second > 0) return first / (first + second);
  }
  if (!reply.first_token.empty() && reply.text.empty()) return std::nullopt;
  const std::string said = bare(reply.text);
  if (said == judge_template.first) return 1;
  if (said == judge_template.second) return 0;
  if (judge_template.first == "A" && judge_template.second == "B") {
    const auto letter = chosen_letter(reply.text);
    if (letter == "A") return 1;
    if (letter == "B") return 0;
  }
  return std::nullopt;
}

std::vector<JudgingFailure> judge_pairs(std::vector<Annotation>* pairs, const PreferenceOptions& options,
                                        const Judge& judge, const fs::path& path) {
  const std::vector<Question> questions = questions_of(*pairs, options);
  const std::vector<JudgeReply> replies = replies_to(questions, judge, path);
  std::vector<JudgingFailure> failures;
  for (Annotation& pair : *pairs)
    if (std::isnan(pair.preference) && pair.output_1 == pair.output_2) pair.preference = 1.5;
  for (size_t i = 0; i < questions.size();) {
    const size_t pair = questions[i].pair;
    double sum = 0;
    int count = 0;
    std::string failure;
    for (; i < questions.size() && questions[i].pair == pair; ++i) {
      const auto first = first_is_better(options.prompt, replies[i]);
      if (!replies[i].error.empty() || !first) {
        failure =
            replies[i].error.empty() ? "no verdict in: " + shortened(replies[i].text) : replies[i].error;
        continue;
      }
      sum += questions[i].swapped ? 1 + *first : 2 - *first;
      ++count;
    }
    if (failure.empty())
      (*pairs)[pair].preference = sum / count;
    else
      failures.push_back({pair, failure});
  }
  return failures;
}

}  // namespace sdft
