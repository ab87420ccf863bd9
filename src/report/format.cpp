#include "report/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/printable.h"
#include "base/utf8.h"

namespace sdft::report {

// --- Numbers ---

bool known(double value) { return std::isfinite(value); }
bool known(const Interval& interval) { return known(interval.low) && known(interval.high); }

// With a real minus sign, and without "−0.0".
static std::string fixed(double value, int digits, bool plus) {
  if (!known(value)) return kDash;
  std::string text = fmt::format("{:.{}f}", std::fabs(value), digits);
  bool zero = text.find_first_not_of("0.") == std::string::npos;
  if (zero) return text;
  return (value < 0 ? "−" : plus ? "+" : "") + text;
}

std::string percent(double fraction) { return known(fraction) ? percent_bare(fraction) + "\u00A0%" : kDash; }
std::string percent_bare(double fraction) { return fixed(100 * fraction, 1, false); }
std::string points(double difference) { return fixed(100 * difference, 1, true); }
std::string points_bare(double difference) { return fixed(std::fabs(100 * difference), 1, false); }
std::string decimal(double value, int digits) { return fixed(value, digits, false); }

std::string plain_spaces(std::string text) {
  static constexpr std::string_view kNoBreak = "\u00A0";
  for (size_t at = 0; (at = text.find(kNoBreak, at)) != std::string::npos;)
    text.replace(at, kNoBreak.size(), " ");
  return text;
}

static std::string bracketed(const Interval& interval) {
  if (!known(interval)) return "";
  return "[" + fixed(100 * interval.low, 1, false) + ",\u00A0" + fixed(100 * interval.high, 1, false) + "]";
}
std::string percent_interval(const Interval& interval) { return bracketed(interval); }
std::string points_interval(const Interval& interval) { return bracketed(interval); }

std::string significant(double value, int digits) {
  return known(value) ? fmt::format("{:.{}g}", value, digits) : kDash;
}

std::string p_text(double p) { return p < 0.0001 ? "<\u00A00.0001" : significant(p, 2); }

std::string grouped(int64_t count) {
  std::string text = std::to_string(count);
  for (size_t at = text.size(); at > (count < 0 ? 4u : 3u);) text.insert(at -= 3, ",");
  return text;
}

std::string parameters(int64_t count) {
  if (count >= 1000000000) return fmt::format("{:.1f} billion", count / 1e9);
  if (count >= 1000000) return fmt::format("{:.1f} million", count / 1e6);
  return grouped(count);
}

std::string duration(double seconds) {
  if (!known(seconds) || seconds < 0 || seconds > 1e15) return kDash;
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  int64_t whole = std::llround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  int64_t minutes = (whole + 30) / 60;
  return fmt::format("{} h {:02} min", grouped(minutes / 60), minutes % 60);
}

std::string bytes(double count) {
  if (!known(count)) return kDash;
  static constexpr std::array units = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (count >= 1024 && unit + 1 < units.size()) count /= 1024, ++unit;
  return fmt::format("{:.{}f} {}", count, unit ? 1 : 0, units[unit]);
}

std::string plural(int64_t count, std::string_view noun) {
  return grouped(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

// --- UTF-8 ---

static constexpr char32_t kReplacement = 0xFFFD;

struct Range {
  char32_t first, last;
};

template <size_t N>
static bool inside(const Range (&ranges)[N], char32_t code) {
  for (const Range& range : ranges)
    if (code >= range.first && code <= range.last) return true;
  return false;
}

static constexpr Range kZeroWidth[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},   {0x064B, 0x065F},
    {0x0900, 0x0902}, {0x093C, 0x093C}, {0x0941, 0x0948}, {0x0E31, 0x0E31},   {0x0E34, 0x0E3A},
    {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F},   {0x20D0, 0x20F0},
    {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF}};
static constexpr Range kWide[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x23E9, 0x23EC},   {0x2614, 0x2615},   {0x26A1, 0x26A1},
    {0x2705, 0x2705},   {0x274C, 0x274C},   {0x2753, 0x2755},   {0x2795, 0x2797},   {0x2B50, 0x2B50},
    {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
    {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
    {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF},
    {0x20000, 0x2FFFD}, {0x30000, 0x3FFFD}};

static int width_of(char32_t code) {
  if (inside(kZeroWidth, code)) return 0;
  return inside(kWide, code) ? 2 : 1;
}

std::string clean(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n') ++at;
    size_t start = at;
    char32_t code = utf8_next_lossy(text, at);
    if (code == kReplacement || is_unsafe(code))
      out += "\uFFFD";
    else
      out += text.substr(start, at - start);
  }
  return out;
}

size_t character_count(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) utf8_next_lossy(text, at);
  return count;
}

int display_width(std::string_view text) {
  int width = 0;
  for (size_t at = 0; at < text.size();) width += width_of(utf8_next_lossy(text, at));
  return width;
}

// Bytes of the first `limit` characters, not ending between a letter and its combining marks.
static size_t prefix(std::string_view text, size_t limit) {
  size_t at = 0;
  for (size_t count = 0; count < limit && at < text.size(); ++count) utf8_next_lossy(text, at);
  for (size_t next = at; next < text.size() && width_of(utf8_next_lossy(text, next)) == 0;) at = next;
  return at;
}

std::string cut(std::string_view text, size_t limit) {
  size_t end = prefix(text, limit);
  if (end >= text.size()) return std::string(text);
  return std::string(text.substr(0, end)) + "… [" +
         plural(static_cast<int64_t>(character_count(text.substr(end))), "more character") + "]";
}

std::string cut_short(std::string_view text, size_t limit) {
  size_t end = prefix(text, limit);
  if (end >= text.size()) return std::string(text);
  return std::string(text.substr(0, prefix(text, limit - 1))) + "…";
}

// Bytes of the longest prefix that takes at most `columns`, one character at least.
static size_t prefix_columns(std::string_view text, int columns) {
  size_t end = 0;
  for (size_t at = 0; at < text.size();) {
    columns -= width_of(utf8_next_lossy(text, at));
    if (columns < 0 && end > 0) break;
    end = at;
  }
  return end;
}

std::string cut_columns(std::string_view text, int columns) {
  if (display_width(text) <= columns) return std::string(text);
  return std::string(text.substr(0, prefix_columns(text, columns - 1))) + "…";
}

std::string one_line(std::string_view text) {
  std::string out;
  bool broken = false;
  for (char c : text) {
    bool space = c == '\n' || c == '\t' || c == ' ';
    if (c == '\n') broken = true;
    if (space) {
      if (!out.empty() && out.back() != ' ') out += ' ';
      continue;
    }
    if (broken && !out.empty()) out += "⏎ ";
    broken = false;
    out += c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::vector<std::string> wrap(std::string_view text, int width) {
  std::vector<std::string> lines;
  std::string line;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(' ', at), text.size());
    std::string word(text.substr(at, end - at));
    if (!line.empty() && display_width(line) + 1 + display_width(word) > width) {
      lines.push_back(line);
      line.clear();
    }
    while (display_width(word) > width && width > 0) {  // the line is empty here
      size_t fits = prefix_columns(word, width);
      if (fits == word.size()) break;
      lines.push_back(word.substr(0, fits));
      word.erase(0, fits);
    }
    if (!word.empty()) line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  if (!line.empty() || lines.empty()) lines.push_back(line);
  return lines;
}

// --- Markup ---

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escape_markdown(std::string_view text) {
  static constexpr std::string_view kMarkup = "\\`*_|~$";
  static constexpr std::string_view kAfterLink = "([:";
  std::string line = one_line(text), out;
  for (size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (c == '<' || c == '>' || c == '&')
      out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;";
    else if (c == '@')  // would mention somebody, or become a mail address
      out += "&#64;";
    else if (c == '.' && i >= 3 && line.compare(i - 3, 3, "www") == 0)  // would become a link, too
      out += "&#46;";
    else if (c == ':' && line.compare(i, 3, "://") == 0)  // would become a link
      out += "&#58;";
    else if (kMarkup.find(c) != std::string_view::npos ||
             (c == ']' && i + 1 < line.size() && kAfterLink.find(line[i + 1]) != std::string_view::npos))
      (out += '\\') += c;
    else
      out += c;
  }
  // What is a heading or a list item where the text opens a line: "# ", "- ", "12. ".
  size_t digits = std::min(out.find_first_not_of("0123456789"), out.size());
  bool item = digits > 0 && digits < out.size() && (out[digits] == '.' || out[digits] == ')') &&
              (digits + 1 == out.size() || out[digits + 1] == ' ');
  bool bullet =
      digits == 0 && !out.empty() && std::string_view("#-+=").find(out[0]) != std::string_view::npos;
  if (item || bullet) out.insert(digits, "\\");
  return out;
}

std::string fenced(std::string_view text) {
  size_t longest = 2, run = 0;
  for (char c : text) longest = std::max(longest, run = c == '`' ? run + 1 : 0);
  std::string fence(longest + 1, '`');
  return fence + "text\n" + std::string(text) + (!text.empty() && text.back() == '\n' ? "" : "\n") + fence +
         "\n";
}

std::string join(const std::vector<std::string>& items, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) (out += i ? separator : std::string_view()) += items[i];
  return out;
}

}  // namespace sdft::report
