#include "report/html_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/format.h"
#include "report/html_style.h"
#include "report/plots.h"

namespace sdft::report {

static constexpr size_t kLongestText = 1200, kLongestName = 80;

std::string safe(const std::string& text) { return escape_html(clean(text)); }
std::string name(const std::string& text) {
  return escape_html(cut_short(one_line(clean(text)), kLongestName));
}

std::string passage(const std::string& text, const char* cls) {
  std::string whole = clean(text), shown = cut(whole, kLongestText), mark;
  if (size_t at = shown.rfind("… ["); shown != whole && at != std::string::npos) {
    mark = "<span class=\"cutmark\">" + shown.substr(at) + "</span>";
    shown.resize(at);
  }
  if (whole.find_first_not_of(" \n\t") == std::string::npos) mark = "<span class=\"cutmark\">(empty)</span>";
  return fmt::format("<div class=\"{}\" dir=\"auto\">{}{}</div>", cls, escape_html(shown), mark);
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

std::string page(const std::string& title, const std::string& body, const char* cls) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         name(title) + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<main class=\"" + cls +
         "\">\n" + body + "</main>\n</body>\n</html>\n";
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
