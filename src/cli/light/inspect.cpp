// inspect: what is in a folder or a file.
#include <memory>

#include "cli/light/commands.h"
#include "cli/light/overview.h"
#include "cli/output.h"

namespace sdft::cli {

namespace {
struct InspectFlags {
  std::string path;
  bool json = false;
};

void run_inspect(const InspectFlags& flags) {
  const Json overview = overview_of(flags.path);
  flags.json ? write_line(overview) : write_out(overview_text(overview));
}
}  // namespace

void add_inspect(const Registry& registry) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App* inspect = registry.add(
      "inspect",
      "  sdft inspect MODEL\n  sdft inspect runs/one/sdft/adapter\n  sdft inspect train.jsonl --json",
      [flags] { run_inspect(*flags); });
  inspect->add_option("path", flags->path, "folder or file")->required()->type_name("PATH");
  inspect->add_flag("--json", flags->json, "for machines");
}

}  // namespace sdft::cli
