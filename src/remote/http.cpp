#include "remote/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>

#include "base/interrupt.h"

namespace sdft {
namespace {

constexpr size_t kLargestReply = 64u << 20;
constexpr long kRedirects = 5;

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

struct Transfer {
  Handle handle{nullptr, curl_easy_cleanup};
  std::string sent;
  HttpReply reply;
  bool too_large = false;
  char error[CURL_ERROR_SIZE] = "";
};

size_t take_body(char* data, size_t size, size_t count, void* transfer_pointer) {
  auto& transfer = *static_cast<Transfer*>(transfer_pointer);
  const size_t bytes = size * count;
  if (transfer.reply.body.size() + bytes > kLargestReply) {
    transfer.too_large = true;
    return 0;
  }
  transfer.reply.body.append(data, bytes);
  return bytes;
}

HttpFault fault_of(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return HttpFault::kNone;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_WRITE_ERROR:
    case CURLE_BAD_CONTENT_ENCODING:
      return HttpFault::kLasting;
    default:
      return HttpFault::kPassing;
  }
}

// "127.0.0.1", "localhost", "[::1]": no proxy leads there.
bool is_this_machine(const std::string& url) {
  const std::string rest = url.substr(url.find("://") + 3);
  for (const char* host : {"localhost", "127.", "[::1]"})
    if (rest.rfind(host, 0) == 0) return true;
  return false;
}

long milliseconds(double seconds) { return std::max(1L, static_cast<long>(seconds * 1000)); }

template <typename Value>
void set(CURL* handle, CURLoption option, Value value) {
  if (const CURLcode code = curl_easy_setopt(handle, option, value); code != CURLE_OK)
    throw std::runtime_error(std::string("libcurl: ") + curl_easy_strerror(code));
}

}  // namespace

struct HttpClient::State {
  explicit State(const Endpoint& of) : endpoint(of) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    multi = curl_multi_init();
    if (!multi) throw std::bad_alloc();
    add_header("Content-Type: application/json");
    add_header("Accept: application/json");
    add_header("Expect:");  // no waiting for "100 Continue"
    if (!endpoint.key.empty()) add_header("Authorization: Bearer " + endpoint.key);
  }
  ~State() {
    for (auto& [handle, transfer] : running) curl_multi_remove_handle(multi, handle);
    running.clear();
    curl_multi_cleanup(multi);
  }

  void add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (!longer) throw std::bad_alloc();
    (void)headers.release();
    headers.reset(longer);
  }

  void configure(Transfer& transfer, const std::string& url, double seconds) {
    CURL* handle = transfer.handle.get();
    set(handle, CURLOPT_URL, url.c_str());
    set(handle, CURLOPT_HTTPHEADER, headers.get());
    set(handle, CURLOPT_POST, 1L);
    set(handle, CURLOPT_POSTFIELDS, transfer.sent.data());
    set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.sent.size()));
    set(handle, CURLOPT_WRITEFUNCTION, take_body);
    set(handle, CURLOPT_WRITEDATA, &transfer);
    set(handle, CURLOPT_ERRORBUFFER, transfer.error);
    set(handle, CURLOPT_NOSIGNAL, 1L);
    set(handle, CURLOPT_QUICK_EXIT, 1L);       // an interrupt does not wait for the name server
    set(handle, CURLOPT_ACCEPT_ENCODING, "");  // whatever this libcurl can undo
    set(handle, CURLOPT_FOLLOWLOCATION, 1L);
    set(handle, CURLOPT_MAXREDIRS, kRedirects);
    set(handle, CURLOPT_POSTREDIR, static_cast<long>(CURL_REDIR_POST_ALL));
    set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    set(handle, CURLOPT_REDIR_PROTOCOLS_STR, url.rfind("https:", 0) == 0 ? "https" : "http,https");
    set(handle, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(endpoint.connect_seconds));
    set(handle, CURLOPT_TIMEOUT_MS, milliseconds(seconds));
    if (!endpoint.ca_file.empty()) set(handle, CURLOPT_CAINFO, endpoint.ca_file.c_str());
    if (is_this_machine(url)) set(handle, CURLOPT_NOPROXY, "*");
  }

  HttpReply ended(CURL* handle, CURLcode code) {
    const auto found = running.find(handle);
    Transfer& transfer = *found->second;
    curl_multi_remove_handle(multi, handle);
    HttpReply& reply = transfer.reply;
    reply.fault = fault_of(code);
    if (transfer.too_large)
      reply.error = "the reply is larger than 64 MiB";
    else if (code != CURLE_OK)
      reply.error = *transfer.error ? transfer.error : curl_easy_strerror(code);
    long status = 0;
    curl_off_t wait = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &wait);
    reply.status = static_cast<int>(status);
    reply.retry_after = static_cast<double>(wait);
    HttpReply result = std::move(reply);
    running.erase(found);
    return result;
  }

  const Endpoint& endpoint;
  Headers headers{nullptr, curl_slist_free_all};
  CURLM* multi = nullptr;
  std::map<CURL*, std::unique_ptr<Transfer>> running;
};

HttpClient::HttpClient(const Endpoint& endpoint) : state_(std::make_unique<State>(endpoint)) {}
HttpClient::~HttpClient() = default;

size_t HttpClient::running() const { return state_->running.size(); }

void HttpClient::post(size_t tag, const std::string& url, std::string body, double seconds) {
  auto transfer = std::make_unique<Transfer>();
  transfer->handle.reset(curl_easy_init());
  if (!transfer->handle) throw std::bad_alloc();
  transfer->sent = std::move(body);
  transfer->reply.tag = tag;
  state_->configure(*transfer, url, seconds);
  CURL* handle = transfer->handle.get();
  if (curl_multi_add_handle(state_->multi, handle) != CURLM_OK) throw std::bad_alloc();
  state_->running.emplace(handle, std::move(transfer));
}

std::vector<HttpReply> HttpClient::wait(Clock::time_point until) {
  std::vector<HttpReply> replies;
  while (true) {
    stop_if_interrupted();
    int active = 0, left = 0;
    curl_multi_perform(state_->multi, &active);
    while (CURLMsg* message = curl_multi_info_read(state_->multi, &left))
      if (message->msg == CURLMSG_DONE) {
        const CURLcode code = message->data.result;  // the message goes with its handle
        replies.push_back(state_->ended(message->easy_handle, code));
      }
    const auto now = Clock::now();
    if (!replies.empty() || now >= until) return replies;
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(until - now).count() + 1;
    curl_waitfd interrupt{interrupt_descriptor(), CURL_WAIT_POLLIN, 0};
    // Half a second at most, for a process without a descriptor to spare.
    curl_multi_poll(state_->multi, &interrupt, interrupt.fd >= 0 ? 1 : 0,
                    static_cast<int>(std::min<int64_t>(rest, 500)), nullptr);
  }
}

}  // namespace sdft
