// "code": the paper's rule for MagiCoder, a ```python block behind one of three openings.
#include <algorithm>
#include <iterator>

#include "check/check.h"

namespace sdft {
namespace {

constexpr std::string_view kOpenings[] = {"I have", "Here is", "I implemented"};

EvalResult judge_code(const CheckItem& item) {
  const bool opens = std::any_of(std::begin(kOpenings), std::end(kOpenings), [&](std::string_view opening) {
    return item.answer.substr(0, opening.size()) == opening;
  });
  return result_of(item, opens && item.answer.find("```python") != std::string_view::npos, kMismatch);
}

}  // namespace

Check code_check() {
  return {"code", kAcceptance | kAnswerCheck, "Python, behind an opening that the paper names",
          each<judge_code>};
}

}  // namespace sdft
