// The model card; tools/check-trackers has huggingface_hub read one of a real run.
#include "report/card.h"

#include <gmock/gmock.h>

#include "sample.h"

namespace sdft::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Card, BeginsWithWhatTheHubReads) {
  const std::string card = to_card(make_document(), "sdft", true);
  EXPECT_THAT(card,
              StartsWith("---\nbase_model: \"mini\"\nlibrary_name: peft\npipeline_tag: text-generation\n"
                         "datasets:\n- \"train\"\ntags:\n- lora\nmodel-index:\n- name: \"mini-sdft\"\n"));
  EXPECT_THAT(card, HasSubstr("\n    - type: \"accuracy\"\n      name: \"accuracy\"\n      value: 0."));
  EXPECT_THAT(card, HasSubstr("PeftModel.from_pretrained(model, \"FOLDER\")"));
  EXPECT_THAT(card, HasSubstr("| Task | n | Seed, % | Tuned, % | Difference |"));
  EXPECT_THAT(card, HasSubstr("## Recipe\n\n```text\nmodel: models/mini\n"));
}

TEST(Card, OfAWholeModelWithoutScores) {
  Document document = make_document();
  document.evaluation.reset();
  const std::string card = to_card(document, "vanilla", false);
  EXPECT_THAT(card, HasSubstr("library_name: transformers\n"));
  EXPECT_THAT(card, HasSubstr("AutoModelForCausalLM.from_pretrained(\"FOLDER\")"));
  for (const char* other : {"peft", "model-index", "## Scores"}) EXPECT_THAT(card, Not(HasSubstr(other)));
}

TEST(Card, NoPathOfTheMachineInTheHead) {
  Document document = make_document();
  document.run.seed_model.path = "/home/ada/models/My Model (v1.5)/";
  document.run.datasets[0].path = "/home/ada/data/r\xc3\xa9sum\xc3\xa9: \"--\".jsonl";
  document.run.recipe.clear();
  const std::string card = to_card(document, "sdft", true);
  EXPECT_THAT(card, StartsWith("---\nbase_model: \"My-Model-v1.5\"\n"));
  EXPECT_THAT(card, HasSubstr("datasets:\n- \"r-sum\"\n"));
  EXPECT_THAT(card, Not(HasSubstr("/home/ada")));
}

TEST(Card, SaysTheSameWhereverItWasMade) {
  Document document = make_document();
  document.run.recipe = "seed: 1\noutput_dir: /tmp/here\nlora_rank: 8\n";
  const std::string here = to_card(document, "sdft", true);
  document.run.recipe = "output_dir: elsewhere\nseed: 1\nlora_rank: 8";
  EXPECT_EQ(to_card(document, "sdft", true), here);
  EXPECT_THAT(here, HasSubstr("seed: 1\nlora_rank: 8\n"));
}

// What a task's name says cannot end the head, nor its string.
TEST(Card, HostileNamesStayInTheirPlaces) {
  Document document = make_document();
  document.evaluation->tasks[0].name = kHostile + "\n---\n\"quoted\"";
  const std::string card = to_card(document, "sdft", true);
  size_t fences = 0;
  for (const std::string& line : lines_of(card)) fences += line == "---";
  EXPECT_EQ(fences, 2u);
  EXPECT_THAT(card, HasSubstr("\\n---\\n\\\"quoted\\\""));
}

}  // namespace
}  // namespace sdft::report
