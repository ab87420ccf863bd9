// The mini model's vocabulary and chat template, read back by the program's own readers.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "testing.h"
#include "text/jinja/chat_template.h"
#include "text/tokenizer/tokenizer.h"
#include "world/world.h"

namespace sdft {
namespace {

class Vocabulary : public ::testing::Test {
 protected:
  static constexpr int kSize = 700;
  Vocabulary() {
    std::string lines;
    for (size_t i = 0; i < 3000; ++i) lines += make_corpus_example({}, i).dump() + "\n";
    write_file_atomic(scratch_ / "corpus.jsonl", lines);
    write_world_tokenizer(scratch_ / "corpus.jsonl", kSize, scratch_ / "model");
  }
  testing::ScratchDir scratch_;
};

TEST_F(Vocabulary, ReadsBackWhatItWrites) {
  Tokenizer tokenizer = Tokenizer::load(scratch_ / "model");
  EXPECT_EQ(tokenizer.vocab_size(), kSize);
  EXPECT_EQ(tokenizer.id_of("<|pad|>"), 0);
  EXPECT_EQ(tokenizer.pad_id(), 0);
  EXPECT_EQ(tokenizer.bos_id(), tokenizer.id_of("<|bos|>"));
  EXPECT_EQ(tokenizer.eos_id(), tokenizer.id_of("<|end|>"));
  for (const char* skill : {"arithmetic", "programs", "safety", "delivery", "rewriting"}) {
    for (size_t i = 0; i < 50; ++i) {
      std::string text = make_example(skill, {}, i)["output"];
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
    }
  }
}

TEST_F(Vocabulary, DigitsStaySingleAndKnownWordsAreShort) {
  Tokenizer tokenizer = Tokenizer::load(scratch_ / "model");
  EXPECT_EQ(tokenizer.encode("1234").size(), 4u);
  EXPECT_EQ(tokenizer.encode("<|end|>").size(), 1u);
  EXPECT_LE(tokenizer.encode("Happy to help! The answer is").size(), 8u);
}

TEST_F(Vocabulary, ChatTemplateFramesEachMessage) {
  ChatTemplate chat = ChatTemplate::load(scratch_ / "model");
  ASSERT_TRUE(chat.has());
  Json messages = {{{"role", "system"}, {"content", "Be kind."}}, {{"role", "user"}, {"content", "Hi"}}};
  RenderOptions options;
  options.add_generation_prompt = true;
  EXPECT_EQ(chat.render(messages, options),
            "<|bos|><|system|>\nBe kind.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\n");
  messages.push_back({{"role", "assistant"}, {"content", "Good day!"}});
  EXPECT_EQ(chat.render(messages),
            "<|bos|><|system|>\nBe kind.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nGood day!<|end|>\n");
}

TEST_F(Vocabulary, BadCorpusNamesTheLine) {
  write_file_atomic(scratch_ / "bad.jsonl",
                    "{\"instruction\": \"Hi\", \"output\": \"Yes\"}\n{\"instruction\": 3}\n");
  try {
    write_world_tokenizer(scratch_ / "bad.jsonl", kSize, scratch_ / "bad");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("bad.jsonl:2"));
  }
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "bad"));
}

}  // namespace
}  // namespace sdft
