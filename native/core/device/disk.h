// Disk: a medium, or a range of one, with what all its opens share, those of its partitions too: the attachments to the
// medium, what is not durable yet, the label. A sync that fails on one partition is so told on every other, and the
// two never lock each other out.
// Thread-safe. Lock order: LabelState::changes(), then mu_, which is held across attaching and detaching, then the
// medium's; FlushState's is taken inside mu_.
// Model: struct rblkdev of rumpblk.c r1.31 lines 98-117, and the kernel's struct disk.
#ifndef RUMPBLK_CORE_DEVICE_DISK_H_
#define RUMPBLK_CORE_DEVICE_DISK_H_

#include <memory>
#include <string>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/device/disk_source.h"
#include "core/device/label_state.h"
#include "core/device/options.h"
#include "core/device/use_count.h"
#include "core/filter/unflushed_writes.h"
#include "core/label/disk_label.h"
#include "core/medium/medium.h"
#include "core/request/flush_state.h"
#include "core/request/request_log.h"

namespace blk {

// The index of a minor in no table.
inline constexpr int kPrivateMinor = -1;

class Disk {
 public:
  // Takes the medium, and checks the range of it that becomes the disk. Units: bytes; no size means to the end (B1).
  // Errors: EINVAL a range outside the medium or one that overflows (B22), a medium that does not tell its size and was
  // given none · EOVERFLOW larger than 2^53 - 1 bytes.
  static Result<std::shared_ptr<Disk>> Create(std::unique_ptr<Medium> medium, const MediumRange& range);
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // Fixed from here on.
  Medium& medium() const { return *medium_; }
  // Bytes of the disk, and where it begins on the medium. Neither changes, whatever becomes of the medium.
  uint64_t size() const { return size_; }
  MediumOffset begin() const { return begin_; }
  MediumSpan span() const { return {begin_, {begin_.value + size_}}; }
  // What tables count in: the sectors that the registration named, else the medium's.
  uint64_t sector_size() const { return Source().sector_size(); }
  // True when both are the same range of the same medium, whatever it was called (B21).
  bool SameAs(const Disk& other) const;

  // The number that the whole disk has in the table, and the default label that goes with it: what the disk is taken
  // for when its medium has none. As in the seed the minor is a partition of it, its number modulo 16 (B12).
  // REQUIRES of SetIndex(): called once at most, before anybody else can see the disk.
  void SetIndex(int index);
  int index() const { return index_; }
  const DiskLabel& default_label() const { return default_label_; }

  // An open's way to the medium, until Detach() of the same attachment. REQUIRES: a use is counted.
  // Errors: those of Medium::Attach().
  Result<std::unique_ptr<Channel>> Attach(const Attachment& wanted) EXCLUDES(mu_);
  // Errors: those of Medium::Detach(). The last one ends a sticky error, and a label in memory that is not kept.
  Status Detach(const Attachment& wanted) EXCLUDES(mu_);

  // The bytes of the disk past the strategies: for who looks at tables. REQUIRES: a use is counted as long as it is
  // used.
  DiskSource Source() const { return {*medium_, begin_, size_, sector_size_}; }

  // EIO when the medium no longer reaches to the end of `span`; what it lacks of that is noted as lost.
  // REQUIRES: a use is counted.
  Status CheckReaches(MediumSpan span);

  // The label: the one in memory, else the valid one on the medium, else the default one. Errors: the medium's.
  Result<DiskLabel> Label() const;
  // Finds the label on the medium that partitions must not write over. Errors: the medium's.
  // REQUIRES: label_state().changes() is held.
  Status PlaceLabel();

  UseCount& uses() { return uses_; }
  const UseCount& uses() const { return uses_; }
  LabelState& label_state() { return label_state_; }
  const LabelState& label_state() const { return label_state_; }
  FlushState& flush() { return flush_; }
  ChangeTracks& tracks() const { return medium_->tracks(); }
  // What a flush that a fault plan fails loses.
  UnflushedWrites& unflushed() { return unflushed_; }
  DiskLog& log() { return log_; }

  // Bars the disk from being used again and lets go of the medium. Errors: EBUSY while it is used · ENXIO done before ·
  // the medium's. Against an open at the same time, one of the two wins.
  Status Retire();

 private:
  Disk(std::unique_ptr<Medium> medium, MediumOffset begin, uint64_t size, uint64_t sector_size);

  const std::unique_ptr<Medium> medium_;
  const MediumOffset begin_;
  const uint64_t size_;
  const uint64_t sector_size_;  // 0: not named
  int index_ = kPrivateMinor;
  DiskLabel default_label_;

  UseCount uses_;  // opens of the whole disk; holds: its partitions, and who makes them
  LabelState label_state_;
  FlushState flush_;
  UnflushedWrites unflushed_;
  DiskLog log_;

  Mutex mu_;
  uint32_t attached_ GUARDED_BY(mu_) = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_DISK_H_
