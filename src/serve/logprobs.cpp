#include "serve/logprobs.h"

#include <algorithm>

namespace sdft::serve {

namespace {
// As it reads behind another one: the first of a text may lose its space.
std::string text_of(const Tokenizer& tokenizer, int32_t id) {
  const std::string first = tokenizer.decode({id}, false), both = tokenizer.decode({id, id}, false);
  return both.size() >= first.size() && both.compare(0, first.size(), first) == 0 ? both.substr(first.size())
                                                                                  : first;
}

Json scored(const Tokenizer& tokenizer, int32_t id, float log_prob) {
  const std::string text = text_of(tokenizer, id);
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", text}, {"logprob", log_prob}, {"bytes", std::move(bytes)}};
}
}  // namespace

Json chat_logprobs(const Tokenizer& tokenizer, const std::vector<TokenScore>& scores) {
  Json content = Json::array();
  for (const TokenScore& score : scores) {
    Json one = scored(tokenizer, score.token, score.log_prob);
    one["top_logprobs"] = Json::array();
    for (const auto& [id, log_prob] : score.top)
      one["top_logprobs"].push_back(scored(tokenizer, id, log_prob));
    content.push_back(std::move(one));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

Json text_logprobs(const Tokenizer& tokenizer, const std::vector<TokenScore>& scores,
                   const std::vector<int32_t>& first) {
  Json tokens = Json::array(), own = Json::array(), top = Json::array(), offsets = Json::array();
  size_t offset = 0;
  const auto add = [&](int32_t id, Json log_prob, Json likeliest) {
    tokens.push_back(text_of(tokenizer, id));
    own.push_back(std::move(log_prob));
    top.push_back(std::move(likeliest));
    offsets.push_back(offset);
    offset += tokens.back().get_ref<const std::string&>().size();
  };
  for (const int32_t id : first) add(id, nullptr, nullptr);
  for (const TokenScore& score : scores) {
    Json likeliest = Json::object();  // by text: the likelier of two tokens that read alike
    const auto include = [&](int32_t id, float log_prob) {
      const std::string text = text_of(tokenizer, id);
      if (!likeliest.contains(text) || likeliest[text].get<float>() < log_prob) likeliest[text] = log_prob;
    };
    for (const auto& [id, log_prob] : score.top) include(id, log_prob);
    include(score.token, score.log_prob);
    add(score.token, score.log_prob, std::move(likeliest));
  }
  return {{"tokens", std::move(tokens)},
          {"token_logprobs", std::move(own)},
          {"top_logprobs", std::move(top)},
          {"text_offset", std::move(offsets)}};
}

}  // namespace sdft::serve
