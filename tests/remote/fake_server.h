// A server on 127.0.0.1 that answers as a test tells it to, well or badly; with TLS where it is given a
// certificate.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"

namespace sdft::testing {

struct FakeRequest {
  size_t number = 0;  // of all that came, from 0
  std::string path;
  std::string head;  // request line and headers
  std::string body;
  Json json() const { return Json::parse(body); }
};

struct FakeReply {
  int status = 200;
  std::string body;
  std::string headers = {};                                     // further ones, each with "\r\n"
  enum Way { kWhole, kChunked, kHalf, kNothing } way = kWhole;  // kHalf: the connection breaks in the body
  double delay = 0;                                             // seconds before it
};

// A self-signed certificate for 127.0.0.1, as PEM, with its key.
struct Certificate {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x509 = X509_new();
  Certificate() {
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_set_version(x509, 2);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
    X509_set_pubkey(x509, key);
    X509_NAME* name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("fake"), -1,
                               -1, 0);
    X509_set_issuer_name(x509, name);
    for (const auto& [id, value] : {std::pair{NID_subject_alt_name, "IP:127.0.0.1"},
                                    std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
      X509_add_ext(x509, extension, -1);
      X509_EXTENSION_free(extension);
    }
    X509_sign(x509, key, EVP_sha256());
  }
  ~Certificate() {
    X509_free(x509);
    EVP_PKEY_free(key);
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  std::string pem() const {
    BIO* memory = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(memory, x509);
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory, &data);
    std::string text(data, static_cast<size_t>(size));
    BIO_free(memory);
    return text;
  }
};

class FakeServer {
 public:
  using Handler = std::function<FakeReply(const FakeRequest&)>;
  explicit FakeServer(Handler handler, const Certificate* certificate = nullptr)
      : handler_(std::move(handler)) {
    if (certificate) {
      tls_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_use_certificate(tls_, certificate->x509);
      SSL_CTX_use_PrivateKey(tls_, certificate->key);
    }
    std::signal(SIGPIPE, SIG_IGN);  // of TLS, which writes to connections that clients gave up
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0)
      throw std::runtime_error("no port for the fake server");
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~FakeServer() {
    stop_ = true;
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
    if (tls_) SSL_CTX_free(tls_);
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string url() const {
    return std::string(tls_ ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_);
  }
  size_t requests() const { return count_; }
  int most_at_once() const { return most_; }

 private:
  struct Connection {
    int fd;
    SSL* tls;
    long read(char* data, size_t size) const {
      return tls ? SSL_read(tls, data, static_cast<int>(size)) : ::recv(fd, data, size, 0);
    }
    void write(const std::string& text) const {
      for (size_t at = 0; at < text.size();) {
        const long wrote = tls ? SSL_write(tls, text.data() + at, static_cast<int>(text.size() - at))
                               : ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
        if (wrote <= 0) return;
        at += static_cast<size_t>(wrote);
      }
    }
  };

  bool readable(int fd) const {
    while (!stop_) {
      pollfd waiting{fd, POLLIN, 0};
      if (::poll(&waiting, 1, 20) > 0) return true;
    }
    return false;
  }

  void accept_all() {
    while (readable(listener_)) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int fd) {
    Connection connection{fd, tls_ ? SSL_new(tls_) : nullptr};
    if (connection.tls) SSL_set_fd(connection.tls, fd);
    if (!connection.tls || SSL_accept(connection.tls) == 1)
      while (serve_one(connection)) {
      }
    if (connection.tls) SSL_free(connection.tls);
    ::close(fd);
  }

  // False where the connection is to be closed.
  bool serve_one(const Connection& connection) {
    std::string text;
    char buffer[65536];
    FakeRequest request;
    size_t length = 0, head = std::string::npos;
    while (head == std::string::npos || text.size() < head + 4 + length) {
      if (!(connection.tls && SSL_pending(connection.tls)) && !readable(connection.fd)) return false;
      const long got = connection.read(buffer, sizeof buffer);
      if (got <= 0) return false;
      text.append(buffer, static_cast<size_t>(got));
      if (head == std::string::npos && (head = text.find("\r\n\r\n")) != std::string::npos) {
        const size_t at = text.find("Content-Length: ");
        if (at < head) length = std::stoul(text.substr(at + 16));
      }
    }
    request.head = text.substr(0, head);
    request.body = text.substr(head + 4);
    const size_t path = request.head.find(' ') + 1;
    request.path = request.head.substr(path, request.head.find(' ', path) - path);
    request.number = count_++;
    const int now = ++active_;
    for (int most = most_; now > most && !most_.compare_exchange_weak(most, now);) {
    }
    FakeReply reply;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      reply = handler_(request);
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(reply.delay);
    while (!stop_ && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    --active_;
    return send(connection, reply);
  }

  static bool send(const Connection& connection, const FakeReply& reply) {
    if (reply.way == FakeReply::kNothing) return false;
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " x\r\n" + reply.headers;
    if (reply.way == FakeReply::kChunked) {
      connection.write(head + "Transfer-Encoding: chunked\r\n\r\n");
      for (size_t at = 0; at < reply.body.size(); at += 1000) {
        const std::string piece = reply.body.substr(at, 1000);
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
        connection.write(size + piece + "\r\n");
      }
      connection.write("0\r\n\r\n");
      return true;
    }
    connection.write(head + "Content-Length: " + std::to_string(reply.body.size()) + "\r\n\r\n");
    const bool half = reply.way == FakeReply::kHalf;
    connection.write(half ? reply.body.substr(0, reply.body.size() / 2) : reply.body);
    return !half;
  }

  Handler handler_;
  SSL_CTX* tls_ = nullptr;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<size_t> count_{0};
  std::atomic<int> active_{0}, most_{0};
  std::mutex mutex_;
  std::thread acceptor_;
  std::vector<std::thread> threads_;
};

// What a good server answers in a chat.
inline FakeReply chat_reply(const std::string& text, const std::string& finish = "stop") {
  const Json json = {
      {"choices", {{{"message", {{"role", "assistant"}, {"content", text}}}, {"finish_reason", finish}}}},
      {"usage", {{"completion_tokens", text.size()}}}};
  return {200, to_line(json)};
}

}  // namespace sdft::testing
