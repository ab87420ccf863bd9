#include <fmt/core.h>

#include "ask.h"

#if __has_include("base/error.h")
#error "the inside of sdft is in sight"
#endif

struct Answer {};  // names of the library's inside are free
struct Example {};

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw sdft::Error(sdft::ExitCode::kUsage, "usage: ask MODEL QUESTION");
    fmt::print("{}\n", ask(sdft::api::ChatModel(argv[1]), argv[2]));
  } catch (const sdft::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
