// Inside src/world: the closed word list, made-up names, and templates with slots.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace sdft::world {

using Words = std::vector<std::string>;

Words split_words(std::string_view text, char separator = ' ');
// A list of the world by its name: "people", "towns", "colors", ... An unknown name is a bug and throws.
const Words& word_list(std::string_view name);

std::string join(const Words& words, std::string_view separator);
std::string capital(std::string text);  // first letter
std::string upper(std::string text);
std::string number_word(int number);                  // "seven"; digits above twelve
std::string number_text(int number, Random& random);  // mostly digits, now and then a word

// "a apple" becomes "an apple", wherever a word stands alone.
std::string with_articles(const std::string& text);

// An entry of a table; a text of a row, whose unused places are null.
template <typename T, size_t N>
const T& pick_entry(const T (&table)[N], Random& random) {
  return table[random.below(N)];
}
template <size_t N>
const char* pick_text(const char* const (&texts)[N], Random& random) {
  size_t count = 0;
  while (count < N && texts[count]) ++count;
  return texts[random.below(count)];
}

std::string made_up_word(Random& random);  // "tolmi": two or three syllables
// Random material to be copied: "code", "word", "name", "phrase", "time", "pair", "call", ...
std::string made_up(std::string_view kind, Random& random);

// `count` different entries of a list.
Words draw_different(const Words& list, size_t count, Random& random);

// Fills templates. {x} is the value bound to x, or, if x (without digits at its end) names a list, an entry
// of it drawn now and bound; {x:list}, {x:2..12} and {x:@code} bind x to an entry, a number, made-up
// material. Two slots of the same list get different entries. {^x} is {x} with a capital letter. {" is
// literal.
class Slots {
 public:
  explicit Slots(Random& random) : random_(random) {}
  Slots& set(const std::string& name, std::string value);
  const std::string& get(const std::string& name) const;
  std::string fill(std::string_view pattern);

 private:
  std::string resolve(std::string_view slot);
  std::string draw(std::string_view source);
  Random& random_;
  std::map<std::string, std::string> values_;
};

}  // namespace sdft::world
