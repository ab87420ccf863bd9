// How variants learned and what was measured while they did, as all reports tell it; plain text.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace sdft::report {

// Nothing where the variant was not watched.
const Watch* find_watch(const Document& document, const std::string& variant);
// Of one of its kinds of prompts, at the step whose parameters stayed; NaN where that was not measured.
double kept(const Watch& watch, const std::vector<double>& column);
// KL(tuned || seed) on "task" or "retained" prompts, so too.
double kept_kl(const Watch& watch, const std::string& prompts);
// The names of prompts that any of them was watched on, in their order.
std::vector<std::string> prompts_of(const std::vector<Watch>& watches);

std::string nats(double value);  // "0.0712"
// The training of "ours" ended after step 12: why. Its parameters are those of step 10.
std::vector<std::string> faults_in_words(const std::vector<Watch>& watches);

// "sft, kl_to_seed", "on_policy, full_logits".
std::string method_in_words(const Learning& learning);
// "anchor_weight 0.1, learning_rate 0.001, 12,300 tokens learned"
std::string settings_in_words(const Learning& learning);
// Those that need more words than their method's name: of another objective than cross entropy.
bool is_plain(const Learning& learning);

}  // namespace sdft::report
