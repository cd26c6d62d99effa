// AutoStrategy: the fastest path for each request, `access: 'auto'`. Reads are copied from mapped windows where the
// MapPolicy finds that worth it, else pread; writes are pwrite, coherent with the read map through the page cache, and
// durable ones carry the host's per-call durability where it has it.
// Thread-safe; the read path of a mapped device takes no lock and writes nothing that threads share.
// Why: docs/performance.md; the seed maps for both and pays 8 us a miss, 2 MiB of disk writes a durable 4 KiB.
#ifndef RUMPBLK_CORE_ACCESS_AUTO_STRATEGY_H_
#define RUMPBLK_CORE_ACCESS_AUTO_STRATEGY_H_

#include <atomic>
#include <optional>

#include "core/access/map_policy.h"
#include "core/access/residency.h"
#include "core/access/window_contest.h"
#include "core/request/disk_channel.h"
#include "core/request/strategy.h"
#include "core/window/window_table.h"

namespace blk {

class AutoStrategy final : public BoundedStrategy {
 public:
  // `windows` and `disk` outlive this object; both are over the same file and range.
  AutoStrategy(const DeviceRange& range, WindowTable& windows, DiskChannel& disk);

 protected:
  Moved Move(const Piece& piece, MediumOffset at, size_t size) override;
  Moved Apply(const Piece& piece, MediumOffset at, size_t size) override;
  // Reads that have found their pages not in memory; writes go the way of Move().
  bool StartsMove(const Piece& piece, MediumOffset at) override { return disk_.Starts(piece, at); }
  bool StartMove(StartedPiece& piece, MediumOffset at) override { return disk_.Start(piece, at); }
  bool expects() const override { return true; }
  // Fetches the head of the range into the cache, if its window is mapped.
  void ExpectRead(MediumOffset at, size_t size) override;

 private:
  // Reads piece by piece, each from its window or by pread. Moves a prefix, as Move() promises, whatever fails on the
  // way.
  Moved Read(const Piece& piece, MediumOffset at, size_t size);
  // The window that holds [at, at + size), inside one block, if there is a sound one. When there is none, the pread
  // that serves instead credits the lane's mapping budget, and may let this window replace another.
  std::optional<WindowRef> Find(MediumOffset at, size_t size, Lane lane);
  // What the policy says of it; of a read that must not wait, no copy from pages that may have left memory.
  MapPolicy::Path Choose(const Piece& piece, const WindowRef& window, MediumOffset at, size_t size);
  // Copies [at, at + size) from its window. -> false when pread is to do it.
  bool Copy(const WindowRef& window, uint8_t* data, MediumOffset at, size_t size, Lane lane);
  // Maps the block around `at`, a page of which was just read by a pread that took `pread_ns`.
  void Invest(const WindowRef& window, MediumOffset at, MapPolicy::Path path, int64_t pread_ns, Lane lane);
  // Whether every page of [at, at + size) was in memory a moment ago, as far as windows show it.
  bool IsResident(MediumOffset at, size_t size);
  // Remaps the slot of the window around `at` to it, if the contest says so and the lane can pay.
  void Challenge(MediumOffset at, Lane lane);

  MediumWindows& medium_;
  const bool fills_holes_;  // then only what is in memory is touched through the map
  WindowTable& windows_;
  DiskChannel& disk_;
  // Which pieces are worth a page fault; which windows are worth a slot; which pages are in memory.
  MapPolicy policy_;
  WindowContest contest_;
  Residency residency_;
  std::atomic<bool> host_tells_{true};  // cleared for good when the host turns out to have no reads that do not wait
};

}  // namespace blk

#endif  // RUMPBLK_CORE_ACCESS_AUTO_STRATEGY_H_
