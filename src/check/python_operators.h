// Python's binary operators and how closely they bind, for reading (python_expression.cpp) and writing
// (python_unparse.cpp) them.
#pragma once

#include <string_view>

namespace sdft {

struct PyOperator {
  std::string_view text;
  int level;  // higher binds closer
};
// Longer ones before those they begin with.
inline constexpr PyOperator kPyOperators[] = {
    {"**", 12}, {"//", 10}, {"<<", 8}, {">>", 8}, {"<=", 4},  {">=", 4}, {"==", 4}, {"!=", 4},
    {"|", 5},   {"^", 6},   {"&", 7},  {"+", 9},  {"-", 9},   {"*", 10}, {"/", 10}, {"%", 10},
    {"@", 10},  {"<", 4},   {">", 4},  {"or", 1}, {"and", 2}, {"in", 4}, {"is", 4}};

// Levels that no row has: of not, of a sign before an operand, of what needs no brackets; and of two rows.
inline constexpr int kNot = 3, kSign = 11, kAtom = 14, kCompare = 4, kPower = 12;

}  // namespace sdft
