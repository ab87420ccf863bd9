// From metrics.jsonl to the report's document: what was watched, how each variant learned, bad lines.
#include "run/report_training.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "run/stage_folder.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kStep = R"({"step":1,"loss":2.5,"learning_rate":0.1,"grad_norm":1,"tokens":30})";

struct Trainings : ::testing::Test {
  testing::ScratchDir dir;
  Recipe recipe = read_recipe("", {"variants=[{name: plain, method: sft}, {name: own, method: on_policy}]"});

  void write(const std::string& variant, const std::string& metrics) {
    begin_stage(dir / variant, {{"made", "by hand"}}, false);
    write_file_atomic(dir / variant / "metrics.jsonl", metrics);
    end_stage(dir / variant);
  }
  report::Document document() {
    report::Document document;
    add_trainings(recipe, dir.path(), &document);
    return document;
  }
  std::string error() {
    try {
      document();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      return error.what();
    }
    return "no error";
  }
};

TEST_F(Trainings, WithoutAWatchNothingIsAdded) {
  write("plain", std::string(kStep) + "\n");
  const report::Document got = document();
  ASSERT_EQ(got.training.size(), 1u);
  EXPECT_THAT(got.training[0].answer_length, IsEmpty());
  EXPECT_THAT(got.learning, IsEmpty());
  EXPECT_THAT(got.watches, IsEmpty());
}

TEST_F(Trainings, WatchedOnesEndWithWhatTheyKept) {
  const std::string start = R"(,"loss":2.5,"learning_rate":0.1,"grad_norm":1,"tokens":30,"answer_length":7,)";
  write("own", R"({"step":1)" + start +
                   R"("answers_ended":1,"kl_task":0.1,"entropy_task":2,"fault":""})"
                   "\n" +
                   R"({"step":2)" + start +
                   R"("answers_ended":0.5})"
                   "\n" +
                   R"({"step":3)" + start +
                   R"("answers_ended":0,"kl_task":0.7,"entropy_task":1,"fault":"too far"})"
                   "\n");
  write("plain", std::string(kStep) + "\n");
  const report::Document got = document();
  ASSERT_EQ(got.watches.size(), 1u);
  const report::Watch& watch = got.watches[0];
  EXPECT_THAT(watch.step, ::testing::ElementsAre(1, 3));
  EXPECT_EQ(watch.kept_step, 1);
  EXPECT_EQ(watch.fault, "too far");
  ASSERT_EQ(watch.prompts.size(), 1u) << "no retained prompts";
  EXPECT_THAT(watch.prompts[0].kl, ::testing::ElementsAre(0.1, 0.7));
  ASSERT_EQ(got.learning.size(), 2u) << "of one it is told, so of all";
  EXPECT_EQ(got.learning[1].tokens, 90);
  EXPECT_THAT(got.learning[1].divergence, HasSubstr("forward: KL(teacher || student)"));
  EXPECT_EQ(got.learning[0].divergence, "");
  EXPECT_THAT(got.training[1].answers_ended, ::testing::ElementsAre(1, 0.5, 0));
}

TEST_F(Trainings, BadLinesNameTheirPlace) {
  for (const auto& [line, what] :
       {std::pair{"{\"step\":1", "metrics.jsonl:2"},
        {R"({"step":2,"loss":"much"})", "'loss'"},
        {R"({"step":2,"loss":1,"learning_rate":1,"grad_norm":1,"fault":3})", "'fault'"},
        {R"({"step":2,"loss":1,"learning_rate":1,"grad_norm":1,"fault":"","kl_task":"x"})", "'kl_task'"},
        {R"({"step":2,"loss":1,"learning_rate":1,"grad_norm":1,"answer_length":[]})", "'answer_length'"}}) {
    write("plain", std::string(kStep) + "\n" + line + "\n");
    EXPECT_THAT(error(), ::testing::AllOf(HasSubstr("metrics.jsonl:2"), HasSubstr(what)));
  }
}

std::string words(const std::string& variant, const std::string& setting) {
  const Recipe recipe = read_recipe("", setting.empty() ? std::vector<std::string>{} : std::vector{setting});
  const std::string method = variant == "on_policy" ? variant : "sft";
  Recipe own = recipe;
  if (method == "sft") own.train.objective = variant;
  return divergence_in_words(own, {variant, method, "", {}});
}

TEST(DivergenceInWords, NamesItsDirection) {
  EXPECT_EQ(words("sft", ""), "");
  EXPECT_EQ(words("l2_sp", ""), "");
  EXPECT_THAT(words("kl_to_seed", ""), HasSubstr("forward: KL(seed || student)"));
  EXPECT_THAT(words("asft", "divergence=1"), HasSubstr("reverse: KL(student || seed)"));
  EXPECT_THAT(words("kl_to_seed", "divergence=jensen_shannon"),
              HasSubstr("0.5 KL(seed || m) + 0.5 KL(student || m)"));
  EXPECT_THAT(words("on_policy", "divergence=0.25"),
              HasSubstr("0.25 KL(teacher || m) + 0.75 KL(student || m), m = 0.25 teacher + 0.75 student"));
  EXPECT_THAT(words("on_policy", "divergence=reverse"), HasSubstr("reverse: KL(student || teacher)"));
  const Variant later{"b", "sft", "a", {}};
  Recipe recipe;
  recipe.train.objective = "kl_to_seed";
  EXPECT_THAT(divergence_in_words(recipe, later), HasSubstr("KL(seed || student)"));
}

}  // namespace
}  // namespace sdft
