// Tokens of one answer as the text that a client sees.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer/tokenizer.h"

namespace sdft::serve {

// Ends before the first of the stop strings, as OpenAI has it; what may be the beginning of one is held back.
class AnswerText {
 public:
  AnswerText(const Tokenizer& tokenizer, std::vector<std::string> stops)
      : decoder_(tokenizer), stops_(std::move(stops)) {}

  std::string add(int32_t token);  // the text that is certain now, possibly ""
  std::string finish();            // the rest

 private:
  std::string released(bool all);

  StreamDecoder decoder_;
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace sdft::serve
