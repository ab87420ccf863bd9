// Prompt templates: the built-in ones by name, others from files.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "data/prompt_text.h"

namespace sdft {
namespace {

const std::vector<std::string> kKeys = {"turn", "system", "prefill", "chat"};
constexpr uint64_t kLargestTemplate = 1 << 20;

// All that is wrong with a file.
struct Faults {
  std::string path;
  std::vector<std::string> list = {};

  void raise() const {
    if (list.empty()) return;
    std::string all = list[0];
    for (size_t i = 1; i < list.size(); ++i) all += "; " + list[i];
    fail_input(path, all);
  }
};

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// The placeholder that "{name}" seems to mean, "" where it is none: up to two letters away, in any case, with
// spaces. What is exactly one is meant as one.
std::string meant_by(const std::string& braced) {
  std::string name = lower(braced.substr(1, braced.size() - 2));
  name.erase(std::remove(name.begin(), name.end(), ' '), name.end());
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (name.empty() || !std::all_of(name.begin(), name.end(), letter)) return "";
  std::string best;
  int distance = 3;
  for (const std::string place : {kInstructionPlace, kInputPlace, kResponsePlace, kHistoryPlace}) {
    if (braced == place) return "";
    const int now = edit_distance(name, place.substr(1, place.size() - 2));
    if (now < distance) best = place, distance = now;
  }
  return best;
}

void check_placeholders(const PromptTemplate& prompt, Faults* faults) {
  for (size_t open = prompt.turn.find('{'); open != std::string::npos;
       open = prompt.turn.find('{', open + 1)) {
    const size_t close = prompt.turn.find_first_of("{}", open + 1);
    if (close == std::string::npos || prompt.turn[close] != '}' || close - open > 40) continue;
    const std::string braced = prompt.turn.substr(open, close + 1 - open);
    if (const std::string meant = meant_by(braced); !meant.empty())
      faults->list.push_back("unknown placeholder " + braced + "; did you mean " + meant + "?");
  }
  for (const char* place : {kInstructionPlace, kInputPlace, kResponsePlace, kHistoryPlace}) {
    if (prompt.system.find(place) != std::string::npos)
      faults->list.push_back(std::string("'system': ") + place + " is filled in 'turn' alone");
    if (prompt.prefill.find(place) != std::string::npos)
      faults->list.push_back(std::string("'prefill': ") + place + " is filled in 'turn' alone");
  }
}

YAML::Node parse_yaml(const std::string& text, const std::string& path) {
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& e) {
    fail_input(path + ":" + std::to_string(e.mark.line + 1), "not valid YAML: " + e.msg);
  }
}

void read_map(const std::string& text, PromptTemplate* prompt, Faults* faults) {
  const YAML::Node root = parse_yaml(text, prompt->name);
  if (!root.IsMap())
    return faults->list.push_back("expected a map with turn, and where wanted system, prefill, chat");
  std::vector<std::string> seen;
  for (const auto& item : root) {
    const std::string key = item.first.IsScalar() ? item.first.Scalar() : "";
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      faults->list.push_back("'" + key + "' stands twice");
    seen.push_back(key);
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
      const std::string near = nearest(key, kKeys);
      faults->list.push_back(
          "unknown key '" + key + "'" +
          (near.empty() ? "; known are turn, system, prefill and chat" : "; did you mean '" + near + "'?"));
    } else if (key == "chat") {
      if (!YAML::convert<bool>::decode(item.second, prompt->chat))
        faults->list.push_back("'chat': expected true or false");
    } else if (!item.second.IsScalar()) {
      faults->list.push_back("'" + key + "': expected a text");
    } else {
      (key == "turn"     ? prompt->turn
       : key == "system" ? prompt->system
                         : prompt->prefill) = item.second.Scalar();
    }
  }
  if (std::find(seen.begin(), seen.end(), "turn") == seen.end())
    faults->list.push_back("'turn' is missing");
  else if (stripped(prompt->turn).empty())
    faults->list.push_back("'turn' is empty");
}

PromptTemplate read_prompt_file(const std::string& path) {
  const std::string text = read_text(path, kLargestTemplate);
  if (utf8_fault(text) != std::string::npos)
    fail_input(path, "is not UTF-8 at byte " + std::to_string(utf8_fault(text)));
  if (stripped(text).empty()) fail_input(path, "is empty", "a prompt template shows {instruction}");
  PromptTemplate prompt;
  prompt.name = path;
  prompt.chat = true;
  prompt.family = PromptFamily::kFile;
  prompt.sha256 = sha256(text);
  Faults faults{path};
  const std::string kind = std::filesystem::path(path).extension().string();
  if (kind == ".yaml" || kind == ".yml") {
    read_map(text, &prompt, &faults);
  } else {
    size_t end = text.size();
    if (text[end - 1] == '\n') end -= end > 1 && text[end - 2] == '\r' ? 2 : 1;
    prompt.turn = text.substr(0, end);
  }
  check_placeholders(prompt, &faults);
  faults.raise();
  return prompt;
}

// What was read so far. Templates are never moved nor freed: who found one keeps a reference.
struct Files {
  std::mutex mutex;
  std::deque<PromptTemplate> all;
  std::map<std::string, const PromptTemplate*> current;  // by path
};
Files& files() {
  static Files* const kFiles = new Files;
  return *kFiles;
}

}  // namespace

void check_prompt_template(const PromptTemplate& prompt) {
  Faults faults{prompt.name};
  if (stripped(prompt.turn).empty()) faults.list.emplace_back("'turn' is empty");
  check_placeholders(prompt, &faults);
  faults.raise();
}

bool names_prompt_file(const std::string& name) {
  return !built_in_template(name) && name.find_first_of("/.") != std::string::npos;
}

const PromptTemplate& find_prompt_template(const std::string& name) {
  if (const PromptTemplate* prompt = built_in_template(name)) return *prompt;
  if (!names_prompt_file(name)) {
    const std::vector<std::string> names = prompt_template_names();
    std::string known;
    for (const std::string& one : names) known += (known.empty() ? "" : ", ") + one;
    const std::string near = nearest(name, names);
    fail_usage("prompt template '" + name + "' is not known; there are " + known +
                   ", and files (a path with a slash or a dot)",
               near.empty() ? "" : "did you mean '" + near + "'?");
  }
  Files& read = files();
  const std::lock_guard lock(read.mutex);
  const PromptTemplate*& current = read.current[name];
  if (!current) {
    read.all.push_back(read_prompt_file(name));
    current = &read.all.back();
  }
  return *current;
}

void reread_prompt_files() {
  Files& read = files();
  const std::lock_guard lock(read.mutex);
  read.current.clear();
}

std::string identity_of(const PromptTemplate& prompt) {
  return prompt.sha256.empty() ? prompt.name : "a file with the sum " + prompt.sha256;
}

void check_use(const PromptTemplate& prompt, TemplateUse use) {
  std::string faults;
  auto add = [&](const std::string& fault) { faults += (faults.empty() ? "" : "; ") + fault; };
  if (!prompt.shows(kInstructionPlace)) add("it lacks {instruction}, the place of the question");
  if (use == TemplateUse::kRewriting && !prompt.shows(kResponsePlace))
    add("it lacks {response}, the place of the reference answer that is to be rewritten");
  if (use == TemplateUse::kAnswering && prompt.shows(kResponsePlace))
    add("it shows {response}, the answer, which training and evaluation must not");
  if (faults.empty()) return;
  const bool rewriting = use == TemplateUse::kRewriting;
  fail_usage("prompt template '" + prompt.name + "' cannot " +
             (rewriting ? "ask for rewrites" : "ask for answers") + ": " + faults);
}

}  // namespace sdft
