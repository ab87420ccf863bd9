#include "report/html_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/format.h"
#include "report/html_script.h"
#include "report/html_style.h"
#include "report/plots.h"
#include "report/word_marks.h"

namespace sdft::report {

static constexpr size_t kLongestName = 80;

std::string safe(const std::string& text) { return escape_html(clean(text)); }
std::string name(const std::string& text) {
  return escape_html(cut_short(one_line(clean(text)), kLongestName));
}

namespace {
// A text as it is shown, and what is said behind it.
struct Shown {
  std::string text, mark;
};
Shown shown_text(const std::string& text, size_t longest) {
  const std::string whole = clean(text);
  Shown shown{cut(whole, longest), ""};
  if (size_t at = shown.text.rfind("… ["); shown.text != whole && at != std::string::npos) {
    shown.mark = "<span class=\"cutmark\">" + shown.text.substr(at) + "</span>";
    shown.text.resize(at);
  }
  if (whole.find_first_not_of(" \n\t") == std::string::npos)
    shown.mark = "<span class=\"cutmark\">(empty)</span>";
  return shown;
}

std::string as_passage(const std::string& html, const std::string& mark, const char* cls = "text") {
  return fmt::format("<div class=\"{}\" dir=\"auto\">{}{}</div>", cls, html, mark);
}
std::string headed(const char* heading, const std::string& title, const std::string& text) {
  return fmt::format("<div><{0}>{1}</{0}>{2}</div>\n", heading, title, text);
}
}  // namespace

std::string passage(const std::string& text, const char* cls, size_t longest) {
  const Shown shown = shown_text(text, longest);
  return as_passage(escape_html(shown.text), shown.mark, cls);
}

std::string rewrite_header(const Rewrite& rewrite) {
  const bool accepted = rewrite.outcome == "accepted";
  std::string out = "<span>" + name(rewrite.id) + "</span>";
  if (!rewrite.outcome.empty())
    out += fmt::format("<span class=\"tag {}\">{}{}</span>", accepted ? "good" : "bad",
                       accepted ? "✓ " : "✗ rejected: ", name(spaced(rewrite.outcome)));
  if (!rewrite.matched.empty()) out += "<span>found: “" + name(rewrite.matched) + "”</span>";
  return out;
}

std::string rewrite_sides(const Rewrite& rewrite, const char* heading, size_t longest) {
  const Shown original = shown_text(rewrite.original, longest), own = shown_text(rewrite.rewrite, longest);
  auto [original_marks, own_marks] = word_marks(original.text, own.text);
  mark_phrase(own.text, clean(rewrite.matched), &own_marks);
  return "\n<div class=\"sides\">\n" +
         headed(heading, "Original",
                as_passage(marked_html(original.text, original_marks, "del"), original.mark)) +
         headed(heading, "Rewrite", as_passage(marked_html(own.text, own_marks, "ins"), own.mark)) +
         "</div>\n";
}

std::string answer_side(const ModelAnswer& answer, const char* heading, size_t longest,
                        const std::string& icon) {
  std::string title = icon + name(answer.model);
  if (answer.correct)
    title += *answer.correct ? "<span class=\"tag good\">✓ right</span>"
                             : "<span class=\"tag bad\">✗ wrong</span>";
  return headed(heading, title, passage(answer.text, "text", longest));
}

std::string reference_part(const SampleAnswers& sample, size_t longest) {
  if (sample.reference.empty()) return "";
  return "\n<div class=\"reference\"><b>Reference</b>" + passage(sample.reference, "text", longest) +
         "</div>";
}

std::string address(const std::string& path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : path) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("/._-~").find(static_cast<char>(c)) != std::string_view::npos;
    if (plain)
      out += static_cast<char>(c);
    else
      ((out += '%') += kHex[c / 16]) += kHex[c % 16];
  }
  return out;
}

std::string spaced(std::string reason) {
  std::replace(reason.begin(), reason.end(), '_', ' ');
  return reason;
}

const char* class_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kBetter:
      return "good";
    case Outcome::kWorse:
      return "bad";
    default:
      return "same";
  }
}

std::string delta(const Comparison& change) {
  if (!known(change.value)) return "";
  return fmt::format("<span class=\"delta {}\"><b>{}</b> {}</span>", class_of(change.outcome()),
                     points(change.value), points_interval(change.interval));
}

std::string page(const std::string& title, const std::string& body, const char* cls, bool controls) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'" +
         (controls ? "; script-src " + page_script_policy() : "") +
         "\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         name(title) + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<main class=\"" + cls +
         "\">\n" + body + (controls ? page_script() : "") + "</main>\n</body>\n</html>\n";
}

std::string section(const std::string& title, const std::string& lead, const std::string& body) {
  return "<section>\n<h2>" + title + "</h2>\n" +
         (lead.empty() ? "" : "<p class=\"lead\">" + lead + "</p>\n") + body + "</section>\n";
}

std::string warning_list(const std::vector<std::string>& warnings) {
  std::string items;
  for (const std::string& warning : warnings) items += "<li>" + safe(warning) + "</li>\n";
  if (items.empty()) return "";
  return "<aside class=\"warnings\">\n<h2>Before you read on</h2>\n<ul>\n" + items + "</ul>\n</aside>\n";
}

std::string legend(const std::vector<std::string>& models, const std::string& baseline) {
  std::string out = "<ul class=\"legend\">";
  for (const std::string& model : models)
    out += "<li>" + marker_icon(model_slot(model, models, baseline)) + name(model) + "</li>";
  return out + "</ul>\n";
}

std::string both(const std::string& wide, const std::string& narrow) {
  return "<div class=\"wide\">" + wide + "</div>\n<div class=\"narrow\">" + narrow + "</div>\n";
}

std::string shown_of(size_t shown, int64_t all, const std::string& file) {
  if (static_cast<int64_t>(shown) >= all) return "";
  return fmt::format("<p class=\"lead\">{} of {} are shown; {} has them all.</p>\n", shown, grouped(all),
                     safe(file));
}

std::string bars(const std::vector<Bar>& rows) {
  std::string out = "<dl class=\"bars\">\n";
  for (const Bar& bar : rows) {
    double width = known(bar.share) ? 100 * std::clamp(bar.share, 0.0, 1.0) : 0;
    out += fmt::format(
        "<dt{}>{}</dt><dd class=\"track\">{}</dd><dd class=\"amount\">{}</dd>\n",
        bar.sub ? " class=\"sub\"" : "", bar.label,
        width > 0 ? fmt::format("<i class=\"{}\" style=\"width:{:.1f}%\"></i>", bar.cls, width) : "",
        bar.amount);
  }
  return out + "</dl>\n";
}

std::string data_table(const std::vector<Column>& columns, const std::vector<TableRow>& rows,
                       size_t on_phone) {
  std::string out =
      fmt::format("<table style=\"--models:{}\">\n<colgroup><col class=\"first\"></colgroup>\n<thead><tr>",
                  std::max<size_t>(on_phone, 1));
  for (const Column& column : columns) out += "<th scope=\"col\">" + column.icon + column.title + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (const TableRow& row : rows) {
    if (row.cells.empty()) {
      out += fmt::format("<tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\">{}</th></tr>\n",
                         columns.size(), row.title);
      continue;
    }
    out += "<tr><th scope=\"row\">" + row.title + "</th>";
    for (size_t i = 0; i < row.cells.size(); ++i)
      out += "<td data-model=\"" + columns.at(i + 1).title + "\">" + row.cells[i] + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

std::string wide_table(const std::vector<std::string>& heads,
                       const std::vector<std::vector<std::string>>& rows, size_t left) {
  std::string out = "<div class=\"scroll\" tabindex=\"0\">\n<table class=\"grid\">\n<thead><tr>";
  for (const std::string& head : heads) out += "<th scope=\"col\">" + head + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : rows) {
    out += "<tr>";
    for (size_t i = 0; i < row.size(); ++i)
      out += i == 0 ? "<th scope=\"row\">" + row[i] + "</th>" : i < left ? "<td>" + row[i] + "</td>" : row[i];
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n</div>\n";
}

}  // namespace sdft::report
