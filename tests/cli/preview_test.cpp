// preview: the same samples as training's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {

using ::testing::HasSubstr;

class PreviewCommand : public ::testing::Test {
 protected:
  void SetUp() override { write_small_model(dir_ / "model"); }
  std::string model() const { return "model_name_or_path=" + (dir_ / "model").string(); }
  std::string file(const std::string& name, const std::string& text) const {
    write_text(dir_ / name, text);
    return "dataset=" + (dir_ / name).string();
  }
  // The note that `train` leaves of its samples, wherever in the run folder.
  Json training_note() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_ / "out"))
      if (entry.path().filename() == "samples.json") return read_json(entry.path());
    ADD_FAILURE() << "no samples.json";
    return Json();
  }

  ScratchDir dir_;
};

// cutoff_len is 1024 where nothing is said, the small model's context 192.
TEST_F(PreviewCommand, CutsWhereTrainingDoes) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "What is 1 plus 7? ";
  const std::string data =
      file("d.jsonl", Json{{"id", "long"}, {"prompt", text}, {"answer", "8"}}.dump() + "\n" +
                          R"({"id": "short", "prompt": "1 plus 7?", "answer": "8"})");
  const CommandResult preview = run_command({"preview", model(), data, "--json", "--examples", "0"});
  ASSERT_EQ(preview.exit_code, 0) << preview.err;
  const Json lengths = parse_json(lines_of(preview.out).back(), "lengths");
  EXPECT_EQ(lengths["cut"], Json::array({"long"}));
  EXPECT_EQ(lengths["nothing_to_learn"], Json::array({"long"}));
  EXPECT_EQ(lengths["cutoff_len"], 192);

  const CommandResult train = run_command(
      {"train", model(), data, "output_dir=" + (dir_ / "out").string(), "num_train_epochs=1", "threads=1"});
  ASSERT_EQ(train.exit_code, 0) << train.err;
  const Json note = training_note();
  ASSERT_EQ(note["cut"].size(), 1u);
  EXPECT_EQ(note["cut"][0]["id"], "long");
  EXPECT_EQ(note["unlearned"], 1);
}

TEST_F(PreviewCommand, CountsWhatIsSkipped) {
  const std::string data = file("d.jsonl",
                                "{\"prompt\": \"a\", \"answer\": \"b\"}\n{\"prompt\": \"a\"}\n"
                                "{\"prompt\": \"a\", \"answer\": \"b\", \"tools\": [{\"name\": \"f\"}]}\n");
  const CommandResult result = run_command({"preview", model(), data, "skip_bad=true"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("1 examples"));
  EXPECT_THAT(result.out, HasSubstr("2 bad records were skipped"));
  EXPECT_THAT(result.err, HasSubstr("d.jsonl:2: field 'output' is missing"));
  EXPECT_THAT(result.err, HasSubstr("d.jsonl:3 (example '2'): chat template: leaves out the tools"));
  EXPECT_THAT(result.err, HasSubstr("2 of 3 records were skipped as bad, 1 are used"));
  EXPECT_EQ(run_command({"preview", model(), data}).exit_code, 3);
}

// What is learned stands in brackets.
TEST_F(PreviewCommand, WeightZeroIsNotLearned) {
  const std::string data = file("d.jsonl", R"({"messages": [{"role": "user", "content": "a"},
    {"role": "assistant", "content": "not this", "weight": 0}, {"role": "user", "content": "c"},
    {"role": "assistant", "content": "this"}]})");
  std::string one_line = read_text(dir_ / "d.jsonl");
  one_line.erase(std::remove(one_line.begin(), one_line.end(), '\n'), one_line.end());
  write_text(dir_ / "d.jsonl", one_line);
  const CommandResult result = run_command({"preview", model(), data});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("not this«<end>»"));
  EXPECT_THAT(result.out, HasSubstr("[this«<end>»]"));
  EXPECT_THAT(result.out, ::testing::Not(HasSubstr("[not this")));
}

}  // namespace
}  // namespace sdft::testing
