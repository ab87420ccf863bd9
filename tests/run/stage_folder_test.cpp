#include "run/stage_folder.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ScratchDir;

const Fingerprint kOne = {{"seed", "1"}, {"the data", std::string(64, 'a')}};
const Fingerprint kTwo = {{"seed", "2"}, {"the data", std::string(64, 'b')}};

std::string refusal(const fs::path& dir, const Fingerprint& now, bool fresh = false) {
  try {
    begin_stage(dir, now, fresh);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    return e.what();
  }
  return "";
}

TEST(StageFolder, IsNewThenGoesOnThenIsDone) {
  ScratchDir scratch;
  const fs::path dir = scratch / "a/b";
  EXPECT_FALSE(begin_stage(dir, kOne, false));
  write_file_atomic(dir / "half", "x");
  EXPECT_FALSE(begin_stage(dir, kOne, false));
  EXPECT_TRUE(fs::exists(dir / "half"));
  end_stage(dir);
  EXPECT_TRUE(begin_stage(dir, kOne, false));
}

TEST(StageFolder, OfSomethingElseIsRefusedByName) {
  ScratchDir scratch;
  const fs::path dir = scratch / "stage";
  begin_stage(dir, kOne, false);
  end_stage(dir);
  EXPECT_THAT(stage_differences(dir, kTwo), ElementsAre("seed was 1, is 2", "the data has another content"));
  EXPECT_THAT(refusal(dir, kTwo), AllOf(HasSubstr("seed was 1, is 2"), HasSubstr("--fresh")));
  EXPECT_THAT(refusal(dir, {{"seed", "1"}}), HasSubstr("the data is gone"));
  EXPECT_TRUE(stage_done(dir)) << "a refusal changes nothing";
}

TEST(StageFolder, FreshBeginsAnewOnlyWhereItDiffers) {
  ScratchDir scratch;
  const fs::path dir = scratch / "stage";
  begin_stage(dir, kOne, false);
  write_file_atomic(dir / "result", "x");
  make_directories(dir / "adapter");
  end_stage(dir);
  EXPECT_TRUE(begin_stage(dir, kOne, true)) << "what fits is kept";
  EXPECT_FALSE(begin_stage(dir, kTwo, true));
  EXPECT_FALSE(fs::exists(dir / "result"));
  EXPECT_FALSE(fs::exists(dir / "adapter"));
  EXPECT_TRUE(stage_differences(dir, kTwo).empty());
}

// Somebody's own files, or those of a version that wrote no made_from.json, are neither used nor removed.
TEST(StageFolder, FilesOfUnknownOriginStay) {
  ScratchDir scratch;
  const fs::path dir = scratch / "stage";
  make_directories(dir);
  write_file_atomic(dir / "DONE", "done\n");
  EXPECT_THAT(refusal(dir, kOne), HasSubstr("made_from.json"));
  EXPECT_THAT(refusal(dir, kOne, true), HasSubstr("made_from.json"));
  EXPECT_TRUE(fs::exists(dir / "DONE"));
}

// Where the weights do not fit into f16 the training is not lost.
TEST(StageFolder, TheTypeOfTheResultMayChangeUntilThereIsOne) {
  ScratchDir scratch;
  const fs::path dir = scratch / "stage";
  const Fingerprint half = {{"seed", "1"}, {"save_dtype", "f16"}},
                    brain = {{"seed", "1"}, {"save_dtype", "bf16"}};
  begin_stage(dir, half, false);
  EXPECT_FALSE(begin_stage(dir, brain, false));
  end_stage(dir);
  EXPECT_TRUE(begin_stage(dir, brain, false));
  EXPECT_THAT(refusal(dir, half), HasSubstr("save_dtype was bf16, is f16"));
}

// A kill while made_from.json was being written.
TEST(StageFolder, AnUnfinishedBeginningIsBegunAgain) {
  ScratchDir scratch;
  const fs::path dir = scratch / "stage";
  make_directories(dir);
  write_file_atomic(dir / ".made_from.json.0123456789abcdef.tmp", "{");
  EXPECT_FALSE(begin_stage(dir, kOne, false));
}

}  // namespace
}  // namespace sdft
