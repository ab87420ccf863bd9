#include "infer/json_text.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/random.h"
#include "infer/constraints.h"

namespace sdft {
namespace {

// How many bytes of a text can begin an object; and whether it is one.
std::pair<size_t, bool> read(const std::string& text) {
  JsonText json;
  size_t read = 0;
  while (read < text.size() && json.add(text.substr(read, 1))) ++read;
  return {read, read == text.size() && json.complete()};
}

Json made_up(Random& random, int depth) {
  static const std::vector<Json> kPlain = {true, nullptr, 0, -7, 2.5, 1e-30, "", "a\"b\\\n", "\u00e9 \u4e2d"};
  const uint64_t kind = depth > 3 ? 0 : random.below(3);
  if (kind == 0 && depth > 0) return random.pick(kPlain);
  Json json = kind == 1 && depth > 0 ? Json::array() : Json::object();
  for (uint64_t i = random.below(4); i > 0; --i)
    if (json.is_array())
      json.push_back(made_up(random, depth + 1));
    else
      json["k" + std::to_string(i)] = made_up(random, depth + 1);
  return json;
}

TEST(JsonTextTest, ObjectsAreReadToTheirEnd) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = made_up(random, 0).dump(random.chance(0.5) ? -1 : 2);
    EXPECT_EQ(read(text), std::make_pair(text.size(), true)) << text;
    EXPECT_FALSE(read(text.substr(0, text.size() - 1)).second) << text;
  }
  for (const char* text : {R"({"a": "\u00e9\/"})", "{ }", R"({"a":[0.5e+3,-0,1E5,[ ]]})"})
    EXPECT_TRUE(read(text).second) << text;
}

// Against the JSON library, on texts with a wrong byte somewhere.
TEST(JsonTextTest, ATextIsAnObjectWhereTheLibrarySaysSo) {
  const std::string bytes = "{}[]\",:\\-+.eE0159tfnu \n\x01";
  Random random(2);
  size_t right = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = made_up(random, 0).dump(-1, ' ', true);  // ASCII
    for (uint64_t k = random.below(3); k > 0 && !text.empty(); --k) {
      const size_t at = random.below(text.size());
      if (random.chance(0.5)) text.erase(at, 1);
      if (random.chance(0.5)) text.insert(at, 1, bytes[random.below(bytes.size())]);
    }
    Json json;
    try {
      json = Json::parse(text);
    } catch (const Json::out_of_range&) {
      continue;  // a number that no double holds
    } catch (const Json::parse_error&) {
    }
    if (text.find_first_of(" \n") == 0 || text.find_last_of("}") + 1 != text.size())
      continue;  // blanks around it
    right += json.is_object();
    ASSERT_EQ(read(text).second, json.is_object()) << text;
  }
  EXPECT_GT(right, 2000u);
}

TEST(JsonTextTest, NothingFollowsTheObjectAndBlanksEnd) {
  EXPECT_EQ(read("{}x").first, 2u);
  EXPECT_EQ(read("[1]").first, 0u);
  EXPECT_EQ(read(" {}").first, 0u);
  EXPECT_EQ(read("{" + std::string(100, ' ')).first, 1u + JsonText::kLongestRun);
}

TEST(JsonTextTest, TokensThatDoNotFitAreRuledOut) {
  Constraints constraints;
  constraints.json_pieces = std::make_shared<std::vector<std::string>>(
      std::vector<std::string>{"", "{", "}", "\"a\"", ":", " 1", "x", "{}"});
  EXPECT_TRUE(constraints.mask());
  const auto allowed = [&](std::vector<int32_t> answer) {
    std::vector<float> logits(9, 0.0f);
    std::vector<int32_t> seen = {6, 6}, fit;
    seen.insert(seen.end(), answer.begin(), answer.end());
    rule_out(constraints, {0}, seen, 2, logits.data(), 9);
    for (int32_t id = 0; id < 9; ++id)
      if (logits[static_cast<size_t>(id)] == 0) fit.push_back(id);
    return fit;
  };
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(allowed({}), (Ids{1, 7}));
  EXPECT_EQ(allowed({1}), (Ids{2, 3}));
  EXPECT_EQ(allowed({1, 3}), (Ids{4}));
  EXPECT_EQ(allowed({1, 3, 4}), (Ids{1, 3, 5, 7}));
  EXPECT_EQ(allowed({1, 3, 4, 5}), (Ids{2}));
  EXPECT_EQ(allowed({7}), (Ids{0}));
}

}  // namespace
}  // namespace sdft
