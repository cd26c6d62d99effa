// DeviceSource: an open device as the bytes that its tables are read from. Each read is a request of the device like
// any other: it is counted, and the fault injector may fail it. One thread at a time.
#ifndef RUMPBLK_CORE_DEVICE_DEVICE_SOURCE_H_
#define RUMPBLK_CORE_DEVICE_DEVICE_SOURCE_H_

#include "core/device/device.h"
#include "core/label/table_source.h"

namespace blk {

class DeviceSource final : public TableSource {
 public:
  // `device` outlives this object.
  DeviceSource(Device& device, Lane lane) : device_(device), lane_(lane) {}

  // As TableSource has it: bytes of the device, and what its medium calls a sector.
  uint64_t size() const override { return device_.minor().size(); }
  uint64_t sector_size() const override { return device_.minor().disk().sector_size(); }
  // Errors: those of Strategy::Submit(); EIO of the injector, which injected() tells apart.
  Status Read(uint64_t position, uint8_t* data, size_t size) override {
    Request request = device_.BytesRequest(Operation::kRead, position, data, size, Fua::kByCacheMode);
    request.raw = false;  // tables lie at any byte
    request.lane = lane_;
    device_.Run(request);
    injected_ = request.injected;
    return request.status;
  }

  // Whether it was the fault injector that failed the last read.
  bool injected() const { return injected_; }

 private:
  bool injected_ = false;
  Device& device_;
  const Lane lane_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_DEVICE_SOURCE_H_
