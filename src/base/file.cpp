#include "base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr size_t kChunk = 1 << 20;  // read at once

[[noreturn]] void fail_errno(const fs::path& path, const std::string& what) {
  int cause = errno;
  if (cause == ENOMEM) throw memory_error(path.string() + ": cannot " + what + ": " + std::strerror(cause));
  std::string hint;
  if (cause == ENOSPC || cause == EDQUOT) hint = "free some space; the same command then goes on";
  if (cause == EFBIG) hint = "is the size of files limited (ulimit -f)?";
  fail_input(path.string(), "cannot " + what + ": " + std::strerror(cause), hint);
}

// Refuses what is there and is no regular file.
void require_regular(const struct stat& info, const fs::path& path) {
  if (S_ISREG(info.st_mode)) return;
  if (S_ISDIR(info.st_mode)) fail_input(path.string(), "is a folder, expected a file");
  const char* kind = S_ISFIFO(info.st_mode)   ? "a named pipe"
                     : S_ISSOCK(info.st_mode) ? "a socket"
                                              : "a device";
  fail_input(path.string(), std::string("is ") + kind + ", expected a regular file",
             "write its content into a file first");
}

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

// What a clone without Git LFS has in the place of a large file.
void refuse_lfs_pointer(std::string_view bytes, const fs::path& path) {
  constexpr std::string_view kStart = "version https://git-lfs.github.com/spec/";
  if (bytes.substr(0, kStart.size()) == kStart)
    fail_input(path.string(), "is a Git LFS pointer, not the file itself", "run git lfs pull in its folder");
}

// Calls `use` with one piece after the other.
template <typename Use>
void read_chunks(int fd, const fs::path& path, Use use) {
  const std::unique_ptr<char[]> chunk(new char[kChunk]);  // not zeroed: most files fill little of it
  for (;;) {
    stop_if_interrupted();
    ssize_t got = ::read(fd, chunk.get(), kChunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(path, "read");
    if (got == 0) return;
    use(std::string_view(chunk.get(), static_cast<size_t>(got)));
  }
}

uint64_t size_of(int fd, const fs::path& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail_errno(path, "read the size");
  return static_cast<uint64_t>(info.st_size);
}
}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor open_regular(const fs::path& path, int flags) {
  struct stat info {};
  // Before opening, because that alone can rewind a tape; and after it, should another file have come.
  if (::stat(path.c_str(), &info) == 0) require_regular(info, path);
  Descriptor file(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644));
  if (file.get() < 0) fail_errno(path, "open");
  if (::fstat(file.get(), &info) != 0) fail_errno(path, "look at");
  require_regular(info, path);
  return file;
}

std::string read_text(const fs::path& path, uint64_t most_bytes) {
  Descriptor file = open_regular(path, O_RDONLY);
  const uint64_t size = size_of(file.get(), path);
  auto refuse_beyond = [&](uint64_t bytes) {
    if (bytes > most_bytes)
      fail_input(path.string(), "has " + std::to_string(bytes) + " bytes or more; at most " +
                                    std::to_string(most_bytes) + " are read of such a file");
  };
  refuse_beyond(size);
  std::string text;
  read_chunks(file.get(), path, [&](std::string_view chunk) {
    refuse_beyond(text.size() + chunk.size());  // it grew meanwhile
    if (chunk.size() == kChunk && chunk.find_first_not_of('\0') == std::string_view::npos)
      fail_input(path.string(), "is empty over long stretches (NUL bytes)", "is the file complete?");
    if (text.empty()) text.reserve(size);
    text += chunk;
  });
  refuse_lfs_pointer(text, path);
  return text;
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail_input(path.string(), "cannot make the folder: " + error.message());
}

namespace {
// PATH's folder and the start of its temporary files' names, which end in 16 hexadecimal digits and ".tmp".
struct TemporaryNames {
  fs::path folder;
  std::string start;
  static constexpr size_t kDigits = 16;
  static constexpr std::string_view kEnd = ".tmp";

  explicit TemporaryNames(const fs::path& path)
      : folder(path.has_parent_path() ? path.parent_path() : fs::path(".")),
        // A name may have 255 bytes.
        start("." + path.filename().string().substr(0, 255 - 1 - 1 - kDigits - kEnd.size()) + ".") {}

  bool has(const std::string& name) const {
    const size_t size = start.size() + kDigits + kEnd.size();
    return name.size() == size && name.compare(0, start.size(), start) == 0 &&
           name.compare(size - kEnd.size(), kEnd.size(), kEnd) == 0 &&
           name.find_first_not_of("0123456789abcdef", start.size()) == size - kEnd.size();
  }
  fs::path fresh() const {
    uint64_t number = 0;
    while (::getrandom(&number, sizeof number, 0) != sizeof number) {
    }
    std::string digits;
    for (size_t i = 0; i < kDigits; ++i) digits += "0123456789abcdef"[number >> (4 * i) & 15];
    return folder / (start + digits + std::string(kEnd));
  }
};

// A writer holds a lock on its file as long as it lives; what can be locked is left behind.
void remove_left_behind(const TemporaryNames& names) {
  std::error_code ignored;
  for (fs::directory_iterator entry(names.folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    if (!names.has(entry->path().filename().string())) continue;
    Descriptor file(::open(entry->path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file.get() >= 0 && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
  }
}

Descriptor create_temporary(const TemporaryNames& names, const fs::path& path, fs::path* temporary) {
  for (;;) {
    *temporary = names.fresh();
    Descriptor file(::open(temporary->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (file.get() < 0 && errno == EEXIST) continue;
    if (file.get() < 0) fail_errno(path, "create");
    // Somebody who tidies up may have been between the two calls.
    struct stat info {};
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) continue;
    if (::fstat(file.get(), &info) == 0 && info.st_nlink > 0) return file;
  }
}
}  // namespace

namespace {
using Put = std::function<void(const void*, size_t)>;

void replace_file(const fs::path& path, const std::function<void(const Put&)>& writer, bool flush) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) require_regular(info, path);
  const TemporaryNames names(path);
  remove_left_behind(names);
  fs::path temporary;
  Descriptor file = create_temporary(names, path, &temporary);
  try {
    writer([&](const void* bytes, size_t count) { write_all(file.get(), bytes, count, path); });
    if (flush && ::fsync(file.get()) != 0) fail_errno(path, "flush");
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_errno(path, "rename the finished file");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  if (!flush) return;
  Descriptor directory(::open(names.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
}
}  // namespace

void write_file_atomic(const fs::path& path, const std::function<void(const Put&)>& writer) {
  replace_file(path, writer, true);
}
void write_file_atomic(const fs::path& path, std::string_view bytes) {
  write_file_atomic(path, [&](const Put& put) { put(bytes.data(), bytes.size()); });
}
void write_file_passing(const fs::path& path, std::string_view bytes) {
  try {
    replace_file(
        path, [&](const Put& put) { put(bytes.data(), bytes.size()); }, false);
  } catch (const Error&) {  // it tells how things stand, and is no result
  }
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
  Descriptor file = open_regular(path, O_RDONLY);
  Sha256 hash;
  read_chunks(file.get(), path, [&](std::string_view chunk) { hash.add(chunk.data(), chunk.size()); });
  return hash.hex();
}

MappedFile::MappedFile(const fs::path& path) {
  Descriptor file = open_regular(path, O_RDONLY);
  size_ = size_of(file.get(), path);
  if (size_ == 0) return;
  char start[64];
  const ssize_t got = ::pread(file.get(), start, sizeof start, 0);
  refuse_lfs_pointer({start, static_cast<size_t>(std::max<ssize_t>(got, 0))}, path);
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
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

LineWriter::LineWriter(const fs::path& path) : path_(path), file_(open_regular(path, O_RDWR | O_CREAT)) {
  const off_t size = ::lseek(file_.get(), 0, SEEK_END);
  off_t end = size;
  char byte = '\n';
  while (end > 0 && ::pread(file_.get(), &byte, 1, end - 1) == 1 && byte != '\n') {
    if (--end % 4096 == 0) stop_if_interrupted();
  }
  if (end != size && (::ftruncate(file_.get(), end) != 0 || ::lseek(file_.get(), end, SEEK_SET) < 0))
    fail_errno(path, "cut off an unfinished line of");
}

void LineWriter::write(std::string_view line) {
  std::string whole(line);
  whole += '\n';
  write_all(file_.get(), whole.data(), whole.size(), path_);
}

void LineWriter::sync() {
  if (::fsync(file_.get()) != 0) fail_errno(path_, "flush");
}

size_t for_each_line(const fs::path& path, const std::function<void(std::string_view, size_t)>& use,
                     bool unfinished_too) {
  const std::string text = read_text(path, kLargestDataset);
  std::string_view rest = text;
  size_t number = 0;
  while (!rest.empty()) {
    size_t end = rest.find('\n');
    if (end == std::string_view::npos && !unfinished_too) break;
    stop_if_interrupted();
    use(rest.substr(0, end), ++number);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return number;
}

}  // namespace sdft
