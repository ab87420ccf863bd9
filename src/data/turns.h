// A conversation as the questions and answers that it is made of, for what looks at one answer at a time.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/example.h"

namespace sdft {

// An example for each answer that can be rewritten, in order, with the turns before it as its context: the
// last keeps the id, the Kth answer before it (from 1) is "ID turn K". Left out are calls of tools and
// messages of weight 0. What the record says besides (`fields`: tests of a program) belongs to the last.
std::vector<Example> turns_of(const Example& example);

// The example with other answers in these turns, by the ids of turns_of(); the others stay.
Example with_responses(const Example& example, const std::map<std::string, std::string>& by_id);

}  // namespace sdft
