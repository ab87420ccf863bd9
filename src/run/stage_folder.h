// A stage's folder: made_from.json says what its result depends on, DONE that it is finished. Nothing in it
// is used for a stage that depends on something else.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace sdft {

// Everything that a stage's result depends on: what it is called in messages, and its value or its content's
// SHA-256.
using Fingerprint = std::vector<std::pair<std::string, std::string>>;

// What the folder's content was made from and `now` is not: "learning_rate was 0.0001, is 0.0002". Empty
// where it fits, or there is nothing. Error(kInput): files without a made_from.json, or one that cannot be
// read.
std::vector<std::string> stage_differences(const std::filesystem::path& dir, const Fingerprint& now);

// Makes the folder, or goes on with it. True: the stage is done already. Where the content was made from
// something else: Error(kInput) with what differs; with `fresh` it is removed and the stage begins anew.
bool begin_stage(const std::filesystem::path& dir, const Fingerprint& now, bool fresh);
void end_stage(const std::filesystem::path& dir);
bool stage_done(const std::filesystem::path& dir);

// A stage that ended though a server left some prompts without an answer: the next call opens it again, so
// that they are asked once more.
void note_unanswered(const std::filesystem::path& dir, size_t prompts);
void reopen_unanswered(const std::filesystem::path& dir);

// "DIR was made from something else: ..." with the ways out.
[[noreturn]] void fail_stage(const std::filesystem::path& dir, const std::vector<std::string>& differences);

}  // namespace sdft
