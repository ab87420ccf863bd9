#include "infer/generation_config.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "infer/small_model.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct GenerationConfig : ::testing::Test {
  testing::ScratchDir dir;
  ModelConfig model = testing::small_config();

  GenerationDefaults read(const std::string& text) {
    write_file_atomic(dir / "generation_config.json", text);
    return read_generation_config(dir.path(), model);
  }
  std::string refused(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr("generation_config.json"));
      return error.what();
    }
    return "taken: " + text;
  }
};

TEST_F(GenerationConfig, WithoutAFileEverythingIsGreedyAndFree) {
  const GenerationDefaults defaults = read_generation_config(dir.path(), model);
  EXPECT_TRUE(defaults.sampling.greedy());
  EXPECT_EQ(defaults.max_new_tokens, kMaxNewTokens);
  EXPECT_FALSE(defaults.constraints.mask());
  EXPECT_THAT(defaults.warnings, IsEmpty());
}

TEST_F(GenerationConfig, SamplingCountsOnlyWithDoSample) {
  const GenerationDefaults off = read(R"({"temperature": 0.7, "top_p": 0.8, "repetition_penalty": 1.2})");
  EXPECT_TRUE(off.sampling.greedy());
  EXPECT_EQ(off.sampling.top_p, 1);
  EXPECT_EQ(off.sampling.repetition_penalty, 1.2);
  const GenerationDefaults on = read(R"({"do_sample": true, "temperature": 0.7, "max_new_tokens": 9})");
  EXPECT_EQ(on.sampling.temperature, 0.7);
  EXPECT_EQ(on.sampling.top_k, 50);
  EXPECT_EQ(on.max_new_tokens, 9);
}

TEST_F(GenerationConfig, ConstraintsAreRead) {
  const Constraints c = read(R"({"suppress_tokens": [1, 2], "begin_suppress_tokens": [3],
      "bad_words_ids": [[4], [5, 6]], "no_repeat_ngram_size": 3, "min_new_tokens": 7, "min_length": 8,
      "stop_strings": ["a", "b"]})")
                            .constraints;
  EXPECT_THAT(c.suppress_tokens, ElementsAre(1, 2));
  EXPECT_THAT(c.begin_suppress_tokens, ElementsAre(3));
  EXPECT_THAT(c.bad_words_ids, ElementsAre(ElementsAre(4), ElementsAre(5, 6)));
  EXPECT_EQ(c.no_repeat_ngram_size, 3);
  EXPECT_EQ(c.min_new_tokens, 7);
  EXPECT_EQ(c.min_length, 8);
  EXPECT_THAT(c.stop_strings, ElementsAre("a", "b"));
  EXPECT_THAT(read(R"({"stop_strings": "end"})").constraints.stop_strings, ElementsAre("end"));
  const GenerationDefaults nothing =
      read(R"({"suppress_tokens": null, "bad_words_ids": null, "stop_strings": null, "top_k": null,
               "num_beams": null, "min_length": 0, "num_return_sequences": 1.0})");
  EXPECT_FALSE(nothing.constraints.mask());
  EXPECT_THAT(nothing.warnings, IsEmpty());
}

TEST_F(GenerationConfig, WhatIsNotDoneIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"num_beams", "4"},   {"penalty_alpha", "0.6"},       {"forced_eos_token_id", "2"},
      {"typical_p", "0.5"}, {"forced_bos_token_id", "[1]"}, {"sequence_bias", R"([[[1, 2], 3.0]])"},
      {"min_p", "0.1"},     {"guidance_scale", "2"},        {"max_length", "20"},
      {"max_time", "3"},    {"diversity_penalty", "1.5"},   {"force_words_ids", "[[1]]"}};
  for (const auto& [key, value] : cases) {
    const auto warnings = read("{\"" + std::string(key) + "\": " + value + "}").warnings;
    EXPECT_THAT(warnings, ElementsAre(::testing::AllOf(HasSubstr("generation_config.json"), HasSubstr(key),
                                                       HasSubstr("no effect"))));
  }
  EXPECT_THAT(read(R"({"max_length": 20, "max_new_tokens": 10})").warnings, IsEmpty());
}

TEST_F(GenerationConfig, WhatMakesNoSenseIsRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "expected an object"},
      {R"({"do_sample": true, "temperature": -1})", "temperature"},
      {R"({"do_sample": true, "top_k": -5, "top_p": 7})", "top_p"},
      {R"({"do_sample": true, "top_k": 18446744073709551615})", "top_k"},
      {R"({"do_sample": true, "top_k": 5.5})", "top_k"},
      {R"({"do_sample": "yes"})", "do_sample"},
      {R"({"temperature": "hot", "do_sample": true})", "temperature"},
      {R"({"max_new_tokens": 0})", "max_new_tokens"},
      {R"({"repetition_penalty": 0})", "repetition_penalty"},
      {R"({"suppress_tokens": 4})", "suppress_tokens"},
      {R"({"suppress_tokens": [1.5]})", "suppress_tokens"},
      {R"({"suppress_tokens": [61]})", "suppress_tokens has token id 61"},
      {R"({"begin_suppress_tokens": [4294967297]})", "begin_suppress_tokens"},
      {R"({"bad_words_ids": [5]})", "bad_words_ids"},
      {R"({"bad_words_ids": {"a": 1}})", "bad_words_ids"},
      {R"({"stop_strings": [7]})", "stop_strings"},
      {R"({"stop_strings": [""]})", "stop_strings"},
      {R"({"min_new_tokens": -1})", "min_new_tokens"}};
  for (const auto& [text, name] : cases) EXPECT_THAT(refused(text), HasSubstr(name)) << text;
}

TEST_F(GenerationConfig, EndTokensOutsideTheVocabularyAreNamed) {
  model.eos_token_ids = {3, 61, -1};
  EXPECT_THAT(read("{}").warnings,
              ElementsAre(HasSubstr("eos_token_id 61 is outside"), HasSubstr("eos_token_id -1 is outside")));
}

}  // namespace
}  // namespace sdft
