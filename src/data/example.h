// What a task dataset holds once it is read: examples with ids, whatever the file called its columns.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace sdft {

// One earlier exchange of a conversation.
struct Turn {
  std::string query;
  std::string response;
};

// Who changes `response` (to a rewrite) changes what is learned, also where `messages` has the conversation.
struct Example {
  std::string id;             // the file's own, else the position in the file: "0", "1", ...
  std::string where;          // its place in the file: "train.jsonl:12"; "" where it is from no file
  std::string instruction;    // what the user asks; an `input` column is already joined with one line break
  std::string input;          // the input column alone, with which `instruction` ends; "" where there is none
  std::string response;       // the reference answer; a tool call as JSON text
  std::string system;         // "" where the file has none
  std::vector<Turn> history;  // oldest first; empty where `messages` has it
  // Null, or a conversation that the texts above cannot say (tool calls and their results, names, reasoning,
  // turns that are not learned): OpenAI's form, the answer last where there is one. "weight": 0 beside an
  // assistant's message: context, not learned. Only chat templates can write it.
  Json messages;
  double weight = 1;  // of the example's tokens in the training loss, against those of others; 0: not learned
  std::string dataset;  // the name of its dataset where a recipe has several; "" else
  Json tools;           // null, or an array of tool schemas: {"type": "function", "function": {"name", ...}}
  Json fields;          // the record as it was, for what only some tasks need (tests of a program, ...)
};

// What stands beside the content of a message as its reasoning.
inline constexpr const char* kReasoningKeys[] = {"reasoning_content", "reasoning", "thinking"};

// `instruction` without the input column.
std::string instruction_alone(const Example& example);
// "train.jsonl:12 (example 'x')": for messages.
std::string place_of(const Example& example);

// The messages that are answered, and the answer as a message: OpenAI's form, whatever the example was read
// from. An answer other than the original (`response` was changed) is text, without the original's calls and
// reasoning.
Json context_of(const Example& example);
Json answer_of(const Example& example);
// Whether the answer calls tools.
bool answer_is_call(const Example& example);
// The text that stands for a message: its content and its calls as JSON, a line each.
std::string text_of_message(const Json& message);

// The record that reads back as the same example with another answer.
Json record_of(const Example& example, const std::string& response);

}  // namespace sdft
