// How numbers and texts look, the same in all three reports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/report.h"

namespace sdft::report {

inline constexpr const char* kDash = "–";  // in place of what was not measured

// Where the run directory has what a report shows only a part of.
inline constexpr const char* kAnswersFiles = "eval/MODEL/TASK/answers.jsonl";

// --- Numbers; NaN and infinities give kDash. The spaces in "71.0 %" and "[64.4, 76.8]" are no-break ones, so
// that no line ends there; a terminal and Markdown get plain_spaces in the end. ---
std::string percent(double fraction);                      // "71.0 %"
std::string percent_bare(double fraction);                 // "71.0", where the heading says percent
std::string points(double difference);                     // "+59.0", "−2.1", "0.0": percentage points
std::string points_bare(double difference);                // "59.0", without its sign
std::string percent_interval(const Interval&);             // "[64.4, 76.8]"; "" where either end is missing
std::string points_interval(const Interval&);              // "[−3.2, −1.0]", the same for differences
std::string decimal(double value, int digits);             // "−1.92"
std::string significant(double value, int digits);         // "0.0001", "1.5e-07", "12300"
std::string p_text(double p);                              // "0.032", "< 0.0001"
std::string grouped(int64_t count);                        // "12,300"
std::string parameters(int64_t count);                     // "1.2 million"
std::string duration(double seconds);                      // "42 s", "3 min 05 s", "2 h 07 min"
std::string bytes(double count);                           // "3.2 GiB"
std::string plural(int64_t count, std::string_view noun);  // "1 example", "2,000 examples"

std::string plain_spaces(std::string text);  // no-break spaces to ordinary ones

bool known(double value);
bool known(const Interval& interval);

// --- Texts ---
// Valid UTF-8 without control characters other than line breaks and tabs, and without marks that reverse the
// direction of what follows; each of them becomes U+FFFD. Everything that comes from a model or a dataset
// passes here.
std::string clean(std::string_view text);
// On one line: line breaks become " ⏎ ".
std::string one_line(std::string_view text);
// At most `limit` characters; what is cut is counted where the text ends: "… [1,240 more characters]".
std::string cut(std::string_view text, size_t limit);
// The same for names in tables: ends in "…".
std::string cut_short(std::string_view text, size_t limit);

// The same, to columns of a terminal.
std::string cut_columns(std::string_view text, int columns);

size_t character_count(std::string_view text);
// Columns on a terminal: wide East Asian characters and emoji count 2, combining marks 0.
int display_width(std::string_view text);
// Lines of at most `width` columns, broken at spaces; only a word wider than that is broken inside.
std::vector<std::string> wrap(std::string_view text, int width);

std::string escape_html(std::string_view text);
// For running text and table cells of Markdown: a single line in which nothing is markup.
std::string escape_markdown(std::string_view text);
// A fenced block whose fence is longer than any run of backticks in the text.
std::string fenced(std::string_view text);

std::string join(const std::vector<std::string>& items, std::string_view separator);

}  // namespace sdft::report
