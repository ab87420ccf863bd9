// preview: what training will see of a dataset.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/terminal.h"
#include "cli/engine/model_flags.h"
#include "cli/output.h"
#include "data/samples.h"
#include "run/validate.h"

namespace sdft::cli {
namespace {

struct PreviewFlags {
  RecipeFlags recipe;
  size_t examples = 3;
  std::string id;
  bool tokens = false, rewriting = false, json = false;
};

// How pieces are set apart: with colours on a terminal, with brackets elsewhere.
struct Marks {
  const char *learned, *learned_end, *special, *special_end;
};
constexpr Marks kTerminalMarks = {"\033[1;4m", "\033[0m", "\033[36m", "\033[0m"};
constexpr Marks kPlainMarks = {"[", "]", "«", "»"};

struct Piece {
  int32_t id;
  std::string text;  // what became certain with this token
  bool learned, special;
};

std::vector<Piece> pieces_of(const Tokenizer& tokenizer, const Sample& sample) {
  std::vector<Piece> pieces;
  StreamDecoder decoder(tokenizer, false);
  for (size_t i = 0; i < sample.ids.size(); ++i)
    pieces.push_back({sample.ids[i], decoder.add(sample.ids[i]), sample.supervised[i] != 0,
                      tokenizer.is_special(sample.ids[i])});
  if (!pieces.empty()) pieces.back().text += decoder.finish();
  return pieces;
}

std::string marked_text(const std::vector<Piece>& pieces, const Marks& marks) {
  std::string text;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    const bool starts = piece.learned && (i == 0 || !pieces[i - 1].learned);
    const bool ends = piece.learned && (i + 1 == pieces.size() || !pieces[i + 1].learned);
    if (starts) text += marks.learned;
    text += piece.special ? marks.special + shown(piece.text) + marks.special_end : shown(piece.text);
    // A terminal's end of a colour ends the underline as well.
    if (piece.special && piece.learned && !ends && marks.learned[0] == '\033') text += marks.learned;
    if (ends) text += marks.learned_end;
  }
  return text;
}

std::string token_table(const std::vector<Piece>& pieces) {
  std::string text;
  for (size_t i = 0; i < pieces.size(); ++i)
    text += fmt::format("{:>6} {:>8}  {}{}  {}\n", i, pieces[i].id, pieces[i].learned ? 'L' : '.',
                        pieces[i].special ? 'S' : '.', to_line(Json(pieces[i].text)));
  return text;
}

void show(const RunContext& run, const PreviewFlags& flags, const Example& example) {
  const Sample sample = sample_of(run.bundle.formatter, run.samples(), example);
  const Tokenizer& tokenizer = run.bundle.tokenizer;
  const std::vector<Piece> pieces = pieces_of(tokenizer, sample);
  std::string rewriting;
  if (flags.rewriting)
    rewriting =
        tokenizer.decode(prompt_ids(run.bundle.formatter, find_prompt_template(run.recipe.distill_template),
                                    example, example.response),
                         false);
  if (flags.json) {
    Json line = {{"id", example.id},
                 {"ids", sample.ids},
                 {"supervised", sample.supervised},
                 {"tokens", Json::array()},
                 {"length", sample.ids.size()},
                 {"cut", sample.cut},
                 {"cut_prompt", sample.cut_prompt}};
    for (const Piece& piece : pieces) line["tokens"].push_back(piece.text);
    if (flags.rewriting) line["rewriting_prompt"] = rewriting;
    return write_line(line);
  }
  const auto learned = std::count(sample.supervised.begin(), sample.supervised.end(), 1);
  std::string text =
      fmt::format("── example {}: {} tokens, {} learned", shown(example.id), sample.ids.size(), learned);
  if (sample.cut > 0) text += fmt::format(", {} cut at {}", sample.cut, run.samples().cutoff_len);
  if (sample.cut_prompt > 0) text += fmt::format(" ({} of them of a prompt)", sample.cut_prompt);
  text += "\n" + (flags.tokens ? shown(token_table(pieces))
                               : marked_text(pieces, shows_colours(1) ? kTerminalMarks : kPlainMarks) + "\n");
  if (flags.rewriting)
    text += shown("── its rewriting prompt (" + run.recipe.distill_template + ")\n" + rewriting + "\n");
  write_marked(text + "\n");
}

// Lengths of all samples.
void show_lengths(const RunContext& run, const Dataset& dataset, bool json) {
  const int64_t context = run.bundle.config.max_position_embeddings;
  const size_t cutoff = run.samples().cutoff_len;
  std::vector<size_t> lengths;
  std::vector<std::string> cut, unlearned;
  size_t tokens = 0, learned = 0;
  for (const Example& example : dataset.examples) {
    const Sample sample = sample_of(run.bundle.formatter, run.samples(), example);
    const auto counted =
        static_cast<size_t>(std::count(sample.supervised.begin(), sample.supervised.end(), 1));
    lengths.push_back(sample.ids.size() + sample.cut);
    tokens += sample.ids.size();
    learned += counted;
    if (sample.cut > 0) cut.push_back(example.id);
    if (counted == 0) unlearned.push_back(example.id);
  }
  std::sort(lengths.begin(), lengths.end());
  auto at = [&](double part) {
    return lengths[static_cast<size_t>(part * static_cast<double>(lengths.size() - 1))];
  };
  if (json)
    return write_line({{"examples", lengths.size()},
                       {"tokens", tokens},
                       {"learned", learned},
                       {"length", {{"min", at(0)}, {"median", at(0.5)}, {"p95", at(0.95)}, {"max", at(1)}}},
                       {"cutoff_len", cutoff},
                       {"context", context},
                       {"skipped", dataset.skipped.size()},
                       {"cut", cut},
                       {"nothing_to_learn", unlearned}});
  std::string text =
      fmt::format("{} examples, {} tokens, {} of them learned; lengths: {} to {}, median {}, 95 % up to {}\n",
                  lengths.size(), tokens, learned, at(0), at(1), at(0.5), at(0.95));
  const std::string limit =
      fmt::format("{} tokens ({})", cutoff,
                  static_cast<size_t>(context) == cutoff ? "the model's context" : "cutoff_len");
  text += cut.empty()
              ? fmt::format("none is longer than {}\n", limit)
              : fmt::format("{} longer than {} and cut at their end: {}\n", cut.size(), limit, list_of(cut));
  if (!dataset.skipped.empty()) text += fmt::format("{} bad records were skipped\n", dataset.skipped.size());
  if (!unlearned.empty())
    text += fmt::format("{} with nothing to learn: {}\n", unlearned.size(), list_of(unlearned));
  write_out(text);
}

// The same checks as before a training, and so the same examples.
void run_preview(const PreviewFlags& flags) {
  const RunContext run(flags.recipe.read());
  if (flags.rewriting) check_use(find_prompt_template(run.recipe.distill_template), TemplateUse::kRewriting);
  const Inputs inputs = validate(run, kTrain, {{run.recipe, false, false}});
  const Dataset& dataset = inputs.used(run.recipe).dataset;
  size_t shown = 0;
  for (const Example& example : dataset.examples) {
    if (flags.id.empty() ? shown == flags.examples : example.id != flags.id) continue;
    show(run, flags, example);
    ++shown;
  }
  if (!flags.id.empty() && shown == 0) fail_usage("no example has the id '" + flags.id + "'");
  show_lengths(run, dataset, flags.json);
}
}  // namespace

void add_preview(const Registry& registry) {
  auto flags = std::make_shared<PreviewFlags>();
  CLI::App* preview =
      registry.add("preview",
                   "  sdft preview --recipe examples/openfunctions.yaml\n"
                   "  sdft preview --model_name_or_path MODEL --dataset train.jsonl --examples 1 --tokens\n"
                   "  sdft preview --recipe r.yaml --id 17 --rewriting cutoff_len=512",
                   [flags] { run_preview(*flags); });
  preview->add_option("--examples", flags->examples, "how many to show")->type_name("");
  preview->add_option("--id", flags->id, "show this example")->type_name("");
  preview->add_flag("--tokens", flags->tokens, "a line a token: position, id, L learned, S special, text");
  preview->add_flag("--rewriting", flags->rewriting, "also the prompt that asks for the example's rewrite");
  preview->add_flag("--json", flags->json, "a JSON line an example, and one with the lengths");
  add_recipe_flags(preview, &flags->recipe);
}

}  // namespace sdft::cli
