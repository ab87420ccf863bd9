#include "text/jinja/chat_template.h"

#include <ctime>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/model_folder.h"
#include "text/jinja/jinja.h"

namespace sdft {
namespace {

namespace fs = std::filesystem;

// The clock is read once, so that everything that a process renders is of one time.
std::tm started() {
  static const std::time_t now = std::time(nullptr);
  std::tm time{};
  localtime_r(&now, &time);
  return time;
}

std::tm time_of(const std::string& date) {
  if (date.empty()) return started();
  std::tm time{};
  int day_end = -1, end = -1;
  std::sscanf(date.c_str(), "%4d-%2d-%2d%n %2d:%2d%n", &time.tm_year, &time.tm_mon, &time.tm_mday, &day_end,
              &time.tm_hour, &time.tm_min, &end);
  const auto size = static_cast<int>(date.size());
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  std::tm real = time;
  timegm(&real);  // sets the day of the week and of the year, and moves what does not exist
  const bool exists = real.tm_mday == time.tm_mday && real.tm_mon == time.tm_mon &&
                      real.tm_hour == time.tm_hour && real.tm_min == time.tm_min && real.tm_year > -1900;
  if (!exists || (end != size && day_end != size))
    fail_usage("date '" + date + "' is not understood", "write it as 2025-07-10 or 2025-07-10 12:00");
  return real;
}

constexpr const char* kTokenVariables[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                           "pad_token", "cls_token", "mask_token"};

// bos_token, eos_token, ... as templates see them: strings, or lists of them. What `config` has already
// stays.
void add_special_tokens(const Json& config, Json* variables) {
  auto content = [](const Json& token) -> Json {
    if (token.is_object() && token.contains("content")) return token["content"];
    return token.is_string() ? token : Json();
  };
  for (const char* key : kTokenVariables) {
    if (!config.is_object() || !config.contains(key) || variables->contains(key)) continue;
    Json token = content(config[key]);
    if (token.is_string()) (*variables)[key] = token;
  }
  const char* more = "additional_special_tokens";
  if (!config.is_object() || !config.contains(more) || !config[more].is_array() || variables->contains(more))
    return;
  Json tokens = Json::array();
  for (const Json& token : config[more]) tokens.push_back(content(token));
  if (!tokens.empty()) (*variables)[more] = tokens;
}

}  // namespace

std::string today() {
  const std::tm time = started();
  char text[16];
  return {text, std::strftime(text, sizeof text, "%F", &time)};
}

struct ChatTemplate::Impl {
  struct Source {
    std::string text;
    jinja::Program program;
  };
  std::optional<Source> plain, with_tools;
  Json variables = Json::object();  // the special tokens

  static Source read(const std::string& text, const std::string& name) {
    return {text, jinja::parse(text, name)};
  }

  // The value of a "chat_template" key: a string, or a list of named ones.
  void read_key(const Json& config, const fs::path& file) {
    if (!config.is_object() || !config.contains("chat_template")) return;
    const Json& value = config["chat_template"];
    std::string where = file.string() + ": chat_template";
    if (value.is_string()) {
      plain = read(value.get<std::string>(), where);
    } else if (value.is_array()) {
      for (const Json& entry : value) {
        std::string name = require<std::string>(entry, "name", where);
        std::string text = require<std::string>(entry, "template", where);
        if (name == "default") plain = read(text, where + " '" + name + "'");
        if (name == "tool_use") with_tools = read(text, where + " '" + name + "'");
      }
    } else if (!value.is_null()) {
      fail_field(config, "chat_template", file.string());
    }
  }
};

ChatTemplate ChatTemplate::parse(const std::string& source, const std::string& name) {
  auto impl = std::make_shared<Impl>();
  impl->plain = Impl::read(source, name);
  ChatTemplate result;
  result.impl_ = std::move(impl);
  return result;
}

ChatTemplate ChatTemplate::load(const fs::path& model_dir) {
  require_folder(model_dir, FolderKind::kModel);
  auto impl = std::make_shared<Impl>();
  fs::path config_file = model_dir / "tokenizer_config.json";
  Json config = fs::exists(config_file) ? read_json(config_file) : Json::object();
  fs::path own_file = model_dir / "chat_template.jinja", other_file = model_dir / "chat_template.json";
  if (fs::exists(own_file)) {
    impl->plain = Impl::read(read_text(own_file), own_file.string());
  } else {
    impl->read_key(config, config_file);
    if (!impl->plain && fs::exists(other_file)) impl->read_key(read_json(other_file), other_file);
  }
  add_special_tokens(config, &impl->variables);
  fs::path map_file = model_dir / "special_tokens_map.json";
  if (fs::exists(map_file)) add_special_tokens(read_json(map_file), &impl->variables);
  ChatTemplate result;
  result.impl_ = std::move(impl);
  return result;
}

bool ChatTemplate::has() const { return impl_ && (impl_->plain || impl_->with_tools); }

const std::string& ChatTemplate::source() const {
  static const std::string kNone;
  if (!has()) return kNone;
  return (impl_->plain ? impl_->plain : impl_->with_tools)->text;
}

bool ChatTemplate::reads_clock() const {
  if (!has()) return false;
  auto reads = [](const auto& source) {
    return source && source->text.find("strftime_now") != std::string::npos;
  };
  return reads(impl_->plain) || reads(impl_->with_tools);
}

std::map<std::string, std::string> ChatTemplate::special_tokens() const {
  std::map<std::string, std::string> tokens;
  for (const char* name : kTokenVariables)
    if (has() && impl_->variables.contains(name) && source().find(name) != std::string::npos)
      tokens[name] = impl_->variables[name].get<std::string>();
  return tokens;
}

std::string ChatTemplate::render(const Json& messages, const RenderOptions& options) const {
  return render(messages, options, nullptr);
}

std::string ChatTemplate::render(const Json& messages, const RenderOptions& options,
                                 std::vector<std::pair<size_t, size_t>>* generation_ranges) const {
  if (!has())
    fail_input("chat template", "the model has none",
               "use a prompt template that needs none, such as alpaca, or add chat_template.jinja to the "
               "model's folder");
  bool tools = options.tools.is_array() && !options.tools.empty();
  bool use_tools = impl_->with_tools && (tools || !impl_->plain);
  Json context = impl_->variables;
  context["documents"] = nullptr;
  for (const auto& [key, value] : options.extra.items()) context[key] = value;
  context["messages"] = messages;
  context["tools"] = options.tools;
  context["add_generation_prompt"] = options.add_generation_prompt;
  jinja::RenderSettings settings;
  settings.now = time_of(options.date);
  settings.generation_ranges = generation_ranges;
  if (options.special_tokens_required)
    settings.not_to_print_undefined.assign(std::begin(kTokenVariables), std::end(kTokenVariables));
  return jinja::render((use_tools ? impl_->with_tools : impl_->plain)->program, context, settings);
}

}  // namespace sdft
