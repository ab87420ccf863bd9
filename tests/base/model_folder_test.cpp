// What people give in place of a model's or an adapter's folder, and what they are told.
#include "base/model_folder.h"

#include <gmock/gmock.h>

#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ScratchDir;

const std::string kPointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 269060552\n";

class ModelFolder : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& bytes = "{}") {
    make_directories((dir_ / name).parent_path());
    write_file_atomic(dir_ / name, bytes);
  }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  static std::string error_of(const std::function<void()>& work) {
    try {
      work();
      return "";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kInput);
      return e.what();
    }
  }
  std::string model(const std::string& name) {
    return error_of([&] { require_config(dir_ / name, FolderKind::kModel); });
  }
  std::string adapter(const std::string& name) {
    return error_of([&] { require_config(dir_ / name, FolderKind::kAdapter); });
  }
  ScratchDir dir_;
};

TEST_F(ModelFolder, FilesAndNamesInPlaceOfIt) {
  put("model/config.json");
  put("model/model.safetensors");
  put("m.gguf", "GGUF");
  put("adapter/adapter_config.json");
  put("adapter/adapter_model.safetensors");
  EXPECT_EQ(model("model"), "");
  EXPECT_EQ(adapter("adapter"), "");
  EXPECT_THAT(model("m.gguf"),
              AllOf(HasSubstr("is a GGUF file"), HasSubstr("sdft import " + path("m.gguf"))));
  EXPECT_THAT(adapter("m.gguf"), AllOf(HasSubstr("is a GGUF file"), HasSubstr("PEFT adapter folder")));
  EXPECT_THAT(model("modle"), HasSubstr("no such model folder (did you mean " + path("model") + "?)"));
  EXPECT_THAT(adapter("adaptor"), HasSubstr("did you mean " + path("adapter") + "?"));
  EXPECT_THAT(model("nothing-like-it"), HasSubstr("expected a folder with config.json"));
  EXPECT_THAT(model("model/model.safetensors"),
              HasSubstr("is a file, expected the model's folder (give " + path("model")));
  EXPECT_THAT(adapter("adapter/adapter_model.safetensors"), HasSubstr("give " + path("adapter")));
  EXPECT_THAT(error_of([] { require_folder("HuggingFaceTB/SmolLM2-135M-Instruct", FolderKind::kModel); }),
              HasSubstr("hf download HuggingFaceTB/SmolLM2-135M-Instruct --local-dir SmolLM2-135M-Instruct"));
}

TEST_F(ModelFolder, OtherFolders) {
  put("model/config.json");
  put("adapter/adapter_config.json");
  put("run/model/config.json");
  put("quantised/m.gguf");
  put("torch/config.json");
  put("torch/pytorch_model.bin");
  put("torch/training_args.bin");
  fs::create_directories(dir_ / "empty");
  fs::create_directories(dir_ / "linked");
  fs::create_symlink(dir_ / "nowhere", dir_ / "linked" / "config.json");
  EXPECT_THAT(model("adapter"),
              AllOf(HasSubstr("config.json: is missing"), HasSubstr("give it as --adapter")));
  EXPECT_THAT(adapter("model"),
              AllOf(HasSubstr("adapter_config.json: is missing"), HasSubstr("a model's folder")));
  EXPECT_THAT(model("run"), HasSubstr("did you mean " + path("run/model")));
  EXPECT_THAT(model("quantised"), HasSubstr("sdft import"));
  EXPECT_THAT(model("empty"), HasSubstr("is missing"));
  EXPECT_THAT(model("linked"), HasSubstr("is a link to a file that is not there"));
  EXPECT_THAT(error_of([&] { fail_no_weights(dir_ / "torch", FolderKind::kModel); }),
              HasSubstr("; pytorch_model.bin is not read"));
  EXPECT_THAT(error_of([&] { fail_no_tokenizer(dir_ / "adapter"); }), HasSubstr("give it as --adapter"));
}

TEST_F(ModelFolder, TheHubsCache) {
  put("models--a--b/snapshots/111/config.json");
  put("models--a--b/snapshots/222/config.json");
  put("models--a--b/refs/main", "111\n");
  fs::create_directories(dir_ / "models--a--half" / "blobs");
  EXPECT_THAT(model("models--a--b"), HasSubstr("(give " + path("models--a--b/snapshots/111") + ")"));
  fs::remove_all(dir_ / "models--a--b" / "refs");
  EXPECT_THAT(model("models--a--b"), HasSubstr("(give " + path("models--a--b/snapshots/222") + ")"));
  EXPECT_EQ(model("models--a--b/snapshots/222"), "");
  EXPECT_THAT(model("models--a--half"), AllOf(HasSubstr("without snapshots"), HasSubstr("not complete")));
}

TEST_F(ModelFolder, LfsPointersAreNamed) {
  put("config.json", kPointer);
  for (const std::function<void()>& read : {std::function<void()>([&] { read_text(dir_ / "config.json"); }),
                                            {[&] { MappedFile(dir_ / "config.json"); }}})
    EXPECT_THAT(error_of(read),
                AllOf(HasSubstr("config.json: is a Git LFS pointer"), HasSubstr("git lfs pull")));
}

TEST_F(ModelFolder, CopiesWhatBelongsToIt) {
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "chat_template.json",
                           "additional_chat_templates/rag.jinja", "notes.txt"})
    put(std::string("from/") + name, name);
  copy_beside_weights(dir_ / "from", dir_ / "to");
  for (const char* name : {"tokenizer.json", "chat_template.json", "additional_chat_templates/rag.jinja"})
    EXPECT_EQ(read_text(dir_ / "to" / name), name);
  for (const char* name : {"config.json", "model.safetensors", "notes.txt"})
    EXPECT_FALSE(fs::exists(dir_ / "to" / name));
}

}  // namespace
}  // namespace sdft
