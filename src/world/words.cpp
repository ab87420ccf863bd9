#include "world/words.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "world/word_lists.h"

namespace sdft::world {

Words split_words(std::string_view text, char separator) {
  Words words;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) words.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

const Words& word_list(std::string_view name) {
  static const std::map<std::string, Words, std::less<>> lists = [] {
    std::map<std::string, Words, std::less<>> all;
    for (const WordList& list : kWordLists) {
      char separator = std::string_view(list.words).find('|') == std::string_view::npos ? ' ' : '|';
      all[list.name] = split_words(list.words, separator);
    }
    return all;
  }();
  auto found = lists.find(name);
  if (found == lists.end()) throw std::logic_error("world: no word list '" + std::string(name) + "'");
  return found->second;
}

std::string join(const Words& words, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i) text += separator;
    text += words[i];
  }
  return text;
}

std::string capital(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string with_articles(const std::string& text) {
  std::string fixed;
  for (size_t i = 0; i < text.size(); ++i) {
    fixed += text[i];
    bool alone =
        (text[i] == 'a' || text[i] == 'A') && (i == 0 || text[i - 1] == ' ') && text.substr(i + 1, 1) == " ";
    if (alone && i + 2 < text.size() && std::string_view("aeiou").find(text[i + 2]) != std::string_view::npos)
      fixed += 'n';
  }
  return fixed;
}

std::string number_word(int number) {
  const Words& words = word_list("number_words");
  return number >= 1 && number <= static_cast<int>(words.size()) ? words[number - 1] : std::to_string(number);
}

std::string number_text(int number, Random& random) {
  return random.chance(0.25) ? number_word(number) : std::to_string(number);
}

std::string made_up_word(Random& random) {
  static const Words starts = split_words("b br d dr f fl g gr h j k kl l m n p pl qu r s sk st t tr v w z");
  static const Words vowels = split_words("a e i o u a e o ai ou");
  static const Words ends = split_words("n l r s m k t nd st x");
  std::string word;
  size_t syllables = 2 + random.below(2);
  for (size_t i = 0; i < syllables; ++i) word += random.pick(starts) + random.pick(vowels);
  if (random.chance(0.5)) word += random.pick(ends);
  return word;
}

namespace {

std::string digits(Random& random, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += static_cast<char>('0' + random.below(10));
  return text;
}

std::string letters(Random& random, size_t count, char first) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += static_cast<char>(first + random.below(26));
  return text;
}

std::string code(Random& random) {
  switch (random.below(8)) {
    case 0:
      return letters(random, 1, 'A') + digits(random, 1 + random.below(3));
    case 1:
      return letters(random, 2, 'A') + "-" + digits(random, 2 + random.below(2));
    case 2:
      return digits(random, 2) + "-" + letters(random, 1 + random.below(2), 'A');
    case 3:
      return letters(random, 2 + random.below(3), 'a') + digits(random, 2);
    case 4:
      return made_up_word(random) + "-" + digits(random, 1 + random.below(2));
    case 5:
      return random.pick(word_list("colors")) + "-" + letters(random, 1, 'a') + "-" + digits(random, 1);
    case 6:
      return letters(random, 3, 'A') + "_" + digits(random, 1 + random.below(3));
    default:
      return digits(random, 1) + "/" + digits(random, 2) + "/" + letters(random, 1, 'A');
  }
}

// Some words of the world and some new ones.
std::string any_word(Random& random) {
  static const Words sources = split_words("thing goods animals foods colors towns people adjectives rooms");
  return random.chance(0.5) ? made_up_word(random) : random.pick(word_list(random.pick(sources)));
}

std::string phrase(Random& random) {
  Words words;
  for (size_t i = 0, count = 2 + random.below(3); i < count; ++i) words.push_back(any_word(random));
  return join(words, " ");
}

std::string value(Random& random) {
  switch (random.below(9)) {
    case 0:
      return std::to_string(random.below(10));
    case 1:
    case 2:
      return std::to_string(random.below(100));
    case 3:
      return random.chance(0.5) ? "True" : "False";
    case 4:
      return "\"" + phrase(random) + "\"";
    case 5:
      return "\"" + letters(random, 2 + random.below(2), 'a') + "\"";
    case 6:
      return "\"" + made_up("name", random) + "\"";
    default:
      return "\"" + any_word(random) + "\"";
  }
}

std::string function_name(Random& random) {
  std::string name = random.chance(0.5) ? made_up_word(random) : random.pick(word_list("verbs"));
  if (random.chance(0.6))
    name += "_" + (random.chance(0.4) ? made_up_word(random) : random.pick(word_list("thing")));
  return name;
}

std::string call(Random& random) {
  Words arguments;
  Words names = draw_different(word_list("parameters"), 6, random);
  bool named = random.chance(0.85);
  for (size_t i = 0, count = 1 + random.below(6); i < count; ++i) {
    std::string name = random.chance(0.15) ? made_up_word(random) : names[i];
    arguments.push_back(named ? name + "=" + value(random) : value(random));
  }
  return function_name(random) + "(" + join(arguments, ", ") + ")";
}

}  // namespace

std::string made_up(std::string_view kind, Random& random) {
  if (kind == "word") return made_up_word(random);
  if (kind == "name") return capital(made_up_word(random));
  if (kind == "code") return code(random);
  if (kind == "any") return any_word(random);
  if (kind == "phrase") return phrase(random);
  if (kind == "tongue") return made_up_word(random) + (random.chance(0.7) ? " " + made_up_word(random) : "");
  if (kind == "number") return std::to_string(random.below(random.chance(0.5) ? 100 : 1000));
  if (kind == "decimal") return std::to_string(random.below(40)) + "." + digits(random, 1);
  if (kind == "time")
    return std::to_string(1 + random.below(12)) + ":" + std::to_string(random.below(6)) + "0";
  if (kind == "pair")
    return "(" + std::to_string(random.below(30)) + ", " + std::to_string(random.below(30)) + ")";
  if (kind == "call") return call(random);
  throw std::logic_error("world: cannot make up a '" + std::string(kind) + "'");
}

Words draw_different(const Words& list, size_t count, Random& random) {
  Words drawn;
  while (drawn.size() < count) {
    const std::string& word = random.pick(list);
    if (std::find(drawn.begin(), drawn.end(), word) == drawn.end()) drawn.push_back(word);
  }
  return drawn;
}

Slots& Slots::set(const std::string& name, std::string value) {
  values_[name] = std::move(value);
  return *this;
}

const std::string& Slots::get(const std::string& name) const { return values_.at(name); }

std::string Slots::fill(std::string_view pattern) {
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{' || pattern.substr(i + 1, 1) == "\"") {  // {" is a literal brace
      text += pattern[i];
      continue;
    }
    size_t end = pattern.find('}', i);
    if (end == std::string_view::npos) throw std::logic_error("world: open slot in " + std::string(pattern));
    text += resolve(pattern.substr(i + 1, end - i - 1));
    i = end;
  }
  return text;
}

std::string Slots::resolve(std::string_view slot) {
  bool capitalize = slot.substr(0, 1) == "^";
  if (capitalize) slot.remove_prefix(1);
  size_t colon = slot.find(':');
  std::string name(slot.substr(0, colon));
  if (!values_.count(name)) {
    std::string_view source = slot.substr(colon == std::string_view::npos ? 0 : colon + 1);
    if (colon == std::string_view::npos) {
      while (!source.empty() && std::isdigit(static_cast<unsigned char>(source.back())))
        source.remove_suffix(1);
    }
    values_[name] = draw(source);
  }
  return capitalize ? capital(values_[name]) : values_[name];
}

std::string Slots::draw(std::string_view source) {
  if (source.substr(0, 1) == "@") return made_up(source.substr(1), random_);
  size_t dots = source.find("..");
  if (dots != std::string_view::npos) {
    return std::to_string(random_.between(std::stoi(std::string(source.substr(0, dots))),
                                          std::stoi(std::string(source.substr(dots + 2)))));
  }
  const Words& list = word_list(source);
  for (int attempt = 0;; ++attempt) {
    const std::string& word = random_.pick(list);
    bool used = std::any_of(values_.begin(), values_.end(), [&](const auto& v) { return v.second == word; });
    if (!used || attempt > 100) return word;
  }
}

}  // namespace sdft::world
