// Folders that stand for a dataset: those of tools/arrow-fixtures, and a hub's repository made here.
#include "data/record_folder.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "data/data_files.h"
#include "data/dataset.h"
#include "testing.h"

namespace sdft {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const fs::path kFiles = fs::path(SDFT_SOURCE_DIR) / "tests/data/arrow";

std::vector<std::string> ids_of(const fs::path& path) {
  std::vector<std::string> ids;
  for (const Example& example : read_dataset(path).examples) ids.push_back(example.id);
  return ids;
}

std::string fault(const fs::path& path) {
  try {
    read_dataset(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput) << error.what();
    return error.what();
  }
  return "";
}

class RecordFolders : public ::testing::Test {
 protected:
  void add(const std::string& name, const std::string& id) {
    write(name, R"({"id": ")" + id + R"(", "instruction": "q", "output": "a"})" + "\n");
  }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((dir / name).parent_path());
    write_file_atomic(dir / name, text);
  }
  testing::ScratchDir temp;
  const fs::path dir = temp.path() / "set";
};

TEST_F(RecordFolders, SavedByDatasets) {
  EXPECT_THAT(ids_of(kFiles / "saved"), ElementsAre("r0", "r1", "r2", "r3", "r4", "r5"));
  EXPECT_THAT(ids_of(kFiles / "dict/test"), ElementsAre("r4", "r2"));
  EXPECT_EQ(read_dataset(kFiles / "dict").examples.size(), 6u);
  EXPECT_EQ(read_dataset(kFiles / "dict/").name, "dict");
  EXPECT_THAT(fault(kFiles / "dict/tset"),
              HasSubstr("no split 'tset' (there are: train, test) (did you mean"));
  EXPECT_THAT(fault(kFiles / "saved/test"), HasSubstr("no such split"));
  EXPECT_EQ(read_dataset(kFiles / "cache/json").examples.size(), 6u);
  EXPECT_EQ(read_dataset(kFiles / "cache/json/validation").examples.size(), 6u);
  EXPECT_NE(read_dataset(kFiles / "saved").sha256, read_dataset(kFiles / "dict").sha256);
}

TEST_F(RecordFolders, ThatIsDamagedIsRefused) {
  const auto options = fs::copy_options::recursive | fs::copy_options::overwrite_existing;
  fs::copy(kFiles / "saved", dir, options);
  fs::remove(dir / "data-00001-of-00002.arrow");
  EXPECT_THAT(fault(dir), HasSubstr("data-00001-of-00002.arrow"));
  for (const char* state :
       {"[]", "{}", R"({"_data_files": 3})", R"({"_data_files": []})",
        R"({"_data_files": [{"filename": "../../x.arrow"}]})", R"({"_data_files": [3]})"}) {
    write("state.json", state);
    EXPECT_NE(fault(dir), "") << state;
  }
  write("state.json",
        R"({"_data_files": [{"filename": "a.arrow"}], "_indices_data_files": [{"filename": "b"}]})");
  EXPECT_THAT(fault(dir), HasSubstr("_indices_data_files, an order beside the records"));
}

TEST_F(RecordFolders, ShardsInOrderAndSplitsByName) {
  for (const char* number : {"00000", "00001", "00002"}) {
    add(std::string("data/train-") + number + "-of-00003.jsonl", std::string("t") + number);
    add(std::string("data/test_sft-") + number + "-of-00003.jsonl", std::string("s") + number);
  }
  add("other.jsonl", "x");
  EXPECT_THAT(ids_of(dir), ElementsAre("t00000", "t00001", "t00002"));
  EXPECT_THAT(ids_of(dir / "test_sft"), ElementsAre("s00000", "s00001", "s00002"));
  EXPECT_THAT(read_dataset(dir).notes, ElementsAre(HasSubstr("other.jsonl is left out")));
  fs::remove(dir / "data/train-00001-of-00003.jsonl");
  EXPECT_THAT(fault(dir), HasSubstr("shard 1 of 3 of "));
  add("data/train.csv", "");
  EXPECT_THAT(fault(dir), HasSubstr("files of several kinds in one split (.csv, .jsonl)"));
}

TEST_F(RecordFolders, AFileBesideRecordsIsNoFolder) {
  add("train.jsonl", "r1");
  write("model.gguf", "GGUF");
  EXPECT_TRUE(names_records(dir));
  EXPECT_TRUE(names_records(dir / "train"));
  EXPECT_FALSE(names_records(dir / "model.gguf"));
  EXPECT_NE(fault(dir / "model.gguf").find("unknown kind of dataset"), std::string::npos);
}

TEST_F(RecordFolders, NamesOfSplits) {
  add("en-dev.jsonl", "v");
  add("evaluation/a.jsonl", "e");
  EXPECT_THAT(fault(dir), HasSubstr("has several splits (test, validation) and none is called train"));
  EXPECT_THAT(ids_of(dir / "validation"), ElementsAre("v"));
  EXPECT_THAT(ids_of(dir / "test"), ElementsAre("e"));
  EXPECT_THAT(ids_of(dir / "evaluation"), ElementsAre("e"));  // a folder
  EXPECT_THAT(fault(dir / "train.jsonl"), HasSubstr("train.jsonl: cannot open"));
  EXPECT_THAT(fault(dir / "a/b/c"), HasSubstr("cannot open"));
  fs::create_directories(temp.path() / "empty");
  EXPECT_THAT(fault(temp.path() / "empty"), HasSubstr("holds no dataset's files"));
}

TEST_F(RecordFolders, ConfigurationsOfReadme) {
  add("a/1.jsonl", "a1");
  add("a/deep/2.jsonl", "a2");
  add("b/1.jsonl", "b1");
  const std::string configs =
      "configs:\n- config_name: one\n  data_files:\n  - split: train\n    path: a/**\n  - split: held_out\n"
      "    path: [b/*.jsonl]\n- config_name: two\n  data_files: b/?.jsonl\n";
  write("README.md", "---\nlicense: mit\n" + configs + "---\n# Set\n");
  EXPECT_THAT(fault(dir), HasSubstr("has several configurations (one, two)"));
  EXPECT_THAT(ids_of(dir / "one"), ElementsAre("a1", "a2"));
  EXPECT_THAT(ids_of(dir / "one/held_out"), ElementsAre("b1"));
  EXPECT_THAT(ids_of(dir / "two"), ElementsAre("b1"));
  EXPECT_THAT(fault(dir / "one/tset"), HasSubstr("has no split 'tset'"));
  write("README.md", "---\n" + configs + "  default: true\n---\n");
  EXPECT_THAT(ids_of(dir), ElementsAre("b1"));
  for (const char* entry : {"data_files: nothing-*.parquet", "data_files: 3", "data_dir: ../x",
                            "data_files: '****/****/****'", "data_files: [{split: train}]"}) {
    write("README.md", std::string("---\nconfigs:\n- ") + entry + "\n---\n");
    EXPECT_THAT(fault(dir), HasSubstr("README.md")) << entry;
  }
  write("README.md", "---\n[\n---\n");
  EXPECT_THAT(fault(dir), HasSubstr("README.md"));
}

TEST_F(RecordFolders, CacheOfTheHub) {
  const std::string hub = "datasets--me--words/", old = hub + "snapshots/aaa/", now = hub + "snapshots/bbb/";
  add(hub + "blobs/1", "new");
  add(old + "train.jsonl", "old");
  fs::create_directories(dir / now);
  fs::create_symlink("../../blobs/1", dir / now / "train.jsonl");
  fs::create_directories(dir / hub / "refs");
  EXPECT_THAT(fault(dir / hub), HasSubstr("has several snapshots (aaa, bbb)"));
  EXPECT_THAT(ids_of(dir / old), ElementsAre("old"));
  write(hub + "refs/main", "bbb");
  EXPECT_THAT(ids_of(dir / hub), ElementsAre("new"));
  EXPECT_EQ(read_dataset(dir / hub).name, "me--words");
  EXPECT_EQ(read_dataset(dir / now).name, "me--words");
}

TEST(Patterns, OfFiles) {
  EXPECT_TRUE(matches_pattern("data/train-*", "data/train-0.parquet"));
  EXPECT_FALSE(matches_pattern("data/*", "data/a/b"));
  EXPECT_TRUE(matches_pattern("**/*.json", "a.json"));
  EXPECT_TRUE(matches_pattern("**/*.json", "a/b/c.json"));
  EXPECT_FALSE(matches_pattern("?.json", "/.json"));
  EXPECT_FALSE(matches_pattern("a", "ab"));
}

}  // namespace
}  // namespace sdft
