// BatchRig: a batch on a device of a rig, filled in from rows.
#ifndef RUMPBLK_TEST_SUPPORT_BATCH_RIG_H_
#define RUMPBLK_TEST_SUPPORT_BATCH_RIG_H_

#include <memory>
#include <utility>
#include <vector>

#include "core/request/batch.h"
#include "test/support/device_rig.h"

namespace blk::test {

inline constexpr uint8_t kRead = 0, kWrite = 1, kFlush = 2, kDiscard = 3, kZero = 4;

struct Entry {
  uint8_t op;
  double blkno;
  uint32_t bcount;
  uint32_t offset;
  uint8_t fua = 0;
};

// A batch on a device of a rig; results stay in `resid` and `error`.
struct BatchRig : DeviceRig {
  explicit BatchRig(Access access = Access::kPio, CacheMode cache = CacheMode::kWriteback, uint64_t size = kMiB)
      : DeviceRig(size), device(Open(access, cache)), arena(kMiB) {
    host.ClearJournal();
  }
  // On a device of another rig.
  explicit BatchRig(std::unique_ptr<Device> other) : DeviceRig(0), device(std::move(other)), arena(kMiB) {}
  // Runs the entries; -> what Run() answered.
  bool Run(const std::vector<Entry>& entries, bool nowait = false, const std::atomic<bool>* cancel = nullptr) {
    op.clear(), fua.clear(), blkno.clear(), bcount.clear(), offset.clear();
    for (const Entry& entry : entries) {
      op.push_back(entry.op);
      fua.push_back(entry.fua);
      blkno.push_back(entry.blkno);
      bcount.push_back(entry.bcount);
      offset.push_back(entry.offset);
    }
    resid.assign(entries.size(), 77);  // what was there before does not matter
    error.assign(entries.size(), 1);
    const BatchArrays arrays{op.data(),     fua.data(),   blkno.data(), bcount.data(),
                             offset.data(), resid.data(), error.data()};
    BatchRun run(arrays, arena.data(), arena.size(), static_cast<uint32_t>(entries.size()), device->ForBatch());
    run.Admit();
    const bool finished =
        run.Run(nowait, 0, cancel, [&](const BatchSync& what) { return device->SyncBatch(run.entry(), 0, what); });
    begun = run.begun();
    if (finished) succeeded = run.succeeded();
    return finished;
  }

  std::unique_ptr<Device> device;
  std::vector<uint8_t> arena, op, fua;
  std::vector<double> blkno;
  std::vector<uint32_t> bcount, offset, resid;
  std::vector<int32_t> error;
  uint32_t begun = 0, succeeded = 0;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_BATCH_RIG_H_
