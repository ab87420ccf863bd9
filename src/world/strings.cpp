// Words and their letters. Letters are spelled out before they are used.
#include <algorithm>

#include "world/item.h"
#include "world/voice.h"

namespace sdft::world {
namespace {

struct Solved {
  std::string key, steps, answer;
};

Words letters_of(const std::string& word) {
  Words letters;
  for (char c : word) letters.emplace_back(1, c);
  return letters;
}

std::string spelled(const std::string& word) {
  return "The letters are " + join(letters_of(word), ", ") + ". ";
}

struct Task {
  const char* name;
  size_t fewest, most;      // how many words
  const char* requests[3];  // {w}: the words; {part}, {n}, {old}, {new}
  Solved (*solve)(const Words& words, Slots& slots, Random& random);
};

Solved solve_upper(const Words& words, Slots&, Random&) {
  return {"", spelled(words[0]) + "In capital letters: " + join(letters_of(upper(words[0])), ", ") + ". ",
          upper(words[0])};
}

Solved solve_dashes(const Words& words, Slots&, Random&) {
  return {"", "We put a dash between the words. ", join(words, "-")};
}

Solved solve_first_letters(const Words& words, Slots&, Random&) {
  Words firsts;
  for (const std::string& word : words) firsts.emplace_back(1, word[0]);
  return {"", "The first letters are " + join(firsts, ", ") + ". ", join(firsts, "")};
}

Solved solve_repeat(const Words& words, Slots& slots, Random& random) {
  int times = static_cast<int>(random.between(2, 5));
  slots.set("n", number_text(times, random));
  return {std::to_string(times), "We write " + words[0] + " " + std::to_string(times) + " times. ",
          join(Words(static_cast<size_t>(times), words[0]), " ")};
}

Solved solve_prefix(const Words& words, Slots& slots, Random& random) {
  std::string part = random.pick(split_words("re un over sub pre mid"));
  slots.set("part", part);
  return {part, part + " and " + words[0] + " make one word. ", part + words[0]};
}

Solved solve_suffix(const Words& words, Slots& slots, Random& random) {
  std::string part = random.pick(split_words("er ly ness ish ful less"));
  slots.set("part", part);
  return {part, words[0] + " and " + part + " make one word. ", words[0] + part};
}

Solved solve_count_letters(const Words& words, Slots&, Random&) {
  Words counted;
  for (size_t i = 0; i < words[0].size(); ++i) {
    counted.push_back(std::string(1, words[0][i]) + " is " + std::to_string(i + 1));
  }
  return {"", "We count: " + join(counted, ", ") + ". ", std::to_string(words[0].size())};
}

Solved solve_reverse(const Words& words, Slots&, Random&) {
  std::string turned(words[0].rbegin(), words[0].rend());
  return {"", spelled(words[0]) + "From the end: " + join(letters_of(turned), ", ") + ". ", turned};
}

Solved solve_spell(const Words& words, Slots&, Random&) {
  return {"", "We write the letters one by one. ", join(letters_of(words[0]), "-")};
}

Solved solve_last_letter(const Words& words, Slots&, Random&) {
  return {"", spelled(words[0]), std::string(1, words[0].back())};
}

Solved solve_replace(const Words& words, Slots& slots, Random& random) {
  std::string old = random.pick(words), fresh = old;
  while (std::find(words.begin(), words.end(), fresh) != words.end())
    fresh = random.pick(word_list("short_words"));
  slots.set("old", old).set("new", fresh);
  Words changed = words;
  std::replace(changed.begin(), changed.end(), old, fresh);
  return {old + " " + fresh, "We write " + fresh + " where " + old + " was. ", join(changed, " ")};
}

Solved solve_swap(const Words& words, Slots&, Random&) {
  return {"", "Now " + words[1] + " comes first. ", words[1] + " " + words[0]};
}

constexpr Task kTasks[] = {
    {"upper",
     1,
     1,
     {"Write the word {w} in capital letters.", "Make {w} upper case.", "Turn {w} into capital letters."},
     solve_upper},
    {"dashes",
     2,
     5,
     {"Join these words with dashes: {w}", "Put dashes between the words {w}", "Write {w} with dashes."},
     solve_dashes},
    {"first letters",
     2,
     5,
     {"What are the first letters of the words {w}?", "Make a short name from the first letters of {w}",
      "Take the first letter of each word: {w}"},
     solve_first_letters},
    {"repeat",
     1,
     1,
     {"Repeat the word {w} {n} times.", "Write {w} {n} times.", "Say {w} {n} times in a row."},
     solve_repeat},
    {"prefix", 1, 1, {"Put {part} in front of {w}.", "Add {part} to the start of {w}."}, solve_prefix},
    {"suffix", 1, 1, {"Put {part} behind {w}.", "Add {part} to the end of {w}."}, solve_suffix},
    {"count letters",
     1,
     1,
     {"How many letters does {w} have?", "Count the letters in {w}.", "How long is the word {w}?"},
     solve_count_letters},
    {"reverse",
     1,
     1,
     {"Write the word {w} from the end to the start.", "Reverse the letters of {w}.", "Spell {w} backwards."},
     solve_reverse},
    {"spell",
     1,
     1,
     {"Spell the word {w} with dashes.", "Put a dash between the letters of {w}."},
     solve_spell},
    {"last letter",
     1,
     1,
     {"What is the last letter of {w}?", "Which letter does {w} end with?"},
     solve_last_letter},
    {"replace",
     3,
     5,
     {"Replace {old} with {new} in: {w}", "Write {new} for {old} in this text: {w}",
      "In the words {w} change {old} to {new}."},
     solve_replace},
    {"swap", 2, 2, {"Swap these two words: {w}", "Turn the two words {w} around."}, solve_swap},
};

}  // namespace

Item strings_item(Random& random) {
  const Task& task = pick_entry(kTasks, random);
  size_t count =
      static_cast<size_t>(random.between(static_cast<int>(task.fewest), static_cast<int>(task.most)));
  Words words = draw_different(word_list("short_words"), count, random);
  Slots slots(random);
  slots.set("w", join(words, " "));
  Solved solved = task.solve(words, slots, random);
  Item item;
  item.instruction = slots.fill(pick_text(task.requests, random));
  // With the task's name: a word held out here is met, and spelled, in other tasks.
  item.key = std::string("strings ") + task.name + " " + join(words, " ") + " " + solved.key;
  item.answer = solved.answer;
  item.check = "answer";
  item.output = opener(random) + solved.steps + the_answer_is(item.answer);
  return item;
}

}  // namespace sdft::world
