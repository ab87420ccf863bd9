// Conversations through the model's own chat template.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/regex.h"
#include "data/prompt_text.h"
#include "data/prompt_tools.h"
#include "data/thinking.h"
#include "data/turn_end.h"

namespace sdft {
namespace {

// Bytes of the rendered text.
struct Span {
  size_t begin, end;
  bool exact = false;  // nothing of what follows the answer is in it, also no end of a turn
};

// Where an assistant's message begins and ends in the text, as other texts tell.
struct LearnedTurn {
  std::string prompt;    // the text to generate it from
  std::string answered;  // and the text with it
  bool calls;            // a tool's result may follow, before any turn ends
};

// All texts of a message or a schema with their special tokens kept as text.
Json guarded(Json json, SpecialGuard* guard) {
  if (json.is_string()) return guard->guard(json.get<std::string>());
  if (json.is_array())
    for (Json& item : json) item = guarded(std::move(item), guard);
  if (!json.is_object()) return json;
  Json object = Json::object();
  for (auto& [key, value] : json.get_ref<Json::object_t&>())
    object.get_ref<Json::object_t&>().emplace_back(guard->guard(key), guarded(std::move(value), guard));
  return object;
}

// A conversation on its way into the chat template.
struct Chat {
  const Formatter& formatter;
  const PromptTemplate& prompt;
  SpecialGuard* guard;
  Json tools;
  Json messages = Json::array();
  std::vector<LearnedTurn> learned = {};
  std::vector<size_t> places = {};  // of the learned among all assistant's messages
  size_t answers = 0;               // all assistant's messages

  std::string rendered(bool generation_prompt,
                       std::vector<std::pair<size_t, size_t>>* ranges = nullptr) const {
    RenderOptions options = formatter.render;
    if (!tools.is_null()) options.tools = tools;
    options.add_generation_prompt = generation_prompt;
    options.special_tokens_required = true;
    return formatter.chat_template->render(messages, options, ranges);
  }

  // The user's message inside the prompt template's turn.
  Json wrapped(Json message, const Fillings& given) const {
    message.erase("content");
    std::string text = fill_turn(prompt.turn, {guard->guard(given.instruction), guard->guard(given.input),
                                               guard->guard(given.response), guard->guard(given.history)});
    if (!prompt.system.empty() && prompt.family != PromptFamily::kFile)
      text = stripped(prompt.system + "\n\n" + text, 2);
    Json whole = {{"role", "user"}, {"content", text}};
    whole.update(guarded(std::move(message), guard));
    return whole;
  }

  void answer(Json message, const std::string& prefill, bool calls) {
    const bool context_only = message.value("weight", 1) == 0;
    message.erase("weight");
    std::string asked = context_only ? "" : rendered(true) + prefill;
    messages.push_back(std::move(message));
    if (!context_only) {
      learned.push_back({std::move(asked), rendered(false), calls});
      places.push_back(answers);
    }
    ++answers;
  }
};

// An assistant's message with its special tokens kept as text, but for the marks around its reasoning.
Json guarded_answer(Json message, SpecialGuard* guard) {
  std::string text;
  const bool has_text = message["content"].is_string();
  if (has_text) text = guard->guard_answer(message["content"].get<std::string>());
  if (has_text) message["content"] = "";
  message = guarded(std::move(message), guard);
  if (has_text) message["content"] = text;
  return message;
}

// The trace of a guarded answer: in its content or beside it; "" where there is none.
std::string trace_of(const Json& message) {
  for (const char* key : kReasoningKeys)
    if (message.contains(key) && message[key].is_string()) return stripped(message[key].get<std::string>());
  const std::string text = message["content"].is_string() ? message["content"].get<std::string>() : "";
  const auto parts = take_apart(text);
  return parts ? stripped(std::string(parts->trace)) : "";
}

// The same answer with its trace beside the content where it stood in it, and the other way round.
Json with_trace_moved(Json message) {
  std::string text = message["content"].is_string() ? message["content"].get<std::string>() : "";
  if (const auto parts = take_apart(text)) {
    message["reasoning_content"] = stripped(std::string(parts->trace));
    message["content"] = std::string(parts->answer);
    return message;
  }
  const auto& [open, close] = kTraceMarks[0];
  text = std::string(open) + "\n" + trace_of(message) + "\n" + std::string(close) + "\n\n" + text;
  for (const char* key : kReasoningKeys) message.erase(key);
  message["content"] = text;
  return message;
}

// The last answer as this chat template writes its reasoning: as it is, or moved.
Json with_trace_written(const Chat& chat, Json answer) {
  const std::string trace = trace_of(answer);
  if (trace.empty()) return answer;
  const std::string asked = chat.rendered(true);
  for (const Json& form : {answer, with_trace_moved(answer)}) {
    Chat whole = chat;
    whole.messages.push_back(form);
    whole.messages.back().erase("weight");
    const std::string text = whole.rendered(false);
    if (text.find(trace, common_prefix(asked, text)) != std::string::npos) return form;
  }
  fail_input("chat template", "leaves out the reasoning trace of the answer that is to be learned",
             "reasoning: drop trains without traces; or use a chat template that writes them");
}

[[noreturn]] void fail_prefix(const std::string& prompt, const std::string& whole) {
  size_t same = common_prefix(prompt, whole);
  size_t from = same > 20 ? same - 20 : 0;
  while (from > 0 && (prompt[from] & 0xc0) == 0x80) --from;
  const bool opens = opens_trace(prompt);
  auto quoted = [](const std::string& text) { return to_line(Json(text)); };
  fail_input("chat template",
             "the text to generate an answer from is not how the text with the answer begins, so that "
             "answers cannot be told apart: " +
                 quoted(prompt.substr(from, 60)) + " against " + quoted(whole.substr(from, 60)),
             opens
                 ? "the chat template opens a reasoning trace before every answer, which this one has not in "
                   "that form; set a variable it reads (chat_template_kwargs), train on answers with traces "
                   "and reasoning: learn, or mark the answers with {% generation %} in the chat template"
                 : "mark the answers with {% generation %} in the chat template, or set a variable it reads "
                   "(chat_template_kwargs), such as enable_thinking");
}

// Where the learned answers are in the whole text: behind their prompts, or where {% generation %} says.
std::vector<Span> answer_spans(const Chat& chat, const std::string& whole) {
  std::vector<Span> spans;
  for (const LearnedTurn& turn : chat.learned) {
    std::string_view prompt = turn.prompt;
    if (whole.compare(0, prompt.size(), prompt) != 0) prompt = without_empty_thinking(prompt);
    if (whole.compare(0, prompt.size(), prompt) != 0) break;
    const size_t same = common_prefix(turn.answered, whole);
    const bool exact = turn.calls && same >= stripped(turn.answered, 2).size();
    spans.push_back({prompt.size(), std::max(prompt.size(), same), exact});
  }
  if (spans.size() == chat.learned.size()) return spans;
  std::vector<std::pair<size_t, size_t>> ranges;
  if (chat.formatter.chat_template->source().find("generation") != std::string::npos)
    chat.rendered(false, &ranges);
  if (ranges.size() != chat.answers) fail_prefix(chat.learned[spans.size()].prompt, whole);
  spans.clear();
  for (const size_t place : chat.places) spans.push_back({ranges[place].first, ranges[place].second});
  return spans;
}

// Cuts the tokens of a whole conversation into prompts and answers.
struct Cutter {
  const Tokenizer& tokenizer;
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

  // Behind the answer's end of turn; 0 where it has none. A call may end with a token of its own
  // (<|eom_id|>): the last special one of its text.
  size_t closed_at(size_t from, size_t limit, const Span& span) const {
    if (span.exact) limit = std::min(limit, token_at(span.end));
    for (size_t at = from; at < limit; ++at)
      if (ids[at] == end) return at + 1;
    const std::string text = span.exact ? whole.substr(span.begin, span.end - span.begin) : "";
    for (size_t at = limit; span.exact && at > from; --at)
      if (tokenizer.is_special(ids[at - 1]) &&
          text.find(tokenizer.token_of(ids[at - 1])) != std::string::npos)
        return at;
    return 0;
  }

  void cut(const std::vector<Span>& spans, Reasoning reasoning) {
    std::vector<size_t> begins;
    for (const Span& span : spans) begins.push_back(token_at(span.begin));
    begins.push_back(ids.size());
    for (size_t i = 0; i < spans.size(); ++i) {
      add(begins[i], false);
      if (reasoning == Reasoning::kKeep) add(token_at(spans[i].begin + trace_of(spans[i])), false);
      const size_t closed = closed_at(begins[i], begins[i + 1], spans[i]);
      // Without an end of turn: the answer, without the white space behind it.
      const size_t stop = closed ? closed : token_at(stripped(whole.substr(0, spans[i].end), 2).size());
      if (stop <= begins[i])
        fail_input("chat template", "where answer " + std::to_string(i + 1) + " ends cannot be told",
                   "mark the answers with {% generation %}");
      add(stop, true);
      if (!closed && nothing_behind(stop) && end) pieces.push_back({{*end}, true});
    }
  }

  // Bytes of the reasoning in front of an answer.
  size_t trace_of(const Span& span) const {
    return trace_size(std::string_view(whole).substr(span.begin, span.end - span.begin));
  }

  // Only white space at most.
  bool nothing_behind(size_t token) const {
    return stripped(tokenizer.decode({ids.begin() + static_cast<std::ptrdiff_t>(token), ids.end()}, false))
        .empty();
  }
};

}  // namespace

std::vector<PromptPiece> chat_pieces(const Formatter& formatter, const PromptTemplate& prompt,
                                     const Example& example, const Writing& writing, SpecialGuard* guard) {
  Chat chat{formatter, prompt, guard, guarded(example.tools, guard)};
  // In a distillation template only the last question: the answers of the earlier ones stand there already.
  const bool wrap_all = !prompt.shows(kResponsePlace);
  const bool with_answer = writing.with_answer;
  Json context = context_of(example), answer = with_answer ? answer_of(example) : Json();
  const std::string history = prompt.shows(kHistoryPlace) ? take_history(&context) : "";
  fit_tool_data(formatter, example.tools, &context, &answer);
  const bool has_system = !context.empty() && context[0]["role"] == "system";
  if (prompt.family == PromptFamily::kFile && !prompt.system.empty() && !has_system)
    chat.messages.push_back({{"role", "system"}, {"content", prompt.system}});
  const size_t last = last_question(context);
  for (size_t i = 0; i < context.size(); ++i) {
    Json message = std::move(context[i]);
    const bool is_user = message["role"] == "user", is_answer = message["role"] == "assistant";
    if (is_user && (wrap_all || i == last)) {
      Fillings given{message["content"].get<std::string>(), "", writing.reference, history};
      if (i == last && prompt.shows(kInputPlace) && example.messages.is_null())
        given = {instruction_alone(example), example.input, writing.reference, history};
      message = chat.wrapped(std::move(message), given);
    } else {
      message = is_answer ? guarded_answer(std::move(message), guard) : guarded(std::move(message), guard);
    }
    if (!is_answer || !with_answer) {
      message.erase("weight");
      chat.messages.push_back(std::move(message));
      continue;
    }
    const bool calls =
        message.contains("tool_calls") || (i + 1 < context.size() && context[i + 1]["role"] == "tool");
    chat.answer(std::move(message), "", calls);
  }
  if (!with_answer) return {{guard->encode(chat.rendered(true) + prompt.prefill), false}};

  answer = with_trace_written(chat, guarded_answer(std::move(answer), guard));
  if (answer["content"].is_string() && !prompt.prefill.empty())
    answer["content"] = prompt.prefill + answer["content"].get<std::string>();
  const bool calls = answer.contains("tool_calls");
  chat.answer(std::move(answer), prompt.prefill, calls);
  const std::string whole = chat.rendered(false);
  Cutter cutter{*formatter.tokenizer, *guard, whole, turn_end(formatter, prompt), guard->encode(whole)};
  cutter.cut(answer_spans(chat, whole), writing.reasoning);
  return std::move(cutter.pieces);
}

std::vector<int32_t> question_ids(const Formatter& formatter, const std::vector<Turn>& history) {
  const std::string place = "Question-7f3a";  // stands nowhere else
  SpecialGuard guard(*formatter.tokenizer);
  Json messages = Json::array();
  for (const Turn& turn : history) {
    messages.push_back({{"role", "user"}, {"content", guard.guard(turn.query)}});
    messages.push_back({{"role", "assistant"}, {"content", guard.guard(turn.response)}});
  }
  messages.push_back({{"role", "user"}, {"content", place}});
  RenderOptions options = formatter.render;
  options.add_generation_prompt = false;
  options.special_tokens_required = true;
  const std::string text = formatter.chat_template->render(messages, options);
  const size_t begin = text.rfind(place);
  if (begin == std::string::npos)
    fail_input("chat template", "does not write a user's message as it is, so that none can be made up");
  return guard.encode(text.substr(0, begin));
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
