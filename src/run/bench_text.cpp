// What was measured, for programs and for people.
#include <fmt/format.h>

#include <array>

#include "run/bench.h"

namespace sdft {
namespace {
// What the processor has no instruction for is null.
Json rates(const ArithmeticPeaks& peaks) {
  return {{"f32", peaks.f32}, {"bf16", peaks.bf16 > 0 ? Json(peaks.bf16) : Json()}, {"int8", peaks.int8}};
}

std::string billions(double number) { return number > 0 ? fmt::format("{:.1f}", number * 1e-9) : "-"; }

std::string megabytes(int64_t bytes) { return fmt::format("{:.0f} MB", static_cast<double>(bytes) * 1e-6); }

std::string title(const Measurement& m) {
  if (m.what == "first_token") return "first token";
  if (m.what == "training")
    return fmt::format("training, {} x {:.0f} tokens", m.streams, m.tokens / static_cast<double>(m.streams));
  return fmt::format("{} tokens, {} stream{}", m.what, m.streams, m.streams == 1 ? "" : "s");
}
}  // namespace

Json to_json(const BenchResult& r) {
  Json json = {
      {"sdft", SDFT_VERSION},
      {"model", r.model},
      {"random_weights", r.random_weights},
      {"architecture", r.architecture},
      {"parameters", r.parameters},
      {"weights", r.weights},
      {"computed_in", r.computed_in},
      {"tier", r.tier},
      {"threads", r.machine.threads},
      {"machine",
       {{"tier", name_of(r.machine.tier)},
        {"multiply_adds_per_second",
         {{"one_thread", rates(r.machine.one_thread)}, {"all_threads", rates(r.machine.all_threads)}}},
        {"read_bytes_per_second", r.machine.read_bytes}}},
      {"load_seconds", r.load_seconds},
      {"weight_bytes", r.weight_bytes},
      {"resident_bytes", r.resident_bytes},
      {"peak_bytes", r.peak_bytes},
      {"prompt_tokens", r.prompt},
      {"new_tokens", r.new_tokens},
      {"measurements", Json::array()}};
  for (const Measurement& m : r.measurements)
    json["measurements"].push_back({{"what", m.what},
                                    {"streams", m.streams},
                                    {"tokens", static_cast<int64_t>(m.tokens)},
                                    {"seconds", m.seconds},
                                    {"tokens_per_second", m.rate()},
                                    {"limit", m.limit},
                                    {"share", m.share}});
  return json;
}

std::string to_text(const BenchResult& r) {
  const MachinePeaks& peaks = r.machine;
  std::string text = fmt::format(
      "{}{}: {}, {:.1f} M parameters\nweights {}, computed in {} by {} on {} thread{}\n\n", r.model,
      r.random_weights ? " (random weights)" : "", r.architecture, static_cast<double>(r.parameters) * 1e-6,
      r.weights, r.computed_in, r.tier, peaks.threads, peaks.threads == 1 ? "" : "s");
  text +=
      fmt::format("{:<32}{:>12}{:>12}\n", "10^9 multiply-adds/s (" + std::string(name_of(peaks.tier)) + ")",
                  "one thread", "all threads");
  const ArithmeticPeaks &one = peaks.one_thread, &all = peaks.all_threads;
  for (const auto& [name, single, together] :
       {std::tuple{"f32", one.f32, all.f32}, {"bf16", one.bf16, all.bf16}, {"int8", one.int8, all.int8}})
    text += fmt::format("  {:<30}{:>12}{:>12}\n", name, billions(single), billions(together));
  text += fmt::format("{:<44}{:>12}\n\n", "10^9 bytes/s read from memory", billions(peaks.read_bytes));
  text += fmt::format("{} in {:.2f} s: weights {}, resident {}, at most {}\n\n",
                      r.random_weights ? "made" : "loaded", r.load_seconds, megabytes(r.weight_bytes),
                      megabytes(r.resident_bytes), megabytes(r.peak_bytes));
  text += fmt::format("{:<32}{:>12}{:>12}{:>10}{:>12}\n", fmt::format("prompts of {} tokens", r.prompt),
                      "tokens/s", "seconds", "share", "of");
  for (const Measurement& m : r.measurements)
    text += fmt::format("{:<32}{:>12.1f}{:>12.3f}{:>8.1f} %{:>12}\n", title(m), m.rate(), m.seconds,
                        100 * m.share, m.limit);
  return text;
}

}  // namespace sdft
