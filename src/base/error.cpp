#include "base/error.h"

#include <algorithm>
#include <filesystem>
#include <new>
#include <numeric>
#include <system_error>

#include "base/work.h"

namespace sdft {

static std::string with_hint(const std::string& what, const std::string& hint) {
  return hint.empty() ? what : what + " (" + hint + ")";
}

void fail_input(const std::string& where, const std::string& what, const std::string& hint) {
  throw Error(ExitCode::kInput, where + ": " + with_hint(what, hint));
}

void fail_usage(const std::string& what, const std::string& hint) {
  throw Error(ExitCode::kUsage, with_hint(what, hint));
}

static const char* memory_advice() {
  switch (current_work.load()) {
    case Work::kReading:
      return "use a smaller file or a machine with more memory";
    case Work::kLoading:
      return "the model's weights need 4 bytes each on a CPU; use a smaller model or a machine with more "
             "memory";
    case Work::kTraining:
      return "lower per_device_train_batch_size or cutoff_len";
    case Work::kGenerating:
      return "lower generation_batch_size (generate: --batch_size) or max_new_tokens";
    case Work::kScoring:
      return "score shorter examples, or use a machine with more memory";
  }
  return "";
}

Error memory_error(const std::string& what) {
  return Error(ExitCode::kDevice, with_hint(what, memory_advice()));
}

Error current_error() {
  try {
    throw;
  } catch (const Error& e) {
    return e;
  } catch (const std::bad_alloc&) {
    return memory_error();
  } catch (const std::filesystem::filesystem_error& e) {  // a link to itself, a path that is too long
    return Error(ExitCode::kInput, e.path1().string() + ": " + e.code().message());
  } catch (const std::system_error& e) {  // a thread that cannot be started
    if (e.code() == std::errc::resource_unavailable_try_again || e.code() == std::errc::not_enough_memory)
      return memory_error(e.what());
    return Error(ExitCode::kInternal, std::string(e.what()) + " (this is a bug in sdft)");
  } catch (const std::exception& e) {
    return Error(ExitCode::kInternal, std::string(e.what()) + " (this is a bug in sdft)");
  } catch (...) {
    return Error(ExitCode::kInternal, "an unknown exception (this is a bug in sdft)");
  }
}

int edit_distance(const std::string& a, const std::string& b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      int substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

size_t place_of_choice(const std::vector<std::string>& choices, const std::string& name,
                       const std::string& setting) {
  const auto found = std::find(choices.begin(), choices.end(), name);
  if (found != choices.end()) return static_cast<size_t>(found - choices.begin());
  std::string all;
  for (const std::string& choice : choices) all += (all.empty() ? "" : ", ") + choice;
  fail_usage(setting + " '" + name + "' is not known", all);
}

}  // namespace sdft
