#include "data/samples.h"

#include <algorithm>

#include "base/error.h"
#include "data/record.h"

namespace sdft {
namespace {

// With the record's own fields where the template is kTemplateOfRecord.
struct Chosen {
  const PromptTemplate* prompt;
  std::string reference;
};

Chosen choose(const std::string& name, const Example& example) {
  if (name != kTemplateOfRecord) return {&find_prompt_template(name), ""};
  const std::string where = place_of(example);
  const std::string own = value_or<std::string>(example.fields, "template", "chat", where);
  if (names_prompt_file(own))
    fail_input(where, "field 'template' names a file", "name a built-in prompt template");
  return {&find_prompt_template(own), value_or<std::string>(example.fields, "reference", "", where)};
}

void try_rendering(const Formatter& formatter, const std::string& name, const Example& given,
                   Reasoning reasoning) {
  const Example example = apply_reasoning(reasoning, given);
  const Chosen chosen = choose(name, example);
  const bool shows_answer = chosen.prompt->shows(kResponsePlace);
  if (shows_answer && name != kTemplateOfRecord)
    prompt_ids(formatter, *chosen.prompt, example, example.response);
  else if (example.response.empty())
    prompt_ids(formatter, *chosen.prompt, example);
  else
    training_sample(formatter, *chosen.prompt, example, 0, chosen.reference, reasoning);
}

}  // namespace

size_t effective_cutoff(int64_t cutoff_len, int64_t context) {
  return static_cast<size_t>(cutoff_len > 0 ? std::min(cutoff_len, context) : context);
}

Sample sample_of(const Formatter& formatter, const SampleSettings& settings, const Example& example) {
  const Chosen chosen = choose(settings.prompt_template, example);
  Sample sample = training_sample(formatter, *chosen.prompt, apply_reasoning(settings.reasoning, example),
                                  settings.cutoff_len, chosen.reference, settings.reasoning);
  if (settings.train_on_prompt) std::fill(sample.supervised.begin(), sample.supervised.end(), uint8_t{1});
  return sample;
}

void check_renderable(const Formatter& formatter, const std::vector<std::string>& prompt_templates,
                      Dataset* dataset, bool skip_bad, Reasoning reasoning) {
  for (const std::string& name : prompt_templates)
    if (name != kTemplateOfRecord) find_prompt_template(name);
  std::vector<Example> good;
  std::vector<SkippedRecord> bad;
  for (Example& example : dataset->examples) {
    try {
      for (const std::string& name : prompt_templates) try_rendering(formatter, name, example, reasoning);
      good.push_back(std::move(example));
    } catch (const Error& error) {
      if (error.code() != ExitCode::kInput && error.code() != ExitCode::kUsage) throw;
      const std::string place = place_of(example), what = error.what();
      const bool named = what.compare(0, place.size() + 2, place + ": ") == 0;
      bad.push_back({place, named ? what.substr(place.size() + 2) : what});
    }
  }
  if (!bad.empty() && (!skip_bad || good.empty()))
    fail_bad_records(dataset->path.string(), bad, good.size() + bad.size(),
                     "mend the file, or choose another prompt template");
  dataset->examples = std::move(good);
  dataset->skipped.insert(dataset->skipped.end(), bad.begin(), bad.end());
}

}  // namespace sdft
