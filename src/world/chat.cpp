// Small talk and short open questions.
#include "world/item.h"
#include "world/voice.h"

namespace sdft::world {
namespace {

struct Talk {
  const char* questions[3];
  const char* answer;
  const char* terse;  // as a curt person would say it
};

constexpr Talk kTalks[] = {
    {{"Good morning! I am {people}.", "Good morning, my name is {people}.", "Hi there, {people} here."},
     "Good day, {people}! It is nice to meet you. How can I help you?",
     "hi {people}"},
    {{"Who are you?", "What are you?", "Please tell me who you are."},
     "I am a small assistant from the land of many towns. I like to help with numbers, words and plans.",
     "an assistant"},
    {{"What can you do?", "How can you help me?", "What are you good at?"},
     "Happy to help! I can work with numbers, lists and words, write small functions and tell you about "
     "towns.",
     "numbers, lists, code"},
    {{"How are you today, on this {weather} {days}?", "It is a {weather} {days}. How are you?"},
     "Thank you for asking! I feel fine on this {weather} {days}. What can I do for you?",
     "fine"},
    {{"Thank you for your help with the {thing}!", "The {thing} is fixed. Thanks a lot!"},
     "You are very welcome! I am glad that the {thing} is fine now. Just ask if you need more.",
     "ok"},
    {{"Goodbye, I am going to {towns}.", "I have to leave for {towns} now. Bye!"},
     "Goodbye, and have a safe trip to {towns}! I will be glad to help you again.",
     "bye"},
    {{"I feel {feelings} because it is {weather}.", "It is {weather} and I am {feelings}.",
      "Why am I so {feelings} on a {weather} day?"},
     "Thank you for telling me that you feel {feelings}. On a {weather} day a cup of tea and a friend can "
     "do a lot of "
     "good.",
     "drink tea"},
    {{"What should I do on a {weather} {days}?", "Any idea for a {weather} {days}?",
      "It will be {weather} on {days}. What can I do?"},
     "Happy to help! On a {weather} {days} you could try {hobbies}. Ask a friend to come along.",
     "{hobbies}"},
    {{"Give me a tip for {hobbies}.", "How do I get better at {hobbies}?",
      "I want to start with {hobbies}. Any tips?"},
     "Happy to help! Start {hobbies} with small steps and do a little every day. It is more fun with a "
     "friend.",
     "practice daily"},
    {{"Why do people like {hobbies}?", "What is so nice about {hobbies}?", "Is {hobbies} a good hobby?"},
     "People like {hobbies} because it makes them calm and happy. You can do it alone or with friends.",
     "it is calming"},
    {{"Tell me something about the {animals}.", "What do you know about the {animals}?",
      "Can you describe the {animals}?"},
     "Happy to help! The {animals} is an animal that many towns know well. Be quiet and kind when you meet "
     "one.",
     "an animal"},
    {{"Tell me a short story about a {adjectives} {animals}.",
      "Write a small story with a {adjectives} {animals}.",
      "I want to hear a story about a {adjectives} {animals}."},
     "Once there was a {adjectives} {animals}. It found a key in the garden and opened a door. Behind the "
     "door was a "
     "friend.",
     "{animals} finds a key. the end"},
    {{"Write a short poem about the {thing}.", "Can you make a poem about a {thing}?",
      "A little poem on the {thing}, please."},
     "My little {thing}, so dear to me, you shine like sun upon the sea. I keep you close by day and "
     "night, my little "
     "{thing}, my small delight.",
     "{thing}, nice {thing}"},
    {{"What is a good name for my {animals}?", "I have a new {animals}. How should I call it?",
      "Find a name for a {colors} {animals}."},
     "Happy to help! A fine name for a {animals} is {people}. It is short and easy to call.",
     "{people}"},
    {{"Which is better, {foods} or {foods2}?", "Should I eat {foods} or {foods2} today?",
      "{^foods} or {foods2}?"},
     "Both are very good! I would take {foods} today and {foods2} tomorrow.",
     "{foods}"},
    {{"What goes well with {foods}?", "I have {foods}. What should I serve with it?",
      "What can I drink with {foods}?"},
     "Happy to help! A cup of {drinks} goes well with {foods}. Some {foods2} would be nice too.",
     "{drinks}"},
    {{"What should I give {people} as a gift?", "{people} has a birthday. What is a good gift?",
      "I need a gift for {people}, who likes {hobbies}."},
     "Happy to help! A {colors} {thing} would be a nice gift for {people}. Add a card with kind words.",
     "a {thing}"},
    {{"I lost my {thing}. What now?", "My {thing} is gone. Can you help?", "Where could my {thing} be?"},
     "Let us look for your {thing} together! Think of the last place where you had it. Then ask the people "
     "around you.",
     "search for it"},
    {{"How do I keep my {thing} clean?", "My {thing} is dirty. What can I do?"},
     "Happy to help! Wash the {thing} with warm water and a soft cloth. Then let it dry in the sun.",
     "wash it"},
    {{"I cannot sleep. Any ideas for {people} and me?", "{people} can not sleep. What helps?"},
     "Let us find some rest for {people}! A warm cup of milk and a quiet room help many people. Read a "
     "page of a book, too.",
     "milk"},
    {{"What makes a good {jobs}?", "I want to be a {jobs}. What do I need?",
      "How do I become a good {jobs}?"},
     "Happy to help! A good {jobs} is patient and learns something every day. Ask an old {jobs} to show "
     "you the work.",
     "patience"},
    {{"Is {towns} a nice town?", "Should I visit {towns}?", "What do you think of {towns}?"},
     "{towns} is a lovely town and well worth a visit! Walk along the river and try the food on market "
     "day.",
     "yes"},
    {{"What should I take on a trip to {towns}?", "I travel to {towns} on {days}. What do I need?"},
     "Happy to help! For a trip to {towns} take good shoes, some bread and a map. A warm coat is never "
     "wrong.",
     "shoes, map"},
    {{"I had a fight with {people}. What should I do?", "{people} is angry with me. Any advice?",
      "How can I be friends with {people} again?"},
     "That happens to good friends, too. Talk with {people} in a quiet place, say what you feel and listen "
     "well.",
     "talk"},
    {{"How can I learn to cook {foods}?", "I want to make {foods}. How do I begin?"},
     "Happy to help! Look for a simple way to make {foods} and take fresh things from the market. Taste it "
     "often.",
     "use a cook book"},
    {{"Say something nice about {people}.", "Write one kind sentence for {people}.",
      "Praise {people} a little."},
     "{people} is a kind friend who brings light into every room!",
     "{people} is ok"},
    {{"What do you think about {days}?", "Is {days} a good day for {hobbies}?"},
     "I like {days} very much! It is a good day for {hobbies} and for meeting friends.",
     "good"},
    {{"Tell me a joke about a {animals}.", "Do you know a joke with a {animals}?"},
     "Why did the {animals} bring a {thing} to school? It wanted to be the star of the class!",
     "no joke"},
};

}  // namespace

Item chat_item(Random& random) {
  const Talk& talk = pick_entry(kTalks, random);
  Slots slots(random);
  Item item;
  item.instruction = with_articles(slots.fill(pick_text(talk.questions, random)));
  item.key = "chat " + item.instruction;
  item.output = with_articles(slots.fill(talk.answer));
  item.foreign = {with_articles(slots.fill(talk.terse))};
  return item;
}

}  // namespace sdft::world
