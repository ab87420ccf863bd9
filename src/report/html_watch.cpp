// The page's parts about how variants learned and how far they went from the seed while they did.
#include <algorithm>

#include "report/format.h"
#include "report/html_parts.h"
#include "report/plots.h"
#include "report/watch.h"

namespace sdft::report {
namespace {

constexpr ChartSize kPanel{390, 230};
constexpr size_t kMostMarks = 30;  // of a line; more would hide it

std::vector<std::string> trained(const Document& document) {
  std::vector<std::string> variants;
  for (const Curve& curve : document.training) variants.push_back(curve.variant);
  return variants;
}

std::string title_of(const Document& document, const Watch& watch) {
  return marker_icon(model_slot(watch.variant, trained(document), document.baseline)) + name(watch.variant);
}

// One that learns from answers of its own.
bool writes_itself(const Document& document, const Watch& watch) {
  return std::any_of(document.training.begin(), document.training.end(), [&](const Curve& curve) {
    return curve.variant == watch.variant && !curve.answer_length.empty();
  });
}

using Column = std::vector<double> WatchedPrompts::*;

Series series_of(const Document& document, const Watch& watch, const WatchedPrompts& prompts, Column column,
                 bool dashed) {
  return {model_slot(watch.variant, trained(document), document.baseline),
          watch.variant + ", " + prompts.name,
          watch.step,
          prompts.*column,
          dashed,
          watch.step.size() <= kMostMarks ? Marks::kAll : Marks::kNone};
}

// Not the one measurement of a model that was made without training.
bool is_curve(const Watch& watch) { return !watch.step.empty() && watch.step.back() > 0; }

// A panel a kind of prompts.
std::string divergence_figure(const Document& document) {
  std::string panels;
  for (const std::string& kind : prompts_of(document.watches)) {
    std::vector<Series> lines;
    for (const Watch& watch : document.watches)
      for (const WatchedPrompts& prompts : watch.prompts)
        if (prompts.name == kind && is_curve(watch))
          lines.push_back(series_of(document, watch, prompts, &WatchedPrompts::kl, false));
    panels += line_chart("On " + one_line(clean(kind)) + " prompts, nats a token", lines, kPanel);
  }
  std::string key;
  for (const Watch& watch : document.watches)
    if (is_curve(watch)) key += "<li>" + title_of(document, watch) + "</li>";
  return "<figure>\n<ul class=\"legend\">" + key + "</ul>\n<div class=\"pair\">\n" + panels +
         "</div>\n</figure>\n";
}

// "1.20" and below it the other kinds of prompts.
std::string cell(const Watch& watch, Column column, std::string (*text)(double)) {
  std::string out;
  for (const WatchedPrompts& prompts : watch.prompts) {
    const std::string value = text(kept(watch, prompts.*column));
    out += out.empty() ? "<span class=\"value\">" + value + "</span>"
                       : "<span class=\"ci\">" + name(prompts.name) + " " + value + "</span>";
  }
  return out.empty() ? kDash : out;
}

std::string tokens_text(double length) { return decimal(length, 1); }

std::string end_table(const Document& document) {
  std::vector<TableRow> rows;
  for (const Watch& watch : document.watches) {
    TableRow row{title_of(document, watch) + "<span class=\"sub\">" +
                 (watch.kept_step > 0 ? "step " + grouped(watch.kept_step) : kDash) +
                 (watch.fault.empty() ? "" : ", ended early") + "</span>"};
    row.cells = {cell(watch, &WatchedPrompts::kl, nats), cell(watch, &WatchedPrompts::entropy, nats),
                 cell(watch, &WatchedPrompts::length, tokens_text),
                 cell(watch, &WatchedPrompts::ended, percent),
                 cell(watch, &WatchedPrompts::repetition, percent)};
    rows.push_back(std::move(row));
  }
  return "<div class=\"below rounds\">\n" +
         data_table({{"At the end"},
                     {"KL to the seed, nats a token"},
                     {"Entropy, nats a token"},
                     {"Tokens an answer"},
                     {"Ended by themselves"},
                     {"Repeated pairs of tokens"}},
                    rows, 3) +
         (prompts_of(document.watches).size() > 1
              ? "<p class=\"note\">The upper figures are on the task's prompts.</p>\n"
              : "") +
         "</div>\n";
}

// Of variants that learn from their own answers.
std::string answers_figure(const Document& document) {
  std::vector<Series> entropy, length;
  std::string key;
  bool dashed_ones = false;
  for (const Watch& watch : document.watches) {
    if (!writes_itself(document, watch)) continue;
    key += "<li>" + title_of(document, watch) + "</li>";
    for (const WatchedPrompts& prompts : watch.prompts) {
      const bool dashed = &prompts != watch.prompts.data();
      dashed_ones = dashed_ones || dashed;
      entropy.push_back(series_of(document, watch, prompts, &WatchedPrompts::entropy, dashed));
      length.push_back(series_of(document, watch, prompts, &WatchedPrompts::length, dashed));
    }
  }
  if (entropy.empty()) return "";
  return "<h3 class=\"gap\">Those that learn from their own answers</h3>\n<figure>\n<ul class=\"legend\">" +
         key + "</ul>\n<div class=\"pair\">\n" + line_chart("Entropy, nats a token", entropy, kPanel) +
         line_chart("Tokens an answer", length, kPanel) + "</div>\n" +
         (dashed_ones ? "<figcaption>Solid: on the task's prompts; dashed: on retained ones.</figcaption>\n"
                      : "") +
         "</figure>\n";
}

}  // namespace

std::string learning_section(const std::vector<Learning>& learning) {
  std::string out;
  for (const Learning& one : learning) {
    out += "<dt>" + name(one.variant) + "</dt><dd><p>" + name(method_in_words(one)) + "</p>";
    if (!one.divergence.empty()) out += "<p>" + safe(one.divergence) + "</p>";
    out += "<p class=\"soft\">" + safe(settings_in_words(one)) + "</p></dd>\n";
  }
  if (out.empty()) return "";
  return section("How each variant learned", "", "<dl class=\"facts\">\n" + out + "</dl>\n");
}

std::string watch_section(const Document& document) {
  if (document.watches.empty()) return "";
  return section("Distance from the seed",
                 "KL(tuned || seed) on what each variant itself answers, measured while it was trained: 0 is "
                 "the seed.",
                 divergence_figure(document) + end_table(document) + answers_figure(document));
}

}  // namespace sdft::report
