// The server's page: its files, runs that are followed and read, templates that are tried.
#include <gmock/gmock.h>

#include "base/file.h"
#include "cli/served.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kTop = SDFT_SOURCE_DIR, kMini = kTop / "assets" / "mini-seed",
               kDeliveries = kTop / "assets" / "mini-world" / "delivery_train.jsonl";

class Page : public ::testing::Test {
 protected:
  std::vector<std::string> run(const std::string& name, std::vector<std::string> more = {}) const {
    std::vector<std::string> args = {
        "run",
        "model_name_or_path=" + kMini.string(),
        "dataset=" + kDeliveries.string(),
        "output_dir=" + (runs() / name).string(),
        "max_samples=40",
        "max_new_tokens=64",
        "answer_check=answer",
        "learning_rate=0.001",
        "num_train_epochs=1",
        "threads=2",
        "eval=[{name: delivery, kind: target, max_samples: 4, dataset: " + kDeliveries.string() + "}]"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  std::string recipe() const {
    write_text(dir_ / "recipe.yaml", "model_name_or_path: " + kMini.string() +
                                         "\ndataset: " + kDeliveries.string() + "\nanswer_check: answer\n");
    return (dir_ / "recipe.yaml").string();
  }
  fs::path runs() const { return dir_ / "runs"; }
  ScratchDir dir_;
};

TEST_F(Page, NeedsNothingFromElsewhere) {
  make_directories(runs());
  Served server({"--runs", runs().string()});
  for (const auto& entry : fs::directory_iterator(kTop / "assets" / "page")) {
    const std::string name = entry.path().filename().string();
    const auto file = server.client().Get(name == "index.html" ? "/" : "/" + name);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->status, 200) << name;
    EXPECT_THAT(file->get_header_value("Content-Security-Policy"), HasSubstr("default-src 'self'"));
    std::string text = file->body;
    if (const size_t space = text.find("http://www.w3.org/2000/svg"); space != std::string::npos)
      text.erase(space, 26);  // a name, which nobody loads
    EXPECT_EQ(text.find("://"), std::string::npos) << name;
  }
}

TEST_F(Page, ARunIsFollowedToItsReport) {
  make_directories(runs());
  Served server({"--runs", runs().string()});
  EXPECT_EQ(server.post("/runs", {}), Json::array());
  Command command(run("one", {"watch_steps=2"}));
  Json seen;
  bool progress = false, ended = false;
  while (!(ended = command.run_for(0.05)) && !progress) {
    if (server.post("/runs", {}).empty()) continue;
    seen = server.post("/runs/view", {{"name", "one"}});
    progress = !seen["progress"].is_null();
  }
  ASSERT_FALSE(ended);
  EXPECT_EQ(seen["state"], "running");
  EXPECT_GT(seen["progress"]["total"], 0);
  EXPECT_EQ(seen["stages"].size(), 3u) << seen["stages"];

  ASSERT_EQ(command.wait().exit_code, 0);
  EXPECT_FALSE(fs::exists(runs() / "one" / "progress.json"));
  EXPECT_FALSE(fs::exists(runs() / "one" / "distill" / "newest.json"));
  seen = server.post("/runs/view", {{"name", "one"}});
  EXPECT_EQ(seen["state"], "finished");
  EXPECT_TRUE(seen["progress"].is_null());
  for (const Json& stage : seen["stages"]) EXPECT_EQ(stage["done"], stage["total"]) << stage;
  const Json summary = read_json(runs() / "one" / "distill" / "summary.json");
  EXPECT_EQ(seen["rewrites"]["accepted"], summary["accepted"]);
  EXPECT_FALSE(seen["rewrites"]["newest"].empty());
  const Json& training = seen["trainings"][0];
  EXPECT_EQ(training["variant"], "sdft");
  EXPECT_EQ(training["step"].back(), 5);
  EXPECT_EQ(training["kl_step"], Json::parse("[2, 4, 5]"));
  EXPECT_EQ(server.client().Get("/runs/report?name=one")->body, read_text(runs() / "one" / "report.html"));
  ASSERT_GT(seen["pages"].size(), 2u);
  for (const Json& page : seen["pages"])
    EXPECT_EQ(server.client().Get("/runs/report?name=one&file=" + page["file"].get<std::string>())->body,
              read_text(runs() / "one" / page["file"].get<std::string>()));
  EXPECT_EQ(server.client().Get("/runs/report?name=one&file=recipe.yaml")->status, 400);
  const Json row = server.post("/runs", {})[0];
  EXPECT_EQ(row["means"][0]["model"], "seed");
  EXPECT_TRUE(row["means"][0]["retained"].is_null());
}

// What is judged meanwhile is what is judged afterwards.
TEST_F(Page, RewritesOfAKilledRunAreJudgedAlike) {
  ASSERT_EQ(run_command(run("whole")).exit_code, 0);
  Command killed(run("killed"));
  const fs::path drafts = runs() / "killed" / "drafts";
  const auto some_written = [&] {
    if (!fs::exists(drafts)) return false;
    for (const auto& entry : fs::recursive_directory_iterator(drafts))
      if (entry.path().extension() == ".part" && fs::file_size(entry.path()) > 0) return true;
    return false;
  };
  while (!some_written() && !killed.run_for(0.002)) {
  }
  killed.kill(SIGKILL);
  killed.wait();
  ASSERT_EQ(run_command(run("killed")).exit_code, 0);
  for (const char* file : {"distill/distilled.jsonl", "distill/summary.json"})
    EXPECT_TRUE(read_text(runs() / "whole" / file) == read_text(runs() / "killed" / file)) << file;
  EXPECT_FALSE(fs::exists(runs() / "killed" / "progress.json"));
}

TEST_F(Page, NamesOfRunsAreNoPaths) {
  make_directories(runs());
  write_text(dir_ / "recipe.yaml", "{}");
  Served server({"--runs", runs().string()});
  const Json reply = server.post("/runs/view", {{"name", ".."}}, 400);
  EXPECT_THAT(reply["error"]["message"].get<std::string>(), HasSubstr("has no run '..'"));
  EXPECT_THAT(server.post("/v1/completions", {{"prompt", "a"}}, 404)["error"]["message"].get<std::string>(),
              HasSubstr("without a model"));
}

TEST_F(Page, ADamagedRunHidesNoOther) {
  for (const char* name : {"damaged", "unevaluated"}) {
    make_directories(runs() / name);
    write_text(runs() / name / "recipe.yaml", "{}");
  }
  write_text(runs() / "damaged" / "report.json", "{");
  write_text(runs() / "unevaluated" / "report.json", R"({"run": {}})");
  Served server({"--runs", runs().string()});
  const Json rows = server.post("/runs", {});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(rows[0]["state"].get<std::string>(), HasSubstr("cannot be read"));
  EXPECT_EQ(rows[1]["state"], "stopped");
  EXPECT_EQ(server.post("/runs/view", {{"name", "unevaluated"}})["state"], "stopped");
}

TEST_F(Page, ItsViewsAskForTheKey) {
  make_directories(runs());
  ::setenv("SDFT_API_KEY", "secret", 1);
  Served server({"--runs", runs().string()});
  ::unsetenv("SDFT_API_KEY");
  EXPECT_EQ(server.client().Get("/")->status, 200);
  EXPECT_EQ(server.client().Get("/runs")->status, 401);
  EXPECT_EQ(server.client().Get("/runs", {{"Authorization", "Bearer secret"}})->status, 200);
}

TEST_F(Page, ATemplateIsTriedAsARunWouldUseIt) {
  Served server({"--recipe", recipe()});
  const Json choices = server.post("/tryout", {}), first = server.post("/tryout/examples", {{"count", 1}})[0];
  EXPECT_EQ(choices["template"], "chat_distill_using");
  Json using_it;
  for (const Json& one : choices["templates"])
    if (one["name"] == choices["template"]) using_it = one;
  const Json prompt = server.post("/tryout/prompt", {{"id", first["id"]}, {"template", using_it}});
  const std::string shown =
      run_command({"preview", "--recipe", recipe(), "--examples", "1", "--rewriting", "--json"}).out;
  EXPECT_EQ(prompt["text"], parse_json(lines_of(shown).front(), "preview")["rewriting_prompt"]);

  Json asked = {{"id", first["id"]},
                {"rewrite", "The answer is " + first["answer"].get<std::string>() + "."}};
  asked["acceptance"] = Json::array();
  EXPECT_EQ(server.post("/tryout/judge", asked)["accepted"], true);
  asked["rewrite"] = "Nobody knows.";
  EXPECT_EQ(server.post("/tryout/judge", asked)["reason"], "answer_mismatch");

  using_it["turn"] = "{instruction} {respons}";
  const Json fault = server.post("/tryout/prompt", {{"id", first["id"]}, {"template", using_it}}, 400);
  EXPECT_THAT(fault["error"]["message"].get<std::string>(), HasSubstr("did you mean {response}"));
}

TEST_F(Page, ATryoutReadsNoFilesOfItsOwn) {
  Served server({"--recipe", recipe()});
  write_text(dir_ / "phrases.txt", "secret\n");
  const Json asked = {{"id", "delivery_train-1"},
                      {"rewrite", "secret"},
                      {"acceptance", {"banned_phrase:" + (dir_ / "phrases.txt").string()}}};
  EXPECT_THAT(server.post("/tryout/judge", asked, 400)["error"]["message"].get<std::string>(),
              HasSubstr("only the recipe's own files"));
}

TEST_F(Page, SomethingMustBeServed) {
  const CommandResult nothing = run_command({"serve"});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("--runs DIR to look at"));
  const CommandResult missing = run_command({"serve", "--runs", (dir_ / "none").string()});
  EXPECT_EQ(missing.exit_code, 3);
}

}  // namespace
}  // namespace sdft::testing
