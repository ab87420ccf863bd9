// import and export, through the real executable.
#include "model/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "gguf_writer.h"
#include "model/gguf_folder.h"
#include "model/gguf_import.h"
#include "model/gguf_names.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "tensor/quantised.h"
#include "testing.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Row 2 i + s of a head in the file is row i + s D / 2 in the folder.
Tensor as_llama_cpp_has_it(const Tensor& rows, int64_t heads) {
  const int64_t size = rows.size(0) / heads;
  Tensor out = at::empty_like(rows);
  for (int64_t row = 0; row < rows.size(0); ++row)
    out[row].copy_(rows[row / size * size + row % size / 2 + row % 2 * (size / 2)]);
  return out;
}

void add_tokenizer(const fs::path& dir, GgufBytes* file) {
  const Json json = read_json(dir / "tokenizer.json"), config = read_json(dir / "tokenizer_config.json");
  std::vector<std::string> tokens(json["model"]["vocab"].size());
  std::vector<int> types(tokens.size(), 1);
  for (const auto& [token, id] : json["model"]["vocab"].items()) tokens.at(id) = token;
  for (const Json& added : json["added_tokens"]) types.at(added["id"]) = 3;
  Json merges = Json::array();
  for (const Json& merge : json["model"]["merges"])
    merges.push_back(merge.is_string() ? merge.get<std::string>()
                                       : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  file->key("tokenizer.ggml.model", "gpt2");
  file->key("tokenizer.ggml.pre", "gpt-2");
  file->key("tokenizer.ggml.tokens", tokens);
  file->key("tokenizer.ggml.token_type", types);
  file->key("tokenizer.ggml.merges", merges);
  file->key("tokenizer.ggml.bos_token_id", 1);
  file->key("tokenizer.ggml.eos_token_id", 3);
  file->key("tokenizer.ggml.padding_token_id", 0);
  file->key("tokenizer.chat_template", config["chat_template"]);
}

// Blocks of any codes, with scales of a hundredth.
std::string random_blocks(const GgufType& type, int64_t count) {
  const std::map<std::string, std::vector<size_t>> kScales = {
      {"Q4_0", {0}},      {"Q4_1", {0, 2}}, {"Q5_0", {0}},    {"Q5_1", {0, 2}}, {"Q8_0", {0}},
      {"Q2_K", {80, 82}}, {"Q3_K", {108}},  {"Q4_K", {0, 2}}, {"Q5_K", {0, 2}}, {"Q6_K", {208}}};
  Random random(5, type.name);
  std::string bytes;
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(type.elements)) {
    std::string block(type.bytes, '\0');
    for (char& byte : block) byte = static_cast<char>(random.below(256));
    for (const size_t at : kScales.at(type.name))
      block.replace(at, 2, GgufBytes::little(0x2000 + random.below(64), 2));
    bytes += block;
  }
  return bytes;
}

// quantised: the type of its matrices, else f32.
std::string as_gguf(const fs::path& dir, const GgufType* quantised = nullptr) {
  LoadOptions load;
  load.device = "cpu";
  Model model = load_model(dir, load);
  const ModelConfig& c = model.config;
  GgufBytes file;
  file.key("general.architecture", "llama");
  file.key("llama.context_length", c.max_position_embeddings);
  file.key("llama.embedding_length", c.hidden_size);
  file.key("llama.feed_forward_length", c.intermediate_size);
  file.key("llama.block_count", c.num_hidden_layers);
  file.key("llama.attention.head_count", c.num_attention_heads);
  file.key("llama.attention.head_count_kv", c.num_key_value_heads);
  file.key("llama.attention.layer_norm_rms_epsilon", c.rms_norm_eps);
  add_tokenizer(dir, &file);
  for (const auto& [name, weight] : named_parameters(model)) {
    Tensor x = *weight;
    if (name.find("q_proj") != std::string::npos) x = as_llama_cpp_has_it(x, c.num_attention_heads);
    if (name.find("k_proj") != std::string::npos) x = as_llama_cpp_has_it(x, c.num_key_value_heads);
    x = x.contiguous();
    const std::vector<uint64_t> shape(x.sizes().begin(), x.sizes().end());
    if (quantised && shape.size() == 2) {
      file.tensor(gguf_name(name, c).name, shape, quantised->id, random_blocks(*quantised, x.numel()));
      continue;
    }
    file.tensor(gguf_name(name, c).name, shape, 0,
                {static_cast<const char*>(x.data_ptr()), static_cast<size_t>(x.nbytes())});
  }
  return file.bytes();
}

class GgufCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    write_small_model(dir_ / "model");
    ::setenv("XDG_CACHE_HOME", path("cache").c_str(), 1);
  }
  void TearDown() override { ::unsetenv("XDG_CACHE_HOME"); }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  std::string answer(const std::string& model, const std::string& prompt,
                     const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {"generate", "--model",       path(model), "--prompt",
                                        prompt,     "--device",      "cpu",       "--max_new_tokens",
                                        "40",       "--temperature", "0"};
    command.insert(command.end(), more.begin(), more.end());
    const CommandResult result = run_command(command);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  ScratchDir dir_;
};

TEST_F(GgufCommands, ImportedIsTheSameModel) {
  write_text(dir_ / "m.gguf", as_gguf(dir_ / "model"));
  const CommandResult result = run_command({"import", path("m.gguf"), "--output", path("back")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, path("back") + "\n");
  const SafetensorsFile before(dir_ / "model" / "model.safetensors"),
      after(dir_ / "back" / "model.safetensors");
  ASSERT_EQ(before.names().size(), after.names().size());
  for (const std::string& name : before.names())
    EXPECT_TRUE(at::equal(before.get(name), after.get(name))) << name;
  for (const char* prompt : {"What is 4 plus 9?", "The answer is 7."})
    EXPECT_EQ(answer("back", prompt), answer("model", prompt));
  EXPECT_EQ(read_json(dir_ / "back" / "config.json")["torch_dtype"], "float32");
  const CommandResult shown = run_command({"inspect", path("m.gguf")});
  EXPECT_THAT(shown.out, ::testing::AllOf(HasSubstr("kind                      gguf"),
                                          HasSubstr("sdft import"), HasSubstr("blk.*.attn_q.weight")));
  // Not over a model that is there.
  EXPECT_EQ(run_command({"import", path("m.gguf"), "--output", path("back")}).exit_code, 3);
  const CommandResult half =
      run_command({"import", path("m.gguf"), "--output", path("half"), "--dtype", "bf16"});
  ASSERT_EQ(half.exit_code, 0) << half.err;
  const SafetensorsFile small(dir_ / "half" / "model.safetensors");
  EXPECT_EQ(small.get("model.norm.weight").scalar_type(), at::kBFloat16);
}

// A file is a model itself; its codes stay, and are the very numbers that importing makes of them.
TEST_F(GgufCommands, IsAModelItself) {
  SmallModel wide;
  wide.width = 256;
  wide.layers = 1;
  write_small_model(dir_ / "wide", wide);
  for (const uint32_t id : {2, 3, 6, 7, 8, 10, 11, 12, 13, 14}) {
    const GgufType& type = *find_gguf_type(id);
    const std::string file = std::string(type.name) + ".gguf", folder = std::string("of-") + type.name;
    write_text(dir_ / file, as_gguf(dir_ / "wide", &type));
    const CommandResult imported =
        run_command({"import", path(file), "--output", path(folder), "--dtype", "f32"});
    ASSERT_EQ(imported.exit_code, 0) << imported.err;
    LoadOptions load;
    load.device = "cpu";
    load.as_stored = true;
    Model kept = load_model(model_folder(dir_ / file), load), numbers = load_model(dir_ / folder, load);
    const auto weights = named_parameters(kept), exact = named_parameters(numbers);
    for (size_t i = 0; i < weights.size(); ++i) {
      const auto& [name, weight] = weights[i];
      EXPECT_EQ(ops::is_quantised(*weight), name.find("proj") != std::string::npos) << name;
      if (ops::is_quantised(*weight)) {
        EXPECT_TRUE(at::equal(ops::widened(*weight), *exact[i].second)) << type.name << " " << name;
      }
    }
    EXPECT_EQ(ops::is_quantised(kept.lm_head), kept.config.tie_word_embeddings);
    EXPECT_EQ(answer(file, "What is 4 plus 9?", {"--weights", "f32"}), answer(folder, "What is 4 plus 9?"));
    answer(file, "What is 4 plus 9?", {"--weights", "int8"});
    answer(file, "What is 4 plus 9?");
  }
  std::string bad = as_gguf(dir_ / "wide", find_gguf_type(8));
  const std::string block = random_blocks(*find_gguf_type(8), 32);
  bad.replace(bad.find(block), 2, GgufBytes::little(0x7c00, 2));
  write_text(dir_ / "bad.gguf", bad);
  const CommandResult refused = run_command({"generate", "--model", path("bad.gguf"), "--prompt", "x"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("bad.gguf"));
  write_text(dir_ / "words.gguf", "words");
  EXPECT_THAT(run_command({"generate", "--model", path("words.gguf"), "--prompt", "x"}).err,
              HasSubstr("is not a GGUF file"));
}

TEST_F(GgufCommands, ImportSaysWhatIsWrong) {
  const std::string good = as_gguf(dir_ / "model");
  auto refusal = [&](const std::string& bytes) {
    write_text(dir_ / "bad.gguf", bytes);
    const CommandResult result = run_command({"import", path("bad.gguf"), "--output", path("bad")});
    EXPECT_EQ(result.exit_code, 3) << result.err;
    EXPECT_FALSE(fs::exists(dir_ / "bad"));
    EXPECT_THAT(result.err, HasSubstr("bad.gguf"));
    return result.err;
  };
  auto replaced = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    bytes.replace(bytes.find(from), from.size(), to);
    return refusal(bytes);
  };
  EXPECT_THAT(refusal("words"), HasSubstr("is not a GGUF file"));
  EXPECT_THAT(refusal(good.substr(0, good.size() / 2)), HasSubstr("beyond the end"));
  EXPECT_THAT(replaced("gpt-2", "gpt-x"),
              HasSubstr("pre-tokenizer 'gpt-x' is not known (known: default, gpt-2"));
  EXPECT_THAT(replaced("blk.1.attn_q", "blk.1.attn_x"), HasSubstr("'blk.1.attn_q.weight': is missing"));
  EXPECT_THAT(replaced("output_norm.weight", "output_norm.whight"), HasSubstr("is missing"));
  EXPECT_EQ(run_command({"import", path("none.gguf"), "--output", path("bad")}).exit_code, 3);
  EXPECT_EQ(run_command({"import", path("bad.gguf")}).exit_code, 2);
}

TEST_F(GgufCommands, ExportsAnAdapter) {
  write_small_adapter(dir_ / "model", dir_ / "adapter");
  const std::vector<std::string> command = {"export",        "--model",  path("model"), "--adapter",
                                            path("adapter"), "--output", path("a.gguf")};
  const CommandResult result = run_command(command);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const GgufFile file(dir_ / "a.gguf");
  const SafetensorsFile adapter(dir_ / "adapter" / "adapter_model.safetensors");
  const std::string prefix = "base_model.model.model.layers.1.self_attn.";
  EXPECT_EQ(file.tensors().size(), adapter.names().size());
  EXPECT_TRUE(at::equal(file.get("blk.1.attn_q.weight.lora_a", at::kFloat),
                        adapter.get(prefix + "q_proj.lora_A.weight")));
  EXPECT_TRUE(at::equal(file.get("blk.1.attn_q.weight.lora_b", at::kFloat),
                        as_llama_cpp_has_it(adapter.get(prefix + "q_proj.lora_B.weight"), 4)));
  EXPECT_TRUE(at::equal(file.get("blk.1.attn_v.weight.lora_b", at::kFloat),
                        adapter.get(prefix + "v_proj.lora_B.weight")));
  EXPECT_EQ(run_command(command).exit_code, 3);  // is there already
  // An adapter is no model.
  EXPECT_EQ(run_command({"import", path("a.gguf"), "--output", path("m")}).exit_code, 3);
}

TEST_F(GgufCommands, ExportedIsTheSameModel) {
  const CommandResult result = run_command({"export", "--model", path("model"), "--output", path("m.gguf")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, path("m.Modelfile") + "\n" + path("m.gguf") + "\n");
  EXPECT_THAT(
      read_text(dir_ / "m.Modelfile"),
      ::testing::MatchesRegex("FROM ./m.gguf\n(PARAMETER stop \"[^\"]+\"\n)+PARAMETER num_ctx 192\n"));
  const CommandResult back = run_command({"import", path("m.gguf"), "--output", path("back")});
  ASSERT_EQ(back.exit_code, 0) << back.err;
  const SafetensorsFile before(dir_ / "model" / "model.safetensors"),
      after(dir_ / "back" / "model.safetensors");
  ASSERT_EQ(before.names().size(), after.names().size());
  for (const std::string& name : before.names())
    EXPECT_TRUE(at::equal(before.get(name), after.get(name))) << name;
  for (const char* prompt : {"What is 4 plus 9?", "The  answer isn't\n\n 77."})
    EXPECT_EQ(answer("m.gguf", prompt), answer("model", prompt));
  EXPECT_EQ(run_command({"export", "--model", path("model"), "--output", path("m.gguf")}).exit_code, 3);
  // A GGUF file is exported as a folder is.
  ASSERT_EQ(
      run_command({"export", "--model", path("m.gguf"), "--output", path("again.gguf"), "--outtype", "f32"})
          .exit_code,
      0);
  const GgufFile once(dir_ / "m.gguf"), again(dir_ / "again.gguf");
  for (const auto& item : once.tensors())
    EXPECT_TRUE(at::equal(once.get(item.first, at::kFloat), again.get(item.first, at::kFloat))) << item.first;
}

TEST_F(GgufCommands, ExportsFewBitsAndSaysWhatDoesNotFit) {
  SmallModel wide;
  wide.width = 288;
  wide.layers = 1;
  write_small_model(dir_ / "wide", wide);
  for (const auto& [name, error] :
       {std::pair("f16", 0.001), {"bf16", 0.005}, {"q8_0", 0.01}, {"q4_k_m", 0.07}, {"q4_0", 0.12}}) {
    const std::string file = std::string(name) + ".gguf";
    const CommandResult result =
        run_command({"export", "--model", path("wide"), "--output", path(file), "--outtype", name});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    if (name == std::string("q4_k_m")) {
      EXPECT_THAT(
          result.err,
          HasSubstr(
              "blk.*.attn_q.weight: Q5_0 in place of Q4_K, whose blocks of 256 do not fit into rows of 288"));
    }
    if (name == std::string("q8_0")) {
      EXPECT_EQ(result.err, "");
    }
    const GgufFile written(dir_ / file);
    const SafetensorsFile own(dir_ / "wide" / "model.safetensors");
    const Tensor x = own.get("model.layers.0.mlp.up_proj.weight"),
                 y = written.get("blk.0.ffn_up.weight", at::kFloat);
    EXPECT_LT((x - y).norm().item<double>(), error * x.norm().item<double>()) << name;
    EXPECT_TRUE(at::equal(own.get("model.norm.weight"), written.get("output_norm.weight", at::kFloat)));
    answer(file, "What is 4 plus 9?");
  }
}

TEST_F(GgufCommands, ExportsTheMergedModel) {
  write_small_adapter(dir_ / "model", dir_ / "adapter");
  ASSERT_EQ(run_command(
                {"merge", "--model", path("model"), "--adapter", path("adapter"), "--output", path("merged")})
                .exit_code,
            0);
  ASSERT_EQ(run_command({"export", "--model", path("merged"), "--output", path("a.gguf")}).exit_code, 0);
  ASSERT_EQ(run_command({"export", "--model", path("model"), "--adapter", path("adapter"), "--merge",
                         "--output", path("b.gguf")})
                .exit_code,
            0);
  const GgufFile a(dir_ / "a.gguf"), b(dir_ / "b.gguf");
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const auto& item : a.tensors())
    EXPECT_TRUE(at::equal(a.get(item.first, at::kFloat), b.get(item.first, at::kFloat))) << item.first;
  // An adapter alone.
  const std::vector<std::string> alone = {"export",        "--model",  path("model"),  "--adapter",
                                          path("adapter"), "--output", path("l.gguf"), "--outtype"};
  const auto with = [&](const char* type) {
    std::vector<std::string> command = alone;
    command.emplace_back(type);
    return run_command(command);
  };
  EXPECT_THAT(with("q4_0").err, HasSubstr("--merge"));
  const CommandResult eight = with("q8_0");
  ASSERT_EQ(eight.exit_code, 0) << eight.err;
  EXPECT_THAT(eight.err, HasSubstr("lora_b: F16 in place of Q8_0"));
}

TEST_F(GgufCommands, ExportSaysWhatIsWrong) {
  const auto refused = [&](std::vector<std::string> more, int code) {
    std::vector<std::string> command = {"export", "--model", path("model")};
    command.insert(command.end(), more.begin(), more.end());
    const CommandResult result = run_command(command);
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_FALSE(fs::exists(dir_ / "x.gguf"));
    return result.err;
  };
  EXPECT_THAT(refused({}, 2), HasSubstr("--output"));
  EXPECT_THAT(refused({"--merge", "--output", path("x.gguf")}, 2), HasSubstr("--adapter"));
  EXPECT_THAT(refused({"--output", path("x.gguf"), "--outtype", "q3_k"}, 2), HasSubstr("q4_k_m"));
  refused({"--output", path("x.gguf"), "--verify", "http://localhost:1"}, 2);
  EXPECT_THAT(refused({"--verify", "nowhere"}, 2), HasSubstr("nowhere"));
  EXPECT_THAT(refused({"--verify", "http://127.0.0.1:1"}, 3), HasSubstr("llama-server"));
  // Another way to cut text, which has no name in a GGUF file.
  Json json = read_json(dir_ / "model" / "tokenizer.json");
  json["pre_tokenizer"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  write_text(dir_ / "model" / "tokenizer.json", json.dump());
  EXPECT_THAT(refused({"--output", path("x.gguf")}, 3), HasSubstr("would cut text into other tokens"));
  // Positions that it has no words for.
  json["pre_tokenizer"]["add_prefix_space"] = false;
  write_text(dir_ / "model" / "tokenizer.json", json.dump());
  Json config = read_json(dir_ / "model" / "config.json");
  config["rope_scaling"] = {{"rope_type", "dynamic"}, {"factor", 2.0}};
  write_text(dir_ / "model" / "config.json", config.dump());
  EXPECT_THAT(refused({"--output", path("x.gguf")}, 3), HasSubstr("dynamic"));
}

TEST_F(GgufCommands, WithoutThePreTokenizersNameItSaysWhatItTakes) {
  std::string bytes = as_gguf(dir_ / "model");
  const std::string key = "tokenizer.ggml.pre";
  bytes.replace(bytes.find(key), key.size(), "tokenizer.ggml.old");
  write_text(dir_ / "old.gguf", bytes);
  const CommandResult result = run_command({"import", path("old.gguf"), "--output", path("old")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, ::testing::AllOf(HasSubstr("tokenizer.ggml.pre"), HasSubstr("'default'")));
}

// A SentencePiece vocabulary: piece and type, and what else the metadata says.
Tokenizer sentencepiece_vocabulary(const std::vector<std::pair<std::string, int>>& pieces,
                                   const std::vector<std::pair<std::string, Json>>& more,
                                   const fs::path& dir) {
  std::vector<std::string> tokens;
  std::vector<int> types;
  Json scores = Json::array();
  for (const auto& [token, type] : pieces) {
    tokens.push_back(token);
    types.push_back(type);
    scores.push_back(-static_cast<double>(scores.size()) - 0.5);
  }
  GgufBytes file;
  file.key("tokenizer.ggml.model", "llama");
  file.key("tokenizer.ggml.tokens", tokens);
  file.key("tokenizer.ggml.token_type", types);
  file.key("tokenizer.ggml.scores", scores);
  for (const auto& [key, value] : more) file.key(key, value);
  write_text(dir / "v.gguf", file.bytes());
  for (const auto& [name, bytes] : gguf_tokenizer_files(GgufFile(dir / "v.gguf")))
    write_text(dir / name, bytes);
  return Tokenizer::load(dir);
}

// Gemma's user-defined pieces hold plain spaces, and are found before spaces become "\u2581".
TEST(GgufVocabulary, RunsOfSpacesAreTokens) {
  ScratchDir dir;
  const Tokenizer tokenizer = sentencepiece_vocabulary({{"<pad>", 3},
                                                        {"<eos>", 3},
                                                        {"<bos>", 3},
                                                        {"<unk>", 3},
                                                        {"\n", 4},
                                                        {"\n\n", 4},
                                                        {"  ", 4},
                                                        {"   ", 4},
                                                        {"\t", 4},
                                                        {"<b>", 4},
                                                        {"▁", 1},
                                                        {"a", 1},
                                                        {"b", 1},
                                                        {"▁b", 1}},
                                                       {{"tokenizer.ggml.add_space_prefix", false},
                                                        {"tokenizer.ggml.bos_token_id", 2},
                                                        {"tokenizer.ggml.unknown_token_id", 3}},
                                                       dir.path());
  const std::vector<std::pair<std::string, std::vector<int32_t>>> cases = {
      {"a b", {11, 13}},
      {"a  b", {11, 6, 12}},
      {"a   b", {11, 7, 12}},
      {"a     b", {11, 7, 6, 12}},
      {"  b", {6, 12}},
      {"a\n   b\n\n\n", {11, 4, 7, 12, 5, 4}},
      {"\t b<b>b", {8, 13, 9, 12}},
      {"a  <bos>", {11, 6, 2}}};
  for (const auto& [text, ids] : cases) {
    EXPECT_EQ(tokenizer.encode(text), ids) << text;
    EXPECT_EQ(tokenizer.decode(ids, false), text);
  }
  // Not special: text that must stay text has them too.
  EXPECT_EQ(tokenizer.encode("a  b", {false, false}), (std::vector<int32_t>{11, 6, 12}));
  const Json listed = read_json(dir / "tokenizer_config.json")["added_tokens_decoder"];
  EXPECT_EQ(listed["6"]["content"], "  ");
  EXPECT_EQ(listed["6"]["special"], false);
  EXPECT_EQ(listed["2"]["special"], true);
}

// Phi-3's fillers are of type unknown; its special tokens take the white space behind them along.
TEST(GgufVocabulary, ManyUnknownTokens) {
  ScratchDir dir;
  const Tokenizer tokenizer = sentencepiece_vocabulary({{"<unk>", 2},
                                                        {"<s>", 3},
                                                        {"</s>", 4},
                                                        {"▁", 1},
                                                        {"a", 1},
                                                        {"▁a", 1},
                                                        {"<|user|>", 3},
                                                        {"[PAD7]", 2},
                                                        {"[PAD8]", 2},
                                                        {"", 5}},
                                                       {{"general.name", "Phi-3 Mini"},
                                                        {"tokenizer.ggml.bos_token_id", 1},
                                                        {"tokenizer.ggml.unknown_token_id", 0}},
                                                       dir.path());
  EXPECT_EQ(tokenizer.encode("<|user|>\na"), (std::vector<int32_t>{6, 5}));
  EXPECT_EQ(tokenizer.encode("<s> a"), (std::vector<int32_t>{1, 3, 5}));
  EXPECT_EQ(tokenizer.encode("[PAD8]"), std::vector<int32_t>{8});
  for (const int32_t id : {0, 1, 6, 7, 8}) EXPECT_TRUE(tokenizer.is_special(id)) << id;
  for (const int32_t id : {2, 5, 9}) EXPECT_FALSE(tokenizer.is_special(id)) << id;
}

// llama.cpp's own vocabularies, texts and ids.
TEST(GgufVocabulary, LlamaCppTables) {
  for (const std::string name : {"gpt-2", "llama-spm"}) {
    const fs::path base = fixture("tokenizers/llama_cpp") / ("ggml-vocab-" + name + ".gguf");
    REQUIRE_FIXTURE(base);
    ScratchDir dir;
    for (const auto& [file, bytes] : gguf_tokenizer_files(GgufFile(base))) write_text(dir / file, bytes);
    const Tokenizer tokenizer = Tokenizer::load(dir.path());
    const std::string texts = read_text(base.string() + ".inp"), between = "\n__ggml_vocab_test__\n";
    size_t begin = 0, checked = 0;
    for (const std::string& line : lines_of(read_text(base.string() + ".out"))) {
      const size_t end = texts.find(between, begin);
      std::string found;
      for (int32_t id : tokenizer.encode(texts.substr(begin, end - begin))) found += " " + std::to_string(id);
      EXPECT_EQ(found, line == " " ? "" : line) << name << " " << checked;
      ++checked;
      if (end == std::string::npos) break;
      begin = end + between.size();
    }
    EXPECT_GT(checked, 40u);
  }
}

// tokenizer.json is for Transformers, tokenizer.model for llama.cpp's converter.
TEST(GgufVocabulary, BothFilesSayTheSame) {
  const fs::path base = fixture("tokenizers/llama_cpp") / "ggml-vocab-llama-spm.gguf";
  REQUIRE_FIXTURE(base);
  ScratchDir dir;
  for (const auto& [file, bytes] : gguf_tokenizer_files(GgufFile(base))) write_text(dir / file, bytes);
  const Tokenizer json = Tokenizer::load(dir.path());
  fs::remove(dir / "tokenizer.json");
  Json config = read_json(dir / "tokenizer_config.json");
  config["tokenizer_class"] = "LlamaTokenizer";
  write_text(dir / "tokenizer_config.json", config.dump());
  const Tokenizer model = Tokenizer::load(dir.path());
  std::string text = read_text(base.string() + ".inp");
  for (const std::string& more :
       {std::string(40, ' '), std::string("  a  \t<s> b</s>c  "), std::string(50, '\n')})
    text += "\n" + more;
  text += read_text(fs::path(SDFT_SOURCE_DIR) / "src/model/weights.cpp");
  for (const std::string& line : lines_of(text)) {
    const std::vector<int32_t> ids = json.encode(line, {true, true});
    EXPECT_EQ(ids, model.encode(line, {true, true})) << line;
    EXPECT_EQ(json.decode(ids), model.decode(ids)) << line;
  }
  EXPECT_EQ(json.encode(text), model.encode(text));
}

}  // namespace
}  // namespace sdft::testing
