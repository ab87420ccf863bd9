#include "text/jinja/chat_template.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "testing.h"
#include "text/jinja/jinja.h"

namespace sdft {
namespace {

using testing::fixture;
using testing::ScratchDir;

const char* const kChatMl = R"({% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\n' }}
{%- endif %}
)";

Json two_messages() {
  return Json::parse(R"([{"role": "user", "content": "Hi <b>"}, {"role": "assistant", "content": "Hello"}])");
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(ChatTemplate, RendersMessages) {
  ChatTemplate chat = ChatTemplate::parse(kChatMl, "chatml");
  EXPECT_EQ(chat.render(two_messages()),
            "<|im_start|>user\nHi <b><|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n");
  RenderOptions options;
  options.add_generation_prompt = true;
  EXPECT_EQ(chat.render(Json::array(), options), "<|im_start|>assistant\n");
}

TEST(ChatTemplate, ReadsAFolder) {
  ScratchDir dir;
  EXPECT_FALSE(ChatTemplate::load(dir.path()).has());
  EXPECT_THAT(error_of([&] { ChatTemplate::load(dir.path()).render(two_messages()); }),
              ::testing::HasSubstr("has none"));
  write_file_atomic(dir / "tokenizer_config.json", R"({
    "bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null,
    "chat_template": [{"name": "default", "template": "{{ bos_token }}plain{{ eos_token }}{{ pad_token }}"},
                      {"name": "tool_use", "template": "{{ tools | length }} tools{{ unk_token }}"}]})");
  write_file_atomic(dir / "special_tokens_map.json", R"({"bos_token": "other", "unk_token": "<unk>"})");
  ChatTemplate chat = ChatTemplate::load(dir.path());
  EXPECT_EQ(chat.render(two_messages()), "<s>plain</s>");
  RenderOptions options;
  options.tools = Json::parse(R"([{"type": "function"}])");
  EXPECT_EQ(chat.render(two_messages(), options), "1 tools<unk>");
  write_file_atomic(dir / "chat_template.jinja", "file {{ answer }}");
  options.extra["answer"] = 42;
  EXPECT_EQ(ChatTemplate::load(dir.path()).render(two_messages(), options), "file 42");
}

TEST(ChatTemplate, KnowsWhereGenerationIs) {
  ChatTemplate chat = ChatTemplate::parse(
      "{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>"
      "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
      "t");
  std::vector<std::pair<size_t, size_t>> ranges;
  std::string text = chat.render(two_messages(), {}, &ranges);
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(text.substr(ranges[0].first, ranges[0].second - ranges[0].first), "Hello</s>");
}

TEST(ChatTemplate, PrintsAGivenDate) {
  ChatTemplate chat = ChatTemplate::parse("{{ strftime_now('%d %b %Y %A %H:%M') }}", "t");
  RenderOptions options;
  options.date = "2025-07-10 12:00";
  EXPECT_EQ(chat.render({}, options), "10 Jul 2025 Thursday 12:00");
  for (const char* bad :
       {"10.7.2025", "2025-02-30", "2025-07-10 24:00", "2025-07-10 12:00 or so", "2025-7"}) {
    options.date = bad;
    EXPECT_THROW(chat.render({}, options), Error) << bad;
  }
}

// As Python's datetime.now() without a zone, with one time for a whole run.
TEST(ChatTemplate, AGivenDateIsTheSameInEveryTimeZone) {
  ChatTemplate chat = ChatTemplate::parse("{{ strftime_now('%c|%z|%Z|%s|%j %U %p %F %T|%f|%5Y|%é%') }}", "t");
  const char* zone = std::getenv("TZ");
  const std::optional<std::string> before = zone ? std::optional<std::string>(zone) : std::nullopt;
  for (const char* place : {"UTC", "America/New_York", "XYZ-13:30", "Pacific/Apia"}) {
    setenv("TZ", place, 1);
    tzset();
    RenderOptions options;
    options.date = "2025-03-09 02:30";  // an hour that New York leaves out
    EXPECT_EQ(chat.render({}, options),
              "Sun Mar  9 02:30:00 2025|||1741487400|068 10 AM 2025-03-09 02:30:00|000000|02025|%é%");
  }
  before ? setenv("TZ", before->c_str(), 1) : unsetenv("TZ");
  tzset();
}

TEST(ChatTemplate, ReadsTheClockOnce) {
  EXPECT_THAT(today(), ::testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}"));
  ChatTemplate chat = ChatTemplate::parse("{{ strftime_now('%F') }}{{ strftime_now('') }}", "t");
  EXPECT_TRUE(chat.reads_clock());
  EXPECT_EQ(chat.render({}), today());
  EXPECT_FALSE(ChatTemplate::parse("{{ messages }}", "t").reads_clock());
}

TEST(ChatTemplate, RefusesAHugeDate) {
  ChatTemplate chat = ChatTemplate::parse("{{ strftime_now('%100000000d') }}", "t");
  EXPECT_THAT(error_of([&] { chat.render({}); }), ::testing::HasSubstr("a width of more than 999"));
  const std::string source = "{{ strftime_now('%d, ' * 5000) | length }}";
  EXPECT_EQ(ChatTemplate::parse(source, "t").render({}), "20000");
}

// Real templates, rendered by Jinja2 itself.
std::string real_template(const std::string& name) {
  size_t slash = name.find('/');
  if (name.substr(0, slash) != "tokenizer_config")
    return read_text(fixture("chat_templates/" + name + ".jinja"));
  auto config = fixture("tokenizers/hf/" + name.substr(slash + 1) + "/tokenizer_config.json");
  return std::filesystem::exists(config) ? read_json(config)["chat_template"].get<std::string>() : "";
}

TEST(ChatTemplate, RealTemplatesAsJinja2) {
  auto golden = fixture("chat_templates/golden_python_jinja2.json");
  REQUIRE_FIXTURE(golden);
  size_t rendered = 0;
  Json all = read_json(golden);
  for (const Json& test : all["cases"]) {
    std::string name = test["template"], source = real_template(name);
    if (source.empty()) continue;
    SCOPED_TRACE(name + " / " + test["context_name"].get<std::string>());
    jinja::Program program = jinja::parse(source, name);
    jinja::RenderSettings settings;
    settings.now.tm_year = 125, settings.now.tm_mon = 6, settings.now.tm_mday = 10, settings.now.tm_hour = 12;
    if (test.contains("expected")) {
      EXPECT_EQ(jinja::render(program, test["context"], settings), test["expected"]);
    } else {
      std::string expected = test["expected_error"], raised = "TemplateError: ";
      std::string error = error_of([&] { jinja::render(program, test["context"], settings); });
      if (expected.rfind(raised, 0) == 0) expected = expected.substr(raised.size());
      if (size_t type = expected.find("Error: "); type != std::string::npos)
        expected = expected.substr(type + 7);
      EXPECT_THAT(error, ::testing::HasSubstr(expected));
    }
    ++rendered;
  }
  EXPECT_GE(rendered, 200u);
}

TEST(ChatTemplate, UnitCasesAsJinja2) {
  for (const char* file : {"e2e.json", "templates.json"}) {
    auto cases = fixture(std::string("chat_templates/hf_jinja/") + file);
    REQUIRE_FIXTURE(cases);
    Json all = read_json(cases);
    ASSERT_GT(all["cases"].size(), 20u);
    for (const Json& test : all["cases"]) {
      SCOPED_TRACE(test["name"].get<std::string>());
      jinja::LexerOptions options;
      options.trim_blocks = test["trim_blocks"];
      options.lstrip_blocks = test["lstrip_blocks"];
      jinja::RenderSettings settings;
      settings.now.tm_year = 125, settings.now.tm_mon = 6, settings.now.tm_mday = 10,
      settings.now.tm_hour = 12;
      auto run = [&] {
        return jinja::render(jinja::parse(test["template"], "t", options), test["context"], settings);
      };
      if (test.contains("expected")) {
        EXPECT_EQ(run(), test["expected"]);
      } else {
        EXPECT_THROW(run(), Error);
      }
    }
  }
}

}  // namespace
}  // namespace sdft
