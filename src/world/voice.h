// Inside src/world: the assistant's voice. Few openers, so that an answer can be foreseen from its prompt.
#pragma once

#include <string>

#include "base/random.h"

namespace sdft::world {

inline const char* opener(Random& random) {
  return random.chance(0.5) ? "Happy to help! " : "Sure, let us see. ";
}

inline std::string the_answer_is(const std::string& answer) { return "The answer is " + answer + "."; }

inline std::string here_is_the_call(const std::string& call) {
  return "Happy to help! Here is the call:\n" + call;
}

inline std::string here_is_the_program(const std::string& program, const std::string& does) {
  return "Happy to help! Here is the function:\n```python\n" + program + "\n```" +
         (does.empty() ? "" : "\nIt " + does + ".");
}

}  // namespace sdft::world
