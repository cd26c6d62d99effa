// Options of a driver, a registration and an open, as structs with units and defaults. Plain data.
#ifndef RUMPBLK_CORE_DEVICE_OPTIONS_H_
#define RUMPBLK_CORE_DEVICE_OPTIONS_H_

#include <cstdint>
#include <optional>

#include "core/base/units.h"

namespace blk {

enum class OpenMode : uint8_t { kRead, kReadWrite };
enum class Access : uint8_t { kAuto, kMmap, kPio };
enum class CacheMode : uint8_t { kWritethrough, kWriteback, kUnsafe };

// How the windows of an open are sized.
struct WindowSize {
  enum class Kind : uint8_t { kUnset, kAuto, kBytes };
  Kind kind = Kind::kUnset;  // unset: 1 MiB under mmap, auto otherwise
  uint64_t bytes = 0;        // kBytes: a power of two, at least a page
};

struct DriverOptions {
  uint32_t minor_count = kDefaultMinorCount;
  WindowSize window_size;
  uint32_t window_count = kDefaultWindowCount;
  uint32_t queue_depth = kDefaultQueueDepth;
  uint32_t workers = kDefaultWorkers;
};

// The range of the host file that becomes the device.
struct HostRange {
  uint64_t offset = 0;           // bytes
  std::optional<uint64_t> size;  // bytes; unset: to the end
};

struct OpenOptions {
  OpenMode mode = OpenMode::kRead;
  bool raw = false;
  Access access = Access::kAuto;
  CacheMode cache = CacheMode::kWriteback;
  bool direct = false;
  bool lock = true;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_OPTIONS_H_
