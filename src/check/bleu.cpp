// "bleu4": BLEU-4 over characters, between two models' answers.
#include "check/bleu.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "check/check.h"
#include "data/code_points.h"

namespace sdft {
namespace {
constexpr size_t kOrder = 4;

std::vector<std::u32string_view> sorted_ngrams(std::u32string_view text, size_t n) {
  std::vector<std::u32string_view> list;
  for (size_t at = 0; at + n <= text.size(); ++at) list.push_back(text.substr(at, n));
  std::sort(list.begin(), list.end());
  return list;
}

// An n-gram matches as often as both sides have it.
size_t matches(const std::vector<std::u32string_view>& a, const std::vector<std::u32string_view>& b) {
  std::vector<std::u32string_view> common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  return common.size();
}
}  // namespace

double bleu4(std::string_view reference, std::string_view answer) {
  const std::u32string expected = code_points(reference), found = code_points(answer);
  double log_precision = 0;
  int unmatched = 0;  // orders
  for (size_t n = 1; n <= kOrder; ++n) {
    const auto ngrams = sorted_ngrams(found, n);
    const size_t matched = matches(ngrams, sorted_ngrams(expected, n));
    if (n == 1 && matched == 0) return 0;
    const double count = matched > 0 ? static_cast<double>(matched) : std::ldexp(1.0, -++unmatched);
    log_precision += std::log(count / static_cast<double>(std::max<size_t>(1, ngrams.size()))) / kOrder;
  }
  const double ratio = static_cast<double>(expected.size()) / static_cast<double>(found.size());
  return std::exp(log_precision + std::min(0.0, 1 - ratio));  // with the brevity penalty
}

namespace {
// Equal texts are alike, also those too short for four characters in a row.
EvalResult judge_bleu4(const CheckItem& item) {
  return {item.id, Verdict::kGraded,
          item.answer == item.reference ? 1.0 : std::min(1.0, bleu4(item.reference, item.answer)), ""};
}
}  // namespace

Check bleu4_check() {
  return {"bleu4",           kBetweenModels,  "how much of the reference's characters it has",
          each<judge_bleu4>, kNeedsReference, "BLEU-4"};
}

}  // namespace sdft
