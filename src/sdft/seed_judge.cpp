#include "sdft/seed_judge.h"

#include <algorithm>
#include <cmath>

#include "data/samples.h"

namespace sdft {

namespace {
Example question_about(const CheckItem& item) {
  Example example;
  example.id = item.id;
  example.instruction = "Question:\n" + std::string(item.question) + "\n\nReference answer:\n" +
                        std::string(item.reference) + "\n\nAnother answer:\n" + std::string(item.answer) +
                        "\n\nDoes the other answer say what the reference answer says? Reply with Yes or "
                        "No only.";
  return example;
}
}  // namespace

std::function<std::vector<double>(const std::vector<CheckItem>&)> seed_judge(
    ModelView model, const Formatter& formatter, const std::string& prompt_template,
    const std::atomic<bool>* stop) {
  // A dataset may bring prompts of its own; the question is not one of them.
  const PromptTemplate& prompt =
      find_prompt_template(prompt_template == kTemplateOfRecord ? "chat" : prompt_template);
  return [=, &formatter, &prompt](const std::vector<CheckItem>& items) {
    const std::vector<int32_t> yes = formatter.tokenizer->encode("Yes"),
                               no = formatter.tokenizer->encode("No");
    std::vector<ScoreItem> asked;
    std::vector<size_t> of;  // the item of each pair
    for (size_t i = 0; i < items.size(); ++i) {
      const std::vector<int32_t> ids = prompt_ids(formatter, prompt, question_about(items[i]));
      const size_t longest = ids.size() + std::max(yes.size(), no.size());
      if (static_cast<int64_t>(longest) > model->config.max_position_embeddings) continue;
      asked.push_back(continuation_item(ids, yes));
      asked.push_back(continuation_item(ids, no));
      of.push_back(i);
    }
    ScoreOptions options;
    options.stop = stop;
    const std::vector<Score> scores = score(model, asked, options);
    std::vector<double> probability(items.size(), 0);
    for (size_t k = 0; k < of.size(); ++k)
      probability[of[k]] = 1 / (1 + std::exp(scores[2 * k + 1].log_prob - scores[2 * k].log_prob));
    return probability;
  };
}

}  // namespace sdft
