// sdft-world: writes the training corpus, the evaluation sets and the vocabulary of the mini seed model.
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "world/world.h"

namespace {

constexpr const char* kUsage =
    "usage:\n"
    "  sdft-world corpus --examples N --out FILE [--seed S]\n"
    "  sdft-world eval --out DIR [--seed S]\n"
    "  sdft-world tokenizer --corpus FILE --out DIR [--vocab-size V]\n";

using Flags = std::map<std::string, std::string>;

Flags read_flags(int argc, char** argv, const Flags& defaults) {
  Flags flags = defaults;
  for (int i = 2; i < argc; i += 2) {
    std::string name = argv[i];
    if (!flags.count(name)) sdft::fail_usage("unknown flag '" + name + "'", kUsage);
    if (i + 1 == argc) sdft::fail_usage(name + " needs a value", kUsage);
    flags[name] = argv[i + 1];
  }
  for (const auto& [name, value] : flags) {
    if (value.empty()) sdft::fail_usage(name + " is missing", kUsage);
  }
  return flags;
}

uint64_t number_of(const Flags& flags, const std::string& name) {
  const std::string& text = flags.at(name);
  if (text.find_first_not_of("0123456789") != std::string::npos || text.size() > 18) {
    sdft::fail_usage(name + ": expected a whole number, found '" + text + "'");
  }
  return std::stoull(text);
}

// Puts records into a file as lines.
void write_records(const std::filesystem::path& path, size_t count,
                   const std::function<sdft::Json(size_t)>& record) {
  sdft::write_file_atomic(path, [&](const std::function<void(const void*, size_t)>& write) {
    for (size_t i = 0; i < count; ++i) {
      std::string line = record(i).dump() + "\n";
      write(line.data(), line.size());
    }
  });
}

void write_corpus(const Flags& flags) {
  sdft::WorldOptions options{number_of(flags, "--seed"), sdft::WorldSplit::kTrain};
  write_records(flags.at("--out"), number_of(flags, "--examples"),
                [&](size_t i) { return sdft::make_corpus_example(options, i); });
}

void write_eval(const Flags& flags) {
  std::filesystem::path dir = flags.at("--out");
  sdft::make_directories(dir);
  for (const sdft::EvalFile& file : sdft::make_eval_files({number_of(flags, "--seed")})) {
    write_records(dir / (file.name + ".jsonl"), file.records.size(),
                  [&](size_t i) { return file.records[i]; });
    std::printf("%s %zu\n", file.name.c_str(), file.records.size());
  }
}

void run(int argc, char** argv) {
  std::string command = argc > 1 ? argv[1] : "";
  if (command == "corpus") {
    write_corpus(read_flags(argc, argv, {{"--seed", "1"}, {"--examples", ""}, {"--out", ""}}));
  } else if (command == "eval") {
    write_eval(read_flags(argc, argv, {{"--seed", "1"}, {"--out", ""}}));
  } else if (command == "tokenizer") {
    Flags flags = read_flags(argc, argv, {{"--corpus", ""}, {"--vocab-size", "1024"}, {"--out", ""}});
    sdft::write_world_tokenizer(flags.at("--corpus"), static_cast<int>(number_of(flags, "--vocab-size")),
                                flags.at("--out"));
  } else if (command == "--help" || command == "-h") {
    std::fputs(kUsage, stdout);
  } else {
    sdft::fail_usage(command.empty() ? "no command" : "unknown command '" + command + "'", kUsage);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
    return 0;
  } catch (const sdft::Error& error) {
    std::fprintf(stderr, "sdft-world: %s\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sdft-world: internal error: %s\n", error.what());
    return 1;
  }
}
