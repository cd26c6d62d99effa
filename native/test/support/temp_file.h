// TempFile: a host file in a folder of its own that goes with it, and Pattern, bytes that tell where they belong.
// Reads and writes here bypass core. Failures abort: they are not what any test is about.
#ifndef RUMPBLK_TEST_SUPPORT_TEMP_FILE_H_
#define RUMPBLK_TEST_SUPPORT_TEMP_FILE_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace blk::test {

inline void Must(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

// The eight bytes that belong to the aligned eight of a file with this salt; neighbours, sectors and windows all
// differ.
inline uint64_t PatternWord(uint64_t index, uint64_t salt) {
  uint64_t x = index + salt * 0x9e3779b97f4a7c15u + 1;
  x ^= x >> 31;
  x *= 0xbf58476d1ce4e5b9u;
  return x ^ x >> 29;
}
inline uint8_t PatternByte(uint64_t offset, uint64_t salt = 0) {
  return static_cast<uint8_t>(PatternWord(offset / 8, salt) >> (8 * (offset % 8)));
}
// What belongs at [offset, offset + size). Word by word: under sanitizers this is what the tests spend their time in.
inline std::vector<uint8_t> Pattern(uint64_t offset, size_t size, uint64_t salt = 0) {
  std::vector<uint8_t> bytes(size);
  uint8_t* to = bytes.data();
  size_t i = 0;
  for (; i < size && (offset + i) % 8 != 0; i++) to[i] = PatternByte(offset + i, salt);
  for (; size - i >= 8; i += 8) {
    const uint64_t word = PatternWord((offset + i) / 8, salt);  // little endian, as PatternByte has it
    std::memcpy(to + i, &word, 8);
  }
  for (; i < size; i++) to[i] = PatternByte(offset + i, salt);
  return bytes;
}

class TempFile {
 public:
  // `size` bytes, a hole until filled.
  explicit TempFile(uint64_t size = 0) {
    std::string folder = (std::filesystem::temp_directory_path() / "rumpblk-native-XXXXXX").string();
    Must(::mkdtemp(folder.data()) != nullptr, "mkdtemp");
    folder_ = folder;
    path_ = folder + "/host.img";
    const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    Must(fd >= 0, "create");
    Must(::ftruncate(fd, static_cast<off_t>(size)) == 0, "ftruncate");
    ::close(fd);
  }
  ~TempFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  const std::string& path() const { return path_; }
  std::string Sibling(const char* name) const { return folder_ + "/" + name; }

  void Truncate(uint64_t size) const { Must(::truncate(path_.c_str(), static_cast<off_t>(size)) == 0, "truncate"); }
  uint64_t Size() const {
    struct stat st;
    Must(::stat(path_.c_str(), &st) == 0, "stat");
    return static_cast<uint64_t>(st.st_size);
  }
  void Write(uint64_t offset, const std::vector<uint8_t>& bytes) const {
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    Must(fd >= 0, "open to write");
    Must(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes.size()),
         "pwrite");
    ::close(fd);
  }
  std::vector<uint8_t> Read(uint64_t offset, size_t size) const {
    std::vector<uint8_t> bytes(size);
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    Must(fd >= 0, "open to read");
    const ssize_t n = ::pread(fd, bytes.data(), size, static_cast<off_t>(offset));
    Must(n >= 0, "pread");
    bytes.resize(static_cast<size_t>(n));
    ::close(fd);
    return bytes;
  }
  // Gives the whole file its pattern.
  const TempFile& Fill(uint64_t salt = 0) const {
    constexpr uint64_t kStep = 1 << 20;
    const uint64_t size = Size();
    for (uint64_t at = 0; at < size; at += kStep) {
      Write(at, Pattern(at, static_cast<size_t>(size - at < kStep ? size - at : kStep), salt));
    }
    return *this;
  }

 private:
  std::string folder_;
  std::string path_;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_TEMP_FILE_H_
