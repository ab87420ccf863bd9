// The page's sections about what was made before scores: rewrites, whether it was to be expected, training.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/expectation.h"
#include "report/format.h"
#include "report/html_parts.h"
#include "report/plots.h"
#include "report/summary.h"

namespace sdft::report {
namespace {

constexpr size_t kMostRewrites = 6, kMostMaps = 12;

std::string share_of(int64_t part, int64_t whole) {
  return whole > 0 ? percent(static_cast<double>(part) / static_cast<double>(whole)) : kDash;
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
  if (d.unchanged > 0) add("of these, unchanged", d.unchanged, "m2", true);
  int64_t rejected = 0;
  for (const Count& rejection : d.rejected) rejected += rejection.count;
  add("rejected", rejected, "m0", false);
  for (const Count& rejection : d.rejected) add(name(spaced(rejection.reason)), rejection.count, "m0", true);
  if (!d.too_long.empty()) add("prompt too long", static_cast<int64_t>(d.too_long.size()), "m0", false);
  return bars(rows);
}

// Acceptance against candidates and tokens.
std::string rounds_table(const Distillation& d) {
  if (d.rounds.empty()) return "";
  std::vector<TableRow> rows;
  int64_t accepted = 0, tokens = 0;
  for (const Round& round : d.rounds) {
    accepted += round.accepted;
    tokens += round.tokens;
    rows.push_back(
        {name(round_in_words(round)),
         {grouped(round.asked),
          grouped(round.accepted) + " <span class=\"ci\">" + share_of(round.accepted, round.asked) +
              " of those asked</span>",
          share_of(accepted, d.examples), round.tokens > 0 ? grouped(round.tokens) : kDash,
          tokens > 0 && accepted > 0 ? grouped(std::llround(static_cast<double>(tokens) / accepted))
                                     : kDash}});
  }
  return "<figure class=\"rounds\">\n<h3>Acceptance against candidates and tokens</h3>\n" +
         data_table({{"Round"},
                     {"Asked"},
                     {"Accepted"},
                     {"Accepted so far"},
                     {"Tokens generated"},
                     {"Tokens for each accepted, so far"}},
                    rows, 3) +
         "<figcaption>A round asks for those examples again that have no accepted rewrite yet.</figcaption>\n"
         "</figure>\n";
}

std::string distribution_gap(const Distillation& d) {
  double most = std::fmax(std::fabs(d.logprob_original), std::fabs(d.logprob_rewrite));
  auto share = [&](double value) { return known(value) && most > 0 ? std::fabs(value) / most : 0.0; };
  std::string out = "<figure>\n<h3>Distance from the seed</h3>\n" +
                    bars({{"originals", share(d.logprob_original), decimal(d.logprob_original, 2), "m1"},
                          {"rewrites", share(d.logprob_rewrite), decimal(d.logprob_rewrite, 2), "m2"}}) +
                    "<figcaption>Mean log-probability per token under the seed" + measured_part(d) +
                    ". A shorter bar is nearer to what the seed would have written itself.</figcaption>\n";
  if (d.logprobs)
    out += "<div class=\"below\">\n" +
           both(histogram_chart(*d.logprobs, {kWide, 190}), histogram_chart(*d.logprobs, {kNarrow, 170})) +
           "</div>\n<figcaption>The same by example: how many examples have which mean log-probability, "
           "originals in "
           "the colour of the upper bar, rewrites in that of the lower one.</figcaption>\n";
  return out + "</figure>\n";
}

std::string rewrite_sample(const Rewrite& sample) {
  return "<article class=\"sample\">\n<header>" + rewrite_header(sample) + "</header>\n" +
         passage(sample.prompt, "text prompt") + rewrite_sides(sample, "h4") + "</article>\n";
}

// The sets of rewrites after the first, and it beside them.
std::string table_of_sets(const std::vector<Distillation>& sets) {
  if (sets.size() < 2) return "";
  std::vector<TableRow> rows;
  for (const Distillation& d : sets) {
    std::vector<std::string> variants;
    for (const std::string& variant : d.variants) variants.push_back(name(variant));
    const int64_t tokens = tokens_of(d);
    rows.push_back(
        {name(d.name) + (variants.empty() ? "" : "<span class=\"sub\">" + join(variants, ", ") + "</span>"),
         {share_of(d.accepted, d.examples), share_of(d.unchanged, d.accepted), decimal(d.length_ratio, 2),
          decimal(d.logprob_original, 2) + " → " + decimal(d.logprob_rewrite, 2),
          tokens > 0 ? grouped(tokens) : kDash}});
  }
  return "<h3 class=\"gap\">All sets of rewrites</h3>\n" + data_table({{"Set"},
                                                                       {"Accepted"},
                                                                       {"Unchanged, of the accepted"},
                                                                       {"Length against the original"},
                                                                       {"Log-probability"},
                                                                       {"Tokens generated"}},
                                                                      rows, 3);
}

// --- Training ---

std::string loss_charts(const Document& document, const std::vector<std::string>& variants) {
  const std::vector<Curve>& curves = document.training;
  size_t longest = 0;
  for (const Curve& curve : curves) longest = std::max(longest, curve.step.size());
  auto series = [&](std::vector<double> Curve::*column, bool dashed = false) {
    std::vector<Series> all;
    for (const Curve& curve : curves)
      if (!(curve.*column).empty())
        all.push_back({model_slot(curve.variant, variants, document.baseline), curve.variant, curve.step,
                       curve.*column, dashed, dashed ? Marks::kLowest : Marks::kNone});
    return all;
  };
  std::vector<Series> loss = series(&Curve::loss), validation = series(&Curve::validation_loss, true);
  loss.insert(loss.end(), validation.begin(), validation.end());
  std::string out = "<figure>\n" + legend(variants, document.baseline) +
                    both(line_chart("Loss", loss, {kWide, 280}), line_chart("Loss", loss, {kNarrow, 230}));
  if (!validation.empty())
    out += "<figcaption>Dashed: the loss on the examples held back, its lowest value marked.</figcaption>\n";
  out += "<div class=\"charts\">\n";
  const std::pair<const char*, std::vector<double> Curve::*> small[] = {
      {"Learning rate", &Curve::learning_rate},
      {"Gradient norm", &Curve::grad_norm},
      {"Tokens per second", &Curve::tokens_per_second},
      {"Tokens of its own answers", &Curve::answer_length},
      {"Share of them that ended", &Curve::answers_ended}};
  for (const auto& [title, column] : small)
    if (std::vector<Series> lines = series(column); !lines.empty())
      out += line_chart(title, lines, {260, 160});
  out += "</div>\n";
  if (longest > kMostPoints)
    out += "<figcaption>Long curves are drawn as means of neighbouring steps.</figcaption>\n";
  return out + "</figure>\n";
}

std::string variant_table(const Document& document, const std::vector<std::string>& variants) {
  std::vector<TableRow> rows;
  for (const std::string& variant : variants) {
    TableRow row{marker_icon(model_slot(variant, variants, document.baseline)) + name(variant)};
    const VariantFacts facts = facts_of(document, variant);
    row.cells = {facts.steps, facts.loss, facts.validation, facts.shift};
    rows.push_back(std::move(row));
  }
  return "<div class=\"below\">\n" +
         data_table(
             {{"Variant"}, {"Steps"}, {"Loss, first → last"}, {"Best validation loss"}, {"Weights moved by"}},
             rows, 2) +
         "</div>\n";
}

std::string heat_maps(const Document& document, const std::vector<std::string>& variants) {
  double most = 0;
  for (const Shift& shift : document.shifts)
    for (const ModuleShift& module : shift.modules)
      if (known(module.shift)) most = std::max(most, module.shift);
  std::string out;
  size_t maps = 0, drawn = 0;
  for (const Shift& shift : document.shifts) {
    if (shift.modules.empty() || ++maps > kMostMaps) continue;
    drawn = maps;
    out += "<figure>\n<h4 class=\"over\">" +
           marker_icon(model_slot(shift.variant, variants, document.baseline)) + name(shift.variant) +
           ", all together " + small_percent(shift.total) + "</h4>\n" +
           both(heat_map(shift, most, kWide), heat_map(shift, most, kNarrow)) + "</figure>\n";
  }
  if (out.empty()) return "";
  out += shown_of(drawn, static_cast<int64_t>(maps), "VARIANT/shift.json");
  return "<h3 class=\"gap\">Where the weights moved</h3>\n" + out +
         "<p class=\"lead below\">The norm of each module's change in percent of the norm of its weights, "
         "layers from "
         "left to right; the darkest, " +
         small_percent(most) + ", is the same for all variants.</p>\n";
}

}  // namespace

std::string distillation_section(const Document& document) {
  if (document.distillations.empty()) return "";
  const Distillation& d = document.distillations.front();
  std::string lead =
      "The seed model wrote the answers of the training examples in its own words. A rewrite that fails a "
      "check is rejected, and the original answer stays.";
  std::string out = "<figure>\n<h3>Acceptance of " + plural(d.examples, "example") + "</h3>\n" +
                    acceptance(d) + "</figure>\n" + rounds_table(d) + distribution_gap(d);
  out += "<dl class=\"facts-row\">\n";
  out += "<div><dt>mean length against the original</dt><dd>" + decimal(d.length_ratio, 2) +
         (known(d.length_ratio) ? " ×" : "") + "</dd></div>\n";
  if (tokens_of(d) > 0)
    out += "<div><dt>tokens generated for rewriting</dt><dd>" + grouped(tokens_of(d)) + "</dd></div>\n";
  out += "</dl>\n";
  out += table_of_sets(document.distillations);
  size_t shown = std::min(d.samples.size(), kMostRewrites);
  if (shown > 0) out += "<h3 class=\"gap\">Some rewrites</h3>\n";
  for (size_t i = 0; i < shown; ++i) out += rewrite_sample(d.samples[i]);
  if (shown > 0) out += shown_of(shown, d.examples, rewrites_file(d));
  return section("Rewrites", lead, out);
}

std::string expectation_section(const Document& document) {
  std::string out;
  const std::vector<Expectation> all = find_expectations(document);
  for (const Expectation& expectation : all) {
    std::vector<TableRow> rows;
    for (const Indicator& i : expectation.indicators)
      rows.push_back(
          {i.name, {"<span class=\"value\">" + i.value + "</span>", i.threshold, in_words(i.foretold)}});
    if (all.size() > 1) out += "<h3 class=\"gap\">" + name(expectation.distillation) + "</h3>\n";
    out += data_table({{"Known before training"}, {"Value"}, {"Warning"}, {"Foretold"}}, rows, 2);
    rows.clear();
    std::vector<Column> columns = {{"What came out"}, {"Retained and safety, against the baseline"}};
    for (const Indicator& i : expectation.indicators) columns.push_back({i.name});
    for (const Outturn& outturn : expectation.outturns) {
      TableRow row{name(outturn.variant), {escape_html(outturn.words)}};
      for (Judgement judgement : outturn.judgements)
        row.cells.push_back(fmt::format("<span class=\"{}\">{}</span>",
                                        judgement == Judgement::kRight   ? "good"
                                        : judgement == Judgement::kWrong ? "bad"
                                                                         : "same",
                                        in_words(judgement)));
      rows.push_back(std::move(row));
    }
    if (!rows.empty()) out += "<div class=\"outturns\">\n" + data_table(columns, rows, 3) + "</div>\n";
  }
  if (out.empty()) return "";
  return section(
      "Was it to be expected?",
      "What was known before the training, whether that would have warned, and whether it was right. One run "
      "is one observation: a warning that was wrong here may be right elsewhere.",
      out);
}

std::string training_section(const Document& document) {
  std::vector<std::string> variants;
  for (const Curve& curve : document.training) variants.push_back(curve.variant);
  for (const Shift& shift : document.shifts)
    if (std::find(variants.begin(), variants.end(), shift.variant) == variants.end())
      variants.push_back(shift.variant);
  if (variants.empty()) return "";
  return section("Training",
                 "Each variant is judged on its own targets, so only the shapes of the losses compare, not "
                 "their heights.",
                 (document.training.empty() ? "" : loss_charts(document, variants)) +
                     variant_table(document, variants) + heat_maps(document, variants));
}

}  // namespace sdft::report
