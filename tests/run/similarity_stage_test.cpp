#include "run/similarity_stage.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A run directory in which the seed and "sdft" have answered two tasks; nothing judges the first one.
struct SimilarityStage : ::testing::Test {
  testing::ScratchDir dir;
  Recipe recipe;
  const std::string encoder = std::string(SDFT_SOURCE_DIR) + "/tests/infer/embeddings/tiny";

  SimilarityStage() {
    recipe.model_name_or_path = std::string(SDFT_SOURCE_DIR) + "/assets/mini-seed";
    recipe.device = "cpu";
    recipe.output_dir = dir.path().string();
    recipe.eval.resize(2);
    recipe.eval[0].name = "chat";
    recipe.eval[0].check = "none";
    recipe.eval[1].name = "sums";
    answer("seed", "chat", {"the keys", "under the keys", "", "is"});
    answer("sdft", "chat", {"the keys", "(1)", "", "=?"});
    for (const char* model : {"seed", "sdft"}) {
      answer(model, "sums", {"1", "2", "1", "2"});
      std::string scores;
      for (const char* id : {"a", "b", "c", "d"}) scores += to_line({{"id", id}, {"score", 1}}) + "\n";
      write_file_atomic(eval(model, "sums") / "scores.jsonl", scores);
    }
  }
  fs::path eval(const std::string& model, const std::string& task) const {
    return dir / "eval" / model / task;
  }
  // The third prompt was too long.
  void answer(const std::string& model, const std::string& task, const std::vector<std::string>& texts) {
    std::string lines;
    for (size_t i = 0; i < texts.size(); ++i)
      lines += line_of({std::string(1, static_cast<char>('a' + i)), texts[i],
                        name_of(i == 2 ? FinishReason::kPromptTooLong : FinishReason::kStop), 1}) +
               "\n";
    make_directories(eval(model, task));
    write_file_atomic(eval(model, task) / "answers.jsonl", lines);
  }
  std::optional<AnswerSimilarity> measured(const std::string& model = "sdft") const {
    const TaskSettings& task = recipe.eval[0];
    return read_similarity(dir.path(), model, task, read_task_results(dir.path(), {"seed", "sdft"}, task));
  }
  void measure(const std::string& embedding_model) const {
    RunContext run(recipe);
    run.progress.terminal = false;
    similarity_stage(run, embedding_model, {"seed", "sdft"});
  }
};

TEST_F(SimilarityStage, ComparesWithTheSeedByAnEncoder) {
  EXPECT_FALSE(measured());
  measure(encoder);
  const auto found = measured();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->embedder, "tiny");
  ASSERT_EQ(found->results.size(), 3u);
  EXPECT_EQ(found->results[0].id, "a");
  EXPECT_EQ(found->results[2].id, "d");
  EXPECT_NEAR(found->results[0].score, 1, 1e-6);
  EXPECT_LT(found->results[1].score, 0.999);
  EXPECT_EQ(found->results[1].verdict, Verdict::kGraded);
  EXPECT_FALSE(measured("seed"));
  EXPECT_FALSE(fs::exists(eval("sdft", "sums") / "similarity.json"));  // a judged one
}

TEST_F(SimilarityStage, WithoutAnEncoderTheSeedsHiddenStatesDo) {
  measure("");
  const auto found = measured();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->embedder, "hidden states of the seed");
  EXPECT_NEAR(found->results[0].score, 1, 1e-6);
  EXPECT_LT(found->results[1].score, 0.9999);
}

TEST_F(SimilarityStage, IsMeasuredAnewWhereSomethingIsAnother) {
  measure(encoder);
  const fs::path path = eval("sdft", "chat") / "similarity.json";
  Json json = read_json(path);
  json["values"][0]["cosine"] = 0.25;
  write_json(path, json);
  measure(encoder);
  EXPECT_EQ(measured()->results[0].score, 0.25);  // stays
  answer("sdft", "chat", {"keys", "(1)", "", "=?"});
  EXPECT_THROW(measured(), Error);
  measure(encoder);
  EXPECT_NE(measured()->results[0].score, 0.25);
  measure("");
  EXPECT_EQ(measured()->embedder, "hidden states of the seed");
}

}  // namespace
}  // namespace sdft
