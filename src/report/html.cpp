// The report as one HTML file, every text of a model or a dataset escaped: its order, the verdict, answers
// and provenance; the other sections are in html_evaluation.cpp and html_stages.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/format.h"
#include "report/html_parts.h"
#include "report/plots.h"

namespace sdft::report {
namespace {

constexpr size_t kMostAnswers = 3;

// --- Top ---

std::string further_pages(const std::vector<Setting>& pages) {
  std::vector<std::string> links;
  for (const Setting& one : pages)
    links.push_back("<a href=\"" + address(one.value) + "\">" + name(one.name) + "</a>");
  return links.empty() ? "" : "<p class=\"meta\">Further pages: " + join(links, " · ") + "</p>\n";
}

std::string page_header(const Run& run) {
  std::vector<std::string> meta;
  if (!run.seed_model.path.empty()) meta.push_back("Seed model " + name(run.seed_model.path));
  if (run.seed_model.parameters > 0) meta.push_back(parameters(run.seed_model.parameters) + " parameters");
  for (const DatasetFile& file : run.datasets)
    if (file.role == "train") meta.push_back(plural(file.examples, "training example"));
  if (!run.date.empty()) meta.push_back("<span class=\"nowrap\">" + name(run.date) + "</span>");
  return "<header>\n<p class=\"over\">Self-distillation fine-tuning report</p>\n<h1>" +
         escape_html(cut(one_line(clean(run.title)), 200)) + "</h1>\n<p class=\"meta\">" + join(meta, " · ") +
         "</p>\n" + further_pages(run.pages) + "</header>\n";
}

std::string change_of(const Comparison& change) {
  return fmt::format("<span class=\"{}\">{}</span>", class_of(change.outcome()),
                     escape_html(change_in_words(change)));
}

std::string tile(const KindSummary& kind, const Roles& roles, const std::string& baseline) {
  std::string out = fmt::format("<div class=\"tile\">\n<h3>{}</h3>\n", kind.kind.title);
  if (known(kind.seed) && known(kind.tuned)) {
    out += fmt::format("<p class=\"move\"><span class=\"from\">{} →</span> {}</p>\n<p>{}</p>\n",
                       percent_bare(kind.seed), percent(kind.tuned), change_of(kind.tuned_to_seed));
  } else {
    std::string whose = known(kind.tuned) ? roles.tuned : roles.seed;
    std::string words = kind.tasks.empty() ? "no task was scored for every model"
                                           : marker_icon(model_slot(whose, {whose}, baseline)) + name(whose);
    out += "<p class=\"move\">" + percent(known(kind.tuned) ? kind.tuned : kind.seed) +
           "</p>\n<p class=\"soft\">" + words + "</p>\n";
  }
  if (known(kind.baseline)) {
    out += "<p class=\"base\">" + marker_icon(1) + name(roles.baseline) + " " + percent(kind.baseline);
    if (known(kind.seed)) out += ", " + escape_html(change_in_words(kind.baseline_to_seed));
    out += "</p>\n";
  }
  std::string more = remarks(kind, roles);
  if (!more.empty()) out += "<p class=\"remark\">" + escape_html(more) + "</p>\n";
  return out + "</div>\n";
}

std::string verdict_box(const Document& document) {
  Verdict verdict = find_verdict(document);
  std::string out =
      "<div class=\"verdict\">\n<p class=\"headline\">" + escape_html(verdict.headline) + "</p>\n";
  if (document.evaluation && !verdict.kinds.empty()) {
    Roles roles = find_roles(document);
    out += "<div class=\"tiles\">\n";
    for (const KindSummary& kind : summarize(*document.evaluation, roles))
      out += tile(kind, roles, document.baseline);
    out += "</div>\n";
  }
  for (const VerdictLine& line : verdict.conclusion)
    out += "<p class=\"conclusion\"><b>" + escape_html(line.label) + ":</b> " + escape_html(line.text) +
           "</p>\n";
  return out + "</div>\n";
}

// --- Answers ---

std::string answer_sample(const SampleAnswers& sample, const std::vector<std::string>& models,
                          const std::string& baseline) {
  std::string out = "<article class=\"sample\">\n<header><span>" + name(sample.id) + "</span></header>\n" +
                    passage(sample.prompt, "text prompt") + reference_part(sample) +
                    "\n<div class=\"sides\">\n";
  for (const ModelAnswer& answer : sample.answers)
    out += answer_side(answer, "h3", kLongestText, marker_icon(model_slot(answer.model, models, baseline)));
  return out + "</div>\n</article>\n";
}

std::string answers_section(const Evaluation& evaluation, const std::string& baseline) {
  std::string out;
  for (const Kind& kind : kKinds)
    for (const Task& task : evaluation.tasks) {
      if (task.kind != kind.name || task.samples.empty()) continue;
      size_t shown = std::min(task.samples.size(), kMostAnswers);
      out += std::string("<details") + (out.empty() ? " open" : "") + ">\n<summary>" + name(task.name) +
             " <span class=\"soft\">· " + plural(static_cast<int64_t>(shown), "example") +
             "</span></summary>\n";
      for (size_t i = 0; i < shown; ++i) out += answer_sample(task.samples[i], evaluation.models, baseline);
      out += shown_of(shown, examples_of(task), kAnswersFiles);
      out += "</details>\n";
    }
  return out.empty() ? out : section("Answers side by side", "", out);
}

// --- Provenance ---

std::string fact(const std::string& key, const std::string& value) {
  return value.empty() ? "" : "<dt>" + key + "</dt><dd>" + value + "</dd>\n";
}
std::string hash(const std::string& sha256) {
  return sha256.empty() ? "" : "<span class=\"hash\">sha256 " + name(sha256) + "</span>";
}

std::string cost(const Document& document) {
  double most = 0, sum = 0;
  for (const Timing& timing : document.timings)
    if (known(timing.seconds)) most = std::max(most, timing.seconds), sum += timing.seconds;
  std::vector<Bar> rows;
  for (const Timing& timing : document.timings)
    rows.push_back(
        {name(timing.stage), most > 0 ? timing.seconds / most : 0, duration(timing.seconds), "m0"});
  std::string facts;
  auto add = [&](const char* label, const std::string& value) {
    facts += "<div><dt>" + std::string(label) + "</dt><dd>" + value + "</dd></div>\n";
  };
  if (!rows.empty()) add("in all", duration(sum));
  if (known(document.peak_memory_bytes)) add("peak memory", bytes(document.peak_memory_bytes));
  if (known(document.peak_device_memory_bytes))
    add("peak memory of the device", bytes(document.peak_device_memory_bytes));
  if (facts.empty()) return "";
  return section("Time and memory", "",
                 (rows.empty() ? "" : bars(rows)) + "<dl class=\"facts-row\">\n" + facts + "</dl>\n");
}

std::string provenance(const Run& run) {
  std::string facts = fact("sdft", safe(run.version)) + fact("Date", safe(run.date)) +
                      fact("Seed of the random numbers", std::to_string(run.seed)) +
                      fact("Method", safe(run.method));
  std::vector<std::string> model = {safe(run.seed_model.path)};
  if (!run.seed_model.architecture.empty()) model.push_back(safe(run.seed_model.architecture));
  if (run.seed_model.parameters > 0) model.push_back(grouped(run.seed_model.parameters) + " parameters");
  facts += fact("Seed model", model[0].empty() ? "" : join(model, ", ") + hash(run.seed_model.sha256));
  for (const DatasetFile& file : run.datasets)
    facts += fact("Dataset: " + name(file.role),
                  safe(file.path) + ", " + plural(file.examples, "example") + hash(file.sha256));
  for (const Setting& setting : run.settings) facts += fact(name(setting.name), safe(setting.value));
  for (const Setting& setting : run.versions) facts += fact(name(setting.name), safe(setting.value));
  std::string out = "<dl class=\"facts\">\n" + facts + "</dl>\n";
  if (!run.recipe.empty())
    out +=
        "<details>\n<summary>Recipe, resolved (a click selects all of it)</summary>\n<pre id=\"recipe\" "
        "tabindex=\"0\">" +
        safe(run.recipe) +
        "</pre>\n</details>\n<button type=\"button\" class=\"copy\" data-of=\"recipe\">Copy the "
        "recipe</button>\n";
  return section("Where it comes from", "", out);
}

}  // namespace

std::string to_html(const Document& document) {
  std::string out = page_header(document.run) + warning_list(find_warnings(document)) + verdict_box(document);
  out += expectation_section(document) + evaluation_sections(document) + transition_section(document);
  out += distillation_section(document) + learning_section(document.learning) + training_section(document) +
         watch_section(document);
  if (document.evaluation) out += answers_section(*document.evaluation, document.baseline);
  out += cost(document) + provenance(document.run);
  return page(
      document.run.title,
      out +
          "<footer>Scores are means over examples, intervals hold with 95&nbsp;% confidence; a difference is "
          "called measurable where its paired test has p &lt; 0.05 after Holm's correction.</footer>\n",
      "", true);
}

}  // namespace sdft::report
