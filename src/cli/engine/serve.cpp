// serve: a model and its adapters over HTTP.
#include <poll.h>

#include <thread>

#include "base/comma_separated.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "cli/engine/commands.h"
#include "cli/engine/model_flags.h"
#include "cli/engine/page.h"
#include "cli/output.h"
#include "serve/server.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
struct ServeFlags {
  ModelFlags model;
  std::string adapters, runs, recipe;
  serve::ServerOptions server;
  serve::ServiceOptions service;
};

// What an adapter is called: its folder, or where that is "adapter" the one above it.
std::string name_of(const fs::path& folder) {
  fs::path path = folder.lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // a slash at the end
  const std::string name = path.filename().string();
  return name == "adapter" && path.has_parent_path() ? path.parent_path().filename().string() : name;
}

std::map<std::string, Adapter> load_adapters(const ServeFlags& flags, Model& model) {
  std::map<std::string, Adapter> adapters;
  std::vector<std::string> folders = comma_separated(flags.adapters);
  folders.push_back(flags.model.adapter);
  for (const std::string& folder : folders) {
    if (folder.empty()) continue;
    const std::string name = name_of(folder);
    if (name.empty() || name == "seed" || adapters.count(name))
      fail_usage("the adapter in " + folder + " would be called '" + name + "', as another model",
                 "rename its folder");
    adapters.emplace(name, load_adapter(model, folder));
  }
  return adapters;
}

// Ctrl-C and SIGTERM end the server.
class Ending {
 public:
  explicit Ending(serve::Server& server)
      : thread_([this, &server] {
          while (!over_) {  // stop() does nothing to a server that does not run yet
            pollfd wish{interrupted ? -1 : interrupt_descriptor(), POLLIN, 0};
            ::poll(&wish, 1, 100);
            if (interrupted) server.stop();
          }
        }) {}
  ~Ending() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

// The model with what answers for it.
struct Served {
  std::unique_ptr<ModelBundle> bundle;
  std::map<std::string, Adapter> adapters;
  std::unique_ptr<serve::Service> service;

  Served(const ServeFlags& flags, const ModelFlags& seed) {
    PromptFlags any;
    any.raw = true;  // a model without a chat template has completions all the same
    bundle = open_bundle(seed, any);
    load_weights(*bundle, seed);
    adapters = load_adapters(flags, bundle->model);
    service = std::make_unique<serve::Service>(*bundle, adapters, flags.service);
  }
};

std::string told(const serve::ServerOptions& options, int port, const Served* served,
                 const ServeFlags& flags) {
  const bool bare = options.host.find(':') == std::string::npos;  // no IPv6 address
  const std::string what = served ? joined(served->service->models()) : "the runs in " + flags.runs;
  return "serving " + what + " on http://" + (bare ? options.host : "[" + options.host + "]") + ":" +
         std::to_string(port) + (served ? " (a page; for programs /v1)\n" : " (a page)\n");
}

void run_serve(const ServeFlags& flags) {
  ModelFlags seed = flags.model;
  seed.adapter.clear();
  std::unique_ptr<Tryout> tryout;
  if (!flags.recipe.empty()) {
    Recipe recipe = read_recipe(flags.recipe, {});
    if (seed.model.empty()) seed.model = recipe.model_name_or_path;
    recipe.model_name_or_path = seed.model;
    tryout = std::make_unique<Tryout>(recipe);
  }
  if (seed.model.empty() && flags.runs.empty())
    fail_usage("there is nothing to serve", "--model MODEL to talk to, or --runs DIR to look at");
  if (std::error_code none; !flags.runs.empty() && !fs::is_directory(flags.runs, none))
    fail_input(flags.runs, "is no folder", "--runs is for the folder in which run directories are");
  std::unique_ptr<Served> served;
  if (!seed.model.empty()) served = std::make_unique<Served>(flags, seed);
  serve::ServerOptions options = flags.server;
  if (const char* key = std::getenv("SDFT_API_KEY")) options.key = key;
  add_page({served != nullptr, flags.runs, tryout.get()}, &options);
  serve::Server server(served ? served->service.get() : nullptr, options);
  write_out(told(options, server.port(), served.get(), flags));
  flush_out();
  {
    const Ending ending(server);
    server.run();
  }
  forget_interrupt();  // it was what ends a server
}
}  // namespace

void add_serve(const Registry& registry) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command =
      registry.add("serve",
                   "  sdft serve --model MODEL\n"
                   "  sdft serve --model MODEL --adapters runs/one/sdft,runs/one/vanilla --port 8080\n"
                   "  sdft serve --runs runs\n"
                   "  sdft serve --recipe recipe.yaml\n"
                   "  SDFT_API_KEY=secret sdft serve --model MODEL --host 0.0.0.0",
                   [flags] { run_serve(*flags); });
  add_model_flag(command, &flags->model.model)->required(false);
  add_loading_flags(command, &flags->model);
  command
      ->add_option("--adapters", flags->adapters,
                   "PEFT folders, or variants' folders: each a model by its folder's name")
      ->type_name("DIR,DIR");
  command
      ->add_option("--runs", flags->runs,
                   "a folder of run directories, to follow and compare on the page; also without a model")
      ->type_name("DIR");
  command
      ->add_option(
          "--recipe", flags->recipe,
          "a recipe whose distillation template can be tried on the page; its model where none is named")
      ->type_name("FILE");
  serve::ServerOptions& server = flags->server;
  command
      ->add_option("--host", server.host,
                   "address to listen on (default 127.0.0.1); any other asks for SDFT_API_KEY")
      ->type_name("");
  command->add_option("--port", server.port, "(default 8080); 0: one that is free")
      ->type_name("")
      ->check(CLI::Range(0, 65535));
  command->add_option(spelled("batch_size"), flags->service.batch_size, "answers written at once; 0: chosen")
      ->type_name("")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option(spelled("max_waiting"), flags->service.most_waiting,
                   "requests that are open at once (default 256); further ones get 429")
      ->type_name("")
      ->check(CLI::PositiveNumber);
  command
      ->add_option(spelled("max_connections"), server.connections, "connections served at once (default 256)")
      ->type_name("")
      ->check(CLI::Range(1, 4096));
  command->add_option("--timeout", server.seconds, "seconds after which an answer is cancelled (default 600)")
      ->type_name("")
      ->check(CLI::PositiveNumber);
}

}  // namespace sdft::cli
