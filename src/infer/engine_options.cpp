// What an engine can be asked for.
#include "infer/engine.h"

namespace sdft {

const char* name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContext:
      return "context";
    case FinishReason::kPromptTooLong:
      return "prompt_too_long";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "";
}

std::vector<std::string> problems_of(const RequestOptions& options) {
  std::vector<std::string> problems = problems_of(options.sampling);
  if (options.max_new_tokens < 1)
    problems.push_back("max_new_tokens is " + std::to_string(options.max_new_tokens) +
                       ", expected a positive number");
  return problems;
}

std::vector<std::string> problems_of(const EngineOptions& options) {
  std::vector<std::string> problems;
  if (options.batch_size < 0)
    problems.push_back("batch_size is " + std::to_string(options.batch_size) +
                       ", expected 0 (chosen) or a positive number");
  if (options.prompt_lookup_num_tokens < 0)
    problems.push_back("prompt_lookup_num_tokens is " + std::to_string(options.prompt_lookup_num_tokens) +
                       ", expected 0 (none) or a positive number");
  return problems;
}

}  // namespace sdft
