// What the HTML pages are made of. Strings are HTML unless said otherwise; all text of models, datasets and
// recipes passes safe(), name() or passage().
#pragma once

#include <string>
#include <vector>

#include "report/report.h"
#include "report/verdict.h"

namespace sdft::report {

inline constexpr int kWide = 800, kNarrow = 358;  // widths of figures, of which the page shows one
inline constexpr size_t kColumns = 4;  // models beside each other in a table; more stand below each other

// From plain text.
std::string safe(const std::string& text);
std::string name(const std::string& text);    // on one line, not too long
inline constexpr size_t kLongestText = 1200;  // of a report
// A text as it was written; what is cut from its end is counted.
std::string passage(const std::string& text, const char* cls = "text", size_t longest = kLongestText);
// A rewrite's id, outcome and what a check found; then original and rewrite beside each other, the words that
// differ marked, under headings ("h4").
std::string rewrite_header(const Rewrite& rewrite);
std::string rewrite_sides(const Rewrite& rewrite, const char* heading, size_t longest = kLongestText);
// An answer of a model, right or wrong; `icon`: of the model, or "".
std::string answer_side(const ModelAnswer& answer, const char* heading, size_t longest = kLongestText,
                        const std::string& icon = "");
std::string reference_part(const SampleAnswers& sample, size_t longest = kLongestText);  // "" of none
// A relative address of a file, as it stands in an href: nothing in it is a scheme or a query.
std::string address(const std::string& path);
// "answer_mismatch" as "answer mismatch"; plain text.
std::string spaced(std::string reason);

const char* class_of(Outcome outcome);  // "good", "bad", "same"
// "+59.0 [52.0, 66.0]" in the colour of its outcome; "" where it is not known.
std::string delta(const Comparison& change);

// A whole page: nothing is loaded from elsewhere, and no script runs but, where it has controls, its own
// (html_script.h); its content policy forbids others. `title` is plain text.
std::string page(const std::string& title, const std::string& body, const char* cls = "",
                 bool controls = false);
std::string section(const std::string& title, const std::string& lead, const std::string& body);
// A box on top of a page, of plain texts; "" of none.
std::string warning_list(const std::vector<std::string>& warnings);
// Markers and names. `models` are plain text.
std::string legend(const std::vector<std::string>& models, const std::string& baseline);
// The figure in both widths.
std::string both(const std::string& wide, const std::string& narrow);
// "6 of 2,000 are shown; FILE has them all." all: may be unknown (0), as in documents of others.
std::string shown_of(size_t shown, int64_t all, const std::string& file);

struct Bar {
  std::string label;
  double share = 0;
  std::string amount;
  const char* cls = "";
  bool sub = false;
};
std::string bars(const std::vector<Bar>& rows);

struct Column {
  std::string title;
  std::string icon = {};
};
struct TableRow {
  std::string title;
  std::vector<std::string> cells = {};  // none: a heading over what follows
};
// The first column is that of the rows' titles. On a phone the cells of a row stand side by side, `on_phone`
// of them.
std::string data_table(const std::vector<Column>& columns, const std::vector<TableRow>& rows,
                       size_t on_phone);

// A table of its own width, which scrolls where the page is narrower. Cells are HTML, those from `left` on
// with their own tags.
std::string wide_table(const std::vector<std::string>& heads,
                       const std::vector<std::vector<std::string>>& rows, size_t left);

// --- The sections of a run's report; "" where there is nothing to show ---
std::string evaluation_sections(const Document& document);  // plot, scores
std::string transition_section(const Document& document);   // what was forgotten and gained by example
std::string expectation_section(const Document& document);
std::string distillation_section(const Document& document);
std::string training_section(const Document& document);  // curves, variants, parameter shift
std::string learning_section(const std::vector<Learning>& learning);
std::string watch_section(const Document& document);  // divergence from the seed, entropy, length

}  // namespace sdft::report
