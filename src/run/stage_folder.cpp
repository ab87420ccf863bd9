#include "run/stage_folder.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/file.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char *kMadeFrom = "made_from.json", *kUnansweredFile = "unanswered";
constexpr size_t kShown = 8;  // differences in a message
// Matters when a stage writes its result, and may still change until then.
constexpr const char* kLate = "save_dtype";

// A kill may have left nothing but an unfinished made_from.json, which has a hidden name (base/file.h).
bool holds_something(const fs::path& dir) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(dir, none))
    if (entry.path().filename().string()[0] != '.') return true;
  return false;
}

// made_from.json at last, so that a half emptied folder is still known for what it is.
void empty_stage(const fs::path& dir) {
  std::error_code failed;
  fs::remove(dir / "DONE", failed);
  for (const auto& entry : fs::directory_iterator(dir, failed))
    if (entry.path().filename() != kMadeFrom) fs::remove_all(entry.path(), failed);
  if (!failed) fs::remove(dir / kMadeFrom, failed);
  if (failed) fail_input(dir.string(), "cannot be emptied: " + failed.message());
}

std::map<std::string, std::string> read_made_from(const fs::path& path) {
  std::map<std::string, std::string> values;
  const Json json = read_json(path);
  if (!json.is_object()) fail_input(path.string(), "expected an object, found " + describe(json));
  for (const auto& [name, value] : json.items())
    values[name] = require<std::string>(json, name, path.string());
  return values;
}

// Sums say only that a content is another one.
bool is_sha256(const std::string& value) {
  return value.size() == 64 && value.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string difference(const std::string& name, const std::string* before, const std::string* now) {
  auto shown = [](const std::string& value) { return value.empty() ? "empty" : value; };
  const bool content = is_sha256(before ? *before : *now);
  if (!before) return content ? name + " was not there" : name + " was not set, is " + shown(*now);
  if (!now) return content ? name + " is gone" : name + " was " + shown(*before) + ", is not set";
  return content ? name + " has another content" : name + " was " + shown(*before) + ", is " + shown(*now);
}
}  // namespace

std::vector<std::string> stage_differences(const fs::path& dir, const Fingerprint& now) {
  if (!holds_something(dir)) return {};
  std::error_code none;
  if (!fs::exists(dir / kMadeFrom, none))
    fail_input(dir.string(), "holds files, but no made_from.json that says what they depend on",
               "an older sdft wrote none; remove the folder, or choose another output_dir");
  const auto before = read_made_from(dir / kMadeFrom);
  std::vector<std::string> list;
  std::map<std::string, std::string> left = before;
  for (const auto& [name, value] : now) {
    const auto found = before.find(name);
    left.erase(name);
    if (name == kLate && !stage_done(dir)) continue;
    if (found == before.end() || found->second != value)
      list.push_back(difference(name, found == before.end() ? nullptr : &found->second, &value));
  }
  for (const auto& [name, value] : left) list.push_back(difference(name, &value, nullptr));
  return list;
}

void fail_stage(const fs::path& dir, const std::vector<std::string>& differences) {
  std::string what = "holds results of something else:";
  for (size_t i = 0; i < std::min(kShown, differences.size()); ++i) what += "\n  " + differences[i];
  if (differences.size() > kShown) what += "\n  and " + std::to_string(differences.size() - kShown) + " more";
  fail_input(dir.string(), what + "\n ",
             "choose another output_dir, or add --fresh to remove what no longer fits and make it anew");
}

bool begin_stage(const fs::path& dir, const Fingerprint& now, bool fresh) {
  const auto differences = stage_differences(dir, now);
  if (!differences.empty() && !fresh) fail_stage(dir, differences);
  if (!differences.empty()) empty_stage(dir);
  if (stage_done(dir)) return true;
  make_directories(dir);
  Json json = Json::object();
  for (const auto& [name, value] : now) json[name] = value;
  write_json(dir / kMadeFrom, json);
  return false;
}

bool stage_done(const fs::path& dir) {
  std::error_code none;
  return fs::exists(dir / "DONE", none);
}

void note_unanswered(const fs::path& dir, size_t prompts) {
  write_file_atomic(dir / kUnansweredFile, std::to_string(prompts) + "\n");
}

void reopen_unanswered(const fs::path& dir) {
  std::error_code none;
  if (fs::remove(dir / kUnansweredFile, none)) fs::remove(dir / "DONE", none);
}

void end_stage(const fs::path& dir) { write_file_atomic(dir / "DONE", "done\n"); }

}  // namespace sdft
