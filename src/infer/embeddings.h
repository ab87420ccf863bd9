// Texts as vectors that say what they mean, and how alike two texts are by them.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "model/encoder.h"
#include "model/model.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft {

enum class Pooling {
  kMean,   // of the hidden states of all tokens, special ones included
  kFirst,  // the first token's, BERT's [CLS]
};

// An encoder's folder as sentence-transformers writes it (Reimers & Gurevych 2019, arXiv 1908.10084).
struct SentenceEncoder {
  std::filesystem::path dir, transformer;  // the folder, and the one in it with config.json and weights
  Tokenizer tokenizer;
  Encoder encoder;
  Pooling pooling = Pooling::kMean;
  bool normalize = false;   // vectors have length 1
  int64_t most_tokens = 0;  // of a text, special ones included; the rest of a longer one is not read
};

// Reads modules.json (Transformer, Pooling, perhaps Normalize; without it: mean pooling), the pooling's
// config.json, sentence_bert_config.json, the tokenizer and the BertModel. Throws Error(kInput) naming file
// and setting for what cannot be honoured: other architectures, modules, poolings, a default prompt.
SentenceEncoder load_sentence_encoder(const std::filesystem::path& dir, const std::string& device = "auto");

struct EmbedOptions {
  int64_t batch_tokens = 0;                 // tokens of a forward pass; 0: chosen
  const std::atomic<bool>* stop = nullptr;  // looked at before each pass: Error(kInterrupted) once it is true
  std::function<void(size_t done)> on_step;  // texts; on the caller's thread
};

// What makes vectors of texts: [texts, C] f32 on the CPU, in their order; a text's vector does not depend on
// the others. Error(kInput) for a text that is not UTF-8 and for vectors that are not finite. Thread-safe.
struct Embedder {
  std::string name;  // for reports: "all-MiniLM-L6-v2", "hidden states of the seed"
  std::function<Tensor(const std::vector<std::string>& texts, const EmbedOptions& options)> embed;
};

// As sentence-transformers' encode(). A special token that a text spells out is the special token, as there.
// The encoder must outlive it.
Embedder embedder_of(const SentenceEncoder& encoder);
// Where there is no encoder: the mean of a chat model's last hidden states (normalised, as its head sees
// them) over the text's tokens. A text longer than the model's context is cut; of a text without any token
// the vector is zero. Model and tokenizer must outlive it.
Embedder embedder_of(ModelView model, const Tokenizer& tokenizer, const std::string& name);

// Cosine of each pair of rows, in [-1, 1]. A row of zeros is like another one (1), and like nothing else (0).
std::vector<double> cosines(const Tensor& a, const Tensor& b);

// How alike the texts a[i] and b[i] are, by the cosine of their vectors; each different text is embedded
// once. Error(kUsage) where there are not as many of both.
struct Similarity {
  std::string embedder;  // its name
  std::vector<double> values;
  double mean = 0;  // NaN without texts
};
Similarity similarity(const Embedder& embedder, const std::vector<std::string>& a,
                      const std::vector<std::string>& b, const EmbedOptions& options = {});

}  // namespace sdft
