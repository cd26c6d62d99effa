// Rig: a host file behind a FakeHost, opened, with the counters, flush state and range that strategies share; what a
// Device would put together, without the Device.
#ifndef RUMPBLK_TEST_SUPPORT_RIG_H_
#define RUMPBLK_TEST_SUPPORT_RIG_H_

#include <memory>
#include <vector>

#include "core/access/mapped_strategy.h"
#include "core/access/pio_strategy.h"
#include "core/host/unique_fd.h"
#include "core/medium/host_channel.h"
#include "core/request/physio.h"
#include "core/request/plan.h"
#include "core/window/window_cache.h"
#include "test/support/fake_host.h"
#include "test/support/temp_file.h"

namespace blk::test {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

struct Rig {
  // A device of `device_size` bytes from `begin` on, in a host file of `file_size` bytes.
  Rig(uint64_t file_size, uint64_t begin, uint64_t device_size, bool writable = true,
      DiskChannel::Durable durable = DiskChannel::Durable::kBySync)
      : file(file_size) {
    OpenFlags flags;
    flags.write = writable;
    fd = UniqueFd(host, host.Open(file.path(), flags));
    Must(fd.valid(), "open of the rig");
    range.size = device_size;
    range.begin = {begin};
    range.writable = writable;
    range.counters = &counters;
    range.flush = &flush;
    host_file.host = &host;
    host_file.fd = fd.get();
    channel = std::make_unique<HostChannel>(host_file);
    disk = std::make_unique<DiskChannel>(*channel, flush, counters, durable);
  }
  explicit Rig(uint64_t size) : Rig(size, 0, size) {}

  WindowGeometry Geometry(uint64_t window_size, uint32_t count) const {
    WindowGeometry geometry;
    geometry.size = window_size;
    geometry.count = count;
    geometry.begin = range.begin;
    geometry.end = {range.begin.value + range.size};
    return geometry;
  }
  std::unique_ptr<WindowCache> Windows(uint64_t window_size, uint32_t count) {
    auto created = WindowCache::Create(*channel->windows(), mode(), Geometry(window_size, count), counters);
    Must(created.ok(), "windows of the rig");
    return created.Take();
  }
  MapMode mode() const { return range.writable ? MapMode::kReadWrite : MapMode::kRead; }
  uint64_t Count(Counter counter) const { return counters.Snapshot()[static_cast<size_t>(counter)]; }

  TempFile file;
  FakeHost host;
  UniqueFd fd;
  Counters counters;
  FlushState flush;
  DeviceRange range;
  HostFile host_file;
  std::unique_ptr<HostChannel> channel;
  std::unique_ptr<DiskChannel> disk;
};

inline Piece ReadPiece(int64_t blkno, std::vector<uint8_t>& into) {
  Piece piece;
  piece.position = PositionOfSector(blkno);
  piece.data = into.data();
  piece.size = into.size();
  return piece;
}
inline Piece WritePiece(int64_t blkno, const std::vector<uint8_t>& from, bool durable = false) {
  Piece piece;
  piece.operation = Operation::kWrite;
  piece.position = PositionOfSector(blkno);
  piece.data = const_cast<uint8_t*>(from.data());  // a write only reads it
  piece.size = from.size();
  piece.durable = durable;
  return piece;
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_RIG_H_
