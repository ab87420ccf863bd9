// The page that a server shows: its files, and what it asks for besides the models: runs, templates.
#pragma once

#include <filesystem>
#include <optional>

#include "run/tryout.h"
#include "serve/server.h"

namespace sdft::cli {

struct PageOptions {
  bool models = false;         // whether there are any to talk to
  std::filesystem::path runs;  // a folder of run directories; "": none are shown
  const Tryout* tryout = nullptr;
};
// Adds the files and views. options.tryout must outlive the server.
void add_page(const PageOptions& options, serve::ServerOptions* server);

}  // namespace sdft::cli
