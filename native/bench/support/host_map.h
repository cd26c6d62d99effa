// HostMap: a descriptor and, if asked for, a map of a whole file, for the floors. Ends the program when the host
// refuses: a bench without its file has nothing to say.
#ifndef RUMPBLK_BENCH_SUPPORT_HOST_MAP_H_
#define RUMPBLK_BENCH_SUPPORT_HOST_MAP_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace blk_bench {

[[noreturn]] inline void Die(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

inline double Now() {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<double>(ts.tv_sec) * 1e9 + static_cast<double>(ts.tv_nsec);
}

class Fd {
 public:
  explicit Fd(const std::string& path, int flags = O_RDONLY) : fd_(open(path.c_str(), flags | O_CLOEXEC)) {
    if (fd_ < 0) Die(path);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { close(fd_); }
  int get() const { return fd_; }

 private:
  int fd_;
};

class HostMap {
 public:
  HostMap(int fd, uint64_t offset, size_t size) : size_(size) {
    void* at = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset));
    if (at == MAP_FAILED) Die("mmap");
    data_ = static_cast<uint8_t*>(at);
  }
  HostMap(const HostMap&) = delete;
  HostMap& operator=(const HostMap&) = delete;
  ~HostMap() { munmap(data_, size_); }

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_;
};

}  // namespace blk_bench

#endif  // RUMPBLK_BENCH_SUPPORT_HOST_MAP_H_
