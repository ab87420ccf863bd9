#include "base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"

namespace sdft {
namespace fs = std::filesystem;

[[noreturn]] static void fail_errno(const fs::path& path, const std::string& what) {
  int cause = errno;
  std::string hint;
  if (cause == ENOSPC || cause == EDQUOT) hint = "free some space; the same command then goes on";
  fail_input(path.string(), "cannot " + what + ": " + std::strerror(cause), hint);
}

namespace {
// A file descriptor that closes itself.
struct Descriptor {
  int fd;
  explicit Descriptor(int opened) : fd(opened) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

void write_all(int fd, const void* bytes, size_t count, const fs::path& path) {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    ssize_t written = ::write(fd, at, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_errno(path, "write");
    at += written;
    count -= static_cast<size_t>(written);
  }
}
}  // namespace

// What a clone without Git LFS has in the place of a large file.
static void refuse_lfs_pointer(std::string_view bytes, const fs::path& path) {
  constexpr std::string_view kStart = "version https://git-lfs.github.com/spec/";
  if (bytes.substr(0, kStart.size()) == kStart)
    fail_input(path.string(), "is a Git LFS pointer, not the file itself", "run git lfs pull in its folder");
}

std::string read_text(const fs::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) fail_errno(path, "open");
  struct stat info {};
  if (::fstat(file.fd, &info) == 0 && S_ISDIR(info.st_mode))
    fail_input(path.string(), "is a folder, expected a file");
  std::string text;
  text.reserve(info.st_size > 0 ? static_cast<size_t>(info.st_size) : 0);
  char buffer[1 << 16];
  for (;;) {
    ssize_t got = ::read(file.fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(path, "read");
    if (got == 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  refuse_lfs_pointer(text, path);
  return text;
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail_input(path.string(), "cannot make the folder: " + error.message());
}

void write_file_atomic(const fs::path& path,
                       const std::function<void(const std::function<void(const void*, size_t)>&)>& writer) {
  fs::path temporary = path;
  temporary += ".tmp";
  try {
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.fd < 0) fail_errno(path, "create");
    writer([&](const void* bytes, size_t count) { write_all(file.fd, bytes, count, path); });
    if (::fsync(file.fd) != 0) fail_errno(path, "flush");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail_errno(path, "rename the finished file");
  fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd >= 0) ::fsync(directory.fd);
}

void write_file_atomic(const fs::path& path, std::string_view bytes) {
  write_file_atomic(path, [&](const auto& put) { put(bytes.data(), bytes.size()); });
}

namespace {
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(const void* bytes, size_t count) { EVP_DigestUpdate(context_.get(), bytes, count); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &length);
    std::string text;
    for (unsigned i = 0; i < length; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4];
      text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};
}  // namespace

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes.data(), bytes.size());
  return hash.hex();
}

std::string sha256_file(const fs::path& path) {
  MappedFile file(path);
  Sha256 hash;
  hash.add(file.data(), file.size());
  return hash.hex();
}

MappedFile::MappedFile(const fs::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) fail_errno(path, "open");
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) fail_errno(path, "read the size");
  if (!S_ISREG(info.st_mode)) fail_input(path.string(), "is not a regular file");
  size_ = static_cast<size_t>(info.st_size);
  if (size_ == 0) return;
  char start[64];
  const ssize_t got = ::pread(file.fd, start, sizeof start, 0);
  refuse_lfs_pointer({start, static_cast<size_t>(std::max<ssize_t>(got, 0))}, path);
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (mapped == MAP_FAILED) fail_errno(path, "map");
  data_ = static_cast<const unsigned char*>(mapped);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<unsigned char*>(data_), size_);
}

void MappedFile::release(size_t begin, size_t bytes) const {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t from = (begin + page - 1) / page * page, to = std::min(begin + bytes, size_) / page * page;
  if (from < to) ::madvise(const_cast<unsigned char*>(data_) + from, to - from, MADV_DONTNEED);
}

LineWriter::LineWriter(const fs::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) fail_errno(path, "open");
  const off_t size = ::lseek(fd_, 0, SEEK_END);
  off_t end = size;
  char byte = '\n';
  while (end > 0 && ::pread(fd_, &byte, 1, end - 1) == 1 && byte != '\n') --end;
  if (end != size && (::ftruncate(fd_, end) != 0 || ::lseek(fd_, end, SEEK_SET) < 0))
    fail_errno(path, "cut off an unfinished line of");
}

LineWriter::~LineWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void LineWriter::write(std::string_view line) {
  std::string whole(line);
  whole += '\n';
  write_all(fd_, whole.data(), whole.size(), path_);
}

void LineWriter::sync() {
  if (::fsync(fd_) != 0) fail_errno(path_, "flush");
}

size_t for_each_line(const fs::path& path, const std::function<void(std::string_view, size_t)>& use,
                     bool unfinished_too) {
  MappedFile file(path);
  std::string_view rest(reinterpret_cast<const char*>(file.data()), file.size());
  size_t number = 0;
  while (!rest.empty()) {
    size_t end = rest.find('\n');
    if (end == std::string_view::npos && !unfinished_too) break;
    use(rest.substr(0, end), ++number);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return number;
}

}  // namespace sdft
