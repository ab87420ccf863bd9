#include "cli/engine/page.h"

#include "base/error.h"
#include "base/file.h"
#include "report/compare.h"
#include "run/assets.h"
#include "run/browse.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
serve::Content json_content(const Json& json) { return {"application/json", to_line(json)}; }

// Of those that are there: a name is never made a path.
RunFolder named_run(const fs::path& root, const std::string& name) {
  for (RunFolder& run : run_folders(root))
    if (run.name == name) return std::move(run);
  fail_input("the folder of runs", "has no run '" + name.substr(0, 200) + "'");
}

void add_runs(const fs::path& root, serve::ServerOptions* server) {
  const auto run_of = [root](const Json& asked) {
    return named_run(root, require<std::string>(asked, "name", "the request"));
  };
  server->views["/runs"] = [root](const Json&) {
    Json rows = Json::array();
    for (const RunFolder& run : run_folders(root)) try {
        rows.push_back(run_row(run));
      } catch (const std::exception& error) {  // the others are shown all the same
        rows.push_back({{"name", run.name},
                        {"state", std::string("cannot be read: ") + error.what()},
                        {"model", ""},
                        {"dataset", ""},
                        {"changed", 0},
                        {"report", false}});
      }
    return json_content(rows);
  };
  server->views["/runs/view"] = [run_of](const Json& asked) { return json_content(run_view(run_of(asked))); };
  server->views["/runs/report"] = [run_of](const Json& asked) {
    const RunFolder run = run_of(asked);
    const auto file = value_or<std::string>(asked, "file", "report.html", "the request");
    const Json pages = run_pages(run);
    for (const Json& page : pages)
      if (page["file"] == file) return serve::Content{"text/html; charset=utf-8", read_text(run.dir / file)};
    fail_input("run '" + run.name + "'", "has no page '" + file.substr(0, 200) + "'");
  };
  server->views["/runs/compare"] = [root](const Json& asked) {
    std::vector<std::string> folders;
    for (const auto& name : require<std::vector<std::string>>(asked, "names", "the request"))
      folders.push_back(named_run(root, name).dir.string());
    const std::vector<report::ComparedRun> runs = report::read_compared_runs(folders, root);
    return serve::Content{"text/html; charset=utf-8", report::compare_html(runs)};
  };
}

void add_tryout(const Tryout& tryout, serve::ServerOptions* server) {
  server->views["/tryout"] = [&tryout](const Json&) { return json_content(tryout.choices()); };
  server->views["/tryout/examples"] = [&tryout](const Json& asked) {
    return json_content(tryout.examples(asked));
  };
  server->views["/tryout/prompt"] = [&tryout](const Json& asked) {
    return json_content(tryout.prompt(asked));
  };
  server->views["/tryout/judge"] = [&tryout](const Json& asked) { return json_content(tryout.judge(asked)); };
}
}  // namespace

void add_page(const PageOptions& options, serve::ServerOptions* server) {
  const fs::path folder = assets_dir() / "page";
  server->files["/"] = {"text/html; charset=utf-8", read_text(folder / "index.html")};
  server->files["/page.css"] = {"text/css; charset=utf-8", read_text(folder / "page.css")};
  for (const char* script : {"page.js", "common.js", "chat.js", "runs.js", "tryout.js"})
    server->files[std::string("/") + script] = {"text/javascript; charset=utf-8", read_text(folder / script)};
  const Json parts = {
      {"chat", options.models}, {"runs", !options.runs.empty()}, {"tryout", options.tryout != nullptr}};
  server->views["/parts"] = [parts](const Json&) { return json_content(parts); };
  if (!options.runs.empty()) add_runs(options.runs, server);
  if (options.tryout) add_tryout(*options.tryout, server);
}

}  // namespace sdft::cli
