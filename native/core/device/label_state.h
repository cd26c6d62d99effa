// LabelState: what one disk knows of its label beside what its medium says: the label that was set in memory, where the
// one on the medium lies, and which of its partitions are registered.
// Thread-safe. Lock order: mu_ is a leaf; changes() comes before every lock that a request or a hold on the disk takes.
// Model: the disklabel of struct disk, and the label flags of NetBSD's drivers.
#ifndef RUMPBLK_CORE_DEVICE_LABEL_STATE_H_
#define RUMPBLK_CORE_DEVICE_LABEL_STATE_H_

#include <algorithm>
#include <optional>
#include <vector>

#include "core/base/sync.h"
#include "core/filter/label_sector.h"
#include "core/label/disk_label.h"

namespace blk {

class Minor;

class LabelState {
 public:
  // The label in memory, which goes before the medium's: from DIOCSDINFO on, to DIOCWDINFO or the last close. A copy:
  // another thread may set it anew.
  std::optional<DiskLabel> in_memory() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return in_memory_;
  }
  void SetInMemory(const std::optional<DiskLabel>& label) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    in_memory_ = label;
    version_++;
  }
  // Counts changes of the tables and of the label: whoever reads them and changes what was read asks first, and names
  // the answer to WriteTable(), so that no change made meanwhile is lost.
  uint64_t version() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return version_;
  }
  // Says that the tables are about to change. REQUIRES: changes() is held.
  void Change() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    version_++;
  }

  // Whether the label in memory outlives the last close (DIOCKLABEL).
  void SetKeep(bool keep) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    keep_ = keep;
  }
  // After the last close: forgets the label, unless it is to be kept, and guards the medium's again.
  void Closed() EXCLUDES(mu_) {
    sector_.SetWritable(false);
    MutexLock lock(mu_);
    if (!keep_) in_memory_.reset();
  }

  // Held from the first look at the tables of the disk to the last write by whoever changes them, and by whoever acts
  // on what they say: two changes at once would leave half of each, and a partition be registered that neither knows.
  // Held across requests and syncs of the device, on purpose. Not recursive.
  Mutex& changes() { return changes_; }

  // Where the medium's label is, for the guards of partitions: they look without this object's lock.
  LabelSector& sector() { return sector_; }
  const LabelSector& sector() const { return sector_; }

  // The registered partitions; they take themselves off before they go.
  void Enter(const Minor* partition) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    partitions_.push_back(partition);
  }
  void Leave(const Minor* partition) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    partitions_.erase(std::remove(partitions_.begin(), partitions_.end(), partition), partitions_.end());
  }
  // Calls `visit` for each; none of them goes meanwhile.
  template <typename Visit>
  void ForEachPartition(Visit&& visit) const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    for (const Minor* partition : partitions_) visit(*partition);
  }

 private:
  Mutex changes_;
  LabelSector sector_;
  mutable Mutex mu_;
  std::optional<DiskLabel> in_memory_ GUARDED_BY(mu_);
  uint64_t version_ GUARDED_BY(mu_) = 0;
  bool keep_ GUARDED_BY(mu_) = false;
  // In order of their registration. Plain pointers: each holds the disk, and so this object, and takes itself off
  // before it goes.
  std::vector<const Minor*> partitions_ GUARDED_BY(mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_LABEL_STATE_H_
