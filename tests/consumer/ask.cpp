#include "ask.h"

std::string ask(const sdft::api::ChatModel& model, const std::string& question) {
  return model.answer({{{"user", question}}}).at(0).text;
}
