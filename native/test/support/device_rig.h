// DeviceRig: a host file behind a FakeHost, a minor of it, and the devices that a test opens on it.
#ifndef RUMPBLK_TEST_SUPPORT_DEVICE_RIG_H_
#define RUMPBLK_TEST_SUPPORT_DEVICE_RIG_H_

#include <memory>
#include <vector>

#include "core/device/device.h"
#include "core/medium/host_medium.h"
#include "test/support/rig.h"

namespace blk::test {

inline Result<std::shared_ptr<Minor>> CreateMinor(HostIo& host, const std::string& path, const MediumRange& range) {
  auto medium = HostMedium::Create(host, path);
  if (!medium.ok()) return medium.status();
  return Minor::Create(medium.Take(), range);
}
inline Result<std::shared_ptr<Minor>> CreateMinor(HostIo& host, const std::string& path, uint64_t offset = 0,
                                                  std::optional<uint64_t> size = std::nullopt) {
  MediumRange range;
  range.offset = offset;
  range.size = size;
  return CreateMinor(host, path, range);
}

struct DeviceRig {
  explicit DeviceRig(uint64_t size = 4 * kMiB) : file(size) { file.Fill(); }

  std::unique_ptr<Device> Open(const OpenOptions& options, uint64_t offset = 0) {
    if (!minor) {
      MediumRange range;
      range.offset = offset;
      minor = test::CreateMinor(host, file.path(), range).Take();
      minor->SetIndex(0);
    }
    auto opened = Device::Open(minor, options, context);
    Must(opened.ok(), "open of a device");
    return opened.Take();
  }
  std::unique_ptr<Device> Open(Access access = Access::kAuto, CacheMode cache = CacheMode::kWriteback) {
    OpenOptions options;
    options.mode = OpenMode::kReadWrite;
    options.access = access;
    options.cache = cache;
    return Open(options);
  }
  uint64_t Count(Counter counter) const { return counters.Snapshot()[static_cast<size_t>(counter)]; }
  uint64_t Syncs() const {
    return host.calls(Call::kFdatasync) + host.calls(Call::kMsync) + host.calls(Call::kPwriteDurable);
  }

  FakeHost host;
  TempFile file;
  Counters counters;
  FaultInjector faults;
  DeviceContext context{counters, faults, {}, kDefaultWindowCount};
  std::shared_ptr<Minor> minor;
};

inline Request Write(Device& device, uint64_t position, const std::vector<uint8_t>& bytes,
                     Fua fua = Fua::kByCacheMode) {
  Request request =
      device.BytesRequest(Operation::kWrite, position, const_cast<uint8_t*>(bytes.data()), bytes.size(), fua);
  device.Run(request);
  return request;
}
inline std::vector<uint8_t> Read(Device& device, uint64_t position, size_t size) {
  std::vector<uint8_t> back(size);
  Request request = device.BytesRequest(Operation::kRead, position, back.data(), size, Fua::kByCacheMode);
  device.Run(request);
  back.resize(request.moved);
  return back;
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_DEVICE_RIG_H_
