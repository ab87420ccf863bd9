#include "cli/light/overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/model_folder.h"
#include "data/dataset.h"
#include "data/record_file.h"
#include "data/record_folder.h"
#include "model/format/config.h"
#include "model/format/gguf_header.h"
#include "model/format/safetensors_header.h"
#include "text/jinja/chat_template.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
// Number of tensors and parameters, types, and each tensor's type and shape.
Json weights_of(const std::vector<std::string>& names,
                const std::function<TensorInfo(const std::string&)>& info_of) {
  Json types = Json::object();
  Json::object_t tensors;  // not tensors[...], which searches
  int64_t parameters = 0;
  for (const std::string& name : names) {
    TensorInfo info = info_of(name);
    for (char& c : info.type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    int64_t count = 1;
    for (const int64_t size : info.shape) count *= size;
    tensors.emplace_back(name, Json{{"dtype", info.type}, {"shape", info.shape}});
    types[info.type] = types.value(info.type, int64_t{0}) + count;
    parameters += count;
  }
  return {{"tensors", names.size()},
          {"parameters", parameters},
          {"dtype", types},
          {"shapes", std::move(tensors)}};
}

// What `look` finds, or what is wrong with it: a folder with one bad part still shows the others.
Json or_problem(const std::function<Json()>& look) {
  try {
    return look();
  } catch (const Error& e) {
    return {{"problem", e.what()}};
  }
}

Json config_of(const fs::path& dir) {
  const ModelConfig c = read_config(dir);
  return {{"architecture", c.architecture},
          {"model_type", c.model_type},
          {"parameters", c.parameters()},
          {"vocab_size", c.vocab_size},
          {"hidden_size", c.hidden_size},
          {"intermediate_size", c.intermediate_size},
          {"num_hidden_layers", c.num_hidden_layers},
          {"num_attention_heads", c.num_attention_heads},
          {"num_key_value_heads", c.num_key_value_heads},
          {"head_dim", c.head_dim},
          {"max_position_embeddings", c.max_position_embeddings},
          {"rope", c.rope.type},
          {"tie_word_embeddings", c.tie_word_embeddings},
          {"eos_token_ids", c.eos_token_ids}};
}

Json tokenizer_of(const fs::path& dir) {
  const Tokenizer tokenizer = Tokenizer::load(dir);
  Json json = {{"vocab_size", tokenizer.vocab_size()}};
  const std::pair<const char*, std::optional<int32_t>> named[] = {
      {"bos", tokenizer.bos_id()}, {"eos", tokenizer.eos_id()}, {"pad", tokenizer.pad_id()}};
  for (const auto& [name, id] : named)
    json[name] = id ? Json({{"id", *id}, {"token", tokenizer.token_of(*id)}}) : Json();
  Json special = Json::array();
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id)
    if (tokenizer.is_special(id)) special.push_back(tokenizer.token_of(id));
  json["special_tokens"] = special;
  return json;
}

Json model_overview(const fs::path& dir) {
  Json json = {{"kind", "model"}, {"path", dir.string()}};
  json["config"] = or_problem([&] { return config_of(dir); });
  json["weights"] = or_problem([&] {
    const ModelHeaders files(dir);
    return weights_of(files.names(), [&](const std::string& name) { return files.info(name); });
  });
  json["tokenizer"] = or_problem([&] { return tokenizer_of(dir); });
  json["chat_template"] = or_problem([&] {
    const ChatTemplate chat = ChatTemplate::load(dir);
    return chat.has() ? Json(chat.source()) : Json();
  });
  return json;
}

Json file_overview(const fs::path& path) {
  const SafetensorsHeader file(path);
  Json json = weights_of(file.names(), [&](const std::string& name) { return file.info(name); });
  json["metadata"] = file.metadata();
  return json;
}

Json adapter_overview(const fs::path& dir) {
  Json json = {{"kind", "adapter"}, {"path", dir.string()}};
  json["config"] = or_problem([&] { return read_json(dir / "adapter_config.json"); });
  json["weights"] = or_problem([&] { return file_overview(dir / "adapter_model.safetensors"); });
  return json;
}

// Lists of tens of thousands (the vocabulary) are only counted.
Json gguf_overview(const fs::path& path) {
  const GgufHeader file(path);
  Json::object_t metadata;
  for (const auto& [key, value] : file.metadata())
    metadata.emplace_back(
        key, value.is_array() && value.size() > 64 ? Json(fmt::format("{} values", value.size())) : value);
  std::vector<std::string> names;
  for (const auto& item : file.tensors()) names.push_back(item.first);
  auto info_of = [&](const std::string& name) {
    const GgufTensor& tensor = file.tensors().at(name);
    return TensorInfo{tensor.type->name, tensor.shape};
  };
  return {{"kind", "gguf"},
          {"path", path.string()},
          {"metadata", std::move(metadata)},
          {"weights", weights_of(names, info_of)},
          {"use", "sdft import makes a model folder of it"}};
}

// Folders with what a stage left, and whether it is done.
Json run_overview(const fs::path& dir) {
  Json stages = Json::object();
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::recursive_directory_iterator at(dir, fs::directory_options::skip_permission_denied, error), end;
       !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (at->is_directory(ignored)) folders.push_back(at->path());
  }
  std::sort(folders.begin(), folders.end());
  for (const fs::path& folder : folders) {
    Json stage = Json::object();
    for (const char* name :
         {"distilled.jsonl", "train.jsonl", "metrics.jsonl", "answers.jsonl", "scores.jsonl"}) {
      if (!fs::exists(folder / name)) continue;
      stage[name] = for_each_line(folder / name, [](std::string_view, size_t) {});
    }
    for (const char* name : {"adapter", "model", "checkpoint.safetensors"})
      if (fs::exists(folder / name)) stage[name] = true;
    if (stage.empty() && !fs::exists(folder / "DONE")) continue;
    stage["done"] = fs::exists(folder / "DONE");
    stages[folder.lexically_relative(dir).string()] = stage;
  }
  Json json = {
      {"kind", "run"}, {"path", dir.string()}, {"done", fs::exists(dir / "DONE")}, {"stages", stages}};
  if (fs::exists(dir / "provenance.json"))
    json["provenance"] = or_problem([&] { return read_json(dir / "provenance.json"); });
  if (fs::exists(dir / "recipe.yaml")) json["recipe"] = read_text(dir / "recipe.yaml");
  return json;
}

Json dataset_overview(const fs::path& path) {
  DatasetOptions options;
  options.response_required = false;
  options.skip_bad = true;
  const Dataset dataset = read_dataset(path, options);
  Json bad = Json::array();
  for (const SkippedRecord& record : dataset.skipped)
    bad.push_back({{"where", record.where}, {"reason", record.reason}});
  size_t without_response = 0, with_history = 0, with_system = 0, instruction = 0, response = 0;
  for (const Example& example : dataset.examples) {
    without_response += example.response.empty();
    with_history += !example.history.empty();
    with_system += !example.system.empty();
    instruction += example.instruction.size();
    response += example.response.size();
  }
  Json json = {{"kind", "dataset"},
               {"path", path.string()},
               {"sha256", dataset.sha256},
               {"examples", dataset.examples.size()}};
  json["without_response"] = without_response;
  json["with_history"] = with_history;
  json["with_system"] = with_system;
  if (const double count = static_cast<double>(dataset.examples.size()); count > 0)
    json["mean_bytes"] = {{"instruction", static_cast<double>(instruction) / count},
                          {"response", static_cast<double>(response) / count}};
  json["bad"] = bad;
  if (dataset.examples.empty()) return json;
  const Example& first = dataset.examples[0];
  json["fields"] = Json::array();
  for (const auto& item : first.fields.items()) json["fields"].push_back(item.key());
  json["first"] = {{"id", first.id}, {"instruction", first.instruction}, {"response", first.response}};
  return json;
}
}  // namespace

Json overview_of(const fs::path& path) {
  if (path.empty()) fail_usage("the path to inspect is empty");
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (path == kStandardInput || names_records(path)) return dataset_overview(path);
  if (!fs::exists(status) || !fs::is_directory(status)) {
    if (status.type() == fs::file_type::not_found) fail_input(path.string(), "does not exist");
    if (error) fail_input(path.string(), "cannot be opened: " + error.message());
    if (path.extension() == ".gguf") return gguf_overview(path);
    if (path.extension() != ".safetensors") return dataset_overview(path);
    Json json = {{"kind", "safetensors"}, {"path", path.string()}};
    json["weights"] = file_overview(path);
    return json;
  }
  if (fs::exists(path / "adapter_config.json")) return adapter_overview(path);
  if (fs::exists(path / "config.json")) return model_overview(path);
  if (fs::exists(path / "recipe.yaml")) return run_overview(path);
  require_folder(path, FolderKind::kModel);
  fail_input(
      path.string(),
      "is no model folder (config.json), adapter (adapter_config.json) or run directory (recipe.yaml)");
}

namespace {
constexpr size_t kLongList = 16;

bool is_flat(const Json& list) {
  return std::none_of(list.begin(), list.end(), [](const Json& item) { return item.is_structured(); });
}

std::string dumped(const Json& value) { return to_line(value); }

std::string short_text(const Json& value) {
  if (value.is_null()) return "none";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array() || value.size() <= kLongList) return dumped(value);
  std::string text;
  for (size_t i = 0; i < kLongList; ++i) text += dumped(value[i]) + ", ";
  return text + fmt::format("... ({} in all)", value.size());
}

// "model.layers.*.mlp.up_proj.weight" where every layer has it alike.
Json grouped_shapes(const Json& shapes) {
  std::vector<std::pair<std::string, size_t>> groups;  // line and how many tensors it stands for
  std::map<std::string, size_t> places, uses;          // of a line in groups, and of a name
  for (const auto& [name, tensor] : shapes.items()) {
    std::string pattern;
    for (size_t i = 0; i < name.size(); ++i) {
      const bool digit = name[i] >= '0' && name[i] <= '9';
      if (!digit || i == 0 || (name[i - 1] != '.' && pattern.back() != '*')) {
        pattern += name[i];
      } else if (pattern.back() != '*') {
        pattern += '*';
      }
    }
    pattern += '\t' + tensor["dtype"].get<std::string>() + ' ' + dumped(tensor["shape"]);
    const size_t place = places.emplace(pattern, groups.size()).first->second;
    if (place == groups.size()) groups.emplace_back(pattern, 0);
    ++groups[place].second;
  }
  Json::object_t json;
  for (const auto& [pattern, count] : groups) {
    const size_t tab = pattern.rfind('\t');
    std::string name = pattern.substr(0, tab);
    if (const size_t use = ++uses[name]; use > 1) name += fmt::format(" ({})", use);  // layers that differ
    json.emplace_back(name, pattern.substr(tab + 1) + (count > 1 ? fmt::format("  x {}", count) : ""));
  }
  return json;
}

// A name from a file, on one line.
std::string name_text(const std::string& name) {
  const bool plain =
      std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (plain) return name;
  const std::string quoted = dumped(name);
  return quoted.substr(1, quoted.size() - 2);
}

void append(std::string& out, const std::string& name, const Json& value, size_t depth) {
  const std::string key = name_text(name);
  const std::string indent(2 * depth, ' ');
  const size_t width = 24 - std::min<size_t>(24, 2 * depth);
  if (key == "shapes" && value.is_object()) {
    out += indent + key + "\n";
    const Json groups = grouped_shapes(value);  // items() does not keep a temporary alive
    for (const auto& [tensor, text] : groups.items())
      out += fmt::format("{}  {:<46}  {}\n", indent, name_text(tensor), text.get<std::string>());
  } else if (value.is_object() && !value.empty()) {
    out += indent + key + "\n";
    for (const auto& [inner, item] : value.items()) append(out, inner, item, depth + 1);
  } else if (value.is_array() && !is_flat(value)) {
    out += indent + key + "\n";
    for (size_t i = 0; i < value.size() && i < kLongList; ++i)
      append(out, std::to_string(i), value[i], depth + 1);
    if (value.size() > kLongList) out += fmt::format("{}  ... ({} in all)\n", indent, value.size());
  } else {
    const std::string text = short_text(value);
    if (text.find('\n') == std::string::npos) {
      out += fmt::format("{}{:<{}}  {}\n", indent, key, width, text);
      return;
    }
    out += indent + key + "\n";
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      out += indent + "  " + text.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
  }
}
}  // namespace

std::string overview_text(const Json& overview) {
  std::string out;
  for (const auto& [key, value] : overview.items()) append(out, key, value, 0);
  return out;
}

}  // namespace sdft::cli
