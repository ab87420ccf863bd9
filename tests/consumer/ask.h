#pragma once

#include "sdft/sdft.h"

std::string ask(const sdft::api::ChatModel& model, const std::string& question);
