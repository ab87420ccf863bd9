// Conversations through the model's own chat template.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "data/prompt_text.h"
#include "data/turn_end.h"
#include "text/regex.h"

namespace sdft {
namespace {

// Bytes of the rendered text.
struct Span {
  size_t begin, end;
};

// A conversation as messages, and what its text looks like where each answer begins and ends.
struct Chat {
  const Formatter& formatter;
  const PromptTemplate& prompt;
  SpecialGuard* guard;
  Json messages = Json::array();
  std::vector<std::string> prompts = {};   // the text to generate each answer from
  std::vector<std::string> answered = {};  // and the text with it

  std::string rendered(bool generation_prompt,
                       std::vector<std::pair<size_t, size_t>>* ranges = nullptr) const {
    RenderOptions options = formatter.render;
    options.add_generation_prompt = generation_prompt;
    options.special_tokens_required = true;
    return formatter.chat_template->render(messages, options, ranges);
  }

  void say(const char* role, const std::string& content) {
    messages.push_back({{"role", role}, {"content", content}});
  }

  void ask(const std::string& query, const std::string& reference, bool wrap) {
    std::string text = guard->guard(query);
    if (wrap) {
      text = fill_turn(prompt.turn, text, guard->guard(reference));
      if (!prompt.system.empty()) text = stripped(prompt.system + "\n\n" + text, 2);
    }
    say("user", text);
    prompts.push_back(rendered(true));
  }

  void answer(const std::string& text) {
    say("assistant", text);
    answered.push_back(rendered(false));
  }
};

// How far two texts or lists are the same.
template <typename Items>
size_t common_prefix(const Items& a, const Items& b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

[[noreturn]] void fail_prefix(const std::string& prompt, const std::string& whole) {
  size_t same = common_prefix(prompt, whole);
  size_t from = same > 20 ? same - 20 : 0;
  while (from > 0 && (prompt[from] & 0xc0) == 0x80) --from;
  auto quoted = [](const std::string& text) {
    return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  fail_input("chat template",
             "the text to generate an answer from is not how the text with the answer begins, so that "
             "answers cannot be told apart: " +
                 quoted(prompt.substr(from, 60)) + " against " + quoted(whole.substr(from, 60)),
             "mark the answers with {% generation %} in the chat template, or set a variable it reads, such "
             "as enable_thinking");
}

// Where the answers are in the whole text: behind their prompts, or where {% generation %} says.
std::vector<Span> answer_spans(const Chat& chat, const std::string& whole) {
  std::vector<Span> spans;
  for (size_t i = 0; i < chat.prompts.size(); ++i) {
    std::string_view prompt = chat.prompts[i];
    if (whole.compare(0, prompt.size(), prompt) != 0) prompt = without_empty_thinking(prompt);
    if (whole.compare(0, prompt.size(), prompt) != 0) break;
    spans.push_back({prompt.size(), std::max(prompt.size(), common_prefix(chat.answered[i], whole))});
  }
  if (spans.size() == chat.prompts.size()) return spans;
  std::vector<std::pair<size_t, size_t>> ranges;
  if (chat.formatter.chat_template->source().find("generation") != std::string::npos)
    chat.rendered(false, &ranges);
  if (ranges.size() != chat.prompts.size()) fail_prefix(chat.prompts[spans.size()], whole);
  spans.clear();
  for (const auto& range : ranges) spans.push_back({range.first, range.second});
  return spans;
}

// Cuts the tokens of a whole conversation into prompts and answers.
struct Cutter {
  const SpecialGuard& guard;
  const std::string& whole;
  std::optional<int32_t> end;  // of a turn
  std::vector<int32_t> ids;
  std::vector<PromptPiece> pieces = {};
  size_t done = 0;

  // The token where the text from `byte` on begins. One that lies across belongs to what is behind.
  size_t token_at(size_t byte) const { return common_prefix(guard.encode(whole.substr(0, byte)), ids); }

  void add(size_t to, bool answer) {
    if (to <= done) return;
    auto begin = ids.begin();
    pieces.push_back(
        {{begin + static_cast<std::ptrdiff_t>(done), begin + static_cast<std::ptrdiff_t>(to)}, answer});
    done = to;
  }

  void cut(const std::vector<Span>& spans) {
    std::vector<size_t> begins;
    for (const Span& span : spans) begins.push_back(token_at(span.begin));
    begins.push_back(ids.size());
    for (size_t i = 0; i < spans.size(); ++i) {
      add(begins[i], false);
      size_t stop = begins[i], limit = begins[i + 1];
      while (stop < limit && ids[stop] != end) ++stop;
      bool closed = stop < limit;
      // Without an end of turn: the answer, without the white space behind it.
      stop = closed ? stop + 1 : token_at(stripped(whole.substr(0, spans[i].end), 2).size());
      if (stop <= begins[i])
        fail_input("chat template", "where answer " + std::to_string(i + 1) + " ends cannot be told",
                   "mark the answers with {% generation %}");
      add(stop, true);
      if (!closed && i + 1 == spans.size() && end) pieces.push_back({{*end}, true});
    }
  }
};

}  // namespace

std::vector<PromptPiece> chat_pieces(const Formatter& formatter, const PromptTemplate& prompt,
                                     const Example& example, const std::string& reference, bool with_answer,
                                     SpecialGuard* guard) {
  if (!formatter.chat_template || !formatter.chat_template->has())
    fail_input("model", "has no chat template, which the prompt template '" + prompt.name + "' needs",
               "prompt_template: alpaca needs none");
  Chat chat{formatter, prompt, guard};
  if (!example.system.empty()) chat.say("system", guard->guard(example.system));
  // The reference answer of an earlier turn stands there already, as the answer.
  bool wrap_earlier = prompt.turn.find("{y}") == std::string::npos;
  for (const Turn& earlier : example.history) {
    chat.ask(earlier.query, "", wrap_earlier);
    chat.answer(guard->guard(earlier.response));
  }
  chat.ask(example.instruction, reference, true);
  chat.prompts.back() += prompt.prefill;
  if (!with_answer) return {{guard->encode(chat.prompts.back()), false}};

  chat.answer(prompt.prefill + guard->guard(example.response));
  const std::string& whole = chat.answered.back();
  Cutter cutter{*guard, whole, turn_end(formatter, prompt), guard->encode(whole)};
  cutter.cut(answer_spans(chat, whole));
  return std::move(cutter.pieces);
}

std::vector<std::string> check_chat_template(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                                             const std::string& where) {
  for (const auto& [name, token] : chat_template.special_tokens())
    if (!tokenizer.id_of(token))
      fail_input(where, name + " is '" + token + "', which the chat template reads and the tokenizer has not",
                 "do the tokenizer's files belong together?");
  static const Regex control("<\\|[A-Za-z0-9_]+\\|>", "control token");
  const std::string& source = chat_template.source();
  RegexScratch scratch;
  std::set<std::string> unknown;
  Match match{0, 0};
  for (size_t at = 0; control.find(source, at, scratch, match); at = match.end) {
    const std::string token = source.substr(match.begin, match.end - match.begin);
    if (!tokenizer.id_of(token)) unknown.insert(token);
  }
  return {unknown.begin(), unknown.end()};
}

}  // namespace sdft
