// What a task dataset holds once it is read: examples with ids, whatever the file called its columns.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace sdft {

// One earlier exchange of a conversation.
struct Turn {
  std::string query;
  std::string response;
};

struct Example {
  std::string id;             // the file's own, else the position in the file: "0", "1", ...
  std::string instruction;    // what the user asks; an `input` column is already joined with one line break
  std::string response;       // the reference answer
  std::string system;         // "" where the file has none
  std::vector<Turn> history;  // oldest first
  Json fields;                // the record as it was, for what only some tasks need (tests of a program, ...)
};

}  // namespace sdft
