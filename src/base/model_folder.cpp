#include "base/model_folder.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr size_t kMostEntries = 1000;  // of a folder, that are looked at for a hint

const char* name_of(FolderKind kind) { return kind == FolderKind::kModel ? "model" : "adapter"; }
const char* config_of(FolderKind kind) {
  return kind == FolderKind::kModel ? "config.json" : "adapter_config.json";
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end && entries.size() < kMostEntries;
       at.increment(error))
    entries.push_back(at->path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

// "org/name", and no such folder as org.
bool is_hub_name(const fs::path& path) {
  const std::string text = path.string();
  const size_t slash = text.find('/');
  const char* kCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return slash != std::string::npos && slash > 0 && slash + 1 < text.size() && text[0] != '.' &&
         text.find_first_not_of(kCharacters, slash + 1) == std::string::npos &&
         text.find_first_not_of(kCharacters) == slash && !is_there(text.substr(0, slash));
}

std::string hint_for_missing(const fs::path& path, FolderKind kind) {
  if (is_hub_name(path))
    return "a name on the Hugging Face hub? sdft downloads nothing: hf download " + path.string() +
           " --local-dir " + path.filename().string() + ", and give that folder";
  std::vector<std::string> names;
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code ignored;
  for (const fs::path& entry : entries_of(parent))
    if (fs::is_directory(entry, ignored)) names.push_back(entry.filename().string());
  const std::string near = nearest(path.filename().string(), names);
  if (!near.empty())
    return "did you mean " + (path.has_parent_path() ? parent / near : fs::path(near)).string() + "?";
  return std::string("expected a folder with ") + config_of(kind) + " and *.safetensors";
}

[[noreturn]] void fail_is_a_file(const fs::path& path, FolderKind kind) {
  const std::string kind_name = name_of(kind);
  if (path.extension() == ".gguf" && kind == FolderKind::kModel)
    fail_input(path.string(), "is a GGUF file, expected a model folder",
               "make one of it: sdft import " + path.string() + " --output DIR");
  if (path.extension() == ".gguf")
    fail_input(path.string(), "is a GGUF file, expected a PEFT adapter folder",
               "give the folder that the file was made from");
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  fail_input(path.string(), "is a file, expected the " + kind_name + "'s folder",
             is_there(parent / config_of(kind)) ? "give " + parent.string() : "");
}

// The hub's cache has model folders at models--org--name/snapshots/HASH.
void refuse_cache(const fs::path& folder) {
  if (is_there(folder / "config.json") || is_there(folder / "adapter_config.json")) return;
  const bool named = folder.filename().string().rfind("models--", 0) == 0;
  if (!named && !is_there(folder / "snapshots")) return;
  const std::vector<fs::path> snapshots = entries_of(folder / "snapshots");
  if (snapshots.empty())
    fail_input(folder.string(), "is a folder of the Hugging Face cache without snapshots in it",
               "the download is not complete: hf download it again");
  fs::path newest = snapshots.back();
  const fs::path main = folder / "refs" / "main";
  if (is_there(main)) {
    std::string hash = read_text(main);
    hash.erase(std::find_if(hash.begin(), hash.end(), [](unsigned char c) { return c <= ' '; }), hash.end());
    if (!hash.empty() && is_there(folder / "snapshots" / hash)) newest = folder / "snapshots" / hash;
  }
  fail_input(folder.string(), "is a folder of the Hugging Face cache, not the model's own",
             "give " + newest.string());
}

bool has_kind(const fs::path& folder, const char* extension) {
  const auto entries = entries_of(folder);
  return std::any_of(entries.begin(), entries.end(),
                     [&](const fs::path& entry) { return entry.extension() == extension; });
}
// What a folder without one of its files may be.
std::string hint_for_incomplete(const fs::path& folder, FolderKind kind) {
  const bool model = kind == FolderKind::kModel;
  if (model && is_there(folder / "adapter_config.json"))
    return "it is an adapter's folder: give it as --adapter, and the model that it is for as --model";
  if (!model && is_there(folder / "config.json"))
    return "it is a model's folder: give it as --model, without an adapter";
  if (is_there(folder / name_of(kind) / config_of(kind)))
    return "did you mean " + (folder / name_of(kind)).string() + "?";
  if (model && has_kind(folder, ".gguf")) return "it has a GGUF file: sdft import makes a model folder of it";
  return "is " + folder.string() + (model ? " a model folder?" : " an adapter folder?");
}
}  // namespace

void require_folder(const fs::path& path, FolderKind kind) {
  if (path.empty()) fail_usage(std::string("the ") + name_of(kind) + "'s folder is an empty name");
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return refuse_cache(path);
  if (fs::exists(status)) fail_is_a_file(path, kind);
  const bool missing = status.type() == fs::file_type::not_found;
  fail_input(
      path.string(),
      missing ? std::string("no such ") + name_of(kind) + " folder" : "cannot be opened: " + error.message(),
      missing ? hint_for_missing(path, kind) : "");
}

void require_config(const fs::path& folder, FolderKind kind) {
  require_folder(folder, kind);
  const fs::path config = folder / config_of(kind);
  if (is_there(config)) return;
  std::error_code ignored;
  if (fs::is_symlink(fs::symlink_status(config, ignored)))
    fail_input(config.string(), "is a link to a file that is not there",
               "copy the folder with what its links name");
  fail_input(config.string(), "is missing", hint_for_incomplete(folder, kind));
}

void fail_no_tokenizer(const fs::path& folder) {
  std::string hint = hint_for_incomplete(folder, FolderKind::kModel);
  for (const char* name : {"vocab.json", "tekken.json", "tiktoken.model"})
    if (is_there(folder / name))
      hint = std::string(name) + " is not read: load the tokenizer in Transformers and save it again";
  fail_input(folder.string(), "there is neither a tokenizer.json nor a tokenizer.model nor a vocab.txt",
             hint);
}

void fail_no_weights(const fs::path& folder, FolderKind kind) {
  const bool model = kind == FolderKind::kModel;
  std::string hint = model ? "expected model.safetensors or model.safetensors.index.json"
                           : "expected adapter_model.safetensors";
  for (const fs::path& entry : entries_of(folder)) {
    const std::string name = entry.filename().string(), extension = entry.extension().string();
    const bool torch = extension == ".bin" || extension == ".pth" || extension == ".pt";
    if (torch && (name.find("model") != name.npos || name.rfind("consolidated", 0) == 0)) {
      hint += "; " + name +
              " is not read: load it in Transformers or PEFT and save it again, which writes safetensors";
      break;
    }
    if (extension == ".gguf") {
      hint += "; of " + name + " sdft import makes a model folder";
      break;
    }
    if (extension == ".safetensors") {
      hint += "; it has " + name + ": is the download complete?";
      break;
    }
  }
  fail_input(folder.string(), "has no weights", hint);
}

void copy_beside_weights(const fs::path& from, const fs::path& to) {
  std::error_code ignored;
  if (fs::equivalent(from, to, ignored)) return;
  std::vector<fs::path> names = {"tokenizer.json",
                                 "tokenizer.model",
                                 "tokenizer_config.json",
                                 "special_tokens_map.json",
                                 "added_tokens.json",
                                 "chat_template.jinja",
                                 "chat_template.json",
                                 "generation_config.json",
                                 "vocab.json",
                                 "merges.txt",
                                 "vocab.txt",
                                 "preprocessor_config.json",
                                 "processor_config.json"};
  const fs::path templates = "additional_chat_templates";
  for (const fs::path& entry : entries_of(from / templates)) names.push_back(templates / entry.filename());
  for (const fs::path& name : names) {
    if (!is_there(from / name)) continue;
    make_directories((to / name).parent_path());
    write_file_atomic(to / name, read_text(from / name));
  }
}

}  // namespace sdft
