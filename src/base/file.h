// Files that are never half written, and mapped ones. Every failure is an Error(kInput) naming the path and
// the cause. Only regular files are opened: a named pipe, a device or a socket could block, never end, or do
// something. Long readings stop once `interrupted` is set.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace sdft {

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// flags: O_RDONLY, or O_RDWR | O_CREAT. The one place where a file is opened that has its final name.
Descriptor open_regular(const std::filesystem::path& path, int flags);

// Most bytes of a file that is read as a whole: settings, templates, vocabularies; and datasets.
inline constexpr uint64_t kLargestText = 256ull << 20, kLargestDataset = 16ull << 30;
// Files with long runs of NUL bytes (sparse, damaged) are refused, so that a hole does not fill the memory.
std::string read_text(const std::filesystem::path& path, uint64_t most_bytes = kLargestText);

// Writes a temporary file beside PATH, flushes it to the disk and renames it: readers see the old bytes or
// the new, never a part. The temporary file has a name that nobody else uses; what a killed writer left
// behind of it is removed. PATH may be missing or a regular file.
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);
// The same for a writer that produces the bytes piece by piece.
void write_file_atomic(const std::filesystem::path& path,
                       const std::function<void(const std::function<void(const void*, size_t)>&)>& writer);
// Of what is rewritten every second and belongs to no result: readers see the old bytes or the new, but
// nothing is flushed to the disk, and what fails is no error.
void write_file_passing(const std::filesystem::path& path, std::string_view bytes);
void make_directories(const std::filesystem::path& path);

// Lower-case hex SHA-256, as sha256sum prints it.
std::string sha256(std::string_view bytes);
std::string sha256_file(const std::filesystem::path& path);

// A read-only mapping of a whole file. data() stays valid while the object lives.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const unsigned char* data() const { return data_; }
  size_t size() const { return size_; }
  // Takes the whole pages of these bytes out of this process's memory; reading them again is only slower.
  void release(size_t begin, size_t bytes) const;

 private:
  const unsigned char* data_ = nullptr;
  size_t size_ = 0;
};

// Appends lines; each is written with one call and is whole or, after a crash, ignored by for_each_line.
class LineWriter {
 public:
  // Opens for appending. A last line without its line break (a crash) is cut off first.
  explicit LineWriter(const std::filesystem::path& path);
  void write(std::string_view line);  // without its line break
  void sync();

 private:
  std::filesystem::path path_;
  Descriptor file_;
};

// Calls `use` with each complete line and its number from 1; a last line without line break is passed on only
// if `unfinished_too`. Returns the number of lines passed on.
size_t for_each_line(const std::filesystem::path& path,
                     const std::function<void(std::string_view line, size_t number)>& use,
                     bool unfinished_too = false);

}  // namespace sdft
