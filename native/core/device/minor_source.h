// MinorSource: a minor as the bytes that its tables are read from. Reads the host file past the strategies: no counter
// moves, no fault is drawn. One thread at a time.
#ifndef RUMPBLK_CORE_DEVICE_MINOR_SOURCE_H_
#define RUMPBLK_CORE_DEVICE_MINOR_SOURCE_H_

#include "core/device/minor.h"
#include "core/label/table_source.h"

namespace blk {

class MinorSource final : public TableSource {
 public:
  // `minor` outlives this object and cannot be retired meanwhile.
  explicit MinorSource(const Minor& minor) : minor_(minor) {}

  // As TableSource has it. Errors of Read(): those of Minor::ReadHost().
  uint64_t size() const override { return minor_.size(); }
  uint64_t sector_size() const override { return minor_.MediumSectorSize(); }
  Status Read(uint64_t position, uint8_t* data, size_t size) override { return minor_.ReadHost(position, data, size); }

 private:
  const Minor& minor_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_MINOR_SOURCE_H_
