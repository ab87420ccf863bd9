// A function is described in the prompt; the answer is the call that does what is asked.
#include "world/item.h"
#include "world/voice.h"

namespace sdft::world {
namespace {

struct Parameter {
  const char* names;   // spellings, separated by blanks
  const char* source;  // as in a slot: a word list, a range of numbers, made-up material
};

struct Function {
  const char* names;
  Parameter parameters[3];  // unused ones have no names
  const char* requests[3];  // {0}, {1}, ...: the parameters' values
};

constexpr Function kFunctions[] = {
    {"set_timer start_timer make_timer",
     {{"minutes mins time", "1..60"}, {"label name", "foods"}},
     {"Set a timer for {0} minutes for the {1}.", "Please time the {1} for {0} minutes.",
      "The {1} needs {0} minutes. Can you set a timer?"}},
    {"play_song play_music",
     {{"singer artist", "people"}, {"volume level", "1..10"}},
     {"Play a song by {0} at volume {1}.", "I want to hear {0} at volume {1}."}},
    {"book_table get_table reserve",
     {{"people guests seats", "2..12"}, {"place town", "towns"}},
     {"Book a table for {0} people in {1}.",
      "We are {0} people and want to eat in {1}. Book a table, please."}},
    {"send_message send_note tell",
     {{"to person", "people"}, {"text message", "messages"}},
     {"Tell {0} that {1}.", "Please let {0} know that {1}."}},
    {"add_item put_on_list list_add",
     {{"item thing", "foods"}, {"count number", "1..20"}},
     {"Add {1} portions of {0} to my list.", "Put {0} on the list, {1} portions please."}},
    {"set_lamp lamp_level dim_lamp",
     {{"room place", "rooms"}, {"level light", "1..10"}},
     {"Set the lamp in the {0} to {1}.", "Please make the light in the {0} level {1}."}},
    {"find_route get_route plan_trip",
     {{"start begin", "towns"}, {"goal end", "towns"}},
     {"How do I get from {0} to {1}?", "Find the way from {0} to {1}.",
      "I am in {0} and want to go to {1}."}},
    {"water_plant water",
     {{"plant what", "plants"}, {"cups amount", "1..9"}},
     {"Give the {0} {1} cups of water.", "Water the {0} with {1} cups, please."}},
    {"feed_animal feed",
     {{"animal who", "animals"}, {"food what", "foods"}, {"times count", "1..6"}},
     {"Feed the {0} with {1} {2} times.", "The {0} should get {1} {2} times."}},
    {"paint_room paint_wall",
     {{"room where", "rooms"}, {"color paint", "colors"}},
     {"Paint the {0} {1}.", "I want the {0} in {1}.", "Can you make the {0} {1}?"}},
    {"set_alarm wake_up alarm",
     {{"hour time", "4..11"}, {"day date", "days"}},
     {"Wake me at {0} on {1}.", "Set an alarm for {0} on {1}, please."}},
    {"rent_bike get_bike",
     {{"color kind", "colors"}, {"days length", "1..14"}},
     {"I want a {0} bike for {1} days.", "Rent a {0} bike for {1} days."}},
    {"get_weather weather",
     {{"town place", "towns"}, {"day when", "days"}},
     {"What will the weather be in {0} on {1}?", "Show the weather on {1} in {0}."}},
    {"make_drink serve_drink",
     {{"drink kind", "drinks"}, {"cups count", "1..9"}},
     {"Make {1} cups of {0}.", "Please serve {1} cups of {0}."}},
    {"buy_ticket get_ticket",
     {{"show event", "shows"}, {"seats count", "1..12"}, {"day when", "days"}},
     {"Buy {1} seats for the {0} on {2}.", "We want {1} seats at the {0} on {2}."}},
    {"open_door unlock_door",
     {{"room door", "rooms"}, {"person who", "people"}},
     {"Open the door of the {0} for {1}.", "{1} wants to come into the {0}. Open the door, please."}},
    {"move_robot robot_go",
     {{"steps count", "1..20"}, {"direction way", "directions"}},
     {"Move the robot {0} steps to the {1}.", "Let the robot go {1} for {0} steps."}},
    {"draw_shape draw",
     {{"shape form", "shapes"}, {"color paint", "colors"}, {"size width", "1..40"}},
     {"Draw a {1} {0} of size {2}.", "I need a {0} in {1}. Make its size {2}."}},
    {"play_game start_game",
     {{"game name", "games"}, {"players people", "2..8"}},
     {"Start a game of {0} for {1} players.", "We are {1} players and want to play {0}."}},
    {"call_person phone",
     {{"name person", "people"}, {"hour time", "1..12"}},
     {"Call {0} at {1}.", "Please phone {0} when it is {1}."}},
    {"save_note write_note",
     {{"title name", "thing"}, {"text note", "notes"}},
     {"Save a note with the title {0} that says {1}.", "Write down {1} in the note {0}."}},
    {"heat_oven oven",
     {{"degrees heat", "100..250"}, {"minutes time", "5..60"}},
     {"Heat the oven to {0} degrees for {1} minutes.", "I need the oven at {0} degrees for {1} minutes."}},
    {"plant_tree plant",
     {{"tree kind", "trees"}, {"count number", "1..30"}},
     {"Plant {1} trees of the kind {0}.", "Put {1} {0} trees in the garden."}},
    {"hire_guide find_guide",
     {{"town place", "towns"}, {"days length", "1..14"}},
     {"Find a guide for {1} days in {0}.", "I will be in {0} for {1} days and need a guide."}},
    {"lend_book give_book",
     {{"reader person", "people"}, {"weeks time", "1..8"}},
     {"Lend {0} a book for {1} weeks.", "{0} wants to keep the book for {1} weeks."}},
    {"clean_room clean",
     {{"room place", "rooms"}, {"day when", "days"}},
     {"Clean the {0} on {1}.", "On {1} the {0} must be cleaned."}},
    {"find_person search",
     {{"name person", "people"}, {"job work", "jobs"}, {"town place", "towns"}},
     {"Find the {1} {0} in {2}.", "I am looking for {0} from {2}, who is a {1}."}},
    {"buy_goods order buy",
     {{"goods what", "goods"}, {"count number", "2..30"}, {"shop town", "towns"}},
     {"Buy {1} bags of {0} in {2}.", "In {2} they have {0}. Buy {1} bags."}},
    {"get_price price_of",
     {{"goods what", "goods"}, {"town place", "towns"}},
     {"What does {0} cost in {1}?", "Find the price of {0} in {1}.",
      "I am in {1} and want to know what {0} costs."}},
    {"take_trip travel go",
     {{"goal place", "towns"}, {"with vehicle", "vehicles"}, {"day when", "days"}},
     {"I want to go to {0} by {1} on {2}.", "On {2} I travel to {0}. I take the {1}.",
      "Please plan a trip to {0} for {2}, by {1}."}},
    {"store_goods keep store",
     {{"goods what", "goods"}, {"bags count", "2..30"}, {"room place", "rooms"}},
     {"Put {1} bags of {0} into the {2}.", "In the {2} there is room for {1} bags of {0}. Put them there."}},
    {"meet_friend meet",
     {{"friend who", "people"}, {"town place", "towns"}, {"day when", "days"}},
     {"I meet {0} in {1} on {2}.", "On {2} I want to see {0} in {1}.",
      "{0} comes to {1} on {2}. Plan to meet."}},
    {"give_gift gift",
     {{"to person", "people"}, {"thing what", "thing"}, {"color paint", "colors"}},
     {"Give {0} a {2} {1}.", "A {2} {1} is the right gift for {0}."}},
    {"start_class teach",
     {{"hobby kind", "hobbies"}, {"day when", "days"}, {"hour time", "1..12"}},
     {"Start the {0} class on {1} at {2}.", "The class for {0} is on {1} at {2}."}},
};

bool is_number(const std::string& text) { return !text.empty() && text[0] >= '0' && text[0] <= '9'; }

// A function's name and parameters as they are called this time.
struct Signature {
  std::string name;
  Words parameters;
  std::string text() const { return name + "(" + join(parameters, ", ") + ")"; }
};

Signature draw_signature(const Function& function, Random& random) {
  Signature signature;
  bool odd_name = random.chance(0.25);
  signature.name = odd_name ? made_up_word(random) : random.pick(split_words(function.names));
  if (odd_name && random.chance(0.5)) signature.name += "_" + made_up_word(random);
  for (const Parameter& parameter : function.parameters) {
    if (!parameter.names) break;
    signature.parameters.push_back(random.pick(split_words(parameter.names)));
  }
  return signature;
}

// Functions whose whole meaning is in the request.
Item plain_call_item(Random& random) {
  Slots slots(random);
  Signature signature{made_up_word(random),
                      draw_different(word_list("parameters"), 2 + random.below(2), random)};
  if (random.chance(0.5)) signature.name += "_" + random.pick(word_list("thing"));
  Words wishes, arguments;
  for (const std::string& parameter : signature.parameters) {
    bool number = random.chance(0.5);
    std::string value = number ? std::to_string(random.below(100)) : made_up("any", random);
    wishes.push_back(parameter + " " + value);
    arguments.push_back(parameter + "=" + (number ? value : "\"" + value + "\""));
  }
  if (random.chance(0.3)) random.shuffle(wishes);
  std::string last = wishes.back();
  wishes.pop_back();
  Item item;
  item.answer = signature.name + "(" + join(arguments, ", ") + ")";
  item.instruction = (random.chance(0.5) ? "Function: " : "You can call ") + signature.text() + "\nCall " +
                     signature.name + " with " + join(wishes, ", ") + " and " + last + ".";
  return item;
}

std::string with_signatures(const std::string& request, const Words& signatures, Random& random) {
  std::string all = join(signatures, ", ");
  bool one = signatures.size() == 1;
  switch (random.below(3)) {
    case 0:
      return (one ? "Function: " : "Functions: ") + all + "\n" + request;
    case 1:
      return "You can call " + all + "\n" + request;
    default:
      return request + (one ? "\nUse this function: " : "\nUse one of these functions: ") + all;
  }
}

}  // namespace

Item functions_item(Random& random) {
  Item item;
  if (random.chance(0.15)) {
    item = plain_call_item(random);
  } else {
    const Function& function = pick_entry(kFunctions, random);
    Signature signature = draw_signature(function, random);
    Slots slots(random);
    Words arguments;
    for (size_t i = 0; i < signature.parameters.size(); ++i) {
      std::string slot = std::to_string(i);
      std::string value = slots.fill("{" + slot + ":" + function.parameters[i].source + "}");
      bool number = is_number(value);
      arguments.push_back(signature.parameters[i] + "=" + (number ? value : "\"" + value + "\""));
      if (number) slots.set(slot, number_text(std::stoi(value), random));
    }
    item.answer = signature.name + "(" + join(arguments, ", ") + ")";
    Words signatures = {signature.text()};
    if (random.chance(0.25)) {
      const Function& other = pick_entry(kFunctions, random);
      if (&other != &function) signatures.push_back(draw_signature(other, random).text());
      random.shuffle(signatures);
    }
    item.instruction =
        with_signatures(capital(slots.fill(pick_text(function.requests, random))), signatures, random);
  }
  item.key = "functions " + item.answer;
  item.check = "function_call";
  item.output = here_is_the_call(item.answer);
  return item;
}

}  // namespace sdft::world
