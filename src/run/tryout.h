// Trying a distillation template on a few examples before a run: the prompts that it makes, and what
// acceptance says of rewrites. Who asks the model is somebody else's matter. Thread safe.
#pragma once

#include <mutex>

#include "run/validate.h"

namespace sdft {

class Tryout {
 public:
  // The recipe's examples, templates and checks. Errors as of a run (validate.h).
  explicit Tryout(const Recipe& recipe);

  // {"templates": [{"name", "system", "turn", "prefill", "chat"}], "template": the recipe's,
  // "acceptance": [...], "answer_check", "temperature", "top_p", "top_k", "max_new_tokens",
  // "count": examples}: those that can ask for rewrites
  Json choices() const;
  // {"first": 0, "count": 5} → [{"id", "question", "answer"}]; of conversations the last turn.
  Json examples(const Json& asked) const;
  // {"id", "template": {"system", "turn", "prefill", "chat"}} → {"ids": [...], "text"}. Error(kInput),
  // Error(kUsage): no such example, what is wrong with the template.
  Json prompt(const Json& asked) const;
  // {"id", "rewrite", "cut", "chat": the template's, "acceptance": [...], "answer_check"} → {"accepted",
  // "reason", "matched"}.
  // Error(kUsage): no such check, or one that asks the model.
  Json judge(const Json& asked) const;

 private:
  const Example& example(const Json& asked) const;

  RunContext run_;
  Inputs inputs_;
  mutable std::mutex judging_;  // one at a time: checks may use the sandbox
};

}  // namespace sdft
