#include "infer/prefixes.h"

#include <algorithm>
#include <numeric>

namespace sdft {

namespace {
class Builder {
 public:
  Builder(const std::vector<std::vector<int32_t>>& sequences, int64_t worth)
      : sequences_(sequences), worth_(worth) {
    order_.resize(sequences.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return sequences[a] < sequences[b]; });
    tree_.last.assign(sequences.size(), -1);
  }

  SharedPrefixes build() {
    size_t first = 0;
    while (first < order_.size() && sequences_[order_[first]].empty()) ++first;
    part(first, order_.size(), 0, 0, -1);
    return std::move(tree_);
  }

 private:
  const std::vector<int32_t>& at(size_t place) const { return sequences_[order_[place]]; }

  int64_t add(size_t sequence, int64_t begin, int64_t end, int64_t parent) {
    const size_t place = tree_.stretches.size();
    tree_.stretches.push_back({sequence, begin, end, parent, {}});
    (parent < 0 ? tree_.roots : tree_.stretches[static_cast<size_t>(parent)].children).push_back(place);
    return static_cast<int64_t>(place);
  }

  // Sequences [low, high), which agree in their first `same` tokens, of which `begin` are read by `parent`:
  // each run of those that agree in one more.
  void part(size_t low, size_t high, int64_t same, int64_t begin, int64_t parent) {
    while (low < high) {
      if (static_cast<int64_t>(at(low).size()) == same) {  // the shortest of them, read already or by itself
        tree_.last[order_[low]] = same == begin ? parent : add(order_[low], begin, same, parent);
        ++low;
        continue;
      }
      const int32_t token = at(low)[static_cast<size_t>(same)];
      size_t end = low + 1;
      while (end < high && at(end)[static_cast<size_t>(same)] == token) ++end;
      share(low, end, begin, parent);
      low = end;
    }
  }

  // Sequences [low, high), which agree in at least one token behind `begin`.
  void share(size_t low, size_t high, int64_t begin, int64_t parent) {
    const auto &first = at(low), &last = at(high - 1);
    const auto [a, b] = std::mismatch(first.begin(), first.end(), last.begin(), last.end());
    const int64_t same = a - first.begin();
    if (high - low == 1) {
      tree_.last[order_[low]] = add(order_[low], begin, same, parent);
    } else if ((same - begin) * static_cast<int64_t>(high - low - 1) >= worth_) {
      part(low, high, same, same, add(order_[low], begin, same, parent));
    } else {
      part(low, high, same, begin, parent);
    }
  }

  const std::vector<std::vector<int32_t>>& sequences_;
  int64_t worth_;
  std::vector<size_t> order_;
  SharedPrefixes tree_;
};
}  // namespace

SharedPrefixes shared_prefixes(const std::vector<std::vector<int32_t>>& sequences, int64_t worth) {
  return Builder(sequences, worth).build();
}

}  // namespace sdft
