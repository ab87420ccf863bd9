#include "report/watch.h"

#include <algorithm>
#include <cmath>

#include "report/format.h"

namespace sdft::report {

const Watch* find_watch(const Document& document, const std::string& variant) {
  for (const Watch& watch : document.watches)
    if (watch.variant == variant) return &watch;
  return nullptr;
}

double kept(const Watch& watch, const std::vector<double>& column) {
  const auto step = std::find(watch.step.begin(), watch.step.end(), watch.kept_step);
  const auto i = static_cast<size_t>(step - watch.step.begin());
  return i < column.size() ? column[i] : kMissing;
}

double kept_kl(const Watch& watch, const std::string& prompts) {
  for (const WatchedPrompts& one : watch.prompts)
    if (one.name == prompts) return kept(watch, one.kl);
  return kMissing;
}

std::vector<std::string> prompts_of(const std::vector<Watch>& watches) {
  std::vector<std::string> names;
  for (const Watch& watch : watches)
    for (const WatchedPrompts& one : watch.prompts)
      if (std::find(names.begin(), names.end(), one.name) == names.end()) names.push_back(one.name);
  return names;
}

std::string nats(double value) {
  if (!known(value) || std::fabs(value) >= 1e6) return significant(value, 3);
  return decimal(value, value < 1 ? 4 : value < 10 ? 3 : 2);
}

std::vector<std::string> faults_in_words(const std::vector<Watch>& watches) {
  std::vector<std::string> out;
  for (const Watch& watch : watches) {
    if (watch.fault.empty()) continue;
    std::string text = "The training of “" + cut_short(one_line(clean(watch.variant)), 60) + "” ended early";
    if (!watch.step.empty()) text += ", after step " + grouped(watch.step.back());
    text += ": " + cut_short(one_line(clean(watch.fault)), 200) + ".";
    if (watch.kept_step > 0)
      text += " It has the parameters of step " + grouped(watch.kept_step) + ", the measurement before.";
    out.push_back(std::move(text));
  }
  return out;
}

std::string method_in_words(const Learning& learning) {
  return learning.objective.empty() || learning.objective == learning.method
             ? learning.method
             : learning.method + ", " + learning.objective;
}

std::string settings_in_words(const Learning& learning) {
  std::vector<std::string> parts;
  for (const Setting& setting : learning.settings) parts.push_back(setting.name + " " + setting.value);
  if (learning.tokens > 0) parts.push_back(plural(learning.tokens, "token") + " learned");
  return join(parts, ", ");
}

bool is_plain(const Learning& learning) {
  return learning.divergence.empty() && (learning.objective.empty() || learning.objective == "sft");
}

}  // namespace sdft::report
