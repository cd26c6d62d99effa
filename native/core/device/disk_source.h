// DiskSource: a disk as the bytes that its tables are read from. Reads the medium past the strategies: no counter
// moves, no fault is drawn. One thread at a time.
#ifndef RUMPBLK_CORE_DEVICE_DISK_SOURCE_H_
#define RUMPBLK_CORE_DEVICE_DISK_SOURCE_H_

#include "core/device/disk.h"
#include "core/label/table_source.h"

namespace blk {

class DiskSource final : public TableSource {
 public:
  // `disk` outlives this object and cannot be retired meanwhile.
  explicit DiskSource(const Disk& disk) : disk_(disk) {}

  // As TableSource has it. Errors of Read(): those of Disk::Read().
  uint64_t size() const override { return disk_.size(); }
  uint64_t sector_size() const override { return disk_.sector_size(); }
  Status Read(uint64_t position, uint8_t* data, size_t size) override { return disk_.Read(position, data, size); }

 private:
  const Disk& disk_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_DISK_SOURCE_H_
