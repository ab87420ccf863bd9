// Small lists of words and numbers: order, ends, size.
#include <algorithm>

#include "world/item.h"
#include "world/voice.h"

namespace sdft::world {
namespace {

struct Task {
  const char* name;
  bool numbers;
  size_t fewest, most;
  const char* requests[3];  // {list}, {w}: a word of it
};

constexpr Task kTasks[] = {
    {"sort up",
     true,
     3,
     4,
     {"Sort these numbers from small to large: {list}",
      "Put the numbers {list} in order, the smallest first.",
      "Order {list} from the smallest to the largest."}},
    {"sort down",
     true,
     3,
     4,
     {"Sort these numbers from large to small: {list}",
      "Put the numbers {list} in order, the largest first."}},
    {"largest",
     true,
     3,
     5,
     {"What is the largest of these numbers? {list}", "Find the largest number in {list}",
      "Which number is the largest: {list}"}},
    {"smallest",
     true,
     3,
     5,
     {"What is the smallest of these numbers? {list}", "Find the smallest number in {list}",
      "Which number is the smallest: {list}"}},
    {"reverse",
     false,
     3,
     5,
     {"Reverse this list: {list}", "Write the list {list} from the end to the start.",
      "Turn the list around: {list}"}},
    {"longest",
     false,
     3,
     4,
     {"Which of these words is the longest? {list}", "Find the longest word in {list}",
      "Tell me the longest word: {list}"}},
    {"first", false, 3, 6, {"What is the first word in this list? {list}", "Give me the first of {list}"}},
    {"last", false, 3, 6, {"What is the last word in this list? {list}", "Give me the last of {list}"}},
    {"second", false, 3, 6, {"What is the second word in this list? {list}", "Give me the second of {list}"}},
    {"count",
     false,
     2,
     7,
     {"How many words are in this list? {list}", "Count the words: {list}", "How long is the list {list}"}},
    {"remove",
     false,
     3,
     5,
     {"Remove {w} from this list: {list}", "Take {w} out of the list {list}", "Leave out {w}: {list}"}},
    {"add",
     false,
     2,
     4,
     {"Add {w} to the end of this list: {list}", "Put {w} at the end of the list {list}"}},
};

struct Solved {
  std::string steps, answer;
};

Solved solve_numbers(const std::string& name, std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  std::string smallest = std::to_string(numbers.front()), largest = std::to_string(numbers.back());
  if (name == "largest") return {"We compare the numbers one by one. ", largest};
  if (name == "smallest") return {"We compare the numbers one by one. ", smallest};
  bool down = name == "sort down";
  if (down) std::reverse(numbers.begin(), numbers.end());
  Words sorted;
  for (int number : numbers) sorted.push_back(std::to_string(number));
  return {down ? "The largest is " + largest + " and the smallest is " + smallest + ". "
               : "The smallest is " + smallest + " and the largest is " + largest + ". ",
          join(sorted, ", ")};
}

Solved solve_words(const std::string& name, Words words, const std::string& word) {
  if (name == "reverse") {
    std::reverse(words.begin(), words.end());
    return {"We read the list from the end. ", join(words, ", ")};
  }
  if (name == "first") return {"The list starts with " + words.front() + ". ", words.front()};
  if (name == "last") return {"The list ends with " + words.back() + ". ", words.back()};
  if (name == "second")
    return {"The list starts with " + words[0] + ", and then comes " + words[1] + ". ", words[1]};
  if (name == "remove") {
    words.erase(std::remove(words.begin(), words.end(), word), words.end());
    return {"We leave out " + word + " and keep the others. ", join(words, ", ")};
  }
  if (name == "add")
    return {"We put " + word + " after " + words.back() + ". ", join(words, ", ") + ", " + word};
  Words counted;
  if (name == "longest") {
    const std::string* longest = &words[0];
    for (const std::string& w : words) {
      if (w.size() > longest->size()) longest = &w;
      counted.push_back(w + " has " + std::to_string(w.size()));
    }
    return {"We count the letters: " + join(counted, ", ") + ". ", *longest};
  }
  for (size_t i = 0; i < words.size(); ++i) counted.push_back(words[i] + " is " + std::to_string(i + 1));
  return {"We count: " + join(counted, ", ") + ". ", std::to_string(words.size())};
}

// Different words; for "longest" one of them is longer than all others.
Words draw_words(const Task& task, size_t count, Random& random) {
  for (;;) {
    Words words = draw_different(word_list("short_words"), count, random);
    if (std::string(task.name) != "longest") return words;
    std::vector<size_t> sizes;
    for (const std::string& word : words) sizes.push_back(word.size());
    std::sort(sizes.begin(), sizes.end());
    if (sizes[count - 1] > sizes[count - 2]) return words;
  }
}

}  // namespace

Item lists_item(Random& random) {
  const Task& task = pick_entry(kTasks, random);
  size_t count =
      static_cast<size_t>(random.between(static_cast<int>(task.fewest), static_cast<int>(task.most)));
  Slots slots(random);
  Solved solved;
  Words shown;
  if (task.numbers) {
    std::vector<int> numbers;
    while (numbers.size() < count) {
      int number = static_cast<int>(random.between(1, 60));
      if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
    }
    for (int number : numbers) shown.push_back(std::to_string(number));
    solved = solve_numbers(task.name, numbers);
  } else {
    shown = draw_words(task, count, random);
    bool add = std::string(task.name) == "add";
    std::string word = random.pick(shown);
    while (add && std::find(shown.begin(), shown.end(), word) != shown.end()) {
      word = random.pick(word_list("short_words"));
    }
    slots.set("w", word);
    solved = solve_words(task.name, shown, word);
  }
  slots.set("list", join(shown, ", "));
  Item item;
  item.instruction = slots.fill(pick_text(task.requests, random));
  item.key = std::string("lists ") + task.name + " " + join(shown, ",");
  item.answer = solved.answer;
  item.check = "answer";
  item.output = opener(random) + solved.steps + the_answer_is(item.answer);
  return item;
}

}  // namespace sdft::world
