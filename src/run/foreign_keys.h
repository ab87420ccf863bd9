// Words of LLaMA-Factory's, TRL's and PEFT's recipes that are no settings here, and what is said about them.
#pragma once

#include <string>

namespace sdft {

struct ForeignKey {
  enum Kind {
    kNote,   // changes nothing here: accepted, and said
    kError,  // would change something: refused with the answer
    kMeans   // a value of a setting: the answer stands in its place
  };
  const char* key;
  const char* values;  // that the row is about, separated by commas; "": any
  Kind kind;
  const char* answer;  // a sentence's end
};

// The first row about a key with this value, in any case of its letters; null: nothing is known of them.
const ForeignKey* find_foreign_key(const std::string& key, const std::string& value);

}  // namespace sdft
