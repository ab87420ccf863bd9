// The report as Markdown (GitHub's flavour): reads well as plain text, too.
#include <algorithm>

#include "report/format.h"
#include "report/report.h"
#include "report/verdict.h"

namespace sdft::report {
namespace {

constexpr size_t kLongestText = 1200, kLongestCell = 80, kMostSamples = 5, kMostAnswers = 2;

std::string cell(const std::string& text) { return escape_markdown(cut_short(clean(text), kLongestCell)); }
std::string full(const std::string& text) { return escape_markdown(clean(text)); }
std::string block(const std::string& text) { return fenced(cut(clean(text), kLongestText)); }

std::string shown_of(size_t shown, int64_t all, const char* file) {
  if (shown == 0 || static_cast<int64_t>(shown) >= all) return "";
  return std::to_string(shown) + " of " + grouped(all) + " are shown; " + file + " has them all.\n\n";
}

std::string row(const std::vector<std::string>& cells) { return "| " + join(cells, " | ") + " |\n"; }

// The first column to the left, the others to the right.
std::string head(const std::vector<std::string>& cells) {
  std::string rule = "|:--|";
  for (size_t i = 1; i < cells.size(); ++i) rule += "--:|";
  return row(cells) + rule + "\n";
}

std::string scores(const Evaluation& evaluation, const Roles& roles) {
  if (evaluation.tasks.empty() || evaluation.models.empty()) return "";
  std::vector<std::string> titles = {"Task", "n"};
  for (const std::string& model : evaluation.models) {
    titles.push_back(cell(model) + ", %");
    if (model != roles.seed && !roles.seed.empty()) titles.push_back("against seed");
  }
  std::string out = "## Scores\n\n" + head(titles);
  for (const Kind& kind : kKinds)
    for (const Task& task : evaluation.tasks) {
      if (task.kind != kind.name) continue;
      const int64_t n = examples_of(task);
      std::vector<std::string> cells = {std::string(kind.title) + ": " + cell(task.name) +
                                            (task.metric.empty() ? "" : ", " + cell(task.metric)),
                                        n > 0 ? grouped(n) : kDash};
      for (const std::string& model : evaluation.models) {
        const Score* score = find_score(task, model);
        std::string interval = score ? percent_interval(score->interval) : "";
        cells.push_back((score ? percent_bare(score->value) : kDash) +
                        (interval.empty() ? "" : " " + interval));
        if (model == roles.seed || roles.seed.empty()) continue;
        Comparison change = compare(task, model, roles.seed);
        std::string text = points(change.value);
        if (known(change.interval)) text += " " + points_interval(change.interval);
        if (change.outcome() == Outcome::kBetter || change.outcome() == Outcome::kWorse)
          text = "**" + text + "**";
        cells.push_back(text);
      }
      out += row(cells);
    }
  return out +
         "\n[a, b] is the 95 % interval over examples. Differences are in percentage points over the same "
         "examples; **bold** where the interval does not hold 0.\n\n";
}

std::string distillation(const Distillation& d) {
  std::string out = "## Rewrites\n\n" + head({"Outcome", "Examples", "Share"});
  auto line = [&](const std::string& name, int64_t count) {
    out += row(
        {name, grouped(count), d.examples > 0 ? percent(static_cast<double>(count) / d.examples) : kDash});
  };
  line("accepted", d.accepted);
  for (size_t i = 0; d.accepted_at.size() > 1 && i < d.accepted_at.size(); ++i)
    line("of these, at attempt " + std::to_string(i + 1), d.accepted_at[i]);
  line("of these, equal to the original", d.unchanged);
  for (const Rejection& rejection : d.rejected) line("rejected: " + cell(rejection.reason), rejection.count);
  line("prompt too long", static_cast<int64_t>(d.too_long.size()));
  line("all", d.examples);
  out += "\n- Mean log-probability per token under the seed: originals " + decimal(d.logprob_original, 2) +
         ", rewrites " + decimal(d.logprob_rewrite, 2) + " (nearer to 0: nearer to the seed's own words)\n";
  out += "- Mean length of a rewrite: " + decimal(d.length_ratio, 2) + " times the original's\n";
  out += "- Training targets that are rewrites: " + percent(d.distilled_fraction) + "\n\n";
  for (size_t i = 0; i < std::min(d.samples.size(), kMostSamples); ++i) {
    const Rewrite& sample = d.samples[i];
    out += "### Rewrite " + std::to_string(i + 1) + ": " + cell(sample.id) + " (" + cell(sample.outcome) +
           ")\n\n";
    out += "Prompt\n\n" + block(sample.prompt) + "\nOriginal\n\n" + block(sample.original) + "\nRewrite\n\n" +
           block(sample.rewrite) + "\n";
  }
  return out + shown_of(std::min(kMostSamples, d.samples.size()), d.examples, kRewritesFile);
}

std::string training(const std::vector<Curve>& curves) {
  if (curves.empty()) return "";
  std::string out =
      "## Training\n\n" + head({"Variant", "Steps", "First loss", "Last loss", "Tokens/s, mean"});
  for (const Curve& curve : curves) {
    double sum = 0;
    for (double rate : curve.tokens_per_second) sum += rate;
    double rate = curve.tokens_per_second.empty() ? kMissing : sum / curve.tokens_per_second.size();
    out += row({cell(curve.variant), curve.step.empty() ? kDash : grouped(curve.step.back()),
                curve.loss.empty() ? kDash : decimal(curve.loss.front(), 3),
                curve.loss.empty() ? kDash : decimal(curve.loss.back(), 3), decimal(rate, 0)});
  }
  return out + "\n";
}

std::string answers(const Evaluation& evaluation) {
  std::string out;
  for (const Task& task : evaluation.tasks) {
    for (size_t i = 0; i < std::min(task.samples.size(), kMostAnswers); ++i) {
      const SampleAnswers& sample = task.samples[i];
      out += "### " + cell(task.name) + ": " + cell(sample.id) + "\n\nPrompt\n\n" + block(sample.prompt);
      if (!sample.reference.empty()) out += "\nReference\n\n" + block(sample.reference);
      for (const ModelAnswer& answer : sample.answers) {
        out += "\nAnswer of " + cell(answer.model);
        if (answer.correct) out += *answer.correct ? " (right)" : " (wrong)";
        out += "\n\n" + block(answer.text);
      }
      out += "\n";
    }
    out += shown_of(std::min(kMostAnswers, task.samples.size()), examples_of(task), kAnswersFiles);
  }
  return out.empty() ? out : "## Answers\n\n" + out;
}

std::string provenance(const Document& document) {
  const Run& run = document.run;
  std::string out = "## Provenance\n\n";
  auto item = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) out += "- " + name + ": " + value + "\n";
  };
  item("sdft", full(run.version));
  item("Date", full(run.date));
  item("Seed of the random numbers", std::to_string(run.seed));
  item("Method", full(run.method));
  std::string model = full(run.seed_model.path);
  if (!run.seed_model.architecture.empty()) model += ", " + full(run.seed_model.architecture);
  if (run.seed_model.parameters > 0) model += ", " + grouped(run.seed_model.parameters) + " parameters";
  if (!run.seed_model.sha256.empty()) model += ", sha256 " + full(run.seed_model.sha256);
  item("Seed model", model);
  for (const DatasetFile& file : run.datasets)
    item("Dataset (" + full(file.role) + ")",
         full(file.path) + ", " + plural(file.examples, "example") +
             (file.sha256.empty() ? "" : ", sha256 " + full(file.sha256)));
  for (const Setting& setting : run.settings) item(full(setting.name), full(setting.value));
  for (const Setting& setting : run.versions) item(full(setting.name), full(setting.value));
  for (const Timing& timing : document.timings)
    item("Time of " + full(timing.stage), duration(timing.seconds));
  if (known(document.peak_memory_bytes)) item("Peak memory", bytes(document.peak_memory_bytes));
  if (known(document.peak_device_memory_bytes))
    item("Peak device memory", bytes(document.peak_device_memory_bytes));
  if (!run.recipe.empty()) out += "\nRecipe, resolved:\n\n" + fenced(clean(run.recipe));
  return out;
}

}  // namespace

std::string to_markdown(const Document& document) {
  std::string out = "# " + full(document.run.title) + "\n\n";
  for (const std::string& warning : find_warnings(document)) out += "> ⚠ " + full(warning) + "\n>\n";
  if (out.size() > 2 && out.compare(out.size() - 2, 2, ">\n") == 0) out.replace(out.size() - 2, 2, "\n");
  Verdict verdict = find_verdict(document);
  out += "**" + full(verdict.headline) + "**\n\n";
  for (const auto& lines : {verdict.kinds, verdict.conclusion})
    for (const VerdictLine& line : lines) out += "- **" + line.label + ":** " + full(line.text) + "\n";
  if (!verdict.kinds.empty()) out += "\n";
  if (document.evaluation) out += scores(*document.evaluation, find_roles(document));
  if (document.distillation) out += distillation(*document.distillation);
  out += training(document.training);
  if (document.evaluation) out += answers(*document.evaluation);
  return plain_spaces(out + provenance(document));
}

}  // namespace sdft::report
