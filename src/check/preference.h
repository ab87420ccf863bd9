// Which of two answers a judge model prefers: its prompts, its verdicts, and both orders, since judges prefer
// a place (Wang et al. 2023, arXiv 2305.17926). Who the judge is (a server, a model folder) is the caller's
// matter.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check/alpaca_files.h"

namespace sdft {

// What the judge is asked. {instruction}, {output_1} and {output_2} are filled in once: what is put in is not
// looked at again.
struct JudgeTemplate {
  std::string name;
  std::string system;  // "" for none
  std::string user;
  // What the judge is to reply for output_1 and output_2.
  std::string first = "A", second = "B";
};
// The project's own wording.
const JudgeTemplate& default_judge_template();
// A prompt file of alpaca_eval's "clf" judges: <|im_start|>system and user parts, each to its <|im_end|>; a
// file without these marks is the user's message. Error(kInput): parts of other roles, a missing placeholder.
JudgeTemplate read_judge_template(const std::filesystem::path& path, const std::string& first = "m",
                                  const std::string& second = "M");

struct JudgePrompt {
  std::string id;
  std::string system, user;
};
struct JudgeReply {
  std::string text;
  // The reply's first token: candidates and log-probabilities; none where the judge gives none.
  std::vector<std::pair<std::string, double>> first_token = {};
  std::string error = {};  // why there is no reply
};
// Answers all prompts and hands on each reply as it comes, with the prompt's place. May throw.
using Judge = std::function<void(const std::vector<JudgePrompt>& prompts,
                                 const std::function<void(size_t place, JudgeReply reply)>& on_reply)>;

// How likely output_1 is the better one: with candidates p(first) / (p(first) + p(second)), as alpaca_eval's
// weighted judges (a candidate that is missing has 0); without, 1 or 0 by what the text says: the label
// alone, whatever quotes, marks and brackets around it, or for A and B what chosen_letter() (answer.h) finds.
// Nothing where neither is said.
std::optional<double> first_is_better(const JudgeTemplate& judge_template, const JudgeReply& reply);

enum class JudgeOrder {
  kRandom,  // one prompt a pair, as alpaca_eval; which answer stands first, the seed and the instruction say
  kBoth,    // two prompts; the preference is the mean, so that a judge that likes a place says 1.5
};
struct PreferenceOptions {
  JudgeTemplate prompt = default_judge_template();
  JudgeOrder order = JudgeOrder::kBoth;
  uint64_t seed = 0;
};

struct JudgingFailure {
  size_t pair;
  std::string what;  // "no verdict in: ...", or why there was no reply
};

// Fills in the preferences of all pairs that have none: 2 - P(the baseline's is better). Equal outputs
// are 1.5 and not asked about. This judge's replies are kept in `path`, a line each {"id", "prompt", "text",
// "first_token"} with the SHA-256 of the prompt, so that a call that goes on, or one with other pairs, asks
// only what it has not asked before. Where a reply fails or holds no verdict the preference stays NaN and the
// failure is listed: no pair is lost or won in silence. Error(kInput) with the line where the file is
// damaged.
std::vector<JudgingFailure> judge_pairs(std::vector<Annotation>* pairs, const PreferenceOptions& options,
                                        const Judge& judge, const std::filesystem::path& path);

}  // namespace sdft
