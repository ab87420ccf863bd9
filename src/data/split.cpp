// "train[10%:20%]": the slices that Hugging Face's datasets and so dataset_info.json know.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/dataset.h"

namespace sdft {
namespace {

// "", "100", "-5", "20%" into a bound; false where it is none of them.
bool read_bound(std::string text, std::optional<int64_t>* bound, bool* percent) {
  if (text.empty()) return true;
  *percent = text.back() == '%';
  if (*percent) text.pop_back();
  const size_t digits = text.empty() || text[0] != '-' ? 0 : 1;
  const bool number = text.size() > digits && text.size() - digits <= 12 &&
                      text.find_first_not_of("0123456789", digits) == std::string::npos;
  if (!number) return false;
  *bound = std::stoll(text);
  return !*percent || std::abs(**bound) <= 100;
}

// A bound as a place among `count` records.
size_t place_of(int64_t bound, bool percent, size_t count) {
  const auto size = static_cast<int64_t>(count);
  const int64_t place =
      percent ? std::llround(static_cast<double>(bound) * static_cast<double>(size) / 100) : bound;
  return static_cast<size_t>(std::clamp<int64_t>(bound < 0 ? size + place : place, 0, size));
}

}  // namespace

std::vector<Slice> parse_split(const std::string& split, const std::string& where, std::string* name) {
  std::vector<Slice> slices;
  name->assign(split, 0, split.find_first_of("[+"));
  for (size_t begin = 0; begin <= split.size();) {
    const size_t end = std::min(split.find('+', begin), split.size());
    const std::string part = split.substr(begin, end - begin);
    const size_t open = std::min(part.find('['), part.size()), colon = part.find(':', open);
    if (part.substr(0, open) != *name || name->empty())
      fail_input(where, "names '" + part.substr(0, open) + "' beside '" + *name + "'",
                 "give each split a name of its own in dataset_info.json");
    Slice slice;
    if (open < part.size()) {
      std::optional<int64_t> first;
      const bool good =
          part.back() == ']' && colon != std::string::npos &&
          read_bound(part.substr(open + 1, colon - open - 1), &first, &slice.begin_percent) &&
          read_bound(part.substr(colon + 1, part.size() - colon - 2), &slice.end, &slice.end_percent);
      if (!good)
        fail_input(where, "'" + part + "' is not understood",
                   "as in train, train[:100], train[10%:20%], train[-5:]");
      slice.begin = first.value_or(0);
    }
    slices.push_back(slice);
    begin = end + 1;
  }
  return slices;
}

std::vector<size_t> positions_of(const std::vector<Slice>& slices, size_t count) {
  std::vector<size_t> positions;
  for (const Slice& slice : slices.empty() ? std::vector<Slice>{Slice{}} : slices) {
    const size_t begin = place_of(slice.begin, slice.begin_percent, count);
    const size_t end = slice.end ? place_of(*slice.end, slice.end_percent, count) : count;
    for (size_t place = begin; place < end; ++place) positions.push_back(place);
  }
  return positions;
}

}  // namespace sdft
