// Whole tokenizers against what Hugging Face tokenizers, SentencePiece and llama.cpp give for them.
#include <gmock/gmock.h>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "testing.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft {
namespace {

namespace fs = std::filesystem;
using testing::fixture;
using testing::ScratchDir;
using Ids = std::vector<int32_t>;

// A folder with the one file under the name that a model folder has.
Tokenizer load_as(const fs::path& file, const std::string& name, const std::string& config = "") {
  ScratchDir dir;
  write_file_atomic(dir / name, read_text(file));
  if (!config.empty()) write_file_atomic(dir / "tokenizer_config.json", config);
  return Tokenizer::load(dir.path());
}

std::string streamed(const Tokenizer& tokenizer, const Ids& ids, bool skip_special) {
  StreamDecoder stream(tokenizer, skip_special);
  std::string text;
  for (int32_t id : ids) text += stream.add(id);
  return text + stream.finish();
}

struct Check {
  bool add_special = false;
  bool decode = true;
  bool parse_special = true;
};

void check_cases(const Tokenizer& tokenizer, const fs::path& file, Check check) {
  const Json cases = read_json(file).at("cases");
  ASSERT_FALSE(cases.empty());
  for (const Json& c : cases) {
    const auto text = c["text"].get<std::string>();
    const auto ids = c["ids"].get<Ids>();
    EXPECT_EQ(tokenizer.encode(text, {check.add_special, check.parse_special}), ids) << text;
    const std::string decoded = tokenizer.decode(ids, false);
    if (check.decode) {
      EXPECT_EQ(decoded, c["decoded"].get<std::string>());
    }
    EXPECT_EQ(streamed(tokenizer, ids, false), decoded);
    EXPECT_EQ(streamed(tokenizer, ids, true), tokenizer.decode(ids, true));
  }
}

class HfFolder : public ::testing::TestWithParam<const char*> {};

TEST_P(HfFolder, GivesTheSameIdsAndText) {
  const auto dir = fixture("tokenizers/hf") / GetParam();
  const std::string vectors = std::string(GetParam()) == "llama2_derived" ? "llama2" : GetParam();
  const auto file = fixture("tokenizers/vectors") / (vectors + ".corpus.json");
  REQUIRE_FIXTURE(file);
  check_cases(Tokenizer::load(dir), file, {});
}
INSTANTIATE_TEST_SUITE_P(Fixtures, HfFolder,
                         ::testing::Values("gpt2", "qwen2_5", "mistral_v1", "llama2_derived"));

TEST(TokenizerFixture, Tables) {
  const auto vectors = fixture("tokenizers/vectors"), hf = fixture("tokenizers/hf");
  REQUIRE_FIXTURE(vectors);
  check_cases(Tokenizer::load(hf / "llama2_derived"), vectors / "llama2.hf_tables.json", {true});
  // Transformers takes spaces before punctuation away when it decodes with GPT-2, the tokenizer itself does
  // not.
  check_cases(Tokenizer::load(hf / "gpt2"), vectors / "gpt2.hf_tables.json", {true, false});
}

TEST(TokenizerFixture, SentencePieceOfLlama2) {
  const auto vectors = fixture("tokenizers/vectors");
  REQUIRE_FIXTURE(vectors);
  const auto tokenizer =
      load_as(fixture("tokenizers/sentencepiece/llama2_tokenizer.model"), "tokenizer.model");
  check_cases(tokenizer, vectors / "llama2.corpus.json", {});
  check_cases(tokenizer, vectors / "llama2.hf_tables.json", {true});
}

TEST(TokenizerFixture, SentencePieceOfMistral) {
  const auto file = fixture("tokenizers/sentencepiece/tokenizer.model.v1");
  REQUIRE_FIXTURE(file);
  check_cases(load_as(file, "tokenizer.model"), fixture("tokenizers/vectors/mistral_v1.corpus.json"), {});
}

TEST(TokenizerFixture, OtherSentencePieceModels) {
  REQUIRE_FIXTURE(fixture("tokenizers/sentencepiece"));
  for (const char* name :
       {"torchtune/sentencepiece.model", "sentencepiece/hf_test_sentencepiece_bpe_char.model"}) {
    const auto tokenizer = load_as(fixture("tokenizers") / name, "tokenizer.model");
    const std::string text = "This is a test, and it comes back.";
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << name;
  }
}

class SentencePieceFile : public ::testing::TestWithParam<const char*> {};

TEST_P(SentencePieceFile, GivesTheSameIds) {
  const auto file = fixture("tokenizers/vectors") / ("spm_" + std::string(GetParam()) + ".json");
  REQUIRE_FIXTURE(file);
  const auto tokenizer = load_as(fixture("tokenizers/sentencepiece") / GetParam(), "tokenizer.model");
  check_cases(tokenizer, file, {false, false, false});
  const Json cases = read_json(file).at("cases");
  for (const Json& c : cases) {  // SentencePiece writes an unknown piece otherwise
    const auto ids = c["ids"].get<Ids>();
    if (std::find(ids.begin(), ids.end(), 0) == ids.end()) {
      EXPECT_EQ(tokenizer.decode(ids), c["decoded"].get<std::string>());
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Fixtures, SentencePieceFile,
                         ::testing::Values("tok512.model", "hf_test_sentencepiece.model",
                                           "hf_test_sentencepiece_bpe.model"));

TEST(TokenizerFixture, SlowTokenizerOfStories) {
  const auto dir = fixture("weights/stories260k-hf");
  REQUIRE_FIXTURE(dir);
  const auto tokenizer = Tokenizer::load(dir);
  const Json cases = read_json(dir / "golden.json").at("tokenizer_slow_hf");
  for (const Json& c : cases) {
    EXPECT_EQ(tokenizer.encode(c["text"].get<std::string>(), {true, true}), c["ids"].get<Ids>()) << c["text"];
    EXPECT_EQ(tokenizer.decode(c["ids"].get<Ids>()), c["decoded"].get<std::string>());
  }
}

std::vector<std::string> split_on(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t found; (found = text.find(separator, at)) != std::string::npos; at = found + separator.size())
    parts.push_back(text.substr(at, found - at));
  parts.push_back(text.substr(at));
  return parts;
}

void check_llama_cpp(const Tokenizer& tokenizer, const std::string& name) {
  const auto base = fixture("tokenizers/llama_cpp") / ("ggml-vocab-" + name + ".gguf");
  const auto texts = split_on(read_text(base.string() + ".inp"), "\n__ggml_vocab_test__\n");
  const auto lines = split_on(read_text(base.string() + ".out"), "\n");
  ASSERT_EQ(texts.size(), lines.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    Ids ids;
    for (const auto& number : split_on(lines[i], " "))
      if (!number.empty()) ids.push_back(std::stoi(number));
    EXPECT_EQ(tokenizer.encode(texts[i]), ids) << name << ": " << texts[i];
  }
}

TEST(TokenizerFixture, LlamaCppTables) {
  REQUIRE_FIXTURE(fixture("tokenizers/llama_cpp"));
  check_llama_cpp(Tokenizer::load(fixture("tokenizers/hf/gpt2")), "gpt-2");
  check_llama_cpp(Tokenizer::load(fixture("tokenizers/hf/qwen2_5")), "qwen2");
  check_llama_cpp(load_as(fixture("tokenizers/sentencepiece/llama2_tokenizer.model"), "tokenizer.model"),
                  "llama-spm");
}

TEST(TokenizerFixture, SwiftTables) {
  const auto dir = fixture("tokenizers/swift");
  REQUIRE_FIXTURE(dir);
  const Json tables = read_json(dir / "tokenizer_tests.json");
  const std::vector<std::pair<std::string, Tokenizer>> models = [] {
    std::vector<std::pair<std::string, Tokenizer>> list;
    list.emplace_back("distilgpt2", Tokenizer::load(fixture("tokenizers/hf/gpt2")));
    list.emplace_back("coreml-projects/Llama-2-7b-chat-coreml",
                      Tokenizer::load(fixture("tokenizers/hf/llama2_derived")));
    return list;
  }();
  for (const auto& [name, tokenizer] : models) {
    for (const Json& c : tables.at(name)) {
      const auto text = c["input"].get<std::string>();
      const auto ids = c["encoded"]["input_ids"].get<Ids>();
      EXPECT_EQ(tokenizer.encode(text, {true, true}), ids) << name << ": " << text;
      EXPECT_EQ(tokenizer.decode(ids), text) << name;
    }
  }
  const Json gpt2 = read_json(dir / "gpt2_encoded_tokens.json");
  EXPECT_EQ(models[0].second.encode(gpt2["text"].get<std::string>()), gpt2["token_ids"].get<Ids>());
  EXPECT_EQ(models[0].second.decode(gpt2["token_ids"].get<Ids>()), gpt2["decoded_text"].get<std::string>());
}

TEST(TokenizerFixture, Torchtune) {
  const auto dir = fixture("tokenizers/torchtune");
  REQUIRE_FIXTURE(dir);
  const auto spm = load_as(dir / "m.model", "tokenizer.model");
  EXPECT_EQ(spm.encode("Hello world!", {true, true}), (Ids{1, 12, 1803, 1024, 103}));
  EXPECT_EQ(spm.decode({1, 12, 1803, 1024, 103, 2}), "Hello world!");
  EXPECT_EQ(spm.bos_id(), 1);
  EXPECT_EQ(spm.eos_id(), 2);
  EXPECT_EQ(spm.pad_id(), std::nullopt);
  EXPECT_EQ(spm.vocab_size(), 2000);

  const auto small = Tokenizer::load(dir);  // byte-level, its named special tokens are in no vocabulary
  EXPECT_EQ(small.vocab_size(), 2000);
  EXPECT_EQ(small.eos_id(), std::nullopt);
  const auto tiny = load_as(dir / "tiny_bpe_tokenizer.json", "tokenizer.json");
  const Json vocab = read_json(dir / "tiny_bpe_vocab.json");
  for (const auto& [token, id] : vocab.items()) EXPECT_EQ(tiny.id_of(token), id.get<int32_t>());
  EXPECT_EQ(tiny.encode("<|im_start|>"), Ids{2001});
  for (const std::string text : {"Hello world, it's me!", "  a   b  "}) {  // they lack some bytes
    EXPECT_EQ(small.decode(small.encode(text)), text);
    EXPECT_EQ(tiny.decode(tiny.encode(text)), text);
  }
}

TEST(TokenizerFixture, LongTextsComeBack) {
  const auto file = fixture("tokenizers/sentencepiece/botchan.txt");
  REQUIRE_FIXTURE(file);
  const std::string text = read_text(file);
  for (const char* name : {"gpt2", "qwen2_5", "mistral_v1", "llama2_derived"}) {
    const auto tokenizer = Tokenizer::load(fixture("tokenizers/hf") / name);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << name;
  }
  // The same model, once through its own library and once as a tokenizer.json.
  const auto spm = load_as(fixture("tokenizers/sentencepiece/llama2_tokenizer.model"), "tokenizer.model");
  EXPECT_EQ(spm.encode(text), Tokenizer::load(fixture("tokenizers/hf/llama2_derived")).encode(text));
}

}  // namespace
}  // namespace sdft
