// The report as Markdown (GitHub's flavour): reads well as plain text, too.
#include <algorithm>
#include <cmath>

#include "report/expectation.h"
#include "report/format.h"
#include "report/markdown_parts.h"
#include "report/summary.h"
#include "report/verdict.h"
#include "report/watch.h"

namespace sdft::report {

using namespace markdown;

namespace {

constexpr size_t kLongestText = 1200, kMostSamples = 5, kMostAnswers = 2, kColumns = 4, kNamedIds = 5;

std::string block(const std::string& text) { return fenced(cut(clean(text), kLongestText)); }

std::string shown_of(size_t shown, int64_t all, const std::string& file) {
  if (shown == 0 || static_cast<int64_t>(shown) >= all) return "";
  return std::to_string(shown) + " of " + grouped(all) + " are shown; " + full(file) + " has them all.\n\n";
}

std::string change_text(const Task& task, const std::string& model, const std::string& against) {
  Comparison change = compare(task, model, against);
  std::string text = points(change.value);
  if (known(change.interval)) text += " " + points_interval(change.interval);
  if (change.outcome() == Outcome::kBetter || change.outcome() == Outcome::kWorse) text = "**" + text + "**";
  return text;
}

std::string task_text(const Kind& kind, const Task& task) {
  return std::string(kind.title) + ": " + cell(task.name) +
         (task.metric.empty() ? "" : ", " + cell(task.metric));
}

std::string count_text(const Task& task) {
  const int64_t n = examples_of(task);
  return n > 0 ? grouped(n) : kDash;
}

// A row a task, models side by side.
std::string scores_of_few(const Evaluation& evaluation, const Roles& roles) {
  std::vector<std::string> titles = {"Task", "n"};
  for (const std::string& model : evaluation.models) {
    titles.push_back(cell(model) + ", %");
    if (model != roles.seed && !roles.seed.empty()) titles.push_back("against seed");
  }
  std::string out = head(titles);
  for (const Kind& kind : kKinds)
    for (const Task& task : evaluation.tasks) {
      if (task.kind != kind.name) continue;
      std::vector<std::string> cells = {task_text(kind, task), count_text(task)};
      for (const std::string& model : evaluation.models) {
        cells.push_back(score_text(task, model));
        if (model != roles.seed && !roles.seed.empty()) cells.push_back(change_text(task, model, roles.seed));
      }
      out += row(cells);
    }
  return out;
}

// A row a task and model.
std::string scores_of_many(const Evaluation& evaluation, const Roles& roles) {
  std::string out = head({"Task", "Model", "n", "Score, %", "against seed", "against baseline"}, 2);
  for (const Kind& kind : kKinds)
    for (const Task& task : evaluation.tasks) {
      if (task.kind != kind.name) continue;
      for (const std::string& model : evaluation.models)
        out += row({task_text(kind, task), cell(model), count_text(task), score_text(task, model),
                    change_text(task, model, roles.seed), change_text(task, model, roles.baseline)});
    }
  return out;
}

std::string scores(const Evaluation& evaluation, const Roles& roles) {
  if (evaluation.tasks.empty() || evaluation.models.empty()) return "";
  return "## Scores\n\n" +
         (evaluation.models.size() > kColumns ? scores_of_many(evaluation, roles)
                                              : scores_of_few(evaluation, roles)) +
         "\n[a, b] is the 95 % interval over examples. Differences are in percentage points over the same "
         "examples; **bold** where the paired test finds them, below.\n\n";
}

std::string tests(const Evaluation& evaluation) {
  std::string rows;
  for (const TestFacts& test : tests_of(evaluation)) {
    const bool found = test.outcome == Outcome::kBetter || test.outcome == Outcome::kWorse;
    rows += row({cell(test.task->name), cell(test.model), cell(test.against), test.pairs,
                 found ? "**" + test.difference + "**" : test.difference, full(test.p), full(test.p_adjusted),
                 test.detectable});
  }
  if (rows.empty()) return "";
  return "## Tests\n\n" +
         head({"Task", "Model", "against", "Pairs", "Difference", "p", "p, Holm", "Seen from"}, 3) + rows +
         "\n" + kTestsNote + "\n\n";
}

std::string incomplete(const Evaluation& evaluation) {
  std::string rows;
  for (const AnswerFacts& one : incomplete_answers(evaluation))
    rows += row({cell(one.task->name), cell(one.model), one.answered, cell(one.unanswered), one.cut});
  if (rows.empty()) return "";
  return "## Missing and cut answers\n\n" + head({"Task", "Model", "Answered", "Not answered", "Cut"}, 2) +
         rows + "\n" + kIncompleteNote + "\n\n";
}

std::string some_ids(const std::vector<std::string>& ids, int64_t count) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(ids.size(), kNamedIds); ++i) shown.push_back(cell(ids[i]));
  const bool more = count > static_cast<int64_t>(shown.size());
  return shown.empty() ? kDash : join(shown, ", ") + (more ? ", …" : "");
}

std::string transitions(const Evaluation& evaluation) {
  std::string rows;
  for (const Task& task : evaluation.tasks)
    for (const Transition& t : task.transitions) {
      auto corrected = [&](double value) { return task.chance > 0 ? decimal(value, 1) : std::string(kDash); };
      rows += row({cell(task.name), cell(t.model), grouped(t.n), grouped(t.forgotten),
                   corrected(t.forgotten_corrected), grouped(t.gained), corrected(t.gained_corrected),
                   full(p_text(t.p_value)), some_ids(t.forgotten_ids, t.forgotten),
                   some_ids(t.gained_ids, t.gained)});
    }
  if (rows.empty()) return "";
  return "## Example by example\n\n" +
         head({"Task", "Model", "n", "Forgotten", "beyond chance", "Gained", "beyond chance", "p",
               "Forgotten, some", "Gained, some"},
              2) +
         rows +
         "\nForgotten: the seed had it right and the model has it wrong; gained: the other way round. Beyond "
         "chance: without what guessing alone would show, where answers can be guessed. p: the chance of so "
         "uneven a split if neither direction were favoured (McNemar's exact test), of this row alone.\n\n";
}

std::string expectations(const Document& document) {
  const std::vector<Expectation> all = find_expectations(document);
  std::string out;
  for (const Expectation& expectation : all) {
    if (all.size() > 1) out += "### " + cell(expectation.distillation) + "\n\n";
    std::vector<std::string> titles = {"Known before training", "Value", "Warning", "Foretold"};
    for (const Outturn& outturn : expectation.outturns) titles.push_back(cell(outturn.variant));
    out += head(titles, titles.size());
    for (size_t i = 0; i < expectation.indicators.size(); ++i) {
      const Indicator& one = expectation.indicators[i];
      std::vector<std::string> cells = {one.name, one.value, one.threshold, in_words(one.foretold)};
      for (const Outturn& outturn : expectation.outturns) cells.push_back(in_words(outturn.judgements[i]));
      out += row(cells);
    }
    out += "\n";
    for (const Outturn& outturn : expectation.outturns)
      out += "- What came out of " + cell(outturn.variant) +
             ", retained and safety tasks against the baseline: " + full(outturn.words) + "\n";
    if (!expectation.outturns.empty()) out += "\n";
  }
  return out.empty() ? out : "## Was it to be expected?\n\n" + out;
}

// --- Rewrites ---

std::string share_of(int64_t part, int64_t whole) {
  return whole > 0 ? percent(static_cast<double>(part) / static_cast<double>(whole)) : kDash;
}

std::string rounds(const Distillation& d) {
  if (d.rounds.empty()) return "";
  std::string out =
      head({"Round", "Asked", "Accepted", "of those asked", "Accepted so far", "Tokens generated"});
  int64_t accepted = 0;
  for (const Round& round : d.rounds) {
    accepted += round.accepted;
    out += row({cell(round_in_words(round)), grouped(round.asked), grouped(round.accepted),
                share_of(round.accepted, round.asked), share_of(accepted, d.examples),
                round.tokens > 0 ? grouped(round.tokens) : kDash});
  }
  return out + "\n";
}

std::string histogram(const Histogram& h) {
  int64_t most = 1;
  for (const auto* counts : {&h.originals, &h.rewrites})
    for (int64_t count : *counts) most = std::max(most, count);
  auto bar = [&](int64_t count) {
    std::string text = grouped(count);
    if (count > 0) text += " ";
    const double blocks = 20.0 * static_cast<double>(count) / static_cast<double>(most);
    for (long i = 0; i < std::max(count > 0 ? 1L : 0L, std::lround(blocks)); ++i) text += "█";
    return text;
  };
  std::string out = head({"Mean log-probability from", "Originals", "Rewrites"}, 3);
  for (size_t i = 0; i < h.originals.size(); ++i)
    out += row(
        {significant(h.low + h.width * static_cast<double>(i), 3), bar(h.originals[i]), bar(h.rewrites[i])});
  return out + "\n";
}

std::string all_sets(const std::vector<Distillation>& sets) {
  if (sets.size() < 2) return "";
  std::string out = "### All sets of rewrites\n\n" + head({"Set", "Accepted", "Unchanged, of the accepted",
                                                           "Length", "Log-probability", "Tokens generated"});
  for (const Distillation& d : sets)
    out += row({cell(d.name), share_of(d.accepted, d.examples), share_of(d.unchanged, d.accepted),
                decimal(d.length_ratio, 2),
                decimal(d.logprob_original, 2) + " → " + decimal(d.logprob_rewrite, 2),
                tokens_of(d) > 0 ? grouped(tokens_of(d)) : kDash});
  return out + "\n";
}

std::string distillation(const Distillation& d) {
  std::string out = "## Rewrites\n\n" + head({"Outcome", "Examples", "Share"});
  auto line = [&](const std::string& name, int64_t count) {
    out += row(
        {name, grouped(count), d.examples > 0 ? percent(static_cast<double>(count) / d.examples) : kDash});
  };
  line("accepted", d.accepted);
  line("of these, equal to the original", d.unchanged);
  for (const Count& rejection : d.rejected) line("rejected: " + cell(rejection.reason), rejection.count);
  line("prompt too long", static_cast<int64_t>(d.too_long.size()));
  line("all", d.examples);
  out += "\n" + rounds(d);
  out += "- Mean log-probability per token under the seed: originals " + decimal(d.logprob_original, 2) +
         ", rewrites " + decimal(d.logprob_rewrite, 2) + " (nearer to 0: nearer to the seed's own words)" +
         measured_part(d) + "\n";
  out += "- Mean length of a rewrite: " + decimal(d.length_ratio, 2) + " times the original's\n";
  out += "\n";
  if (d.logprobs) out += histogram(*d.logprobs);
  return out;
}

std::string rewrite_samples(const Distillation& d) {
  std::string out;
  for (size_t i = 0; i < std::min(d.samples.size(), kMostSamples); ++i) {
    const Rewrite& sample = d.samples[i];
    out += "### Rewrite " + std::to_string(i + 1) + ": " + cell(sample.id) + " (" + cell(sample.outcome) +
           (sample.matched.empty() ? "" : ": " + cell(sample.matched)) + ")\n\n";
    out += "Prompt\n\n" + block(sample.prompt) + "\nOriginal\n\n" + block(sample.original) + "\nRewrite\n\n" +
           block(sample.rewrite) + "\n";
  }
  return out + shown_of(std::min(kMostSamples, d.samples.size()), d.examples, rewrites_file(d));
}

std::string training(const Document& document) {
  std::vector<std::string> variants;
  for (const Curve& curve : document.training) variants.push_back(curve.variant);
  for (const Shift& shift : document.shifts)
    if (std::find(variants.begin(), variants.end(), shift.variant) == variants.end())
      variants.push_back(shift.variant);
  if (variants.empty()) return "";
  std::string out = "## Training\n\n" + head({"Variant", "Steps", "Loss, first → last",
                                              "Best validation loss", "Weights moved by", "Tokens/s, mean"});
  for (const std::string& variant : variants) {
    double sum = 0, n = 0;
    for (const Curve& curve : document.training)
      if (curve.variant == variant)
        for (double rate : curve.tokens_per_second) sum += rate, ++n;
    const VariantFacts facts = facts_of(document, variant);
    out += row({cell(variant), facts.steps, facts.loss, facts.validation, facts.shift,
                decimal(n > 0 ? sum / n : kMissing, 0)});
  }
  return out + "\n";
}

std::string learning(const Document& document) {
  const std::string lines = learning_lines(document.learning);
  return lines.empty() ? "" : "## How each variant learned\n\n" + lines + "\n";
}

std::string watches(const Document& document) {
  if (document.watches.empty()) return "";
  std::string out = "## Distance from the seed\n\n" +
                    head({"At the end", "Prompts", "Step", "KL to the seed", "Entropy", "Tokens an answer",
                          "Ended by themselves", "Repeated pairs of tokens"},
                         2);
  for (const Watch& watch : document.watches)
    for (const WatchedPrompts& p : watch.prompts)
      out += row({cell(watch.variant), cell(p.name), watch.kept_step > 0 ? grouped(watch.kept_step) : kDash,
                  nats(kept(watch, p.kl)), nats(kept(watch, p.entropy)), decimal(kept(watch, p.length), 1),
                  percent(kept(watch, p.ended)), percent(kept(watch, p.repetition))});
  return out + "\nKL(tuned || seed) and entropy in nats a token, on answers that each wrote itself.\n\n";
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
  out += expectations(document);
  if (document.evaluation) out += scores(*document.evaluation, find_roles(document));
  if (document.evaluation)
    out += tests(*document.evaluation) + incomplete(*document.evaluation) + transitions(*document.evaluation);
  if (!document.distillations.empty())
    out += distillation(document.distillations.front()) + all_sets(document.distillations) +
           rewrite_samples(document.distillations.front());
  out += learning(document) + training(document) + watches(document);
  if (document.evaluation) out += answers(*document.evaluation);
  return plain_spaces(out + provenance(document));
}

}  // namespace sdft::report
