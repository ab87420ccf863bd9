// A model's reasoning before its answer.
#pragma once

#include <string_view>
#include <utility>

namespace sdft {

// What published models put around their reasoning.
inline constexpr std::pair<std::string_view, std::string_view> kTraceMarks[] = {
    {"<think>", "</think>"},
    {"[THINK]", "[/THINK]"},
    {"<thought>", "</thought>"},
    {"<seed:think>", "</seed:think>"}};

// The answer without the model's reasoning before it: <think>…</think> (Qwen3, DeepSeek-R1, SmolLM3, …),
// [THINK]…[/THINK] (Magistral), <thought>…</thought> (EXAONE Deep), <seed:think>…</seed:think> (Seed-OSS) at
// the beginning, or everything up to a closing mark that nothing opened, since some templates open the trace
// in the prompt. A trace that is not closed leaves "": the answer never came; so does a text without any mark
// where `opened` says that the prompt ended inside the trace. A text without a trace is returned as it is.
std::string_view strip_thinking(std::string_view text, bool opened = false);

}  // namespace sdft
