#include "remote/endpoint.h"

#include <algorithm>
#include <cmath>

#include "base/printable.h"
#include "base/problems.h"
#include "base/utf8.h"

namespace sdft {
namespace {

bool starts_with(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

bool cut_end(std::string* text, const std::string& end) {
  if (text->size() < end.size() || text->compare(text->size() - end.size(), end.size(), end) != 0)
    return false;
  text->resize(text->size() - end.size());
  return true;
}

void check_url(const std::string& url, Problems* problems) {
  const std::string shown = printable(url);
  const size_t begin = starts_with(url, "http://") ? 7 : starts_with(url, "https://") ? 8 : 0;
  const std::string host = url.substr(begin, url.find('/', begin) - begin);
  if (begin == 0 || host.empty())
    problems->add("endpoint '" + shown + "' is no address (expected http://HOST or https://HOST)");
  else if (host.find('@') != std::string::npos)
    problems->add("the endpoint's address has a password (keys come from the environment)");
  else if (url.find_first_of("?#") != std::string::npos)
    problems->add("endpoint '" + shown + "' has a query (expected the part in front of /chat/completions)");
  else if (std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7f; }))
    problems->add("endpoint '" + shown + "' has characters that no address has");
}

}  // namespace

void check_endpoint(const Endpoint& endpoint) {
  Problems problems;
  check_url(endpoint.url, &problems);
  if (endpoint.model.empty()) problems.add("the endpoint's model is not named");
  if (std::any_of(endpoint.key.begin(), endpoint.key.end(),
                  [](unsigned char c) { return c <= ' ' || c >= 0x7f; }))
    problems.add("the endpoint's key has white space or other characters that no key has");
  const struct {
    const char* name;
    double value, low, high;
  } limits[] = {
      {"concurrency", static_cast<double>(endpoint.concurrency), 1, 1024},
      {"tries", static_cast<double>(endpoint.tries), 1, 100},
      {"connect_seconds", endpoint.connect_seconds, 0.001, 86400},
      {"try_seconds", endpoint.try_seconds, 0.001, 86400},
      {"total_seconds", endpoint.total_seconds, 0.001, 864000},
      {"first_wait_seconds", endpoint.first_wait_seconds, 0, kLongestWait},
  };
  for (const auto& limit : limits)
    if (!(limit.value >= limit.low && limit.value <= limit.high))
      problems.add(std::string("the endpoint's ") + limit.name + " is out of range");
  if (!endpoint.fields.is_object())
    problems.add("the endpoint's further fields are " + describe(endpoint.fields) + ", expected an object");
  problems.raise();
}

std::string address_of(const Endpoint& endpoint, const std::string& path) {
  std::string base = endpoint.url;
  const auto cut_slashes = [&] {
    while (cut_end(&base, "/")) {
    }
  };
  cut_slashes();
  if (cut_end(&base, "/chat/completions") || cut_end(&base, "/completions")) cut_slashes();
  if (base.find('/', base.find("://") + 3) == std::string::npos) base += "/v1";
  return base + path;
}

std::string excerpt(const Endpoint& endpoint, const std::string& text) {
  constexpr size_t kShown = 200;
  std::string open = text;
  if (!endpoint.key.empty())
    for (size_t at = 0; (at = open.find(endpoint.key, at)) != std::string::npos; at += 3)
      open.replace(at, endpoint.key.size(), "***");
  const bool cut = open.size() > kShown;
  open.resize(std::min(open.size(), kShown));
  std::replace(open.begin(), open.end(), '\n', ' ');
  return printable(utf8_lossy(open)) + (cut ? "..." : "");
}

}  // namespace sdft
