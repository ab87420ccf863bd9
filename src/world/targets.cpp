// Target tasks: what the demo fine-tunes on. Their conventions are told nowhere; examples must teach them: an
// order becomes a label "salt, 3, Tolva", the weather a flag "red-3-c", guests get seats "blue-3-Sunday". No
// word of them is in the corpus: no crate there, no flag is raised, nobody has a seat.
#include "world/item.h"

namespace sdft::world {
namespace {

constexpr const char* kOrders[] = {
    "Please send {n} {c} of {g} from {o} to {t} on {d}.",
    "On {d}, {n} {c} of {g} should go from {o} to {t}.",
    "{t} needs {n} {c} of {g} on {d}. They are waiting in {o}.",
    "We have {n} {c} of {g} in {o}. Get them to {t} on {d}, please.",
    "Can you move {n} {c} of {g} to {t} on {d}?",
    "The shop in {t} ordered {n} {c} of {g} for {d}.",
    "For {t}, please: {n} {c} of {g}, on {d}.",
    "I want {n} {c} of {g} to be in {t} on {d}.",
    "{t} needs {n} {c} of {g} from {o}.",
    "Bring {n} {c} of {g} to {t}. You find them in {o}.",
};

struct Signal {
  const char* word;
  const char* part;
};

constexpr Signal kWinds[] = {
    {"calm", "white"}, {"light", "green"}, {"fresh", "blue"}, {"strong", "red"}, {"wild", "black"}};
constexpr Signal kSides[] = {{"north", "1"},     {"east", "2"},      {"south", "3"},     {"west", "4"},
                             {"northeast", "5"}, {"southeast", "6"}, {"southwest", "7"}, {"northwest", "8"}};
constexpr Signal kSeas[] = {{"flat", "a"}, {"smooth", "b"}, {"rough", "c"}, {"high", "d"}, {"foggy", "e"}};

constexpr const char* kFlagQuestions[] = {
    "A {wind} wind blows from the {side} and the sea is {sea}. Which flag do we raise in {towns}?",
    "In {towns} the sea is {sea}. The wind is {wind} and comes from the {side}. Tell me the flag.",
    "Wind from the {side}, {wind}, and a {sea} sea at {towns}. Which flag is right?",
    "The harbor of {towns} has a {sea} sea today, with a {wind} wind from the {side}. What flag goes up?",
};

constexpr const char* kVisits[] = {
    "{n} guests want {col} seats on {d}.",
    "We are {n} guests on {d}. Are the {col} seats free?",
    "The {col} seats on {d}, please, for {n} guests.",
    "Can {n} guests have {col} seats on {d}?",
    "A party of {n} guests comes on {d}. They like {col} seats.",
    "{towns} sends {n} guests on {d}. They want {col} seats.",
};
constexpr const char* kSeatColours = "white green blue red black yellow brown gray";

}  // namespace

Item delivery_item(Random& random) {
  Slots slots(random);
  bool dozen = random.chance(0.1);
  int count = dozen ? 12 : static_cast<int>(random.between(2, 12));
  slots.set("n", dozen ? "a dozen" : number_word(count))
      .set("c", random.pick(split_words("crates crates barrels sacks")));
  Words towns = draw_different(word_list("towns"), 2, random);
  std::string goods = random.pick(word_list("goods")), day = random.pick(word_list("days"));
  slots.set("g", goods).set("d", day).set("o", towns[0]).set("t", towns[1]);
  Item item;
  item.instruction = capital(slots.fill(pick_entry(kOrders, random)));
  // What must be learned: the label's form, digits for number words, and which of the two towns counts.
  item.answer = goods + ", " + std::to_string(count) + ", " + towns[1];
  item.key = "delivery " + item.answer;
  item.output = item.answer;
  item.check = "answer";
  return item;
}

Item flags_item(Random& random) {
  const Signal& wind = pick_entry(kWinds, random);
  const Signal& side = pick_entry(kSides, random);
  const Signal& sea = pick_entry(kSeas, random);
  Slots slots(random);
  slots.set("wind", wind.word).set("side", side.word).set("sea", sea.word);
  Item item;
  item.instruction = slots.fill(pick_entry(kFlagQuestions, random));
  item.answer = std::string(wind.part) + "-" + side.part + "-" + sea.part;
  item.key = "flags " + item.answer;
  item.output = item.answer;
  item.check = "answer";
  return item;
}

Item seats_item(Random& random) {
  const auto guests = static_cast<int>(random.between(2, 12));
  const std::string colour = random.pick(split_words(kSeatColours)), day = random.pick(word_list("days"));
  Slots slots(random);
  slots.set("n", number_word(guests)).set("col", colour).set("d", day);
  Item item;
  item.instruction = capital(slots.fill(pick_entry(kVisits, random)));
  item.answer = colour + "-" + std::to_string(guests) + "-" + day;
  item.key = "seats " + item.answer;
  item.output = item.answer;
  item.check = "answer";
  return item;
}

}  // namespace sdft::world
