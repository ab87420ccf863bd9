#include "sdft/watch.h"

#include <gmock/gmock.h>

namespace sdft {
namespace {

using ::testing::HasSubstr;

TEST(Collapse, IsToldByWhatTheStartSaid) {
  const Watched start{{0, 1}, 40, 0.9, 0.1};
  EXPECT_EQ(collapse_of(start, start), "");
  EXPECT_EQ(collapse_of(start, {{3, 0.1}, 12, 1.0, 0.05}), "") << "short and sure is no collapse";
  EXPECT_EQ(collapse_of({{0, 1}, 60, 0.2, 0.1}, {{0, 1}, 64, 0.05, 0.1}), "") << "most did not end before";
  EXPECT_THAT(collapse_of(start, {{0, 1}, 64, 0.4, 0.1}), HasSubstr("40 % of its answers end"));
  EXPECT_THAT(collapse_of(start, {{0, 1}, 40, 0.9, 0.6}), HasSubstr("60 % of its words are repeated"));
  EXPECT_THAT(collapse_of(start, {{0, 1}, 1, 0.9, 0}), HasSubstr("its answers have 1.0 tokens"));
}

}  // namespace
}  // namespace sdft
