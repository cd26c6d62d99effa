// Contenders: the ways to read a block of a file that the floors compare. Each can start afresh (a new map, a new
// device).
#ifndef RUMPBLK_BENCH_SUPPORT_CONTENDERS_H_
#define RUMPBLK_BENCH_SUPPORT_CONTENDERS_H_

#include <sys/uio.h>

#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "bench/support/contender.h"
#include "bench/support/host_map.h"
#include "bench/support/ring_contender.h"
#include "core/device/driver.h"
#include "core/host/copy.h"

namespace blk_bench {

// memcpy of the C library out of a map of the whole file.
class MemcpyContender final : public TimedContender<MemcpyContender> {
 public:
  explicit MemcpyContender(const Setting& s) : block_(s.block), fd_(s.file), map_(fd_.get(), 0, s.size) {}
  void Read(uint64_t at, uint8_t* to, blk::Lane) { std::memcpy(to, map_.data() + at, block_); }

 private:
  const size_t block_;
  Fd fd_;
  HostMap map_;
};

// The core's copy kernel out of the same.
class CopyContender final : public TimedContender<CopyContender> {
 public:
  explicit CopyContender(const Setting& s) : block_(s.block), fd_(s.file), map_(fd_.get(), 0, s.size) {}
  void Read(uint64_t at, uint8_t* to, blk::Lane) { blk::CopyBytes(to, map_.data() + at, block_); }

 private:
  const size_t block_;
  Fd fd_;
  HostMap map_;
};

class PreadContender final : public TimedContender<PreadContender> {
 public:
  explicit PreadContender(const Setting& s) : block_(s.block), fd_(s.file) {}
  void Read(uint64_t at, uint8_t* to, blk::Lane) {
    if (pread(fd_.get(), to, block_, static_cast<off_t>(at)) != static_cast<ssize_t>(block_)) Die("pread");
  }

 private:
  const size_t block_;
  Fd fd_;
};

// Writes of the caller's memory, each durable when it has returned or not.
class PwriteContender final : public TimedContender<PwriteContender> {
 public:
  PwriteContender(const Setting& s, int flags) : block_(s.block), flags_(flags), fd_(s.file, O_RDWR) {}
  void Read(uint64_t at, uint8_t* to, blk::Lane) {
    const iovec memory{to, block_};
    const ssize_t moved = flags_ == 0 ? pwrite(fd_.get(), to, block_, static_cast<off_t>(at))
                                      : pwritev2(fd_.get(), &memory, 1, static_cast<off_t>(at), flags_);
    if (moved != static_cast<ssize_t>(block_)) Die("pwrite");
  }

 private:
  const size_t block_;
  const int flags_;
  Fd fd_;
};

// The extents of the file, one a request, by lseek(2), from its start on and again; positions are not looked at.
class SeekContender final : public TimedContender<SeekContender> {
 public:
  explicit SeekContender(const Setting& s) : fd_(s.file) {}
  void Read(uint64_t, uint8_t*, blk::Lane) {
    const off_t end = lseek(fd_.get(), at_, in_data_ ? SEEK_HOLE : SEEK_DATA);
    in_data_ = end >= 0 && !in_data_;
    at_ = end < 0 ? 0 : end;
  }

 private:
  Fd fd_;
  off_t at_ = 0;
  bool in_data_ = false;
};

// As rumpblk.c r1.31 lines 196-293 do it: 16 windows of 1 MiB in a list, least recently used last, under one mutex; one
// that is missing takes the place of the last one that nobody uses, by munmap and mmap.
class RemapContender final : public TimedContender<RemapContender> {
 public:
  explicit RemapContender(const Setting& s) : block_(s.block), size_(s.size), fd_(s.file) {
    for (uint64_t start = 0; start < s.size && windows_.size() < kCount; start += kSize) {
      windows_.push_front(Window{start, 0, std::make_unique<HostMap>(fd_.get(), start, LengthAt(start))});
    }
  }
  void Read(uint64_t at, uint8_t* to, blk::Lane) {
    Window* window = Get(at & ~(kSize - 1));
    std::memcpy(to, window->map->data() + (at & (kSize - 1)), block_);
    std::lock_guard<std::mutex> lock(mu_);
    window->refs--;
  }

 private:
  static constexpr uint64_t kSize = uint64_t{1} << 20;
  static constexpr size_t kCount = 16;
  struct Window {
    uint64_t start;
    unsigned refs;
    std::unique_ptr<HostMap> map;
  };

  size_t LengthAt(uint64_t start) const { return static_cast<size_t>(size_ - start < kSize ? size_ - start : kSize); }
  Window* Get(uint64_t start) {
    std::lock_guard<std::mutex> lock(mu_);
    auto it = windows_.begin();
    while (it != windows_.end() && it->start != start) ++it;
    if (it == windows_.end()) {
      it = std::prev(windows_.end());
      while (it->refs > 0) --it;  // fewer threads than windows: one is free
      it->map.reset();
      it->map = std::make_unique<HostMap>(fd_.get(), start, LengthAt(start));
      it->start = start;
    }
    it->refs++;
    windows_.splice(windows_.begin(), windows_, it);
    return &*it;
  }

  const size_t block_;
  const uint64_t size_;
  Fd fd_;
  std::mutex mu_;
  std::list<Window> windows_;
};

// The core's own device, as the addon's sync call uses it.
class CoreContender final : public TimedContender<CoreContender> {
 public:
  explicit CoreContender(const Setting& s) : block_(s.block), driver_(DriverOptionsOf(s)) {
    blk::OpenOptions options;
    options.access = s.access;
    options.lock = false;
    auto opened = driver_.OpenPrivate(s.file, {0, s.size}, "", options);
    if (!opened.ok()) {
      errno = opened.status().err;
      Die(s.file);
    }
    device_ = opened.Take();
  }
  void Read(uint64_t at, uint8_t* to, blk::Lane lane) {
    blk::Request request = device_->BytesRequest(blk::Operation::kRead, at, to, block_, blk::Fua::kByCacheMode);
    request.lane = lane;
    device_->Run(request);
    if (request.moved != block_) Die("core");
  }
  ~CoreContender() override { static_cast<void>(device_->Close(0)); }

 private:
  static blk::DriverOptions DriverOptionsOf(const Setting& s) {
    blk::DriverOptions options;
    if (s.window_size > 0) options.window_size = {blk::WindowSize::Kind::kBytes, s.window_size};
    options.window_count = s.window_count;
    return options;
  }

  const size_t block_;
  blk::Driver driver_;
  std::shared_ptr<blk::Device> device_;
};

inline std::unique_ptr<Contender> MakeContender(const std::string& name, Setting setting) {
  if (name == "memcpy") return std::make_unique<MemcpyContender>(setting);
  if (name == "copy") return std::make_unique<CopyContender>(setting);
  if (name == "pread") return std::make_unique<PreadContender>(setting);
  if (name == "pwrite") return std::make_unique<PwriteContender>(setting, 0);
  if (name == "dsync") return std::make_unique<PwriteContender>(setting, RWF_DSYNC);
  if (name == "ring") return std::make_unique<RingContender>(setting);
  if (name == "seek") return std::make_unique<SeekContender>(setting);
  if (name == "remap") return std::make_unique<RemapContender>(setting);
  if (name == "core") return std::make_unique<CoreContender>(setting);
  if (name == "core-pio" || name == "core-mmap") {
    setting.access = name == "core-pio" ? blk::Access::kPio : blk::Access::kMmap;
    return std::make_unique<CoreContender>(setting);
  }
  if (name == "core-seed") {  // the seed's own geometry
    setting.window_size = uint64_t{1} << 20;
    setting.window_count = 16;
    return std::make_unique<CoreContender>(setting);
  }
  return nullptr;
}

}  // namespace blk_bench

#endif  // RUMPBLK_BENCH_SUPPORT_CONTENDERS_H_
