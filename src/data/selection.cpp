#include "data/selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"

namespace sdft {
namespace {

using Places = std::vector<size_t>;  // of examples

// The places in the order in which they are drawn.
Places drawn(const std::vector<Example>& examples, Places places, uint64_t seed, const std::string& stream) {
  std::vector<double> draws(examples.size());
  for (const size_t place : places) draws[place] = Random(seed, stream + examples[place].id).uniform();
  std::sort(places.begin(), places.end(), [&](size_t a, size_t b) {
    return draws[a] != draws[b] ? draws[a] < draws[b] : examples[a].id < examples[b].id;
  });
  return places;
}

// The first of the lists in turn, each by its share, `most` in all or as many as the shortest list allows.
// By Sainte-Laguë's divisors, with which a larger whole takes nothing from any list.
Places shared_out(const std::vector<Places>& lists, const std::vector<double>& shares, size_t most) {
  const double all = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (size_t i = 0; i < lists.size(); ++i) {
    const double allowed = static_cast<double>(lists[i].size()) / (shares[i] / all);
    most = static_cast<size_t>(std::min(static_cast<double>(most), std::floor(allowed * (1 + 1e-12))));
  }
  Places taken;
  Places done(lists.size(), 0);
  while (taken.size() < most) {
    size_t next = 0;
    auto behind = [&](size_t i) { return shares[i] / (static_cast<double>(done[i]) + 0.5); };
    for (size_t i = 1; i < lists.size(); ++i)
      if (behind(i) > behind(next)) next = i;
    if (done[next] == lists[next].size()) break;
    taken.push_back(lists[next][done[next]++]);
  }
  return taken;
}

}  // namespace

Dataset joined(std::vector<Dataset> datasets) {
  if (datasets.size() == 1) return std::move(datasets[0]);
  Dataset whole;
  std::string paths, sums;
  for (Dataset& one : datasets) {
    if (std::find(whole.parts.begin(), whole.parts.end(), one.name) != whole.parts.end())
      fail_usage("two datasets are named '" + one.name + "', and names tell their examples apart",
                 "give each once; files of one name can be named in dataset_info.json");
    whole.parts.push_back(one.name);
    whole.name += (whole.name.empty() ? "" : ", ") + one.name;
    paths += (paths.empty() ? "" : ", ") + one.path.string();
    sums += one.sha256 + "\n";
    for (Example& example : one.examples) {
      example.id = one.name + "/" + example.id;
      example.dataset = one.name;
      whole.examples.push_back(std::move(example));
    }
    whole.skipped.insert(whole.skipped.end(), one.skipped.begin(), one.skipped.end());
    whole.notes.insert(whole.notes.end(), one.notes.begin(), one.notes.end());
  }
  whole.path = paths;
  whole.sha256 = sha256(sums);
  return whole;
}

Dataset select(const Dataset& all, const Selection& selection) {
  const size_t parts = std::max<size_t>(1, all.parts.size());
  const std::vector<double>& shares = selection.dataset_weights;
  if (!shares.empty() && shares.size() != parts)
    fail_usage("dataset_weights: " + std::to_string(shares.size()) + " numbers, but " +
                   std::to_string(parts) + (parts == 1 ? " dataset" : " datasets"),
               "one for each dataset");
  std::vector<Places> lists(shares.empty() ? 1 : parts);
  size_t without_weight = 0;
  for (size_t i = 0; i < all.examples.size(); ++i) {
    const Example& example = all.examples[i];
    if (example.weight == 0) {
      ++without_weight;
      continue;
    }
    const auto part = std::find(all.parts.begin(), all.parts.end(), example.dataset) - all.parts.begin();
    lists[lists.size() == 1 ? 0 : static_cast<size_t>(part)].push_back(i);
  }
  for (Places& list : lists) list = drawn(all.examples, std::move(list), selection.seed, "sample ");
  const size_t most = selection.max_samples > 0 ? selection.max_samples : all.examples.size();
  Places taken = shared_out(lists, shares.empty() ? std::vector<double>{1} : shares, most);
  std::sort(taken.begin(), taken.end());
  if (taken.empty())
    fail_input(all.path.string(), "no example is left to train on", "those of weight 0 are left out");

  Dataset chosen{all.name, all.path, all.sha256, all.parts, {}, all.skipped, all.notes};
  for (const size_t place : taken) chosen.examples.push_back(all.examples[place]);
  if (without_weight > 0)
    chosen.notes.push_back(all.path.string() + ": " + std::to_string(without_weight) +
                           " examples of weight 0 are left out");
  for (const std::string& part : all.parts)
    if (std::none_of(chosen.examples.begin(), chosen.examples.end(),
                     [&](const Example& example) { return example.dataset == part; }))
      chosen.notes.push_back("no example of " + part + " is used (max_samples, dataset_weights)");
  return chosen;
}

size_t replay_count(size_t examples, double fraction) {
  return static_cast<size_t>(std::llround(fraction * static_cast<double>(examples)));
}

std::vector<Example> drawn_replay(const Dataset& replay, size_t count, uint64_t seed) {
  Places places;
  for (size_t i = 0; i < replay.examples.size(); ++i)
    if (replay.examples[i].weight > 0) places.push_back(i);
  if (count > places.size())
    fail_input(replay.path.string(),
               "has " + std::to_string(places.size()) + " examples to replay, replay_fraction asks for " +
                   std::to_string(count),
               "lower replay_fraction, or add examples");
  places = drawn(replay.examples, std::move(places), seed, "replay ");
  places.resize(count);
  std::sort(places.begin(), places.end());
  std::vector<Example> examples;
  for (const size_t place : places) examples.push_back(replay.examples[place]);
  return examples;
}

std::vector<Example> with_replay(std::vector<Example> targets, const std::vector<Example>& replayed) {
  for (const Example& example : replayed) {
    targets.push_back(example);
    targets.back().id = "replay/" + example.id;
  }
  return targets;
}

}  // namespace sdft
