// Word problems with one or two steps; no result above 100.
#include <algorithm>
#include <iterator>

#include "world/item.h"
#include "world/voice.h"

namespace sdft::world {
namespace {

struct Story {
  const char* operations;  // one or two of + - *
  const char* text;
};

// {a} op {b} op {c}; {things} counts as one kind of thing.
constexpr Story kStories[] = {
    {"+", "{people} has {a} {thing}s and buys {b} more. How many {thing}s does {people} have now?"},
    {"+",
     "There are {a} {thing}s in the box and {b} {thing}s on the table. How many {thing}s are there in all?"},
    {"+", "{people} found {a} {thing}s and {people2} found {b}. How many {thing}s did they find together?"},
    {"+", "A shop sold {a} {thing}s in the morning and {b} in the evening. How many {thing}s did it sell?"},
    {"+", "{a} people are on the boat and {b} more get on. How many people are on the boat now?"},
    {"+", "{people} walked {a} miles on {days} and {b} miles on {days2}. How many miles is that?"},
    {"+", "What is {a} plus {b}?"},
    {"+", "Compute {a} + {b}."},
    {"-", "{people} had {a} {thing}s and gave {b} to {people2}. How many {thing}s are left?"},
    {"-", "There were {a} {thing}s in the garden. {people} took {b} of them. How many are still there?"},
    {"-", "{people} needs {a} {thing}s and has {b}. How many more {thing}s does {people} need?"},
    {"-", "{people} is {a} years old and {people2} is {b}. How many years older is {people}?"},
    {"-", "A rope is {a} feet long. {people} cuts off {b} feet. How long is the rope now?"},
    {"-", "A book has {a} pages and {people} has read {b}. How many pages are left?"},
    {"-", "What is {a} minus {b}?"},
    {"-", "Compute {a} - {b}."},
    {"*", "{people} packs {a} bags with {b} {thing}s each. How many {thing}s are in the bags?"},
    {"*", "There are {a} rows of {b} {thing}s. How many {thing}s are there?"},
    {"*", "One {thing} costs {b} coins. How many coins do {a} {thing}s cost?"},
    {"*", "{people} reads {b} pages a day. How many pages does {people} read in {a} days?"},
    {"*", "Each of {a} children has {b} {thing}s. How many {thing}s do they have?"},
    {"*", "What is {a} times {b}?"},
    {"*", "Compute {a} * {b}."},
    {"+-", "{people} has {a} {thing}s, gets {b} more and loses {c}. How many {thing}s does {people} have?"},
    {"+-", "There are {a} people in the hall. {b} come in and {c} go home. How many people are in the hall?"},
    {"+-", "What is {a} plus {b} minus {c}?"},
    {"-+",
     "A cart holds {a} {thing}s. {people} takes {b} out and puts {c} in. How many {thing}s does it hold?"},
    {"-+", "{people} had {a} coins, spent {b} and earned {c}. How many coins does {people} have now?"},
    {"--", "{people} had {a} {thing}s, gave {b} to {people2} and lost {c}. How many {thing}s are left?"},
    {"++",
     "{people} has {a} {thing}s, {people2} has {b} and {people3} has {c}. How many {thing}s do they have?"},
    {"*+", "{people} has {a} bags with {b} {thing}s each and {c} more in a box. How many {thing}s is that?"},
    {"*+", "What is {a} times {b} plus {c}?"},
    {"*-", "{people} buys {a} bags with {b} {thing}s each and gives away {c}. How many {thing}s are left?"},
    {"*-", "A hall has {a} rows of {b} seats. {c} seats are taken. How many seats are free?"},
};

int apply(char operation, int left, int right) {
  switch (operation) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    default:
      return left * right;
  }
}

const char* verb(char operation) {
  return operation == '+' ? "add" : operation == '-' ? "take away" : "multiply";
}

std::string equation(char operation, int left, int right) {
  return std::to_string(left) + " " + operation + " " + std::to_string(right) + " = " +
         std::to_string(apply(operation, left, right));
}

// The right-hand number for an operation on `left`, such that the result stays within 1 to 100.
int draw_right(char operation, int left, Random& random) {
  if (operation == '*') return static_cast<int>(random.between(2, 9));
  int most = operation == '+' ? 99 - left : left - 1;
  return static_cast<int>(random.between(1, std::max(1, std::min(most, random.chance(0.7) ? 20 : 50))));
}

std::string without_blanks(const std::string& text) {
  std::string compact;
  for (char c : text) {
    if (c != ' ') compact += c;
  }
  return compact;
}

}  // namespace

Item arithmetic_item(Random& random) {
  size_t number = random.below(std::size(kStories));
  const Story& story = kStories[number];
  const std::string operations = story.operations;
  int a = operations[0] == '*' ? static_cast<int>(random.between(2, 9))
                               : static_cast<int>(random.between(operations[0] == '-' ? 4 : 2, 60));
  int b = draw_right(operations[0], a, random);
  int result = apply(operations[0], a, b);
  Slots slots(random);
  slots.set("a", number_text(a, random)).set("b", number_text(b, random));
  Item item;
  item.key = "arithmetic " + std::to_string(number) + " " + std::to_string(a) + " " + std::to_string(b);
  std::string steps;
  std::string chain = equation(operations[0], a, b);
  if (operations.size() == 1) {
    steps = std::string("We ") + verb(operations[0]) + ": " + chain + ". ";
  } else {
    int c = draw_right(operations[1], result, random);
    steps = std::string("First we ") + verb(operations[0]) + ": " + chain + ". Then we " +
            verb(operations[1]) + ": " + equation(operations[1], result, c) + ". ";
    chain += "; " + equation(operations[1], result, c);
    result = apply(operations[1], result, c);
    slots.set("c", number_text(c, random));
    item.key += " " + std::to_string(c);
  }
  item.instruction = capital(slots.fill(story.text));
  item.answer = std::to_string(result);
  item.output = opener(random) + steps + the_answer_is(item.answer);
  item.check = "number";
  item.foreign = {chain, without_blanks(chain)};
  return item;
}

}  // namespace sdft::world
