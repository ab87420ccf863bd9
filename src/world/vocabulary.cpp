#include <utility>

#include "base/file.h"
#include "text/tokenizer/bpe_trainer.h"
#include "world/world.h"

namespace sdft {
namespace {

// What stands around instruction and reference answer in a rewriting prompt. The corpus holds only the
// template's name; without these texts the most frequent words of such prompts would be cut into pieces.
constexpr std::pair<const char*, const char*> kFrames[] = {
    {"chat_distill_using",
     "Below are an instruction that describes a task along with a reference answer. Using the reference "
     "answer as a "
     "guide, write your own response.\n### Instruction:\n\n### Reference Answer:\n\n### Response:\n"},
    {"chat_distill_refer",
     "Below are an instruction that describes a task along with a reference answer. Refer to the reference "
     "answer and "
     "write your own response.\n### Instruction:\n\n### Reference Answer:\n\n### Response:\n"},
};

}  // namespace

const std::string& world_chat_template() {
  static const std::string text =
      "{{ bos_token }}{% for message in messages %}"
      "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}"
      "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";
  return text;
}

void write_world_tokenizer(const std::filesystem::path& corpus, int vocab_size,
                           const std::filesystem::path& dir) {
  std::vector<std::string> texts;
  for_each_line(
      corpus,
      [&](std::string_view line, size_t number) {
        std::string where = corpus.string() + ":" + std::to_string(number);
        Json record = parse_json(line, where);
        std::string prompt = value_or<std::string>(record, "template", "chat", where);
        for (const auto& [name, frame] : kFrames) {
          if (prompt == name) texts.emplace_back(frame);
        }
        for (const char* field : {"instruction", "output", "reference", "system"}) {
          std::string text = value_or<std::string>(record, field, "", where);
          if (!text.empty()) texts.push_back(std::move(text));
        }
      },
      true);
  BpeTrainerOptions options;
  options.vocab_size = vocab_size;
  options.special_tokens = {"<|pad|>", "<|bos|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"};
  std::string tokenizer = train_bpe(texts, options);
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"bos_token", "<|bos|>"},
                 {"eos_token", "<|end|>"},
                 {"pad_token", "<|pad|>"},
                 {"add_bos_token", false},
                 {"clean_up_tokenization_spaces", false},
                 {"model_max_length", 512},
                 {"chat_template", world_chat_template()}};
  make_directories(dir);
  write_file_atomic(dir / "tokenizer.json", tokenizer);
  write_json(dir / "tokenizer_config.json", config);
}

}  // namespace sdft
