#include "data/prompt.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/interrupt.h"
#include "data/prompt_text.h"
#include "data/turn_end.h"
#include "text/jinja/string.h"

namespace sdft {
namespace {

// A mark begins with a character of the private use area and ends with another; between them is a number.
constexpr std::string_view kMark = "\uE0F0", kMarkEnd = "\uE0F1";

// The layouts without a chat template: each piece of text is tokenised on its own.
struct ReferenceLayout {
  const Formatter& formatter;
  const PromptTemplate& prompt;
  const Tokenizer& tokenizer;
  PromptFamily family;
  bool main;  // of the paper's branch `main`
  Reasoning reasoning;
  SpecialGuard* guard;
  std::string system, turn;
  std::vector<PromptPiece> pieces = {};

  ReferenceLayout(const Formatter& f, const PromptTemplate& p, const Example& example, Reasoning r,
                  SpecialGuard* special_guard)
      : formatter(f),
        prompt(p),
        tokenizer(*formatter.tokenizer),
        family(prompt.family),
        main(formatter.layout == PromptLayout::kReferenceMain),
        reasoning(r),
        guard(special_guard) {
    system = example.system.empty() ? prompt.system : guard->guard(example.system);
    turn = prompt.turn + prompt.prefill;
    if (family == PromptFamily::kGsm8k) system = "<<SYS>>\n" + system + "\n<</SYS>>\n\n";
    if (family == PromptFamily::kLlama3) {
      auto header = [](const std::string& role) {
        return "<|start_header_id|>" + role + "<|end_header_id|>\n\n";
      };
      system = header("system") + system + "<|eot_id|>";
      turn = header("user") + prompt.turn + "<|eot_id|>" + header("assistant") + prompt.prefill;
    }
  }

  std::string bare(const std::string& text) const {
    return main || family == PromptFamily::kFile ? text : stripped(text);
  }
  std::string clean(const std::string& text) { return guard->guard(bare(text)); }

  // Whether BOS stands before the turn (and in the first turn behind the system line) rather than nothing.
  bool bos_before_turn(bool first) const {
    if (family == PromptFamily::kLlama3) return false;
    return family == PromptFamily::kGsm8k ? main || !first : !main && !first;
  }

  void ask(const Fillings& given) {
    std::vector<int32_t> ids;
    auto bos = [&] { ids.push_back(needed_token(tokenizer.bos_id(), "BOS")); };
    auto text = [&](const std::string& part) {
      std::vector<int32_t> more = guard->encode(part);
      ids.insert(ids.end(), more.begin(), more.end());
    };
    const bool first = pieces.empty();
    const std::string filled = fill_turn(
        turn, {clean(given.instruction), clean(given.input), clean(given.response), clean(given.history)});
    if (family == PromptFamily::kFile) {
      if (first) ids = tokenizer.encode("", {true, true});  // BOS where the tokenizer adds it
      if (!ids.empty() && ids.back() == tokenizer.eos_id() && ids.back() != tokenizer.bos_id())
        ids.pop_back();
      text((first && !system.empty() ? system + "\n\n" : "") + filled);
      pieces.push_back({std::move(ids), false});
      return;
    }
    if (first && (!main || family == PromptFamily::kLlama3)) bos();
    if (first) text(system);
    if (family == PromptFamily::kAlpaca && !(first && main)) text("\n\n");
    if (bos_before_turn(first)) bos();
    text(filled);
    pieces.push_back({std::move(ids), false});
  }

  void answer(const std::string& response) {
    const std::string text = guard->guard_answer(bare(response));
    PromptPiece piece{guard->encode(text), true};
    if (reasoning == Reasoning::kKeep) {
      const size_t trace = common_prefix(guard->encode(text.substr(0, trace_size(text))), piece.ids);
      const auto answer = piece.ids.begin() + static_cast<std::ptrdiff_t>(trace);
      if (trace > 0) pieces.push_back({{piece.ids.begin(), answer}, false});
      piece.ids.erase(piece.ids.begin(), answer);
    }
    piece.ids.push_back(*turn_end(formatter, prompt));
    pieces.push_back(std::move(piece));
  }
};

}  // namespace

int32_t needed_token(std::optional<int32_t> id, const char* what) {
  if (!id) fail_input("tokenizer", std::string("has no ") + what + " token, which the prompt layout needs");
  return *id;
}

std::string stripped(const std::string& text, int sides) { return std::string(jinja::strip(text, sides)); }

std::string fill_turn(const std::string& turn, const Fillings& fillings) {
  const std::pair<std::string_view, const std::string&> places[] = {{kInstructionPlace, fillings.instruction},
                                                                    {kInputPlace, fillings.input},
                                                                    {kResponsePlace, fillings.response},
                                                                    {kHistoryPlace, fillings.history}};
  std::string text;
  for (size_t i = 0; i < turn.size();) {
    const auto place = std::find_if(std::begin(places), std::end(places), [&](const auto& candidate) {
      return turn.compare(i, candidate.first.size(), candidate.first) == 0;
    });
    if (place == std::end(places)) {
      text += turn[i++];
    } else {
      text += place->second;
      i += place->first.size();
    }
  }
  return text;
}

size_t last_question(const Json& messages) {
  for (size_t i = messages.size(); i > 0; --i)
    if (messages[i - 1]["role"] == "user") return i - 1;
  return messages.size();
}

std::string take_history(Json* context) {
  const size_t last = last_question(*context);
  std::string text;
  Json rest = Json::array();
  for (size_t i = 0; i < context->size(); ++i) {
    Json& message = (*context)[i];
    std::string role = message["role"].get<std::string>();
    if (i >= last || role == "system") {
      rest.push_back(std::move(message));
      continue;
    }
    role[0] = static_cast<char>(role[0] - 'a' + 'A');  // User, Assistant, Tool
    text += (text.empty() ? "" : "\n") + role + ": " + text_of_message(message);
  }
  *context = std::move(rest);
  return text;
}

std::string SpecialGuard::guard(const std::string& text) {
  std::vector<std::string> found;
  if (text.find(kMark) != std::string::npos) found.emplace_back(kMark);
  for (int32_t id : tokenizer_.encode(text)) {
    if (!tokenizer_.is_special(id)) continue;
    std::string token = tokenizer_.token_of(id);
    if (!token.empty() && text.find(token) != std::string::npos) found.push_back(std::move(token));
  }
  if (found.empty()) return text;
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  std::string result;
  for (size_t at = 0; at < text.size();) {
    auto token = std::find_if(found.begin(), found.end(),
                              [&](const std::string& t) { return text.compare(at, t.size(), t) == 0; });
    if (token == found.end()) {
      result += text[at++];
      continue;
    }
    result.append(kMark).append(std::to_string(kept_.size())).append(kMarkEnd);
    spelled_ += *token != kMark;
    kept_.push_back(*token);
    at += token->size();
  }
  return result;
}

std::string SpecialGuard::guard_answer(const std::string& text) {
  const std::optional<TracedText> parts = take_apart(text);
  if (!parts) return guard(text);
  const bool on_a_line = !parts->opened && parts->trace.substr(0, 1) != "\n";
  return std::string(parts->open) + (on_a_line ? "\n" : "") + guard(std::string(parts->trace)) +
         std::string(parts->close) + std::string(parts->space) + guard(std::string(parts->answer));
}

std::vector<int32_t> SpecialGuard::encode(const std::string& text) const {
  std::vector<int32_t> ids;
  auto add = [&](std::string_view part, bool parse_special) {
    if (part.empty()) return;
    EncodeOptions options;
    options.parse_special = parse_special;
    std::vector<int32_t> more = tokenizer_.encode(part, options);
    ids.insert(ids.end(), more.begin(), more.end());
  };
  size_t done = 0;
  while (!kept_.empty()) {
    size_t at = text.find(kMark, done);
    if (at == std::string::npos) break;
    size_t digits = at + kMark.size(), end = std::min(text.find(kMarkEnd, at), text.size()), index = 0;
    auto parsed = std::from_chars(text.data() + digits, text.data() + end, index);
    if (end == text.size() || parsed.ptr != text.data() + end || index >= kept_.size())
      fail_input("chat template",
                 "takes the messages apart, so that special tokens in them cannot be told from its own");
    add(std::string_view(text).substr(done, at - done), true);
    add(kept_[index], false);
    done = end + kMarkEnd.size();
  }
  add(std::string_view(text).substr(done), true);
  return ids;
}

std::vector<PromptPiece> reference_pieces(const Formatter& formatter, const PromptTemplate& prompt,
                                          const Example& example, const Writing& writing,
                                          SpecialGuard* guard) {
  if (!example.messages.is_null() || !example.tools.is_null())
    fail_input("prompt template '" + prompt.name + "'",
               "has no form for tools, tool calls, names, reasoning or turns that are not learned, which the "
               "record holds",
               "use the template chat and its distillation templates");
  ReferenceLayout layout(formatter, prompt, example, writing.reasoning, guard);
  std::string history;
  if (prompt.shows(kHistoryPlace)) {
    Json context = context_of(example);
    history = take_history(&context);
  } else {
    for (const Turn& earlier : example.history) {
      layout.ask({earlier.query, "", earlier.response, ""});
      layout.answer(earlier.response);
    }
  }
  const bool apart = prompt.shows(kInputPlace);
  layout.ask({apart ? instruction_alone(example) : example.instruction, example.input, writing.reference,
              std::move(history)});
  if (writing.with_answer) layout.answer(example.response);
  return std::move(layout.pieces);
}

namespace {
// An error in an example's text says which example it is.
std::vector<PromptPiece> pieces_of(const Formatter& formatter, const PromptTemplate& prompt,
                                   const Example& example, const Writing& writing, SpecialGuard* guard) {
  stop_if_interrupted();
  try {
    return (prompt.chat ? chat_pieces : reference_pieces)(formatter, prompt, example, writing, guard);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInput) throw;
    fail_input(place_of(example), error.what());
  }
}

void require_chat_template(const Formatter& formatter, const PromptTemplate& prompt) {
  if (prompt.chat && (!formatter.chat_template || !formatter.chat_template->has()))
    fail_input("model", "has no chat template, which the prompt template '" + prompt.name + "' needs",
               "prompt_template: alpaca needs none");
}
}  // namespace

std::vector<int32_t> prompt_ids(const Formatter& formatter, const PromptTemplate& prompt,
                                const Example& example, const std::string& reference_answer) {
  require_chat_template(formatter, prompt);
  SpecialGuard guard(*formatter.tokenizer);
  std::vector<int32_t> ids;
  const auto pieces = pieces_of(formatter, prompt, example, {reference_answer}, &guard);
  for (const PromptPiece& piece : pieces) ids.insert(ids.end(), piece.ids.begin(), piece.ids.end());
  return ids;
}

Sample training_sample(const Formatter& formatter, const PromptTemplate& prompt, const Example& example,
                       size_t cutoff_len, const std::string& reference_answer, Reasoning reasoning) {
  require_chat_template(formatter, prompt);
  SpecialGuard guard(*formatter.tokenizer);
  Sample sample;
  sample.id = example.id;
  sample.weight = example.weight;
  const auto pieces = pieces_of(formatter, prompt, example, {reference_answer, true, reasoning}, &guard);
  for (const PromptPiece& piece : pieces) {
    sample.ids.insert(sample.ids.end(), piece.ids.begin(), piece.ids.end());
    sample.supervised.insert(sample.supervised.end(), piece.ids.size(), piece.answer ? 1 : 0);
  }
  sample.special_spelled = guard.spelled();
  if (cutoff_len > 0 && sample.ids.size() > cutoff_len) {
    sample.cut = sample.ids.size() - cutoff_len;
    const auto first = sample.supervised.begin() + static_cast<std::ptrdiff_t>(cutoff_len);
    sample.cut_prompt = static_cast<size_t>(std::count(first, sample.supervised.end(), uint8_t{0}));
    sample.ids.resize(cutoff_len);
    sample.supervised.resize(cutoff_len);
  }
  return sample;
}

}  // namespace sdft
