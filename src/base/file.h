// Files that are never half written, and mapped ones. Every failure is an Error(kInput) naming the path and
// the cause.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace sdft {

std::string read_text(const std::filesystem::path& path);

// Writes PATH.tmp, flushes it to the disk and renames it: readers see the old bytes or the new, never a part.
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);
// The same for a writer that produces the bytes piece by piece.
void write_file_atomic(const std::filesystem::path& path,
                       const std::function<void(const std::function<void(const void*, size_t)>&)>& writer);
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
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;
  void write(std::string_view line);  // without its line break
  void sync();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

// Calls `use` with each complete line and its number from 1; a last line without line break is passed on only
// if `unfinished_too`. Returns the number of lines passed on.
size_t for_each_line(const std::filesystem::path& path,
                     const std::function<void(std::string_view line, size_t number)>& use,
                     bool unfinished_too = false);

}  // namespace sdft
