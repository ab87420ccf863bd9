// tokenizer_bench MODEL_DIR TEXT_FILE [THREADS]: how fast a model's tokenizer reads and writes a text.
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "text/tokenizer/tokenizer.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void report(const char* what, size_t bytes, size_t tokens, double seconds) {
  std::printf("%-22s %8.2f MB/s %9.2f Mtoken/s %8.3f s\n", what, bytes / 1e6 / seconds,
              tokens / 1e6 / seconds, seconds);
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    end = end == std::string::npos ? text.size() : end + 1;
    lines.push_back(text.substr(at, end - at));
    at = end;
  }
  return lines;
}

size_t encode_lines(const sdft::Tokenizer& tokenizer, const std::vector<std::string>& lines, size_t first,
                    size_t step) {
  size_t tokens = 0;
  for (size_t i = first; i < lines.size(); i += step) tokens += tokenizer.encode(lines[i]).size();
  return tokens;
}

void run(const std::string& model, const std::string& file, size_t threads) {
  auto start = Clock::now();
  const auto tokenizer = sdft::Tokenizer::load(model);
  std::printf("%-22s %35.3f s\n", "load", seconds_since(start));
  const std::string text = sdft::read_text(file);

  start = Clock::now();
  const auto ids = tokenizer.encode(text);
  report("encode, one text", text.size(), ids.size(), seconds_since(start));

  const auto lines = split_lines(text);
  start = Clock::now();
  const size_t tokens = encode_lines(tokenizer, lines, 0, 1);
  report("encode, line by line", text.size(), tokens, seconds_since(start));

  std::vector<std::thread> pool;
  std::vector<size_t> counts(threads);
  start = Clock::now();
  for (size_t i = 0; i < threads; ++i)
    pool.emplace_back([&, i] { counts[i] = encode_lines(tokenizer, lines, i, threads); });
  size_t total = 0;
  for (size_t i = 0; i < threads; ++i) {
    pool[i].join();
    total += counts[i];
  }
  report(("encode, " + std::to_string(threads) + " threads").c_str(), text.size(), total,
         seconds_since(start));

  start = Clock::now();
  const std::string back = tokenizer.decode(ids);
  report("decode", back.size(), ids.size(), seconds_since(start));
  std::printf("%s\n", back == text ? "decoded text is the same" : "decoded text differs");

  const size_t streamed = std::min<size_t>(ids.size(), 1'000'000);
  sdft::StreamDecoder stream(tokenizer);
  size_t bytes = 0;
  start = Clock::now();
  for (size_t i = 0; i < streamed; ++i) bytes += stream.add(ids[i]).size();
  bytes += stream.finish().size();
  report("decode, streamed", bytes, streamed, seconds_since(start));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s MODEL_DIR TEXT_FILE [THREADS]\n", argv[0]);
    return 2;
  }
  try {
    run(argv[1], argv[2], argc > 3 ? std::stoul(argv[3]) : 2);
  } catch (const sdft::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return static_cast<int>(e.code());
  }
}
