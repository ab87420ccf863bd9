// Acceptance of rewrites: a rewrite that lost the answer, talks about its task or does not end is not
// learned; the original answer stays instead. Phrases and the checks of answers are those of Yang et al.
// 2024.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdft {

// What a rewrite must keep of its original.
enum class AnswerCheck {
  kNone,
  kNumber,        // the last number, as an integer
  kFunctionCall,  // the call
  kCode,          // the paper's rule for MagiCoder: a ```python block after one of three openings
  kAnswer,        // answers_agree(): the rewrite's final answer is the original's
};
// "none", "number", "function_call", "code", "answer"; else Error(kUsage) with the nearest.
AnswerCheck parse_answer_check(const std::string& name);
std::vector<std::string> answer_check_names();

struct Rewrite {
  std::string text;
  bool cut = false;  // generation ended at a limit, not with a stop token
};

enum class Rejection { kNone, kBannedPhrase, kEmpty, kCutByTokenLimit, kRepetitionLoop, kAnswerMismatch };
const char* name_of(Rejection reason);  // "banned_phrase", ...

struct Verdict {
  bool accepted = true;
  Rejection reason = Rejection::kNone;
};

// The checks in the order of Rejection; the first that fails gives the reason. Reasoning traces of both texts
// are passed over (strip_thinking()); a rewrite that is cut inside its trace is cut_by_token_limit.
Verdict judge_rewrite(const Rewrite& rewrite, std::string_view original, AnswerCheck check);

// Whether the text ends in at least 4 copies of the same block that together are at least 60 bytes long.
bool ends_in_loop(std::string_view text);

}  // namespace sdft
