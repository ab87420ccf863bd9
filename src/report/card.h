// The model card of what a variant's training left, as the Hugging Face hub reads it.
#pragma once

#include <string>

#include "report/report.h"

namespace sdft::report {

// README.md: a head in YAML (base_model, datasets, and model-index with the variant's scores where the
// document has them), then what was learned, seed against tuned, how to load it, the settings and the recipe.
// `adapter`: a LoRA adapter and not a whole model. Names of models and datasets are those of the folders and
// files: a card is for others, to whom this machine's paths say nothing.
std::string to_card(const Document& document, const std::string& variant, bool adapter);

}  // namespace sdft::report
