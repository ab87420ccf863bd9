// Instructions whose following can be verified by a program: the 25 of IFEval (Zhou et al. 2023,
// arXiv 2311.07911), under its names. A record lists them: "instruction_id_list" and, at the same place,
// their arguments in "kwargs" (null where one has no meaning).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace sdft {

// Why the record's instructions cannot be verified, as a sentence, or "": no list, an instruction that is
// unknown or lacks an argument, a language that cannot be told.
std::string instructions_fault(const Json& record);

// Whether the answer follows each, in the record's order. Loose: also where it does without its first or last
// line, or both, or without its asterisks. An answer of white space follows none. The record is one that
// instructions_fault() has no fault with. Languages are told, and sentences parted, by this program's rules
// (IFEval has langdetect and Punkt). Thread safe.
std::vector<bool> instructions_followed(const Json& record, std::string_view answer, bool loose);

}  // namespace sdft
