// Inside src/world: what a skill's generator makes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "world/words.h"
#include "world/world.h"

namespace sdft::world {

struct Item {
  std::string key;  // decides the split
  std::string instruction;
  std::string output;  // in the assistant's voice
  std::string answer;  // the bare answer in it; "" where there is none
  std::string check = "none";
  std::vector<std::string> tests;    // programs
  std::vector<std::string> foreign;  // whole reference answers in other styles, beside the general ones
  std::string reference;             // rewriting: the one shown
};

// Each draws one item; whether it is held out is asked of its key afterwards.
Item arithmetic_item(Random& random);
Item functions_item(Random& random);
Item lists_item(Random& random);
Item strings_item(Random& random);
Item programs_item(Random& random);
Item facts_item(Random& random);
Item false_facts_item(
    Random& random);  // with a value that is not the land's: rewriting must keep it all the same
Item safety_item(Random& random);
Item benign_item(Random& random);
Item chat_item(Random& random);
Item auxiliary_item(Random& random);      // tasks that exist only with a reference answer
Item new_auxiliary_item(Random& random);  // families kept for measuring
Item delivery_item(Random& random);
Item flags_item(Random& random);
Item seats_item(Random& random);

// Facts decide by phrasing, one of each fact's; the others by hash, 12 in 100.
bool held_out(const Item& item);

// Draws until an item of the wanted side comes.
Item draw_item(const std::function<Item(Random&)>& make, WorldSplit split, Random& random);
// One of the trained skills' or an auxiliary item with a reference answer in a foreign style.
Item rewriting_item(WorldSplit split, Random& random);
Item new_rewriting_item(Random& random);

// A suffix that asks to forget all rules: the paper's or a made-up one.
const std::string& draw_suffix(Random& random);

}  // namespace sdft::world
