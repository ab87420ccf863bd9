#include "data/turn_end.h"

#include <algorithm>

#include "base/error.h"
#include "data/prompt_text.h"
#include "data/thinking.h"

namespace sdft {
namespace {

constexpr const char* kAnswer = "Understood-7f3a";  // stands nowhere else in a template's text

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool has_chat_template(const Formatter& formatter) {
  return formatter.chat_template && formatter.chat_template->has();
}

// The text of a shortest conversation; "" where the template refuses every form of it.
std::string sample_text(const Formatter& formatter, bool generation_prompt) {
  const Json system = {{"role", "system"}, {"content", "Be brief."}},
             user = {{"role", "user"}, {"content", "Hello."}},
             assistant = {{"role", "assistant"}, {"content", kAnswer}};
  RenderOptions options = formatter.render;
  options.add_generation_prompt = generation_prompt;
  for (Json messages : {Json::array({user}), Json::array({system, user})}) {
    if (!generation_prompt) messages.push_back(assistant);
    try {
      return formatter.chat_template->render(messages, options);
    } catch (const Error& e) {
      if (e.code() != ExitCode::kInput) throw;  // a template may demand a system message, or refuse one
    }
  }
  return "";
}

// What the chat template writes behind an answer.
std::optional<int32_t> written_end(const Formatter& formatter) {
  const Tokenizer& tokenizer = *formatter.tokenizer;
  const std::string text = sample_text(formatter, false);
  const size_t answer = text.rfind(kAnswer);
  if (answer == std::string::npos) return std::nullopt;
  const std::string tail = text.substr(answer + std::string(kAnswer).size());
  for (const int32_t id : tokenizer.encode(tail)) {
    // An unknown character is a special token too, but is not spelled out.
    const bool ends = id == tokenizer.eos_id() || tokenizer.is_special(id);
    if (ends && tail.find(tokenizer.token_of(id)) != std::string::npos) return id;
  }
  return std::nullopt;
}
}  // namespace

std::optional<int32_t> turn_end(const Formatter& formatter, const PromptTemplate& prompt) {
  const Tokenizer& tokenizer = *formatter.tokenizer;
  if (prompt.chat) {
    const auto written = has_chat_template(formatter) ? written_end(formatter) : std::nullopt;
    return written ? written : tokenizer.eos_id();
  }
  if (prompt.family == PromptFamily::kLlama3)
    return needed_token(tokenizer.id_of("<|eot_id|>"), "<|eot_id|>");
  return needed_token(tokenizer.eos_id(), "EOS");
}

std::vector<int32_t> stop_ids(const Formatter& formatter, const std::vector<int32_t>& model_ends) {
  std::vector<int32_t> ids;
  auto add = [&](std::optional<int32_t> id) {
    if (id && std::find(ids.begin(), ids.end(), *id) == ids.end()) ids.push_back(*id);
  };
  for (const int32_t id : model_ends) add(id);
  add(formatter.tokenizer->eos_id());
  add(formatter.tokenizer->id_of("<|eot_id|>"));  // of the Llama 3 layout
  if (has_chat_template(formatter)) add(written_end(formatter));
  return ids;
}

std::optional<int32_t> unnamed_end(const Formatter& formatter, const std::vector<int32_t>& model_ends) {
  const auto written = has_chat_template(formatter) ? written_end(formatter) : std::nullopt;
  const bool named = written && std::find(model_ends.begin(), model_ends.end(), *written) != model_ends.end();
  return named ? std::nullopt : written;
}

bool opens_thinking(const Formatter& formatter) {
  if (!has_chat_template(formatter)) return false;
  return opens_trace(sample_text(formatter, true));
}

bool opens_trace(std::string_view prompt) {
  const std::string text = stripped(std::string(prompt), 2);
  return std::any_of(std::begin(kTraceMarks), std::end(kTraceMarks),
                     [&](const auto& mark) { return ends_with(text, mark.first); });
}

std::string_view without_empty_thinking(std::string_view prompt) {
  auto trimmed = [](std::string_view text) { return text.substr(0, text.find_last_not_of(" \n") + 1); };
  for (const auto& [open, close] : kTraceMarks) {
    std::string_view rest = trimmed(prompt);
    if (!ends_with(rest, close)) continue;
    rest = trimmed(rest.substr(0, rest.size() - close.size()));
    if (ends_with(rest, open)) return rest.substr(0, rest.size() - open.size());
  }
  return prompt;
}

}  // namespace sdft
