#include "infer/embeddings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/work.h"
#include "infer/workers.h"

namespace sdft {

namespace {
constexpr int64_t kTokensABatch = 1024;  // of one pass

using Sequences = std::vector<std::vector<int32_t>>;
using Hidden = std::function<Tensor(const PackedTokens& tokens)>;  // [N, C]

// What is common to both kinds.
struct Plan {
  std::function<std::vector<int32_t>(const std::string& text)> ids;
  Hidden hidden;
  Pooling pooling;
  bool normalize;
  int64_t width;
  at::Device device;
  int64_t workers;  // at most
};

// Texts that are embedded in one pass, by their numbers.
using Batch = std::vector<size_t>;

// Like beside like, the longest first; those without tokens are in none.
std::vector<Batch> make_batches(const Sequences& sequences, int64_t budget) {
  std::vector<size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sequences[a].size() > sequences[b].size(); });
  std::vector<Batch> batches;
  int64_t tokens = 0;
  for (const size_t i : order) {
    const auto length = static_cast<int64_t>(sequences[i].size());
    if (length == 0) break;
    if (batches.empty() || tokens + length > budget) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(i);
    tokens += length;
  }
  return batches;
}

void embed_batch(const Plan& plan, const Sequences& sequences, const Batch& batch, Tensor& result) {
  at::NoGradGuard no_grad;
  Sequences inputs;
  for (const size_t i : batch) inputs.push_back(sequences[i]);
  const PackedTokens tokens = pack(inputs, plan.device);
  const Tensor hidden = plan.hidden(tokens);
  std::vector<Tensor> rows;
  int64_t begin = 0;
  for (const int64_t length : tokens.sequences.lengths) {
    const Tensor states = hidden.narrow(0, begin, length).to(at::kFloat);
    rows.push_back(plan.pooling == Pooling::kMean ? states.mean(0) : states[0]);
    begin += length;
  }
  Tensor vectors = at::stack(rows);
  if (plan.normalize) vectors = vectors / vectors.norm(2, 1, true).clamp_min(1e-12);
  vectors = vectors.to(at::kCPU).contiguous();
  for (size_t i = 0; i < batch.size(); ++i)
    std::copy_n(vectors.data_ptr<float>() + static_cast<int64_t>(i) * plan.width, plan.width,
                result.data_ptr<float>() + static_cast<int64_t>(batch[i]) * plan.width);
}

Tensor embed(const Plan& plan, const std::vector<std::string>& texts, const EmbedOptions& options) {
  current_work = Work::kScoring;
  Sequences sequences;
  for (const std::string& text : texts) sequences.push_back(plan.ids(text));
  const std::vector<Batch> batches =
      make_batches(sequences, options.batch_tokens > 0 ? options.batch_tokens : kTokensABatch);
  Tensor result = at::zeros({static_cast<int64_t>(texts.size()), plan.width}, at::kFloat);
  size_t without_tokens = texts.size();
  for (const Batch& batch : batches) without_tokens -= batch.size();
  std::atomic<size_t> next{0}, done{without_tokens};
  const auto count = static_cast<int64_t>(batches.size());
  run_workers(std::clamp<int64_t>(count, 1, plan.workers), [&](int64_t worker) {
    for (size_t batch; (batch = next++) < batches.size();) {
      if (options.stop && options.stop->load())
        throw Error(ExitCode::kInterrupted, "interrupted while comparing texts");
      try {
        embed_batch(plan, sequences, batches[batch], result);
      } catch (...) {
        next = batches.size();  // the other workers end too
        throw;
      }
      done += batches[batch].size();
      if (worker == 0 && options.on_step) options.on_step(done);
    }
  });
  if (options.on_step) options.on_step(done);
  if (!at::isfinite(result).all().item<bool>())
    fail_input("embeddings of " + std::to_string(texts.size()) + " texts", "are not finite",
               "are the model's weights damaged?");
  return result;
}

Embedder embedder_of(std::string name, Plan plan) {
  return {std::move(name),
          [plan = std::move(plan)](const std::vector<std::string>& texts, const EmbedOptions& options) {
            return embed(plan, texts, options);
          }};
}
}  // namespace

Embedder embedder_of(const SentenceEncoder& encoder) {
  const SentenceEncoder* e = &encoder;
  EncodeOptions as_there;
  as_there.add_special = true;
  as_there.most_tokens = static_cast<size_t>(encoder.most_tokens);
  Plan plan{[e, as_there](const std::string& text) { return e->tokenizer.encode(text, as_there); },
            [e](const PackedTokens& tokens) { return encode(e->encoder, tokens); },
            encoder.pooling,
            encoder.normalize,
            encoder.encoder.config.hidden_size,
            encoder.encoder.device,
            worker_count(encoder.encoder.parameters(), encoder.encoder.device, at::kFloat)};
  return embedder_of(
      std::filesystem::absolute(encoder.dir / "").lexically_normal().parent_path().filename().string(),
      std::move(plan));
}

Embedder embedder_of(ModelView model, const Tokenizer& tokenizer, const std::string& name) {
  EncodeOptions as_text;  // what it spells out is no structure
  as_text.add_special = true;
  as_text.parse_special = false;
  as_text.most_tokens = static_cast<size_t>(model->config.max_position_embeddings);
  Plan plan{[t = &tokenizer, as_text](const std::string& text) { return t->encode(text, as_text); },
            [model](const PackedTokens& tokens) { return forward(model, tokens); },
            Pooling::kMean,
            false,
            model->config.hidden_size,
            model->device,
            worker_count(*model.weights)};
  return embedder_of(name, std::move(plan));
}

std::vector<double> cosines(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(at::kCPU, at::kDouble), y = b.to(at::kCPU, at::kDouble);
  const Tensor products = (x * y).sum(1), norms_x = x.norm(2, 1), norms_y = y.norm(2, 1);
  std::vector<double> result;
  for (int64_t i = 0; i < x.size(0); ++i) {
    const double nx = norms_x[i].item<double>(), ny = norms_y[i].item<double>();
    if (nx == 0 || ny == 0)
      result.push_back(nx == ny ? 1 : 0);
    else
      result.push_back(std::clamp(products[i].item<double>() / nx / ny, -1.0, 1.0));
  }
  return result;
}

Similarity similarity(const Embedder& embedder, const std::vector<std::string>& a,
                      const std::vector<std::string>& b, const EmbedOptions& options) {
  if (a.size() != b.size())
    fail_usage(std::to_string(a.size()) + " texts cannot be compared with " + std::to_string(b.size()));
  std::vector<std::string> texts;
  std::map<std::string, int64_t> places;
  std::vector<int64_t> rows[2];
  for (const auto* side : {&a, &b})
    for (const std::string& text : *side) {
      const auto [found, is_new] = places.emplace(text, static_cast<int64_t>(texts.size()));
      if (is_new) texts.push_back(text);
      rows[side == &b].push_back(found->second);
    }
  const Tensor vectors = embedder.embed(texts, options);
  auto of = [&](const std::vector<int64_t>& side) {
    return vectors.index_select(0, at::tensor(at::ArrayRef<int64_t>(side), at::kLong));
  };
  Similarity result;
  result.embedder = embedder.name;
  result.values = cosines(of(rows[0]), of(rows[1]));
  result.mean = std::accumulate(result.values.begin(), result.values.end(), 0.0) /
                static_cast<double>(result.values.size());
  return result;
}

}  // namespace sdft
