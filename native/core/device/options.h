// Options of a driver, a registration and an open, as structs with units and defaults. Plain data: lib has checked
// every value before it arrives here, so nothing below is validated again. Model: memwinsize, memwincnt and the
// arguments of rumpblk_register, rumpblk.c r1.31 lines 80-82 and 375; the mode replaces the kernel's FREAD and FWRITE.
#ifndef RUMPBLK_CORE_DEVICE_OPTIONS_H_
#define RUMPBLK_CORE_DEVICE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/units.h"
#include "core/request/durability.h"

namespace blk {

// What an open may do. There is no write-only open: a window of one could not be mapped (B28).
enum class OpenMode : uint8_t { kRead, kReadWrite };
// How requests reach the medium: the fastest way for each, the seed's windows, or pread and pwrite.
enum class Access : uint8_t { kAuto, kMmap, kPio };

// How what waits for a disk is done: by workers, or by the host alone where it can (HostEngine). kAuto: the latter
// where it can be had, else workers; kRing: that, or nothing.
enum class Engine : uint8_t { kAuto, kThreads, kRing };

// How the windows of an open are sized.
struct WindowSize {
  enum class Kind : uint8_t { kUnset, kAuto, kBytes };
  Kind kind = Kind::kUnset;  // unset: 1 MiB under mmap, auto otherwise
  uint64_t bytes = 0;        // kBytes: a power of two, at least a page
};

// Tunables of a driver, for all its minors.
struct DriverOptions {
  uint32_t minor_count = kDefaultMinorCount;  // slots of the table; private minors need none
  WindowSize window_size;
  uint32_t window_count = kDefaultWindowCount;      // of each open
  uint32_t queue_depth = kDefaultQueueDepth;        // tasks of a device in the queue, those that run not counted
  uint32_t workers = kDefaultWorkers;               // threads at most
  uint64_t request_memory = kDefaultRequestMemory;  // bytes that queued requests run on, of all devices together
  Engine engine = Engine::kAuto;
};

// The range of the medium that becomes the disk.
struct MediumRange {
  uint64_t offset = 0;           // bytes
  std::optional<uint64_t> size;  // bytes; unset: to the end
  uint64_t sector_size = 0;      // bytes that tables count in, by IsSectorSize(); 0: what the medium says
};

// What an open asks for. Kept by the Device, since Release() wants the same again.
struct OpenOptions {
  OpenMode mode = OpenMode::kRead;
  bool raw = false;               // the character device: physio's rules for positions and sizes
  Access access = Access::kAuto;  // what is asked for; Device::access() tells what came of it
  CacheMode cache = CacheMode::kWriteback;
  bool direct = false;            // O_DIRECT where a request fits its alignment
  bool lock = true;               // keep others off the range, as AdjustLock() in host_medium.cc says
  bool lock_growth = false;       // with `lock`: all that the medium may grow to as well
  std::vector<ByteSpan> protect;  // bytes of the device that this open must not write
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_OPTIONS_H_
