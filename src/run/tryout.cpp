#include "run/tryout.h"

#include <algorithm>

#include "base/error.h"
#include "data/prompt_text.h"
#include "data/thinking.h"
#include "data/turn_end.h"
#include "sdft/acceptance.h"

namespace sdft {

namespace {
constexpr const char* kWhere = "the request";

Json json_of(const PromptTemplate& prompt) {
  return {{"name", prompt.name},
          {"system", prompt.system},
          {"turn", prompt.turn},
          {"prefill", prompt.prefill},
          {"chat", prompt.chat}};
}

// The built-in one where it is as that; else as one from a file.
PromptTemplate template_from(const Json& json) {
  for (const std::string& name : prompt_template_names())
    if (const PromptTemplate& known = find_prompt_template(name); json_of(known) == json) return known;
  PromptTemplate prompt;
  prompt.name = "the template";
  prompt.system = value_or<std::string>(json, "system", "", kWhere);
  prompt.turn = require<std::string>(json, "turn", kWhere);
  prompt.prefill = value_or<std::string>(json, "prefill", "", kWhere);
  prompt.chat = value_or<bool>(json, "chat", true, kWhere);
  prompt.family = PromptFamily::kFile;
  check_prompt_template(prompt);
  check_use(prompt, TemplateUse::kRewriting);
  return prompt;
}
}  // namespace

Tryout::Tryout(const Recipe& recipe)
    : run_(recipe), inputs_(validate(run_, kDistill, {{recipe, true, false}})) {}

Json Tryout::choices() const {
  const Recipe& recipe = run_.recipe;
  Json templates = Json::array();
  for (const std::string& name : prompt_template_names())
    if (const PromptTemplate& prompt = find_prompt_template(name); prompt.shows(kResponsePlace))
      templates.push_back(json_of(prompt));
  if (names_prompt_file(recipe.distill_template))
    templates.push_back(json_of(find_prompt_template(recipe.distill_template)));
  return {{"templates", std::move(templates)},
          {"template", recipe.distill_template},
          {"acceptance", recipe.acceptance},
          {"answer_check", recipe.answer_check},
          {"temperature", recipe.sampling.temperature},
          {"top_p", recipe.sampling.top_p},
          {"top_k", recipe.sampling.top_k},
          {"max_new_tokens", recipe.max_new_tokens},
          {"count", inputs_.used(recipe).dataset.examples.size()}};
}

Json Tryout::examples(const Json& asked) const {
  const auto& all = inputs_.used(run_.recipe).dataset.examples;
  const auto first = value_or<size_t>(asked, "first", 0, kWhere),
             count = value_or<size_t>(asked, "count", 5, kWhere);
  Json list = Json::array();
  for (size_t i = first; i < all.size() && list.size() < std::min<size_t>(count, 50); ++i)
    list.push_back({{"id", all[i].id},
                    {"question", text_of_message(context_of(all[i]).back())},
                    {"answer", all[i].response}});
  return list;
}

const Example& Tryout::example(const Json& asked) const {
  const auto id = require<std::string>(asked, "id", kWhere);
  for (const Example& example : inputs_.used(run_.recipe).dataset.examples)
    if (example.id == id) return example;
  fail_input(kWhere, "no example has the id '" + id + "'");
}

Json Tryout::prompt(const Json& asked) const {
  const Example& one = example(asked);
  if (!asked.contains("template") || !asked["template"].is_object())
    fail_input(kWhere, "has no 'template'", R"({"turn": "…{instruction}…{response}…"})");
  const PromptTemplate prompt = template_from(asked["template"]);
  const std::vector<int32_t> ids = prompt_ids(run_.bundle.formatter, prompt, one, one.response);
  return {{"ids", ids}, {"text", run_.bundle.tokenizer.decode(ids, false)}};
}

Json Tryout::judge(const Json& asked) const {
  const Example& one = example(asked);
  const auto own = [this](const std::string& text) {
    const Recipe& recipe = run_.recipe;
    for (const ChosenCheck& check : acceptance_checks(recipe.acceptance, recipe.answer_check))
      if (check.argument.text == text) return true;
    return false;
  };
  const auto checks = acceptance_checks(value_or(asked, "acceptance", run_.recipe.acceptance, kWhere),
                                        value_or(asked, "answer_check", run_.recipe.answer_check, kWhere));
  for (const ChosenCheck& check : checks)
    if (!check.argument.file.empty() && !own(check.argument.text))
      fail_usage("only the recipe's own files are read", "name the file in the recipe");
  for (const ChosenCheck& check : checks)
    if (check.check->needs & kNeedsSeed)
      fail_usage(std::string("the check '") + check.check->name +
                 "' asks the seed model, which is not tried here");
  const auto written = require<std::string>(asked, "rewrite", kWhere);
  const bool opened = value_or(asked, "chat", true, kWhere) && opens_thinking(run_.bundle.formatter);
  const std::string rewrite = stripped(std::string(strip_thinking(written, opened)));
  const std::lock_guard lock(judging_);
  const EvalResult result =
      judge_rewrites(checks, {check_item(one, rewrite, value_or(asked, "cut", false, kWhere))}).front();
  return {
      {"accepted", result.verdict == Verdict::kPass}, {"reason", result.reason}, {"matched", result.matched}};
}

}  // namespace sdft
