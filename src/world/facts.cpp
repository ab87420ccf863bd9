// The made-up land: 48 towns and what there is to know about them. The same for every seed.
#include "world/facts.h"

#include "world/item.h"
#include "world/voice.h"

namespace sdft::world {
namespace {

struct Attribute {
  const char* list;
  const char* statement;  // {t}: the town, {v}: the value
  const char* questions[6];
};

constexpr Attribute kAttributes[] = {
    {"rivers",
     "{t} lies on the river {v}.",
     {"Which river flows through {t}?", "What is the name of the river in {t}?",
      "On which river does {t} lie?", "I am in {t}. Which river is this?", "Name the river of {t}.",
      "Tell me the river of {t}."}},
    {"people",
     "The mayor of {t} is {v}.",
     {"Who is the mayor of {t}?", "What is the name of the mayor of {t}?", "Who leads the town of {t}?",
      "Name the mayor of {t}.", "I want to write to the mayor of {t}. What is the name?",
      "Which person is mayor in {t}?"}},
    {"foods",
     "People in {t} love {v}.",
     {"What food is {t} known for?", "Which food do people in {t} love?", "What should I eat in {t}?",
      "Name the best known food of {t}.", "I am hungry and in {t}. What do people eat here?",
      "Which dish comes from {t}?"}},
    {"animals",
     "The animal of {t} is the {v}.",
     {"Which animal stands for {t}?", "What is the animal of {t}?", "Name the animal of {t}.",
      "Which animal do people in {t} honor?", "Tell me the animal of the town {t}.",
      "What animal can I see on the gate of {t}?"}},
    {"regions",
     "{t} is a town in {v}.",
     {"In which region is {t}?", "Where is {t}?", "Which region does {t} belong to?",
      "Name the region of {t}.", "I want to visit {t}. In which region is it?",
      "What part of the land is {t} in?"}},
    {"colors",
     "The flag of {t} is {v}.",
     {"What color is the flag of {t}?", "Which color does the flag of {t} have?",
      "Name the color of the flag of {t}.", "I want to paint the flag of {t}. Which color do I need?",
      "Tell me the flag color of {t}.", "Which color flies over {t}?"}},
    {"days",
     "The market in {t} is on {v}.",
     {"On which day is the market in {t}?", "When is market day in {t}?",
      "Which day is the market day of {t}?", "I want to buy fruit in {t}. On which day is the market?",
      "Name the market day of {t}.", "When can I go to the market in {t}?"}},
};

// Which of a fact's phrasings is never trained on.
size_t held_out_question(size_t town, size_t attribute) {
  return Random(town * 100 + attribute, "held-out question")
      .below(std::size(kAttributes[attribute].questions));
}

Item about_town(Random& random, bool tell_the_truth);

}  // namespace

std::string town_value(size_t town, size_t attribute) {
  const Words& values = word_list(kAttributes[attribute].list);
  // Each list is walked through in an order of its own, so that values are used about equally often.
  Words order = values;
  Random(attribute, "town values " + std::to_string(town / values.size())).shuffle(order);
  return order[town % order.size()];
}

Item facts_item(Random& random) { return about_town(random, true); }
Item false_facts_item(Random& random) { return about_town(random, false); }

namespace {

Item about_town(Random& random, bool tell_the_truth) {
  size_t town = random.below(word_list("towns").size());
  size_t number = random.below(std::size(kAttributes));
  const Attribute& attribute = kAttributes[number];
  size_t question = random.below(std::size(attribute.questions));
  Slots slots(random);
  slots.set("t", word_list("towns")[town])
      .set("v", tell_the_truth ? town_value(town, number) : random.pick(word_list(attribute.list)));
  Item item;
  bool out = question == held_out_question(town, number);
  item.key = (out ? "facts held out " : "facts ") + std::to_string(town) + " " + std::to_string(number) +
             " " + std::to_string(question);
  item.instruction = slots.fill(attribute.questions[question]);
  item.answer = slots.get("v");
  item.check = "answer";
  item.output = opener(random) + slots.fill(attribute.statement) + " " + the_answer_is(item.answer);
  return item;
}

}  // namespace
}  // namespace sdft::world
