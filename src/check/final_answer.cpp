// "answer": the final answer of a text, and when two are the same. The rules that make different spellings
// equal are few and typographic, so that no wrong answer becomes right by them; where a full stop may belong
// to an abbreviation, the sentence goes on.
#include <algorithm>
#include <array>
#include <tuple>

#include "check/answer.h"
#include "check/check.h"
#include "data/code_points.h"

namespace sdft {
namespace {

using Text = std::u32string;
using View = std::u32string_view;

bool one_of(char32_t c, View set) { return set.find(c) != View::npos; }
bool is_ascii_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter(char32_t c) { return is_word(c) && !digit_value(c) && c != '_'; }
bool is_upper(char32_t c) { return c >= 'A' && c <= 'Z'; }
char32_t lower(char32_t c) { return is_upper(c) ? c + 32 : c; }
bool begins(View text, View prefix) { return text.substr(0, prefix.size()) == prefix; }

View trim(View text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// One form for each kind of dash, quote, space and full-width sign; invisible characters are left out.
Text plain(std::string_view text) {
  Text out;
  for (char32_t c : code_points(text)) {
    if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xff0d)
      out += U'-';
    else if ((c >= 0x2018 && c <= 0x201b) || c == 0x2032)
      out += U'\'';
    else if ((c >= 0x201c && c <= 0x201f) || c == 0x2033 || one_of(c, U"«»「」『』"))
      out += U'"';
    else if (c == 0x2026)
      out += U"...";
    else if (one_of(c, U"！？：，（）＝"))
      out += static_cast<char32_t>(c - 0xfee0);
    else if (c == 0xff0e || c == 0xff61)
      out += U'。';
    else if (c != '\n' && is_space(c))
      out += U' ';
    else if ((c < 0x200b || c > 0x200d) && c != 0x2060 && c != 0xfeff)
      out += c;
  }
  return out;
}

bool is_dunder(View inner) {  // what Python writes as __init__
  return std::all_of(inner.begin(), inner.end(),
                     [](char32_t c) { return (c >= 'a' && c <= 'z') || c == '_' || is_ascii_digit(c); });
}

// Where the emphasis that `mark` opens at `at` closes, on the same line and near; npos: it opens none.
size_t emphasis_end(View text, size_t at, View mark) {
  const size_t begin = at + mark.size();
  const bool code = mark[0] == '`';
  if (begin >= text.size() || (!code && is_space(text[begin]))) return View::npos;
  if (!code && at > 0 && !is_space(text[at - 1]) && !one_of(text[at - 1], U"([{\"':$#>*_-"))
    return View::npos;
  const View near = text.substr(begin, 1000);
  const size_t line = begin + std::min(near.find(U'\n'), near.size());
  for (size_t end = text.find(mark, begin + 1); end < line; end = text.find(mark, end + 1)) {
    const size_t next = end + mark.size();
    const bool closes = next >= text.size() || !is_word(text[next]);
    if (!code && (is_space(text[end - 1]) || !closes)) continue;
    if (mark[0] == '_' && is_dunder(text.substr(begin, end - begin))) return View::npos;
    return end;
  }
  return View::npos;
}

// Without Markdown's ** * __ _ ` around words, and without the lines that fence code.
Text without_emphasis(View text) {
  Text out;
  for (View rest = text; !rest.empty();) {
    const size_t end = std::min(rest.find(U'\n'), rest.size() - 1) + 1;
    const View line = trim(rest.substr(0, end));
    const bool fence = (begins(line, U"```") && line.find(U'`', 3) == View::npos) || begins(line, U"~~~");
    if (!fence) out += rest.substr(0, end);
    rest.remove_prefix(end);
  }
  for (View mark : {View(U"`"), View(U"**"), View(U"__"), View(U"*"), View(U"_")}) {
    Text plainer;
    for (size_t at = 0; at < out.size();) {
      const bool here = begins(View(out).substr(at), mark);
      const size_t end = here ? emphasis_end(out, at, mark) : View::npos;
      if (end != View::npos) {
        const size_t begin = at + mark.size();
        plainer.append(out, begin, end - begin);
        at = end + mark.size();
      } else {
        plainer += out[at++];
      }
    }
    out = std::move(plainer);
  }
  return out;
}

// The word that ends before `end`, in lower case, past spaces; where it begins.
std::pair<Text, size_t> word_before(View text, size_t end) {
  while (end > 0 && text[end - 1] == ' ') --end;
  size_t begin = end;
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  Text word(text.substr(begin, end - begin));
  std::transform(word.begin(), word.end(), word.begin(), lower);
  return {word, begin};
}

template <size_t N>
bool among(const Text& word, const std::array<View, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Whether "the answer is", which begins at `at`, is said by the text itself: it begins a clause, or follows
// words that conclude. "Many think the answer is 5" and "if the answer is 5" say nothing.
bool asserts(View text, size_t at) {
  static constexpr std::array<View, 12> kConclude = {U"so",    U"thus", U"therefore", U"hence",
                                                     U"and",   U"then", U"now",       U"finally",
                                                     U"means", U"mean", U"overall",   U"but"};
  static constexpr std::array<View, 11> kThat = {U"means", U"mean",  U"conclude", U"follows",
                                                 U"shows", U"show",  U"know",     U"see",
                                                 U"find",  U"imply", U"implies"};
  while (at > 0 && (text[at - 1] == ' ' || one_of(text[at - 1], U"#>*_`\""))) --at;
  if (at == 0 || one_of(text[at - 1], U"\n.!?。:;,(-$[")) return true;
  auto [word, begin] = word_before(text, at);
  if (word == U"that") {
    std::tie(word, begin) = word_before(text, begin);
    return among(word, kThat);
  }
  if (word == U"think" || word == U"believe") return word_before(text, begin).first == U"i";
  return among(word, kConclude);
}

size_t skip_spaces(View text, size_t at) {
  while (at < text.size() && text[at] == ' ') ++at;
  return at;
}

// Past `word` and spaces, in any case, where it is the next whole word; else `at`.
size_t skip_word(View text, size_t at, View word) {
  if (at + word.size() > text.size()) return at;
  for (size_t i = 0; i < word.size(); ++i)
    if (lower(text[at + i]) != word[i]) return at;
  const size_t end = at + word.size();
  return end < text.size() && (is_word(text[end]) || text[end] == '\'') ? at : skip_spaces(text, end);
}

// Past what links "answer" with the answer: is, are, would be, : or =, or the end of a heading.
size_t skip_link(View text, size_t at, bool heading) {
  at = skip_spaces(text, at);
  if (const size_t to = skip_word(text, at, U"to"); to > at) {  // to the question
    for (View pointer : {View(U"the"), View(U"this"), View(U"your"), View(U"that")})
      if (const size_t next = skip_word(text, to, pointer); next > to)
        for (View noun : {View(U"question"), View(U"problem"), View(U"puzzle"), View(U"riddle")})
          if (const size_t past = skip_word(text, next, noun); past > next) at = past;
  }
  size_t end = at;
  for (View verb : {View(U"is"), View(U"are"), View(U"was"), View(U"equals")})
    if (const size_t next = skip_word(text, at, verb); next > at) end = next;
  for (View modal : {View(U"would"), View(U"will"), View(U"must"), View(U"should")})
    if (const size_t next = skip_word(text, at, modal); next > at)
      if (const size_t past = skip_word(text, next, U"be"); past > next) end = past;
  if (end < text.size() && (text[end] == ':' || (text[end] == '=' && text.substr(end, 2) != U"==")))
    return end + 1;
  if (end > at) return end;
  return heading && end < text.size() && text[end] == '\n' ? end : View::npos;
}

// What follows the phrase whose word "answer" is at `at`; npos where it announces nothing.
size_t announced_at(View text, size_t at) {
  static constexpr std::array<View, 6> kKinds = {U"final", U"correct", U"right",
                                                 U"best",  U"short",   U"overall"};
  static constexpr std::array<View, 3> kOwners = {U"the", U"my", U"our"};
  constexpr View kAnswer = U"answer";
  size_t begin = at, end = at + kAnswer.size();
  if (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '-' || text[at - 1] == '/')) return View::npos;
  if (end < text.size() && lower(text[end]) == 's') ++end;
  if (end < text.size() && is_word(text[end])) return View::npos;
  auto before = word_before(text, begin);
  while (among(before.first, kKinds)) {
    begin = before.second;
    before = word_before(text, begin);
  }
  bool capital = false;
  if (among(before.first, kOwners)) {
    begin = before.second;
    capital = begins(text.substr(begin), U"The");
  }
  if (!capital && !asserts(text, begin)) return View::npos;
  size_t line = begin;
  while (line > 0 && (text[line - 1] == ' ' || text[line - 1] == '#')) --line;
  return skip_link(text, end, line == 0 || text[line - 1] == '\n');
}

// Up to the } that closes the { before `at`, or all.
View braced(View text) {
  int depth = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return text.substr(0, i);
  }
  return text;
}

bool begins_sentence(View text) {
  static constexpr std::array<View, 36> kWords = {
      U"The",   U"This",    U"That",  U"These",     U"Those", U"It",    U"He",      U"She", U"They",
      U"We",    U"You",     U"An",    U"And",       U"But",   U"So",    U"As",      U"If",  U"When",
      U"While", U"Here",    U"There", U"Then",      U"Now",   U"In",    U"On",      U"At",  U"For",
      U"To",    U"Because", U"Since", U"Therefore", U"Thus",  U"Hence", U"However", U"A",   U"I"};
  size_t end = 0;
  while (end < text.size() && is_letter(text[end])) ++end;
  return among(Text(text.substr(0, end)), kWords) && text.substr(end, 1) != U".";
}

// Whether the full stop at `at` belongs to the word before it: Dr. No, J. Smith, U.S. Army, No. 5.
bool abbreviates(View text, size_t at) {
  static constexpr std::array<View, 32> kTitles = {
      U"Dr",  U"Mr",   U"Mrs", U"Ms",  U"Mx",  U"Prof", U"Rev", U"Hon",  U"Gen", U"Col",   U"Capt",
      U"Cpt", U"Lt",   U"Sgt", U"Maj", U"Gov", U"Sen",  U"Rep", U"Pres", U"Adm", U"Cmdr",  U"Messrs",
      U"Mme", U"Mlle", U"dr",  U"mr",  U"mrs", U"prof", U"vs",  U"Vs",   U"cf",  U"approx"};
  static constexpr std::array<View, 35> kShort = {
      U"St",  U"Mt",  U"Ft",  U"Jr",   U"Sr",   U"Inc",  U"Ltd", U"Co",  U"Corp", U"Bros", U"Ave", U"Blvd",
      U"Rd",  U"Jan", U"Feb", U"Mar",  U"Apr",  U"Jun",  U"Jul", U"Aug", U"Sep",  U"Sept", U"Oct", U"Nov",
      U"Dec", U"etc", U"al",  U"Ph.D", U"Univ", U"Dept", U"Sta", U"Ste", U"v",    U"ed",   U"Ph"};
  static constexpr std::array<View, 11> kNumbered = {U"no",  U"nos", U"max", U"ca", U"p", U"pp",
                                                     U"vol", U"ch",  U"fig", U"eq", U"nr"};
  size_t begin = at;
  while (begin > 0 && (is_letter(text[begin - 1]) || text[begin - 1] == '.')) --begin;
  const Text word(text.substr(begin, at - begin));
  const View next = trim(text.substr(at + 1));
  if (word.empty() || next.empty()) return false;
  if (among(word, kTitles) || word == U"e.g" || word == U"i.e") return true;
  if (among(word_before(text, at).first, kNumbered) && is_ascii_digit(next[0])) return true;
  const bool initial = word.size() == 1 && is_upper(word[0]);
  bool dotted = word.size() > 2 && word.size() % 2 == 1;  // U.S, p.m; a.txt is none
  for (size_t i = 0; i < word.size(); ++i) dotted = dotted && (word[i] == '.') == (i % 2 == 1);
  return (initial || dotted || among(word, kShort)) && !begins_sentence(next);
}

// Whether the quote or bracket `c` closes one that is open in the text.
bool closes(View text, char32_t c) {
  const char32_t open = c == ')' ? U'(' : c == ']' ? U'[' : c == '}' ? U'{' : c;
  const auto opened = std::count(text.begin(), text.end(), open);
  return open == c ? opened % 2 == 1 : opened > std::count(text.begin(), text.end(), c);
}

// Up to a line break or the end of a sentence: a 。, or a full stop, ! or ? that a space or nothing follows.
View first_sentence(View text) {
  constexpr View kEnds = U".!?", kClosing = U"\"')]}$";
  const size_t last_quote = text.substr(0, text.find(U'\n')).rfind(U'"');
  bool in_quote = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') in_quote = !in_quote;
    if (text[i] == '\n' || text[i] == U'。') return text.substr(0, i);
    if (!one_of(text[i], kEnds)) continue;
    size_t next = i + 1;
    while (next < text.size() && (one_of(text[next], kEnds) || one_of(text[next], kClosing))) ++next;
    bool ends = next == text.size() || is_space(text[next]) || text[next] == U'。';
    if (in_quote && last_quote != View::npos && last_quote >= next) ends = false;
    if (ends && !(text[i] == '.' && next == i + 1 && abbreviates(text, i))) {
      const View sentence = text.substr(0, i);
      const size_t mark =
          text.find_first_of(kClosing, i);  // a closing quote belongs to the sentence that opened it
      return mark < next && closes(sentence, text[mark]) ? text.substr(0, mark + 1) : sentence;
    }
    for (; i + 1 < next; ++i)
      if (text[i + 1] == '"') in_quote = !in_quote;
  }
  return text;
}

// What the text announces as its answer, the last time it does; else all of it.
View announced(View text) {
  size_t from = View::npos;
  View answer = text;
  auto take = [&](size_t at, View found) {
    if (from != View::npos && at < from) return;
    from = at;
    answer = found;
  };
  Text small(text);
  std::transform(small.begin(), small.end(), small.begin(), lower);
  auto sentence = [&](size_t at) {
    View rest = trim(text.substr(at));
    while (begins(rest, U"..")) rest = trim(rest.substr(std::min(rest.find_first_not_of(U'.'), rest.size())));
    return first_sentence(rest);
  };
  for (size_t at = small.rfind(U"answer"); at != View::npos;
       at = at > 0 ? small.rfind(U"answer", at - 1) : View::npos)
    if (const size_t begin = announced_at(text, at); begin != View::npos) {
      take(at, sentence(begin));
      break;
    }
  for (View lead : {View(U"答案是"), View(U"答案为"), View(U"答案:")})
    if (const size_t at = text.rfind(lead); at != View::npos) take(at, sentence(at + lead.size()));
  if (const size_t at = text.rfind(U"#### "); at != View::npos && at + 5 < text.size())  // GSM8K's mark
    if ((at == 0 || text[at - 1] == '\n') && (is_ascii_digit(text[at + 5]) || one_of(text[at + 5], U"-$")))
      take(at, sentence(at + 5));
  if (const size_t at = text.rfind(U"\\boxed{"); at != View::npos) take(at, braced(text.substr(at + 7)));
  if (const size_t at = small.rfind(U"<answer>"); at != View::npos) {
    const size_t begin = at + 8, end = std::min(small.find(U"</answer>", begin), text.size());
    take(at, text.substr(begin, end - begin));
  }
  return answer;
}

// Whether open … close encloses the whole text, and nothing else is in between that would make it two things.
bool enclosed(View text, View open, View close, View not_inside) {
  if (text.size() < open.size() + close.size() || !begins(text, open)) return false;
  if (text.substr(text.size() - close.size()) != close) return false;
  const View inside = text.substr(open.size(), text.size() - open.size() - close.size());
  return inside.find_first_of(not_inside) == View::npos && (open.empty() || inside.find(open) == View::npos);
}

// Takes away what only dresses the answer: end marks, and quotes, brackets and LaTeX around the whole of it.
View undress(View text) {
  struct Dress {
    View open, close, not_inside;
  };
  static constexpr Dress kDress[] = {
      {U"\"", U"\"", U"\""},       {U"'", U"'", U"'"},          {U"(", U")", U"(),;"},
      {U"[", U"]", U"[],;"},       {U"$$", U"$$", U"$"},        {U"$", U"$", U"$"},
      {U"\\(", U"\\)", U"\\"},     {U"\\[", U"\\]", U"\\"},     {U"\\text{", U"}", U"{}"},
      {U"\\mathrm{", U"}", U"{}"}, {U"\\textbf{", U"}", U"{}"}, {U"**", U"", U""},
      {U"", U"**", U""},           {U"`", U"", U"`"},           {U"", U"`", U"`"}};
  for (size_t before = text.size() + 1; text.size() < before;) {
    before = text.size();
    text = trim(text);
    while (!text.empty() && one_of(text.back(), U".!?。,;")) text.remove_suffix(1);
    text = trim(text);
    for (const Dress& dress : kDress)
      if (enclosed(text, dress.open, dress.close, dress.not_inside)) {
        text = text.substr(dress.open.size(), text.size() - dress.open.size() - dress.close.size());
        break;
      }
  }
  return text == U"\"" || text == U"'" ? View() : text;
}

// "1,080" becomes "1080"; a number that is all of the answer loses its "+" and a fraction of zeros.
Text even_out_numbers(const Text& text) {
  auto digits = [&](size_t at) {
    size_t n = 0;
    while (at + n < text.size() && is_ascii_digit(text[at + n])) ++n;
    return n;
  };
  Text out;
  for (size_t at = 0; at < text.size();) {
    const size_t lead = digits(at);
    if (lead == 0) {
      out += text[at++];
      continue;
    }
    size_t end = at + lead, groups = 0;
    while (end < text.size() && text[end] == ',' && digits(end + 1) == 3) {
      end += 4;
      ++groups;
    }
    const bool alone = (at == 0 || !one_of(text[at - 1], U",.")) &&
                       (end >= text.size() || text[end] != ',' || digits(end + 1) == 0);
    if (groups == 0 || lead > 3 || !alone) end = at + lead;
    for (; at < end; ++at)
      if (text[at] != ',') out += text[at];
    while (at < text.size() && is_ascii_digit(text[at])) out += text[at++];
  }
  const size_t sign = !out.empty() && one_of(out[0], U"+-") ? 1 : 0;
  const size_t point = std::min(out.find_first_not_of(U"0123456789", sign), out.size());
  if (point == sign) return out;
  if (point < out.size() && out[point] == '.' && point + 1 < out.size() &&
      out.find_first_not_of(U'0', point + 1) == Text::npos)
    out.resize(point);
  if (out[0] == '+' && out.find_first_not_of(U"0123456789.", 1) == Text::npos) out.erase(0, 1);
  return out;
}

}  // namespace

std::string final_answer(std::string_view text) {
  const Text plainer = without_emphasis(plain(text));
  const std::string answer = collapse_space(to_utf8(undress(announced(undress(plainer)))));
  return to_utf8(even_out_numbers(code_points(answer)));
}

bool answers_agree(std::string_view reference, std::string_view answer) {
  const std::string wanted = final_answer(reference), given = final_answer(answer);
  if (wanted.empty() || given.compare(0, wanted.size(), wanted) != 0) return false;
  const std::string_view rest = std::string_view(given).substr(wanted.size());
  if (rest.empty()) return true;
  for (std::string_view reason : {" because ", " since ", ", because ", ", since ", ", as ", ", which is ",
                                  ", which was ", ", which are ", ", which means "})
    if (rest.substr(0, reason.size()) == reason) return true;
  return false;
}

namespace {
std::string missing(const CheckItem& item, const Argument&) {
  return final_answer(item.reference).empty() ? "the reference answer is empty" : "";
}

// The record's field "answer", where there is one, says what the reference answer says in more words.
EvalResult judge_answer(const CheckItem& item) {
  bool right = answers_agree(item.reference, item.answer);
  if (!right && item.fields && item.fields->is_object()) {
    const auto bare = item.fields->find("answer");
    right = bare != item.fields->end() && bare->is_string() &&
            answers_agree(bare->get_ref<const std::string&>(), item.answer);
  }
  return result_of(item, right, kMismatch, right ? "" : final_answer(item.answer));
}
}  // namespace

Check answer_check() {
  return {"answer",
          kAcceptance | kAnswerCheck | kTaskCheck,
          "the same final answer: \"The answer is 5.\" and \"5\"",
          each<judge_answer>,
          kNeedsReference,
          "accuracy",
          missing};
}

}  // namespace sdft
