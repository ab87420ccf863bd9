// The program in an answer: fenced blocks, or lines that look like Python.
#include <algorithm>
#include <cctype>
#include <set>
#include <vector>

#include "check/answer.h"

namespace sdft {
namespace {

using Lines = std::vector<std::string_view>;

bool begins(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}
bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

Lines split_lines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Bytes of white space that a line begins with.
size_t indent_of(std::string_view line) { return std::min(line.find_first_not_of(" \t"), line.size()); }

// Without as much of their indentation as the first line has.
Lines dedent(Lines lines) {
  const auto first =
      std::find_if(lines.begin(), lines.end(), [](std::string_view line) { return !trim(line).empty(); });
  const size_t margin = first == lines.end() ? 0 : indent_of(*first);
  for (std::string_view& line : lines) line.remove_prefix(std::min(margin, indent_of(line)));
  return lines;
}

std::string join_lines(const Lines& lines) {
  size_t end = lines.size();
  while (end > 0 && trim(lines[end - 1]).empty()) --end;
  std::string text;
  for (size_t i = 0; i < end; ++i) text.append(lines[i]).push_back('\n');
  return text;
}

// Where the text of single quotes that begins at `begin` ends.
size_t past_text(std::string_view line, size_t begin) {
  size_t i = begin + 1;
  while (i < line.size() && line[i] != line[begin]) i += line[i] == '\\' ? 2 : 1;
  return i;
}

// Whether the end of a line leaves Python inside a text of three quotes or open brackets.
class Continuation {
 public:
  bool in_text() const { return quote_ != 0; }
  bool open() const { return quote_ != 0 || depth_ > 0 || backslash_; }

  void read(std::string_view line) {
    backslash_ = false;
    for (size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (quote_ != 0) {
        if (c == '\\')
          ++i;
        else if (ends_text(line, i))
          i += 2, quote_ = 0;
      } else if (c == '#') {
        return;
      } else if (c == '"' || c == '\'') {
        if (line.substr(i, 3) == std::string(3, c))
          i += 2, quote_ = c;
        else
          i = past_text(line, i);
      } else if (c == '(' || c == '[' || c == '{') {
        ++depth_;
      } else if (c == ')' || c == ']' || c == '}') {
        depth_ = std::max(depth_ - 1, 0);
      } else if (c == '\\' && i + 1 == line.size()) {
        backslash_ = true;
      }
    }
  }

 private:
  bool ends_text(std::string_view line, size_t i) const {
    return line.substr(i, 3) == std::string(3, quote_);
  }

  char quote_ = 0;
  int depth_ = 0;
  bool backslash_ = false;
};

// The name that a line at the left margin defines: of a function, a class, or f in f = lambda.
std::string_view defined_name(std::string_view line) {
  auto name_at = [](std::string_view rest) {
    const auto end = std::find_if_not(rest.begin(), rest.end(), in_name);
    return rest.substr(0, static_cast<size_t>(end - rest.begin()));
  };
  for (std::string_view start : {"def ", "async def ", "class "})
    if (begins(line, start)) {
      const std::string_view rest = trim(line.substr(start.size())), name = name_at(rest);
      const std::string_view next = trim(rest.substr(name.size())).substr(0, 1);
      return next == "(" || next == ":" || next == "[" ? name : std::string_view();
    }
  const std::string_view name = name_at(line);
  std::string_view rest = trim(line.substr(name.size()));
  if (begins(rest, ":")) rest.remove_prefix(std::min(rest.find('='), rest.size()));  // f: Callable = lambda
  return begins(rest, "=") && begins(trim(rest.substr(1)), "lambda") ? name : std::string_view();
}

bool defines(std::string_view line) { return !defined_name(line).empty(); }

// A line at the left margin that can only be code.
bool opens_program(std::string_view line) {
  const bool imports =
      begins(line, "import ") || (begins(line, "from ") && line.find(" import ") != line.npos);
  const bool decorates =
      line.size() > 1 && line[0] == '@' && in_name(line[1]) && line.find('(') <= line.find(' ');
  return imports || decorates || defines(line);
}

// Names with dots, indices and commas, or a type: "so a" is prose.
bool are_names(std::string_view text) {
  text = trim(text);
  if (text.empty() || !(in_name(text[0]) || text[0] == '(' || text[0] == '*')) return false;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '[' ? 1 : text[i] == ']' ? -1 : 0;
    if (depth > 0 || text[i] == ']' || in_name(text[i])) continue;
    const std::string_view allowed = text[0] == '(' ? "., *|()" : "., *|";
    if (allowed.find(text[i]) == std::string_view::npos) return false;
    if (text[i] == ' ' && in_name(text[i - 1]) && i + 1 < text.size() && in_name(text[i + 1])) return false;
  }
  return true;
}

// a = 1, a, b = ..., a[i] += 1, x: int = 2.
bool assigns(std::string_view line) {
  const size_t equals = line.find('=');
  if (equals == line.npos || begins(line.substr(equals), "==")) return false;
  std::string_view targets = line.substr(0, equals);
  for (std::string_view comparison : {"!", "<", ">"})
    if (!targets.empty() && targets.substr(targets.size() - 1) == comparison &&
        (targets.size() < 2 || targets[targets.size() - 2] != comparison[0]))
      return false;  // but <<= and >>= assign
  while (!targets.empty() && std::string_view("+-*/%&|^@<>").find(targets.back()) != std::string_view::npos)
    targets.remove_suffix(1);
  const size_t colon = targets.find(':');
  if (colon == targets.npos || targets.find('[') < colon) return are_names(targets);
  return are_names(targets.substr(0, colon)) && are_names(targets.substr(colon + 1));
}

// f(x), a.b(x)[0], f(x).g(); not "f(2) gives 4". An open bracket may go on in the next line.
bool calls(std::string_view line) {
  size_t at = 0;
  while (at < line.size() && (in_name(line[at]) || line[at] == '.')) ++at;
  if (at == 0 || at == line.size() || (line[at] != '(' && line[at] != '[')) return false;
  for (int depth = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (c == '"' || c == '\'') at = past_text(line, at);
    depth += c == '(' || c == '[' || c == '{' ? 1 : c == ')' || c == ']' || c == '}' ? -1 : 0;
    if (depth > 0) continue;
    const std::string_view rest = trim(line.substr(at + 1));
    return rest.empty() || std::string_view("[(;#").find(rest[0]) != std::string_view::npos ||
           (rest[0] == '.' && rest.size() > 1 && in_name(rest[1]));
  }
  return true;
}

// if x:, for a in b: print(a), else:; not "for all x it works".
bool opens_clause(std::string_view line) {
  constexpr std::string_view kWords[] = {"if ", "for ",   "while ",  "else",  "elif ",
                                         "try", "except", "finally", "with ", "async "};
  if (std::none_of(std::begin(kWords), std::end(kWords),
                   [&](std::string_view word) { return begins(line, word); }))
    return false;
  Continuation brackets;
  brackets.read(line);
  const size_t colon = line.rfind(':');
  if (colon == line.npos || brackets.open()) return brackets.open();
  const std::string_view rest = trim(line.substr(colon + 1));
  return rest.empty() || rest[0] == '#' || rest == "pass" || begins(rest, "raise ") || calls(rest) ||
         assigns(rest);
}

// A line at the left margin that may be code inside a program.
bool continues_program(std::string_view line) {
  if (opens_program(line) || assigns(line) || calls(line) || opens_clause(line) || trim(line) == "pass")
    return true;
  for (std::string_view start : {"#", "assert ", "raise ", "del ", "\"\"\"", "'''"})
    if (begins(line, start)) return true;
  return false;
}

// Imports, constants and comments only: they prepare for what is defined later.
bool prepares(const Lines& block) {
  auto code = [](std::string_view line) { return opens_program(line) || assigns(line); };
  auto belongs = [&](std::string_view line) {
    return trim(line).empty() || std::string_view("# \t)]}").find(line[0]) != std::string_view::npos ||
           code(line);
  };
  return std::any_of(block.begin(), block.end(), code) && std::all_of(block.begin(), block.end(), belongs);
}

std::set<std::string_view> names_of(const Lines& block) {
  std::set<std::string_view> names;
  for (std::string_view line : block)
    if (defines(line)) names.insert(defined_name(line));
  return names;
}

// What was typed in a session of the interpreter: lines behind >>> and ..., where the first line is one.
Lines typed(const Lines& lines) {
  const auto first =
      std::find_if(lines.begin(), lines.end(), [](std::string_view line) { return !trim(line).empty(); });
  if (first == lines.end() || !begins(*first, ">>>")) return lines;
  Lines typed;
  for (std::string_view line : lines)
    if (begins(line, ">>>") || begins(line, "..."))
      typed.push_back(line.substr(std::min<size_t>(4, line.size())));
  return typed;
}

struct Fence {
  char mark = 0;  // ` or ~; 0: the line is none
  size_t length = 0, indent = 0;
  std::string label;  // the first word behind it, in lower case
  bool bare = false;  // nothing behind it
};

// Bytes of a list's "1. " or "- " that a line begins with.
size_t list_marker(std::string_view line) {
  size_t at = indent_of(line);
  const size_t digits = std::min(line.find_first_not_of("0123456789", at), line.size());
  const std::string_view marks = digits > at ? ".)" : "-*+";
  at = digits;
  if (at + 1 >= line.size() || marks.find(line[at]) == std::string_view::npos || line[at + 1] != ' ')
    return 0;
  return std::min(line.find_first_not_of(' ', at + 1), line.size());
}

Fence fence_of(std::string_view line) {
  Fence fence;
  const size_t marker = list_marker(line);
  fence.indent = std::max(marker, indent_of(line));
  const std::string_view rest = trim(line.substr(marker));
  if (!begins(rest, "```") && !begins(rest, "~~~")) return fence;
  fence.length = std::min(rest.find_first_not_of(rest[0]), rest.size());
  const std::string_view info = trim(rest.substr(fence.length));
  if (info.find('`') != info.npos) return fence;  // ```f(x)``` within a line
  fence.mark = rest[0];
  fence.bare = info.empty() && marker == 0;
  for (size_t i = std::min(info.find_first_not_of("{. "), info.size()); i < info.size() && in_name(info[i]);
       ++i)
    fence.label += static_cast<char>(std::tolower(static_cast<unsigned char>(info[i])));
  return fence;
}

struct Block {
  std::string label;
  Lines lines;
};

// The line that closes the fence opened at `begin`: the first that stands as far left and is not inside a
// Python text; where a text never ends or all stand further right, the first. lines.size(): none.
size_t closing_line(const Lines& lines, size_t begin, const Fence& open) {
  size_t inside = lines.size(), indented = lines.size();
  Continuation python;
  for (size_t i = begin + 1; i < lines.size(); ++i) {
    const Fence fence = fence_of(lines[i]);
    if (fence.mark != open.mark || !fence.bare || fence.length < open.length) {
      python.read(lines[i]);
    } else if (fence.indent >= open.indent + 4) {
      indented = std::min(indented, i);
    } else {
      if (!python.in_text()) return i;
      inside = std::min(inside, i);
    }
  }
  return inside < lines.size() ? inside : indented;
}

std::vector<Block> blocks_of(const Lines& lines) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < lines.size(); ++i) {
    const Fence fence = fence_of(lines[i]);
    if (fence.mark == 0) continue;
    const size_t end = closing_line(lines, i, fence);
    blocks.push_back({fence.label, typed(dedent(Lines(lines.begin() + static_cast<long>(i) + 1,
                                                      lines.begin() + static_cast<long>(end))))});
    i = end;
  }
  return blocks;
}

// See the header: what comes before the first definition, it, and what defines further names.
std::string join_blocks(const std::vector<Lines>& blocks) {
  std::string program;
  std::set<std::string_view> known;
  for (const Lines& block : blocks) {
    const std::set<std::string_view> names = names_of(block);
    const bool anew =
        std::any_of(names.begin(), names.end(), [&](auto name) { return known.count(name) > 0; });
    if (names.empty() ? !known.empty() || !prepares(block) : anew) continue;
    known.insert(names.begin(), names.end());
    program += join_lines(block);
  }
  return program.empty() && !blocks.empty() ? join_lines(blocks.front()) : program;
}

// The line that a program begins with whose first sure line is `opening`: constants may stand before it.
size_t with_constants(const Lines& lines, size_t opening, size_t margin) {
  size_t begin = opening;
  for (size_t i = opening; i-- > 0;) {
    const std::string_view line = lines[i].substr(indent_of(lines[i]));
    if (!line.empty() && (indent_of(lines[i]) != margin || (line[0] != '#' && !assigns(line)))) break;
    if (!line.empty() && line[0] != '#') begin = i;
  }
  return begin;
}

// The lines of a program among prose; it may be indented as a whole.
std::optional<std::string> bare_program(const Lines& lines) {
  for (size_t at = 0; at < lines.size();) {
    const size_t margin = indent_of(lines[at]);
    if (!opens_program(lines[at].substr(margin))) {
      ++at;
      continue;
    }
    Lines program;
    Continuation python;
    bool defined = false;
    size_t i = with_constants(lines, at, margin);
    for (; i < lines.size(); ++i) {
      const size_t indent = indent_of(lines[i]);
      const std::string_view text = lines[i].substr(std::min(margin, indent));
      const bool inside = python.open() || trim(text).empty() || indent > margin;
      if (!inside && (indent < margin || !continues_program(text))) break;
      defined = defined || (!python.open() && defines(text));
      python.read(text);
      program.push_back(text);
    }
    if (defined) return join_lines(program);
    at = std::max(i, at + 1);
  }
  return std::nullopt;
}

// The same of a session among prose.
std::optional<std::string> bare_session(const Lines& lines) {
  Lines session;
  for (std::string_view line : lines) {
    line.remove_prefix(indent_of(line));
    if (begins(line, ">>>") || (!session.empty() && begins(line, "..."))) session.push_back(line);
  }
  session = typed(session);
  return names_of(session).empty() ? std::nullopt : std::optional<std::string>(join_lines(session));
}

bool is_python(const std::string& label) {
  for (const char* name : {"python", "py", "python3", "py3", "pycon", "ipython"})
    if (label == name) return true;
  return false;
}

// A statement that stands in a function only.
bool in_function(std::string_view line) {
  for (std::string_view word : {"return", "yield"})
    if (begins(line, word) && (line.size() == word.size() || !in_name(line[word.size()]))) return true;
  return false;
}

bool is_statement(std::string_view line) { return continues_program(line) || in_function(line); }

// Bytes of white space that the function's body is indented by, behind the prompt's last definition.
std::string body_indent(std::string_view prompt) {
  const Lines lines = split_lines(prompt);
  size_t at = lines.size();
  while (at > 0 && !defines(lines[at - 1])) --at;
  for (; at < lines.size(); ++at)
    if (!trim(lines[at]).empty() && indent_of(lines[at]) > 0)
      return std::string(lines[at].substr(0, indent_of(lines[at])));
  return "    ";
}

// The lines that go on with a function's body, each at its place; none where the first is prose.
std::vector<std::string> body_lines(const Lines& lines, const std::string& indent) {
  std::vector<std::string> body;
  Continuation python;
  size_t first = 0;
  while (first < lines.size() && trim(lines[first]).empty()) ++first;
  if (first == lines.size()) return {};
  const bool at_margin = indent_of(lines[first]) == 0;
  if (at_margin && !is_statement(lines[first]) && !begins(lines[first], "...")) return {};
  // Whether the first line alone has lost its indentation, as texts do that are trimmed.
  bool only_first = false;
  for (size_t i = first + 1; at_margin && i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    const size_t needed = indent.size() * (trim(lines[first]).back() == ':' ? 2 : 1);
    only_first = indent_of(lines[i]) >= needed;
    break;
  }
  for (size_t i = first; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const bool margin = !python.open() && !trim(line).empty() && indent_of(line) == 0;
    if (margin && i > first && !(at_margin && !only_first ? is_statement(line) : continues_program(line)))
      break;
    const bool moved = at_margin && (i == first || !only_first) && !python.in_text();
    body.push_back((moved ? indent : "") + std::string(line));
    python.read(line);
  }
  return body;
}

}  // namespace

std::optional<std::string> python_code(std::string_view text) {
  const Lines lines = split_lines(text);
  std::vector<Lines> labelled, unlabelled;
  for (Block& block : blocks_of(lines)) {
    if (is_python(block.label))
      labelled.push_back(std::move(block.lines));
    else if (block.label.empty() && !names_of(block.lines).empty())
      unlabelled.push_back(std::move(block.lines));
  }
  const bool defined = std::any_of(labelled.begin(), labelled.end(),
                                   [](const Lines& block) { return !names_of(block).empty(); });
  if (defined) return join_blocks(labelled);
  if (!unlabelled.empty()) return join_blocks(unlabelled);
  if (auto program = bare_program(lines)) return program;
  if (auto session = bare_session(lines)) return session;
  return labelled.empty() ? std::nullopt : std::optional<std::string>(join_blocks(labelled));
}

PythonNames python_names(std::string_view code) {
  PythonNames names;
  Continuation python;
  for (std::string_view line : split_lines(code)) {
    if (!python.open() && defines(line))
      (begins(line, "class ") ? names.classes : names.functions).emplace_back(defined_name(line));
    python.read(line);
  }
  return names;
}

std::optional<std::string> python_answer(std::string_view prompt, std::string_view name,
                                         std::string_view text) {
  const std::optional<std::string> code = python_code(text);
  if (code) {
    const PythonNames names = python_names(*code);
    const auto defined = [&](const std::vector<std::string>& all) {
      return std::find(all.begin(), all.end(), name) != all.end();
    };
    if (defined(names.functions) || defined(names.classes)) return python_stub(prompt) + "\n" + *code;
  }
  const Lines lines = split_lines(text);
  const std::string indent = body_indent(prompt);
  std::vector<std::string> body = body_lines(lines, indent);
  for (const Block& block : blocks_of(lines))
    if (body.empty() && (is_python(block.label) || block.label.empty()))
      body = body_lines(block.lines, indent);
  if (body.empty()) return std::nullopt;
  std::string program(prompt);
  if (program.empty() || program.back() != '\n') program += '\n';
  for (const std::string& line : body) program += line + "\n";
  return program;
}

std::string python_stub(std::string_view prompt) {
  return std::string(prompt) + "\n" + body_indent(prompt) + "pass\n";
}

std::string python_body(std::string_view text) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    if (!trim(line).empty() && line[0] != ' ' && line[0] != '\t')
      return std::string(text.substr(0, begin == 0 ? 0 : begin - 1));
    begin = end + 1;
  }
  return std::string(text);
}

}  // namespace sdft
