#include "report/example_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "report/format.h"
#include "report/html_parts.h"
#include "report/summary.h"

namespace sdft::report {
namespace {

constexpr size_t kLongest = 2000;  // characters of a text

// A list to choose from; what stands first is everything.
struct Filter {
  std::string label, everything;
  std::vector<std::pair<std::string, std::string>> choices = {};  // tag, plain text
};

std::string filter_form(const std::vector<Filter>& filters) {
  std::string out = "<form class=\"filter\">\n";
  for (const Filter& filter : filters) {
    out += "<label>" + filter.label + "<select><option value=\"\">" + filter.everything + "</option>";
    for (const auto& [tag, text] : filter.choices)
      out += "<option value=\"" + tag + "\">" + name(text) + "</option>";
    out += "</select></label>\n";
  }
  return out + "<label>Search<input type=\"search\"></label>\n<output></output>\n</form>\n";
}

std::string open_article(const std::string& tags, const std::string& header) {
  return "<article class=\"sample\" data-tags=\"" + tags + "\">\n<header>" + header +
         "<button type=\"button\" class=\"copy\">Copy</button></header>\n";
}

std::string list_page(const std::string& over, const std::string& title, const std::string& lead,
                      const std::vector<Filter>& filters, const std::string& articles, size_t shown,
                      size_t all, const std::string& back, const std::string& file) {
  const std::string bound = shown < all ? " The first " + grouped(static_cast<int64_t>(shown)) + " of " +
                                              plural(static_cast<int64_t>(all), "example") + " are here; " +
                                              safe(file) + " has all."
                                        : "";
  return page(title,
              "<header>\n<p class=\"over\">" + over + "</p>\n<h1>" +
                  escape_html(cut(one_line(clean(title)), 200)) + "</h1>\n<p class=\"meta\"><a href=\"" +
                  back + "\">Report of the run</a></p>\n</header>\n" +
                  section(plural(static_cast<int64_t>(shown), "example"),
                          lead + bound + " Texts of more than " + grouped(kLongest) + " characters are cut.",
                          filter_form(filters) + articles),
              "list", true);
}

// Choices in the order in which they come, with how many examples have them.
class Tags {
 public:
  explicit Tags(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string add(const std::string& text) {
    auto at = std::find_if(texts_.begin(), texts_.end(), [&](const auto& one) { return one.first == text; });
    if (at == texts_.end()) at = texts_.insert(at, {text, 0});
    ++at->second;
    return prefix_ + std::to_string(at - texts_.begin());
  }
  std::vector<std::pair<std::string, std::string>> choices() const {
    std::vector<std::pair<std::string, std::string>> all;
    for (size_t i = 0; i < texts_.size(); ++i)
      all.emplace_back(prefix_ + std::to_string(i), texts_[i].first + " (" + grouped(texts_[i].second) + ")");
    return all;
  }

 private:
  std::string prefix_;
  std::vector<std::pair<std::string, int64_t>> texts_;
};

}  // namespace

std::string rewrites_page(const std::string& title, const std::vector<Rewrite>& rewrites, size_t all,
                          const std::string& file) {
  Tags outcomes("o"), changes("c");
  std::string articles;
  for (const Rewrite& one : rewrites) {
    const bool accepted = one.outcome == "accepted";
    const std::string outcome = accepted ? "accepted" : "rejected: " + spaced(one.outcome);
    const std::string tags = outcomes.add(outcome) + " " +
                             changes.add(one.original == one.rewrite ? "as the original" : "changed");
    articles += open_article(tags, rewrite_header(one)) + passage(one.prompt, "text prompt", kLongest) +
                rewrite_sides(one, "h3", kLongest) + "</article>\n";
  }
  return list_page(
      "Rewrites, all of them", title,
      "What the seed model made of each answer. Words that only one of the two texts has are marked, "
      "unless both have more than a thousand or so; so is what a check found in a rejected one.",
      {{"Outcome", "all", outcomes.choices()}, {"Text", "all", changes.choices()}}, articles, rewrites.size(),
      all, "../report.html", file);
}

std::string changes_page(const std::string& title, const std::vector<ChangedExample>& examples, size_t all) {
  Tags tasks("t");
  std::map<std::string, Tags> changes;  // by model
  std::vector<std::string> models;
  std::string articles;
  for (const ChangedExample& one : examples) {
    std::string tags = tasks.add(one.task), sides;
    const std::optional<bool> before =
        one.answers.answers.empty() ? std::nullopt : one.answers.answers[0].correct;
    for (const ModelAnswer& answer : one.answers.answers) {
      if (std::find(models.begin(), models.end(), answer.model) == models.end()) {
        changes.emplace(answer.model, Tags("m" + std::to_string(models.size()) + "-"));
        models.push_back(answer.model);
      }
      if (before && answer.correct && *before != *answer.correct)
        tags += " " + changes.at(answer.model).add(*before ? "forgotten" : "gained");
      sides += answer_side(answer, "h3", kLongest);
    }
    articles += open_article(tags, "<span>" + name(one.task) + " · " + name(one.answers.id) + "</span>") +
                passage(one.answers.prompt, "text prompt", kLongest) + reference_part(one.answers, kLongest) +
                "\n<div class=\"sides\">\n" + sides + "</div>\n</article>\n";
  }
  std::vector<Filter> filters = {{"Task", "all", tasks.choices()}};
  for (const std::string& model : models)
    if (auto choices = changes.at(model).choices(); !choices.empty()) {
      std::sort(choices.begin(), choices.end(),
                [](const auto& a, const auto& b) { return a.second < b.second; });  // forgotten, gained
      filters.push_back({name(model), "all", choices});
    }
  return list_page(
      "Forgotten and gained", title,
      "Examples that the seed model had right and a tuned one has wrong (forgotten), or the other way "
      "round (gained).",
      filters, articles, examples.size(), all, "report.html", kAnswersFiles);
}

std::string timings_page(const Document& document, const std::vector<Timing>& timings) {
  double most = 0, sum = 0;
  for (const Timing& timing : timings) most = std::max(most, timing.seconds), sum += timing.seconds;
  std::vector<Bar> rows;
  for (const Timing& timing : timings)
    rows.push_back(
        {name(timing.stage), most > 0 ? timing.seconds / most : 0, duration(timing.seconds), "m0"});
  std::vector<TableRow> costs;
  for (const Distillation& d : document.distillations)
    if (const int64_t tokens = tokens_of(d); tokens > 0)
      costs.push_back({"written for " + name(d.name), {grouped(tokens)}});
  for (const Learning& one : document.learning)
    if (one.tokens > 0) costs.push_back({"learned by " + name(one.variant), {grouped(one.tokens)}});
  return page(
      document.run.title,
      "<header>\n<p class=\"over\">Times and costs of a run</p>\n<h1>" +
          escape_html(cut(one_line(clean(document.run.title)), 200)) +
          "</h1>\n<p class=\"meta\"><a href=\"report.html\">Report of the run</a></p>\n</header>\n" +
          section("Time",
                  "Wall time of each part, all calls together, on the machine that ran it: " + duration(sum) +
                      " in all. It is here and not in the report, because a report of the same run has the "
                      "same bytes every time.",
                  rows.empty() ? "<p>Nothing took as long as could be measured.</p>\n" : bars(rows)) +
          (costs.empty() ? "" : section("Tokens", "", data_table({{"What"}, {"Tokens"}}, costs, 1))));
}

}  // namespace sdft::report
