// Tasks that exist only with a reference answer: nobody could answer them without. Their purpose is the
// copying of answers of every form, so that a model learns to rewrite for tasks it has never met.
#include "world/item.h"
#include "world/voice.h"

namespace sdft::world {
namespace {

struct Family {
  const char* name;
  const char* check;
  const char* answers[9];       // slot patterns, one is drawn before the instruction
  const char* instructions[5];  // may use the answer's slots
};

constexpr Family kAnswerFamilies[] = {
    {"codes",
     "answer",
     {"{x:@code}"},
     {"What is the code of the {adjectives} {thing}?",
      "Give me the code for the {thing} in the {rooms}, please.",
      "Which code opens the {adjectives} door of the {buildings}?",
      "I forgot the code of the {buildings}. What is it?"}},
    {"labels",
     "answer",
     {"{x:groups}"},
     {"Put this note into a group: {^messages}.", "Which group fits the word {thing}?",
      "Sort the {adjectives} {thing} into one of our groups.", "Choose a group for this text: {notes}"}},
    {"keepers",
     "answer",
     {"{x:people}", "{x:@name}", "{x:@name} {y:@name}"},
     {"Who keeps the key of the {buildings}?", "Which person found the {adjectives} {thing}?",
      "Who is the {jobs} of the {buildings}?", "Tell me who won the {games} game on {days}."}},
    {"records",
     "number",
     {"{x:@number}"},
     {"In the book of {people}, what number stands beside the {thing}?",
      "How many {thing}s are near the {buildings}?", "What is the number of the house of {people}?",
      "How many steps lead up to the {buildings}?", "How old is the {buildings} in years?"}},
    {"yes or no",
     "answer",
     {"yes", "no"},
     {"Is the {buildings} open on {days}?", "Does {people} like {foods}?",
      "Can a {animals} enter the {buildings}?", "Is the {thing} of {people} {colors}?"}},
    {"dates",
     "answer",
     {"{x:1..28} {y:months}", "{y:months} {x:1..28}", "{x:1..28}.{y:1..12}", "{y:days}"},
     {"When does the {shows} begin?", "On which date was {people} born?",
      "What day is the {shows} in the {buildings}?", "When will the {jobs} come back?"}},
    {"routes",
     "answer",
     {"{x:towns}, {y:towns}, {z:towns}", "{x:towns} - {y:towns} - {z:towns}",
      "{x:@name}, {y:@name}, {z:@name}, {w:@name}", "{x:directions}, {y:directions}, {z:directions}"},
     {"Which way does the {jobs} take on {days}?", "Give me the route of the {adjectives} cart.",
      "Name the stops of the {colors} boat in order.", "How does {people} walk home?"}},
    {"prices",
     "answer",
     {"{x:1..90} coins", "{x:@decimal} coins", "{x:@number} coins and {y:1..9} pence", "free"},
     {"What does the {adjectives} {thing} cost?", "How much is a bag of {goods}?",
      "Tell me the price of {foods} in the {buildings}.", "What did {people} pay for the {thing}?"}},
    {"times",
     "answer",
     {"{x:@time}", "{x:@time} in the evening", "{y:number_words} o'clock"},
     {"At what time does the bell of the {buildings} ring?", "When does {people} get up?",
      "What time does the {colors} boat leave?", "When is {foods} served in the {rooms}?"}},
    {"pass words",
     "answer",
     {"{x:@phrase}", "{x:@word}", "{x:@word} {y:@code}", "{x:@code} {y:@code}"},
     {"What is the pass word of the {buildings}?", "Tell me the secret words for the {adjectives} {thing}.",
      "Which words are written on the {thing}?", "What must I say at the door of the {rooms}?"}},
    {"places",
     "answer",
     {"{x:@pair}", "({x:1..40}, {y:1..40}, {z:1..9})", "[{x:1..20}, {y:1..20}]",
      "row {x:1..30}, seat {y:1..40}"},
     {"Where is the {thing} on the map?", "At which point does the {animals} wait?",
      "Give me the place of the {buildings} on the grid.", "Where does {people} sit in the hall?"}},
    {"old tongue",
     "answer",
     {"{x:@tongue}", "{x:@tongue} {y:@word}"},
     {"Say {say_words} in the old tongue.", "How do you say {thing} in the tongue of {towns}?",
      "Turn these words into the old tongue: {say_words}",
      "What is the word of the old people for {goods}?"}},
    {"things",
     "answer",
     {"{x:thing}, {y:thing}, {z:goods}", "{x:goods} and {y:foods}", "{x:@word}, {y:@word}, {z:@word}",
      "{x:thing}, {y:thing}"},
     {"Which things are in the {colors} box of {people}?", "Name what the {jobs} bought on {days}.",
      "What does the {jobs} need for the {shows}?"}},
    {"forms",
     "answer",
     {"name={x:people}; age={y:8..90}; town={z:towns}", "{x:@word}={y:@number}; {z:@word}={w:@any}",
      "{x:parameters}: {y:@any}, {z:parameters}: {w:@number}"},
     {"Fill in the form for the new {jobs}.", "Write the card for the {adjectives} {thing}.",
      "Give me the short entry for box {n:1..90}."}},
    {"commands",
     "answer",
     {"{x:verbs} {y:thing} {z:1..20}", "{x:verbs} --{y:parameters} {z:@number}",
      "{x:@word} {y:@any} -{z:@word}", "/{x:verbs} {y:@any}"},
     {"Which command should I type for the {adjectives} {thing}?",
      "Give me the line for the machine in the {rooms}.", "How do I tell the robot about the {animals}?"}},
    {"sizes",
     "answer",
     {"{x:2..90} feet", "{x:@decimal} miles", "{x:2..9} feet {y:1..11}", "{x:@number} pounds"},
     {"How long is the {adjectives} rope?", "How far is it from {towns} to {towns2}?",
      "How heavy is the {animals} of {people}?", "How wide is the door of the {buildings}?"}},
    {"ranks",
     "answer",
     {"first", "second", "third", "last", "A", "B+", "C-", "{x:1..9} stars", "level {x:1..30}"},
     {"Which place did {people} reach in the race?", "Grade the work of the {jobs}.",
      "How good is the {foods} of the {buildings}?", "What rank does the {adjectives} {animals} have?"}},
    {"records in braces",
     "answer",
     {"{\"{x:parameters}\": \"{y:@any}\", \"{z:parameters}\": {w:@number}}", "{\"{x:@word}\": {y:@number}}",
      "[\"{x:@any}\", \"{y:@any}\"]"},
     {"Write the record of the {thing} as the machine wants it.", "Give me the entry of {people} in braces.",
      "What stands in the file about the {buildings}?"}},
    {"chains",
     "number",
     {"{x:@number}"},
     {"What number comes out of the {adjectives} box?", "Solve the riddle of the {jobs}.",
      "Which number did {people} think of?"}},
    {"sentences",
     "none",
     {"the {x:jobs} sold the {y:thing} to {z:people}", "{z:messages}",
      "{x:people} walks to {y:towns} with a {z:animals}",
      "the {x:adjectives} {y:animals} sleeps in the {z:rooms}"},
     {"What did the {jobs2} say?", "What happened on {days}?", "Tell me the news of the {buildings}.",
      "Describe the picture in the {rooms2}."}},
    {"any text",
     "answer",
     {"{x:@any} {y:@code} {z:@any}", "{x:@phrase}, {y:@number}", "{x:@any}: {y:@any}", "{x:@code}",
      "{x:@any}"},
     {"Work on the {adjectives} {thing} of {people}.", "What do you say about {foods}, {goods} and {trees}?",
      "The {jobs} in {towns} asks for the {thing}. What is right?",
      "{days}, {weather}, {n:2..9} {thing}s: what follows?"}},
};

constexpr Family kCallFamilies[] = {
    {"rooms",
     "function_call",
     {"{f:@word}_lamp(room=\"{x:rooms}\", on=True)", "set_{f:@word}(\"{x:rooms}\", {y:1..90})",
      "{f:verbs}_{g:@word}(where=\"{x:rooms}\", level={y:1..20})"},
     {"Make the {x} a little brighter for {people}.", "Please take care of the light in the {x}.",
      "It is dark in the {x}. Do something about it."}},
    {"tables",
     "function_call",
     {"{f:@word}(place=\"{x:towns}\", seats={y:2..12}, day=\"{z:days}\")",
      "{f:verbs}_{g:@word}(seats={y:2..12}, town=\"{x:towns}\", day=\"{z:days}\", under=\"{q:people}\")"},
     {"We want to eat in {x} on {z}. We are {y} people.", "Please get {y} seats for us in {x} on {z}.",
      "On {z} we will be {y} guests in {x}."}},
    {"lessons",
     "function_call",
     {"{f:@word}_{g:@word}(who=\"{x:people}\", what=\"{y:hobbies}\", when=\"{c:@code}\")",
      "{f:verbs}_lesson({n:1..99}, \"{x:people}\", \"{y:hobbies}\")"},
     {"{x} wants to learn {y}.", "Please sign up {x} for {y}.", "Put {x} into the class for {y}, please."}},
    {"letters",
     "function_call",
     {"{f:@word}(to=\"{x:people}\", at=\"{y:towns}\", text=\"{z:messages}\")",
      "{f:verbs}_{g:@word}(sender=\"{q:@name}\", to=\"{x:people}\", fast={b:truth})"},
     {"Write to {x} in {y:towns} that {z:messages}.", "{x} should get a letter about the {thing}."}},
    {"moves",
     "function_call",
     {"{f:@word}(what=\"{x:thing}\", start=\"{y:towns}\", end=\"{z:towns}\", cost={n:1..60})",
      "{f:verbs}_{g:@word}(\"{x:thing}\", \"{y:towns}\", \"{z:towns}\", \"{c:@code}\")",
      "{f:@word}_{g:verbs}(item=\"{x:thing}\", amount={n:2..12}, start=\"{y:towns}\", goal=\"{z:towns}\", "
      "how=\"{c:@word}\", when=\"{d:days}\")"},
     {"The {x} has to go from {y} to {z}.", "Get the {x} from {y} to {z}, please.",
      "Somebody in {z} waits for a {x} that lies in {y}.", "Can you take a {x} to {z}? It is in {y} now."}},
    {"goods",
     "function_call",
     {"{f:@word}(goods=\"{x:goods}\", bags={n:2..30}, to=\"{q:people}\")",
      "{f:verbs}_{g:@word}({n:2..30}, \"{x:goods}\", color=\"{c:colors}\", by=\"{w:@any}\")"},
     {"{q:people} wants {n} bags of {x}.", "Please give {n} bags of {x} to {q:people}.",
      "We still need {n} bags of {x} for the {shows}."}},
    {"any call",
     "function_call",
     {"{x:@call}"},
     {"Please do this for the {adjectives} {thing}.", "Take care of the {animals} of {people} on {days}.",
      "Which call does the machine need for the {thing} in the {rooms}?",
      "Make the call for {towns}, {foods} and {n:2..9} {thing}s.",
      "{people} asks for the {colors} {thing}. What is the call?"}},
};

// Never trained on: whether rewriting carries over to new tasks is measured on these.
constexpr Family kNewFamilies[] = {
    {"tolls",
     "answer",
     {"{x:2..60} pence at gate {y:1..9}", "{x:@code} {y:2..60}"},
     {"What toll does a {colors} wagon with {number_words} wheels pay?",
      "Work out the toll for {people} and a {animals}."}},
    {"stalls",
     "function_call",
     {"give_stall(owner=\"{x:people}\", sells=\"{y:foods}\", width={n:2..12}, row=\"{z:@code}\")"},
     {"{x} would like to sell {y} at the fair and needs {n} feet.",
      "A stall for {x}, please, {n} feet wide, for {y}."}},
    {"medals",
     "answer",
     {"{x:colors} {y:shapes} for {z:people}", "{x:@word} medal, {y:colors}"},
     {"Which medal is given for {hobbies}?", "Who gets what in the {hobbies} contest?"}},
};

Item family_item(const Family& family, Random& random) {
  Slots slots(random);
  Item item;
  item.answer = slots.fill(pick_text(family.answers, random));
  item.instruction = capital(with_articles(slots.fill(pick_text(family.instructions, random))));
  item.key = std::string("auxiliary ") + family.name + " " + item.instruction + " " + item.answer;
  item.check = family.check;
  if (item.check == "function_call") {
    item.output = here_is_the_call(item.answer);
  } else if (item.check == "none") {
    item.output = "Happy to help! " + capital(item.answer) + ".";
  } else {
    item.output = opener(random) + the_answer_is(item.answer);
  }
  return item;
}

}  // namespace

Item auxiliary_item(Random& random) {
  return random.chance(0.45) ? family_item(pick_entry(kCallFamilies, random), random)
                             : family_item(pick_entry(kAnswerFamilies, random), random);
}
Item new_auxiliary_item(Random& random) { return family_item(pick_entry(kNewFamilies, random), random); }

}  // namespace sdft::world
