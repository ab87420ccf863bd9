// The report as one HTML file: no scripts, nothing loaded from elsewhere (its content policy forbids both),
// every text of a model or a dataset escaped.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/format.h"
#include "report/html_style.h"
#include "report/plots.h"
#include "report/report.h"
#include "report/verdict.h"

namespace sdft::report {
namespace {

constexpr size_t kLongestText = 1200, kLongestName = 80, kMostRewrites = 6, kMostAnswers = 3;
constexpr int kWide = 800, kNarrow = 358;

std::string safe(const std::string& text) { return escape_html(clean(text)); }
std::string name(const std::string& text) {
  return escape_html(cut_short(one_line(clean(text)), kLongestName));
}

// A text as it was written; what is cut from its end is counted.
std::string passage(const std::string& text, const char* cls = "text") {
  std::string whole = clean(text), shown = cut(whole, kLongestText), mark;
  if (size_t at = shown.rfind("… ["); shown != whole && at != std::string::npos) {
    mark = "<span class=\"cutmark\">" + shown.substr(at) + "</span>";
    shown.resize(at);
  }
  if (whole.find_first_not_of(" \n\t") == std::string::npos) mark = "<span class=\"cutmark\">(empty)</span>";
  return fmt::format("<div class=\"{}\" dir=\"auto\">{}{}</div>", cls, escape_html(shown), mark);
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

std::string section(const std::string& title, const std::string& lead, const std::string& body) {
  return "<section>\n<h2>" + title + "</h2>\n" +
         (lead.empty() ? "" : "<p class=\"lead\">" + lead + "</p>\n") + body + "</section>\n";
}

// all: may be unknown (0), as in documents of others.
std::string shown_of(size_t shown, int64_t all, const char* file) {
  if (static_cast<int64_t>(shown) >= all) return "";
  return fmt::format("<p class=\"lead\">{} of {} are shown; {} has them all.</p>\n", shown, grouped(all),
                     file);
}

// --- Top ---

std::string page_header(const Run& run) {
  std::vector<std::string> meta;
  if (!run.seed_model.path.empty()) meta.push_back("Seed model " + name(run.seed_model.path));
  if (run.seed_model.parameters > 0) meta.push_back(parameters(run.seed_model.parameters) + " parameters");
  for (const DatasetFile& file : run.datasets)
    if (file.role == "train") meta.push_back(plural(file.examples, "training example"));
  if (!run.date.empty()) meta.push_back("<span class=\"nowrap\">" + name(run.date) + "</span>");
  return "<header>\n<p class=\"over\">Self-distillation fine-tuning report</p>\n<h1>" +
         escape_html(cut(one_line(clean(run.title)), 200)) + "</h1>\n<p class=\"meta\">" + join(meta, " · ") +
         "</p>\n</header>\n";
}

std::string warning_list(const Document& document) {
  std::string items;
  for (const std::string& warning : find_warnings(document))
    items += "<li>" + escape_html(warning) + "</li>\n";
  if (items.empty()) return "";
  return "<aside class=\"warnings\">\n<h2>Before you read on</h2>\n<ul>\n" + items + "</ul>\n</aside>\n";
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

// --- Scores ---

std::string legend(const std::vector<std::string>& models, const std::string& baseline) {
  std::string out = "<ul class=\"legend\">";
  for (const std::string& model : models)
    out += "<li>" + marker_icon(model_slot(model, models, baseline)) + name(model) + "</li>";
  return out + "</ul>\n";
}

std::string score_cell(const Task& task, const std::string& model, const std::string& seed) {
  const Score* score = find_score(task, model);
  std::string out = "<td data-model=\"" + name(model) + "\"><span class=\"value\">" +
                    (score ? percent_bare(score->value) : kDash) + "</span>";
  std::string interval = score ? percent_interval(score->interval) : "";
  if (!interval.empty()) out += "<span class=\"ci\">" + interval + "</span>";
  Comparison change = compare(task, model, seed);
  if (known(change.value))
    out += fmt::format("<span class=\"delta {}\"><b>{}</b> {}</span>", class_of(change.outcome()),
                       points(change.value), points_interval(change.interval));
  return out + "</td>";
}

std::string score_table(const Document& document) {
  const Evaluation& evaluation = *document.evaluation;
  const Roles roles = find_roles(document);
  const std::vector<std::string>& models = evaluation.models;
  std::string out = fmt::format(
      "<table style=\"--models:{}\">\n<colgroup><col class=\"first\"></colgroup>\n<thead><tr><th "
      "scope=\"col\">Task</th>",
      std::clamp<size_t>(models.size(), 1, 3));
  for (const std::string& model : models)
    out += "<th scope=\"col\">" + marker_icon(model_slot(model, models, document.baseline)) + name(model) +
           "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (const Kind& kind : kKinds) {
    bool headed = false;
    for (const Task& task : evaluation.tasks) {
      if (task.kind != kind.name) continue;
      if (!headed)
        out += fmt::format("<tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\">{}</th></tr>\n",
                           models.size() + 1, kind.title);
      headed = true;
      const int64_t n = examples_of(task);
      std::string sub = name(task.metric) + (task.metric.empty() || n == 0 ? "" : ", ") +
                        (n > 0 ? "n = " + grouped(n) : "");
      out += "<tr><th scope=\"row\">" + name(task.name) + "<span class=\"sub\">" + sub + "</span></th>";
      for (const std::string& model : models) out += score_cell(task, model, roles.seed);
      out += "</tr>\n";
    }
  }
  return out + "</tbody>\n</table>\n";
}

std::string evaluation_sections(const Document& document) {
  const Evaluation& evaluation = *document.evaluation;
  if (evaluation.tasks.empty() || evaluation.models.empty()) return "";
  bool seed = !find_roles(document).seed.empty();
  std::string plot = "<figure>\n" + legend(evaluation.models, document.baseline) + "<div class=\"wide\">" +
                     dot_plot(document, kWide) + "</div>\n<div class=\"narrow\">" +
                     dot_plot(document, kNarrow) + "</div>\n</figure>\n";
  std::string lead = "Score on each task in percent, with the 95&nbsp;% interval over examples.";
  if (seed) lead += " The dashed line is the seed: left of it is forgetting, right of it is learning.";
  std::string note = "In percent, with the 95&nbsp;% interval.";
  if (seed && evaluation.models.size() > 1)
    note +=
        " Below it the difference from the seed in percentage points, over the same examples where the run "
        "paired "
        "them; grey where it is not measurable.";
  return section("What was learned, what was forgotten", lead, plot) +
         section("Scores", note, score_table(document));
}

// --- Rewrites ---

struct Bar {
  std::string label;  // HTML
  double share = 0;
  std::string amount;
  const char* cls = "";
  bool sub = false;
};

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

// "answer_mismatch" as "answer mismatch".
std::string spaced(std::string reason) {
  std::replace(reason.begin(), reason.end(), '_', ' ');
  return reason;
}

std::string acceptance(const Distillation& d) {
  std::vector<Bar> rows;
  auto add = [&](const std::string& label, int64_t count, const char* cls, bool sub) {
    double share = d.examples > 0 ? static_cast<double>(count) / d.examples : kMissing;
    rows.push_back(
        {label, share,
         grouped(count) + (known(share) ? "<span class=\"share\">" + percent(share) + "</span>" : ""), cls,
         sub});
  };
  add("accepted", d.accepted, "m2", false);
  for (size_t i = 0; d.accepted_at.size() > 1 && i < d.accepted_at.size(); ++i)
    add("at attempt " + std::to_string(i + 1), d.accepted_at[i], "m2", true);
  if (d.unchanged > 0) add("of these, unchanged", d.unchanged, "m2", true);
  int64_t rejected = 0;
  for (const Rejection& rejection : d.rejected) rejected += rejection.count;
  add("rejected", rejected, "m0", false);
  for (const Rejection& rejection : d.rejected)
    add(name(spaced(rejection.reason)), rejection.count, "m0", true);
  if (!d.too_long.empty()) add("prompt too long", static_cast<int64_t>(d.too_long.size()), "m0", false);
  return bars(rows);
}

std::string distribution_gap(const Distillation& d) {
  double most = std::fmax(std::fabs(d.logprob_original), std::fabs(d.logprob_rewrite));
  auto share = [&](double value) { return known(value) && most > 0 ? std::fabs(value) / most : 0.0; };
  return bars({{"originals", share(d.logprob_original), decimal(d.logprob_original, 2), "m1"},
               {"rewrites", share(d.logprob_rewrite), decimal(d.logprob_rewrite, 2), "m2"}});
}

std::string rewrite_sample(const Rewrite& sample) {
  bool accepted = sample.outcome == "accepted";
  std::string outcome = spaced(sample.outcome);
  std::string out = "<article class=\"sample\">\n<header><span>" + name(sample.id) + "</span>";
  if (!outcome.empty())
    out += fmt::format("<span class=\"tag {}\">{}{}</span>", accepted ? "good" : "bad",
                       accepted ? "✓ " : "✗ rejected: ", name(outcome));
  out += "</header>\n" + passage(sample.prompt, "text prompt") + "\n<div class=\"sides\">\n";
  out += "<div><h4>Original</h4>" + passage(sample.original) + "</div>\n";
  out += "<div><h4>Rewrite</h4>" + passage(sample.rewrite) + "</div>\n";
  return out + "</div>\n</article>\n";
}

std::string distillation_section(const Distillation& d) {
  std::string lead =
      "The seed model wrote the answers of the training examples in its own words. A rewrite that fails a "
      "check is rejected, and the original answer stays.";
  std::string gap =
      "<h3>Distance from the seed</h3>\n" + distribution_gap(d) +
      "<figcaption>Mean log-probability per token under the seed. A shorter bar is nearer to what the seed "
      "would have written itself.</figcaption>\n";
  std::string out = "<figure>\n<h3>Acceptance of " + plural(d.examples, "example") + "</h3>\n" +
                    acceptance(d) + "</figure>\n<figure>\n" + gap + "</figure>\n";
  out += "<dl class=\"facts-row\">\n<div><dt>training targets that are rewrites</dt><dd>" +
         percent(d.distilled_fraction) + "</dd></div>\n<div><dt>mean length against the original</dt><dd>" +
         decimal(d.length_ratio, 2) + (known(d.length_ratio) ? " ×" : "") + "</dd></div>\n</dl>\n";
  size_t shown = std::min(d.samples.size(), kMostRewrites);
  if (shown > 0) out += "<h3 class=\"gap\">Some rewrites</h3>\n";
  for (size_t i = 0; i < shown; ++i) out += rewrite_sample(d.samples[i]);
  if (shown > 0) out += shown_of(shown, d.examples, kRewritesFile);
  return section("Rewrites", lead, out);
}

// --- Training ---

std::string training_section(const std::vector<Curve>& curves, const std::string& baseline) {
  if (curves.empty()) return "";
  std::vector<std::string> variants;
  size_t longest = 0;
  for (const Curve& curve : curves) {
    variants.push_back(curve.variant);
    longest = std::max(longest, curve.step.size());
  }
  auto series = [&](std::vector<double> Curve::*column) {
    std::vector<Series> all;
    for (const Curve& curve : curves)
      if (!(curve.*column).empty())
        all.push_back(
            {model_slot(curve.variant, variants, baseline), curve.variant, curve.step, curve.*column});
    return all;
  };
  std::vector<Series> loss = series(&Curve::loss);
  std::string out = "<figure>\n" + legend(variants, baseline);
  out += "<div class=\"wide\">" + line_chart("Loss", loss, {kWide, 280}) + "</div>\n";
  out += "<div class=\"narrow\">" + line_chart("Loss", loss, {kNarrow, 230}) +
         "</div>\n<div class=\"charts\">\n";
  const std::pair<const char*, std::vector<double> Curve::*> small[] = {
      {"Learning rate", &Curve::learning_rate},
      {"Gradient norm", &Curve::grad_norm},
      {"Tokens per second", &Curve::tokens_per_second}};
  for (const auto& [title, column] : small)
    if (std::vector<Series> lines = series(column); !lines.empty())
      out += line_chart(title, lines, {260, 160});
  out += "</div>\n";
  if (longest > kMostPoints)
    out += "<figcaption>Long curves are drawn as means of neighbouring steps.</figcaption>\n";
  return section("Training",
                 "Each variant is judged on its own targets, so only the shapes of the losses compare, not "
                 "their heights.",
                 out + "</figure>\n");
}

// --- Answers ---

std::string answer_sample(const SampleAnswers& sample, const std::vector<std::string>& models,
                          const std::string& baseline) {
  std::string out = "<article class=\"sample\">\n<header><span>" + name(sample.id) + "</span></header>\n" +
                    passage(sample.prompt, "text prompt");
  if (!sample.reference.empty())
    out += "\n<div class=\"reference\"><b>Reference</b>" + passage(sample.reference) + "</div>";
  out += "\n<div class=\"sides\">\n";
  for (const ModelAnswer& answer : sample.answers) {
    out += "<div><h4>" + marker_icon(model_slot(answer.model, models, baseline)) + name(answer.model);
    if (answer.correct)
      out += *answer.correct ? "<span class=\"tag good\">✓ right</span>"
                             : "<span class=\"tag bad\">✗ wrong</span>";
    out += "</h4>" + passage(answer.text) + "</div>\n";
  }
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
        "<details>\n<summary>Recipe, resolved</summary>\n<pre>" + safe(run.recipe) + "</pre>\n</details>\n";
  return section("Where it comes from", "", out);
}

}  // namespace

std::string to_html(const Document& document) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      name(document.run.title) + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<main>\n";
  out += page_header(document.run) + warning_list(document) + verdict_box(document);
  if (document.evaluation) out += evaluation_sections(document);
  if (document.distillation) out += distillation_section(*document.distillation);
  out += training_section(document.training, document.baseline);
  if (document.evaluation) out += answers_section(*document.evaluation, document.baseline);
  out += cost(document) + provenance(document.run);
  return out +
         "<footer>Scores are means over examples, intervals hold with 95&nbsp;% confidence; a difference is "
         "called "
         "measurable where its interval does not hold 0.</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace sdft::report
