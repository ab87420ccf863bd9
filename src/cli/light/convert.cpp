// convert: a dataset, also a distilled one, in the form that another trainer reads.
#include <spdlog/spdlog.h>

#include <memory>

#include "base/error.h"
#include "cli/light/commands.h"
#include "cli/output.h"
#include "data/dataset.h"
#include "data/forms.h"
#include "data/record.h"
#include "data/record_file.h"

namespace sdft::cli {

namespace {
struct ConvertFlags {
  std::string path, form;
  bool accepted = false;
};

// The other forms are of examples; this one is of what the file holds, whatever its columns are.
constexpr const char* kAsRead = "records";

void write_as_read(const ConvertFlags& flags) {
  if (flags.accepted) fail_usage("--accepted is of a distilled dataset's examples, --to records of any file");
  const RecordFile file = read_record_file(flags.path);
  for (const std::string& note : file.texts.notes) spdlog::warn("{}", note);
  for (const RecordText& record : file.texts.records) try {
      write_line(record.read());
    } catch (const BadRecord& bad) {
      fail_input(record.where, bad.what());
    }
  flush_out();
}

void run_convert(const ConvertFlags& flags) {
  if (flags.form == kAsRead) return write_as_read(flags);
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
      "  sdft convert train.csv --to trl > prompts.jsonl\n"
      "  sdft convert datasets--me--words/test --to records > test.jsonl",
      [flags] { run_convert(*flags); });
  convert->add_option("path", flags->path, "dataset; in a run directory distill/distilled.jsonl")
      ->required()
      ->type_name("FILE");
  std::vector<std::string> forms = form_names();
  forms.emplace_back(kAsRead);
  convert
      ->add_option("--to", flags->form,
                   "trl: prompt and privileged_context, the original answer; records: what is in the file")
      ->required()
      ->check(CLI::IsMember(forms));
  convert->add_flag("--accepted", flags->accepted, "of a distilled dataset: only accepted rewrites");
}

}  // namespace sdft::cli
