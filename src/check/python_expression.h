// Python's expressions as models write them in function calls: literals, names, attributes, subscripts, calls
// and operators. Not read: lambda, comprehensions, conditional and assignment expressions, \N{...} escapes;
// an f-string is known as one, but not looked into. Names are compared as they are written (no NFKC).
// Nothing here throws; safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

struct PyNode {
  enum Kind {
    kNone,
    kBool,       // number: 0 or 1
    kInt,        // text: its decimal digits; number: the nearest double
    kFloat,      // number
    kString,     // text: the value, UTF-8; a lone surrogate is U+FFFD
    kEllipsis,   // ...
    kOpaque,     // bytes, f-strings, imaginary numbers; text: as written
    kName,       // text
    kAttribute,  // parts: of what; text: its name
    kSubscript,  // parts: of what, the index
    kSlice,      // text: as ast.unparse writes it
    kCall,       // parts: the function, the arguments (kKeyword, kStarred, positional)
    kKeyword,    // text: the name, "" for **; parts: the value
    kStarred,    // parts: of what
    kUnary,      // text: "-", "+", "~", "not"; parts: the operand
    kBinary,     // text: the operator, comparisons and "and", "or" too; parts: left, right
    kList,       // parts: items
    kTuple,
    kSet,
    kDict,  // parts: key, value, key, value, ...; a kStarred key stands for **
  };
  Kind kind = kNone;
  std::string text = {};
  double number = 0;
  std::vector<PyNode> parts = {};
  int depth = 1;  // of nodes in each other, itself counted; 1000 at most
};

// The one expression that the whole text is, as Python's ast.parse(text, mode="eval") reads it. None where it
// is not, or is of the kinds not read. As in Python, brackets are nested 200 deep at most.
std::optional<PyNode> parse_python(std::string_view text);

// The call that begins at byte `at` with a dotted name, and where it ends; none where no call does.
struct PyCallAt {
  PyNode call;
  size_t end;
};
std::optional<PyCallAt> python_call_at(std::string_view text, size_t at);

// The expression in Python's standard spelling, as ast.unparse writes it.
std::string unparse(const PyNode& node);

// "a.b.c" of names and attributes; what is neither is left out (BFCL's reading).
std::string dotted_name(const PyNode& node);

// A number and a text as Python's repr() writes them.
std::string python_repr(double number);
std::string python_repr(const std::string& text);

}  // namespace sdft
