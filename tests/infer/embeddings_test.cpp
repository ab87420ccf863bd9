// Embeddings as sentence-transformers makes them (tests/infer/embeddings, by tools/embedding-fixtures), and
// what compares texts by them.
#include "infer/embeddings.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "infer/small_model.h"
#include "model/safetensors.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const fs::path kSource = SDFT_SOURCE_DIR;
const fs::path kFixtures = kSource / "tests/infer/embeddings";
const fs::path kMiniLm = kSource / "models/all-minilm-l6-v2";

std::vector<std::string> fixture_texts() {
  return read_json(kFixtures / "texts.json").get<std::vector<std::string>>();
}

Tensor embedded(const SentenceEncoder& encoder, const std::vector<std::string>& texts,
                const EmbedOptions& options = {}) {
  return embedder_of(encoder).embed(texts, options);
}

// Of each row the greatest difference, so that a failure names the text.
void expect_equal(const Tensor& found, const Tensor& wanted, const std::vector<std::string>& texts,
                  double tolerance) {
  ASSERT_EQ(found.sizes(), wanted.sizes());
  const Tensor differences = std::get<0>((found - wanted).abs().max(1));
  for (size_t i = 0; i < texts.size(); ++i)
    EXPECT_LT(differences[static_cast<int64_t>(i)].item<double>(), tolerance) << "text: " << texts[i];
}

// The tiny encoder in a folder that may be changed.
struct TinyFolder {
  TinyFolder() { fs::copy(kFixtures / "tiny", scratch.path(), fs::copy_options::recursive); }
  fs::path operator/(const std::string& name) const { return scratch / name; }
  void change(const std::string& file, const std::string& pointer, const Json& value) const {
    Json json = fs::exists(scratch / file) ? read_json(scratch / file) : Json::object();
    json[Json::json_pointer(pointer)] = value;
    write_json(scratch / file, json);
  }
  void pool(const char* mode) const {
    write_json(scratch / "1_Pooling/config.json", {{"pooling_mode", mode}});
  }
  SentenceEncoder load() const { return load_sentence_encoder(scratch.path(), "cpu"); }
  Tensor embedded() const { return sdft::embedded(load(), fixture_texts()); }

  testing::ScratchDir scratch;
};

Tensor wanted_of_tiny(const std::string& name) {
  return SafetensorsFile(kFixtures / "tiny.safetensors").get(name).clone();
}

TEST(Embeddings, EqualSentenceTransformersOnATinyEncoder) {
  const std::vector<std::string> texts = fixture_texts();
  ASSERT_EQ(texts.size(), 50u);
  const TinyFolder tiny;
  expect_equal(tiny.embedded(), wanted_of_tiny("normalized"), texts, 1e-5);
  Json modules = read_json(tiny / "modules.json");
  modules.erase(2);  // Normalize
  write_json(tiny / "modules.json", modules);
  expect_equal(tiny.embedded(), wanted_of_tiny("mean"), texts, 1e-5);
  tiny.pool("cls");
  expect_equal(tiny.embedded(), wanted_of_tiny("cls"), texts, 1e-5);
  for (const char* activation : {"gelu_new", "relu", "silu"}) {
    tiny.change("config.json", "/hidden_act", activation);
    expect_equal(tiny.embedded(), wanted_of_tiny(activation), texts, 1e-5);
  }
}

TEST(Embeddings, APlainBertIsPooledByItsMean) {
  const TinyFolder tiny;
  fs::remove(tiny / "modules.json");
  fs::remove(tiny / "sentence_bert_config.json");
  EXPECT_EQ(tiny.load().most_tokens, 40);
  expect_equal(tiny.embedded(), wanted_of_tiny("plain"), fixture_texts(), 1e-5);
  tiny.change("tokenizer_config.json", "/model_max_length", 9);
  EXPECT_EQ(tiny.load().most_tokens, 9);
}

TEST(Embeddings, TheOldVocabularyFileSaysTheSame) {
  const TinyFolder tiny;
  fs::remove(tiny / "tokenizer.json");
  expect_equal(tiny.embedded(), wanted_of_tiny("normalized"), fixture_texts(), 1e-5);
  fs::remove(tiny / "tokenizer_config.json");  // what it says is what is taken for granted
  expect_equal(tiny.embedded(), wanted_of_tiny("normalized"), fixture_texts(), 1e-5);
}

TEST(Embeddings, EqualSentenceTransformersOnMiniLm) {
  if (!fs::exists(kMiniLm / "model.safetensors"))
    GTEST_SKIP() << "no " << kMiniLm << " (tools/get-model minilm)";
  const SentenceEncoder encoder = load_sentence_encoder(kMiniLm, "cpu");
  EXPECT_EQ(encoder.most_tokens, 256);
  EXPECT_EQ(embedder_of(encoder).name, "all-minilm-l6-v2");
  const Tensor wanted = SafetensorsFile(kFixtures / "minilm.safetensors").get("embeddings").clone();
  const std::vector<std::string> texts = fixture_texts();
  expect_equal(embedded(encoder, texts), wanted, texts, 1e-5);
}

TEST(Embeddings, HalfPrecisionWeightsAreWidened) {
  const TinyFolder tiny;
  NamedTensors halved, rounded;
  const SafetensorsFile file(tiny / "model.safetensors");
  for (const std::string& name : file.names()) {
    halved.emplace_back(name, file.get(name).to(at::kHalf));
    rounded.emplace_back(name, halved.back().second.to(at::kFloat));
  }
  write_safetensors(tiny / "model.safetensors", halved);
  const Tensor found = tiny.embedded();
  write_safetensors(tiny / "model.safetensors", rounded);
  EXPECT_TRUE(found.equal(tiny.embedded()));
}

TEST(Embeddings, BatchesAndOrderChangeNothing) {
  const SentenceEncoder encoder = load_sentence_encoder(kFixtures / "tiny", "cpu");
  std::vector<std::string> texts = fixture_texts();
  const Tensor wanted = embedded(encoder, texts);
  for (int64_t batch_tokens : {1, 30, 100, 100000}) {
    EmbedOptions options;
    options.batch_tokens = batch_tokens;
    size_t last = 0;
    options.on_step = [&](size_t done) { last = done; };
    expect_equal(embedded(encoder, texts, options), wanted, texts, 1e-6);
    EXPECT_EQ(last, texts.size());
  }
  std::reverse(texts.begin(), texts.end());
  expect_equal(embedded(encoder, texts).flip(0), wanted, fixture_texts(), 1e-6);
  EXPECT_EQ(embedded(encoder, {}).size(0), 0);
}

TEST(Embeddings, StopAndFaultyTextsAreErrors) {
  const SentenceEncoder encoder = load_sentence_encoder(kFixtures / "tiny", "cpu");
  const std::atomic<bool> stop{true};
  EmbedOptions options;
  options.stop = &stop;
  try {
    embedded(encoder, {"the keys"}, options);
    FAIL() << "went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInterrupted);
  }
  EXPECT_THROW(embedded(encoder, {"the \xff keys"}), Error);
  SentenceEncoder damaged = load_sentence_encoder(kFixtures / "tiny", "cpu");
  damaged.encoder.layers[1].up.bias.fill_(NAN);
  EXPECT_THROW(embedded(damaged, {"the keys"}), Error);
}

struct Fault {
  const char* file;
  const char* pointer;
  Json value;
  const char* message;
};

TEST(Embeddings, WhatCannotBeHonouredIsNamed) {
  const Fault faults[] = {
      {"config.json", "/architectures", {"RobertaModel"}, "'RobertaModel' is not supported as an encoder"},
      {"config.json", "/model_type", "distilbert", "'distilbert' is not supported as an encoder"},
      {"config.json", "/hidden_act", "mish", "'hidden_act': 'mish'"},
      {"config.json", "/position_embedding_type", "relative_key", "'position_embedding_type'"},
      {"config.json", "/is_decoder", true, "'is_decoder'"},
      {"config.json", "/num_attention_heads", 5, "not a multiple of 'num_attention_heads'"},
      {"config.json", "/layer_norm_eps", -1, "'layer_norm_eps'"},
      {"config.json", "/hidden_size", Json(), "'hidden_size': expected a positive number"},
      {"config.json", "/intermediate_size", 25,
       "intermediate.dense.weight is [24, 16], config.json asks for [25, 16]"},
      {"config.json", "/num_hidden_layers", 3, "encoder.layer.2.attention.self.query.weight' is missing"},
      {"config.json", "/vocab_size", 70, "the tokenizer has 76 tokens, the embedding only 70"},
      {"modules.json", "/2/type", "sentence_transformers.models.Dense", "models.Dense' is not supported"},
      {"modules.json", "/0/type", "a.StaticEmbedding", "modules.json[0]: module 'a.StaticEmbedding'"},
      {"modules.json", "/3", {{"type", "x.Normalize"}, {"path", ""}}, "modules.json[3]"},
      {"modules.json", "/1/path", 3, "field 'path'"},
      {"modules.json", "/1/path", "2_Pooling", "2_Pooling/config.json"},
      {"modules.json", "/1/path", "../1_Pooling", "modules.json[1]: names a folder outside"},
      {"1_Pooling/config.json", "", Json::array(), "1_Pooling/config.json: expected an object"},
      {"1_Pooling/config.json", "/pooling_mode_max_tokens", true,
       "'mean' with 'max_tokens' is not supported"},
      {"1_Pooling/config.json", "/pooling_mode", "lasttoken", "pooling 'lasttoken' is not supported"},
      {"sentence_bert_config.json", "/max_seq_length", 41,
       "max_seq_length: 41 tokens of a text, expected 3 to 40"},
      {"sentence_bert_config.json", "/max_seq_length", 2, "max_seq_length: 2 tokens"},
      {"sentence_bert_config.json", "/do_lower_case", true, "do_lower_case is not supported"},
      {"config_sentence_transformers.json", "/default_prompt_name", "query", "default_prompt_name"},
  };
  for (const Fault& fault : faults) {
    const TinyFolder tiny;
    tiny.change(fault.file, fault.pointer, fault.value);
    try {
      tiny.load();
      ADD_FAILURE() << fault.file << fault.pointer << " was taken";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kInput) << fault.pointer;
      EXPECT_THAT(e.what(), HasSubstr(fault.message)) << fault.file << fault.pointer;
    }
  }
  EXPECT_THROW(load_sentence_encoder(kFixtures / "nothing", "cpu"), Error);
}

TEST(Embeddings, TheEncoderRefusesImpossibleTokens) {
  const SentenceEncoder e = load_sentence_encoder(kFixtures / "tiny", "cpu");
  auto run = [&](const std::vector<int32_t>& ids) { return encode(e.encoder, pack({ids}, at::kCPU)); };
  EXPECT_EQ(run(std::vector<int32_t>(40, 5)).size(0), 40);
  EXPECT_THROW(run(std::vector<int32_t>(41, 5)), Error);
  EXPECT_THROW(run({2, 76, 3}), Error);
  EXPECT_THROW(run({2, -1, 3}), Error);
  EXPECT_THROW(run({}), Error);
}

// A chat model that knows the tiny encoder's tokens.
Model chat_model() {
  Json config = testing::small_config(24).json;
  config["vocab_size"] = 76;
  return init_model(parse_config(config, "test"), 5, {"cpu"});
}

TEST(Embeddings, AChatModelsHiddenStatesDoWithoutAnEncoder) {
  const Model model = chat_model();
  const Tokenizer tokenizer = Tokenizer::load(kFixtures / "tiny");
  const Embedder embedder = embedder_of(model, tokenizer, "hidden states of the seed");
  EXPECT_EQ(embedder.name, "hidden states of the seed");
  const std::vector<std::string> texts = fixture_texts();
  const Tensor found = embedder.embed(texts, {});
  at::NoGradGuard no_grad;
  std::vector<Tensor> wanted;
  for (const std::string& text : texts) {
    std::vector<int32_t> ids = tokenizer.encode(text, {true, false});
    if (ids.size() > 24) ids.resize(24), ids.back() = *tokenizer.id_of("[SEP]");
    wanted.push_back(forward(model, pack({ids}, at::kCPU)).mean(0));
  }
  expect_equal(found, at::stack(wanted), texts, 1e-5);
}

TEST(Embeddings, CosinesAreThoseOfTheRows) {
  const Tensor a = at::tensor({3.0f, 4.0f, 1.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 2.0f, 2.0f}).view({5, 2});
  const Tensor b = at::tensor({4.0f, 3.0f, -2.0f, 0.0f, 0.0f, 0.0f, 5.0f, 1.0f, 0.5f, 0.5f}).view({5, 2});
  const std::vector<double> found = cosines(a, b);
  const double wanted[] = {24.0 / 25, -1, 1, 0, 1};
  ASSERT_EQ(found.size(), std::size(wanted));
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-12) << i;
}

TEST(Embeddings, SimilarityIsOfPairs) {
  const SentenceEncoder encoder = load_sentence_encoder(kFixtures / "tiny", "cpu");
  const Embedder embedder = embedder_of(encoder);
  const std::vector<std::string> a = {"the keys", "the keys", "", "under"},
                                 b = {"the keys", "is (a)", "", "The keys!"};
  const Similarity found = similarity(embedder, a, b);
  EXPECT_EQ(found.embedder, "tiny");
  ASSERT_EQ(found.values.size(), 4u);
  EXPECT_NEAR(found.values[0], 1, 1e-12);
  EXPECT_NEAR(found.values[2], 1, 1e-12);
  const std::vector<double> wanted = cosines(embedder.embed(a, {}), embedder.embed(b, {}));
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(found.values[i], wanted[i], 1e-6) << i;
  EXPECT_LT(found.values[1], 0.9999);
  EXPECT_NEAR(found.mean, (wanted[0] + wanted[1] + wanted[2] + wanted[3]) / 4, 1e-6);
  EXPECT_TRUE(std::isnan(similarity(embedder, {}, {}).mean));
  EXPECT_THROW(similarity(embedder, {"a"}, {}), Error);
}

}  // namespace
}  // namespace sdft
