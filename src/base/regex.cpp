#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/regex_syntax.h"

namespace sdft {
namespace {

constexpr size_t kJitStackStart = 32 << 10, kJitStackMost = 512 << 20, kJitStackLeast = 1 << 20;
constexpr uint32_t kHeapKiB = 2 << 20;
constexpr size_t kLongestPattern = 64 << 10;
constexpr size_t kWindow = 1024;  // places where a match may begin, between two looks for an interrupt
constexpr uint32_t kGroups = 32;  // of a pattern, that find_all gives
constexpr uint64_t kBacktracks = 10'000'000, kBacktracksPerByte = 16;  // then a match is given up

std::string pcre_message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

void set_limit(pcre2_match_context* context, size_t bytes) {
  const uint64_t limit = kBacktracks + kBacktracksPerByte * bytes;
  pcre2_set_match_limit(context, static_cast<uint32_t>(std::min<uint64_t>(limit, UINT32_MAX)));
}

template <auto free_function>
struct Free {
  template <typename T>
  void operator()(T* p) const {
    free_function(p);
  }
};

}  // namespace

struct RegexScratch::State {
  std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>> data{
      pcre2_match_data_create(kGroups + 1, nullptr)};
  std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>> context{
      pcre2_match_context_create(nullptr)};
  // Address space, of which memory is taken as needed; less where even that is scarce.
  std::unique_ptr<pcre2_jit_stack, Free<pcre2_jit_stack_free>> stack{
      pcre2_jit_stack_create(kJitStackStart, kJitStackMost, nullptr)};
};

RegexScratch::RegexScratch() = default;
RegexScratch::~RegexScratch() = default;
RegexScratch::RegexScratch(RegexScratch&&) noexcept = default;

// Only regexes need it, and a JIT stack is not cheap.
RegexScratch::State& RegexScratch::state() {
  if (state_) return *state_;
  auto made = std::make_unique<State>();
  if (!made->stack) made->stack.reset(pcre2_jit_stack_create(kJitStackStart, kJitStackLeast, nullptr));
  if (!made->data || !made->context || !made->stack) throw std::bad_alloc();
  pcre2_jit_stack_assign(made->context.get(), nullptr, made->stack.get());
  pcre2_set_heap_limit(made->context.get(), kHeapKiB);
  state_ = std::move(made);
  return *state_;
}

struct Regex::State {
  std::string pattern, where;
  std::unique_ptr<pcre2_code, Free<pcre2_code_free>> code;
  bool jit = false;
  uint32_t groups = 0;

  // What a matching function of PCRE2 gave.
  bool is_match(int result, std::string_view text) const {
    if (result == PCRE2_ERROR_NOMATCH) return false;
    if (result < 0)
      fail_input(where, "the regex '" + pattern + "' gave up on a text of " + std::to_string(text.size()) +
                            " bytes: " + pcre_message(result));
    return true;
  }
};

namespace {
// Python's \Z is the very end, PCRE2's may stand before a last line break.
std::string python_syntax(std::string pattern) {
  for (size_t at = 0; at + 1 < pattern.size(); ++at)
    if (pattern[at] == '\\') {
      if (pattern[at + 1] == 'Z') pattern[at + 1] = 'z';
      ++at;
    }
  return pattern;
}
}  // namespace

Regex::Regex(const std::string& pattern, const std::string& where, RegexSyntax syntax)
    : state_(std::make_unique<State>()) {
  state_->pattern = pattern;
  state_->where = where;
  std::unique_ptr<pcre2_compile_context, Free<pcre2_compile_context_free>> context(
      pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  if (pattern.size() > kLongestPattern)
    fail_input(where, "a regex of " + std::to_string(pattern.size()) + " bytes, more than " +
                          std::to_string(kLongestPattern));
  int error = 0;
  PCRE2_SIZE at = 0;
  const bool python = syntax == RegexSyntax::kPython;
  const std::string translated = python ? python_syntax(pattern) : pcre_syntax(pattern, where);
  const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_USE_OFFSET_LIMIT | (python ? 0 : PCRE2_MULTILINE);
  state_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                   options, &error, &at, context.get()));
  if (!state_->code)
    fail_input(where, "the regex '" + pattern + "' is not understood: " + pcre_message(error));
  uint32_t count = 0;
  pcre2_pattern_info(state_->code.get(), PCRE2_INFO_CAPTURECOUNT, &count);
  state_->groups = count;
  // Without JIT (a build or a processor that lacks it) the interpreter gives the same matches, slower.
  state_->jit = pcre2_jit_compile(state_->code.get(), PCRE2_JIT_COMPLETE) == 0;
}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

bool Regex::find(std::string_view text, size_t from, RegexScratch& scratch, Match& match,
                 Match* group) const {
  auto* data = scratch.state().data.get();
  auto* context = scratch.state().context.get();
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  set_limit(context, text.size() - from);
  for (size_t begin = from;;) {
    size_t next = begin + kWindow;  // the end of the window
    while (next < text.size() && (text[next] & 0xc0) == 0x80) ++next;
    const bool last = next >= text.size();
    pcre2_set_offset_limit(context, last ? PCRE2_UNSET : next - 1);
    int found = PCRE2_ERROR_JIT_STACKLIMIT;
    if (state_->jit)
      found = pcre2_jit_match(state_->code.get(), subject, text.size(), begin, 0, data, context);
    // The interpreter keeps its backtracking on the heap, which is larger.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT)
      found = pcre2_match(state_->code.get(), subject, text.size(), begin, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                          data, context);
    if (state_->is_match(found, text)) break;
    if (last) return false;
    stop_if_interrupted();
    begin = next;
  }
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data);
  match = {bounds[0], bounds[1]};
  if (group) *group = state_->groups && bounds[2] != PCRE2_UNSET ? Match{bounds[2], bounds[3]} : match;
  return true;
}

namespace {
// Where a search goes on behind a match: one that is empty is not found twice.
size_t behind(const Match& match, std::string_view text) {
  if (match.end > match.begin) return match.end;
  size_t next = match.end + 1;
  while (next < text.size() && (text[next] & 0xc0) == 0x80) ++next;
  return next;
}
}  // namespace

std::vector<std::vector<std::string>> Regex::find_all(std::string_view text) const {
  if (state_->groups > kGroups)
    fail_input(state_->where,
               "the regex '" + state_->pattern + "' has more than " + std::to_string(kGroups) + " groups");
  std::vector<std::vector<std::string>> all;
  RegexScratch scratch;
  Match match;
  for (size_t from = 0; from <= text.size() && find(text, from, scratch, match); from = behind(match, text)) {
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(scratch.state().data.get());
    std::vector<std::string> groups;
    for (uint32_t group = state_->groups > 0 ? 1 : 0; group <= state_->groups; ++group) {
      const PCRE2_SIZE begin = bounds[2 * group], end = bounds[2 * group + 1];
      groups.emplace_back(begin == PCRE2_UNSET ? "" : text.substr(begin, end - begin));
    }
    all.push_back(std::move(groups));
  }
  return all;
}

std::string Regex::replace_all(std::string_view text, std::string_view replacement) const {
  std::string result;
  RegexScratch scratch;
  Match match;
  size_t kept = 0;
  for (size_t from = 0; from <= text.size() && find(text, from, scratch, match); from = behind(match, text)) {
    result.append(text.substr(kept, match.begin - kept)).append(replacement);
    kept = match.end;
  }
  return result.append(text.substr(kept));
}

// Matching to the end is an option that JIT code lacks.
bool Regex::matches(std::string_view text) const {
  RegexScratch scratch;
  set_limit(scratch.state().context.get(), text.size());
  return state_->is_match(pcre2_match(state_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                      text.size(), 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NO_JIT,
                                      scratch.state().data.get(), scratch.state().context.get()),
                          text);
}

}  // namespace sdft
