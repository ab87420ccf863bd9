// convert: a dataset, also a distilled one, in the form that another trainer reads.
#include <memory>

#include "cli/light/commands.h"
#include "cli/output.h"
#include "data/dataset.h"
#include "data/forms.h"

namespace sdft::cli {

namespace {
struct ConvertFlags {
  std::string path, form;
  bool accepted = false;
};

void run_convert(const ConvertFlags& flags) {
  DatasetOptions options;
  options.weights = true;
  const Dataset dataset = read_dataset(flags.path, options);
  tell_skipped(dataset);
  std::vector<Json> records;  // all before the first is written: no half of a dataset
  for (const Example& example : dataset.examples)
    if (!flags.accepted || rewrite_accepted(example)) records.push_back(in_form(example, flags.form));
  for (const Json& record : records) write_line(record);
  flush_out();
}
}  // namespace

void add_convert(const Registry& registry) {
  auto flags = std::make_shared<ConvertFlags>();
  CLI::App* convert = registry.add(
      "convert",
      "  sdft convert runs/one/distill/distilled.jsonl --to sharegpt > rewritten.jsonl\n"
      "  sdft convert runs/one/distill/distilled.jsonl --to messages --accepted > accepted.jsonl\n"
      "  sdft convert train.csv --to trl > prompts.jsonl",
      [flags] { run_convert(*flags); });
  convert->add_option("path", flags->path, "dataset; in a run directory distill/distilled.jsonl")
      ->required()
      ->type_name("FILE");
  convert->add_option("--to", flags->form, "trl: prompt and privileged_context, the original answer")
      ->required()
      ->check(CLI::IsMember(form_names()));
  convert->add_flag("--accepted", flags->accepted, "of a distilled dataset: only accepted rewrites");
}

}  // namespace sdft::cli
