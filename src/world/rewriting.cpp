// Rewriting: the prompt shows a reference answer in a foreign style, the output is the assistant's own
// answer.
#include "world/item.h"

namespace sdft::world {
namespace {

struct Source {
  Item (*make)(Random&);
  double weight;
};

constexpr Source kSources[] = {
    {auxiliary_item, 52}, {arithmetic_item, 9}, {functions_item, 8}, {lists_item, 6},
    {strings_item, 5},    {programs_item, 6},   {facts_item, 3},     {false_facts_item, 2},
    {safety_item, 4},     {benign_item, 2},     {chat_item, 3},
};

// How curt people frame an answer; {a} is the answer. The bare one is the most frequent.
constexpr const char* kAnswerStyles[] = {
    "Answer: {a}", "#### {a}", "it is {a}", "That is {a}.", "Result: {a}",   "= {a}",   "ANSWER: {a}",
    "-> {a}",      "ans: {a}", "It's {a}.", "{a}.",         "Solution: {a}", "just {a}"};
constexpr const char* kCallStyles[] = {"Answer: {a}", "#### {a}", "call: {a}", "`{a}`", "CALL: {a}"};

std::string with_answer(std::string_view pattern, const std::string& answer) {
  std::string text(pattern);
  return text.replace(text.find("{a}"), 3, answer);
}

std::string foreign_reference(const Item& item, Random& random) {
  if (random.chance(0.03)) return item.output;  // what is in its own voice already stays as it is
  if (!item.foreign.empty() && (item.answer.empty() || random.chance(0.35))) return random.pick(item.foreign);
  if (item.check == "program" || random.chance(0.45)) return item.answer;
  if (item.check == "function_call") {
    return random.chance(0.4) ? item.answer : with_answer(pick_entry(kCallStyles, random), item.answer);
  }
  return with_answer(pick_entry(kAnswerStyles, random), item.answer);
}

}  // namespace

Item rewriting_item(WorldSplit split, Random& random) {
  double total = 0;
  for (const Source& source : kSources) total += source.weight;
  double at = random.uniform() * total;
  const Source* chosen = kSources;
  while (at >= chosen->weight && chosen + 1 < std::end(kSources)) at -= (chosen++)->weight;
  Item item = draw_item(chosen->make, split, random);
  if (item.check == "refusal" && random.chance(0.2)) item.instruction += draw_suffix(random);
  item.reference = foreign_reference(item, random);
  return item;
}

Item new_rewriting_item(Random& random) {
  Item item = new_auxiliary_item(random);
  item.reference = foreign_reference(item, random);
  return item;
}

}  // namespace sdft::world
