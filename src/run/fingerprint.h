// What the results of the stages depend on, for StageFolder.
#pragma once

#include "data/dataset.h"
#include "run/context.h"
#include "run/stage_folder.h"
#include "task/items.h"

namespace sdft {

// The seed model: the content of every file that loading reads, its adapter, device, number type, and what
// its chat template is given. Reads all weights once.
Fingerprint seed_fingerprint(const RunContext& run);
// What results depend on of a prompt template: its name, or the content of its file.
std::string prompt_identity(const std::string& name);
// The recipe's settings that change the results of `stage`.
void add_settings(Fingerprint* fingerprint, const Recipe& recipe, Stages stage);
// Those of these names, whatever stage they belong to.
void add_settings(Fingerprint* fingerprint, const Recipe& recipe, const std::vector<std::string>& names);
// Eight digits that tell one origin from another: of folders that are named after it.
std::string short_sum(const Fingerprint& fingerprint);
// The content of examples as they are used, wherever they were read from.
std::string examples_sha256(const std::vector<Example>& examples);
// What a task file asks: questions, choices, right answers, and the documents, which checks look into.
std::string questions_sha256(const std::vector<EvalItem>& items);
// The files of a model's or an adapter's folder that loading may read, as one sum; README.md is none of them.
std::string folder_sha256(const std::filesystem::path& dir);

}  // namespace sdft
