// JSON as it is read, for who does not want a tree of it.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace sdft {

// What a text says, one after another. Keys may repeat.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual void start(bool object) = 0;  // or an array
  virtual void end() = 0;
  virtual void key(std::string_view key) = 0;
  virtual void string(std::string_view text) = 0;
  virtual void scalar(const nlohmann::json& value) = 0;  // null, a truth value, a number
};

// With the errors of parse_json(), before which there may be events.
void read_json_events(std::string_view text, const std::string& where, JsonEvents& events);

}  // namespace sdft
