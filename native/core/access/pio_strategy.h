// PioStrategy: serves bufs by pread and pwrite, and makes durable ones so by fdatasync, or by the host's write call
// that syncs what it writes. The access of nodes and of `access: 'pio'`, and the fallback of the other modes through
// Piece(). Thread-safe.   Model: rumpblk.c r1.31 lines 659-722, with loops over short transfers (B40) and completion
// after the sync (B20); O_DIRECT writes are synced like all others (B38).
#ifndef RUMPBLK_CORE_ACCESS_PIO_STRATEGY_H_
#define RUMPBLK_CORE_ACCESS_PIO_STRATEGY_H_

#include <atomic>

#include "core/medium/host_file.h"
#include "core/request/strategy.h"

namespace blk {

class PioStrategy final : public BoundedStrategy {
 public:
  // How a durable write is made so: by a sync that serves all who wait, or by a call that syncs its own bytes.
  enum class Durable : uint8_t { kFdatasync, kPerCall };

  // The descriptors of `file` outlive this object's requests.
  PioStrategy(const DeviceRange& range, const HostFile& file, Durable durable = Durable::kFdatasync)
      : BoundedStrategy(range), file_(file), durable_calls_(durable == Durable::kPerCall) {}

  // Moves the part of `buf` that starts at `data`, and makes it durable if the buf is. Marks what it writes as dirty.
  // Counts syncs, but no bytes: BoundedStrategy does.
  // Errors: the host's · EIO the file ends before · ECANCELED · those of IsUndone(), nothing moved · the sync's, which
  // sticks.   Thread: any.   REQUIRES: [at, at + size) lies inside the device.
  Moved Piece(const Buf& buf, uint8_t* data, HostOffset at, size_t size);

  // The same for all that `buf` has: of a request in parts, its last one makes all of them durable.
  Moved Part(const Buf& buf, HostOffset at, size_t size);

  // What a piece gets that was stored into a window: EIO, for good, when the host file has come to end before it. Then
  // the host dropped the bytes, which is noted, and no later pwrite may make up for it by growing the file again.
  Status CheckStored(HostOffset at, size_t size);

  // Makes everything written so far durable, by all opens of the minor, unless it is. Counts a sync that reached the
  // host.
  // Errors: the sync's · what WhyLost() says of stores that leases have lost, although the sync itself went well. Each
  // sticks.
  // Thread: any; it waits for the disk, or for the sync of somebody else.
  Status Sync(Lane lane);

 protected:
  Moved Move(const Buf& buf, HostOffset at, size_t size) override { return Part(buf, at, size); }

 private:
  // The sync, then what a sync cannot know: stores that never reached the page cache.
  Status SyncAll();
  // By PwriteDurable(); falls back to pwrite and Sync(), for good when the host has no such call.
  Moved WriteDurable(const Buf& buf, const uint8_t* data, HostOffset at, size_t size);

  const HostFile file_;
  std::atomic<bool> durable_calls_;  // cleared for good when the host turns out not to have them
};

}  // namespace blk

#endif  // RUMPBLK_CORE_ACCESS_PIO_STRATEGY_H_
