#include "sdft/watch.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>

namespace sdft {
namespace {
constexpr int64_t kTokensAPass = 4096;

double repeated_pairs(const std::vector<int32_t>& ids) {
  if (ids.size() < 2) return 0;
  std::set<std::pair<int32_t, int32_t>> seen;
  for (size_t i = 0; i + 1 < ids.size(); ++i) seen.emplace(ids[i], ids[i + 1]);
  return 1 - static_cast<double>(seen.size()) / static_cast<double>(ids.size() - 1);
}
}  // namespace

Watched watch(ModelView seed, ModelView student, const std::vector<Request>& requests,
              const GenerateOptions& generation) {
  Watched watched;
  std::vector<Sample> samples;
  const double share = 1.0 / static_cast<double>(requests.size());
  const std::vector<Completion> answers = generate(student, requests, generation);
  for (size_t i = 0; i < answers.size(); ++i) {
    const std::vector<int32_t> written = answers[i].written();
    watched.length += share * static_cast<double>(written.size());
    watched.ended += answers[i].finish == FinishReason::kStop ? share : 0;
    watched.repetition += share * repeated_pairs(written);
    Sample sample;
    sample.ids = requests[i].prompt;
    sample.supervised.assign(sample.ids.size(), 0);
    sample.ids.insert(sample.ids.end(), written.begin(), written.end());
    sample.supervised.resize(sample.ids.size(), 1);
    samples.push_back(std::move(sample));
  }
  watched.spread = spread_of(seed, student, samples, kTokensAPass);
  return watched;
}

std::string collapse_of(const Watched& start, const Watched& now) {
  if (start.ended >= 0.5 && now.ended < 0.5 * start.ended)  // else too few to tell
    return fmt::format("{:.0f} % of its answers end by themselves, {:.0f} % did at the start",
                       100 * now.ended, 100 * start.ended);
  if (now.repetition > start.repetition + 0.25)
    return fmt::format("{:.0f} % of its words are repeated, {:.0f} % were at the start", 100 * now.repetition,
                       100 * start.repetition);
  if (start.length >= 8 && now.length < 0.1 * start.length)
    return fmt::format("its answers have {:.1f} tokens, {:.1f} at the start", now.length, start.length);
  return "";
}

Monitor watch_training(ModelView seed, ModelView start, std::vector<WatchedPrompts> prompts,
                       const WatchOptions& options) {
  // Measured when it is first needed; a resumed training finds the same.
  const auto at_start = std::make_shared<std::map<std::string, Watched>>();
  return {options.steps, [=](ModelView student) {
            Measured measured;
            for (const WatchedPrompts& kind : prompts) {
              const Watched now = watch(seed, student, kind.requests, options.generation);
              auto add = [&](const char* name, double value) {
                measured.values.emplace_back(name + ("_" + kind.name), value);
              };
              add("kl", now.spread.kl);
              add("entropy", now.spread.entropy);
              add("length", now.length);
              add("ended", now.ended);
              add("repetition", now.repetition);
              const bool limited = options.kl_budget > 0 && &kind == &prompts.back();
              if (limited && !(now.spread.kl <= options.kl_budget) && measured.fault.empty())
                measured.fault =
                    fmt::format("{:.4f} nats a token from the seed on {} prompts, kl_budget allows {}",
                                now.spread.kl, kind.name, options.kl_budget);
              if (!options.collapse_guard) continue;
              if (!at_start->count(kind.name))
                at_start->emplace(kind.name, watch(seed, start, kind.requests, options.generation));
              const std::string collapse = collapse_of(at_start->at(kind.name), now);
              if (!collapse.empty() && measured.fault.empty())
                measured.fault = "collapsed on " + kind.name + " prompts: " + collapse;
            }
            return measured;
          }};
}

}  // namespace sdft
