// Chat templates: the Jinja that published models use, rendered as Jinja2 (trim_blocks, lstrip_blocks)
// renders it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft {

// The day on which this process first asked, local time: "2026-11-28". What strftime_now prints where no date
// is given, so that a run which goes over midnight has one date.
std::string today();

struct RenderOptions {
  bool add_generation_prompt = false;
  Json tools;                   // null or an array of tool schemas
  Json extra = Json::object();  // further variables a template may read (enable_thinking, ...)
  // "2025-07-10" or "2025-07-10 12:00": what strftime_now prints, alike in every time zone; "": the time when
  // this process first asked.
  std::string date;
  // Printing a special token (eos_token) that the model's files do not define is Error(kInput). Else it
  // prints nothing, as in Transformers.
  bool special_tokens_required = false;
};

class ChatTemplate {
 public:
  // `name` stands in messages for where the source is from. Throws Error(kInput) with the line on a syntax
  // error or an unsupported construct.
  static ChatTemplate parse(const std::string& source, const std::string& name);
  // The folder's template: chat_template.jinja, else tokenizer_config.json's chat_template (a string, or a
  // list of named ones of which "default" is taken, "tool_use" where there are tools). has() is false where
  // there is none.
  static ChatTemplate load(const std::filesystem::path& model_dir);

  bool has() const;
  const std::string& source() const;
  // Whether what it prints depends on RenderOptions::date.
  bool reads_clock() const;
  // The special tokens that the template reads: "eos_token" -> "</s>".
  std::map<std::string, std::string> special_tokens() const;

  // messages: array of {"role", "content", ...}. bos_token and eos_token come from tokenizer_config.json with
  // load(). Throws Error(kInput) on raise_exception, a runtime error or too long a run.
  std::string render(const Json& messages, const RenderOptions& options = {}) const;
  // As render, and the byte ranges [begin, end) of {% generation %} blocks.
  std::string render(const Json& messages, const RenderOptions& options,
                     std::vector<std::pair<size_t, size_t>>* generation_ranges) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace sdft
