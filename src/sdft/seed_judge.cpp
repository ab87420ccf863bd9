#include "sdft/seed_judge.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "infer/scorer.h"

namespace sdft {

namespace {
constexpr std::array<const char*, 4> kReplies = {"Yes", "yes", "No", "no"};

// The conversation up to the question stays; the question is asked about, not asked.
Example question_about(const JudgedRewrite& judged) {
  Example asked;
  asked.id = judged.example->id;
  asked.where = judged.example->where;
  asked.instruction = "Below are a question, its reference answer and another answer.\n\nQuestion: " +
                      judged.example->instruction + "\n\nReference answer: " + judged.example->response +
                      "\n\nOther answer: " + std::string(judged.rewrite) +
                      "\n\nDoes the other answer say the same as the reference answer? Answer with yes or no.";
  return asked;
}
}  // namespace

std::vector<double> probability_of_yes(ModelView model, const Formatter& formatter, bool chat,
                                       const std::vector<JudgedRewrite>& rewrites) {
  const PromptTemplate& prompt = find_prompt_template(chat ? "chat" : "alpaca");
  std::vector<ScoreItem> items;
  std::vector<size_t> places;
  for (size_t i = 0; i < rewrites.size(); ++i) {
    const std::vector<int32_t> ids = prompt_ids(formatter, prompt, question_about(rewrites[i]));
    std::vector<ScoreItem> replies;
    for (const char* reply : kReplies)
      replies.push_back(continuation_item(ids, formatter.tokenizer->encode(reply)));
    const auto fits = [&](const ScoreItem& item) {
      return static_cast<int64_t>(item.ids.size()) <= model->config.max_position_embeddings;
    };
    if (!std::all_of(replies.begin(), replies.end(), fits)) continue;
    items.insert(items.end(), replies.begin(), replies.end());
    places.push_back(i);
  }
  std::vector<double> result(rewrites.size(), 0);
  const std::vector<Score> scores = score(model, items);
  for (size_t k = 0; k < places.size(); ++k) {
    auto p = [&](size_t reply) { return std::exp(scores[kReplies.size() * k + reply].log_prob); };
    const double yes = p(0) + p(1), no = p(2) + p(3);
    result[places[k]] = yes + no > 0 ? yes / (yes + no) : 0;
  }
  return result;
}

}  // namespace sdft
