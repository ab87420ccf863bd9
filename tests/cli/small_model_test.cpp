#include "cli/small_model.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "model/lora.h"
#include "testing.h"
#include "text/tokenizer/bpe_trainer.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft::testing {
namespace fs = std::filesystem;

namespace {
void write_tokenizer(const fs::path& dir, bool chat_template) {
  BpeTrainerOptions options;
  options.vocab_size = 320;
  options.special_tokens = {"<pad>", "<bos>", "<turn>", "<end>"};
  std::vector<std::string> texts;
  for (int i = 1; i < 30; ++i) {
    texts.push_back("What is " + std::to_string(i) + " plus " + std::to_string(3 * i) + "?");
    texts.push_back("The answer is " + std::to_string(4 * i) + ".");
  }
  write_text(dir / "tokenizer.json", train_bpe(texts, options));
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"bos_token", "<bos>"},
                 {"eos_token", "<end>"},
                 {"pad_token", "<pad>"}};
  if (chat_template)
    config["chat_template"] =
        "{{ bos_token }}{% for m in messages %}<turn>{{ m['role'] }}: {{ m['content'] }}<end>\n{% endfor %}"
        "{% if add_generation_prompt %}<turn>assistant: {% endif %}";
  write_text(dir / "tokenizer_config.json", config.dump(2));
}
}  // namespace

void write_text(const fs::path& path, const std::string& text) { write_file_atomic(path, text); }

void write_small_model(const fs::path& dir, const SmallModel& options) {
  fs::create_directories(dir);
  write_tokenizer(dir, options.chat_template);
  const Json config = {{"architectures", {"LlamaForCausalLM"}},
                       {"model_type", "llama"},
                       {"hidden_act", "silu"},
                       {"vocab_size", Tokenizer::load(dir).vocab_size() + options.spare_rows},
                       {"hidden_size", options.width},
                       {"intermediate_size", 2 * options.width},
                       {"num_hidden_layers", options.layers},
                       {"num_attention_heads", 4},
                       {"num_key_value_heads", 2},
                       {"max_position_embeddings", options.context},
                       {"rms_norm_eps", 1e-5},
                       {"tie_word_embeddings", true},
                       {"bos_token_id", 1},
                       {"eos_token_id", 3}};
  LoadOptions load;
  load.device = "cpu";
  load.dtype = "f32";
  Model model = init_model(parse_config(config, "small model"), options.seed, load);
  // Weights of 0.02 all answer alike; stronger ones make every prompt's answer another.
  for (auto& [name, tensor] : named_parameters(model))
    if (name.find("norm") == std::string::npos) tensor->mul_(8);
  save_model(model, dir, "", at::kFloat);
}

void write_small_adapter(const fs::path& model_dir, const fs::path& dir) {
  LoadOptions load;
  load.device = "cpu";
  Model model = load_model(model_dir, load);
  LoraConfig config;
  config.rank = 4;
  Adapter adapter = init_adapter(model, config, 5);
  Random random(6);
  for (auto& [name, pair] : adapter.pairs)
    for (int64_t i = 0; i < pair.b.numel(); ++i)
      pair.b.data_ptr<float>()[i] = static_cast<float>(random.normal());
  save_adapter(adapter, dir, model_dir.string());
}

std::string small_dataset(int examples, int first) {
  std::string text;
  for (int i = first; i < first + examples; ++i) {
    const Json line = {{"instruction", "What is " + std::to_string(i) + " plus 7?"},
                       {"output", "The answer is " + std::to_string(i + 7) + "."}};
    text += line.dump() + "\n";
  }
  return text;
}

TEST(SmallModel, IsAModelFolder) {
  ScratchDir dir;
  write_small_model(dir / "model");
  EXPECT_EQ(load_model(dir / "model").config.num_hidden_layers, 2);
  write_small_adapter(dir / "model", dir / "adapter");
  EXPECT_TRUE(fs::exists(dir / "adapter" / "adapter_model.safetensors"));
}

}  // namespace sdft::testing
