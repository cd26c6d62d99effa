// DiskSource: a range of a medium as the bytes that tables are read from. Reads past the strategies: no counter moves,
// no fault is drawn. Made by Disk::Source(). One thread at a time.
#ifndef RUMPBLK_CORE_DEVICE_DISK_SOURCE_H_
#define RUMPBLK_CORE_DEVICE_DISK_SOURCE_H_

#include "core/label/disk_label.h"
#include "core/label/table_source.h"
#include "core/medium/medium.h"

namespace blk {

class DiskSource final : public TableSource {
 public:
  // [begin, begin + size) of `medium`, which outlives this object and is not closed meanwhile. A `sector_size` of 0 is
  // what the medium says, which is asked when somebody wants to know.
  DiskSource(Medium& medium, MediumOffset begin, uint64_t size, uint64_t sector_size)
      : medium_(medium), begin_(begin), size_(size), sector_size_(sector_size) {}

  // As TableSource has it. Errors of Read(): those of Medium::Read().
  uint64_t size() const override { return size_; }
  uint64_t sector_size() const override {
    if (sector_size_ != 0) return sector_size_;
    const uint64_t told = medium_.sector_size();
    return IsSectorSize(told) ? told : kDevBsize;
  }
  Status Read(uint64_t position, uint8_t* data, size_t size) override {
    return medium_.Read({begin_.value + position}, data, size);
  }

 private:
  Medium& medium_;
  const MediumOffset begin_;
  const uint64_t size_;
  const uint64_t sector_size_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_DISK_SOURCE_H_
