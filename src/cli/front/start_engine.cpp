#include "cli/front/start_engine.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
// As execve() wants them.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}
}  // namespace

std::vector<std::string> engine_environment() {
  std::vector<std::string> list;
  for (char** entry = environ; entry && *entry; ++entry) list.emplace_back(*entry);
  // libgomp's threads wait for the next loop by turning round 300,000 times, some 10 ms, before they sleep:
  // while another process is busy they take the cores from the thread that they wait for.
  if (!std::getenv("GOMP_SPINCOUNT") && !std::getenv("OMP_WAIT_POLICY"))
    list.emplace_back("GOMP_SPINCOUNT=2000");
  return list;
}

Error start_engine(char** argv) {
  try {
    const fs::path engine = fs::read_symlink("/proc/self/exe").parent_path() / "sdft-engine";
    std::vector<std::string> environment = engine_environment();
    ::execve(engine.c_str(), argv, pointers(environment).data());
    if (errno == ENOENT)
      return Error(ExitCode::kInput, engine.string() +
                                         ": is missing, which runs this command (build or install sdft and "
                                         "sdft-engine into one folder)");
    if (errno == ENOMEM || errno == EAGAIN)
      return memory_error(engine.string() + ": " + std::strerror(errno));
    return Error(ExitCode::kInput, engine.string() + ": cannot be started: " + std::strerror(errno));
  } catch (...) {
    return current_error();
  }
}

}  // namespace sdft::cli
